"""Sums that a reading leaves beside its rows: by day and country, by name, of claims that differ. Knows no database."""

from __future__ import annotations

import polars as pl

TALLY_KEYS = ("batch", "day", "country", "type", "role")
NAME_KEYS = ("batch", "country", "malware")
CONFLICTS_HELD = 100_000


def alone(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with texts of its own: a few rows otherwise keep all texts of the rows they came from in memory."""
    own = pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(own, pl.DataFrame)
    return own


def tallies_of(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row for each set of keys."""
    return pl.concat(parts).group_by(TALLY_KEYS).agg(pl.col("rows", "sightings").sum())


def names_of(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row for each name in each country."""
    return pl.concat(parts).group_by(NAME_KEYS).agg(pl.col("rows").sum(), pl.col("last_day").max())


def conflicts_of(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row for each subject and set of claims, the largest first."""
    whole = pl.concat(parts)
    keys = [name for name in whole.columns if name not in {"rows", "example"}]
    joined = whole.group_by(keys).agg(pl.col("rows").sum(), pl.col("example").min()).select(whole.columns)
    return joined.sort("rows", "subject", *keys, descending=[True] + [False] * (len(keys) + 1)).head(CONFLICTS_HELD)


def tallied(days: pl.DataFrame) -> pl.DataFrame:
    """Rows and sightings by the keys of a tally. A key that is the same in all rows need not be grouped by."""
    sums = (pl.len().cast(pl.Int64).alias("rows"), pl.col("count").sum().alias("sightings"))
    same = {key: days[key][0] for key in TALLY_KEYS if (days[key] == days[key][0]).all()}
    keys = [key for key in TALLY_KEYS if key not in same]
    grouped = days.group_by(keys).agg(sums) if keys else days.select(sums)
    fixed = [pl.lit(value, dtype=days.schema[key]).alias(key) for key, value in same.items()]
    return grouped.with_columns(fixed).select(*TALLY_KEYS, "rows", "sightings")
