"""What holds for the finding of any analyser."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.analysers.contract import DIGITS, UNKNOWN, Evidence, Finding, Hypothesis, ranked, softmax

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
EVIDENCE = st.builds(
    Evidence,
    st.sampled_from(["shared-domain", "technique"]),
    st.text(max_size=8),
    st.floats(-9, 9, allow_nan=False),
    st.lists(st.text(max_size=3), max_size=2).map(tuple),
)


@st.composite
def hypotheses(draw: st.DrawFn) -> tuple[Hypothesis, ...]:
    answers = [UNKNOWN, *draw(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=5))]
    scores = draw(st.lists(st.floats(-30, 30), min_size=len(answers), max_size=len(answers)))
    evidence = [tuple(draw(st.lists(EVIDENCE, max_size=3))) for _ in answers]
    made = zip(answers, scores, softmax(scores), evidence, strict=True)
    return ranked(Hypothesis(answer, score, share, found) for answer, score, share, found in made)


def finding(found: tuple[Hypothesis, ...], at: datetime = NOW) -> Finding:
    return Finding("example", "1", "report--1", at, found)


@given(hypotheses(), st.randoms(use_true_random=False))
def test_the_same_input_in_another_order_gives_the_same_bytes(
    found: tuple[Hypothesis, ...], dice: random.Random
) -> None:
    shuffled = [
        Hypothesis(each.answer, each.score, each.probability, tuple(dice.sample(each.evidence, len(each.evidence))))
        for each in dice.sample(found, len(found))
    ]
    again = finding(ranked(shuffled), NOW.astimezone(timezone(timedelta(hours=5))))
    assert again.digest == finding(found).digest
    assert orjson.loads(orjson.dumps(again.as_data())) == finding(found).as_data()


@given(hypotheses())
def test_evidence_is_for_or_against_and_the_heaviest_comes_first(found: tuple[Hypothesis, ...]) -> None:
    for each in found:
        assert sorted(each.for_it + each.against_it, key=repr) == sorted(each.evidence, key=repr)
        weights = [round(one.weight, DIGITS) for one in each.for_it]
        assert weights == sorted(weights, reverse=True)
        assert all(one.weight <= 0 for one in each.against_it)


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=9), st.floats(0.05, 50))
def test_shares_are_of_one_and_keep_the_order(scores: list[float], temperature: float) -> None:
    shares = softmax(scores, temperature)
    assert sum(shares) == pytest.approx(1)
    for one, other in zip(range(len(scores)), range(1, len(scores)), strict=False):
        assert (scores[one] >= scores[other]) == (shares[one] >= shares[other]) or shares[one] == shares[other]


UNSURE = Hypothesis(UNKNOWN, 0, 0.4)


@pytest.mark.parametrize(
    ("found", "at"),
    [
        ((Hypothesis("a", 1, 0.5),), NOW),  # It cannot say that it does not know.
        ((UNSURE, UNSURE), NOW),
        ((UNSURE, Hypothesis("a", 1, 0.5), Hypothesis("a", 1, 0.1)), NOW),
        ((UNSURE, Hypothesis("a", 1, 0.7)), NOW),  # More than all.
        ((UNSURE, Hypothesis("a", 1, -0.1)), NOW),
        ((UNSURE, Hypothesis("a", 1, 0.1)), datetime(2026, 1, 1)),
    ],
)
def test_what_is_no_finding_is_refused(found: tuple[Hypothesis, ...], at: datetime) -> None:
    with pytest.raises(ValueError):
        finding(found, at)


def test_who_cannot_tell_abstains() -> None:
    found = finding(ranked([Hypothesis("a", 3, 0.3), Hypothesis(UNKNOWN, 0, 0.7)]))
    assert found.is_unknown
    assert found.best.answer == UNKNOWN
