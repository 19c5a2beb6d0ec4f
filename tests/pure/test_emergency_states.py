"""No single person ever opens an emergency access, however the steps are mixed and wherever the clock goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.centre.members.emergency_states import (
    HOURS_MOST,
    WAITS,
    Facts,
    Standing,
    missing_to_approve,
    opens_for,
    standing,
)

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
ASKED = Facts(asked_by=1, asked_at=AT, hours=2)
OPEN = replace(ASKED, approved_by=2, approved_at=AT + timedelta(minutes=10))
PEOPLE = st.integers(0, 3)
MOMENTS = st.integers(-600, 600).map(lambda minutes: AT + timedelta(minutes=minutes))
ROWS = st.builds(
    Facts,
    asked_by=PEOPLE,
    asked_at=MOMENTS,
    hours=st.integers(-1, 40),
    approved_by=PEOPLE,
    approved_at=st.none() | MOMENTS,
    ended_at=st.none() | MOMENTS,
)


@given(ROWS, PEOPLE, MOMENTS)
def test_whatever_the_row_says_it_opens_for_the_asker_with_another_and_for_hours(
    facts: Facts, person: int, now: datetime
) -> None:
    if not opens_for(facts, person, now):
        return
    assert person == facts.asked_by != facts.approved_by
    assert 0 not in {person, facts.approved_by}
    assert facts.approved_at is not None
    assert facts.ended_at is None
    assert facts.asked_at <= facts.approved_at <= now < facts.approved_at + timedelta(hours=HOURS_MOST)


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "approve", "end", "wait"]), PEOPLE, st.booleans()), max_size=12)


@given(STEPS, st.integers(1, 4), st.integers(1, 90))
def test_one_person_alone_never_opens_one(steps: list[tuple[str, int, bool]], hours: int, minutes: int) -> None:
    """Every mix of steps is walked, as the rules let it; who opened it is looked at whenever it is open."""
    now, facts, acted = AT, None, set()
    for step, person, has_role in steps:
        now += timedelta(minutes=minutes)
        if step == "ask" and person and (facts is None or standing(facts, now) is not Standing.OPEN):
            facts, acted = Facts(person, now, hours), {person}
        elif step == "approve" and facts is not None:
            if not missing_to_approve(facts, person, may_approve=has_role, is_settled=True, now=now):
                assert has_role
                facts = replace(facts, approved_by=person, approved_at=now)
                acted.add(person)
        elif step == "end" and facts is not None and facts.ended_at is None:
            facts = replace(facts, ended_at=now)
        if facts is not None and standing(facts, now) is Standing.OPEN:
            assert len(acted) == 2
            assert {who for who in range(4) if opens_for(facts, who, now)} == {facts.asked_by}
            assert standing(facts, now + timedelta(hours=HOURS_MOST)) is Standing.OVER
            assert standing(replace(facts, ended_at=now), now) is Standing.ENDED


@pytest.mark.parametrize(
    ("facts", "minutes", "expected"),
    [
        (ASKED, 0, Standing.ASKED),
        (ASKED, 59, Standing.ASKED),
        (ASKED, 60, Standing.LAPSED),
        (ASKED, -1, Standing.LAPSED),
        (OPEN, 9, Standing.OVER),  # The clock was set back behind the approval.
        (OPEN, 10, Standing.OPEN),
        (OPEN, 129, Standing.OPEN),
        (OPEN, 130, Standing.OVER),
        (replace(OPEN, hours=40), 250, Standing.OVER),
        (replace(OPEN, ended_at=AT), 11, Standing.ENDED),
        (replace(OPEN, approved_by=1), 11, Standing.OVER),
        (replace(OPEN, approved_at=AT + WAITS), 61, Standing.OVER),
    ],
    ids=str,
)
def test_how_it_stands(facts: Facts, minutes: int, expected: Standing) -> None:
    assert standing(facts, AT + timedelta(minutes=minutes)) is expected


def test_what_is_missing() -> None:
    def said(facts: Facts = ASKED, person: int = 2, may: bool = True, settled: bool = True, minutes: int = 5) -> str:
        now = AT + timedelta(minutes=minutes)
        return missing_to_approve(facts, person, may_approve=may, is_settled=settled, now=now)

    assert said() == ""
    assert said(person=1) == "second-person"
    assert said(person=0) == "second-person"
    assert said(may=False) == "role"
    assert said(settled=False) == "settled-account"
    assert said(minutes=60) == said(facts=OPEN) == "waiting"
