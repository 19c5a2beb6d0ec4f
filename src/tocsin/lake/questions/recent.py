"""What came in last: the newest rows that the asker may see, page by page, newest first.

The order is that of arrival: number of the batch, then position in the delivery. A page never splits the rows of
one record, so the key of its last row is enough to go on from. Only the columns that decide are read of every
file; whole rows are read for those that are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from tocsin.core.observations import SCHEMA
from tocsin.lake import parquet
from tocsin.lake.keys import Keys
from tocsin.lake.questions.lookup import rows_of
from tocsin.lake.scope import Scope, Snapshot

MOST_ROWS = 1_000
KEY = ["batch", "position"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the rows that come after it have a smaller key."""

    batch: int
    position: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first; `after` is where the next page begins, None when nothing follows."""

    rows: pl.DataFrame
    after: Place | None = None


def recent(
    snapshot: Snapshot, scope: Scope, *, country: str = "", before: Place | None = None, limit: int = MOST_ROWS
) -> Page:
    """At most `limit` rows, and with them the rest of the record that the last of them belongs to."""
    limit = max(1, min(limit, MOST_ROWS))
    wanted = _wanted(scope, country, before)
    if wanted is None:
        return Page(_empty())
    kept = pl.DataFrame(schema={"file": pl.UInt32, "row": pl.UInt32, "batch": pl.Int64, "position": pl.Int64})
    page = kept
    files = _worth_asking(snapshot, scope)
    part = partial(_keys, wanted=wanted, limit=limit, keys=snapshot.keys)
    answers = snapshot.engine.ask(part, [snapshot.files[number] for number, _ in files])
    for number, last in files:
        if kept.height > page.height and last < int(kept["batch"][-1]):
            break  # This file and all that follow hold only older rows than the page and the one behind it.
        found = next(answers).select(pl.lit(number, dtype=pl.UInt32).alias("file"), "row", *KEY)
        ordered = pl.concat([kept, found]).sort(
            "batch", "position", "file", "row", descending=[True, True, False, False]
        )
        page = _first(ordered, limit)
        kept = ordered.head(page.height + 1)  # The one behind the page tells whether anything follows.
    if not page.height:
        return Page(_empty())
    after = Place(int(page["batch"][-1]), int(page["position"][-1])) if kept.height > page.height else None
    return Page(scope.shielded(_whole(snapshot, page)), after)


def _worth_asking(snapshot: Snapshot, scope: Scope) -> list[tuple[int, int]]:
    """Files that may hold rows in the scope, each with its newest batch, newest first.

    Where many are asked at once elsewhere, nothing is spared by looking at each beforehand: all, in their order.
    """
    if snapshot.engine.is_spread:
        return [(number, 1 << 62) for number in range(len(snapshot.files))]
    spans = [(number, *_batches_in(path, snapshot.keys)) for number, path in enumerate(snapshot.files)]
    lowest, highest = int(scope.batches.numbers[0]), int(scope.batches.numbers[-1])
    found = [(number, last) for number, first, last in spans if first <= highest and last >= lowest]
    return sorted(found, key=lambda pair: -pair[1])


def _wanted(scope: Scope, country: str, before: Place | None) -> pl.Expr | None:
    if not scope.batches:
        return None
    wanted = scope.row_filter()
    if country:
        wanted &= pl.col("country") == country
    if before is not None:
        batch, position = pl.col("batch"), pl.col("position")
        wanted &= (batch < before.batch) | ((batch == before.batch) & (position < before.position))
    return wanted


def _keys(path: Path, wanted: pl.Expr, limit: int, keys: Keys) -> pl.DataFrame:
    """The keys of a file that may stand on the page, and of the row behind it."""
    rows = parquet.scan(path, keys).select("batch", "position", "role", "country").with_row_index("row")
    found = rows.filter(wanted).select(pl.col("row").cast(pl.UInt32), *KEY).collect()
    ordered = found.sort("batch", "position", "row", descending=[True, True, False])
    return ordered.head(_first(ordered, limit).height + 1)


def _first(ordered: pl.DataFrame, count: int) -> pl.DataFrame:
    """The first `count` keys, with all that share the last one's record."""
    if ordered.height <= count:
        return ordered
    batch, position = ordered["batch"][count - 1], ordered["position"][count - 1]
    newer = (pl.col("batch") > batch) | ((pl.col("batch") == batch) & (pl.col("position") >= position))
    return ordered.filter(newer)


def _whole(snapshot: Snapshot, page: pl.DataFrame) -> pl.DataFrame:
    tables = []
    for number in page["file"].unique().sort().to_list():
        rows = page.filter(pl.col("file") == number)["row"].sort().to_numpy().astype(np.uint32)
        tables.append(rows_of(snapshot.files[number], rows, keys=snapshot.keys))
    frame = pl.from_arrow(pa.concat_tables(tables, promote_options="permissive"))
    assert isinstance(frame, pl.DataFrame)
    typed = frame.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    return typed.sort(KEY, descending=True, maintain_order=True)


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMA)


@lru_cache(maxsize=8192)
def _batches_in(path: Path, keys: Keys) -> tuple[int, int]:
    """Smallest and largest batch of a file, from its statistics. Files never change once registered."""
    metadata = parquet.opened(path, keys).metadata
    column = metadata.schema.names.index("batch")
    found = [metadata.row_group(number).column(column).statistics for number in range(metadata.num_row_groups)]
    if not found:
        return 0, 0
    if any(each is None or not each.has_min_max for each in found):
        return 0, 1 << 62
    return min(each.min for each in found), max(each.max for each in found)
