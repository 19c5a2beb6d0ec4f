"""The measures agree with a second way of counting each, and with what is known of simple cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from tocsin.analysers.contract import softmax
from tocsin.analysers.measures import Found, auc, brier, calibration_error, reliability, temperature, top

PAIRS = st.lists(st.tuples(st.integers(0, 100).map(lambda each: each / 100), st.booleans()), min_size=2, max_size=60)


@given(PAIRS)
def test_brier_and_area_agree_with_another_library(pairs: list[tuple[float, bool]]) -> None:
    said, was = [each for each, _ in pairs], [each for _, each in pairs]
    if len(set(was)) < 2:
        assert math.isnan(auc(said, was))
        return
    assert brier(said, was) == pytest.approx(brier_score_loss(was, said))
    assert auc(said, was) == pytest.approx(roc_auc_score(was, said))


@given(PAIRS)
def test_every_case_stands_in_one_bin(pairs: list[tuple[float, bool]]) -> None:
    said, was = [each for each, _ in pairs], [each for _, each in pairs]
    bins = reliability(said, was)
    assert sum(each.count for each in bins) == len(pairs)
    assert sum(each.count * each.was for each in bins) == pytest.approx(sum(was))
    assert 0 <= calibration_error(said, was) <= 1


def test_who_says_what_comes_is_calibrated() -> None:
    dice = np.random.default_rng(7)
    said = dice.random(50_000)
    assert calibration_error(said, dice.random(50_000) < said) < 0.02
    assert calibration_error(np.full(1000, 0.9), np.arange(1000) % 2) == pytest.approx(0.4)


def test_one_temperature_takes_back_what_was_said_too_surely() -> None:
    dice = np.random.default_rng(11)
    true = dice.normal(0, 1, (4000, 5))
    right = [int(dice.choice(5, p=softmax(row))) for row in true.tolist()]
    assert temperature((true * 3).tolist(), right) == pytest.approx(3, rel=0.1)


def test_places_and_counts() -> None:
    assert top([1, 3, None, 2], 2) == 0.5
    assert math.isnan(top([], 1))
    found = Found(right=6, wrong=2, missed=4)
    assert (found.precision, found.recall, found.f1) == (0.75, 0.6, pytest.approx(2 * 0.75 * 0.6 / 1.35))
    assert math.isnan(Found(0, 0, 1).precision)
