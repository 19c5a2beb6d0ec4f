"""All rows of a few batches that the asker may see, to make something of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from tocsin.core.observations import SCHEMA
from tocsin.core.words import Role
from tocsin.lake import parquet
from tocsin.lake.keys import Keys
from tocsin.lake.scope import Batches, Scope, Snapshot


def rows_under(snapshot: Snapshot, scope: Scope, batches: Batches, most: int) -> pl.DataFrame | None:
    """The rows of these batches in the order of the delivery; None where they are more than `most`."""
    within = replace(scope, batches=scope.batches & batches, own_batches=scope.own_batches & batches)
    found = [pl.DataFrame(schema=SCHEMA)]
    left = most
    asked = partial(_rows_of, keys=snapshot.keys, wanted=within.row_filter(), most=most + 1)
    for rows in snapshot.engine.ask(asked, snapshot.files):
        left -= rows.height
        if left < 0:
            return None
        found.append(rows)
    return within.shielded(pl.concat(found)).sort("batch", "position", maintain_order=True)


def _rows_of(path: Path, keys: Keys, wanted: pl.Expr, most: int) -> pl.DataFrame:
    rows = parquet.scan(path, keys).filter(wanted).head(most).collect()
    return rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def values_under(snapshot: Snapshot, batches: Batches) -> pl.DataFrame:
    """The values of these batches, each once: `batch`, `kind` (null for the other side), `value`, `role`.

    It asks no gate: for whoever looks for values that must not be read, and shows none of them.
    """
    found = [pl.DataFrame(schema={"batch": pl.Int64, "kind": pl.String, "value": pl.String, "role": pl.String})]
    asked = snapshot.engine.ask(partial(_values_of, keys=snapshot.keys, batches=batches), snapshot.files)
    return pl.concat([*found, *asked]).unique().sort("batch", "value")


def _values_of(path: Path, keys: Keys, batches: Batches) -> pl.DataFrame:
    rows = parquet.scan(path, keys).filter(pl.col("batch").is_in(batches.series.implode()))
    own = rows.select("batch", pl.col("kind").cast(pl.String), "value", pl.col("role").cast(pl.String))
    other = rows.filter(pl.col("peer").is_not_null()).select(
        "batch", pl.lit(None, pl.String).alias("kind"), pl.col("peer").alias("value"),
        pl.col("peer_role").cast(pl.String).fill_null(Role.UNKNOWN.value).alias("role"),
    )  # fmt: skip
    return pl.concat([own, other]).unique().collect()
