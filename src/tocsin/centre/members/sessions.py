"""Opening and closing sessions, with a limit on guessing; changes of a person's own account."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.contrib import messages
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from tocsin.centre import refusals
from tocsin.centre.audit.selectors import found
from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.core.errors import Refused

from . import admission, browsers, selectors
from .models import Guesses, Person, Provider

FAILURES_ALLOWED = 5
FAILURES_OF_ADDRESS = 50
"""Under all logins together: an office behind one address may mistype more often than one person."""
WINDOW_MINUTES = 15
FAILED = "sign-in.failed"
FACTOR_FAILED = "sign-in.factor-failed"
RESET = "person.factors-reset"
KEYS_NAMED = 3
"""Keys that end soon and are named at the sign-in; their page lists all."""
PROVED_AT = "proved_at"
PROVED_BY = "proved_by"
PROVIDER, PROVIDED_FACTOR = "provider", "provider's factor"  # Words of the log.
HOME_PREFIX_V6 = 64
"""Who has one address of version 6 has all of its network."""


@dataclass
class TooManyFailures(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """No further try from this address, for this login or any, before so many minutes have passed."""

    minutes: int


@dataclass
class NotAdmitted(Exception):  # noqa: N818 - as above.
    """The password is right, and the person may not come in all the same: a key of `labels.NOT_ADMITTED`."""

    refusal: str


def check_password(request: HttpRequest, *, name: str, password: str, address: str, at: datetime) -> Person | None:
    """Who this is; None when login and password do not fit. Raises TooManyFailures; and to those alone who know the
    password NotAdmitted, and Refused where the person's organisation lets its people in by its own provider only.

    A try is counted before the password is compared and given back when it was right: however many come at the same
    time, in whatever processes, no more than the limit are compared.
    """
    name = name.replace("\x00", "")  # PostgreSQL knows no such character; nobody's login has it.
    place = network_of(address)
    subject, everybody = subject_of(f"{name.strip().casefold()}\n{place}"), subject_of(place)
    try:
        count_try(everybody, FAILURES_OF_ADDRESS, at)
    except TooManyFailures:
        refusals.note(request, "guessing")
        raise
    try:
        count_try(subject, FAILURES_ALLOWED, at)
    except TooManyFailures:
        refusals.note(request, "guessing")
        give_back(everybody)  # Who hammers at one login shuts out nobody else behind the same address.
        raise
    person = authenticate(request, username=name, password=password)
    if not isinstance(person, Person):
        record(name[:120] or "-", FAILED, subject, {"address": address}, at=at)
        refusals.note(request, "password")
        return None
    give_back(subject, everybody)
    if refusal := admission.refusal_of(person, at):
        record(person.login, FAILED, subject, {"address": address, "refused": refusal}, at=at)
        refusals.note(request, "not-admitted")
        raise NotAdmitted(refusal)
    if is_closed_to_passwords(person):
        detail = {"address": address, "reason": "only by provider"}
        record(person.login, FAILED, f"person:{person.pk}", detail, at=at)
        refusals.note(request, "not-admitted")
        raise Refused("the organisation's people sign in with its own provider only")
    return person


def is_closed_to_passwords(person: Person) -> bool:
    """Whether only its organisation's provider lets this person in."""
    only = Provider.objects.filter(organisation=person.organisation_id, is_on=True, is_only=True, held_at=None)
    return only.exclude(break_glass=person.pk).exists()


