"""Deadlines count from the recorded receipt, in UTC, whatever clock the reader or the sender goes by (I9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.centre.reach.rules import NORMAL, URGENT, due_at
from tocsin.centre.recall.rules import answer_by, undo_by
from tocsin.handling import retention

ZONES = ("Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati")
CHANGES = (
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 4, 5, 3, tzinfo=UTC),
)
"""When clocks are set forward and back."""
MOMENTS = st.builds(
    lambda change, minutes: change + timedelta(minutes=minutes), st.sampled_from(CHANGES), st.integers(-6_000, 6_000)
)
DEADLINES: dict[str, Callable[[datetime], datetime]] = {
    "acknowledged": lambda at: due_at(at, None),
    "reminded": lambda at: due_at(at, None, "remind"),
    "urgent": lambda at: due_at(at, at),
    "recalled": answer_by,
    "undone": undo_by,
    "over": lambda at: retention.expires_at(at, 12),
}


@pytest.mark.parametrize("name", DEADLINES)
@settings(max_examples=30)
@given(at=MOMENTS, zone=st.sampled_from(ZONES))
def test_i9_a_deadline_is_the_same_moment_by_every_clock(name: str, at: datetime, zone: str) -> None:
    deadline = DEADLINES[name]
    assert deadline(at.astimezone(ZoneInfo(zone))).astimezone(UTC) == deadline(at)


@given(at=MOMENTS, later=st.integers(0, 10_000))
def test_i9_the_time_is_as_long_as_was_said(at: datetime, later: int) -> None:
    called_at = at + timedelta(minutes=later)
    assert due_at(at, None) - at == NORMAL.overdue
    assert due_at(at, called_at) == min(at + NORMAL.overdue, called_at + URGENT.overdue)
    assert retention.expires_at(at, 12).time() == datetime.min.time()
