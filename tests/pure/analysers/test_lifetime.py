"""Lifetime: while nothing is seen it only falls, copies add nothing, every answer is the sum of its table entries."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.analysers import lifetime
from tocsin.analysers.contract import UNKNOWN
from tocsin.analysers.lifetime import AGAIN, INPUTS, Kind, Known

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ON = date(2026, 1, 2)
KINDS = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda pair: Kind(max(pair), min(pair)))
DAYS = st.sets(st.integers(-40, 120).map(lambda ago: ON - timedelta(days=ago)), max_size=60)
SIGHTINGS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), DAYS, max_size=4)


@given(SIGHTINGS, KINDS)
def test_while_nothing_is_seen_the_probability_never_rises(sightings: dict[str, set[date]], kind: Kind) -> None:
    if not lifetime.known_of(sightings, ON, kind).days_seen:
        with pytest.raises(ValueError, match="nothing was seen"):
            lifetime.fading(sightings, ON, kind, [0])
        return
    curve = lifetime.fading(sightings, ON, kind, range(120))
    assert all(later <= before for before, later in itertools.pairwise(curve))
    assert 0 < curve[-1] <= curve[0] < 1


@given(SIGHTINGS, KINDS, st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_copies_add_nothing(sightings: dict[str, set[date]], kind: Kind, copies: set[str]) -> None:
    alone = {source: days for source, days in sightings.items() if source not in copies}
    said = lifetime.known_of(sightings, ON, kind, dict.fromkeys(copies, "origin"))
    assert said == lifetime.known_of(alone, ON, kind)


@given(SIGHTINGS, KINDS)
def test_what_is_known_is_counted_as_plainly(sightings: dict[str, set[date]], kind: Kind) -> None:
    days = sorted({day for each in sightings.values() for day in each if day <= ON})
    known = lifetime.known_of(sightings, ON, kind)
    assert known.days_seen == len(days)
    assert known.days_seen_last30 == len([day for day in days if day > ON - timedelta(days=30)])
    if days:
        assert (known.age_days, known.idle_days) == ((ON - days[0]).days, (ON - days[-1]).days)


@given(SIGHTINGS, KINDS)
def test_a_finding_adds_up_and_is_the_same_each_time(sightings: dict[str, set[date]], kind: Kind) -> None:
    known = lifetime.known_of(sightings, ON, kind)
    finding = lifetime.explained("ipv4-addr--1", known, NOW)
    assert finding.digest == lifetime.explained("ipv4-addr--1", known, NOW).digest
    if not known.days_seen or kind.known < lifetime.LEAST_OF_KIND:
        assert (finding.is_unknown, finding.best.probability, len(finding.hypotheses)) == (True, None, 1)
        assert {"never-seen", "kind-without-history"} & set(finding.notes)
        return
    again = next(each for each in finding.hypotheses if each.answer == AGAIN)
    assert sum(each.weight for each in again.evidence) == pytest.approx(again.score)
    assert again.probability == pytest.approx(1 / (1 + math.exp(-again.score)))
    assert [each.value for each in again.evidence[: len(INPUTS)]] == [f"{each:g}" for each in known.inputs]
    assert ("sources-not-weighed" in finding.notes) == (len(known.sources) > 1)
    assert math.fsum(each.probability or 0 for each in finding.hypotheses) == pytest.approx(1)


def test_the_tables_that_ship_go_the_way_they_must() -> None:
    rows = np.asarray([[idle, recent, share / 20] for idle in range(200) for recent in (0, 9, 30) for share in (0, 9)])
    likely = lifetime.probabilities(rows).reshape(200, 3, 2)
    assert (np.diff(likely, axis=0) <= 0).all()
    assert (np.diff(likely, axis=1) >= 0).all()
    assert (np.diff(likely, axis=2) >= 0).all()
    # They tell apart what any reader would.
    assert likely[0, 2, 1] > 0.9
    assert likely[80, 0, 0] < 0.05


def test_a_kind_that_is_no_longer_collected_weighs_against() -> None:
    days = {"a": [ON - timedelta(days=each) for each in range(3, 30)]}
    alive, silent = (
        lifetime.explained("x", lifetime.known_of(days, ON, Kind(100, fresh)), NOW).hypotheses for fresh in (80, 0)
    )
    of = {place: next(each for each in found if each.answer == AGAIN) for place, found in ((1, alive), (2, silent))}
    assert (of[1].probability or 0) > (of[2].probability or 0)
    assert "share-of-kind-still-seen" in [each.what for each in of[2].against_it]


def test_it_says_where_nothing_was_measured() -> None:
    finding = lifetime.explained("x", Known(400, 200, 12, 0, Kind(50, 20), ("a",)), NOW)
    assert finding.notes == ("idle-beyond-what-was-measured",)
    assert finding.hypotheses[-1].answer == UNKNOWN


@pytest.mark.parametrize("numbers", [(3, 5, 1, 0), (9, 5, 9, 0), (9, 5, 2, 3), (9, -1, 2, 1)])
def test_what_cannot_be_is_refused(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="it was"):
        Known(*numbers, Kind(9, 3))
    with pytest.raises(ValueError, match="more indicators"):
        Kind(1, 2)


def test_the_formula_of_the_peer() -> None:
    # Worked by hand: lifetime 120 days, speed 2: after 30 days half is left, after 120 days nothing.
    assert lifetime.by_formula([0, 30, 120, 400], 120, 2).tolist() == pytest.approx([1, 0.5, 0, 0])
