"""Which values did several hand over? Counted, never paired: a value in a thousand deliveries is one line, not half a
million pairs, and none is left out for being common.

Only what the asker may see exists: rows are held against the scope before anything is counted, so that a source that
may not be seen makes no value shared. Values are compared by a number of 64 bits and sorted into parts on disk, a part
at a time; those that are told are compared letter by letter. Memory is bounded by a part and by the largest file. Both
passes can be spread over machines that reach the same folders.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from tocsin.lake import parquet
from tocsin.lake.engine import EMBEDDED, Alive
from tocsin.lake.keys import Keys
from tocsin.lake.scope import Batches, Scope, Snapshot

PAIRS_IN_PART = 4_000_000
"""Values with their sources that are put together at a time."""
MOST_TOLD = 1_000
Candidate = tuple[int, int, int]
"""Sources, rows and number of a value."""
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
    found, keys, engine = Shared(), snapshot.keys, snapshot.engine

    def waiting() -> None:
        alive(found.rows)

    parts = 1 + sum(engine.ask(partial(_rows_of, keys=keys), snapshot.files, is_search=True)) // PAIRS_IN_PART
    part = partial(_of_file, keys=keys, scope=scope, sources=sources, parts=parts, work=work)
    spilled = []
    for rows, each in engine.ask(part, snapshot.files, alive=waiting):
        found.rows += rows
        alive(found.rows)
        if each is not None:
            spilled.append(each)
    candidates: list[Candidate] = []
    asked = range(parts if spilled else 0)
    # What little there is is put together here: a cluster is asked where it was asked before.
    spread = engine if len(asked) > 1 else EMBEDDED
    for told in spread.make(partial(_put_together, spilled=spilled, most=most), asked, alive=waiting):
        found.values += told.values
        for sources_each, values in told.by_sources:
            found.by_sources[sources_each] = found.by_sources.get(sources_each, 0) + values
        candidates = _first_of([*candidates, *told.most], most)
    codes = [code for _, _, code in candidates]
    found.most = _told(snapshot, scope, sources, codes, waiting)[: min(most, MOST_TOLD)]
    return found


def _rows_of(path: Path, keys: Keys) -> int:
    return int(parquet.scan(path, keys).select(pl.len()).collect().item())


def _of_file(
    path: Path, keys: Keys, scope: Scope, sources: pl.DataFrame, parts: int, work: Path
) -> tuple[int, _Spilled | None]:
    """How many rows of a file may be seen, and where their values lie with their sources."""
    seen = _seen(parquet.read(path, keys, _READ), scope, sources)
    if not seen.height:
        return 0, None
    # A name of its own each time: on a cluster a file may be asked twice at once.
    target = work / f"{path.stem}-{secrets.token_hex(8)}.arrow"
    return seen.height, _spilled(seen.select(_code().alias("code"), "source"), target, parts)


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


class _Spilled(NamedTuple):
    """The pairs of one file on disk, in the order of their parts."""

    path: Path
    ends: tuple[int, ...]
    """Where each part ends."""

    def part(self, number: int) -> pl.LazyFrame:
        """Those of one part, where they lie."""
        start = self.ends[number - 1] if number else 0
        return pl.scan_ipc(self.path).slice(start, self.ends[number] - start)


def _spilled(pairs: pl.DataFrame, target: Path, parts: int) -> _Spilled:
    part = (pairs["code"] % parts).to_numpy()
    order = np.argsort(part, kind="stable") if parts > 1 else None
    ordered = pairs if order is None else pairs[order.astype(np.uint32)]
    ordered.write_ipc(target, compression="uncompressed")
    ends = np.cumsum(np.bincount(part.astype(np.int64), minlength=parts))
    return _Spilled(target, tuple(ends.tolist()))


class _OfPart(NamedTuple):
    """What one part of the values says."""

    values: int
    by_sources: list[tuple[int, int]]
    most: list[Candidate]


def _put_together(part: int, spilled: Sequence[_Spilled], most: int) -> _OfPart:
    """Count one part, and say those of its values that most sources brought."""
    each = pl.concat([one.part(part) for one in spilled]).collect()
    # Most values come once: what groups them is spent on the others alone.
    again = each.filter(pl.col("code").is_duplicated())
    sums = again.group_by("code").agg(pl.col("source").n_unique().alias("sources"), pl.len().alias("rows"))
    shared = sums.filter(pl.col("sources") > 1)
    top = shared.sort("sources", "rows", "code", descending=[True, True, False]).head(most)
    return _OfPart(
        each["code"].n_unique(),
        list(shared.group_by("sources").len().iter_rows()),
        list(top.select("sources", "rows", "code").iter_rows()),
    )


def _first_of(candidates: list[Candidate], most: int) -> list[Candidate]:
    return sorted(candidates, key=lambda one: (-one[0], -one[1], one[2]))[:most]


def _rows_behind(path: Path, keys: Keys, scope: Scope, sources: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame | None:
    """The rows of a file whose values have these numbers, as far as they may be seen."""
    is_mine = parquet.read(path, keys, _LETTERS).select(_code().is_in(wanted.implode())).to_series()
    if not is_mine.any():
        return None
    mine = parquet.read(path, keys, [*_READ, "first_at", "last_at"]).filter(is_mine)
    return _seen(mine, scope, sources).select("kind", "value", "source", "first_at", "last_at")


def _told(
    snapshot: Snapshot, scope: Scope, sources: pl.DataFrame, codes: list[int], waiting: Alive
) -> list[SharedValue]:
    """The values behind these numbers, compared letter by letter."""
    if not codes:
        return []
    wanted = pl.Series(codes, dtype=pl.UInt64)
    part = partial(_rows_behind, keys=snapshot.keys, scope=scope, sources=sources, wanted=wanted)
    kept = [each for each in snapshot.engine.ask(part, snapshot.files, alive=waiting) if each is not None]
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
