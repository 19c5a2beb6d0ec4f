"""Who stands at a machine door: a key, or a login with its password or one of its keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tocsin.centre import refusals
from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.questions import Question
from tocsin.core.errors import Refused

from . import admission, agreements, browsers, factors
from .key_rules import Bounds, Refusal, refusal
from .models import Key, Person
from .rules import may
from .services import key_digest
from .sessions import NotAdmitted, check_password

Piece = TypeVar("Piece", str, bytes)
KEY_PREFIX = "toc_"
NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a key was used or refused last; a row is not written for every request."""
ASKED_AGAIN_SECONDS = 1.0
"""How often it is asked, while a long answer leaves, whether it may still leave."""
HANDING_OVER = frozenset({"deliver", "taxii"})
"""Scopes under which an agreement that ended is answered by the receipt's own rule, and old receipts stay readable."""


class ScopeLacking(Refused):
    """The key was not given what was asked of it."""


class AbilityLacking(Refused):
    """The person's roles do not open what was asked."""


class KeyEnded(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """The key opened the door and opens it no longer; answered as a wrong key."""


class SessionEnded(Exception):  # noqa: N818 - as above.
    """The session in which something long was asked for was ended, or its person may not come in any more."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, or a machine with one of the person's keys: it may do what both the key and the person may."""

    person: Person

    def has_scope(self, *scopes: str) -> bool:
        """Whether the key was given any of these scopes; a person's own session has all."""
        key = self.person.through
        return key is None or bool(set(scopes) & set(key.scopes))

    def require(self, ability: str, *scopes: str) -> Person:
        """The person. Raises Refused unless the key has one of the scopes and the person has the ability.

        A partner's key reads only while its agreement is in force: InputError("agreement-...") otherwise.
        """
        if not self.has_scope(*scopes):
            raise ScopeLacking(f"the key lacks the scope {scopes[0]}")
        if not may(self.person, ability):
            raise AbilityLacking(f"the account lacks the ability {ability}")
        if self.person.through is not None and not HANDING_OVER & set(scopes):
            agreements.require_agreement(self.person.organisation, timezone.now())
        return self.person


def by_key(request: HttpRequest, secret: str, at: datetime) -> Caller | None:
    """Whose key this is; None when it is unknown, or when it opens nothing now, from there.

    The caller hears the same of either. What a key that is known was refused for is logged and shown to its owner.
    """
    if not secret.startswith(KEY_PREFIX):
        return None
    key = _BY_DIGEST.first(key_digest(secret))
    if key is None:
        return None
    refusals.name_actor(request, f"key:{key.pk}")
    address = str(request.META.get("REMOTE_ADDR", ""))
    word = _refusal(key, at, address, certificate_of(request))
    if word is not None:
        refusals.note(request, f"key-{word}")
        _note_refusal(key, word, address, at)
        return None
    if key.used_at is None or key.used_at <= at - NOTED_EVERY:
        Key.objects.filter(pk=key.pk).update(used_at=at)
    key.person.through = key
    refusals.name_asker(request, f"organisation:{key.person.organisation_id}")
    return Caller(key.person)


def note_refused(request: HttpRequest, error: Refused) -> None:
    """Tell whoever watches of which kind it was."""
    match error:
        case ScopeLacking():
            refusals.note(request, "scope")
        case AbilityLacking():
            refusals.note(request, "ability")
        case _:
            refusals.note(request, "rule")


def certificate_of(request: HttpRequest) -> str:
    """SHA-256 of the client certificate that stands behind this request; empty without one."""
    return str(request.META.get("tocsin.certificate", ""))


def require_open(person: Person) -> None:
    """Asked anew before each further step of something long. Raises KeyEnded; people of the portal are not asked."""
    if person.through is None:
        return
    key = _BY_NUMBER.first(person.through.pk)
    # Address and certificate belong to the connection: they were looked at when it was accepted.
    if key is None or _refusal(key, timezone.now(), None, key.certificate) is not None:
        raise KeyEnded


def while_open(person: Person, pieces: Iterable[Piece], still: Callable[[], object] = lambda: None) -> Iterator[Piece]:
    """The pieces of a long answer, as long as the key that asked for it opens the door, and `still` does not raise."""

    def require() -> None:
        require_open(person)
        still()

    return while_holds(require, pieces)


def while_here(
    request: HttpRequest, pieces: Iterable[Piece], still: Callable[[], object] = lambda: None
) -> Iterator[Piece]:
    """The same for somebody on the portal: as long as nobody ends the session, the account or its organisation."""
    session = browsers.session_of(request)

    def require() -> None:
        if not browsers.is_still_open(session, timezone.now()):
            raise SessionEnded
        still()

    return while_holds(require, pieces)


def while_holds(require: Callable[[], object], pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces of a long answer. It breaks off where `require` raises: what came is not taken for the whole."""
    asked_at = time.monotonic()
    for piece in pieces:
        if time.monotonic() - asked_at >= ASKED_AGAIN_SECONDS:
            require()
            asked_at = time.monotonic()
        yield piece


def by_login(request: HttpRequest, login: str, secret: str, at: datetime) -> Caller | None:
    """The person with this login, by password or by one of the person's keys. Raises sessions.TooManyFailures.

    A first password opens no machine door: it must be changed on the portal before. Nor does the password of somebody
    who has a second factor or must have one: it would be the way around it. Raises Refused, to those alone who know it.
    """
    if secret.startswith(KEY_PREFIX):
        caller = by_key(request, secret, at)
        return caller if caller and caller.person.login.casefold() == login.casefold() else None
    address = request.META.get("REMOTE_ADDR", "")
    try:
        person = check_password(request, name=login, password=secret, address=address, at=at)
    except NotAdmitted:
        return None
    if person is None or person.must_change_password:
        return None
    refusals.name_actor(request, f"person:{person.pk}")
    if factors.has_factor(person) or factors.is_demanded(person):
        raise Refused("the account has a second factor, so that its password opens no machine door: use a key")
    refusals.name_asker(request, f"organisation:{person.organisation_id}")
    return Caller(person)


def _keys() -> QuerySet[Key]:
    return Key.objects.select_related("person__organisation__parent")


_BY_DIGEST = Question(lambda digest: _keys().filter(digest=digest), "digest")
_BY_NUMBER = Question(lambda number: _keys().filter(pk=number), -1)


def _refusal(key: Key, at: datetime, address: str | None, certificate: str) -> Refusal | None:
    """Why the key opens nothing; without an address, where it is used from is not asked."""
    at = judged_at(at)
    person = key.person
    word = admission.refusal_of(person, at)
    organisation_is_open = word not in admission.OF_ORGANISATION
    if word and organisation_is_open:  # What is the matter with the organisation is said before.
        organisation_is_open = not admission.refusal_of_organisation(person.organisation, at)
    bounds = Bounds(
        expires_at=key.expires_at, is_revoked=key.revoked_at is not None,
        person_is_active=not organisation_is_open or not word,
        organisation_is_active=organisation_is_open,
        has_moved=key.organisation_id != person.organisation_id,
        ranges=tuple(key.ranges) if address is not None else (),
        certificate=key.certificate, certificate_ends_at=key.certificate_ends_at,
    )  # fmt: skip
    return refusal(bounds, at, address or "", certificate)


def _note_refusal(key: Key, word: Refusal, address: str, at: datetime) -> None:
    """Of a stream of tries one each minute is noted: who has a stolen key shall not fill the log with it."""
    # A moment in the future was noted before the clock was set back.
    due = Q(refused_at=None) | Q(refused_at__lte=at - NOTED_EVERY) | Q(refused_at__gt=at)
    noted = {"refused_at": at, "refused_for": word.value, "refused_from": address[:45]}
    with transaction.atomic():
        if Key.objects.filter(due, pk=key.pk).update(**noted):
            record(key.person.login, "key.refused", f"key:{key.pk}", {"for": word.value, "address": address}, at=at)
