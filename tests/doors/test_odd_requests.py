"""Requests that no page of ours makes: they are refused or answered, and are never taken for a fault of ours."""

from __future__ import annotations

import base64

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


def test_no_name_holds_the_character_zero(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    headers = {"Tocsin-Name": "a\x00b.csv"}
    answer = client.post("/api/v1/deliveries", b"ip\n", content_type="application/octet-stream", headers=headers)
    assert answer.status_code == 202
    assert Delivery.objects.get().name == "ab.csv"
