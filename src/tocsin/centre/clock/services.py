"""How late it surely is: kept by rounds, asked wherever something ends.

The machine's clock can be set back by a flat battery, a wrong server of time or a hand; then what was over must not
come back. So the rounds keep the latest moment that was surely reached, each process goes on from it by the monotonic
clock, which nobody sets, and what ends is judged by the later of both. A clock that jumps far ahead closes what it says
is over, but moves nothing that is kept, and rounds, which end things for good, go by what is known until a person said
that it is right.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from tocsin.centre.audit.services import record

from . import rules
from .models import Clock
from .rules import Reading

ROW = 1
REMEMBERED_SECONDS = 5.0
"""How long a process goes by what it read last."""
WRITTEN_EVERY = timedelta(seconds=10)
"""How exactly the latest moment is kept; a row is not written at each round of each worker."""
SUBJECT = "clock:installation"


@dataclass(frozen=True, slots=True)
class _Known:
    """What this process read, and when by the monotonic clock."""

    latest_at: datetime | None
    turns: int
    held_from: float
    read_at: float

    def latest(self, seconds: float) -> datetime | None:
        """How late it surely is at that monotonic moment: what was read, and what went by since."""
        return None if self.latest_at is None else self.latest_at + timedelta(seconds=seconds - self.held_from)


class Standing(NamedTuple):
    """How the machine's clock stands to what is known, for people."""

    reading: Reading
    latest_at: datetime | None
    noticed_at: datetime | None


_known: _Known | None = None


def judged_at(at: datetime) -> datetime:
    """The moment by which it is judged whether something is over: what the clock says, or what is known, if later."""
    latest = _latest()
    return at if latest is None or at >= latest else latest


def judged_on(day: date) -> date:
    """The same for whole days in UTC."""
    latest = _latest()
    return day if latest is None else max(day, latest.astimezone(UTC).date())


def known_at(at: datetime) -> datetime:
    """The moment for what cannot be undone, and for what is to hold or to run from now on whatever becomes of the
    clock: what it says while nobody doubts it, else what is known."""
    latest = _latest()
    return at if latest is None else rules.later(at, latest)


def note(now: datetime) -> datetime:
    """A round came by while the machine's clock said `now`: the moment that its work goes by (`known_at`). The first to
    find the clock otherwise than before enters that in the log."""
    with transaction.atomic():
        _forget()
        latest = _latest()
        if latest is None:
            Clock.objects.get_or_create(pk=ROW, defaults={"latest_at": now})
            _forget()
            return now
        row = Clock.objects.get(pk=ROW)
        found, later = rules.reading(now, latest), rules.later(now, latest)
        same = Clock.objects.filter(pk=ROW, turns=row.turns)
        if later - row.latest_at >= WRITTEN_EVERY:
            same.filter(latest_at__lt=later).update(latest_at=later)
        if found != row.reading:
            noticed_at = None if found is Reading.AGREES else now
            if same.filter(reading=row.reading).update(reading=found.value, noticed_at=noticed_at):
                facts = {"machine": now.isoformat(), "known": latest.isoformat()}
                record("system", f"clock.{found}", SUBJECT, facts, at=now)
    return later


def standing(at: datetime) -> Standing:
    """How a clock that says `at` stands."""
    latest = _latest()
    found = Reading.AGREES if latest is None else rules.reading(at, latest)
    noticed_at = Clock.objects.filter(pk=ROW, reading=found.value).values_list("noticed_at", flat=True).first()
    return Standing(found, latest, noticed_at)


@transaction.atomic
def confirm(*, by: str, at: datetime) -> Standing:
    """Somebody says that the machine's clock, which says `at`, is right: it counts from now on, whichever way it went.
    Gives how it stood before."""
    before = standing(at)
    kept = {"latest_at": at, "reading": Clock.Reading.AGREES, "noticed_at": None}
    if not Clock.objects.filter(pk=ROW).update(turns=F("turns") + 1, **kept):
        Clock.objects.create(pk=ROW, **kept)
    facts = {"machine": at.isoformat(), "known": before.latest_at.isoformat() if before.latest_at else ""}
    record(by, "clock.confirmed", SUBJECT, facts, at=at)
    _forget()
    return before


def _latest() -> datetime | None:
    """How late it surely is; None before the first round of all."""
    global _known
    seconds, known = time.monotonic(), _known
    if known is None or seconds - known.read_at >= REMEMBERED_SECONDS:
        known = _known = _read(known, seconds)
    return known.latest(seconds)


def _read(known: _Known | None, seconds: float) -> _Known:
    """What the database knows, unless this process has counted on to a later moment since it asked last."""
    latest_at, turns = Clock.objects.filter(pk=ROW).values_list("latest_at", "turns").first() or (None, 0)
    counted = known.latest(seconds) if known is not None and known.turns == turns else None
    if known is not None and latest_at is not None and counted is not None and counted >= latest_at:
        return replace(known, read_at=seconds)
    return _Known(latest_at, turns, seconds, seconds)


def _forget() -> None:
    """Ask the database anew; what this process counted on to stays."""
    global _known
    if _known is not None:
        _known = replace(_known, read_at=float("-inf"))
