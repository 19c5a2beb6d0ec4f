"""How much one person, key or organisation may ask for in a quarter of an hour: look-ups, downloads, deliveries.

Every process counts in memory and settles with the database each time a twentieth of the limit is spent, so that a
page costs no row written. Beside one another, processes may therefore together pass a limit by a twentieth each.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import F

from .models import Guesses, Organisation, Person
from .sessions import WINDOW_MINUTES

SETTLED_PARTS = 20
COUNTS_MOST = 20_000
_WINDOW_SECONDS = WINDOW_MINUTES * 60


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

    @property
    def minutes(self) -> int:
        return -(-self.seconds // 60)


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
    _spend(who, person.pk if person.through is None else person.through.pk, kind, at, cost)


def spend_of(organisation: Organisation, kind: Kind, at: datetime, cost: int = 1) -> None:
    """The same for all who act for an organisation together; with a cost of 0, whether anything is left."""
    _spend("organisation", organisation.pk, kind, at, cost)


def _spend(who: str, number: int, kind: Kind, at: datetime, cost: int) -> None:
    allowed = int(settings.INSTALLATION.limits[f"{who}_{kind}"])
    if not allowed:
        return
    window = int(at.timestamp()) // _WINDOW_SECONDS
    subject = f"limit:{kind}:{who}:{number}"
    with _lock:
        count = _counts.get(subject)
        if count is None or count.window != window:
            if len(_counts) >= COUNTS_MOST:
                _counts.clear()  # What was not settled is lost, in favour of who asks.
            count = _counts[subject] = _Count(window)
        if count.settled + count.waiting + max(1, cost) > allowed and not _is_first(count, kind):
            raise TooOften((window + 1) * _WINDOW_SECONDS - int(at.timestamp()))
        count.waiting += cost
        if count.waiting < max(1, allowed // SETTLED_PARTS):
            return
        owed, count.waiting = count.waiting, 0
        count.settled += owed  # Until the database says how much it is.
    total = _settled(f"{subject}:{window}", owed, window)
    with _lock:
        count.settled = max(count.settled, total)
    if total - owed >= allowed:  # Others have spent it all already.
        raise TooOften((window + 1) * _WINDOW_SECONDS - int(at.timestamp()))


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
