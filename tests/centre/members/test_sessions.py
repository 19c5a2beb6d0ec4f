"""Signing in: who gets in, how guessing ends, what the log keeps."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import sessions
from tocsin.centre.members.models import Guesses
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


def test_logins_that_differ_in_small_and_large_letters_open_their_own_account(client: Client) -> None:
    """Nobody can make a second one any more; where a database has two, neither shuts the other out."""
    people.call("dana_analyst")
    other = builders.person("Dana_Analyst", builders.centre(), "reviewer")
    assert _try(client, "Dana_Analyst", builders.PASSWORD) == 302
    assert client.session["_auth_user_id"] == str(other.pk)
    assert _try(Client(), "dana_analyst", builders.PASSWORD) == 302


def test_limit_ends_with_its_window(client: Client) -> None:
    people.call("dana_analyst")
    for _ in range(FAILURES_ALLOWED):
        _try(client, "dana_analyst", "wrong")
    Guesses.objects.update(began_at=F("began_at") - timedelta(minutes=16))
    assert _try(client, "dana_analyst", builders.PASSWORD) == 302


def test_who_signs_in_rightly_uses_up_nothing(client: Client) -> None:
    people.call("dana_analyst")
    for _ in range(FAILURES_ALLOWED + 1):
        assert _try(Client(), "dana_analyst", builders.PASSWORD) == 302
    assert set(Guesses.objects.values_list("tries", flat=True)) == {0}


@pytest.mark.parametrize("others", [("198.51.100.7", "198.51.100.7"), ("2001:db8:1:2::7", "2001:db8:1:2:ffff::9")])
def test_one_address_that_tries_many_logins_is_stopped_too(
    others: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FAILURES_OF_ADDRESS", 7)
    people.call("dana_analyst")
    first, then = (Client(REMOTE_ADDR=address) for address in others)
    assert [_try(first, f"person-{number}", "wrong") for number in range(7)] == [200] * 7
    assert _try(then, "dana_analyst", builders.PASSWORD) == 429
    same_words = [
        Client(REMOTE_ADDR=others[1]).post(reverse("sign-in"), {"login": login, "password": "wrong"}).content.decode()
        for login in ("dana_analyst", "nobody-at-all")
    ]
    assert all("Too many failed attempts" in page for page in same_words)
    assert _try(Client(REMOTE_ADDR="203.0.113.9"), "dana_analyst", builders.PASSWORD) == 302


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_one_login", [True, False])
def test_tries_at_the_same_time_do_not_pass_the_limit(is_one_login: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "FAILURES_OF_ADDRESS", 7)
    people.call("dana_analyst")
    checked, together = [], threading.Barrier(12)

    def slow(request: HttpRequest, **said: str) -> None:
        checked.append(said["username"])
        time.sleep(0.3)  # While the password is compared the others come.

    def one(number: int) -> bool:
        name = "dana_analyst" if is_one_login else f"person-{number}"
        together.wait(timeout=30)
        try:
            sessions.check_password(
                RequestFactory().post("/"), name=name, password="wrong", address="198.51.100.7", at=builders.NOW
            )
        except sessions.TooManyFailures:
            return False
        finally:
            connection.close()
        return True

    monkeypatch.setattr(sessions, "authenticate", slow)
    with ThreadPoolExecutor(12) as pool:
        allowed = list(pool.map(one, range(12)))
    assert allowed.count(True) == len(checked) == (FAILURES_ALLOWED if is_one_login else 7)


@pytest.mark.parametrize("change", ["person", "organisation"])
def test_inactive_is_told_the_same_as_a_wrong_password(change: str, client: Client) -> None:
    dana = people.call("dana_analyst")
    changed = dana if change == "person" else dana.organisation
    changed.is_active = False
    changed.save()
    assert _try(client, "dana_analyst", builders.PASSWORD) == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "nowhere", "sign-out", "%s"]
)
def test_next_never_leaves_the_site(target: str, client: Client) -> None:
    people.call("dana_analyst")
    response = client.post(reverse("sign-in"), {"login": "dana_analyst", "password": builders.PASSWORD, "next": target})
    assert response["Location"] == "/"
    assert client.get(reverse("sign-in"), {"next": target})["Location"] == "/"


def test_first_password_must_be_changed_before_anything_else(client: Client) -> None:
    dana = people.let_in(client, "dana_analyst")
    dana.must_change_password = True
    dana.save()
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
    dana = people.let_in(client, "dana_analyst")
    assert client.post(reverse("change-password"), said).status_code == 200
    dana.refresh_from_db()
    assert dana.check_password(builders.PASSWORD)
