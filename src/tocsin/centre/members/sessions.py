"""Signing in and out, with a limit on guessing; changes of a person's own account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest

from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record

from .models import Person

FAILURES_ALLOWED = 5
WINDOW_MINUTES = 15
FAILED = "sign-in.failed"


@dataclass
class TooManyFailures(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """No further try for this login from this address before so many minutes have passed."""

    minutes: int


def check_password(request: HttpRequest, *, name: str, password: str, address: str, at: datetime) -> Person | None:
    """Who this is; None when login and password do not fit. Raises TooManyFailures.

    The log of acts is what failures are counted in, so that every process and every worker counts the same.
    """
    name = name.replace("\x00", "")  # PostgreSQL knows no such character; nobody's login has it.
    subject = _subject(name, address)
    since = at - timedelta(minutes=WINDOW_MINUTES)
    failures = list(
        Entry.objects.filter(action=FAILED, subject=subject, at__gt=since).order_by("-at").values_list("at", flat=True)
    )
    if len(failures) >= FAILURES_ALLOWED:
        left = failures[FAILURES_ALLOWED - 1] + timedelta(minutes=WINDOW_MINUTES) - at
        raise TooManyFailures(minutes=max(1, -(-int(left.total_seconds()) // 60)))
    person = authenticate(request, username=name, password=password)
    if not isinstance(person, Person) or not person.organisation.is_active:
        record(name[:120] or "-", FAILED, subject, {"address": address}, at=at)
        return None
    return person


def sign_in(request: HttpRequest, *, name: str, password: str, address: str, at: datetime) -> Person | None:
    """Open a session; None when login and password do not fit. Raises TooManyFailures."""
    person = check_password(request, name=name, password=password, address=address, at=at)
    if person is None:
        return None
    with transaction.atomic():
        login(request, person)
        record(person.login, "sign-in", f"person:{person.pk}", {"address": address}, at=at)
    return person


def _subject(name: str, address: str) -> str:
    return "sign-in:" + hashlib.sha256(f"{name.strip().casefold()}\n{address}".encode()).hexdigest()[:40]


@transaction.atomic
def sign_out(request: HttpRequest, *, at: datetime) -> None:
    """Close the session."""
    if isinstance(request.user, Person):
        record(request.user.login, "sign-out", f"person:{request.user.pk}", at=at)
    logout(request)


@transaction.atomic
def change_password(request: HttpRequest, *, person: Person, new: str, at: datetime) -> None:
    """Set a new password; this session goes on, the person's others end."""
    person.set_password(new)
    person.must_change_password = False
    person.save(update_fields=["password", "must_change_password"])
    record(person.login, "password.changed", f"person:{person.pk}", at=at)
    update_session_auth_hash(request, person)


@transaction.atomic
def change_preferences(*, person: Person, language: str, time_zone: str, at: datetime) -> None:
    """Set what the pages speak and which clock they show."""
    person.language, person.time_zone = language, time_zone
    person.save(update_fields=["language", "time_zone"])
    record(person.login, "preferences.changed", f"person:{person.pk}", {"language": language, "zone": time_zone}, at=at)
