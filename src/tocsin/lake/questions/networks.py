"""Which networks a country's rows lie in: systems that announce them, most rows first, each with its busiest networks.

One pass over five columns of each file. What a file answers is a line for each network, with the hashes of the values
in it: so files can be asked apart, and a value that lies in several of them counts once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from tocsin.lake import parquet
from tocsin.lake.keys import Keys
from tocsin.lake.scope import Scope, Snapshot

MOST_SYSTEMS = 10
MOST_NETWORKS = 6


@dataclass(frozen=True, slots=True)
class Network:
    """An announced network: rows in it, and the value in it that was seen last."""

    text: str
    rows: int
    newest: str


@dataclass(frozen=True, slots=True)
class System:
    """An autonomous system; number 0 gathers the rows of which no system is known."""

    asn: int
    rows: int
    values: int
    """Different values; an address lies in one network only, so that sums over networks are exact."""
    networks_count: int
    networks: tuple[Network, ...]


def networks(
    snapshot: Snapshot, scope: Scope, *, country: str, since: datetime | None, most: int = MOST_SYSTEMS
) -> list[System]:
    """The systems with most rows of a country that the asker may see, observed since that moment."""
    if not snapshot.files or not scope.batches:
        return []
    wanted = scope.row_filter() & (pl.col("country") == country)
    if since is not None:
        wanted &= pl.col("last_at") >= since
    asked = snapshot.engine.ask(partial(_of_file, keys=snapshot.keys, wanted=wanted), snapshot.files)
    by_network = _together(asked)
    systems = (
        by_network.group_by("asn")
        .agg(pl.col("rows").sum(), pl.col("values").sum(), (pl.col("network") != "").sum().alias("networks"))
        .sort(pl.col("asn") == 0, -pl.col("rows").cast(pl.Int64), "asn")
        .head(most)
    )
    lines = by_network.filter(pl.col("network") != "").sort(-pl.col("rows").cast(pl.Int64), "network")
    return [
        System(asn, rows, values, count, _busiest(lines.filter(pl.col("asn") == asn).head(MOST_NETWORKS)))
        for asn, rows, values, count in systems.iter_rows()
    ]


def _of_file(path: Path, keys: Keys, wanted: pl.Expr) -> pl.DataFrame:
    """The networks of one file: rows, the value seen last and when, hashes of the distinct values."""
    return (
        parquet.scan(path, keys)
        .filter(wanted)
        .group_by(pl.col("asn").fill_null(0), pl.col("network").fill_null(""))
        .agg(
            pl.len().alias("rows"),
            pl.col("value").filter(pl.col("last_at") == pl.col("last_at").max()).max().alias("newest"),
            pl.col("last_at").max(),
            pl.col("value").hash().unique().alias("values"),
        )
        .collect(engine="streaming")
    )


def _together(asked: Iterable[pl.DataFrame]) -> pl.DataFrame:
    return (
        pl.concat(asked)
        .group_by("asn", "network")
        .agg(
            pl.col("rows").sum(),
            pl.col("newest").filter(pl.col("last_at") == pl.col("last_at").max()).max(),
            pl.col("values").list.explode().n_unique(),
        )
    )


def _busiest(lines: pl.DataFrame) -> tuple[Network, ...]:
    return tuple(Network(*each) for each in lines.select("network", "rows", "newest").iter_rows())
