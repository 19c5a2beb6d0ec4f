"""All rows of a few batches that the asker may see, to make something of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import polars as pl

from tocsin.core.observations import SCHEMA, moment
from tocsin.core.words import VICTIM_LIKE, Role
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


def holdings_of(snapshot: Snapshot, batches: Batches, values: Collection[str]) -> pl.DataFrame:
    """Where these values stand in these batches, on either side of a row: `batch`, `value`, `role`, each once.

    It asks no gate, as `values_under` does not.
    """
    found = [pl.DataFrame(schema={"batch": pl.Int64, "value": pl.String, "role": pl.String})]
    asked = partial(_holdings_in, keys=snapshot.keys, batches=batches, values=sorted(values))
    return pl.concat([*found, *snapshot.engine.ask(asked, snapshot.files)]).unique().sort("batch", "value", "role")


def _holdings_in(path: Path, keys: Keys, batches: Batches, values: list[str]) -> pl.DataFrame:
    rows = parquet.scan(path, keys).filter(pl.col("batch").is_in(batches.series.implode()))
    sides = [
        rows.filter(pl.col(value).is_in(values)).select(
            "batch", pl.col(value).alias("value"),
            pl.col(role).cast(pl.String).fill_null(Role.UNKNOWN.value).alias("role"),
        )
        for value, role in (("value", "role"), ("peer", "peer_role"))
    ]  # fmt: skip
    return pl.concat(sides).unique().collect()


def strongest_under(snapshot: Snapshot, scope: Scope, batches: Batches, most: int, without: int = 0) -> pl.DataFrame:
    """The values of these batches that did something, each once in each role, most seen first: no victims, and nothing
    on a warning list of the groups in the mask `without`. `kind`, `value`, `role`, `batch` (the newest), `malware`,
    `tags`, `seen`, `last_at`."""
    within = replace(scope, batches=scope.batches & batches, own_batches=scope.own_batches & batches)
    if not within.batches:
        return pl.DataFrame(schema=_strongest())
    asked = partial(_strongest_in, keys=snapshot.keys, wanted=within.row_filter(), most=most, without=without)
    parts = [pl.DataFrame(schema=_strongest()), *snapshot.engine.ask(asked, snapshot.files)]
    return _summed(pl.concat(parts).lazy(), most).collect()


@cache
def _strongest() -> dict[str, pl.DataType | type[pl.DataType]]:
    return {
        "kind": pl.String, "value": pl.String, "role": pl.String, "batch": pl.Int64, "malware": pl.String,
        "tags": pl.String, "seen": pl.Int64, "last_at": moment(),
    }  # fmt: skip


def _strongest_in(path: Path, keys: Keys, wanted: pl.Expr, most: int, without: int) -> pl.DataFrame:
    text = [pl.col(name).cast(pl.String) for name in ("kind", "value", "role", "malware", "tags")]
    rows = parquet.scan(path, keys).filter(wanted, (pl.col("warnings").fill_null(0) & without) == 0)
    rows = rows.select(*text, "batch", "last_at", seen=pl.col("count").cast(pl.Int64))
    rows = rows.filter(~pl.col("role").is_in([role.value for role in VICTIM_LIKE]))
    return _summed(rows, most).collect().select(pl.col(name).cast(dtype) for name, dtype in _strongest().items())


def _summed(rows: pl.LazyFrame, most: int) -> pl.LazyFrame:
    grouped = rows.group_by("kind", "value", "role").agg(
        pl.col("batch").max(), pl.col("malware").drop_nulls().first(), pl.col("tags").drop_nulls().first(),
        pl.col("seen").sum(), pl.col("last_at").max(),
    )  # fmt: skip
    return grouped.sort("seen", "last_at", "value", "role", descending=[True, True, False, False]).head(most)
