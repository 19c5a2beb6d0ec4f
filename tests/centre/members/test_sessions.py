"""Signing in: who gets in, how guessing ends, what the log keeps."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members.sessions import FAILURES_ALLOWED

pytestmark = pytest.mark.django_db


def _try(client: Client, login: str, password: str, **said: str) -> int:
    return client.post(reverse("sign-in"), {"login": login, "password": password, **said}).status_code


def test_right_password_opens_and_is_recorded(client: Client) -> None:
    people.call("dana_analyst")
    assert _try(client, "Dana_Analyst", builders.PASSWORD) == 302
    entry = Entry.objects.get(action="sign-in")
    assert entry.actor == "dana_analyst"
    assert builders.PASSWORD not in entry.detail


def test_guessing_ends_after_five_even_with_the_right_password(client: Client) -> None:
    people.call("dana_analyst")
    for _ in range(FAILURES_ALLOWED):
        assert _try(client, "dana_analyst", "wrong") == 200
    assert _try(client, "dana_analyst", builders.PASSWORD) == 429
    assert not Entry.objects.filter(action="sign-in").exists()


def test_limit_counts_login_and_address_together(client: Client) -> None:
    people.call("dana_analyst")
    people.call("pia_partner")
    for _ in range(FAILURES_ALLOWED):
        _try(client, "dana_analyst", "wrong")
    assert _try(client, "pia_partner", builders.PASSWORD) == 302
    elsewhere = Client(REMOTE_ADDR="198.51.100.7")
    assert _try(elsewhere, "dana_analyst", builders.PASSWORD) == 302


def test_limit_ends_with_its_window(client: Client) -> None:
    from datetime import timedelta

    people.call("dana_analyst")
    for _ in range(FAILURES_ALLOWED):
        _try(client, "dana_analyst", "wrong")
    for entry in Entry.objects.all():
        Entry.objects.filter(pk=entry.pk).update(at=entry.at - timedelta(minutes=16))
    assert _try(client, "dana_analyst", builders.PASSWORD) == 302


@pytest.mark.parametrize("change", ["person", "organisation"])
def test_inactive_is_told_the_same_as_a_wrong_password(change: str, client: Client) -> None:
    dana = people.call("dana_analyst")
    changed = dana if change == "person" else dana.organisation
    changed.is_active = False
    changed.save()
    assert _try(client, "dana_analyst", builders.PASSWORD) == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_next_never_leaves_the_site(target: str, client: Client) -> None:
    people.call("dana_analyst")
    response = client.post(reverse("sign-in"), {"login": "dana_analyst", "password": builders.PASSWORD, "next": target})
    assert response["Location"] == "/"


def test_first_password_must_be_changed_before_anything_else(client: Client) -> None:
    dana = people.call("dana_analyst")
    dana.must_change_password = True
    dana.save()
    client.force_login(dana)
    assert client.get(reverse("countries"))["Location"] == reverse("change-password")
    new = "another set of plain words"
    said = {"old": builders.PASSWORD, "new": new, "again": new}
    assert client.post(reverse("change-password"), said)["Location"] == reverse("home")
    dana.refresh_from_db()
    assert not dana.must_change_password
    assert dana.check_password(new)
    assert client.get(reverse("countries")).status_code == 200


@pytest.mark.parametrize("said", [
    {"old": "wrong", "new": "another set of plain words", "again": "another set of plain words"},
    {"old": builders.PASSWORD, "new": "short", "again": "short"},
    {"old": builders.PASSWORD, "new": "another set of plain words", "again": "a different set of words"},
])  # fmt: skip
def test_bad_new_passwords_are_refused(said: dict[str, str], client: Client) -> None:
    dana = people.call("dana_analyst")
    client.force_login(dana)
    assert client.post(reverse("change-password"), said).status_code == 200
    dana.refresh_from_db()
    assert dana.check_password(builders.PASSWORD)
