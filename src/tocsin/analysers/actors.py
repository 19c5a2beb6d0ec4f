"""Which known actors a case looks like: ranked hypotheses, each with what speaks for it and against it.

A case is a set of features: techniques of ATT&CK (`T1059.001`), software (`software:Mimikatz`), and whatever kinds come
later (`victim:…`, `infrastructure:…`), which weigh nothing until somebody measured them or a person sets their cell.
A profile is what published reports say of a group. Each feature weighs for each group as log odds (decision 71):

- one that the profile holds by its rarity among profiles, software apart from techniques, and a technique of which only
  the parent is there apart again; one that it does not hold against the group, the more the larger the profile is;
- a group starts from the size of its profile and the number of reports on it, damped.

`UNKNOWN` is scored by a curve of its own: what would the best answer look like if the right one were not among the
profiles? An answer names a group as its sources name it, and never a State.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .contract import UNKNOWN, Evidence, Finding, Hypothesis, ranked
from .parameters import Parameters, shipped

VERSION: Final = "1"
NAME: Final = "actors"
MOST: Final = 10
"""So many groups are named; what the others have together is what is missing to 1."""
NOTE: Final = "not-a-state"
NEVER_MEASURED: Final = "kinds-not-measured"
NOTHING: Final = "nothing-to-compare"
ABSTAINS: Final = "abstains"
"""No name is given as the answer (`is_named`)."""
WIDE: Final = "more-than-measured"
WIDEST: Final = 100
"""Reports that were measured hold 78 features at most. In a case of hundreds (several cases in one, or somebody who
wants to be taken for another) the smallest profiles would win, for having the least against them."""
MEASURES: Final = (
    "technique", "technique-rarity", "technique-size", "software-rarity", "software-rare", "parent-rarity",
    "missing-size", "profile-size", "reports",
)  # fmt: skip
"""What the weights of a cell are learnt for, in the order of the fitted `weights`."""
MATCHES: Final = (0, 1, 3, 4, 5)
"""Measures of what a profile holds: their weights are not below zero, for what is held does not speak against."""
RARE: Final = 2.0
"""Software in one of seven profiles or fewer counts for more from here on."""
Numbers = npt.NDArray[np.float64]


def kind_of(feature: str) -> str:
    """`technique`, `software`, or another kind: what stands before the colon."""
    kind, colon, _ = feature.partition(":")
    if colon:
        return kind
    return "technique" if feature[:1] == "T" and feature[1:5].isdigit() else "other"


def parent_of(technique: str) -> str:
    """The technique that a sub-technique belongs to; a technique itself."""
    return technique.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Profile:
    """What is published of a group, and in how many reports."""

    group: str
    features: frozenset[str]
    reports: int = 0


class Profiles:
    """Profiles of groups and how rare each feature is among them. Groups of which nothing is known are left out."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        kept = sorted((each for each in profiles if each.features), key=lambda each: each.group)
        self.all: tuple[Profile, ...] = tuple(kept)
        self.groups: tuple[str, ...] = tuple(each.group for each in kept)
        if len(set(self.groups)) != len(self.groups) or UNKNOWN in self.groups:
            raise ValueError("every group has one profile, and none is named UNKNOWN")
        self.held = Counter(feature for each in kept for feature in each.features)
        self.parents = [
            frozenset(parent_of(one) for one in each.features if kind_of(one) == "technique") for each in kept
        ]
        self.held_parents = Counter(parent for each in self.parents for parent in each)
        self.sizes: Numbers = np.log1p([len(each.features) for each in kept])
        self.reports: Numbers = np.log1p([max(each.reports, 0) for each in kept])

    def with_profile(self, changed: Profile) -> Profiles:
        """The same with another profile of one group; with an empty one, without the group."""
        return Profiles([*(each for each in self.all if each.group != changed.group), changed])

    def rarity(self, feature: str) -> float:
        """Of a feature among the profiles: 0 where all hold it."""
        return math.log((len(self.all) + 1) / (self.held[feature] + 0.5))

    def rarity_of_parent(self, technique: str) -> float:
        """The same for its parent, held in any form."""
        return math.log((len(self.all) + 1) / (self.held_parents[parent_of(technique)] + 0.5))


