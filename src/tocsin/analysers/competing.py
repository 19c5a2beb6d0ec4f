"""Analysis of competing hypotheses (Heuer, 1999): a finding as a matrix of evidence and answers that an analyst edits.

What was computed and what a person set stand apart: a cell that somebody set keeps what the analyser had said, and
taking it back restores it. The ranking is worked out anew from both. Nothing here writes into the finding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from .contract import DIGITS, UNKNOWN, Finding, Hypothesis, ranked

STRONGEST: Final = 10.0
"""No cell that a person sets weighs more (log odds): 1 to 22,000 is as sure as one thing can make anybody."""
STARTS: Final = frozenset({"profile-size", "reports"})
"""Evidence about an answer and not about the case: it is what the answer starts from and no row."""


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that a person sets, with a reason; a weight of None takes it back. A row may be new."""

    value: str
    answer: str
    weight: float | None
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cell:
    """What a piece of evidence weighs for an answer: as computed, and as a person set it."""

    computed: float
    change: Change | None = None

    @property
    def weight(self) -> float:
        """What counts: the person's, where there is one."""
        return self.computed if self.change is None or self.change.weight is None else self.change.weight


@dataclass(frozen=True, slots=True)
class Matrix:
    """Evidence (rows, sorted) by answers (columns, as the finding ranks them, UNKNOWN apart)."""

    finding: str
    """Digest of the finding that it was made from."""
    values: tuple[str, ...]
    answers: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    starts: Mapping[str, float]
    """What an answer has before any row: all of its score that no row says."""
    unknown: float
    others: float = -math.inf
    """Score of all answers that the finding does not name, together."""
    calibrated: bool = field(default=True)

    def score(self, answer: str) -> float:
        """What an answer starts from and its column, summed."""
        return self.starts[answer] + math.fsum(self.cells[value, answer].weight for value in self.values)

    def against(self, answer: str) -> float:
        """What speaks against an answer: analysts of this school keep the one with least of it."""
        return math.fsum(min(self.cells[value, answer].weight, 0.0) for value in self.values)

    def diagnostic(self, value: str) -> float:
        """How far a row tells answers apart: its greatest weight less its least. What fits all says nothing."""
        row = [self.cells[value, answer].weight for answer in self.answers]
        return max(row, default=0.0) - min(row, default=0.0)

    @property
    def by_diagnosis(self) -> tuple[str, ...]:
        """Rows, the most telling first."""
        return tuple(sorted(self.values, key=lambda value: (-round(self.diagnostic(value), DIGITS), value)))

    @property
    def changed(self) -> tuple[Change, ...]:
        """What people set."""
        return tuple(each.change for _, each in sorted(self.cells.items()) if each.change is not None)

    @property
    def ranking(self) -> tuple[Hypothesis, ...]:
        """Answers with UNKNOWN, worked out from the cells as they are now."""
        scores = {answer: self.score(answer) for answer in self.answers}
        scores[UNKNOWN] = self.unknown
        highest = max(scores.values())
        whole = math.fsum(math.exp(each - highest) for each in scores.values()) + math.exp(self.others - highest)
        # What a person set was never measured: from then on only the order may be shown.
        measured = self.calibrated and not self.changed
        made = [Hypothesis(answer, score, math.exp(score - highest) / whole) for answer, score in scores.items()]
        order = ranked(made)
        return order if measured else tuple(replace(each, probability=None) for each in order)


def matrix(finding: Finding) -> Matrix:
    """The matrix of a finding, before anybody edits it."""
    named = [each for each in finding.hypotheses if each.answer != UNKNOWN]
    [unknown] = [each for each in finding.hypotheses if each.answer == UNKNOWN]
    rows: dict[tuple[str, str], float] = {}
    for each in named:
        for one in each.evidence:
            if one.what not in STARTS:
                place = one.value, each.answer
                rows[place] = rows.get(place, 0.0) + one.weight
    values = tuple(sorted({value for value, _ in rows}))
    cells = {(value, each.answer): Cell(rows.get((value, each.answer), 0.0)) for value in values for each in named}
    starts = {
        each.answer: each.score - math.fsum(cells[value, each.answer].computed for value in values) for each in named
    }
    calibrated = all(each.probability is not None for each in finding.hypotheses)
    return Matrix(
        finding.digest, values, tuple(each.answer for each in named), cells, starts, unknown.score,
        _others(finding.hypotheses), calibrated,
    )  # fmt: skip


def edited(made: Matrix, changes: Iterable[Change]) -> Matrix:
    """The matrix with cells as people set them; of two changes of one cell the later counts.

    Raises ValueError for an answer that is no column, for a weight that is none or beyond `STRONGEST`, and for a change
    without an author or a reason.
    """
    cells, values = dict(made.cells), set(made.values)
    for each in changes:
        if each.answer not in made.answers:
            raise ValueError("a cell belongs to an answer of the matrix")
        if not each.value.strip() or not each.author.strip() or not each.reason.strip():
            raise ValueError("a change has evidence, an author and a reason")
        if each.weight is not None and not abs(each.weight) <= STRONGEST:
            raise ValueError("a weight is a number between -10 and 10")
        if each.value not in values:
            values.add(each.value)
            cells.update({(each.value, answer): Cell(0.0) for answer in made.answers})
        before = cells[each.value, each.answer]
        cells[each.value, each.answer] = Cell(before.computed, None if each.weight is None else each)
    return replace(made, values=tuple(sorted(values)), cells=cells)


def _others(hypotheses: tuple[Hypothesis, ...]) -> float:
    """The score of what the finding does not name: what is missing to 1, on the scale of the others."""
    told = [(each.probability, each.score) for each in hypotheses if each.probability]
    rest = 1 - math.fsum(probability for probability, _ in told)
    if not told or rest <= 1e-9:
        return -math.inf
    probability, score = max(told)
    return score + math.log(rest / probability)
