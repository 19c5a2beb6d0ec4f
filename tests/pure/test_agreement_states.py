"""The life of an agreement: no walk reaches force without its guards, and what holds follows from the day alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.centre.members.agreement_states import (
    EDITABLE,
    MOVES,
    PAGE_ONLY,
    PREPARATION,
    RUNNING,
    Basis,
    Facts,
    Standing,
    State,
    clean_fingerprint,
    days_left,
    missing,
    refusal,
    standing,
)

START = date(2026, 1, 1)
DAYS = st.integers(-40, 400).map(lambda days: START + timedelta(days=days))
PEOPLE = st.sampled_from(["paula", "ada"])
MOMENTS = st.integers(-40 * 86_400, 400 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
READY = Facts(
    state=State.SIGNED, starts_on=START, ends_on=date(2026, 12, 31), vetted_by="paula", vetted_until=date(2027, 6, 30),
    signed_for_centre="Paula Stone", signed_for_centre_on=START, signed_for_partner="Pia Novak",
    signed_for_partner_on=START, key_fingerprint=PAGE_ONLY, security_contact="soc@northwind.example",
)  # fmt: skip
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def edits() -> st.SearchStrategy[tuple[str, dict[str, object]]]:
    """A part of the agreement and what somebody writes there."""
    words = st.sampled_from(["", " ", "somebody"])
    maybe = st.none() | DAYS
    return st.one_of(
        st.tuples(st.just("terms"), st.fixed_dictionaries({"starts_on": maybe, "ends_on": maybe})),
        st.tuples(st.just("vetting"), st.fixed_dictionaries({"vetted_by": PEOPLE, "vetted_until": DAYS})),
        st.tuples(
            st.just("signatures"),
            st.fixed_dictionaries(
                {"signed_for_centre": words, "signed_for_centre_on": maybe, "signed_for_partner": words,
                 "signed_for_partner_on": maybe}
            ),
        ),
        st.tuples(
            st.just("security"),
            st.fixed_dictionaries({"key_fingerprint": st.sampled_from(["", PAGE_ONLY]), "security_contact": words}),
        ),
    )  # fmt: skip


STEPS = st.one_of(
    st.tuples(st.just("edit"), edits()),
    st.tuples(st.just("move"), st.tuples(st.sampled_from(list(State)), PEOPLE)),
    st.tuples(st.just("wait"), st.integers(-5, 120)),
)


def _is_ready(facts: Facts, today: date, by: str) -> bool:
    """What an active agreement must have, said a second time and plainly."""
    return (
        facts.vetted_by not in {"", by}
        and facts.vetted_until is not None and facts.vetted_until >= today
        and facts.starts_on is not None
        and (facts.ends_on is None or (facts.ends_on >= facts.starts_on and facts.ends_on >= today))
        and facts.signed_for_centre != "" and facts.signed_for_partner != ""
        and facts.signed_for_centre_on is not None and facts.signed_for_centre_on <= today
        and facts.signed_for_partner_on is not None and facts.signed_for_partner_on <= today
        and facts.key_fingerprint != "" and facts.security_contact.strip() != ""
    )  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    first=st.sampled_from([Facts(), READY, replace(READY, state=State.SUSPENDED), Facts(state=State.NEGOTIATED)]),
    steps=st.lists(STEPS, max_size=40),
)
def test_no_walk_reaches_force_without_its_guards(first: Facts, steps: list[tuple[str, object]]) -> None:
    facts, now = first, NOON
    for kind, what in steps:
        if kind == "wait":
            now += timedelta(days=what)  # type: ignore[arg-type]
        elif kind == "edit":
            part, values = what  # type: ignore[misc]
            if facts.state in EDITABLE[part]:
                facts = replace(facts, **values)
        else:
            to, by = what  # type: ignore[misc]
            if to not in MOVES[facts.state] or missing(facts, to, now, by):
                continue
            assert to != State.ACTIVE or _is_ready(facts, now.date(), by)
            facts = replace(facts, state=to)
        if standing(facts, now) == Standing.IN_FORCE:
            assert facts.state == State.ACTIVE
            assert (facts.vetted_until or date.min) >= now.date()


def test_the_road_is_walked_in_its_order_and_nothing_leaves_the_end() -> None:
    road = [State.EXPLORED, State.VETTING, State.NEGOTIATED, State.SIGNED, State.ACTIVE]
    for place, state in enumerate(road[:-1]):
        assert set(MOVES[state]) == {road[place + 1], State.TERMINATED}
    assert set(MOVES[State.ACTIVE]) == {State.SUSPENDED, State.TERMINATED}
    assert set(MOVES[State.SUSPENDED]) == {State.ACTIVE, State.TERMINATED}
    assert MOVES[State.TERMINATED] == {}
    assert set(MOVES) == PREPARATION | RUNNING | {State.TERMINATED} == set(State)
    with pytest.raises(KeyError):
        missing(Facts(), State.ACTIVE, NOON)


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({}, ()),
        ({"vetted_by": ""}, ("vetting",)),
        ({"vetted_until": date(2026, 5, 31)}, ("vetting",)),
        ({"vetted_until": date(2026, 6, 1)}, ()),
        ({"starts_on": None}, ("term",)),
        ({"ends_on": date(2025, 12, 31)}, ("term", "not-over")),
        ({"ends_on": date(2026, 6, 1)}, ()),
        ({"signed_for_centre_on": date(2026, 6, 2)}, ("signature-centre",)),
        ({"signed_for_partner": ""}, ("signature-partner",)),
        ({"key_fingerprint": ""}, ("key-ceremony",)),
        ({"security_contact": " "}, ("security-contact",)),
        ({"vetted_by": "ada"}, ("second-person",)),
    ],
)
def test_what_is_missing_for_force_is_named(change: dict[str, object], lacking: tuple[str, ...]) -> None:
    assert missing(replace(READY, **change), State.ACTIVE, NOON, "ada") == lacking
    assert missing(replace(READY, **change, state=State.SUSPENDED), State.ACTIVE, NOON, "ada") == lacking


def test_what_was_taken_over_resumes_only_by_the_procedure_and_public_sources_by_a_word() -> None:
    taken = Facts(state=State.SUSPENDED, basis=Basis.TAKEN_OVER)
    assert set(missing(taken, State.ACTIVE, NOON, "ada")) == {
        "vetting", "signature-centre", "signature-partner", "key-ceremony", "security-contact",
    }  # fmt: skip
    assert missing(replace(taken, basis=Basis.PUBLIC), State.ACTIVE, NOON, "ada") == ()
    over = replace(taken, basis=Basis.PUBLIC, ends_on=date(2026, 5, 31))
    assert missing(over, State.ACTIVE, NOON, "ada") == ("not-over",)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2025-12-31T23:59:59.999999+00:00", Standing.NOT_BEGUN),
        ("2026-01-01T00:00:00+00:00", Standing.IN_FORCE),
        ("2026-12-31T23:59:59.999999+00:00", Standing.IN_FORCE),
        ("2027-01-01T00:00:00+00:00", Standing.EXPIRED),
        ("2027-01-01T00:59:59+01:00", Standing.IN_FORCE),
        ("2026-12-31T19:00:00-05:00", Standing.EXPIRED),
    ],
)
def test_the_last_day_counts_whole_in_utc(moment: str, expected: Standing) -> None:
    assert standing(replace(READY, state=State.ACTIVE), datetime.fromisoformat(moment)) == expected


def test_a_vetting_that_lapses_holds_the_agreement_up_and_a_new_one_lets_it_go_on() -> None:
    active = replace(READY, state=State.ACTIVE, vetted_until=date(2026, 3, 1))
    assert standing(active, datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)) == Standing.IN_FORCE
    assert standing(active, datetime(2026, 3, 2, tzinfo=UTC)) == Standing.VETTING_LAPSED
    assert refusal([active], datetime(2026, 3, 2, tzinfo=UTC)) == "agreement-not-in-force"
    assert standing(replace(active, vetted_until=date(2026, 9, 1)), NOON) == Standing.IN_FORCE
    assert standing(replace(active, vetted_until=None), NOON) == Standing.VETTING_LAPSED


@given(
    facts=st.builds(Facts, state=st.sampled_from(list(State)), basis=st.sampled_from(list(Basis)),
                    starts_on=st.none() | DAYS, ends_on=st.none() | DAYS, vetted_until=st.none() | DAYS),
    at=MOMENTS, hours=st.integers(-12, 14),
)  # fmt: skip
def test_force_is_a_function_of_state_and_day_whatever_the_clock_of_the_reader(
    facts: Facts, at: datetime, hours: int
) -> None:
    today = at.date()
    expected = (
        facts.state == "active"
        and (facts.starts_on or today) <= today <= (facts.ends_on or today)
        and today <= (facts.vetted_until or (date.min if facts.basis == "procedure" else today))
    )
    assert (standing(facts, at) == Standing.IN_FORCE) is expected
    assert standing(facts, at.astimezone(timezone(timedelta(hours=hours)))) == standing(facts, at)
    assert (refusal([facts], at) == "") is expected


def test_one_agreement_in_force_is_enough_and_the_reason_says_what_happened() -> None:
    over = replace(READY, state=State.ACTIVE, ends_on=date(2026, 1, 31))
    running = replace(READY, state=State.ACTIVE)
    for others in ([], [over], [over, Facts(state=State.TERMINATED)]):
        assert refusal([*others, running], NOON) == ""
    assert refusal([over, Facts()], NOON) == "agreement-expired"
    assert refusal([over, replace(running, state=State.SUSPENDED)], NOON) == "agreement-not-in-force"
    assert refusal([over, replace(running, starts_on=date(2026, 7, 1))], NOON) == "agreement-not-in-force"
    assert refusal([], NOON) == "agreement-not-in-force"


def test_days_left_and_fingerprints() -> None:
    assert days_left(READY, datetime(2026, 12, 31, 23, tzinfo=UTC)) == 0
    assert days_left(READY, datetime(2027, 1, 1, tzinfo=UTC)) == -1
    assert days_left(Facts(), NOON) is None
    digits = "0123456789abcdef0123456789ABCDEF01234567"
    grouped = " ".join(digits[place : place + 4] for place in range(0, 40, 4))
    assert clean_fingerprint(grouped) == clean_fingerprint(digits) == digits.upper()
    pairs = ":".join(["ab"] * 32)
    assert clean_fingerprint(f"SHA256:{pairs}") == "AB" * 32
    assert clean_fingerprint(" Page-Only ") == PAGE_ONLY
    for wrong in ("", "none", digits[:-1], digits + "0", "g" * 40):
        assert clean_fingerprint(wrong) == ""
