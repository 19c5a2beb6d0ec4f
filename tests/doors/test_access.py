"""Every page as each person: who is let in, who is told that there is nothing, who must sign in first.

access_table.txt is the whole expectation. A page without a row, or a row without a page, is a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from tests import alerts_at_desk, builders, people, scene

from tocsin.centre.members.models import Person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

TABLE = Path(__file__).with_name("access_table.txt")

OPEN_TO_ALL = {
    "sign-in": 200,
    "sign-out": 405,
    "sign-in-second": 302,
    "sign-in-passkey": 405,
    "passkey-challenge": 405,
    "sign-in-organisation": 200,
    "provider-start": 404,
    "provider-back": 404,
    "provider-assertion": 405,
    "provider-metadata": 200,
    "set-language": 405,
    "apply": 200,
    "your-data": 200,
    "health": 200,
    "public-site": 404,  # Nothing is published here.
    "public-file": 404,
    "robots": 200,
    "alert-mail": 404,
    "alert-mail-in": 404,
    "alert-webhook": 200,
    "alert-webhook-in": 200,
    "alert-push": 200,
    "alert-push-in": 200,
    "alert-push-worker": 200,
    "alert-push-register": 405,
    "alert-push-leave": 405,
    "alert-confirm": 404,
    "alert-own": 404,
    "alert-own-data": 404,
    "alert-leave": 404,
    "alert-report": 200,
    "alert-report-on": 200,
    "api-documentation": 200,
}
OF_NOBODY = {"public-file": ("en/",), "provider-start": ("no-such-key",), "provider-back": ("no-such-key",),
             "provider-assertion": ("no-such-key",), "provider-metadata": ("no-such-key",),
             "alert-mail-in": ("fr",), "alert-webhook-in": ("es",), "alert-push-in": ("ar",),
             "alert-confirm": ("no.token",), "alert-own": ("no.token",), "alert-own-data": ("no.token",),
             "alert-leave": ("no.token",), "alert-report-on": ("METHOD-2026-0042", "ar")}  # fmt: skip
"""Arguments of the same."""
MACHINE_DOORS = ("api/v1/", "taxii2/")
"""Doors for programs answer by their own rules: test_api.py and test_taxii.py."""
STATUS = {"+": 200, ".": 404, "p": 405, "s": 302}

Arguments = Callable[[scene.Scene, Person], tuple[object, ...]]
ARGUMENTS: dict[str, Arguments] = {
    "country": lambda shown, person: ("FR",),
    "country-networks": lambda shown, person: ("FR",),
    "delivery": lambda shown, person: (shown.delivery.receipt,),
    "receipt": lambda shown, person: (shown.delivery.receipt,),
    "delivery-rejections": lambda shown, person: (shown.delivery.receipt,),
    "delivery-mend": lambda shown, person: (shown.delivery.receipt,),
    "delivery-original": lambda shown, person: (shown.delivery.receipt,),
    "delivery-grades": lambda shown, person: (shown.delivery.receipt,),
    "delivery-urgent": lambda shown, person: (shown.delivery.receipt,),
    "account-open": lambda shown, person: (person.pk,),
    "provider-open": lambda shown, person: ("northwind",),
    "delivery-answer": lambda shown, person: (shown.delivery.receipt,),
    "delivery-read-again": lambda shown, person: (shown.quarantined.receipt,),
    "map-columns-of": lambda shown, person: (shown.quarantined.receipt,),
    "map-columns-table": lambda shown, person: ("no-such-table",),
    "organisation": lambda shown, person: ("northwind",),
    "organisation-edit": lambda shown, person: ("northwind",),
    "organisation-limits": lambda shown, person: ("northwind",),
    "agreement": lambda shown, person: ("northwind",),
    "agreement-prepare": lambda shown, person: ("northwind",),
    "agreement-of": lambda shown, person: ("northwind", shown.agreement.pk),
    "agreement-move": lambda shown, person: ("northwind", shown.agreement.pk),
    "agreement-part": lambda shown, person: ("northwind", shown.agreement.pk, "terms"),
    "membership": lambda shown, person: (builders.bureau("FR").country,),
    "person": lambda shown, person: (scene.somebody_below(person).pk,),
    "person-act": lambda shown, person: (scene.somebody_below(person).pk, "confirm"),
    "unit-act": lambda shown, person: ("no-such-unit", "withdraw"),
    "emergency": lambda shown, person: (scene.emergency(person, shown.delivery).pk,),
    "emergency-approve": lambda shown, person: (scene.emergency(person, shown.delivery).pk,),
    "emergency-end": lambda shown, person: (scene.emergency(person, shown.delivery).pk,),
    "emergency-delivery": lambda shown, person: (scene.emergency(person, shown.delivery).pk, shown.delivery.receipt),
    "emergency-original": lambda shown, person: (scene.emergency(person, shown.delivery).pk, shown.delivery.receipt),
    "package": lambda shown, person: (shown.package.number,),
    "permission": lambda shown, person: (scene.permission(shown.delivery).pk,),
    "permission-ask": lambda shown, person: (shown.delivery.receipt,),
    "permission-ask-part": lambda shown, person: (shown.delivery.batches.get().pk,),
    "redaction": lambda shown, person: (scene.redaction(shown.delivery).pk,),
    "redaction-new": lambda shown, person: (shown.delivery.receipt,),
    "provider": lambda shown, person: ("northwind",),
    "provider-switch": lambda shown, person: ("northwind",),
    "provider-remove": lambda shown, person: ("northwind",),
    "provider-unlink": lambda shown, person: ("northwind", 1),
    "hold": lambda shown, person: (scene.held().pk,),
    "hold-note": lambda shown, person: (scene.held().pk,),
    "hold-decide": lambda shown, person: (scene.held().pk,),
    "object": lambda shown, person: (shown.thing.pk,),
    "object-raw": lambda shown, person: (shown.thing.pk,),
    "correct-country": lambda shown, person: (shown.conflict.pk,),
    "decide-country": lambda shown, person: (shown.conflict.pk,),
    "watch-stop": lambda shown, person: (scene.own_things(person)[1].pk,),
    "session-end": lambda shown, person: (1,),
    "passkey-remove": lambda shown, person: (1,),
    "key-revoke": lambda shown, person: (scene.own_things(person)[0].pk,),
    "package-download": lambda shown, person: (shown.package.number,),
    **dict.fromkeys(
        (
            "alert-page",
            "alert-act",
            "alert-write",
            "alert-resolve",
            "alert-review",
            "alert-preview",
            "alert-versions",
            "alert-cancel",
            "alert-add-language",
        ),
        lambda shown, person: (alerts_at_desk.alert().reference,),
    ),
    **dict.fromkeys(("alert-translate", "alert-check"), lambda shown, person: (alerts_at_desk.alert().reference, "fr")),
    **dict.fromkeys(
        ("alert-proposal", "alert-publish-refused", "alert-proposal-desk"),
        lambda shown, person: (alerts_at_desk.proposal(person).reference,),
    ),
    "circular": lambda shown, person: (scene.circular().number,),
    "circular-acknowledge": lambda shown, person: (scene.circular().number,),
    "circular-open": lambda shown, person: (scene.circular().number,),
    "circular-check": lambda shown, person: (scene.circular().number,),
    "circular-file": lambda shown, person: (scene.circular().number,),
    "referral": lambda shown, person: (scene.referral().number,),
    "referral-close": lambda shown, person: (scene.referral().number,),
    "alert-public-reach-of": lambda shown, person: (scene.told_alert().reference,),
    "recall": lambda shown, person: (shown.recall.number,),
    "recall-answer": lambda shown, person: (shown.recall.number,),
    "recall-undo": lambda shown, person: (shown.recall.number,),
    "recall-close": lambda shown, person: (shown.recall.number,),
    "recall-remake": lambda shown, person: (shown.recall.number,),
    "recall-recalled": lambda shown, person: (shown.recall.number,),
    "delivery-recall-parts": lambda shown, person: (shown.delivery.receipt,),
    "delivery-relabel": lambda shown, person: (shown.delivery.receipt,),
    "relabelling": lambda shown, person: (scene.relabelling(shown.delivery).pk,),
    "recall-certificate": lambda shown, person: (shown.recall.number,),
    "delivery-recall": lambda shown, person: (shown.delivery.receipt,),
    "received": lambda shown, person: (shown.delivery.receipt,),
    "received-answer": lambda shown, person: (shown.delivery.receipt,),
    "follow-up-line": lambda shown, person: ("release", shown.release.pk),
    "follow-up-chase": lambda shown, person: ("release", shown.release.pk),
    "delivery-reach": lambda shown, person: (shown.delivery.receipt,),
    "object-reach": lambda shown, person: (shown.thing.pk,),
    "release-of": lambda shown, person: (shown.delivery.receipt,),
    "rights-request": lambda shown, person: (scene.subject_request().number,),
    "rights-letter": lambda shown, person: (scene.subject_request().number,),
    "rights-act": lambda shown, person: (scene.subject_request().number, "search"),
    "term-of": lambda shown, person: (shown.delivery.receipt,),
    "term-answer": lambda shown, person: (1,),
    "purge-certificate": lambda shown, person: (shown.purge.number,),
    "purge-looked": lambda shown, person: (shown.purge.number,),
    "legal-hold-lift": lambda shown, person: (shown.legal_hold.pk,),
    "legal-hold-copy": lambda shown, person: (shown.legal_hold.pk,),
    "legal-hold-copy-open": lambda shown, person: (shown.legal_hold.pk,),
    "legal-hold-copy-take": lambda shown, person: (shown.legal_hold.pk,),
    "copy-certificate": lambda shown, person: (shown.legal_hold.pk,),
    "order": lambda shown, person: (scene.standing_order().pk,),
    "act": lambda shown, person: (scene.signed_act().pk,),
    "act-proof": lambda shown, person: (scene.signed_act().pk,),
}


def _parsed() -> dict[str, dict[str, str]]:
    lines = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return {words[0]: dict(zip(lines[0], words[1:], strict=True)) for words in lines[1:]}


ROWS = _parsed()
LOGINS = list(ROWS["home"])


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    for each in resolver.url_patterns:
        address = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _patterns(each, address)
        elif isinstance(each, URLPattern):
            yield address, each.name or ""


def test_every_page_has_its_row() -> None:
    pages = {name or f"(no name) {address}" for address, name in _patterns(get_resolver())
             if not f"{address}/".startswith(MACHINE_DOORS) or name == "api-documentation"}  # fmt: skip
    assert pages - set(OPEN_TO_ALL) == set(ROWS)


@pytest.fixture
def shown() -> scene.Scene:
    cache.clear()
    return scene.make()


@pytest.mark.parametrize("login", LOGINS)
def test_what_each_person_may_open(login: str, client: Client, shown: scene.Scene) -> None:
    person = people.let_in(client, login)
    got = {name: client.get(_address(name, shown, person)).status_code for name in ROWS}
    assert got == {name: STATUS[row[login]] for name, row in ROWS.items()}


@pytest.mark.any_database  # A form is refused where the page is, and that the test above asks on both.
@pytest.mark.parametrize("login", LOGINS)
def test_what_is_not_there_to_be_opened_takes_no_form_either(login: str, client: Client, shown: scene.Scene) -> None:
    person = people.let_in(client, login)
    hidden = [name for name, row in ROWS.items() if row[login] == "."]
    got = {name: client.post(_address(name, shown, person)).status_code for name in hidden}
    assert {name: status for name, status in got.items() if status not in {404, 405}} == {}


def test_strangers_are_asked_to_sign_in(client: Client, shown: scene.Scene) -> None:
    person = people.call("pia_partner")
    for name in ROWS:
        address = _address(name, shown, person)
        for response in (client.get(address), client.post(address)):
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("sign-in")), name


@pytest.mark.parametrize(("name", "status"), OPEN_TO_ALL.items())
def test_what_is_open_to_all(name: str, status: int, client: Client) -> None:
    assert client.get(reverse(name, args=OF_NOBODY.get(name))).status_code == status


def test_a_first_password_opens_nothing_but_its_change(client: Client, shown: scene.Scene) -> None:
    person = people.let_in(client, "dana_analyst")
    Person.objects.update(must_change_password=True)
    opened = {name for name in ROWS if client.get(_address(name, shown, person)).status_code == 200}
    assert opened == {"change-password", "prove"}


def test_who_must_set_up_a_second_factor_opens_nothing_but_that(
    client: Client, shown: scene.Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_factor="everyone"))
    person = people.let_in(client, "dana_analyst")
    opened = {name for name in ROWS if client.get(_address(name, shown, person)).status_code == 200}
    assert opened == {"change-password", "prove", "factors", "factor-app"}
    assert client.get("/")["Location"] == reverse("factors")
    assert client.get("/api/v1/observations").status_code == 401


@pytest.mark.parametrize("who", ["organisation", "person"])
def test_the_suspended_lose_every_page_at_once(who: str, client: Client, shown: scene.Scene) -> None:
    person = people.call("dana_analyst")
    client.force_login(person)
    if who == "person":
        Person.objects.update(is_active=False)
    else:
        builders.Organisation.objects.update(is_active=False)
    got = {name: client.get(_address(name, shown, person)).status_code for name in ROWS}
    assert set(got.values()) == {302}


def test_what_another_keeps_for_himself_does_not_exist(client: Client, shown: scene.Scene) -> None:
    key, query = scene.own_things(people.call("pia_partner"))
    client.force_login(people.call("mona_manager"))
    assert client.post(reverse("key-revoke", args=[key.pk])).status_code == 404
    assert client.post(reverse("watch-stop", args=[query.pk])).status_code == 404
    assert key.name not in client.get(reverse("keys")).content.decode().split("<main")[1].split("</main")[0]
    key.refresh_from_db()
    assert key.revoked_at is None


def test_absent_and_invisible_look_the_same(client: Client, shown: scene.Scene) -> None:
    client.force_login(people.call("omar_partner"))
    hidden = [f"/deliveries/{shown.delivery.receipt}/", "/settings/", "/review/", "/packages/FR-2026-0001.zip"]
    absent = client.get("/no-such-page/")
    for path in hidden:
        found = client.get(path)
        assert found.status_code == absent.status_code == 404
        assert _without_tokens(found.content, path) == _without_tokens(absent.content, "/no-such-page/")


def _address(name: str, shown: scene.Scene, person: Person) -> str:
    arguments = ARGUMENTS.get(name)
    return reverse(name, args=arguments(shown, person) if arguments else ())


def _without_tokens(content: bytes, path: str) -> bytes:
    content = re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", content)
    return re.sub(rb'"X-CSRFToken": "\w+"', b"", content).replace(path.encode(), b"")
