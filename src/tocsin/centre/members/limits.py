"""How much one person, key or organisation may ask for in a quarter of an hour: look-ups, downloads, deliveries.

Every process counts in memory and settles with the database each time a twentieth of the limit is spent, so that a
page costs no row written. Beside one another, processes may therefore together pass a limit by a twentieth each.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import F
from django.http import HttpResponse

from .models import Guesses, Organisation, Person
from .sessions import WINDOW_MINUTES

SETTLED_PARTS = 20
COUNTS_MOST = 20_000
_WINDOW_SECONDS = WINDOW_MINUTES * 60
AT_ONCE = ("organisation_uploads", "organisation_waiting", "organisation_waiting_megabytes")
"""Limits on what is under way or waits, whenever it came."""


class Kind(StrEnum):
    """What is counted."""

    LOOKUPS = "lookups"  # Values and names, each on its own.
    DOWNLOADS = "downloads"
    REQUESTS = "requests"  # Every page and every call of a machine door.
    DELIVERIES = "deliveries"  # Of an organisation, by whichever door.
    MEGABYTES = "megabytes"


@dataclass
class TooOften(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """The limit is reached until so many seconds have passed."""

    seconds: int
    name: str = ""
    """Which, as below `[limits]`; with whose it is and how much it lets."""
    organisation: int = 0
    most: int = 0

    @property
    def minutes(self) -> int:
        return -(-self.seconds // 60)

    def tell(self, response: HttpResponse) -> None:
        """Say in headers when to come again, and what the limit is (draft-ietf-httpapi-ratelimit-headers)."""
        response["Retry-After"] = str(self.seconds)
        if self.name:
            policy = self.name.replace("_", "-")
            within = "" if self.name in AT_ONCE else f";w={_WINDOW_SECONDS}"
            response["RateLimit-Policy"] = f'"{policy}";q={self.most}{within}'
            response["RateLimit"] = f'"{policy}";r=0;t={self.seconds}'


@dataclass(slots=True)
class _Count:
    """What this process knows of one who asks, in one window."""

    window: int
    settled: int = 0
    """What the database said last: of all processes."""
    waiting: int = 0
    """Spent here since then."""


_counts: dict[str, _Count] = {}
_lock = threading.Lock()


def spend(person: Person, kind: Kind, at: datetime, cost: int = 1) -> None:
    """Count what is about to be done; all of it or nothing. Raises TooOften where the limit does not hold so much."""
    who = "person" if person.through is None else "key"
    number = person.pk if person.through is None else person.through.pk
    _spend(who, number, person.organisation, kind, at, cost)


def spend_of(organisation: Organisation, kind: Kind, at: datetime, cost: int = 1) -> None:
    """The same for all who act for an organisation together; with a cost of 0, whether anything is left."""
    _spend("organisation", organisation.pk, organisation, kind, at, cost)


def allowed(organisation: Organisation, name: str) -> int:
    """How much the limit lets this organisation, or each of its people and keys: what was set for it, or what the
    settings say. 0: there is none."""
    own = organisation.limits.get(name)
    return int(settings.INSTALLATION.limits[name]) if own is None else int(own)


def used(kind: Kind, who: str, numbers: Iterable[int], at: datetime) -> dict[int, int]:
    """How much of it each has asked for in this quarter of an hour, as far as processes have told one another; those
    that asked for nothing are left out."""
    window = int(at.timestamp()) // _WINDOW_SECONDS
    subjects = {f"limit:{kind}:{who}:{number}": number for number in numbers}
    said = {f"{subject}:{window}": number for subject, number in subjects.items()}
    found = {
        said[subject]: tries
        for subject, tries in Guesses.objects.filter(subject__in=said).values_list("subject", "tries")
    }
    with _lock:
        for subject, number in subjects.items():
            count = _counts.get(subject)
            if count is not None and count.window == window and count.settled + count.waiting:
                found[number] = max(found.get(number, 0), count.settled) + count.waiting
    return found


def _spend(who: str, number: int, organisation: Organisation, kind: Kind, at: datetime, cost: int) -> None:
    name = f"{who}_{kind}"
    most = allowed(organisation, name)
    if not most:
        return
    window = int(at.timestamp()) // _WINDOW_SECONDS
    subject = f"limit:{kind}:{who}:{number}"
    with _lock:
        count = _counts.get(subject)
        if count is None or count.window != window:
            if len(_counts) >= COUNTS_MOST:
                _counts.clear()  # What was not settled is lost, in favour of who asks.
            count = _counts[subject] = _Count(window)
        if count.settled + count.waiting + max(1, cost) > most and not _is_first(count, kind):
            raise TooOften((window + 1) * _WINDOW_SECONDS - int(at.timestamp()), name, organisation.pk, most)
        count.waiting += cost
        if count.waiting < max(1, most // SETTLED_PARTS):
            return
        owed, count.waiting = count.waiting, 0
        count.settled += owed  # Until the database says how much it is.
    total = _settled(f"{subject}:{window}", owed, window)
    with _lock:
        count.settled = max(count.settled, total)
    if total - owed >= most:  # Others have spent it all already.
        raise TooOften((window + 1) * _WINDOW_SECONDS - int(at.timestamp()), name, organisation.pk, most)


def _is_first(count: _Count, kind: Kind) -> bool:
    """Something larger than all that is allowed at once would never be."""
    return kind is Kind.MEGABYTES and not count.settled and not count.waiting


def _settled(subject: str, owed: int, window: int) -> int:
    """Add what this process spent to what all have; give the sum."""
    began_at = datetime.fromtimestamp(window * _WINDOW_SECONDS, UTC)
    Guesses.objects.filter(began_at__lte=began_at - timedelta(seconds=_WINDOW_SECONDS)).delete()
    Guesses.objects.bulk_create([Guesses(subject=subject, began_at=began_at)], ignore_conflicts=True)
    mine = Guesses.objects.filter(subject=subject)
    mine.update(tries=F("tries") + owed)
    return mine.values_list("tries", flat=True).first() or owed
