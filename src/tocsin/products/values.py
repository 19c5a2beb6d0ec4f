"""A share in figures: its distinct values, who is affected, and what is new since the last package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import polars as pl

from tocsin.core.words import VICTIM_LIKE

KEY = ("kind", "value", "role")
_VICTIMS = [role.value for role in VICTIM_LIKE]
TOP = 10


class Value(TypedDict):
    """One distinct value in one role. Lists hold distinct words in order."""

    kind: str
    value: str
    role: str
    first_at: object
    last_at: object
    sightings: int
    rows: int
    country: str | None
    types: list[str]
    malware: list[str]
    network: str | None
    asn: int | None
    confidence: int | None


@dataclass(frozen=True, slots=True)
class Values:
    """The newest and most seen values, and how many there were before the cap."""

    shown: tuple[Value, ...]
    total: int

    @property
    def left_out(self) -> int:
        return self.total - len(self.shown)


def distinct_values(share: Path, cap: int, batches: frozenset[int] | None = None) -> Values:
    """Distinct (kind, value, role), newest day first, then most seen, at most `cap`; only of some batches if given."""
    if batches is not None and not batches:
        return Values((), 0)
    scan = pl.scan_parquet(share)
    if batches is not None:
        scan = scan.filter(pl.col("batch").is_in(sorted(batches)))
    counted = (
        scan.group_by(KEY)
        .agg(last_at=pl.col("last_at").max(), sightings=pl.col("count").fill_null(1).sum())
        .collect(engine="streaming")
    )
    top = (
        counted.with_columns(day=pl.col("last_at").dt.date())
        .sort("day", "sightings", *KEY, descending=[True, True, False, False, False], nulls_last=True)
        .head(cap)
        .select(*KEY)
        .with_row_index("place")
    )
    filled = (
        scan.join(top.lazy(), on=KEY)
        .group_by("place")
        .agg(
            *(pl.col(name).first() for name in KEY),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            pl.col("count").fill_null(1).sum().alias("sightings"),
            pl.len().alias("rows"),
            pl.col("country").drop_nulls().first(),
            pl.col("type").drop_nulls().unique().sort().alias("types"),
            pl.col("malware").drop_nulls().unique().sort().head(5),
            pl.col("network").drop_nulls().first(),
            pl.col("asn").drop_nulls().first(),
            pl.col("confidence").max(),
        )
        .collect()
        .sort("place")
        .drop("place")
    )
    return Values(tuple(filled.iter_rows(named=True)), counted.height)  # type: ignore[arg-type]


def summary(share: Path, country: str) -> dict[str, object]:
    """The figures of a report: totals, and rows by role, type, malware, network, day and offence."""
    scan = pl.scan_parquet(share)
    here = pl.col("country") == country
    victim = pl.col("role").is_in(_VICTIMS)
    totals = (
        scan.select(
            rows=pl.len(),
            sightings=pl.col("count").fill_null(1).sum(),
            values=pl.struct("kind", "value").n_unique(),
            first_at=pl.col("first_at").min(),
            last_at=pl.col("last_at").max(),
            affected=pl.struct("kind", "value").filter(victim & here).n_unique(),
            hostile=pl.struct("kind", "value")
            .filter(pl.col("role").is_in(["ATTACKER_INFRA", "COMPROMISED_THIRD_PARTY"]) & here)
            .n_unique(),
            aimed_from_abroad=(~here.fill_null(False)).sum(),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )
    found: dict[str, object] = {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in totals.items()
    }
    for name in ("role", "type", "offence", "severity", "kind"):
        found[f"by_{name}"] = _counts(scan, [name], limit=20)
    found["by_malware"] = _counts(scan.filter(pl.col("malware").is_not_null()), ["malware"])
    found["affected_networks"] = _counts(scan.filter(victim & here & pl.col("asn").is_not_null()), ["asn"])
    found["hosting_networks"] = _counts(
        scan.filter((pl.col("role") == "ATTACKER_INFRA") & here & pl.col("asn").is_not_null()), ["asn"]
    )
    found["host_countries"] = _counts(scan.filter(~here & pl.col("country").is_not_null()), ["country"])
    found["by_day"] = _days(scan, victim)
    return found


def _counts(scan: pl.LazyFrame, names: list[str], limit: int = TOP) -> list[dict[str, object]]:
    table = (
        scan.group_by(names)
        .agg(rows=pl.len(), sightings=pl.col("count").fill_null(1).sum())
        .collect(engine="streaming")
    )
    return table.sort("rows", *names, descending=[True] + [False] * len(names)).head(limit).to_dicts()


def _days(scan: pl.LazyFrame, victim: pl.Expr) -> list[dict[str, object]]:
    table = (
        scan.group_by(day=pl.col("last_at").dt.date())
        .agg(rows=pl.len(), affected=victim.sum())
        .drop_nulls("day")
        .sort("day")
        .tail(31)
        .collect()
    )
    return [
        {"day": row["day"].isoformat(), "rows": row["rows"], "affected": row["affected"]}
        for row in table.iter_rows(named=True)
    ]


def difference(share: Path, previous: Path | None, cap: int) -> dict[str, object]:
    """Values that are new, gone or continuing since the previous package's Parquet file, counted in full.

    Lists hold at most `cap` values, the most seen first; without a previous package every value is new.
    """
    now = _seen(share)
    if previous is None:
        before = now.clear()
    else:
        before = _seen(previous)
    new = now.join(before, on=KEY, how="anti")
    gone = before.join(now, on=KEY, how="anti")
    return {
        "counts": {"new": new.height, "gone": gone.height, "continuing": now.height - new.height},
        "new": _listed(new, cap),
        "gone": _listed(gone, cap),
        "continuing": _listed(now.join(before, on=KEY, how="semi"), cap),
    }


def _seen(path: Path) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .group_by(KEY)
        .agg(sightings=pl.col("count").fill_null(1).sum())
        .collect(engine="streaming")
    )


def _listed(table: pl.DataFrame, cap: int) -> dict[str, object]:
    shown = table.sort("sightings", *KEY, descending=[True, False, False, False]).head(cap)
    return {"values": shown.to_dicts(), "left_out": table.height - shown.height}
