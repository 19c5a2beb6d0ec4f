"""When an acknowledgement is wanted, and how far somebody is (DOMAIN 4.6, SM-2). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Timer:
    """After how long a recipient is reminded, and when an acknowledgement is overdue."""

    remind: timedelta
    overdue: timedelta


NORMAL = Timer(remind=timedelta(hours=48), overdue=timedelta(hours=72))
URGENT = Timer(remind=timedelta(hours=2), overdue=timedelta(hours=4))
CHASED_FOR = timedelta(days=30)
"""What is older is chased no more; what was escalated stays on the desk until it is closed."""

ASKED_FOR_OUTCOME = timedelta(days=210)
"""What is older is asked about no more."""


class Stage(StrEnum):
    """How far a recipient is."""

    OFFERED = "offered"
    FETCHED = "fetched"
    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    NO_ACTION = "no-action"
    ACTED = "acted"


def due_at(offered_at: datetime, urgent_at: datetime | None, timer: str = "overdue") -> datetime:
    """When the time is over: counted from the recorded moment in UTC, never from what a document says of itself (I9).

    Whoever calls it urgent starts the short time, and never lengthens the long one.
    """
    # A sum in a zone whose clock is set meanwhile would come out an hour off.
    offered_at = offered_at.astimezone(UTC)
    normal: datetime = offered_at + getattr(NORMAL, timer)
    if urgent_at is None:
        return normal
    short: datetime = max(offered_at, urgent_at.astimezone(UTC)) + getattr(URGENT, timer)
    return min(normal, short)


def stage_of(*, has_fetched: bool, has_opened: bool, has_acknowledged: bool, outcome: str) -> Stage:
    """The furthest step."""
    if outcome:
        return Stage(outcome)
    if has_acknowledged:
        return Stage.ACKNOWLEDGED
    if has_opened:
        return Stage.OPENED
    return Stage.FETCHED if has_fetched else Stage.OFFERED
