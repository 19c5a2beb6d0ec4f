"""Actor hypotheses, measured on reports that ATT&CK cites: does the right group stand first, and is "unknown" said?

`ttp_attribution/profiles_dev.jsonl.gz` are profiles as of the end of 2022, `cases_dev.jsonl.gz` the reports in them. A
report is never compared with what only it says: its group's profile is first taken down to what other reports say too
(`features_also_in_other_reports`). Two ways of measuring:

- left out: groups in five parts; weights come from the reports on the groups of the other four. Each report is asked
  twice: with its group among the profiles, and with the group taken out, where UNKNOWN is right. The first counts three
  times, so that one question in four is about an actor without a profile (as in the reports of 2023 and later).
- later: profiles and weights know reports before `LATER` only and are asked about those from then on.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from scipy.optimize import minimize

from tocsin.analysers import actors
from tocsin.analysers.actors import MEASURES, NAME, VERSION, Profile, Profiles
from tocsin.analysers.measures import calibration_error, reliability, temperature, top
from tocsin.analysers.parameters import FOLDER, write
from tocsin.lab.laboratory import Measured

LATER = 2021
PARTS = 5
KNOWN_TIMES = 3
"""A question with the group among the profiles counts so often beside one without it."""
RIDGE = 0.5
ABSTAIN = 0.82
"""Share of actors without a profile for which no name may be given: below that likelihood none is."""
LEAST = 5
"""Features that other reports must say of a group, for it to count as known (as in the study)."""
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """A report on one group."""

    features: tuple[str, ...]
    elsewhere: frozenset[str]
    group: str
    year: int


@dataclass(frozen=True, slots=True)
class Question:
    """A report beside profiles; `right` is the place of its group, None where it has no profile."""

    case: Case
    profiles: Profiles
    summed: Numbers
    right: int | None


def read(folder: Path) -> tuple[dict[str, frozenset[str]], list[Case]]:
    """Profiles by group, and the reports."""
    own = folder / "ttp_attribution"
    profiles = {each["group"]: frozenset(each["features"]) for each in _lines(own / "profiles_dev.jsonl.gz")}
    cases = [
        Case(tuple(each["features"]), frozenset(each["features_also_in_other_reports"]), each["group"], each["year"])
        for each in _lines(own / "cases_dev.jsonl.gz")
    ]
    return profiles, cases


def evaluate(folder: Path) -> Measured:
    """Ranks, calibration and abstention, left out and later."""
    profiles, cases = read(folder)
    known, unknown = _questions(profiles, cases)
    answers = [
        answer
        for part in range(PARTS)
        for answer in _asked(
            _fitted(*(_apart(each, part, False) for each in (known, unknown))),
            [question for each in (known, unknown) for question in _apart(each, part, True)],
        )
    ]
    ranks = [each.rank for each in answers if each.known]
    later = [each for each in _later(profiles, cases) if each.known]
    mixed = [each for each in answers for _ in range(KNOWN_TIMES if each.known else 1)]
    said, was = [each.likely for each in mixed], [each.rank == 1 for each in mixed]
    first = [max(each.likely, each.doubt) for each in mixed]
    first_was = [not each.known if each.is_unknown else each.rank == 1 for each in mixed]
    return Measured(
        {
            "top_1": top([each.rank for each in later], 1),
            "top_10": top([each.rank for each in later], 10),
            "mrr": _mrr([each.rank for each in later]),
            "top_1_left_out": top(ranks, 1),
            "top_10_left_out": top(ranks, 10),
            "mrr_left_out": _mrr(ranks),
            "calibration_error": calibration_error(said, was),
            "calibration_error_of_answers": calibration_error(first, first_was),
            "abstains_on_unknown": _share([each.abstains for each in answers if not each.known]),
            "abstains_on_known": _share([each.abstains for each in answers if each.known]),
            "right_when_named": _share([each.rank == 1 for each in mixed if not each.abstains]),
            "risk_at_half": _risk(said, was, 0.5),
            "risk_at_fifth": _risk(said, was, 0.2),
        },
        reliability(said, was),
        len(answers),
    )


def fit(folder: Path) -> Path:
    """Weights, temperature and the curve of UNKNOWN from all reports; the profiles go with them."""
    profiles, cases = read(folder)
    values = _fitted(*_questions(profiles, cases))
    values["profiles"] = {group: sorted(features) for group, features in profiles.items()}
    values["reports"] = dict(Counter(each.group for each in cases))
    values["notice"] = (
        "© 2025 The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE"
        " Corporation."
    )
    path = FOLDER / f"{NAME}.json"
    write(path, NAME, VERSION, "ttp_attribution, reports before 2023", values)
    return path


def predict(folder: Path) -> Iterator[dict[str, Any]]:
    """Ranked groups for reports of 2023 and later, whose groups are kept apart; `UNKNOWN` stands where it ranks."""
    moment = datetime(2022, 12, 31, tzinfo=UTC)
    for each in _lines(folder / "ttp_attribution" / "cases_heldout_inputs.jsonl.gz"):
        finding = actors.hypotheses(each["case"], dict.fromkeys(each["features"], ()), moment)
        yield {
            "case": each["case"],
            "answers": [
                {"answer": one.answer, "probability": round(one.probability or 0.0, 6)} for one in finding.hypotheses
            ],
        }


def _questions(profiles: dict[str, frozenset[str]], cases: Sequence[Case]) -> tuple[list[Question], list[Question]]:
    """Each report with its group among the profiles, less what only this report says; and with the group taken out."""
    reports = Counter(each.group for each in cases)
    whole = Profiles(Profile(group, features, reports[group]) for group, features in profiles.items())
    known, unknown = [], []
    for case in cases:
        left = profiles.get(case.group, frozenset()) - (frozenset(case.features) - case.elsewhere)
        if len(left) >= LEAST:
            known.append(_question(case, whole.with_profile(Profile(case.group, left, reports[case.group] - 1))))
        unknown.append(_question(case, whole.with_profile(Profile(case.group, frozenset()))))
    return known, unknown


def _question(case: Case, profiles: Profiles) -> Question:
    summed = actors.starts(profiles) + sum(actors.measures(each, profiles) for each in case.features)
    place = profiles.groups.index(case.group) if case.group in profiles.groups else None
    return Question(case, profiles, summed, place)


def _apart(questions: list[Question], part: int, inside: bool) -> list[Question]:
    """Questions on groups of a part, or of all others: a group is in one part wherever it is asked about."""
    return [each for each in questions if (zlib.crc32(each.case.group.encode()) % PARTS == part) == inside]


def _fitted(known: list[Question], unknown: list[Question]) -> dict[str, Any]:
    """Weights from all; temperature and the curve of UNKNOWN from scores of weights that did not see the group."""
    weights = _weights(known)
    found: list[tuple[Question, Numbers]] = []
    for part in range(PARTS):
        others = _weights(_apart(known, part, False))
        found.extend((each, others) for side in (known, unknown) for each in _apart(side, part, True))
    asked = [(each, each.summed @ others) for each, others in found if each.right is not None]
    heat = temperature([scores.tolist() for _, scores in asked], [each.right for each, _ in asked])
    rows, absent = [], []
    for each, others in found:
        values = {"weights": others.tolist(), "temperature": heat}
        rows.append(actors.scored(each.case.features, each.profiles, values).doubts)
        absent.append(each.right is None)
    curve = _curve(np.array(rows), np.array(absent)).tolist()
    likely = [
        answer.likely
        for each, others in found
        if each.right is None
        for answer in _asked({"weights": others.tolist(), "temperature": heat, "unknown": curve, "least": 0.0}, [each])
    ]
    return {
        "weights": [round(each, 6) for each in weights.tolist()],
        "temperature": round(heat, 6),
        "unknown": [round(each, 6) for each in curve],
        "least": round(float(np.quantile(likely, ABSTAIN)), 6),
    }


def _weights(questions: list[Question]) -> Numbers:
    """Conditional logit: weights under which the right groups are likeliest, held back by a ridge on one scale."""
    scale = np.vstack([each.summed for each in questions]).std(axis=0) + 1e-9
    rows = [(each.summed / scale, each.right) for each in questions if each.right is not None]

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        whole, slope = RIDGE * float(weights @ weights), 2 * RIDGE * weights
        for summed, right in rows:
            scores = summed @ weights
            shares = np.exp(scores - scores.max())
            whole -= float(scores[right] - scores.max()) - math.log(shares.sum())
            slope = slope - summed[right] + (shares / shares.sum()) @ summed
        return whole, slope

    bounds = [(0.0 if each in actors.MATCHES else None, None) for each in range(len(MEASURES))]
    return np.asarray(minimize(loss, np.zeros(len(MEASURES)), jac=True, method="L-BFGS-B", bounds=bounds).x / scale)


def _curve(rows: Numbers, absent: npt.NDArray[np.bool_]) -> Numbers:
    """Logistic regression; questions weighed as they are expected to come."""
    scale = rows.std(axis=0)
    scale[scale < 1e-9] = 1.0  # What is the same in all questions has no scale.
    times = np.where(absent, 1, KNOWN_TIMES)
    signs = np.where(absent, 1.0, -1.0)
    held = np.array([0.0, *([RIDGE] * (rows.shape[1] - 1))])

    def loss(weights: Numbers) -> float:
        wrong = np.logaddexp(0, -signs * ((rows / scale) @ weights))
        return float((times * wrong).sum() + held @ weights**2)

    return np.asarray(minimize(loss, np.zeros(rows.shape[1]), method="L-BFGS-B").x / scale)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a question was answered: rank of the right group among groups, what the first and UNKNOWN were given."""

    known: bool
    rank: int | None
    likely: float
    doubt: float
    abstains: bool
    """Whether no name is given as the answer."""

    @property
    def is_unknown(self) -> bool:
        """Whether UNKNOWN stands first."""
        return self.doubt >= self.likely


