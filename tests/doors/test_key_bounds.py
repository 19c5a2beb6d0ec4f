"""The bounds of keys at the doors: what may be read, from where, how long, and what ends them while they are used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene

from tocsin.api import answers as api_answers
from tocsin.centre.analysis import lookups
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.members import doors
from tocsin.centre.members.models import Agreement, Key, Organisation, Person
from tocsin.centre.release.models import Package

from .conftest import GiveKey, work
from .test_absent import ASKED, NOW, _plain, handed_over

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
READER = ("read", "packages")
DELIVERIES = "/api/v1/deliveries"
TAXII = {"Accept": "application/taxii+json;version=2.1"}


def signed(secret: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", **more}


def told(secret: str, receipts: list[str]) -> dict[str, tuple[int, bytes, str]]:
    """All that a program hears with this key."""
    cache.clear()
    program = Client(headers=signed(secret))
    paths = [f"/api/v1/lookup?q={each.replace('/', '%2F')}" for each in ASKED]
    paths += ["/api/v1/observations", "/api/v1/observations?country=FR&limit=1", "/api/v1/feeds"]
    paths += [f"/api/v1/countries/{code}/packages" for code in ("FR", "US")]
    paths += ["/api/v1/countries/FR/packages/FR-2026-0001"]
    paths += [f"{DELIVERIES}/{receipt}{tail}" for receipt in receipts for tail in ("", "/rejections")]
    found = {path: _plain(program.get(path)) for path in paths}
    many = program.post("/api/v1/lookups", {"values": list(ASKED)}, content_type="application/json")
    return found | {"lookups": _plain(many)}


@pytest.mark.parametrize("login", ["pia_partner", "fleur_officer", "dana_analyst"])
@pytest.mark.parametrize("marking", ["TLP:AMBER", "TLP:AMBER+STRICT"])
def test_above_the_ceiling_nothing_exists(
    login: str, marking: str, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one's own: pia belongs to northwind, which hands over what lies above."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    builders.centre()
    builders.bureau("FR")
    scopes = READER if login != "pia_partner" else ("read",)
    low, free = (give_key(login, scopes, ceiling=top) for top in ("TLP:GREEN", ""))
    handed_over("southgate", "TLP:GREEN", 0)
    northwind = builders.organisation("northwind")
    waiting = builders.delivery(northwind, state="received", stated_marking=marking, at=NOW - timedelta(hours=3))
    receipts = ["nothing", waiting.receipt]
    Delivery.objects.filter(pk=waiting.pk).delete()
    before = told(low, receipts)
    hidden = handed_over("northwind", marking, 1)
    waiting.pk = None
    waiting.save()
    scene._package("FR", 1)
    Package.objects.update(summary={"tlp": marking})
    assert sum(each.rows for each in hidden) >= 4
    after = told(low, receipts)
    assert {path for path, said in after.items() if said != before[path]} == set()
    program, absent = Client(headers=signed(low)), before[f"{DELIVERIES}/nothing"]
    for each in hidden:
        assert _plain(program.get(f"{DELIVERIES}/{each.receipt}")) == absent
    if login != "fleur_officer" or marking == "TLP:AMBER":
        assert told(free, receipts) != before, "it is there"


def test_what_a_program_handed_over_itself_it_may_follow_but_not_read(client: Client, give_key: GiveKey) -> None:
    secret = give_key(scopes=("deliver", "taxii"), ceiling="TLP:CLEAR")
    body = b"ip,seen\n192.0.2.7,2026-11-20\n192.0.2.999,2026-11-20\n"
    path = f"{DELIVERIES}?name=a.csv&marking=TLP:AMBER"
    made = client.post(path, body, content_type="text/csv", headers=signed(secret)).json()
    work()
    Batch.objects.update(received_at=builders.NOW)
    assert client.get(made["status_url"], headers=signed(secret)).json()["rejections"] == 1
    [line] = client.get(f"{made['status_url']}/rejections", headers=signed(secret)).getvalue().splitlines()
    assert "excerpt" not in json.loads(line)
    for other in (give_key(scopes=("read",), ceiling="TLP:CLEAR"), give_key("mona_manager", ceiling="TLP:CLEAR")):
        assert client.get(made["status_url"], headers=signed(other)).status_code == 404
        assert client.get(f"{made['status_url']}/rejections", headers=signed(other)).status_code == 404


def test_packages_and_taxii_have_scopes_of_their_own(client: Client, give_key: GiveKey) -> None:
    scene.make()
    reader, fetcher = give_key("fleur_officer", ("read",)), give_key("fleur_officer", ("packages",))
    for tail in ("", "/FR-2026-0001"):
        path = f"/api/v1/countries/FR/packages{tail}"
        assert client.get(path, headers=signed(reader)).status_code == 403
        assert client.get(path, headers=signed(fetcher)).status_code == 200
    assert client.get("/api/v1/observations", headers=signed(fetcher)).status_code == 403
    sender = give_key(scopes=("deliver",))
    assert client.get("/taxii2/", headers=signed(sender, **TAXII)).status_code == 403
    assert client.get("/taxii2/", headers=signed(give_key(scopes=("taxii",)), **TAXII)).status_code == 200
    assert client.post(DELIVERIES, b"a", "text/csv", headers=signed(give_key(scopes=("taxii",)))).status_code == 403


@pytest.mark.parametrize("path", ["/api/v1/observations", "/taxii2/"])
def test_from_elsewhere_a_key_is_a_wrong_key(path: str, give_key: GiveKey) -> None:
    secret = give_key(ranges=["192.0.2.0/24", "2001:db8::/32"])
    inside = [Client(REMOTE_ADDR=each) for each in ("192.0.2.9", "2001:db8::9", "::ffff:192.0.2.9")]
    assert [each.get(path, headers=signed(secret, **TAXII)).status_code for each in inside] == [200] * 3
    outside = Client(REMOTE_ADDR="198.51.100.9")
    refused = outside.get(path, headers=signed(secret, **TAXII))
    wrong = outside.get(path, headers=signed("toc_" + "x" * 43, **TAXII))
    assert refused.status_code == wrong.status_code == 401
    assert _plain(refused) == _plain(wrong)
    assert refused["WWW-Authenticate"] == wrong["WWW-Authenticate"]
    outside.get(path, headers=signed(secret, **TAXII))
    entry = Entry.objects.get(action="key.refused")  # One each minute, however many tries.
    assert json.loads(entry.detail) == {"address": "198.51.100.9", "for": "address"}
    owner = Client()
    people.let_in(owner, "pia_partner")
    page = owner.get(reverse("keys")).content.decode()
    assert "198.51.100.9" in page
    assert "It was used from an address that it is not for." in page


def test_the_addresses_are_those_that_the_proxy_tells(give_key: GiveKey, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = give_key(ranges=["203.0.113.0/24"])
    https = replace(settings.INSTALLATION, public_origin="https://tocsin.example")
    monkeypatch.setattr(settings, "INSTALLATION", https)
    said = signed(secret, **{"X-Forwarded-For": "203.0.113.9"})
    assert Client().get("/api/v1/observations", headers=said).status_code == 200
    assert Client(REMOTE_ADDR="198.51.100.9").get("/api/v1/observations", headers=said).status_code == 401


def _revoke(key: Key) -> None:
    Key.objects.update(revoked_at=timezone.now())


def _close_account(key: Key) -> None:
    Person.objects.filter(pk=key.person_id).update(is_active=False)


def _close_organisation(key: Key) -> None:
    Organisation.objects.filter(pk=key.organisation_id).update(is_active=False)


def _expire(key: Key) -> None:
    Key.objects.update(expires_at=timezone.now())


def _move(key: Key) -> None:
    Person.objects.filter(pk=key.person_id).update(organisation=builders.organisation("southgate"))


ENDS: list[Callable[[Key], None]] = [_revoke, _close_account, _close_organisation, _expire, _move]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("path", [DELIVERIES, "/taxii2/northwind/collections/inbox/objects/"])
def test_a_key_that_ends_during_an_upload_hands_nothing_over(
    path: str, end: Callable[[Key], None], give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = give_key()
    name = "tocsin.api.deliveries.body_chunks" if path == DELIVERIES else "tocsin.taxii.views.body_chunks"

    def slowly(request: Any, limit_bytes: int) -> Iterator[bytes]:
        body: bytes = request.body
        yield body[:9]
        end(Key.objects.get())
        yield body[9:]

    monkeypatch.setattr(name, slowly)
    body = json.dumps({"objects": [{"type": "tool", "id": "tool--1"}]})
    headers = signed(secret, **TAXII)
    response = Client().post(path, body, content_type=TAXII["Accept"], headers=headers)
    assert response.status_code == 401
    assert not Delivery.objects.exists()
    assert not Entry.objects.filter(action="delivery.received").exists()


@pytest.mark.parametrize("end", ENDS)
def test_a_key_that_ends_between_two_look_ups_answers_neither(
    end: Callable[[Key], None], client: Client, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, asked = give_key(), []
    answer = lookups.answer

    def answered(text: str, *said: Any, **more: Any) -> lookups.Answer:
        asked.append(text)
        found = answer(text, *said, **more)
        end(Key.objects.get())
        return found

    monkeypatch.setattr(api_answers.lookups, "answer", answered)
    said = {"values": ["192.0.2.7", "192.0.2.8"]}
    response = client.post("/api/v1/lookups", said, content_type="application/json", headers=signed(secret))
    assert response.status_code == 401
    assert asked == ["192.0.2.7"]


def test_a_long_answer_breaks_off_where_the_key_ends(
    client: Client, give_key: GiveKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = scene.make()
    (settings.INSTALLATION.store_folder / shown.package.path).write_bytes(b"P" * 300_000)
    Package.objects.update(size_bytes=300_000)
    monkeypatch.setattr(doors, "ASKED_AGAIN_SECONDS", 0)
    path, secret = "/api/v1/countries/FR/packages/FR-2026-0001", give_key("fleur_officer")
    whole = client.get(path, headers=signed(secret))
    assert len(whole.getvalue()) == int(whole["Content-Length"]) == 300_000
    pieces = iter(client.get(path, headers=signed(secret)).streaming_content)
    assert next(pieces)
    Key.objects.update(revoked_at=timezone.now())
    with pytest.raises(doors.KeyEnded):
        list(pieces)


def test_a_key_reads_only_while_the_agreement_is_in_force(client: Client, give_key: GiveKey) -> None:
    secret = give_key()
    sent = client.post(DELIVERIES, b"ip\n192.0.2.7\n", content_type="text/csv", headers=signed(secret)).json()
    Agreement.objects.update(state="suspended")
    for path in ("/api/v1/observations", "/api/v1/lookup?q=192.0.2.7"):
        response = client.get(path, headers=signed(secret))
        assert (response.status_code, response.json()["reason"]) == (403, "agreement-not-in-force")
    # What it handed over before, and what became of it, stays the partner's (DOMAIN, SM-1).
    assert client.get(sent["status_url"], headers=signed(secret)).status_code == 200
    assert client.post(DELIVERIES, b"a", content_type="text/csv", headers=signed(secret)).status_code == 403
    Agreement.objects.update(state="active")
    assert client.get("/api/v1/observations", headers=signed(secret)).status_code == 200


def test_a_suspended_country_takes_the_keys_of_its_units_along(client: Client, give_key: GiveKey) -> None:
    bureau = builders.bureau("FR")
    unit = builders.organisation("unit", class_name="law-enforcement", country="FR", parent=bureau)
    builders.person("una", unit, "officer")
    secret = give_key("una")
    assert client.get("/api/v1/observations", headers=signed(secret)).status_code == 200
    Organisation.objects.filter(pk=bureau.pk).update(is_active=False)
    assert client.get("/api/v1/observations", headers=signed(secret)).status_code == 401
    assert json.loads(Entry.objects.get(action="key.refused").detail)["for"] == "organisation"


def test_keys_that_end_soon_are_called_to_mind(client: Client, give_key: GiveKey, store: Path) -> None:
    give_key(expires_at=timezone.now() + timedelta(days=29), name="night job")
    give_key(expires_at=timezone.now() + timedelta(days=31), name="day job")
    client.post(reverse("sign-in"), {"login": "pia_partner", "password": builders.PASSWORD})
    assert "Your key night job for programs ends on" in client.get("/").content.decode()
    people.let_in(client, "pia_partner")
    page = client.get(reverse("keys")).content.decode()
    assert page.count("Ends soon") == 1
    assert "Keys that end soon." in page
