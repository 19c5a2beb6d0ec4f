"""Repeats inside one source's delivery become a count; across sources nothing is merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import polars as pl

from tocsin.core.later import Table

HELD_BYTES = 384 << 20
"""What may wait in memory for its final counts, together with the keys that are remembered; beyond that it waits on the
disk."""
MOST_REMEMBERED = 48_000_000
"""Rows whose keys are remembered within one delivery. Beyond it the oldest are forgotten."""
KEYS_IN_PART = 8_000_000
"""Keys that lie in one sorted part at most: joining two parts needs their room once more."""
NOTES_IN_MEMORY = 2_000_000
"""Repeats noted before they are added up and laid on the disk."""


def row_digests(frame: pl.DataFrame) -> np.ndarray:
    """A 128-bit digest of each row as two uint64 columns, shape (rows, 2); equal rows have equal digests.

    Two independent 64-bit hashes: the chance that a billion different rows hold one false repeat is below 1e-20.
    Neither the order of the columns nor a column without a value changes them: chunks of a file may differ in both.
    """
    digests = np.zeros((frame.height, 2), dtype=np.uint64)
    for column in frame.iter_columns():
        if column.null_count() == frame.height:
            continue
        empty = column.is_null().to_numpy() if column.null_count() else None
        name = crc32(column.name.encode()) << 31
        for place, seed in enumerate((0x746F6373, 0x696E2E31)):
            hashes = column.hash(seed ^ name).to_numpy()
            digests[:, place] += hashes if empty is None else np.where(empty, np.uint64(0), hashes)
    return digests


def order_of(codes: np.ndarray) -> np.ndarray:
    """What sorts numbers of 64 bits, equal ones in their order. Sorting numbers that carry their place below costs a
    third of sorting places."""
    bits = np.uint64(len(codes).bit_length())
    packed = (codes >> bits << bits) | np.arange(len(codes), dtype=np.uint64)
    packed.sort()
    order = (packed & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64)
    ranked = codes[order]
    if (ranked[1:] < ranked[:-1]).any():  # Some differ only below.
        order = order[np.argsort(ranked, kind="stable")]
    return order


def first_places(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each distinct row, the place of its first appearance (ascending) and how often it appears."""
    order = order_of(np.ascontiguousarray(digests[:, 0]))
    fresh = np.empty(len(order), dtype=bool)
    if len(order):
        first, second = digests[order, 0], digests[order, 1]
        fresh[0] = True
        fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    starts = np.flatnonzero(fresh)
    counts = np.diff(np.append(starts, len(order)))
    # Rows that share the first hash but differ in the second may interleave; they are as good as never, and
    # would at worst be kept apart, never merged.
    places = order[starts]
    back = np.argsort(places, kind="stable")
    return places[back], counts[back]


def keys_of(digests: np.ndarray) -> np.ndarray:
    """One uint64 for each row that tells it from all others of a delivery."""
    keys: np.ndarray = digests[:, 0] ^ (digests[:, 1] * np.uint64(0x9E3779B97F4A7C15))
    return keys


class Seen:
    """The keys of earlier chunks of the same delivery."""

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []

    @property
    def held_bytes(self) -> int:
        """What the keys take of the memory."""
        return sum(each.nbytes for each in self._sorted)

    def are_new(self, keys: np.ndarray) -> np.ndarray:
        """Which rows were not in any earlier chunk; remembers them all."""
        if not len(keys):
            return np.ones(0, dtype=bool)
        order = np.argsort(keys)
        ordered = keys[order]
        # Searching in ascending order walks the memory once instead of jumping about in it.
        known = np.zeros(len(keys), dtype=bool)
        for chunk in self._sorted:
            at = np.minimum(np.searchsorted(chunk, ordered), len(chunk) - 1)
            known |= chunk[at] == ordered
        self._sorted.append(ordered)
        new = np.empty(len(keys), dtype=bool)
        new[order] = ~known
        # Parts of like size become one: few parts to search, and each key is sorted again only a few times.
        while (
            len(self._sorted) > 1
            and len(self._sorted[-2]) < 2 * len(self._sorted[-1])
            and len(self._sorted[-2]) + len(self._sorted[-1]) <= KEYS_IN_PART
        ):
            joined = np.concatenate([self._sorted.pop(), self._sorted.pop()])
            joined.sort()
            self._sorted.append(joined)
        while sum(map(len, self._sorted)) > MOST_REMEMBERED and len(self._sorted) > 1:
            self._sorted.pop(0)
        return new


KEY_COLUMNS: Table[type[pl.DataType]] = Table(lambda: {"key": pl.UInt64, "row": pl.UInt32})
COUNT_COLUMNS: Table[type[pl.DataType]] = Table(lambda: {"key": pl.UInt64, "count": pl.Int64})


