"""Sign-in with a provider of OpenID Connect that runs beside the tests: by the rules, and against them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, openid_provider, people
from tests.openid_provider import CLIENT, SECRET, OpenIdProvider

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import factors, openid, providers, second_look
from tocsin.centre.members.models import Identity, OpenSession, Organisation, Person, Provider
from tocsin.credentials import one_time
from tocsin.credentials.proofs import NotProved

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation whose providers may lie on this machine."""
    mine = replace(settings.INSTALLATION, home=tmp_path, inner_providers=True)
    monkeypatch.setattr(settings, "INSTALLATION", mine)


@pytest.fixture
def idp() -> Iterator[OpenIdProvider]:
    with openid_provider.running() as found:
        yield found


@pytest.fixture
def provider(idp: OpenIdProvider) -> Provider:
    """The provider of northwind, on."""
    return set_up(idp, people.call("pia_partner").organisation)


def set_up(idp: OpenIdProvider, organisation: Organisation, **said: Any) -> Provider:
    facts: dict[str, Any] = {"claim": "preferred_username", "client": CLIENT, "secret": SECRET, **said}
    setup = providers.Setup(kind="openid", issuer=idp.origin, published=openid.read(idp.origin), **facts)
    made = providers.set_up(organisation=organisation, said=setup, by="test", at=timezone.now())
    providers.switch(provider=made, is_on=True, by="test", at=timezone.now())
    return Provider.objects.get(pk=made.pk)


def go(client: Client, idp: OpenIdProvider, provider: Provider, **query: str) -> Any:
    """There and back as a browser does; gives the answer to the return."""
    away = client.get(reverse("provider-start", args=[provider.key]), query)
    assert away.status_code == 302, away.status_code
    assert away["Location"].startswith(idp.origin)
    return client.get(idp.visit(away["Location"]).removeprefix(settings.INSTALLATION.public_origin))


def who(client: Client) -> str:
    """Login of who is signed in."""
    key = client.session.get("_auth_user_id")
    return Person.objects.get(pk=key).login if key else ""


def reasons() -> list[str]:
    return [f"{entry.facts['reason']}" for entry in _failures()]


def _failures() -> list[Any]:
    import json

    found = list(Entry.objects.filter(action="sign-in.provider-failed").order_by("pk"))
    for each in found:
        each.facts = json.loads(each.detail)
    return found


