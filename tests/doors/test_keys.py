"""Keys for programs: made, shown once, used, ended; nobody's but the owner's."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.models import Key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ASKED = {"name": "collector", "scopes": ["deliver", "read"], "days": "90"}
BOUND = {"ceiling": "TLP:GREEN", "ranges": "192.0.2.0/24\n2001:db8::/32"}


def _secret(page: str) -> str:
    found = re.search(r"toc_[\w-]{20,}", page)
    return found[0] if found else ""


def test_a_key_is_shown_once_and_opens_the_door(client: Client) -> None:
    people.let_in(client, "pia_partner")
    made = client.post(reverse("keys"), ASKED)
    secret = _secret(made.content.decode())
    assert secret
    assert "no-store" in made["Cache-Control"]
    assert _secret(client.get(reverse("keys")).content.decode()) == ""
    key = Key.objects.get()
    assert (key.name, key.scopes, key.used_at) == ("collector", ["deliver", "read"], None)
    assert key.expires_at is not None
    assert abs(key.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=5)
    assert secret not in str(list(Entry.objects.values()))

    door = {"authorization": f"Bearer {secret}"}
    assert Client().get("/api/v1/observations", headers=door).status_code == 200
    key.refresh_from_db()
    assert key.used_at is not None
    client.post(reverse("key-revoke", args=[key.pk]))
    assert Client().get("/api/v1/observations", headers=door).status_code == 401
    assert Entry.objects.filter(action="key.revoked", actor="pia_partner").count() == 1
    assert reverse("key-revoke", args=[key.pk]) not in client.get(reverse("keys")).content.decode()


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"scopes": []},
        {"scopes": ["administer"]},
        {"days": "36500"},
        {"days": "x"},
        {"days": "366"},
        {"ceiling": "TLP:BLUE"},
        {"ranges": "192.0.2.1/24"},
        {"ranges": "0.0.0.0/0"},
        {"ranges": "0.0.0.0/1, 128.0.0.0/1"},
        {"ranges": "::/0"},
        {"ranges": "192.0.2.0/24 2000::/3"},
        {"name": "\u202e\u200f"},
        {"certificate": "x"},
        {"scopes": ["packages"]},
    ],
)
def test_what_was_not_offered_makes_no_key(client: Client, changed: dict[str, object]) -> None:
    people.let_in(client, "pia_partner")
    page = client.post(reverse("keys"), {**ASKED, **changed}).content.decode()
    assert "field-error" in page
    assert not Key.objects.exists()


def test_bounds_are_kept_and_shown(client: Client) -> None:
    people.let_in(client, "pia_partner")
    client.post(reverse("keys"), {**ASKED, **BOUND})
    key = Key.objects.get()
    assert (key.ceiling, key.ranges) == ("TLP:GREEN", ["192.0.2.0/24", "2001:db8::/32"])
    page = client.get(reverse("keys")).content.decode()
    assert all(said in page for said in ("TLP:GREEN", "192.0.2.0/24", "2001:db8::/32"))
    detail = Entry.objects.get(action="key.added").detail
    assert '"ceiling":"TLP:GREEN"' in detail


def test_the_installation_may_allow_less_than_a_year(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, key_days=60))
    people.let_in(client, "pia_partner")
    page = client.get(reverse("keys")).content.decode()
    assert re.findall(r'<option value="(\d+)"', page) == ["30", "60"]
    client.post(reverse("keys"), ASKED)
    assert not Key.objects.exists()
    client.post(reverse("keys"), {**ASKED, "days": "60"})
    assert Key.objects.count() == 1


def test_nobody_gives_a_key_more_than_he_may(client: Client) -> None:
    people.let_in(client, "rui_reviewer")
    page = client.get(reverse("keys")).content.decode()
    assert 'value="read"' in page
    assert 'value="deliver"' not in page, "a reviewer hands nothing over"
    client.post(reverse("keys"), ASKED)
    assert not Key.objects.exists()
