"""Sign-in with a SAML provider that runs beside the tests: by the rules, and with responses that were bent."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import xmlsec
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from lxml import etree
from tests import people, saml_provider
from tests.saml_provider import MFA, PROTOCOL, SAML, SamlProvider

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import providers, saml
from tocsin.centre.members.models import Identity, OpenSession, Organisation, Person, Provider, SeenAssertion
from tocsin.credentials.proofs import NotProved

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation whose providers may lie on this machine."""
    mine = replace(settings.INSTALLATION, home=tmp_path, inner_providers=True)
    monkeypatch.setattr(settings, "INSTALLATION", mine)


@pytest.fixture
def idp() -> Iterator[SamlProvider]:
    with saml_provider.running() as found:
        yield found


@pytest.fixture
def provider(idp: SamlProvider) -> Provider:
    """The provider of northwind, on."""
    return set_up(idp, people.call("pia_partner").organisation)


def set_up(idp: SamlProvider, organisation: Organisation, **said: Any) -> Provider:
    issuer, published = saml.read(idp.metadata())
    setup = providers.Setup(kind="saml", issuer=issuer, published=published, **{"claim": "uid", **said})
    made = providers.set_up(organisation=organisation, said=setup, by="test", at=timezone.now())
    providers.switch(provider=made, is_on=True, by="test", at=timezone.now())
    return Provider.objects.get(pk=made.pk)


def path_of(address: str) -> str:
    return address.removeprefix(settings.INSTALLATION.public_origin)


def go(client: Client, idp: SamlProvider, provider: Provider, **query: str) -> Any:
    """There and back as a browser does, whose cookie is not with the form of another host."""
    away = client.get(reverse("provider-start", args=[provider.key]), query)
    assert away["Location"].startswith(f"{idp.origin}/sso?")
    action, said = idp.visit(away["Location"])
    taken = Client(enforce_csrf_checks=True).post(path_of(action), {"SAMLResponse": said})
    assert taken.status_code == 303
    return client.get(taken["Location"])


def who(client: Client) -> str:
    key = client.session.get("_auth_user_id")
    return Person.objects.get(pk=key).login if key else ""


def reasons() -> list[str]:
    found = Entry.objects.filter(action="sign-in.provider-failed").order_by("pk")
    return [json.loads(each.detail)["reason"] for each in found]


def test_signs_in_and_is_known_by_name_id_from_then_on(client: Client, idp: SamlProvider, provider: Provider) -> None:
    answer = go(client, idp, provider, next="/account/preferences/")
    assert answer["Location"] == "/account/preferences/"
    assert (who(client), Identity.objects.get().subject) == ("pia_partner", idp.subject)
    assert OpenSession.objects.get().proved_by == "provider"
    request = idp.requests[0]
    assert request.get("ForceAuthn") is None
    assert request.findtext(f"{SAML}Issuer") == saml.audience_of(provider.key)
    assert SeenAssertion.objects.get().body == {}  # What it said of the person is not kept.
    client.post(reverse("sign-out"))
    people.call("mona_manager")
    idp.attributes = {"uid": ["mona_manager"]}
    go(client, idp, provider)
    assert who(client) == "pia_partner"


def test_an_attribute_that_is_called_email_is_the_providers_own_word(client: Client, idp: SamlProvider) -> None:
    """Only OpenID Connect says apart whether an address was verified."""
    mona = people.call("mona_manager")
    Person.objects.filter(pk=mona.pk).update(login="mona@northwind.example")
    found = set_up(idp, mona.organisation, claim="email")
    idp.attributes = {"email": ["mona@northwind.example"]}
    go(client, idp, found)
    assert who(client) == "mona@northwind.example"


