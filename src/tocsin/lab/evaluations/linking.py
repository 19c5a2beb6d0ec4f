"""Linking, measured on reports of nine publishers: do two reports of different publishers name one thing?

`cross_publisher/reports.jsonl.gz` holds digests of values only; `names_dev.jsonl.gz` names half of the reports. A pair
is right when both names resolve to one entity. Probabilities of judged pairs come from curves that saw neither of the
two reports nor any report of the same entities.
"""

from __future__ import annotations

import gzip
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from sklearn.linear_model import LogisticRegression

from tocsin.analysers import linking
from tocsin.analysers.linking import LEAST, NAME, VERSION, Index, Links
from tocsin.analysers.measures import Found, brier, calibration_error, reliability
from tocsin.analysers.parameters import FOLDER, Parameters, shipped, write
from tocsin.lab.laboratory import Measured

KIND_OF = {"d": 0, "ip": 1, "h": 2}
STRENGTH = 5.0
"""Inverse of the ridge penalty: few judged pairs are linked at all, so the curve is held back."""


@dataclass(frozen=True, slots=True)
class Data:
    """Reports by number, and what some of them name."""

    cases: list[str]
    publishers: list[str]
    entities: dict[int, frozenset[str]]
    index: Index

    def is_right(self, one: int, other: int) -> bool:
        """Whether both name one thing."""
        return bool(self.entities[one] & self.entities[other])


def read(folder: Path) -> Data:
    """The research data of `cross_publisher`."""
    own = folder / "cross_publisher"
    reports = list(_lines(own / "reports.jsonl.gz"))
    numbers = {each["case"]: number for number, each in enumerate(reports)}
    rows = [
        (int(digest, 16), number, KIND_OF.get(kind, 3))
        for number, each in enumerate(reports)
        for kind, digest in (value.split(":") for value in each["indicators"])
    ]
    keys, owners, kinds = zip(*rows, strict=True)
    named = _lines(own / "names_dev.jsonl.gz")
    return Data(
        [each["case"] for each in reports],
        [each["publisher"] for each in reports],
        {numbers[each["case"]]: frozenset(each["entities"]) for each in named},
        linking.index_of(np.array(keys, np.uint64), np.array(owners, np.uint32), np.array(kinds, np.uint8)),
    )


def evaluate(folder: Path) -> Measured:
    """Precision and recall over pairs of different publishers, of links and of the communities they make."""
    data = read(folder)
    found = linking.links(data.index)
    judged = _judged(data, found)
    said, was = _held_out(data, judged)
    across = np.array([data.publishers[a] != data.publishers[b] for a, b in _pairs(judged)])
    named = sorted(data.entities)
    gold = sum(
        data.is_right(a, b) for a, b in itertools.combinations(named, 2) if data.publishers[a] != data.publishers[b]
    )
    likely = linking.probabilities(found)
    places = {pair: number for number, pair in enumerate(_pairs(found))}
    for pair, each in zip(_pairs(judged), said.tolist(), strict=True):
        likely[places[pair]] = each
    direct = _found(said >= LEAST, was, across, gold)
    together = _together(data, linking.communities(found, likely, LEAST), gold)
    return Measured(
        {
            "precision": together.precision,
            "recall": together.recall,
            "precision_of_links": direct.precision,
            "recall_of_links": direct.recall,
            "brier": brier(said, was),
            "calibration_error": calibration_error(said, was, 5),
            "index_over_data": data.index.size_bytes / sum(1 + 14 for _ in data.index.keys),
        },
        reliability(said, was, 5),
        len(was),
    )


def fit(folder: Path) -> Path:
    """The curve, from all judged pairs."""
    data = read(folder)
    judged = _judged(data, linking.links(data.index))
    model = _curve(linking.features(judged), _truth(data, judged))
    path = FOLDER / f"{NAME}.json"
    write(path, NAME, VERSION, "cross_publisher, the named half", model.values)
    return path


def predict(folder: Path) -> Iterator[dict[str, Any]]:
    """Pairs of different publishers that one community holds, with the probability of the link (null: through others).

    Labels of the other half are kept apart: whoever holds them judges the pairs in which both are named.
    """
    data = read(folder)
    found = linking.links(data.index)
    likely = linking.probabilities(found, shipped(NAME, VERSION))
    known = dict(zip(_pairs(found), likely.tolist(), strict=True))
    for community in linking.communities(found, likely, LEAST):
        for one, other in itertools.combinations(community, 2):
            if data.publishers[one] != data.publishers[other]:
                yield {"one": data.cases[one], "other": data.cases[other], "probability": known.get((one, other))}


def _judged(data: Data, found: Links) -> Links:
    named = np.array(sorted(data.entities), np.uint32)
    return found.only(np.isin(found.one, named) & np.isin(found.other, named))


def _pairs(found: Links) -> list[tuple[int, int]]:
    return list(zip(found.one.tolist(), found.other.tolist(), strict=True))


def _truth(data: Data, judged: Links) -> npt.NDArray[np.bool_]:
    return np.array([data.is_right(*pair) for pair in _pairs(judged)])


def _held_out(data: Data, judged: Links) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    pairs, was = _pairs(judged), _truth(data, judged)
    said = np.zeros(len(pairs))
    values = linking.features(judged)
    for number, (one, other) in enumerate(pairs):
        entities = data.entities[one] | data.entities[other]
        apart = np.array(
            [not {a, b} & {one, other} and not (data.entities[a] | data.entities[b]) & entities for a, b in pairs]
        )
        curve = _curve(values[apart], was[apart])
        said[number] = linking.probabilities(judged.only(np.arange(len(pairs)) == number), curve)[0]
    return said, was


def _curve(values: npt.NDArray[np.float64], was: npt.NDArray[np.bool_]) -> Parameters:
    if was.all() or not was.any():  # Nothing tells them apart: what is said is how many are right, by Laplace's rule.
        odds = (was.sum() + 1) / ((~was).sum() + 1)
        weights = [0.0] * (len(linking.KINDS) + 1)
        return Parameters(NAME, VERSION, "", {"weights": weights, "bias": math.log(odds), "temperature": 1.0}, "")
    model = LogisticRegression(C=STRENGTH).fit(values, was)
    weights = [round(each, 6) for each in model.coef_[0].tolist()]
    # Values of other kinds than the data holds count as much as the weakest that it holds.
    weights[3] = min(weights[:3])
    fitted = {"weights": weights, "bias": round(float(model.intercept_[0]), 6), "temperature": 1.0}
    return Parameters(NAME, VERSION, "", fitted, "")


def _found(
    chosen: npt.NDArray[np.bool_], was: npt.NDArray[np.bool_], across: npt.NDArray[np.bool_], gold: int
) -> Found:
    right = int((chosen & was & across).sum())
    return Found(right, int((chosen & ~was & across).sum()), gold - right)


def _together(data: Data, groups: list[list[int]], gold: int) -> Found:
    pairs = [
        pair
        for group in groups
        for pair in itertools.combinations([each for each in group if each in data.entities], 2)
        if data.publishers[pair[0]] != data.publishers[pair[1]]
    ]
    right = sum(data.is_right(*pair) for pair in pairs)
    return Found(right, len(pairs) - right, gold - right)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)
