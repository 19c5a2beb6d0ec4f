"""Which networks a country's rows lie in: systems that announce them, most rows first, each with its busiest networks.

One pass over five columns; what is kept in memory is one line per network, however many rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from tocsin.lake import parquet
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
    by_network = (
        pl.concat([parquet.scan(path, snapshot.keys) for path in snapshot.files])
        .filter(wanted)
        .group_by(pl.col("asn").fill_null(0), pl.col("network").fill_null(""))
        .agg(
            pl.len().alias("rows"),
            pl.col("value").n_unique().alias("values"),
            pl.col("value").filter(pl.col("last_at") == pl.col("last_at").max()).max().alias("newest"),
        )
        .collect(engine="streaming")
    )
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


def _busiest(lines: pl.DataFrame) -> tuple[Network, ...]:
    return tuple(Network(*each) for each in lines.select("network", "rows", "newest").iter_rows())
