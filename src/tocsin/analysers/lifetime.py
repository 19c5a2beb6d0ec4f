"""Whether an indicator will be seen again within 30 days, from what is known of it at a moment. Decision 70.

The log odds are a sum of three table entries, one for each input, so every answer can be recomputed by hand. Sources
that copy another count with it as one (`independence`): a day on which only a copy listed the indicator tells nothing.
While nothing is seen the probability falls and never rises: each input either stays or moves to a smaller entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from .contract import UNKNOWN, Evidence, Finding, Hypothesis, ranked
from .parameters import Parameters, shipped

VERSION: Final = "1"
NAME: Final = "lifetime"
AGAIN: Final = "seen-again"
NOT_AGAIN: Final = "not-seen-again"
WITHIN: Final = timedelta(days=30)
FRESH_DAYS: Final = 2
"""An indicator seen so many days ago at most counts as still seen when a kind is looked at."""
LEAST_OF_KIND: Final = 5
"""Of fewer indicators nobody can tell whether the kind is still collected."""
MOST_IDLE: Final = 90
"""Nothing was measured beyond so many days without a sighting."""
INPUTS: Final = ("idle-days", "days-seen-of-last-30", "share-of-kind-still-seen")
RISING: Final = (-1, 1, 1)
"""Which way each input may move the odds: -1 never up, 1 never down."""
Rows: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kind:
    """How many indicators of the same tool or kind are known at the moment, and how many of them are still seen."""

    known: int
    fresh: int

    def __post_init__(self) -> None:
        if not 0 <= self.fresh <= self.known:
            raise ValueError("more indicators are still seen than are known")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one indicator at a moment. Days of independent sources together, each day once."""

    age_days: int
    """Since the first sighting."""
    idle_days: int
    """Since the last one."""
    days_seen: int
    days_seen_last30: int
    kind: Kind
    sources: tuple[str, ...] = ()
    """The independent sources; shown and not weighed: no research data has more than one."""

    def __post_init__(self) -> None:
        if self.days_seen and not 0 <= self.idle_days <= self.age_days:
            raise ValueError("it was last seen before it was first seen, or after the moment")
        if not 0 <= self.days_seen_last30 <= self.days_seen <= max(self.age_days - self.idle_days + 1, 0):
            raise ValueError("it was seen on more days than there were")

    @property
    def inputs(self) -> tuple[float, ...]:
        """In the order of `INPUTS`."""
        return (
            float(self.idle_days),
            float(self.days_seen_last30),
            self.kind.fresh / self.kind.known if self.kind.known else 0.0,
        )


def known_of(
    sightings: Mapping[str, Collection[date]], on: date, kind: Kind, origins: Mapping[str, str] | None = None
) -> Known:
    """What the sightings (source -> days) say on that day. Days after it count for nothing, days of copies neither.

    `origins` names for each copy the source it copies.
    """
    copies = set(origins or {})
    own = {source: {day for day in days if day <= on} for source, days in sightings.items() if source not in copies}
    days = set().union(*own.values()) if own else set()
    sources = tuple(sorted(source for source, each in own.items() if each))
    if not days:
        return Known(0, 0, 0, 0, kind, sources)
    recent = sum(1 for day in days if (on - day).days < WITHIN.days)
    return Known((on - min(days)).days, (on - max(days)).days, len(days), recent, kind, sources)


def log_odds(rows: Rows, parameters: Parameters | None = None) -> Rows:
    """What each input adds, one column each; the last column is what all indicators start from."""
    values = (parameters or shipped(NAME, VERSION)).values
    made = np.empty((len(rows), len(INPUTS) + 1))
    for place, name in enumerate(INPUTS):
        table = values["tables"][name]
        made[:, place] = np.asarray(table["adds"], float)[np.searchsorted(table["up_to"], rows[:, place], "left")]
    made[:, -1] = float(values["start"])
    return made


def probabilities(rows: Rows, parameters: Parameters | None = None) -> Rows:
    """How likely each is seen again within 30 days."""
    return np.asarray(1 / (1 + np.exp(-log_odds(rows, parameters).sum(axis=1))))


def explained(subject: str, known: Known, known_at: datetime, parameters: Parameters | None = None) -> Finding:
    """The finding on one indicator: what each input adds to the log odds; UNKNOWN where there is nothing to go by."""
    used = parameters or shipped(NAME, VERSION)
    notes = _notes(known)
    if not known.days_seen or known.kind.known < LEAST_OF_KIND:
        return Finding(NAME, VERSION, subject, known_at, (Hypothesis(UNKNOWN, 0.0),), used.digest, notes)
    row = np.asarray([known.inputs])
    adds = log_odds(row, used)[0].tolist()
    likely = float(probabilities(row, used)[0])
    evidence = [
        *(Evidence(name, f"{value:g}", add) for name, value, add in zip(INPUTS, known.inputs, adds)),
        Evidence("where-all-start", "", adds[-1]),
        *(Evidence("independent-source", source, 0.0) for source in known.sources),
    ]
    odds = sum(adds)
    hypotheses = (
        Hypothesis(AGAIN, odds, likely, tuple(evidence)),
        Hypothesis(NOT_AGAIN, -odds, 1 - likely),
        Hypothesis(UNKNOWN, 0.0, 0.0),
    )
    return Finding(NAME, VERSION, subject, known_at, ranked(hypotheses), used.digest, notes)


def fading(
    sightings: Mapping[str, Collection[date]], on: date, kind: Kind, days: Iterable[int],
    origins: Mapping[str, str] | None = None, parameters: Parameters | None = None,
) -> list[float]:  # fmt: skip
    """The probability so many days on if nothing is seen until then and the kind goes on as it is: it never rises.

    Raises ValueError where nothing was ever seen: there is nothing that could fade.
    """
    past = {source: [day for day in each if day <= on] for source, each in sightings.items()}
    later = [known_of(past, on + timedelta(days=each), kind, origins) for each in days]
    if any(not each.days_seen for each in later):
        raise ValueError("nothing was seen")
    return list(probabilities(np.asarray([each.inputs for each in later]), parameters).tolist()) if later else []


def by_formula(idle_days: npt.ArrayLike, lifetime: float, speed: float) -> Rows:
    """The score of MISP's decaying models (arXiv 1902.03914) for a base score of 1: the peer we are compared with."""
    left = 1 - (np.asarray(idle_days, float) / lifetime) ** (1 / speed)
    return np.asarray(np.clip(left, 0.0, 1.0))


def _notes(known: Known) -> tuple[str, ...]:
    found = {
        "never-seen": not known.days_seen,
        "kind-without-history": known.kind.known < LEAST_OF_KIND,
        "idle-beyond-what-was-measured": known.idle_days > MOST_IDLE,
        "sources-not-weighed": len(known.sources) > 1,
    }
    return tuple(name for name, holds in found.items() if holds)
