"""Which sources copy another: what nearly all of their values come from, days later. Pure, and no analyser of its own.

A copy is not a second witness. A source that gathers from several is no copy of any one of them, for no one of them
holds nearly all of its values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from statistics import median
from typing import Final

LEAST_VALUES: Final = 20
"""Of fewer values nobody can tell a copy from two who saw the same."""
LEAST_SHARE: Final = 0.9
WITHIN_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Follows:
    """`share` of all values of `copy` stood in `origin` before or on the same day, at most some days earlier."""

    copy: str
    origin: str
    values: int
    share: float
    lead_days: float
    """Median of how much earlier the origin has them."""


def following(first_seen: Mapping[str, Mapping[str, date]]) -> tuple[Follows, ...]:
    """Every pair in which one follows the other; `first_seen` is source -> value -> the day on which it listed it."""
    found = []
    for copy, origin in permutations(sorted(first_seen), 2):
        own, other = first_seen[copy], first_seen[origin]
        if len(own) < LEAST_VALUES:
            continue
        leads = [(day - other[value]).days for value, day in own.items() if value in other]
        before = [each for each in leads if 0 <= each <= WITHIN_DAYS]
        if len(before) >= LEAST_SHARE * len(own):
            found.append(Follows(copy, origin, len(own), len(before) / len(own), float(median(before))))
    return tuple(found)


def origins(first_seen: Mapping[str, Mapping[str, date]]) -> dict[str, str]:
    """Copy -> the source with which it counts as one. Of those that hang together the most followed one stands for all.

    Equals stand in the order of their names: two lists that are the same count once.
    """
    pairs = following(first_seen)
    followed, leads = Counter(each.origin for each in pairs), Counter[str]()
    groups = {source: {source} for source in first_seen}
    for each in pairs:
        leads[each.origin] += int(each.lead_days > 0)
        joined = groups[each.copy] | groups[each.origin]
        for member in joined:
            groups[member] = joined
    first = {source: min(group, key=lambda one: (-leads[one], -followed[one], one)) for source, group in groups.items()}
    return {source: first[source] for source in sorted(first_seen) if first[source] != source}