def test_what_a_provider_reads_about_us(client: Client, provider: Provider) -> None:
    found = etree.fromstring(client.get(reverse("provider-metadata", args=[provider.key])).content)
    assert found.get("entityID") == saml.audience_of(provider.key)
    (service,) = found.iter("{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    assert service.get("Location") == saml.recipient_of(provider.key)


def set_at(path: str, name: str, value: str | None) -> Callable[[etree._Element], None]:
    """Changes an attribute before the assertion is signed; None takes it away."""

    def bend(root: etree._Element) -> None:
        found = root if path == "." else root.find(path)
        assert found is not None
        found.attrib.pop(name, None)
        if value is not None:
            found.set(name, value)

    return bend


def text_at(path: str, value: str) -> Callable[[etree._Element], None]:
    def bend(root: etree._Element) -> None:
        found = root.find(path)
        assert found is not None
        found.text = value

    return bend


def drop(path: str) -> Callable[[etree._Element], None]:
    def bend(root: etree._Element) -> None:
        found = root.find(path)
        assert found is not None
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return bend


def add(path: str, tag: str, text: str = "", **said: str) -> Callable[[etree._Element], None]:
    def bend(root: etree._Element) -> None:
        parent = root.find(path)
        assert parent is not None
        etree.SubElement(parent, tag, said).text = text

    return bend


ASSERTION = f"{SAML}Assertion"
CONFIRMED = f"{ASSERTION}/{SAML}Subject/{SAML}SubjectConfirmation"
DATA = f"{CONFIRMED}/{SAML}SubjectConfirmationData"
CONDITIONS = f"{ASSERTION}/{SAML}Conditions"
AUDIENCE = f"{CONDITIONS}/{SAML}AudienceRestriction/{SAML}Audience"
NAME = f"{ASSERTION}/{SAML}Subject/{SAML}NameID"
STATEMENT = f"{ASSERTION}/{SAML}AuthnStatement"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"

BENT: dict[str, tuple[Callable[[etree._Element], None], str]] = {
    "other audience": (text_at(AUDIENCE, "https://other.example"), "answer"),
    "no audience": (drop(f"{CONDITIONS}/{SAML}AudienceRestriction"), "answer"),
    "empty audience": (drop(AUDIENCE), "answer"),
    "one more restriction": (add(CONDITIONS, f"{SAML}AudienceRestriction"), "answer"),
    "no conditions": (drop(CONDITIONS), "answer"),
    "unknown condition": (add(CONDITIONS, f"{SAML}Condition"), "answer"),
    "expired": (set_at(CONDITIONS, "NotOnOrAfter", PAST), "answer"),
    "without an end": (set_at(CONDITIONS, "NotOnOrAfter", None), "answer"),
    "not yet": (set_at(CONDITIONS, "NotBefore", FUTURE), "answer"),
    "no time zone": (set_at(CONDITIONS, "NotOnOrAfter", "2090-01-01T00:00:00"), "answer"),
    "made long ago": (set_at(ASSERTION, "IssueInstant", PAST), "answer"),
    "made in the future": (set_at(ASSERTION, "IssueInstant", FUTURE), "answer"),
    "other recipient": (set_at(DATA, "Recipient", "https://other.example/acs"), "answer"),
    "no recipient": (set_at(DATA, "Recipient", None), "answer"),
    "confirmation expired": (set_at(DATA, "NotOnOrAfter", PAST), "answer"),
    "unsolicited": (set_at(DATA, "InResponseTo", None), "answer"),
    "answers nothing of ours": (set_at(DATA, "InResponseTo", "_guessed"), "state"),
    "not bearer": (set_at(CONFIRMED, "Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"), "answer"),
    "no confirmation": (drop(CONFIRMED), "answer"),
    "other issuer inside": (text_at(f"{ASSERTION}/{SAML}Issuer", "https://other.example"), "issuer"),
    "other issuer outside": (text_at(f"{SAML}Issuer", "https://other.example"), "issuer"),
    "other destination": (set_at(".", "Destination", "https://other.example/acs"), "answer"),
    "no subject": (drop(NAME), "answer"),
    "empty subject": (text_at(NAME, " "), "answer"),
    "long subject": (text_at(NAME, "x" * 256), "answer"),
    "two subjects": (add(f"{ASSERTION}/{SAML}Subject", f"{SAML}NameID", "another"), "answer"),
    "transient": (set_at(NAME, "Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"), "provider"),
    "a comment in the name": (lambda root: root.find(NAME).append(etree.Comment("x")), "answer"),  # type: ignore[union-attr]
    "an instruction": (lambda root: root.append(etree.ProcessingInstruction("x", "y")), "answer"),
    "no statement": (drop(STATEMENT), "answer"),
    "its session is over": (set_at(STATEMENT, "SessionNotOnOrAfter", PAST), "answer"),
    "encrypted": (add(".", f"{SAML}EncryptedAssertion"), "provider"),
    "two assertions": (add(".", ASSERTION), "answer"),
    "refused there": (
        set_at(f"{PROTOCOL}Status/{PROTOCOL}StatusCode", "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder"),
        "denied",
    ),
    "other version": (set_at(ASSERTION, "Version", "1.1"), "answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_a_signed_response_that_is_not_for_this_sign_in(
    name: str, client: Client, idp: SamlProvider, provider: Provider
) -> None:
    bend, reason = BENT[name]
    idp.bends = [bend]
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", [reason])


def _wrapped(text: str, place: str) -> str:
    """Signature wrapping: the signed assertion is moved aside, a forged one stands where it is looked for."""
    root = etree.fromstring(text.encode())
    signed = root.find(ASSERTION)
    assert signed is not None
    root.remove(signed)
    forged = etree.fromstring(etree.tostring(signed))
    signature = forged.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    assert signature is not None
    found = forged.find(f".//{SAML}AttributeValue")
    assert found is not None
    found.text = "mona_manager"
    forged.find(f".//{SAML}NameID").text = "4f1c-0002"  # type: ignore[union-attr]
    if place == "beside":
        forged.set("ID", "_forged")
        forged.remove(signature)
        root.append(forged)
        root.append(signed)
    elif place == "same number":
        root.append(forged)
        root.append(signed)
    elif place == "inside the signature":
        forged.set("ID", "_forged")
        etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(signed)
        root.append(forged)
    elif place == "in an extension":
        forged.set("ID", "_forged")
        etree.SubElement(root, f"{PROTOCOL}Extensions").append(signed)
        root.append(forged)
    else:  # Inside the forged one.
        forged.set("ID", "_forged")
        forged.remove(signature)
        forged.append(signed)
        root.append(forged)
    return etree.tostring(root).decode()


def _late_comment(text: str) -> str:
    """Canonical XML passes over comments: put in after signing, one would leave the signature good."""
    return text.replace(">4f1c-0001<", ">4f1c-<!-- -->0001<")


TAMPERED: dict[str, Callable[[str], str]] = {
    "another login": lambda text: text.replace("pia_partner", "mona_manager"),
    "comment": _late_comment,
    "signature emptied": lambda text: re.sub(r"(<ds:SignatureValue>).*?(</)", r"\1\2", text, flags=re.S),
    "signature gone": lambda text: re.sub(r"<ds:Signature .*?</ds:Signature>", "", text, flags=re.S),
    "digest of a weak kind": lambda text: text.replace("xmlenc#sha256", "xmldsig#sha1"),
    "document type": lambda text: '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + text,
    "entity": lambda text: '<!DOCTYPE r [<!ENTITY x "pia_partner">]>' + text.replace("pia_partner", "&x;"),
    "no XML": lambda text: text[:-20],
    "another root": lambda text: text.replace("samlp:Response", "samlp:LogoutResponse"),
    "too large": lambda text: text + " " * (600 << 10),
    **{f"wrapped {place}": partial(_wrapped, place=place)
       for place in ("beside", "same number", "inside the signature", "in an extension", "inside")},
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_a_response_that_was_changed_after_it_was_signed(
    name: str, client: Client, idp: SamlProvider, provider: Provider
) -> None:
    people.call("mona_manager")
    idp.tampers = [TAMPERED[name]]
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", ["answer"])
    assert not SeenAssertion.objects.exists()


@pytest.mark.parametrize("how", ["nobody", "another key", "a weak digest", "a weak signature"])
def test_a_response_that_the_provider_did_not_sign(
    how: str, client: Client, idp: SamlProvider, provider: Provider
) -> None:
    if how == "nobody":
        idp.is_signing = False
    elif how == "another key":
        idp.key = generate_private_key(65537, 2048)
    elif how == "a weak digest":
        idp.digest = xmlsec.constants.TransformSha1
    else:
        idp.method = xmlsec.constants.TransformRsaSha1
    answer = go(client, idp, provider)
    assert (answer.status_code, who(client), reasons()) == (403, "", ["answer"])


def test_a_new_key_counts_as_soon_as_the_metadata_names_it(client: Client, idp: SamlProvider) -> None:
    fresh = generate_private_key(65537, 2048)
    idp.certificates.append(saml_provider.certificate_of(fresh))
    provider = set_up(idp, people.call("pia_partner").organisation)
    idp.key = fresh
    go(client, idp, provider)
    assert who(client) == "pia_partner"


def test_an_assertion_counts_once_and_in_its_own_browser_alone(
    client: Client, idp: SamlProvider, provider: Provider
) -> None:
    away = client.get(reverse("provider-start", args=[provider.key]))
    action, said = idp.visit(away["Location"])
    taken = Client().post(path_of(action), {"SAMLResponse": said})
    assert Client().get(taken["Location"]).status_code == 403  # A stolen ticket, in another browser.
    assert client.get(taken["Location"]).status_code == 403  # It is spent with that.
    again = Client().post(path_of(action), {"SAMLResponse": said})
    assert "failed=used" in again["Location"]
    assert "used already" in client.get(again["Location"]).content.decode()
    assert (who(client), reasons()) == ("", ["state", "used", "used"])


def test_an_assertion_for_one_provider_counts_at_no_other(
    client: Client, idp: SamlProvider, provider: Provider
) -> None:
    """Both organisations use the same identity provider: it says for whom each assertion is."""
    omar = people.call("omar_partner")
    other = set_up(idp, omar.organisation)
    away = client.get(reverse("provider-start", args=[provider.key]))
    action, said = idp.visit(away["Location"])
    wrong = Client().post(path_of(action).replace(provider.key, other.key), {"SAMLResponse": said})
    assert "failed=answer" in wrong["Location"]
    taken = Client().post(path_of(action), {"SAMLResponse": said})
    assert client.get(taken["Location"].replace(provider.key, other.key)).status_code == 403
    assert who(client) == ""


def test_a_provider_speaks_for_its_own_organisation_alone(
    client: Client, idp: SamlProvider, provider: Provider
) -> None:
    people.call("omar_partner")
    idp.subject, idp.attributes = "4f1c-0002", {"uid": ["omar_partner"], "role": ["administrator"]}
    assert go(client, idp, provider).status_code == 403
    assert (who(client), reasons()) == ("", ["unknown-person"])


@pytest.mark.parametrize("attributes", [{}, {"uid": ["pia_partner", "mona_manager"]}, {"mail": ["pia_partner"]}])
def test_no_account_without_one_clear_login(
    attributes: dict[str, list[str]], client: Client, idp: SamlProvider, provider: Provider
) -> None:
    idp.attributes = attributes
    assert go(client, idp, provider).status_code == 403
    assert reasons() == ["no-claim"]


def test_the_name_id_itself_may_be_the_login(client: Client, idp: SamlProvider) -> None:
    provider = set_up(idp, people.call("pia_partner").organisation, claim="NameID")
    idp.subject, idp.attributes = "pia_partner", {}
    go(client, idp, provider)
    assert who(client) == "pia_partner"


def test_the_second_factor_there_counts_where_it_is_said(client: Client, idp: SamlProvider) -> None:
    from tests.centre.members.test_openid import _with_app

    person = people.call("pia_partner")
    _with_app(person)
    provider = set_up(idp, person.organisation, counts_as_factor=True, factor_words=(MFA,))
    answer = go(client, idp, provider)
    assert answer["Location"].startswith(reverse("sign-in-second"))
    idp.way = MFA
    go(client, idp, provider)
    assert who(client) == "pia_partner"
    assert OpenSession.objects.get().proved_by == "provider,provider's factor"


def test_step_up_asks_the_provider_anew(client: Client, idp: SamlProvider, provider: Provider) -> None:
    go(client, idp, provider)
    session = client.session
    session["proved_at"] = 0.0
    session.save()
    idp.proved_at = datetime.now(UTC) - timedelta(minutes=5)
    assert go(client, idp, provider, purpose="prove").status_code == 403
    assert client.session["proved_at"] == 0.0
    assert reasons() == ["stale"]
    idp.proved_at = None
    answer = go(client, idp, provider, purpose="prove", next="/account/keys/")
    assert answer["Location"] == "/account/keys/"
    assert client.session["proved_at"] > time.time() - 60
    assert [request.get("ForceAuthn") for request in idp.requests] == [None, "true", "true"]


@pytest.mark.parametrize(("metadata", "code"), [
    ("", "provider"), ("<x/>", "provider"), ("no XML", "provider"),
    ('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>', "provider"),
])  # fmt: skip
def test_metadata_that_will_not_do(metadata: str, code: str) -> None:
    with pytest.raises(NotProved) as why:
        saml.read(metadata)
    assert why.value.code == code


@pytest.mark.parametrize(("old", "new", "code"), [
    ("HTTP-Redirect", "HTTP-POST", "provider"), ("signing", "encryption", "provider"), ("MII", "!!!", "provider"),
    ("IDPSSODescriptor", "SPSSODescriptor", "provider"), ('Location="http:', 'Location="javascript:', "not-allowed"),
])  # fmt: skip
def test_metadata_that_lacks_something(old: str, new: str, code: str, idp: SamlProvider) -> None:
    with pytest.raises(NotProved) as why:
        saml.read(idp.metadata().replace(old, new))
    assert why.value.code == code


def test_a_certificate_past_its_time_signs_nothing(client: Client, idp: SamlProvider) -> None:
    idp.certificates = [saml_provider.certificate_of(idp.key, days=-1)]
    provider = set_up(idp, people.call("pia_partner").organisation)
    assert go(client, idp, provider).status_code == 403
    assert reasons() == ["answer"]


def test_set_up_on_the_page_with_the_metadata(client: Client, idp: SamlProvider) -> None:
    people.call("pia_partner")
    people.let_in(client, "ada_administrator")
    page = "/organisations/northwind/provider/"
    shown = client.get(page, {"kind": "saml"}).content.decode()
    key = providers.key_of(Organisation.objects.get(slug="northwind"))
    assert saml.audience_of(key) in shown
    said = {"kind": "saml", "metadata": "nonsense", "claim": "uid"}
    assert client.post(page, said).status_code == 422
    assert client.post(page, {**said, "metadata": idp.metadata()}).status_code == 302
    assert client.post(page, {**said, "metadata": "", "claim": "NameID"}).status_code == 302
    found = Provider.objects.get()
    assert (found.kind, found.issuer, found.claim, found.sealed) == ("saml", idp.issuer, "NameID", "")


def test_junk_at_the_door_is_refused(provider: Provider) -> None:
    door = reverse("provider-assertion", args=[provider.key])
    for said in ("", "%%%", base64.b64encode(b"<x/>").decode(), "A" * 100_000):
        assert "failed=answer" in Client().post(door, {"SAMLResponse": said})["Location"]
    assert set(reasons()) == {"answer"}
