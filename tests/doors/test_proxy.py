"""Behind a proxy on the same machine: who asked, and over what, is as the proxy says; nobody else is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.sessions import FAILED, FAILURES_ALLOWED

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
SAID = {"X-Forwarded-For": "192.0.2.1, 203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture
def https(store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        settings, "INSTALLATION", replace(settings.INSTALLATION, public_origin="https://tocsin.example")
    )


def tried(client: Client, password: str, **headers: str) -> int:
    said = {"login": "dana_analyst", "password": password}
    return client.post(reverse("sign-in"), said, headers=headers).status_code


def test_guesses_are_counted_by_who_guesses(https: None) -> None:
    people.call("dana_analyst")
    for _ in range(FAILURES_ALLOWED):
        tried(Client(), "wrong", **SAID)
    assert tried(Client(), "wrong", **SAID) == 429
    assert set(Entry.objects.filter(action=FAILED).values_list("detail", flat=True)) == {'{"address":"203.0.113.9"}'}
    assert tried(Client(), builders.PASSWORD, **{**SAID, "X-Forwarded-For": "203.0.113.10"}) == 302


@pytest.mark.parametrize("address", ["198.51.100.7", "127.0.0.1"])
def test_nobody_else_says_who_he_is(address: str, store: object, monkeypatch: pytest.MonkeyPatch) -> None:
    if address != "127.0.0.1":
        changed = replace(settings.INSTALLATION, public_origin="https://tocsin.example")
        monkeypatch.setattr(settings, "INSTALLATION", changed)
    people.call("dana_analyst")
    for number in range(FAILURES_ALLOWED + 1):
        status = tried(Client(REMOTE_ADDR=address), "wrong", **{"X-Forwarded-For": f"203.0.113.{number}"})
    assert status == 429


@pytest.mark.parametrize("said", ["", "nonsense", "203.0.113.9:80"])
def test_what_is_no_address_is_none(said: str, https: None) -> None:
    people.call("dana_analyst")
    tried(Client(), "wrong", **{"X-Forwarded-For": said})
    assert Entry.objects.get(action=FAILED).detail == '{"address":"127.0.0.1"}'


def test_addresses_that_are_given_out_are_encrypted_ones(https: None, give_key: GiveKey) -> None:
    headers = {**SAID, "Authorization": f"Bearer {give_key()}", "Accept": "application/taxii+json;version=2.1"}
    assert Client().get("/taxii2/", headers=headers).json()["default"].startswith("https://")
