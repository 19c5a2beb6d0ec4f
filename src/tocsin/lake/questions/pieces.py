"""The rows of one share in their order, however many: few are sorted in memory, more are parted on disk first.

They are parted into ranges of their keys, between keys that were sampled. A range that holds too many all the same is
parted again, so that what is held at a time is bounded by rows, whatever the rows are. Each parting reads the keys once
and the rows once: one parting does for a hundred million rows, two for some ten thousand million.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from .runs import KEYS, Part, Words, coded, forget, worded, written

HELD_PIECES = 2
"""So many pieces are held, and sorted, at a time."""
RANGES = 512
"""At the most in one parting: more would make record batches of a few rows."""
_SAMPLED = 48
"""Keys sampled for each range: by chance a range holds a third more or less than another."""
_ROW = "_row"


def in_order(parts: Sequence[Part], rows: int, words: Words, folder: Path) -> Iterator[pl.DataFrame]:
    """All rows by kind, value, batch and position, equal ones as they came; so many at a time, at least one frame.

    `folder` is made where they are too many, and gone when the last was read or nobody wants more.
    """
    height = sum(part.rows for part in parts)
    if not height:
        yield words.empty
    elif height <= rows * HELD_PIECES:
        frame = worded(coded(parts), words)
        order = _order(frame)
        for start in range(0, height, rows):
            yield _picked(frame, order[start : start + rows], words)
    else:
        folder.mkdir(parents=True)
        try:
            for place, some in enumerate(_parted(parts, rows, words, folder)):
                yield from in_order(some, rows, words, folder / str(place))
        finally:
            forget()
            shutil.rmtree(folder, ignore_errors=True)


def _parted(parts: Sequence[Part], rows: int, words: Words, folder: Path) -> list[list[Part]]:
    """The rows anew in runs of this folder, by ranges of their keys; within a range as they came."""
    bounds = _bounds(parts, rows, words)
    found: defaultdict[int, list[Part]] = defaultdict(list)
    first = 0
    for place, some in enumerate(_groups(parts, rows * HELD_PIECES)):
        frame = coded(some)
        keys = worded(frame.select(name for name in KEYS if name in frame.columns), words)
        ranges = _ranges(keys, first, bounds)
        first += frame.height
        order = np.argsort(ranges, kind="stable").astype(np.uint32)
        for number, part in written(folder / f"{place:05d}.arrow", frame[order], ranges[order]):
            found[number].append(part)
    return [found[number] for number in sorted(found)]


def _groups(parts: Sequence[Part], rows: int) -> Iterator[list[Part]]:
    """Record batches that follow each other, so many rows together, or one that has more."""
    some: list[Part] = []
    held = 0
    for part in parts:
        if some and held + part.rows > rows:
            yield some
            some, held = [], 0
        some.append(part)
        held += part.rows
    if some:
        yield some


def _bounds(parts: Sequence[Part], rows: int, words: Words) -> pl.DataFrame:
    """The first key of each range but the first one, with the number of its row, so that equal keys are parted, too."""
    height = sum(part.rows for part in parts)
    ranges = min(RANGES, -(-height // rows))
    drawn = np.random.default_rng(height).integers(0, height, ranges * _SAMPLED)
    places = np.unique(drawn) if height > len(drawn) else np.arange(height)
    sampled, first = [], 0
    for some in _groups(parts, rows * HELD_PIECES):
        end = first + sum(part.rows for part in some)
        here = places[np.searchsorted(places, first) : np.searchsorted(places, end)]
        keys = worded(coded(some, KEYS), words)[(here - first).astype(np.uint32)]
        sampled.append(keys.with_columns(pl.Series(_ROW, here)))
        first = end
    sample = pl.concat(sampled)
    chosen = np.unique(np.arange(1, ranges) * len(places) // ranges)
    return sample[_order(sample)[chosen[chosen > 0]]]


def _ranges(keys: pl.DataFrame, first: int, bounds: pl.DataFrame) -> npt.NDArray[np.uint16]:
    """The range of each row; the rows are numbered from `first` on.

    Most are told by their value alone. Those that share it with a bound are told by all of their key, then by number.
    """
    found = np.empty(keys.height, np.uint16)
    is_tied = np.zeros(keys.height, bool)
    kinds, bound_kinds = (frame["kind"].cast(pl.String) for frame in (keys, bounds))
    for kind in kinds.unique():
        rows = np.flatnonzero((kinds == kind).to_numpy())
        values, own = keys["value"].gather(rows), bounds["value"].filter(bound_kinds == kind)
        found[rows] = before = (bound_kinds < kind).sum()
        if len(own):
            places = own.search_sorted(values, "right").to_numpy().astype(np.int64)
            found[rows] = before + places
            is_tied[rows] = (places > 0) & (own.gather(np.maximum(places - 1, 0)) == values).to_numpy()
    tied = np.flatnonzero(is_tied)
    if len(tied):
        numbers = np.concatenate([bounds[_ROW].to_numpy(), first + tied])
        came = np.argsort(numbers, kind="stable").astype(np.uint32)
        order = _order(pl.concat([bounds.select(KEYS), keys[tied].select(KEYS)]), came)
        is_bound = order < bounds.height
        found[tied[order[~is_bound] - bounds.height]] = np.cumsum(is_bound)[~is_bound]
    return found


def _picked(frame: pl.DataFrame, order: npt.NDArray[np.uint32], words: Words) -> pl.DataFrame:
    """Rows in this order, with all columns of a share."""
    return pl.concat([words.empty, frame[order]], how="diagonal")


def _order(frame: pl.DataFrame, order: npt.NDArray[np.uint32] | None = None) -> npt.NDArray[np.uint32]:
    """Places of the rows by kind, value, batch and position; equal ones as they stand, or as they stand in an order.

    Sorting numbers is many times cheaper than rows.
    """
    kinds = frame["kind"].dtype
    assert isinstance(kinds, pl.Enum)
    words = kinds.categories
    rank = np.zeros(len(words) + 1, np.uint64)
    rank[words.arg_sort().to_numpy()] = np.arange(len(words), dtype=np.uint64)
    kind = rank[frame["kind"].to_physical().fill_null(len(words)).to_numpy()]
    value = frame["value"].rank("dense").fill_null(0).to_numpy().astype(np.uint64)
    order = np.arange(frame.height, dtype=np.uint32) if order is None else order
    for numbers in (frame["position"].to_numpy(), frame["batch"].to_numpy(), value, kind):
        order = _sorted(order, numbers.astype(np.uint64))
    return order


def _sorted(order: npt.NDArray[np.uint32], numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """The order, now by these numbers first. Sorting sixteen bits at a time costs a quarter of comparing numbers."""
    highest = int(numbers.max(initial=0))
    for shift in range(0, highest.bit_length(), 16):
        digits = (numbers >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    return order
