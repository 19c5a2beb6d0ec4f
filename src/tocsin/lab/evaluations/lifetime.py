"""Lifetime, measured on the history of one tracker of command-and-control servers: what was seen again in 30 days?

Everything is split by time: tables from reference days before October 2023, measured on those after; each label of the
former was known before the first of the latter. 2024 is kept apart.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from tocsin.analysers import lifetime
from tocsin.analysers.lifetime import FRESH_DAYS, INPUTS, NAME, RISING, VERSION, Kind, Known, Rows
from tocsin.analysers.measures import auc, brier, calibration_error, reliability
from tocsin.analysers.parameters import FOLDER, Parameters, write
from tocsin.lab.laboratory import Measured

SINCE: Final = "2023-04-01"
"""The first reference day (1 March) is left out: of what was seen that very day 32 in 100 came back, on eight of
the others 98 and more, as if the tracker had changed what it lists. August and September, told from before, are told
better without it (0.051 against 0.080)."""
MEASURED_FROM: Final = "2023-10-01"
STEPS: Final = 300
BINS: Final = 64
DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Data:
    """One row each: a reference day, what was known, what came (empty where it is kept apart)."""

    cases: list[str]
    days: npt.NDArray[np.str_]
    known: list[Known]
    was: npt.NDArray[np.bool_]

    @property
    def rows(self) -> Rows:
        """The inputs of the analyser."""
        return np.asarray([each.inputs for each in self.known])


def read(path: Path) -> Data:
    """Rows of `c2_decay`. What is known of a kind on a day is what its rows of that day say: none looks ahead."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    known, fresh = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for each in lines:
        group = (each["ref_date"], each["tool"])
        known[group] += 1
        fresh[group] += int(each["idle_days"]) <= FRESH_DAYS
    kinds = {group: Kind(count, fresh[group]) for group, count in known.items()}
    return Data(
        [each["case"] for each in lines],
        np.array([each["ref_date"] for each in lines]),
        [_known(each, kinds[each["ref_date"], each["tool"]]) for each in lines],
        np.array([each["seen_again_30d"] == "1" for each in lines if "seen_again_30d" in each], bool),
    )


def evaluate(folder: Path) -> Measured:
    """Brier score, area and calibration after October 2023, beside the formula of MISP on the same rows."""
    data = read(folder / "c2_decay" / "dev.csv.gz")
    rows, after = data.rows, data.days >= MEASURED_FROM
    before = (data.days >= SINCE) & ~after
    said, was = lifetime.probabilities(rows[after], fitted(rows[before], data.was[before])), data.was[after]
    idle = rows[:, 0]
    best = min(range(1, 181), key=lambda life: brier(lifetime.by_formula(idle[before], life, 2), data.was[before]))
    return Measured(
        {
            "brier": brier(said, was),
            "auc": auc(said, was),
            "calibration_error": calibration_error(said, was),
            "worst_day_brier": max(
                brier(said[own], was[own]) for own in (data.days[after] == day for day in np.unique(data.days[after]))
            ),
            "formula_brier": brier(lifetime.by_formula(idle[after], 120, 2), was),
            "best_formula_brier": brier(lifetime.by_formula(idle[after], best, 2), was),
            "best_formula_auc": auc(lifetime.by_formula(idle[after], best, 2), was),
        },
        reliability(said, was),
        len(was),
    )


def fit(folder: Path) -> Path:
    """The tables, from all of 2023 that is used."""
    data = read(folder / "c2_decay" / "dev.csv.gz")
    chosen = data.days >= SINCE
    model = fitted(data.rows[chosen], data.was[chosen])
    path = FOLDER / f"{NAME}.json"
    write(path, NAME, VERSION, "c2_decay, reference days from April to December 2023", model.values)
    return path


def predict(folder: Path) -> Iterator[dict[str, Any]]:
    """The probability of each case of 2024, and whether the analyser would abstain."""
    data = read(folder / "c2_decay" / "heldout_inputs.csv.gz")
    likely = lifetime.probabilities(data.rows)
    for case, known, each in zip(data.cases, data.known, likely.tolist(), strict=True):
        yield {
            "case": case,
            "probability": round(each, DIGITS),
            "abstains": not known.days_seen or known.kind.known < lifetime.LEAST_OF_KIND,
        }


def fitted(rows: Rows, was: npt.NDArray[np.bool_]) -> Parameters:
    """Tables of greatest likelihood: trees of one question each, whose sum is a table for each input."""
    model = HistGradientBoostingClassifier(
        max_iter=STEPS, learning_rate=0.05, max_leaf_nodes=2, min_samples_leaf=50, l2_regularization=1.0, max_bins=BINS,
        monotonic_cst=list(RISING), early_stopping=False, random_state=1,
    ).fit(rows, was)  # fmt: skip
    start = float(model._baseline_prediction[0, 0])
    questions: list[list[tuple[float, float, float]]] = [[] for _ in INPUTS]
    for (tree,) in model._predictors:
        root = tree.nodes[0]
        if root["is_leaf"]:
            start += float(root["value"])
        else:
            left, right = (float(tree.nodes[root[side]]["value"]) for side in ("left", "right"))
            questions[root["feature_idx"]].append((round(float(root["num_threshold"]), DIGITS), left, right))
    tables: dict[str, dict[str, list[float]]] = {}
    for place, name in enumerate(INPUTS):
        up_to, adds = _table(questions[place])
        # Each table says how an indicator differs from the average one; the average goes into the start.
        usual = float(adds[np.searchsorted(up_to, rows[:, place], "left")].mean())
        start += usual
        tables[name] = {"up_to": up_to, "adds": [round(each, DIGITS) for each in (adds - usual).tolist()]}
    return Parameters(NAME, VERSION, "", {"tables": tables, "start": round(start, DIGITS)}, "")


def _table(questions: list[tuple[float, float, float]]) -> tuple[list[float], Rows]:
    """One step function: up to which value, and what is added there (the last entry: beyond all)."""
    up_to = sorted({bound for bound, _, _ in questions})
    ends = [*up_to, np.inf]
    adds = [sum(left if end <= bound else right for bound, left, right in questions) for end in ends]
    return up_to, np.asarray(adds, float)


def _known(line: dict[str, str], kind: Kind) -> Known:
    names = ("age_days", "idle_days", "days_seen", "days_seen_last30")
    age, idle, seen, recent = (int(line[each]) for each in names)
    return Known(age, idle, seen, recent, kind)