def as_profiles(values: Mapping[str, Any]) -> Profiles:
    """Profiles as fitted parameters hold them."""
    reports = values["reports"]
    return Profiles(
        Profile(group, frozenset(features), int(reports.get(group, 0)))
        for group, features in values["profiles"].items()
    )


@cache
def shipped_profiles() -> Profiles:
    """The profiles that came with Tocsin."""
    return as_profiles(shipped(NAME, VERSION).values)


def measures(feature: str, profiles: Profiles) -> Numbers:
    """What a feature says of each group: shape (groups, measures). Kinds that nobody measured say nothing."""
    made = np.zeros((len(profiles.all), len(MEASURES)))
    kind = kind_of(feature)
    if kind not in ("technique", "software"):
        return made
    rarity = profiles.rarity(feature)
    for row, each in enumerate(profiles.all):
        size = profiles.sizes[row]
        # Each feature of a case is likelier in a large profile, whether or not it is there.
        made[row, 6] = size / 10
        if feature in each.features and kind == "technique":
            made[row, :3] = 1, rarity, size
        elif feature in each.features:
            made[row, 3:5] = rarity, max(0.0, rarity - RARE)
        elif kind == "technique" and parent_of(feature) in profiles.parents[row]:
            made[row, 5] = profiles.rarity_of_parent(feature)
    return made


def starts(profiles: Profiles) -> Numbers:
    """What each group starts from: shape (groups, measures)."""
    made = np.zeros((len(profiles.all), len(MEASURES)))
    made[:, 7], made[:, 8] = profiles.sizes, profiles.reports
    return made


def doubts(scores: Numbers, matched: int, features: Sequence[str], profiles: Profiles) -> Numbers:
    """What the curve of UNKNOWN weighs: how far the best stands out, and how much of the case it explains."""
    count = len(features)
    order = np.sort(scores)[::-1]
    whole = float(np.log(np.exp(scores - order[0]).sum()))
    second = float(order[1]) if len(order) > 1 else float(order[0])
    new = sum(1 for each in features if kind_of(each) == "software" and not profiles.held[each])
    mean = float(scores.mean())
    apart = float(order[0]) - second, float(order[0]) - mean
    return np.array([1.0, whole, *apart, math.log1p(count), matched / count, new])


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of all groups and of UNKNOWN (log odds, to be compared with one another), and the cells they sum up."""

    features: tuple[str, ...]
    cells: Numbers
    """Shape (features, groups)."""
    starts: Numbers
    """Shape (2, groups): from the profile's size, and from the number of reports."""
    unknown: float
    doubts: Numbers
    matched: int
    """How many features of the case the profile of the first group holds."""

    @property
    def scores(self) -> Numbers:
        """Of each group."""
        return np.asarray(self.cells.sum(axis=0) + self.starts.sum(axis=0))

    def is_named(self, likely: float, least: float) -> bool:
        """Whether the first group, so likely, may be given as the answer.

        Not below the fitted likelihood nor behind UNKNOWN, not without one thing that speaks for it, and not where the
        case is wider than any that was measured.
        """
        is_first = self.unknown < float(self.scores.max())
        return is_first and likely >= least and self.matched > 0 and len(self.features) <= WIDEST


def scored(features: Iterable[str], profiles: Profiles, values: Mapping[str, Any]) -> Scored:
    """Score every group. `features` must hold one at least of a kind that is measured."""
    own = tuple(sorted(set(features)))
    known = [each for each in own if kind_of(each) in ("technique", "software")]
    weights = np.asarray(values["weights"]) / float(values["temperature"])
    cells = np.array([measures(each, profiles) @ weights for each in own])
    begin = (starts(profiles) * weights)[:, 7:].T
    scores = cells.sum(axis=0) + begin.sum(axis=0)
    best = profiles.all[int(np.argmax(scores))]
    matched = sum(each in best.features for each in known)
    doubt = doubts(scores, matched, known, profiles)
    odds = float(doubt @ np.asarray(values["unknown"])) if "unknown" in values else -math.inf
    highest = float(scores.max())
    return Scored(own, cells, begin, highest + math.log(np.exp(scores - highest).sum()) + odds, doubt, matched)


