"""Which reports tell of one campaign: by what they share, weighed by how rare it is; by nothing that everybody shares.

A report is a delivery, an object or a case: whatever is said at one time by one publisher. Values are 64-bit keys; the
reader's own words for them come back through `values` of whoever asks. What links (decision 69):

- A value in `n` reports weighs 1 / (n - 1) for each pair of them; beyond `HUB` reports it links nothing by itself, and
  is named as a hub. A value on a warning list, of a publisher's own site, of a sinkhole is not handed over at all.
- The index is two sorted columns, one row for each different value of a report: it grows with the data and not with the
  pairs. New deliveries are merged in; links are made when asked for.
- The weight of a pair becomes a probability by a curve that was fitted on pairs of named reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from .contract import UNKNOWN, Evidence, Finding, Hypothesis, ranked
from .parameters import Parameters, shipped

VERSION: Final = "1"
NAME: Final = "linking"
HUB: Final = 8
"""A value in more reports links nothing by itself (the study's rule: from here on more links are wrong than right)."""
KINDS: Final = ("domain", "address", "digest", "other")
"""Kinds of values by what sharing one means: a name is bought once, an address is let anew, a file travels."""
SAME: Final = "same-campaign"
LEAST: Final = 0.5
"""Links of less are not counted when campaigns are proposed (measured: the card)."""
Keys: TypeAlias = npt.NDArray[np.uint64]
Reports: TypeAlias = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Index:
    """Every different value of every report, sorted by value, then report."""

    keys: Keys
    reports: Reports
    kinds: npt.NDArray[np.uint8]

    @property
    def size_bytes(self) -> int:
        """Memory of the three columns: 13 bytes a value of a report."""
        return self.keys.nbytes + self.reports.nbytes + self.kinds.nbytes

    def of_values(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Rows in which these values stand."""
        first, last = np.searchsorted(self.keys, keys, "left"), np.searchsorted(self.keys, keys, "right")
        return spread(first, last - first)


def index_of(keys: Keys, reports: Reports, kinds: npt.NDArray[np.uint8]) -> Index:
    """An index of these rows, each (value, report) once."""
    order = np.lexsort((reports, keys))
    keys, reports, kinds = keys[order], reports[order], kinds[order]
    first = np.ones(len(keys), bool)
    first[1:] = (keys[1:] != keys[:-1]) | (reports[1:] != reports[:-1])
    return Index(keys[first], reports[first], kinds[first])


def merged(index: Index, more: Index) -> Index:
    """The index with the rows of new reports, which it must not hold yet: one pass over the columns, no sorting."""
    # Reports of `more` are new and numbered behind the others, so within a value they follow.
    places = np.searchsorted(index.keys, more.keys, "right")
    return Index(
        np.insert(index.keys, places, more.keys),
        np.insert(index.reports, places, more.reports),
        np.insert(index.kinds, places, more.kinds),
    )


def without(index: Index, reports: Reports) -> Index:
    """The index without these reports: recalled, purged, or hidden from who asks."""
    stay = ~np.isin(index.reports, reports)
    return Index(index.keys[stay], index.reports[stay], index.kinds[stay])


@dataclass(frozen=True, slots=True)
class Links:
    """Pairs of reports (`one` < `other`), what links them by kind of value, and how many values each kind has."""

    one: Reports
    other: Reports
    weights: npt.NDArray[np.float64]
    """Shape (pairs, kinds): sums of 1 / (n - 1)."""
    counts: npt.NDArray[np.int64]
    """Shape (pairs, kinds)."""

    def __len__(self) -> int:
        return len(self.one)

    def only(self, chosen: npt.NDArray[np.bool_]) -> Links:
        """Some of them."""
        return Links(self.one[chosen], self.other[chosen], self.weights[chosen], self.counts[chosen])


def links(index: Index, rows: npt.NDArray[np.int64] | None = None, hub: int = HUB) -> Links:
    """All pairs that share a value which is no hub; with `rows`, only by the values that stand in these rows.

    Work and memory are bounded by the rows: a value in n reports has at most hub * (hub - 1) / 2 pairs.
    """
    chosen = index if rows is None else Index(index.keys[rows], index.reports[rows], index.kinds[rows])
    starts, sizes = runs(chosen.keys)
    keep = (sizes > 1) & (sizes <= hub)
    starts, sizes = starts[keep], sizes[keep]
    pairs: list[npt.NDArray[np.uint64]] = []
    kinds: list[npt.NDArray[np.uint8]] = []
    weights: list[npt.NDArray[np.float64]] = []
    for size in np.unique(sizes).tolist():
        own = starts[sizes == size]
        left, right = np.triu_indices(size, 1)
        one = chosen.reports[(own[:, None] + left).ravel()].astype(np.uint64)
        other = chosen.reports[(own[:, None] + right).ravel()].astype(np.uint64)
        pairs.append(one << np.uint64(32) | other)
        kinds.append(np.repeat(chosen.kinds[own], len(left)))
        weights.append(np.full(len(one), 1 / (size - 1)))
    if not pairs:
        none = np.zeros(0, np.uint32)
        return Links(none, none, np.zeros((0, len(KINDS))), np.zeros((0, len(KINDS)), np.int64))
    return _summed(np.concatenate(pairs), np.concatenate(kinds), np.concatenate(weights))


def _summed(pairs: npt.NDArray[np.uint64], kinds: npt.NDArray[np.uint8], weights: npt.NDArray[np.float64]) -> Links:
    found, places = np.unique(pairs, return_inverse=True)
    cells = places * len(KINDS) + kinds
    shape, most = (len(found), len(KINDS)), len(found) * len(KINDS)
    return Links(
        (found >> np.uint64(32)).astype(np.uint32),
        (found & np.uint64(0xFFFFFFFF)).astype(np.uint32),
        np.bincount(cells, weights, most).astype(np.float64).reshape(shape),
        np.bincount(cells, minlength=most).reshape(shape),
    )


def features(found: Links) -> npt.NDArray[np.float64]:
    """What the curve weighs: the rarity shared, kind by kind (growing ever slower), and how many kinds agree."""
    return np.column_stack([np.log1p(found.weights), np.maximum((found.counts > 0).sum(axis=1) - 1, 0)])


def probabilities(found: Links, parameters: Parameters | None = None) -> npt.NDArray[np.float64]:
    """How likely each pair tells of one thing."""
    values = (parameters or shipped(NAME, VERSION)).values
    odds = features(found) @ np.asarray(values["weights"]) + float(values["bias"])
    return np.asarray(1 / (1 + np.exp(-odds / float(values["temperature"]))))


@dataclass(frozen=True)
class Graph:
    """Links as rows of neighbours, for walks from a report outward."""

    found: Links
    likely: npt.NDArray[np.float64]
    reports: int

    @cached_property
    def _rows(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        ends = np.concatenate([self.found.one, self.found.other]).astype(np.int64)
        far = np.concatenate([self.found.other, self.found.one]).astype(np.int64)
        edges = np.tile(np.arange(len(self.found)), 2)
        order = np.lexsort((far, -self.likely[edges], ends))
        return np.searchsorted(ends[order], np.arange(self.reports + 1)), far[order], edges[order]

    def around(self, report: int, hops: int = 3, most: int = 50, least: float = 0.0) -> npt.NDArray[np.int64]:
        """Numbers of the links within so many steps of a report, from each report its likeliest `most`."""
        starts, far, edges = self._rows
        seen, front = np.asarray([report]), np.asarray([report])
        taken: list[npt.NDArray[np.int64]] = []
        for _ in range(hops):
            sizes = np.minimum(starts[front + 1] - starts[front], most)
            places = spread(starts[front], sizes)
            places = places[self.likely[edges[places]] >= least]
            taken.append(edges[places])
            front = np.setdiff1d(far[places], seen)
            seen = np.union1d(seen, front)
            if not len(front):
                break
        return np.unique(np.concatenate(taken)) if taken else np.zeros(0, np.int64)


def communities(
    found: Links, likely: npt.NDArray[np.float64], least: float, resolution: float = 1.0
) -> list[list[int]]:
    """Groups of reports that hold together (Leiden, Traag et al. 2019), each of two at least, the largest first.

    Only links of at least that probability count. The seed is fixed: the same links give the same groups.
    """
    from graspologic_native import leiden

    chosen = likely >= least
    edges = [
        (str(one), str(other), weight)
        for one, other, weight in zip(
            found.one[chosen].tolist(), found.other[chosen].tolist(), likely[chosen].tolist(), strict=True
        )
    ]
    if not edges:
        return []
    _, groups = leiden(edges, None, resolution=resolution, randomness=0.001, iterations=2, seed=1)
    members: dict[int, list[int]] = {}
    for report, group in groups.items():
        members.setdefault(group, []).append(int(report))
    return sorted((sorted(each) for each in members.values()), key=lambda each: (-len(each), each))


def shared(index: Index, one: int, other: int) -> list[tuple[int, int, int]]:
    """What two reports share: (value, kind, in how many reports it stands), the rarest first. Hubs are among them."""
    mine = np.intersect1d(index.keys[index.reports == one], index.keys[index.reports == other])
    first = np.searchsorted(index.keys, mine, "left")
    sizes = np.searchsorted(index.keys, mine, "right") - first
    order = np.lexsort((mine, sizes))
    return [(int(mine[each]), int(index.kinds[first[each]]), int(sizes[each])) for each in order]


def explained(
    index: Index, pair: tuple[int, int], values: Mapping[int, str], names: Sequence[str], known_at: datetime,
    parameters: Parameters | None = None,
) -> Finding:  # fmt: skip
    """The finding on two reports: how likely they tell of one campaign, by which values; hubs, which say nothing.

    `values` gives the reader's words for a value, `names` the identifiers of the reports. The weight of a value is its
    share, by rarity among those of its kind, of the log odds that its kind adds; a hub weighs nothing and is named.
    Where only hubs are shared there is no link, and the probability is 0: nothing was measured for such pairs.
    """
    used = parameters or shipped(NAME, VERSION)
    both = shared(index, *pair)
    found = links_of_pair(both)
    sources = tuple(names[each] for each in pair)
    likely, odds = 0.0, np.zeros(len(KINDS) + 1)
    if len(found):
        likely = float(probabilities(found, used)[0])
        odds = features(found)[0] * np.asarray(used.values["weights"]) / float(used.values["temperature"])
    evidence = [_evidence(each, values, odds, found, sources) for each in both]
    if odds[-1]:
        evidence.append(Evidence("kinds-agree", str(int((found.counts > 0).sum())), float(odds[-1]), sources))
    same = Hypothesis(SAME, float(odds.sum()), likely, tuple(evidence))
    other = Hypothesis(UNKNOWN, 0.0, 1 - likely)
    return Finding(NAME, VERSION, " ".join(sources), known_at, ranked([same, other]), used.digest)


def _evidence(
    value: tuple[int, int, int], values: Mapping[int, str], odds: npt.NDArray[np.float64], found: Links,
    sources: tuple[str, ...],
) -> Evidence:  # fmt: skip
    key, kind, size = value
    word = values.get(key, f"{key:016x}")
    if size > HUB:
        return Evidence("hub", word, 0.0, sources)
    share = (1 / (size - 1)) / float(found.weights[0, kind])
    return Evidence(f"shared-{KINDS[kind]}", word, float(odds[kind]) * share, sources)


def links_of_pair(both: Sequence[tuple[int, int, int]]) -> Links:
    """The link of two reports from what they share; none where all of it are hubs."""
    weights, counts = np.zeros((1, len(KINDS))), np.zeros((1, len(KINDS)), np.int64)
    for _, kind, size in both:
        if size <= HUB:
            weights[0, kind] += 1 / (size - 1)
            counts[0, kind] += 1
    pair = np.zeros(1, np.uint32)
    return Links(pair, pair, weights, counts).only(counts.sum(axis=1) > 0)


def runs(sorted_keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each run of equal keys begins, and how long it is."""
    if not len(sorted_keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.r_[True, sorted_keys[1:] != sorted_keys[:-1]])
    return starts, np.diff(np.r_[starts, len(sorted_keys)])


def spread(starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """All places of stretches that begin here and are so long."""
    whole = int(sizes.sum())
    offsets = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(starts, sizes) + np.arange(whole) - offsets