def test_signs_in_and_is_known_by_subject_from_then_on(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    answer = go(client, idp, provider, next="/account/preferences/")
    assert answer["Location"] == "/account/preferences/"
    assert who(client) == "pia_partner"
    assert OpenSession.objects.get().proved_by == "provider"
    assert "Organisation" in client.get(reverse("sessions")).content.decode()
    assert Entry.objects.filter(action="person.linked", actor="pia_partner").count() == 1
    client.post(reverse("sign-out"))
    assert who(client) == ""
    # Another claim, the same subject: still the same account, and no other one.
    people.call("mona_manager")
    idp.claims["preferred_username"] = "mona_manager"
    go(client, idp, provider)
    assert who(client) == "pia_partner"
    assert Identity.objects.count() == 1


def test_from_the_sign_in_page_by_login(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    assert reverse("sign-in-organisation") in client.get(reverse("sign-in")).content.decode()
    answer = client.post(reverse("sign-in-organisation"), {"login": "PIA_partner", "next": "/watches/"})
    onward = reverse("provider-start", args=[provider.key], query={"next": "/watches/"})
    assert f'content="0; url={onward}"' in answer.content.decode().replace("&amp;", "&")
    nobody = client.post(reverse("sign-in-organisation"), {"login": "nobody"})
    assert "provider is known for this login" in nobody.content.decode()
    for _ in range(25):
        last = client.post(reverse("sign-in-organisation"), {"login": "nobody"})
    assert last.status_code == 429
    assert client.post(reverse("sign-in"), {"login": "pia_partner", "password": builders.PASSWORD}).status_code == 302


def test_a_link_on_another_site_signs_nobody_in(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    start = reverse("provider-start", args=[provider.key], query={"next": "/watches/"})
    lured = client.get(start, headers={"Sec-Fetch-Site": "cross-site"})
    assert lured["Location"] == reverse("sign-in-organisation", query={"next": "/watches/"})
    assert client.get(start, headers={"Sec-Fetch-Site": "same-origin"})["Location"].startswith(idp.origin)


@pytest.mark.parametrize(("sent_back", "reason"), [
    ({"state": "guessed"}, "state"), ({"state": None}, "state"), ({"iss": "https://other.example"}, "issuer"),
    ({"iss": None}, "issuer"), ({"code": None}, "answer"), ({"code": "guessed"}, "answer"),
    ({"error": "access_denied", "code": None}, "denied"), ({"error": "<script>", "code": None}, "denied"),
])  # fmt: skip
def test_an_address_of_return_that_is_not_right(
    sent_back: dict[str, str | None], reason: str, client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    idp.sent_back = sent_back
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", [reason])
    assert "<script>" not in answer.content.decode()


def test_an_answer_counts_once_and_in_its_own_browser_alone(
    client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    away = client.get(reverse("provider-start", args=[provider.key]))
    home = idp.visit(away["Location"]).removeprefix(settings.INSTALLATION.public_origin)
    assert Client().get(home).status_code == 403  # Whoever was made to open it is not signed in as another.
    assert client.get(home).status_code == 302
    client.post(reverse("sign-out"))
    assert client.get(home).status_code == 403
    assert reasons() == ["state", "state"]


def test_an_answer_that_took_too_long(
    client: Client, idp: OpenIdProvider, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = client.get(reverse("provider-start", args=[provider.key]))
    home = idp.visit(away["Location"]).removeprefix(settings.INSTALLATION.public_origin)
    later = timezone.now() + timedelta(minutes=10)
    monkeypatch.setattr("tocsin.centre.members.provider_views.timezone.now", lambda: later)
    assert client.get(home).status_code == 403
    assert reasons() == ["state"]


def test_a_provider_speaks_for_its_own_organisation_alone(
    client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    people.call("omar_partner")
    idp.claims = {"sub": "0002", "preferred_username": "omar_partner", "roles": ["administrator"]}
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", ["unknown-person"])
    assert Person.objects.filter(organisation=provider.organisation).count() == 1  # Nobody was made or moved.


def test_who_moved_to_another_organisation_leaves_the_old_provider(
    client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    go(client, idp, provider)
    client.post(reverse("sign-out"))
    Person.objects.filter(login="pia_partner").update(organisation=builders.organisation("southgate"))
    assert go(client, idp, provider).status_code == 403
    assert reasons() == ["other-organisation"]


def test_the_answer_of_one_provider_counts_at_no_other(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    """Mix-up: the browser was sent to the first and comes back to the address of the second."""
    people.call("omar_partner")
    with openid_provider.running() as another:
        other = set_up(another, builders.organisation("southgate"))
        away = client.get(reverse("provider-start", args=[provider.key]))
        home = idp.visit(away["Location"]).removeprefix(settings.INSTALLATION.public_origin)
        assert client.get(home.replace(provider.key, other.key)).status_code == 403
        assert another.asked.count("/token") == 0  # Nor was it told the code.
    assert reasons() == ["state"]


def test_one_account_has_one_person_of_the_provider(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    go(client, idp, provider)
    client.post(reverse("sign-out"))
    idp.claims["sub"] = "0002"  # The name was given to somebody new.
    assert go(client, idp, provider).status_code == 403
    assert reasons() == ["linked-elsewhere"]


@pytest.mark.parametrize("who_is", ["person", "organisation"])
def test_the_inactive_stay_outside(who_is: str, client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    away = client.get(reverse("provider-start", args=[provider.key]))
    if who_is == "person":
        Person.objects.update(is_active=False)
    else:
        Organisation.objects.update(is_active=False)
    home = idp.visit(away["Location"]).removeprefix(settings.INSTALLATION.public_origin)
    assert client.get(home).status_code == (403 if who_is == "person" else 404)
    assert who(client) == ""


@pytest.mark.parametrize(("claims", "login"), [
    ({"email": "pia_partner", "email_verified": True}, "pia_partner"), ({"email": "pia_partner"}, ""),
    ({"email": "pia_partner", "email_verified": "true"}, ""), ({"email": "PIA_PARTNER", "email_verified": True},
    "pia_partner"), ({"email": ["pia_partner"], "email_verified": True}, ""),
    ({"email": "pıa_partner", "email_verified": True}, ""),
])  # fmt: skip
def test_an_address_links_only_where_it_was_verified(
    claims: dict[str, Any], login: str, client: Client, idp: OpenIdProvider
) -> None:
    provider = set_up(idp, people.call("pia_partner").organisation, claim="email")
    idp.claims = {"sub": "0001", **claims}
    go(client, idp, provider)
    assert who(client) == login


def test_a_claim_that_only_the_user_information_holds(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    idp.claims, idp.user_info = {"sub": "0001"}, {"preferred_username": "pia_partner"}
    go(client, idp, provider)
    assert who(client) == "pia_partner"
    idp.user_info = {"sub": "0009", "preferred_username": "mona_manager"}
    idp.claims = {"sub": "0002"}
    assert go(Client(), idp, provider).status_code == 403
    assert reasons() == ["answer"]


def test_the_second_factor_follows_unless_the_providers_counts(
    client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    secret, _ = _with_app(people.call("pia_partner"))
    answer = go(client, idp, provider, next="/watches/")
    assert answer["Location"] == reverse("sign-in-second", query={"next": "/watches/"})
    assert who(client) == ""
    assert "Your organisation knows you" in client.get(answer["Location"]).content.decode()
    client.post(answer["Location"], {"code": _code(secret), "next": "/watches/"})
    assert who(client) == "pia_partner"
    assert OpenSession.objects.get().proved_by == "provider,code"
    trusting = set_up(idp, provider.organisation, counts_as_factor=True, factor_words=("mfa",))
    for said, login in (({}, ""), ({"amr": ["pwd"]}, ""), ({"amr": "mfa"}, ""),
                        ({"amr": ["pwd", "mfa"]}, "pia_partner"),
                        ({"acr": "mfa"}, "pia_partner")):  # fmt: skip
        other = Client()
        idp.bent = said
        go(other, idp, trusting)
        assert who(other) == login, said


def test_a_demanded_factor_is_had_at_the_provider_where_that_counts(
    client: Client, idp: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_factor="everyone"))
    person = people.call("pia_partner")
    provider = set_up(idp, person.organisation, counts_as_factor=True, factor_words=("mfa",))
    Person.objects.update(must_change_password=True)  # Its first password is no matter to who comes without one.
    go(client, idp, provider)
    assert client.get("/")["Location"] == reverse("factors")
    client.post(reverse("sign-out"))
    idp.claims["amr"] = ["mfa"]
    go(client, idp, provider)
    assert client.get("/").status_code == 200


def test_only_by_the_provider(client: Client, idp: OpenIdProvider) -> None:
    person = people.call("pia_partner")
    provider = set_up(idp, person.organisation, is_only=True)
    answer = client.post(reverse("sign-in"), {"login": "pia_partner", "password": builders.PASSWORD})
    assert "by its own provider only" in answer.content.decode()
    wrong = client.post(reverse("sign-in"), {"login": "pia_partner", "password": "wrong"})
    assert "by its own provider only" not in wrong.content.decode()
    assert who(client) == ""
    basic = {"HTTP_AUTHORIZATION": "Basic cGlhX3BhcnRuZXI6Zm91ciBwbGFpbiB3b3JkcyBzdWZmaWNl"}
    assert client.get("/taxii2/", **basic).status_code == 403
    go(client, idp, provider)
    assert who(client) == "pia_partner"
    providers.switch(provider=provider, is_on=False, by="test", at=timezone.now())
    assert client.get("/").status_code == 302  # Its sessions ended with it.
    client.post(reverse("sign-in"), {"login": "pia_partner", "password": builders.PASSWORD})
    assert who(client) == "pia_partner"


def test_one_administrator_of_the_centre_keeps_a_password(client: Client, idp: OpenIdProvider) -> None:
    ada, dana = people.call("ada_administrator"), people.call("dana_analyst")
    for nobody in (None, dana):
        with pytest.raises(Exception, match="must keep a password"):
            set_up(idp, ada.organisation, is_only=True, break_glass=nobody)
    made = set_up(idp, ada.organisation, is_only=True, break_glass=ada)
    second_look.open_provider(made, by=dana, at=timezone.now())
    client.post(reverse("sign-in"), {"login": "dana_analyst", "password": builders.PASSWORD})
    assert who(client) == ""
    client.post(reverse("sign-in"), {"login": "ada_administrator", "password": builders.PASSWORD})
    assert who(client) == "ada_administrator"


def test_a_passkey_alone_is_no_way_past_the_provider(
    client: Client, idp: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.centre.members import test_passkeys as passkeys

    named = replace(settings.INSTALLATION, public_origin=passkeys.ORIGIN)
    monkeypatch.setattr(settings, "INSTALLATION", named)
    people.let_in(client, "pia_partner")
    device = passkeys.Device()
    made = {"name": "key", "passkey": device.made(passkeys._asked(client, "new"))}
    client.post(reverse("passkey-add"), made)
    client.post(reverse("sign-out"))
    door = reverse("sign-in-passkey")
    client.post(door, {"passkey": device.answered(passkeys._asked(client))})
    assert who(client) == "pia_partner"
    client.post(reverse("sign-out"))
    set_up(idp, people.call("pia_partner").organisation, is_only=True)
    client.post(door, {"passkey": device.answered(passkeys._asked(client))})
    assert who(client) == ""
    assert "only by provider" in Entry.objects.filter(action="sign-in.failed").latest("pk").detail


def test_the_command_line_opens_to_passwords_again(client: Client, idp: OpenIdProvider) -> None:
    from click.testing import CliRunner

    from tocsin.cli.people import provider_off

    set_up(idp, people.call("pia_partner").organisation, is_only=True)
    assert CliRunner().invoke(provider_off, ["no-such-slug"]).exit_code == 1
    assert "passwords do again" in CliRunner().invoke(provider_off, ["northwind"]).output
    client.post(reverse("sign-in"), {"login": "pia_partner", "password": builders.PASSWORD})
    assert who(client) == "pia_partner"


def test_step_up_asks_the_provider_anew(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    go(client, idp, provider)
    _grow_old(client)
    page = client.get(reverse("prove", query={"next": "/account/keys/"})).content.decode()
    assert reverse("provider-start", args=[provider.key]) in page
    answer = go(client, idp, provider, purpose="prove", next="/account/keys/")
    assert answer["Location"] == "/account/keys/"
    assert client.session["proved_at"] > time.time() - 60
    assert Entry.objects.filter(action="sign-in.proved", actor="pia_partner").count() == 1


@pytest.mark.parametrize(("bent", "reason"), [
    ({"auth_time": None}, "stale"), ({"auth_time": 1_700_000_000}, "stale"), ({"auth_time": True}, "stale"),
    ({"sub": "0002"}, "other-person"),
])  # fmt: skip
def test_step_up_takes_no_old_proof_and_nobody_elses(
    bent: dict[str, Any], reason: str, client: Client, idp: OpenIdProvider, provider: Provider
) -> None:
    go(client, idp, provider)
    _grow_old(client)
    idp.bent = bent
    assert go(client, idp, provider, purpose="prove").status_code == 403
    assert client.session["proved_at"] == 0.0
    assert reasons() == [reason]


def test_step_up_asks_for_the_factor_here_as_well(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    go(client, idp, provider)
    secret, _ = _with_app(people.call("pia_partner"))
    _grow_old(client)
    answer = go(client, idp, provider, purpose="prove", next="/account/keys/")
    assert answer["Location"] == reverse("prove", query={"next": "/account/keys/"})
    assert client.session["proved_at"] == 0.0
    page = client.get(answer["Location"]).content.decode()
    assert 'name="code"' in page
    assert 'name="password"' not in page
    client.post(answer["Location"], {"code": "000000"})
    assert client.session["proved_at"] == 0.0
    assert client.post(answer["Location"], {"code": _code(secret), "next": "/account/keys/"})["Location"] == (
        "/account/keys/"
    )
    assert client.session["proved_at"] > 0


def test_errors_of_the_provider_lock_nobody_out(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    idp.is_down = True
    for _ in range(60):
        answer = go(client, idp, provider)
    assert answer.status_code == 503
    assert set(reasons()) == {"unreachable"}
    assert len(reasons()) == 50
    client.post(reverse("sign-in"), {"login": "pia_partner", "password": builders.PASSWORD})
    assert who(client) == "pia_partner"


def test_the_secret_is_sealed_and_never_shown(client: Client, idp: OpenIdProvider, provider: Provider) -> None:
    assert SECRET not in str(Provider.objects.values().get())
    people.let_in(client, "ada_administrator")
    page = client.get(reverse("provider", args=["northwind"])).content.decode()
    assert "of the provider+" not in page
    assert not Entry.objects.filter(detail__contains="of the provider+").exists()


@pytest.mark.parametrize(("document", "code"), [
    ({"issuer": "https://other.example"}, "issuer"), ({"issuer": None}, "issuer"),
    ({"token_endpoint": None}, "provider"),
    ({"token_endpoint": "ftp://127.0.0.1/token"}, "not-allowed"), ({"jwks_uri": 7}, "provider"),
    ({"token_endpoint": "http://192.0.2.7@203.0.113.9/token"}, "not-allowed"),
    ({"response_types_supported": ["id_token"]}, "provider"),
    ({"code_challenge_methods_supported": ["plain"]}, "provider"),
    ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "provider"),
    ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "provider"),
])  # fmt: skip
def test_a_provider_that_will_not_do_is_told_when_it_is_set_up(
    document: dict[str, Any], code: str, idp: OpenIdProvider
) -> None:
    idp.document = document
    with pytest.raises(NotProved) as why:
        openid.read(idp.origin)
    assert why.value.code == code


def test_inner_addresses_are_asked_only_where_the_installation_says_so(
    idp: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, inner_providers=False))
    for issuer in (idp.origin, idp.origin.replace("http:", "https:"), "https://localhost", "https://10.0.0.7"):
        with pytest.raises(NotProved) as why:
            openid.read(issuer)
        assert why.value.code == "not-allowed"
    assert idp.asked == []


def _grow_old(client: Client) -> None:
    session = client.session
    session["proved_at"] = 0.0
    session.save()


def _with_app(person: Person) -> tuple[bytes, str]:
    secret = one_time.new_secret()
    before = timezone.now() - timedelta(hours=1)
    assert factors.add_app(person=person, secret=secret, said=_code(secret, before.timestamp()), at=before)
    return secret, person.login


def _code(secret: bytes, at: float | None = None) -> str:
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    return TOTP(secret, 6, SHA1(), 30).generate(int(at or time.time())).decode()