def hypotheses(
    subject: str, features: Mapping[str, Sequence[str]], known_at: datetime,
    profiles: Profiles | None = None, parameters: Parameters | None = None,
) -> Finding:  # fmt: skip
    """The groups that a case looks like, and UNKNOWN. `features` gives for each the identifiers of its sources."""
    used = parameters or shipped(NAME, VERSION)
    against = profiles or (shipped_profiles() if parameters is None else as_profiles(used.values))
    kinds = {kind_of(each) for each in features}
    notes = [NOTE, *([NEVER_MEASURED] if kinds - {"technique", "software"} else [])]
    if not kinds & {"technique", "software"} or not against.all:
        nobody = (Hypothesis(UNKNOWN, 0.0, 1.0),)
        return Finding(NAME, VERSION, subject, known_at, nobody, used.digest, (*notes, NOTHING, ABSTAINS))
    found = scored(features, against, used.values)
    scores = found.scores
    highest = max(float(scores.max()), found.unknown)
    whole = float(np.exp(scores - highest).sum()) + math.exp(found.unknown - highest)
    order = sorted(range(len(scores)), key=lambda each: (-round(float(scores[each]), 6), against.groups[each]))[:MOST]
    told = tuple(
        Hypothesis(
            against.groups[each], float(scores[each]), math.exp(float(scores[each]) - highest) / whole,
            _evidence(found, each, against, features),
        )
        for each in order
    )  # fmt: skip
    unknown = Hypothesis(UNKNOWN, found.unknown, math.exp(found.unknown - highest) / whole)
    answers = ranked([*told, unknown])
    if len(features) > WIDEST:
        notes.append(WIDE)
    if not found.is_named(told[0].probability or 0.0, float(used.values["least"])):
        notes.append(ABSTAINS)
    return Finding(NAME, VERSION, subject, known_at, answers, used.digest, tuple(notes))


def _evidence(
    found: Scored, group: int, profiles: Profiles, features: Mapping[str, Sequence[str]]
) -> tuple[Evidence, ...]:
    made = [
        Evidence(_word(each, group, profiles), each, float(found.cells[row, group]), tuple(features[each]))
        for row, each in enumerate(found.features)
    ]
    profile = profiles.all[group]
    made.append(Evidence("profile-size", str(len(profile.features)), float(found.starts[0, group])))
    made.append(Evidence("reports", str(profile.reports), float(found.starts[1, group])))
    return tuple(made)


def _word(feature: str, group: int, profiles: Profiles) -> str:
    kind = kind_of(feature)
    if kind not in ("technique", "software"):
        return "not-measured"
    if feature in profiles.all[group].features:
        return f"{kind}-in-profile"
    if kind == "technique" and parent_of(feature) in profiles.parents[group]:
        return "parent-in-profile"
    return f"{kind}-not-in-profile"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A feature that the case has not: were it found, `answer` would come nearer to the leading one by `gain`."""

    feature: str
    answer: str
    gain: float
    turns: bool
    """Whether it alone would put the answer first."""


def unseen(
    finding: Finding, profiles: Profiles | None = None, parameters: Parameters | None = None, most: int = 10
) -> tuple[Unseen, ...]:
    """What to look for: evidence not yet seen that would change the ranking most, each for the answer it helps most.

    What the leading group does too is worth little, what only a rival does is worth most.
    """
    used = parameters or shipped(NAME, VERSION)
    against = profiles or (shipped_profiles() if parameters is None else as_profiles(used.values))
    named = [each for each in finding.hypotheses if each.answer in against.groups]
    if len(named) < 2:
        return ()
    leader, rivals = named[0], named[1:]
    weights = np.asarray(used.values["weights"]) / float(used.values["temperature"])
    place = {group: number for number, group in enumerate(against.groups)}
    seen = {one.value for one in leader.evidence}
    rows = [against.all[place[each.answer]] for each in rivals]
    made: list[Unseen] = []
    for feature in sorted({one for each in rows for one in each.features} - seen):
        cells = measures(feature, against) @ weights
        gains = [float(cells[place[each.answer]] - cells[place[leader.answer]]) for each in rivals]
        left = [leader.score - each.score - gain for each, gain in zip(rivals, gains, strict=True)]
        best = min(range(len(rivals)), key=lambda each: (round(left[each], 6), rivals[each].answer))
        if gains[best] > 0:
            made.append(Unseen(feature, rivals[best].answer, gains[best], left[best] < 0))
    return tuple(sorted(made, key=lambda each: (not each.turns, -round(each.gain, 6), each.feature))[:most])