class Recount:
    """Counts that later chunks add to rows of earlier ones.

    What fills a file is set aside, not yet written for good: only at the end is it known what came again. A delivery
    of a few files, as nearly all are, never touches the disk for this.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._noted: list[pl.DataFrame] = []
        self._noted_rows = 0
        self._summed: list[_Sums] = []
        self._held: list[Path | _Waiting] = []
        self._held_bytes = 0

    def note(self, again: pl.DataFrame) -> None:
        """Rows of COUNT_COLUMNS that were seen before."""
        if not again.height:
            return
        self._noted.append(again)
        self._noted_rows += again.height
        if self._noted_rows >= NOTES_IN_MEMORY:
            self._summed.append(self._sum().laid_down(self._folder / f"again-{len(self._summed)}"))

    def hold(self, frame: pl.DataFrame, keys: pl.DataFrame, taken_bytes: int = 0) -> None:
        """Set the rows of one file aside; `keys`, of KEY_COLUMNS, tell which counts belong to which of them.

        `taken_bytes` is what `Seen` takes by now of the memory that both share: as it grows, what waits makes room.
        """
        size, room = int(frame.estimated_size() + keys.estimated_size()), HELD_BYTES - taken_bytes
        for place, each in enumerate(self._held):
            if self._held_bytes <= room:
                break
            if isinstance(each, _Waiting):
                self._held_bytes -= each.size
                self._held[place] = self._on_disk(place, each.frame, each.keys)
        if self._held_bytes + size <= room:
            self._held_bytes += size
            self._held.append(_Waiting(frame, keys, size))
        else:
            self._held.append(self._on_disk(len(self._held), frame, keys))

    def _on_disk(self, place: int, frame: pl.DataFrame, keys: pl.DataFrame) -> Path:
        path = self._folder / f"held-{place}.arrow"
        frame.write_ipc(path, compression="lz4")
        keys.write_ipc(path.with_suffix(".keys"))
        return path

    def settled(self, frame: pl.DataFrame | None, keys: pl.DataFrame | None) -> Iterator[pl.DataFrame]:
        """What was held, file by file, and at last what still waits, each with its final counts."""
        if self._noted:
            self._summed.append(self._sum())
        held, self._held = self._held[::-1], []
        while held:
            each = held.pop()  # What was given out is not kept here as well.
            if isinstance(each, _Waiting):
                yield _recounted(each.frame, each.keys, self._summed)
                continue
            yield _recounted(pl.read_ipc(each), pl.read_ipc(each.with_suffix(".keys")), self._summed)
            each.unlink()
            each.with_suffix(".keys").unlink()
        if frame is not None and keys is not None:
            yield _recounted(frame, keys, self._summed)
        self._summed = []
        for path in self._folder.glob("again-*.npy"):
            path.unlink()

    def _sum(self) -> _Sums:
        """What was noted, by ascending keys and once each."""
        again = pl.concat(self._noted)
        self._noted, self._noted_rows = [], 0
        order = np.argsort(again["key"].to_numpy())
        keys, counts = again["key"].to_numpy()[order], again["count"].to_numpy()[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        return _Sums(keys[starts], np.add.reduceat(counts, starts))


class _Waiting(NamedTuple):
    frame: pl.DataFrame
    keys: pl.DataFrame
    size: int


class _Sums(NamedTuple):
    keys: np.ndarray
    """Ascending, never empty."""
    counts: np.ndarray
    """What is to be added for each."""

    def laid_down(self, path: Path) -> _Sums:
        """The same, on the disk and read from there as it is needed."""
        return _Sums(
            _laid_down(path.with_suffix(".keys.npy"), self.keys), _laid_down(path.with_suffix(".npy"), self.counts)
        )


def _laid_down(path: Path, numbers: np.ndarray) -> np.ndarray:
    np.save(path, numbers)
    found: np.ndarray = np.load(path, mmap_mode="r")
    return found


def _recounted(frame: pl.DataFrame, keys: pl.DataFrame, noted: Sequence[_Sums]) -> pl.DataFrame:
    if not noted:
        return frame
    asked, rows = keys["key"].to_numpy(), keys["row"].to_numpy()
    order = order_of(asked)
    asked, rows = asked[order], rows[order]
    counts = None
    for sums in noted:
        at = np.minimum(np.searchsorted(sums.keys, asked), len(sums.keys) - 1)
        found = sums.keys[at] == asked
        if not found.any():
            continue
        counts = frame["count"].to_numpy().copy() if counts is None else counts
        # Several keys may stand for one row, where a window made one of them.
        np.add.at(counts, rows[found], sums.counts[at[found]])
    return frame if counts is None else frame.with_columns(count=pl.Series("count", counts))