def _asked(values: dict[str, Any], questions: list[Question]) -> Iterator[Answer]:
    for each in questions:
        found = actors.scored(each.case.features, each.profiles, values)
        scores = found.scores
        highest = max(float(scores.max()), found.unknown)
        whole = float(np.exp(scores - highest).sum()) + math.exp(found.unknown - highest)
        # Equals count against: the right one stands behind all that score as much.
        rank = None if each.right is None else int((scores >= scores[each.right] - 1e-9).sum())
        likely, doubt = (math.exp(one - highest) / whole for one in (float(scores.max()), found.unknown))
        named = found.is_named(likely, float(values["least"]))
        yield Answer(each.right is not None, rank, likely, doubt, not named)


def _later(profiles: dict[str, frozenset[str]], cases: list[Case]) -> list[Answer]:
    """What is only known from late reports is taken out: all that late reports say and no early one does.

    A feature stays where one late report says it and the profile has it from elsewhere; what two late reports say goes.
    """
    early = [each for each in cases if each.year < LATER]
    late = [each for each in cases if each.year >= LATER]
    said: dict[str, set[str]] = defaultdict(set)
    for case in early:
        said[case.group].update(case.features)
    times = Counter((case.group, feature) for case in late for feature in case.features)
    elsewhere = {(case.group, feature) for case in late for feature in case.elsewhere}
    gone: dict[str, set[str]] = defaultdict(set)
    for (group, feature), count in times.items():
        if feature not in said[group] and not (count == 1 and (group, feature) in elsewhere):
            gone[group].add(feature)
    before = {group: features - gone[group] for group, features in profiles.items()}
    held = [
        Case(each.features, each.elsewhere & before[each.group], each.group, each.year)
        for each in early
        if before[each.group]
    ]
    values = _fitted(*_questions(before, held))
    reports = Counter(each.group for each in early)
    then = Profiles(Profile(group, features, reports[group]) for group, features in before.items())
    known = [each for each in late if len(before[each.group]) >= LEAST]
    return list(_asked(values, [_question(each, then) for each in known]))


def _mrr(ranks: Sequence[int | None]) -> float:
    return float(np.mean([1 / rank if rank else 0.0 for rank in ranks])) if ranks else math.nan


def _share(each: Sequence[bool]) -> float:
    return float(np.mean(each)) if each else math.nan


def _risk(said: Sequence[float], was: Sequence[bool], coverage: float) -> float:
    """Share of wrong first groups among the surest part of all questions."""
    order = np.argsort(-np.asarray(said), kind="stable")[: max(1, int(len(said) * coverage))]
    return float(1 - np.asarray(was, float)[order].mean())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        yield from map(orjson.loads, file)
