"""Signing in and out, with a limit on guessing; changes of a person's own account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest

from tocsin.centre.audit.services import record

from .models import Guesses, Person

FAILURES_ALLOWED = 5
FAILURES_OF_ADDRESS = 50
"""Under all logins together: an office behind one address may mistype more often than one person."""
WINDOW_MINUTES = 15
FAILED = "sign-in.failed"
HOME_PREFIX_V6 = 64
"""Who has one address of version 6 has all of its network."""


@dataclass
class TooManyFailures(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """No further try from this address, for this login or any, before so many minutes have passed."""

    minutes: int


def check_password(request: HttpRequest, *, name: str, password: str, address: str, at: datetime) -> Person | None:
    """Who this is; None when login and password do not fit. Raises TooManyFailures.

    A try is counted before the password is compared and given back when it was right: however many come at the same
    time, in whatever processes, no more than the limit are compared.
    """
    name = name.replace("\x00", "")  # PostgreSQL knows no such character; nobody's login has it.
    place = _network(address)
    subject, everybody = _subject(f"{name.strip().casefold()}\n{place}"), _subject(place)
    _count(everybody, FAILURES_OF_ADDRESS, at)
    try:
        _count(subject, FAILURES_ALLOWED, at)
    except TooManyFailures:
        _give_back(everybody)  # Who hammers at one login shuts out nobody else behind the same address.
        raise
    person = authenticate(request, username=name, password=password)
    if not isinstance(person, Person) or not person.organisation.is_active:
        record(name[:120] or "-", FAILED, subject, {"address": address}, at=at)
        return None
    _give_back(subject, everybody)
    return person


def _count(subject: str, allowed: int, at: datetime) -> None:
    """One try more. Raises TooManyFailures where that is one too many."""
    window = timedelta(minutes=WINDOW_MINUTES)
    Guesses.objects.filter(began_at__lte=at - window).delete()
    Guesses.objects.bulk_create([Guesses(subject=subject, began_at=at)], ignore_conflicts=True)
    if not Guesses.objects.filter(subject=subject, tries__lt=allowed).update(tries=F("tries") + 1):
        began_at = Guesses.objects.filter(subject=subject).values_list("began_at", flat=True).first() or at
        left = began_at + window - at
        raise TooManyFailures(minutes=max(1, -(-int(left.total_seconds()) // 60)))


def _give_back(*subjects: str) -> None:
    Guesses.objects.filter(subject__in=subjects, tries__gt=0).update(tries=F("tries") - 1)


def _network(address: str) -> str:
    """The address, or the network of version 6 that one household or office has."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(known.ipv4_mapped or ip_network((known, HOME_PREFIX_V6), strict=False))


def sign_in(request: HttpRequest, *, name: str, password: str, address: str, at: datetime) -> Person | None:
    """Open a session; None when login and password do not fit. Raises TooManyFailures."""
    person = check_password(request, name=name, password=password, address=address, at=at)
    if person is None:
        return None
    with transaction.atomic():
        login(request, person)
        record(person.login, "sign-in", f"person:{person.pk}", {"address": address}, at=at)
    return person


def _subject(said: str) -> str:
    return "sign-in:" + hashlib.sha256(said.encode(errors="replace")).hexdigest()[:40]


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
