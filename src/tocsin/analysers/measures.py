"""How good an answer is: the measures by which analysers are judged, each from plain lists.

Sources: Brier (1950); ROC area as the rank statistic of Mann and Whitney (1947), ties at half; expected calibration
error over bins of equal width (Naeini et al., 2015; Guo et al., 2017); temperature by the likelihood (Guo et al.).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about one probability: how many, what was said on average, how often it was so."""

    count: int
    said: float
    was: float


def brier(said: npt.ArrayLike, was: npt.ArrayLike) -> float:
    """Mean square of what was said less what came: 0 is best."""
    return float(np.mean((np.asarray(said, float) - np.asarray(was, float)) ** 2))


def auc(said: npt.ArrayLike, was: npt.ArrayLike) -> float:
    """How often what came was given the higher figure than what did not; NaN where there is only one of both."""
    scores, truth = np.asarray(said, float), np.asarray(was, bool)
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def reliability(said: npt.ArrayLike, was: npt.ArrayLike, bins: int = BINS) -> list[Bin]:
    """What a reliability plot draws: bins of equal width that hold anything."""
    scores, truth = np.asarray(said, float), np.asarray(was, float)
    places = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        Bin(int(own.sum()), float(scores[own].mean()), float(truth[own].mean()))
        for own in (places == each for each in range(bins))
        if own.any()
    ]


def calibration_error(said: npt.ArrayLike, was: npt.ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: the mean distance of what was said from what came, weighted by count."""
    found = reliability(said, was, bins)
    whole = sum(each.count for each in found)
    return sum(each.count * abs(each.said - each.was) for each in found) / whole if whole else math.nan


def top(ranks: Iterable[int | None], places: int) -> float:
    """Share of questions whose right answer stands among the first places (1 is the first; None: it is not there)."""
    each = list(ranks)
    return sum(1 for rank in each if rank is not None and rank <= places) / len(each) if each else math.nan


@dataclass(frozen=True, slots=True)
class Found:
    """Precision, recall and their harmonic mean, from counts."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else math.nan

    @property
    def recall(self) -> float:
        """Share of what is there that was found."""
        return self.right / (self.right + self.missed) if self.right + self.missed else math.nan

    @property
    def f1(self) -> float:
        """2PR / (P + R)."""
        whole = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / whole if whole else math.nan


def temperature(scores: Sequence[Sequence[float]], right: Sequence[int | None]) -> float:
    """What makes scores as sure as they are right: the temperature of greatest likelihood.

    `scores` holds the log odds of each answer of a question, `right` the place of the right one (None: none of
    them, the question says nothing).
    """
    pairs = [(np.asarray(each, float), place) for each, place in zip(scores, right) if place is not None]
    if not pairs:
        raise ValueError("nothing to learn from")

    def loss(logarithm: float) -> float:
        heat = math.exp(logarithm)
        whole = 0.0
        for each, place in pairs:
            cooled = each / heat
            highest = cooled.max()
            whole -= cooled[place] - highest - math.log(np.exp(cooled - highest).sum())
        return whole / len(pairs)

    return math.exp(float(minimize_scalar(loss, bounds=(-4.0, 6.0), method="bounded").x))
