"""Notes and messages, measured on 251 ransom notes: each note as one of a family that is known, and as of none.

A note whose family has others is asked with all notes but itself (known); each note is asked with its whole family left
out (unknown). Probabilities come from weights that were fitted on other families. How rare a term is, is counted in all
notes, the one in question among them: that says nothing of its family.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from scipy.optimize import minimize

from tocsin.analysers import messages
from tocsin.analysers.contract import UNKNOWN
from tocsin.analysers.measures import auc, brier, calibration_error, reliability, top
from tocsin.analysers.messages import FEATURES, NAME, NEAR_DUPLICATE, VERSION, Index
from tocsin.analysers.parameters import FOLDER, Parameters, write
from tocsin.lab.laboratory import Measured

KNOWN: Final = 0.75
"""Share of questions whose family is known, by which the weights are balanced (of the notes kept apart: 62 of 82)."""
FOLDS: Final = 10
RIDGE: Final = 1e-4
DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
REPORTED: Final = (
    ("ako", "ranzy"), ("bitpaymer", "doppelpaymer"), ("blackmatter", "darkside"), ("blacklock", "eldorado"),
    ("conti", "monti"), ("gandcrab", "revil"), ("hades", "wastedlocker"), ("hive", "hunters"), ("inc", "lynx"),
    ("karma", "nokoyawa"), ("knight", "ransomhub"), ("lv", "revil"), ("mallox", "targetcompany"), ("mallox", "weaxor"),
    ("nevada", "nokoyawa"), ("royal", "zeon"), ("schoolboys", "tommyleaks"), ("8base", "phobos"),
)  # fmt: skip
"""Families of which public reporting says that one took over people, code or name of the other.

Written down from general knowledge, before the proposals were seen; sources are still to be added to each pair."""


@dataclass(frozen=True, slots=True)
class Question:
    """A note, the features of each family that is known, and the place of the right one (-1: it is not known)."""

    rows: npt.NDArray[np.float64]
    right: int
    fold: int


def read(folder: Path) -> Index:
    """The notes whose families are told."""
    rows = _lines(folder / "ransom_notes" / "dev.jsonl.gz")
    return messages.index_of((f"note-{number}", each["family"], each["text"]) for number, each in enumerate(rows))


def evaluate(folder: Path) -> Measured:
    """First and third guess where the family is known, and whether what is known is told from what is not."""
    index = read(folder)
    asked = questions(index)
    said = _held_out(asked, len(FEATURES))
    ranks = _ranks(asked, said)
    unseen = [said[place][-1] for place in range(len(asked))]
    first, was, some = _first(asked, said)
    found = {frozenset((each.one, each.other)) for each in messages.rebrands(index)}
    apart = questions(index, copies=False)
    return Measured(
        {
            "top_1": top(ranks, 1),
            "top_3": top(ranks, 3),
            "open_set": auc(unseen, [each.right < 0 for each in asked]),
            "top_1_words": top(_ranks(asked, _held_out(asked, 2)), 1),
            "top_1_no_copies": top(_ranks(apart, _held_out(apart, len(FEATURES))), 1),
            "brier": brier(first[some], was[some]),
            "calibration_error": calibration_error(first[some], was[some], 5),
            "rebrands_found": float(sum(frozenset(each) in found for each in REPORTED)),
            "rebrands_proposed": float(len(found)),
        },
        reliability(first[some], was[some], 5),
        len(ranks),
    )


def questions(index: Index, copies: bool = True) -> list[Question]:
    """What is asked; without `copies` a note's near-duplicates in its own family are left out with it."""
    nearness = np.stack([np.asarray((each @ each.T).todense()) for each in index.matrices], axis=2)
    held = Counter(index.families)
    made: list[Question] = []
    for number, (text, family) in enumerate(zip(index.texts, index.families, strict=True)):
        own = index.places == index.places[number]
        alike = [other for other in np.flatnonzero(own).tolist() if _is_copy(index, number, other)]
        gone = np.zeros(len(own), bool)
        gone[number if copies else [number, *alike]] = True
        for without in [gone, own] if held[family] > gone.sum() else [own]:
            kept = Index(
                tuple(each for each, out in zip(index.texts, without.tolist(), strict=True) if not out),
                tuple(each for each, out in zip(index.families, without.tolist(), strict=True) if not out),
            )
            rows = messages.features(kept, text, nearness[number][~without])
            right = kept.names.index(family) if without is gone else -1
            made.append(Question(rows, right, int(index.places[number]) % FOLDS))
    return made


