"""How a machine's clock stands to what is known of the time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

MOST_AHEAD = timedelta(days=1)
"""So far the clock may be ahead of what is known and is believed: nothing ran for a night, or a little was wrong."""
MOST_BEHIND = timedelta(minutes=2)
"""So far machines may differ, and a clock may be corrected, without anybody being told."""


class Reading(StrEnum):
    """What the clock says, beside what is known."""

    AGREES = "agrees"
    AHEAD = "ahead"
    """Nothing ran for long, the database is an old backup, or the clock is wrong: a person has to say which."""
    BEHIND = "behind"
    """It was set back: time goes on from what is known."""


def reading(now: datetime, latest: datetime) -> Reading:
    """How a clock that says `now` stands to the latest moment that was surely reached."""
    if now > latest + MOST_AHEAD:
        return Reading.AHEAD
    return Reading.BEHIND if now < latest - MOST_BEHIND else Reading.AGREES


def later(now: datetime, latest: datetime) -> datetime:
    """The latest moment that was surely reached, once a clock said `now`: never earlier than before, and not moved by a
    clock that is in doubt."""
    return latest if reading(now, latest) is Reading.AHEAD else max(now, latest)