def count_try(subject: str, allowed: int, at: datetime) -> None:
    """One try more. Raises TooManyFailures where that is one too many."""
    at = judged_at(at)
    window = timedelta(minutes=WINDOW_MINUTES)
    Guesses.objects.filter(began_at__lte=at - window).delete()
    Guesses.objects.bulk_create([Guesses(subject=subject, began_at=at)], ignore_conflicts=True)
    if not Guesses.objects.filter(subject=subject, tries__lt=allowed).update(tries=F("tries") + 1):
        began_at = Guesses.objects.filter(subject=subject).values_list("began_at", flat=True).first() or at
        left = began_at + window - at
        raise TooManyFailures(minutes=max(1, -(-int(left.total_seconds()) // 60)))


def give_back(*subjects: str) -> None:
    """The try was right: it does not count."""
    Guesses.objects.filter(subject__in=subjects, tries__gt=0).update(tries=F("tries") - 1)


def network_of(address: str) -> str:
    """The address, or the network of version 6 that one household or office has."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return address
    return str(known.ipv4_mapped or ip_network((known, HOME_PREFIX_V6), strict=False))


def subject_of(said: str) -> str:
    """Under what a limit counts: a hash, who tried what is in the log of acts."""
    return "sign-in:" + hashlib.sha256(said.encode(errors="replace")).hexdigest()[:40]


@transaction.atomic
def open_session(request: HttpRequest, *, person: Person, proved_by: Sequence[str], at: datetime) -> None:
    """Let this person in. The session gets another name, so that nobody who knew the old one comes in too."""
    address = request.META.get("REMOTE_ADDR", "")
    since = person.last_login or person.created_at
    login(request, person)
    mark_proved(request, at)
    request.session[PROVED_BY] = list(proved_by)
    browsers.begin(request, person=person, at=at, proved_by=proved_by)
    record(person.login, "sign-in", f"person:{person.pk}", {"address": address, "by": list(proved_by)}, at=at)
    _tell(request, person, since, at)


def _tell(request: HttpRequest, person: Person, since: datetime, at: datetime) -> None:
    """What befell the account since its owner was here last, and which of its keys end soon."""
    met = set(found(subject=f"person:{person.pk}", since=since).values_list("action", flat=True))
    with translation.override(person.language):
        if RESET in met:
            messages.warning(request, _("An administrator took away your second factor. Set up another one."))
        if FACTOR_FAILED in met:
            said = _("Since you were here last, somebody knew your password and failed at the second factor.")
            messages.warning(request, said + " " + _("If it was not you, change your password."))
        for key in selectors.keys_ending(person, at)[:KEYS_NAMED]:
            said = _("Your key %(name)s for programs ends on %(day)s. Make a new one before then.")
            messages.warning(request, said % {"name": key.name, "day": date_format(key.ends_at)})


def mark_proved(request: HttpRequest, at: datetime) -> None:
    """The person has just shown who it is."""
    request.session[PROVED_AT] = judged_at(at).timestamp()


def is_proved(request: HttpRequest, within: timedelta, at: datetime) -> bool:
    """Whether that was so lately. A moment in the future proves nothing: the clock was set back since."""
    proved_at = request.session.get(PROVED_AT)
    return isinstance(proved_at, float) and 0 <= judged_at(at).timestamp() - proved_at < within.total_seconds()


def came_by(request: HttpRequest) -> tuple[str, ...]:
    """How the person of this session came in."""
    return tuple(request.session.get(PROVED_BY, ()))


@transaction.atomic
def sign_out(request: HttpRequest, *, at: datetime) -> None:
    """Close the session."""
    if isinstance(request.user, Person):
        record(request.user.login, "sign-out", f"person:{request.user.pk}", at=at)
    browsers.forget(request)
    logout(request)


@transaction.atomic
def change_password(request: HttpRequest, *, person: Person, new: str, at: datetime) -> None:
    """Set a new password; this session goes on, the person's others end."""
    person.set_password(new)
    person.must_change_password = False
    person.save(update_fields=["password", "must_change_password"])
    record(person.login, "password.changed", f"person:{person.pk}", at=at)
    browsers.renamed(request, lambda: update_session_auth_hash(request, person))
    browsers.end_others(request, person=person)


@transaction.atomic
def change_preferences(*, person: Person, language: str, time_zone: str, at: datetime) -> None:
    """Set what the pages speak and which clock they show."""
    person.language, person.time_zone = language, time_zone
    person.save(update_fields=["language", "time_zone"])
    record(person.login, "preferences.changed", f"person:{person.pk}", {"language": language, "zone": time_zone}, at=at)
