"""Which values did several hand over? Counted, never paired: a value in a thousand deliveries is one line, not half a
million pairs, and none is left out for being common.

Only what the asker may see exists: rows are held against the scope before anything is counted, so that a source that
may not be seen makes no value shared. Values are compared by a number of 64 bits and sorted into parts on disk, a part
at a time; those that are told are compared letter by letter. Memory is bounded by a part and by the largest file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from tocsin.lake import parquet
from tocsin.lake.keys import Keys
from tocsin.lake.scope import Batches, Scope, Snapshot

PAIRS_IN_PART = 4_000_000
"""Values with their sources that are put together at a time."""
MOST_TOLD = 1_000
_LETTERS = ("kind", "value")
_SEEDS = (20_261_123, 20_261_124)
_READ = ("batch", "kind", "value", "role", "country")


@dataclass(frozen=True, slots=True)
class SharedValue:
    """One value that several handed over, as far as the asker may see."""

    kind: str
    value: str
    sources: tuple[int, ...]
    """Numbers of those who did, ascending."""
    rows: int
    first_at: datetime
    last_at: datetime


@dataclass(slots=True)
class Shared:
    """How many values are shared, by how many sources, and those that most brought."""

    rows: int = 0
    """Rows that were looked at, and may be seen."""
    values: int = 0
    """Different values in them."""
    by_sources: dict[int, int] = field(default_factory=dict)
    """Number of sources → values that so many brought; two and more."""
    most: list[SharedValue] = field(default_factory=list)

    @property
    def shared(self) -> int:
        """Values that more than one brought."""
        return sum(self.by_sources.values())


def shared_values(
    snapshot: Snapshot,
    scope: Scope,
    sources: pl.DataFrame,
    *,
    work: Path,
    most: int = 100,
    alive: Callable[[int], None] = lambda rows: None,
) -> Shared:
    """Of the rows that may be seen, the values that several sources brought (columns `batch` and `source`).

    What counts as a source the caller says: an organisation, a delivery. Batches that are not listed do not exist.
    `work` is an empty folder of one's own; `alive` is called with rows read so far.
    """
    found = Shared()
    parts = 1 + sum(_rows_of(path, snapshot.keys) for path in snapshot.files) // PAIRS_IN_PART
    spilled = []
    for number, path in enumerate(snapshot.files):
        pairs = _pairs(path, snapshot.keys, scope, sources)
        if pairs is None:
            continue
        found.rows += pairs.height
        alive(found.rows)
        spilled.append(_Spilled(work / f"{number}.arrow", pairs, parts))
    candidates: list[tuple[int, int, int]] = []
    for part in range(parts if spilled else 0):
        candidates = _put_together([each.part(part) for each in spilled], found, candidates, most)
        alive(found.rows)
    found.most = _told(snapshot, scope, sources, [code for _, _, code in candidates])[: min(most, MOST_TOLD)]
    return found


def _rows_of(path: Path, keys: Keys) -> int:
    return int(parquet.scan(path, keys).select(pl.len()).collect().item())


def _pairs(path: Path, keys: Keys, scope: Scope, sources: pl.DataFrame) -> pl.DataFrame | None:
    """The rows of a file that may be seen: code of the value, source."""
    seen = _seen(parquet.read(path, keys, _READ), scope, sources)
    return seen.select(_code().alias("code"), "source") if seen.height else None


def _seen(frame: pl.DataFrame, scope: Scope, sources: pl.DataFrame) -> pl.DataFrame:
    """The rows that may be seen, with who handed them over."""
    # A file has few batches: they are held against the scope, and joined, once each.
    held = frame.select(pl.col("batch").unique()).join(sources, on="batch", how="inner")
    listed = Batches(held["batch"].to_list())
    inner = Scope(scope.batches & listed, scope.own_batches & listed, scope.victim_countries, scope.all_victims)
    return frame.filter(inner.row_filter()).join(held, on="batch", how="inner")


def _code() -> pl.Expr:
    """A number that stands for kind and value."""
    return pl.col("value").hash(_SEEDS[0]) ^ pl.col("kind").hash(_SEEDS[1])


class _Spilled:
    """The pairs of one file on disk, in the order of their parts."""

    def __init__(self, path: Path, pairs: pl.DataFrame, parts: int) -> None:
        part = (pairs["code"] % parts).to_numpy()
        order = np.argsort(part, kind="stable") if parts > 1 else None
        self._path = path
        self._ends: npt.NDArray[np.int64] = np.cumsum(np.bincount(part.astype(np.int64), minlength=parts))
        ordered = pairs if order is None else pairs[order.astype(np.uint32)]
        ordered.write_ipc(path, compression="uncompressed")

    def part(self, number: int) -> pl.LazyFrame:
        """Those of one part, where they lie."""
        start = int(self._ends[number - 1]) if number else 0
        return pl.scan_ipc(self._path).slice(start, int(self._ends[number]) - start)


def _put_together(
    pieces: Sequence[pl.LazyFrame], found: Shared, before: list[tuple[int, int, int]], most: int
) -> list[tuple[int, int, int]]:
    """Count one part, and keep of it and of the parts before those that most sources brought."""
    each = pl.concat(pieces).collect()
    found.values += each["code"].n_unique()
    # Most values come once: what groups them is spent on the others alone.
    again = each.filter(pl.col("code").is_duplicated())
    sums = again.group_by("code").agg(pl.col("source").n_unique().alias("sources"), pl.len().alias("rows"))
    shared = sums.filter(pl.col("sources") > 1)
    for sources, values in shared.group_by("sources").len().iter_rows():
        found.by_sources[sources] = found.by_sources.get(sources, 0) + values
    top = shared.sort("sources", "rows", "code", descending=[True, True, False]).head(most)
    joined = [*before, *top.select("sources", "rows", "code").iter_rows()]
    return sorted(joined, key=lambda one: (-one[0], -one[1], one[2]))[:most]


def _told(snapshot: Snapshot, scope: Scope, sources: pl.DataFrame, codes: list[int]) -> list[SharedValue]:
    """The values behind these numbers, compared letter by letter."""
    if not codes:
        return []
    wanted = pl.Series(codes, dtype=pl.UInt64)
    kept = []
    for path in snapshot.files:
        is_mine = parquet.read(path, snapshot.keys, _LETTERS).select(_code().is_in(wanted.implode())).to_series()
        if is_mine.any():
            mine = parquet.read(path, snapshot.keys, [*_READ, "first_at", "last_at"]).filter(is_mine)
            kept.append(_seen(mine, scope, sources).select("kind", "value", "source", "first_at", "last_at"))
    rows = (
        pl.concat(kept)
        .group_by("kind", "value")
        .agg(
            pl.col("source").unique().sort(), pl.len().alias("rows"), pl.col("first_at").min(), pl.col("last_at").max()
        )
    )
    shared = rows.filter(pl.col("source").list.len() > 1)
    ordered = shared.sort(pl.col("source").list.len(), "rows", "kind", "value", descending=[True, True, False, False])
    return [
        SharedValue(kind, value, tuple(source), count, first, last)
        for kind, value, source, count, first, last in ordered.iter_rows()
    ]
