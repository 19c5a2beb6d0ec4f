"""The page by which an administrator sets up an organisation's own sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, openid_provider, people
from tests.openid_provider import CLIENT, SECRET, OpenIdProvider

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import providers
from tocsin.centre.members.models import Identity, Provider

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
PAGE = "/organisations/northwind/provider/"


@pytest.fixture
def idp(store: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenIdProvider]:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, inner_providers=True))
    with openid_provider.running() as found:
        yield found


@pytest.fixture
def administrator(client: Client) -> Client:
    people.call("pia_partner")
    people.let_in(client, "ada_administrator")
    return client


def said(idp: OpenIdProvider, **changed: Any) -> dict[str, Any]:
    facts = {"kind": "openid", "issuer": idp.origin, "client": CLIENT, "secret": SECRET, "claim": "preferred_username"}
    return {name: value for name, value in {**facts, **changed}.items() if value is not None}


def test_set_up_switched_on_and_removed(administrator: Client, idp: OpenIdProvider) -> None:
    key = providers.key_of(builders.organisation("northwind"))
    assert f"/sign-in/provider/{key}/back/" in administrator.get(PAGE).content.decode()  # Known before it is saved.
    assert administrator.post(PAGE, said(idp))["Location"] == PAGE
    provider = Provider.objects.get()
    assert (provider.key, provider.is_on, provider.issuer) == (key, False, idp.origin)
    assert Client().get(reverse("provider-start", args=[key])).status_code == 404  # Not on yet.
    administrator.post(PAGE + "switch/", {"on": "yes"})
    assert Client().get(reverse("provider-start", args=[key])).status_code == 302
    administrator.post(PAGE + "switch/", {"on": "no"})
    assert Client().get(reverse("provider-start", args=[key])).status_code == 404
    administrator.post(PAGE + "remove/")
    assert not Provider.objects.exists()
    acts = Entry.objects.filter(action__startswith="provider.").order_by("pk")
    assert [each.action for each in acts] == ["provider.added", "provider.on", "provider.off", "provider.removed"]
    assert {each.actor for each in acts} == {"ada_administrator"}


def test_the_secret_stays_where_none_is_typed_but_not_for_another_provider(
    administrator: Client, idp: OpenIdProvider
) -> None:
    administrator.post(PAGE, said(idp))
    assert administrator.post(PAGE, said(idp, secret="", claim="email")).status_code == 302
    provider = Provider.objects.get()
    assert (provider.claim, providers.secret_of(provider)) == ("email", SECRET)
    with openid_provider.running() as another:
        assert administrator.post(PAGE, said(another, secret="")).status_code == 422
        assert another.asked == []


def test_another_issuer_ends_all_links_and_is_off_at_first(administrator: Client, idp: OpenIdProvider) -> None:
    administrator.post(PAGE, said(idp))
    administrator.post(PAGE + "switch/", {"on": "yes"})
    at = timezone.now()
    Identity.objects.create(
        provider=Provider.objects.get(), person=people.call("pia_partner"), subject="0001", linked_at=at, used_at=at
    )
    administrator.post(PAGE, said(idp, claim="email"))
    assert Identity.objects.count() == 1
    with openid_provider.running() as another:
        administrator.post(PAGE, said(another))
    assert (Identity.objects.count(), Provider.objects.get().is_on) == (0, False)


def test_a_link_is_undone(administrator: Client, idp: OpenIdProvider) -> None:
    administrator.post(PAGE, said(idp))
    at = timezone.now()
    made = Identity.objects.create(
        provider=Provider.objects.get(), person=people.call("pia_partner"), subject="0001", linked_at=at, used_at=at
    )
    assert "0001" in administrator.get(PAGE).content.decode()
    other = f"/organisations/{builders.organisation('southgate').slug}/provider/unlink/{made.pk}/"
    assert administrator.post(other).status_code == 404
    assert administrator.post(f"{PAGE}unlink/{made.pk}/").status_code == 302
    assert not Identity.objects.exists()
    assert Entry.objects.filter(action="person.unlinked").count() == 1


@pytest.mark.parametrize(("changed", "text"), [
    ({"issuer": "https://idp.example/wrong"}, "does not answer"),
    ({"issuer": "http://login.example"}, "inner_providers"),
    ({"issuer": "javascript:alert(1)"}, "inner_providers"), ({"secret": ""}, "Enter the secret"),
    ({"counts_as_factor": "on"}, "by which word"), ({"factor_words": "mfä"}, "at most 20 words"),
    ({"client": ""}, "required"),
])  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_kept(
    changed: dict[str, str], text: str, administrator: Client, idp: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = administrator.post(PAGE, said(idp, **changed))
    assert answer.status_code == 422
    assert text in answer.content.decode()
    assert SECRET not in answer.content.decode()
    assert not Provider.objects.exists()


def test_the_centre_keeps_one_password(administrator: Client, idp: OpenIdProvider) -> None:
    page = "/organisations/centre/provider/"
    assert administrator.post(page, said(idp, is_only="on")).status_code == 422
    dana = people.call("dana_analyst")
    assert administrator.post(page, said(idp, is_only="on", break_glass=str(dana.pk))).status_code == 422
    ada = people.call("ada_administrator")
    assert administrator.post(page, said(idp, is_only="on", break_glass=str(ada.pk))).status_code == 302
    assert Provider.objects.get().break_glass == ada
    ada.is_active = False
    ada.save()
    people.let_in(administrator, "ada_administrator")


def test_nothing_is_changed_without_a_fresh_proof(client: Client, idp: OpenIdProvider) -> None:
    people.call("pia_partner")
    client.force_login(people.call("ada_administrator"))
    assert client.get(PAGE).status_code == 200
    assert client.post(PAGE, said(idp))["Location"].startswith(reverse("prove"))
    assert not Provider.objects.exists()
