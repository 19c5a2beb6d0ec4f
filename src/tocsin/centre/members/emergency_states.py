"""The life of an emergency access: asked for by one, approved by another, open for hours, over. Pure.

No single person opens one: the one who asks is the one it is for, and never the one who approves. That it lapses or is
over is decided by nobody: it is worked out from its moments, each time anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

HOURS_MOST = 4
WAITS = timedelta(hours=1)
"""How long a second person may approve what was asked for."""
ACCOUNT_SETTLES = timedelta(days=30)
"""Whose account the asker made or changed within this time cannot approve: it might be the asker's own."""


class Standing(StrEnum):
    """How it stands at a moment. Only `open` opens anything."""

    ASKED = "asked"
    OPEN = "open"
    LAPSED = "lapsed"  # Nobody approved in time.
    OVER = "over"  # Its hours went by.
    ENDED = "ended"  # Somebody ended it, or took the request back.


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides. People stand as numbers; 0 is nobody."""

    asked_by: int
    asked_at: datetime
    hours: int
    approved_by: int = 0
    approved_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        """When it is over at the latest; before it is approved, when it lapses."""
        if self.approved_at is None:
            return self.asked_at + WAITS
        return self.approved_at + timedelta(hours=min(self.hours, HOURS_MOST))


def standing(facts: Facts, now: datetime) -> Standing:
    """How it stands. A clock that was set back behind its beginning opens nothing."""
    if facts.ended_at is not None:
        return Standing.ENDED
    if facts.approved_at is None:
        return Standing.ASKED if facts.asked_at <= now < facts.ends_at else Standing.LAPSED
    is_by_two = facts.approved_by not in {0, facts.asked_by}
    in_time = facts.asked_at <= facts.approved_at < facts.asked_at + WAITS
    return Standing.OPEN if is_by_two and in_time and facts.approved_at <= now < facts.ends_at else Standing.OVER


def opens_for(facts: Facts, person: int, now: datetime) -> bool:
    """Whether it opens something to this person at this moment."""
    return person != 0 and person == facts.asked_by and standing(facts, now) is Standing.OPEN


def missing_to_approve(facts: Facts, person: int, *, may_approve: bool, is_settled: bool, now: datetime) -> str:
    """Why this person cannot approve it now; empty: the person can."""
    checks = (
        ("role", may_approve),
        ("waiting", standing(facts, now) is Standing.ASKED),
        ("second-person", person not in {0, facts.asked_by}),
        ("settled-account", is_settled),
    )
    return next((name for name, holds in checks if not holds), "")