def _is_copy(index: Index, one: int, other: int) -> bool:
    return one != other and messages.alike(index.texts[one], index.texts[other]) >= NEAR_DUPLICATE


def fit(folder: Path) -> Path:
    """The weights, from all questions."""
    fitted = _fitted(questions(read(folder)), len(FEATURES))
    path = FOLDER / f"{NAME}.json"
    write(path, NAME, VERSION, "ransom_notes, the notes whose families are told", fitted.values)
    return path


def predict(folder: Path) -> Iterator[dict[str, Any]]:
    """The likeliest families of notes whose labels are kept apart."""
    index = read(folder)
    for each in _lines(folder / "ransom_notes" / "heldout_inputs.jsonl.gz"):
        finding = messages.guess(index, each["text"], str(each["case"]), DAY)
        answers = {one.answer: one.probability for one in finding.hypotheses}
        yield {
            "case": each["case"],
            "families": [answer for answer in answers if answer != UNKNOWN],
            "answer": finding.best.answer,
            "unknown": answers[UNKNOWN],
            "probabilities": answers,
        }


def _fitted(asked: list[Question], count: int) -> Parameters:
    """The likeliest weights of all answers together (conditional logit, McFadden 1974), none below zero."""
    known = sum(each.right >= 0 for each in asked)
    weights = [KNOWN / known if each.right >= 0 else (1 - KNOWN) / (len(asked) - known) for each in asked]
    # The last row of each question is the answer UNKNOWN: nothing but its own constant.
    tables = [np.pad(each.rows[:, :count], ((0, 1), (0, 1))) for each in asked]
    for table in tables:
        table[-1, -1] = 1.0

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        whole, slope = RIDGE * float(values[:-1] @ values[:-1]), 2 * RIDGE * np.r_[values[:-1], 0.0]
        for each, table, weight in zip(asked, tables, weights, strict=True):
            scores = table @ values
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            whole -= weight * float(np.log(max(shares[each.right], 1e-300)))
            slope += weight * (shares @ table - table[each.right])
        return whole, slope

    bounds = [(0.0, None)] * count + [(None, None)]
    made = minimize(loss, np.full(count + 1, 3.0), jac=True, method="L-BFGS-B", bounds=bounds).x.round(4).tolist()
    return Parameters(NAME, VERSION, "", {"weights": made[:-1], "unknown": made[-1]}, "")


def _held_out(asked: list[Question], count: int) -> list[npt.NDArray[np.float64]]:
    fitted = [_fitted([each for each in asked if each.fold != fold], count) for fold in range(FOLDS)]
    return [messages.probabilities(each.rows[:, :count], fitted[each.fold]) for each in asked]


def _ranks(asked: list[Question], said: list[npt.NDArray[np.float64]]) -> list[int | None]:
    """The place of the right family among families; of equals it counts as the last."""
    return [
        int((shares[:-1] >= shares[each.right]).sum())
        for each, shares in zip(asked, said, strict=True)
        if each.right >= 0
    ]


def _first(
    asked: list[Question], said: list[npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:  # fmt: skip
    """Of each first answer, UNKNOWN too: how likely it is said to be, whether it is right; and three known to one."""
    first = np.array([shares.max() for shares in said])
    was = np.array([shares.argmax() == each.right % len(shares) for each, shares in zip(asked, said, strict=True)])
    known = [place for place, each in enumerate(asked) if each.right >= 0]
    others = [place for place, each in enumerate(asked) if each.right < 0]
    step = max(1, round(len(others) * KNOWN / (len(known) * (1 - KNOWN)))) if known else 1
    return first, was, np.array(known + others[::step], np.int64)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)
