"""Repeats inside one source's delivery become a count; across sources nothing is merged."""

from __future__ import annotations

import numpy as np
import polars as pl

MOST_REMEMBERED = 64_000_000
"""Rows whose digests are remembered within one delivery: 1 GiB. Beyond it the oldest are forgotten."""


def row_digests(frame: pl.DataFrame) -> np.ndarray:
    """A 128-bit digest of each row as two uint64 columns, shape (rows, 2); equal rows have equal digests.

    Two independent 64-bit hashes: the chance that a billion different rows hold one false repeat is below 1e-20.
    """
    return np.column_stack(
        [frame.hash_rows(seed).to_numpy() for seed in (0x746F6373, 0x696E2E31)],
    )


def first_places(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each distinct row, the place of its first appearance (ascending) and how often it appears."""
    order = np.argsort(digests[:, 0], kind="stable")
    ranked = digests[order]
    fresh = np.empty(len(order), dtype=bool)
    if len(order):
        fresh[0] = True
        fresh[1:] = (ranked[1:] != ranked[:-1]).any(axis=1)
    starts = np.flatnonzero(fresh)
    counts = np.diff(np.append(starts, len(order)))
    # Rows that share the first hash but differ in the second may interleave; they are as good as never, and
    # would at worst be kept apart, never merged.
    places = order[starts]
    back = np.argsort(places, kind="stable")
    return places[back], counts[back]


class Seen:
    """The digests of earlier chunks of the same delivery."""

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []

    def are_new(self, digests: np.ndarray) -> np.ndarray:
        """Which rows were not in any earlier chunk; remembers them all."""
        if not len(digests):
            return np.ones(0, dtype=bool)
        keys = digests[:, 0] ^ (digests[:, 1] * np.uint64(0x9E3779B97F4A7C15))
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
        if len(self._sorted) > 8:
            self._sorted = [np.sort(np.concatenate(self._sorted))]
        while sum(map(len, self._sorted)) > MOST_REMEMBERED and len(self._sorted) > 1:
            self._sorted.pop(0)
        return new
