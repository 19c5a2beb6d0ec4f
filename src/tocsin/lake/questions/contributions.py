"""What each source contributes: how soon, how often again, how much that nobody else had. For scorecards.

Two passes, in memory that does not grow with the lake: the first reads one file at a time and leaves, for each value
and source, when it first came; the second puts together one part of the values after the other. Either pass can be
spread over machines that reach the same folders.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from tocsin.core.later import Table
from tocsin.lake import parquet
from tocsin.lake.engine import EMBEDDED
from tocsin.lake.keys import Keys
from tocsin.lake.scope import Snapshot

DELAY_HOURS = (1, 6, 24, 72, 168, 720)
"""Bounds of the columns in which delays are counted; the last column is open."""
VALUES_IN_PART = 2_000_000
ROWS_IN_GROUP = 50_000
_NEEDED = ("batch", "kind", "value", "first_at", "warnings")
BATCHES: Table[pl.DataType | type[pl.DataType]] = Table(
    lambda: {
        "batch": pl.Int64,
        "source": pl.Int32,
        "received_at": pl.Datetime("us", "UTC"),
        "is_compared": pl.Boolean,
    }
)
"""What is said of each batch: whose it is, when it came, and whether others may be compared with it."""


@dataclass(slots=True)
class Contribution:
    """Figures of one source over one span."""

    rows: int = 0
    rows_timed: int = 0
    """Rows whose source says when it observed them."""
    delays: list[int] = field(default_factory=lambda: [0] * (len(DELAY_HOURS) + 1))
    """Rows by the time from observation to arrival, in the columns of DELAY_HOURS."""
    rows_warned: int = 0
    """Rows about values on a warning list."""
    values_new: int = 0
    """Values that the source brought for the first time in this span."""
    values_known: int = 0
    """Of them, those that another had brought before."""
    values_shared: int = 0
    """Of them, those that another brought before or since."""
    values_first: int = 0
    """Of the shared, those that this source brought first."""
    others: int = 0
    """How many other sources brought anything in the span with which it may be compared."""


Figures = dict[tuple[int, int], Contribution]
"""(source, days of the span) → its figures."""


def contributions(
    snapshot: Snapshot,
    batches: pl.DataFrame,
    *,
    spans: Sequence[int],
    now: datetime,
    work: Path,
    alive: Callable[[int], None] = lambda rows: None,
) -> Figures:
    """The figures of every source of these batches (columns BATCHES); what is not among them does not exist.

    `work` is an empty folder of one's own; `alive` is called with rows read so far.
    """
    since = {days: now - timedelta(days=days) for days in spans}
    found: Figures = {}
    comparing: dict[int, set[int]] = {days: set() for days in spans}
    spilled: list[Path] = []
    keys, engine, rows = snapshot.keys, snapshot.engine, 0

    def waiting() -> None:
        alive(rows)

    parts = 1 + sum(engine.ask(partial(_rows_of, keys=keys), snapshot.files, is_search=True)) // VALUES_IN_PART
    part = partial(_of_file, batches=batches, keys=keys, since=since, parts=parts, work=work)
    for told in engine.ask(part, snapshot.files, alive=waiting):
        rows += told.rows
        alive(rows)
        if told.spilled is not None:
            spilled.append(told.spilled)
            _add_rows(told.counted, found, comparing)
    values = partial(_values_of_part, spilled=spilled, since=since)
    asked = range(parts if spilled else 0)
    # What little there is is put together here: a cluster is asked where it was asked before.
    spread = engine if len(asked) > 1 else EMBEDDED
    for counted in spread.make(values, asked, alive=waiting):
        _add_values(counted, found)
    for (source, days), each in found.items():
        each.others = len(comparing[days] - {source})
    return found


class _OfFile(NamedTuple):
    """What one file says of sources."""

    rows: int
    counted: dict[int, pl.DataFrame]
    """Days of a span → rows by source and column of delays."""
    spilled: Path | None
    """Where it lies when its values came first."""


def _of_file(
    path: Path, batches: pl.DataFrame, keys: Keys, since: dict[int, datetime], parts: int, work: Path
) -> _OfFile:
    frame = _with_sources(path, batches, keys)
    if not frame.height:
        return _OfFile(0, {}, None)
    # A name of its own each time: on a cluster a file may be asked twice at once.
    spilled = work / f"{path.stem}-{secrets.token_hex(8)}.parquet"
    _firsts(frame, parts).write_parquet(spilled, compression="lz4", row_group_size=ROWS_IN_GROUP)
    return _OfFile(frame.height, _count_rows(frame, since), spilled)


def _rows_of(path: Path, keys: Keys) -> int:
    return int(parquet.scan(path, keys).select(pl.len()).collect().item())


def _with_sources(path: Path, batches: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    frame = parquet.read(path, keys, _NEEDED)
    return frame.join(batches, on="batch", how="inner")


def _count_rows(frame: pl.DataFrame, since: dict[int, datetime]) -> dict[int, pl.DataFrame]:
    hours = (pl.col("received_at") - pl.col("first_at")).dt.total_minutes() / 60
    # Without a time of its own a row has that of its receipt.
    timed = pl.col("first_at").is_not_null() & (pl.col("first_at") < pl.col("received_at"))
    column = pl.when(timed).then(sum((hours > bound).cast(pl.Int8) for bound in DELAY_HOURS))
    marked = frame.select(
        "source", "received_at", "is_compared", delay=column, warned=pl.col("warnings").fill_null(0) != 0
    )
    return {
        days: marked.filter(pl.col("received_at") >= start)
        .group_by("source", "delay")
        .agg(pl.len().alias("rows"), pl.col("warned").sum(), pl.col("is_compared").any())
        for days, start in since.items()
    }


def _add_rows(counted: dict[int, pl.DataFrame], found: Figures, comparing: dict[int, set[int]]) -> None:
    for days, frame in counted.items():
        for source, delay, rows, warned, is_compared in frame.iter_rows():
            each = found.setdefault((source, days), Contribution())
            each.rows += rows
            each.rows_warned += warned
            if delay is not None:
                each.rows_timed += rows
                each.delays[delay] += rows
            if is_compared:
                comparing[days].add(source)


def _firsts(frame: pl.DataFrame, parts: int) -> pl.DataFrame:
    """For each value and source of a file: when it came first, at all and among what may be compared."""
    key = pl.concat_str([pl.col("kind").cast(pl.String), pl.col("value")], separator="\x1f").hash()
    at = pl.col("received_at").dt.epoch("us")
    return (
        frame.select(key.alias("key"), "source", at.alias("at"), "is_compared")
        .group_by("key", "source")
        .agg(pl.col("at").min().alias("own"), pl.col("at").filter("is_compared").min().alias("compared"))
        .with_columns((pl.col("key") % parts).cast(pl.Int32).alias("part"))
        .sort("part")
    )


def _put_together(spilled: list[Path], part: int) -> pl.DataFrame:
    """One part of the values, each with its sources: when it came first from this one, and from any other."""
    each = (
        pl.scan_parquet(spilled)
        .filter(pl.col("part") == part)
        .group_by("key", "source")
        .agg(pl.col("own").min(), pl.col("compared").min())
        .collect()
    )
    told = each.filter(pl.col("compared").is_not_null()).sort("key", "compared")
    earliest = told.group_by("key", maintain_order=True).agg(
        pl.col("source").first().alias("first_source"),
        pl.col("compared").first().alias("earliest"),
        pl.col("compared").slice(1, 1).first().alias("next"),
    )
    other = pl.when(pl.col("first_source") == pl.col("source")).then("next").otherwise("earliest")
    return each.join(earliest, on="key", how="left").select("source", "own", other.alias("other"))


def _values_of_part(part: int, spilled: list[Path], since: dict[int, datetime]) -> dict[int, pl.DataFrame]:
    """Days of a span → values of one part by source: new, known before, shared, first."""
    values = _put_together(spilled, part)
    own, other = pl.col("own"), pl.col("other")
    return {
        days: values.filter(own >= int(start.timestamp() * 1_000_000))
        .group_by("source")
        .agg(
            pl.len().alias("new"),
            (other < own).sum().alias("known"),
            other.is_not_null().sum().alias("shared"),
            (own < other).sum().alias("first"),
        )
        for days, start in since.items()
    }


def _add_values(counted: dict[int, pl.DataFrame], found: Figures) -> None:
    for days, frame in counted.items():
        for source, new, known, shared, first in frame.iter_rows():
            each = found.setdefault((source, days), Contribution())
            each.values_new += new
            each.values_known += known
            each.values_shared += shared
            each.values_first += first
