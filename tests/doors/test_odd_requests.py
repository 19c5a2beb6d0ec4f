"""Requests that no page of ours makes: they are refused or answered, and are never taken for a fault of ours."""

from __future__ import annotations

import base64
import json

import pytest
from django.test import Client
from django.urls import reverse
from tests import people, scene

from tocsin.centre.intake.models import Delivery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
MANY = "9" * 24
ADDRESSES = (
    f"/deliveries/?after=2026-11-20T10:00:00%2B00:00~{MANY}", "/deliveries/?after=2026-11-20T10:00:00%2B00:00~-5",
    "/deliveries/?after=0001-01-01T00:00:00%2B14:00~1", "/deliveries/?after=9999-12-31T23:59:59-14:00~1",
    "/deliveries/?organisation=%00&state=x", "/deliveries/?q=%00", f"/objects/{MANY}/", f"/objects/{MANY}/raw",
    "/lookup/?q=%00", "/lookup/?q=a%00b", "/lookup/?q=%ED%A0%80", "/lookup/?q=" + "9" * 4000,
    "/review/?tab=proposals&after=1~2~999999999999999999",
    f"/review/?tab=quarantined&after=2026-11-20T10:00:00%2B00:00~{MANY}",
    "/countries/%00/", "/countries/?q=%00", "/packages/?country=%00", f"/packages/?page={MANY}",
    "/api/v1/observations?since=0001-01-01T00:00:00%2B14:00", "/api/v1/observations?since=9999-12-31T23:59:59-14:00",
    "/api/v1/lookup?q=%00", "/api/v1/deliveries/%00",
)  # fmt: skip


@pytest.fixture
def dana() -> Client:
    client = Client(raise_request_exception=False)
    scene.make()
    client.force_login(people.call("dana_analyst"))
    return client


@pytest.mark.parametrize("address", ADDRESSES)
def test_odd_addresses(address: str, dana: Client) -> None:
    assert dana.get(address).status_code < 500


@pytest.mark.parametrize(("name", "number", "said"), [
    ("watch-add", "", {"q": "a\x00b"}), ("watch-stop", MANY, {}), ("decide-country", MANY, {"country": "FR"}),
    ("key-revoke", MANY, {}), ("decide-countries", "", {"follow": "stated", "conflict": [MANY]}),
    ("decide-proposals", "", {"report": "\x00", "act": "accept-all", "role": "\x00"}),
    ("keys", "", {"name": "a\x00", "scopes": ["read"], "days": "30"}),
    ("sign-in", "", {"login": "a\x00", "password": "x"}),
])  # fmt: skip
def test_odd_forms(name: str, number: str, said: dict[str, object], dana: Client) -> None:
    assert dana.post(reverse(name, args=[int(number)] if number else ()), said).status_code < 500


def test_odd_values_and_logins_of_machines(dana: Client) -> None:
    asked = {"values": ["192.0.2.7\x00", "\x00"]}
    assert dana.post("/api/v1/lookups", asked, content_type="application/json").status_code == 200
    word = base64.b64encode(b"a\x00b:secret").decode()
    stranger = Client(raise_request_exception=False)
    assert stranger.get("/taxii2/", headers={"Authorization": f"Basic {word}"}).status_code == 401


BODIES = (
    ("/api/v1/lookups", {"values": ["a\x00b", "\ud800"]}),
    ("/api/v1/deliveries/{receipt}/urgent", {"reason": "Somebody is in danger\x00\udc00"}),
    ("/api/v1/deliveries/{receipt}/recall", {"reason": "wrong", "action": "delete", "note": "x\x00\ud83d"}),
    ("/api/v1/deliveries/{receipt}/handling", {"tlp": "TLP:RED\x00", "note": "\x00\ud800"}),
    ("/api/v1/circulars", {"subject": "a\x00\ud800", "text": "b\x00\ud800", "countries": ["MA\x00"]}),
    ("/api/v1/permissions", {"receipt": "{receipt}", "reason": "\x00\ud800 needed", "audience": ["FR\x00"]}),
    ("/api/v1/received/acknowledgements", {"references": ["{receipt}\x00", "\ud800"]}),
    ("/api/v1/received/{receipt}/answer", {"step": "x\x00", "note": "\ud800"}),
    ("/api/v1/recalls/RC-1/answer", {"state": "x\x00", "note": "\ud800"}),
)


@pytest.mark.parametrize("login", ["dana_analyst", "fleur_officer", "pia_partner"])
def test_texts_that_no_database_keeps(login: str, client: Client) -> None:
    receipt = scene.make().delivery.receipt
    client = Client(raise_request_exception=False)
    client.force_login(people.call(login))
    for address, said in BODIES:
        body = json.dumps(said).replace("{receipt}", receipt)
        answer = client.post(address.format(receipt=receipt), body, content_type="application/json")
        assert answer.status_code < 500, address


def test_no_name_holds_the_character_zero(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    headers = {"Tocsin-Name": "a\x00b.csv"}
    answer = client.post("/api/v1/deliveries", b"ip\n", content_type="application/octet-stream", headers=headers)
    assert answer.status_code == 202
    assert Delivery.objects.get().name == "ab.csv"


@pytest.mark.any_database
def test_who_comes_by_another_name_is_told_so(client: Client) -> None:
    """An operator's first mistake behind a proxy: a page without a word told nobody what to do."""
    answer = client.get("/sign-in/", headers={"host": "other.example"})
    assert answer.status_code == 400
    assert "does not have the name that stands in the address" in answer.content.decode()
    said = client.get("/api/v1/deliveries", headers={"host": "other.example"})
    assert (said.status_code, said.json()["reason"]) == (400, "not-understood")
    client.raise_request_exception = False
    many = client.post("/sign-in/", {f"field{number}": "" for number in range(3_000)})
    assert many.status_code == 400
    assert "The request is not understood." in many.content.decode()


@pytest.mark.any_database
def test_the_host_that_was_refused_stands_nowhere_in_the_answer(client: Client) -> None:
    assert "other.example" not in client.get("/", headers={"host": "other.example"}).content.decode()
