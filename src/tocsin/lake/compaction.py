"""Few large sorted files out of many small ones, and changes that only a new file can carry.

Files are never changed in place: a new one is written and the registry swaps them in one transaction, so that a
reader who holds the older snapshot goes on reading it undisturbed.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from tocsin.core.words import Basis

from . import files, parquet
from .keys import PLAIN, Keys

SORTED_BY = ("kind", "ipv4", "value", "first_at", "batch", "position")


@dataclass(frozen=True, slots=True)
class Recast:
    """A person's word on whose some rows are: those of a batch in a network, or with a value, whose claims differ."""

    batch: int
    subject: str
    is_network: bool
    country: str
    was: str = ""
    """The country that was decided on before, wrongly; empty: nobody decided yet."""

    def holds(self) -> pl.Expr:
        """Which rows it is about."""
        place = pl.col("network") == self.subject if self.is_network else pl.col("value") == self.subject
        alone = place if self.is_network else place & pl.col("network").is_null()
        basis = pl.col("country_basis")
        if not self.was:
            return (pl.col("batch") == self.batch) & alone & (basis == Basis.CONFLICT.value)
        decided = (basis == Basis.REVIEWED.value) & (pl.col("country") == self.was)
        return (pl.col("batch") == self.batch) & alone & decided


@dataclass(frozen=True, slots=True)
class Parting:
    """Rows that leave their batches for others: by value, by place in the delivery, or by what they refer to."""

    into: Mapping[int, int]
    """Batch → the batch that its rows move to."""
    values: frozenset[str] = frozenset()
    """In any of PARTED_BY."""
    positions: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Batch → positions."""
    references: frozenset[str] = frozenset()

    def holds(self) -> pl.Expr:
        """Which rows it is about."""
        asked = [pl.col(name).is_in(list(self.values)) for name in PARTED_BY if self.values]
        if self.references:
            asked.append(pl.col("reference").is_in(list(self.references)))
        for batch, positions in self.positions.items():
            asked.append((pl.col("batch") == batch) & pl.col("position").is_in(list(positions)))
        if not asked:
            return pl.lit(False)
        return pl.col("batch").is_in(list(self.into)) & pl.any_horizontal(one.fill_null(False) for one in asked)


PARTED_BY = ("value", "peer", "hostname", "url")
"""A value is found in each of these by who asks for it, so none may go on naming it."""


def parted(path: Path, change: Parting, keys: Keys = PLAIN) -> pl.DataFrame:
    """The rows of a file that it is about, as they stand."""
    return parquet.scan(path, keys).filter(change.holds()).collect()


def part(path: Path, target: Path, change: Parting, keys: Keys = PLAIN) -> files.Written:
    """The same file with those rows in their new batches."""
    frame = files.whole(files.read(path, keys))
    moved = pl.col("batch").replace(dict(change.into))
    changed = frame.with_columns(batch=pl.when(change.holds()).then(moved).otherwise("batch"))
    return files.write(changed, target, keys.writer())


def merge(
    paths: Sequence[Path], target: Path, keys: Keys = PLAIN, *, without_batches: Collection[int] = ()
) -> files.Written | None:
    """One sorted file of the rows of several, without the rows of purged batches; None when none are left."""
    frame = pl.concat([files.read(path, keys) for path in paths], how="diagonal")
    if without_batches:
        frame = frame.filter(~pl.col("batch").is_in(list(without_batches)))
    if not frame.height:
        return None
    frame = frame.sort([name for name in SORTED_BY if name in frame.columns], nulls_last=True)
    return files.write(frame, target, keys.writer(), row_group=files.SORTED_ROW_GROUP)


@dataclass(frozen=True, slots=True)
class Joining:
    """Files that become one, in a folder that whoever does it reaches."""

    paths: tuple[Path, ...]
    folder: Path
    prefix: str


def join(joining: Joining, keys: Keys) -> files.Written | None:
    """`merge` under a name of its own each time: it may be begun again, or twice at once."""
    return merge(joining.paths, joining.folder / f"{joining.prefix}{secrets.token_hex(8)}.parquet", keys)


def without(
    path: Path, target: Path, batches: Collection[int], keys: Keys = PLAIN
) -> tuple[files.Written | None, int] | None:
    """The same file without the rows of purged batches, and how many those were; None when it holds none of them."""
    if not holds(path, batches, keys):
        return None
    rows = parquet.scan(path, keys).select(pl.len()).collect().item()
    written = merge([path], target, keys, without_batches=batches)
    return written, rows - (written.rows if written else 0)


def holds(path: Path, batches: Collection[int], keys: Keys = PLAIN) -> bool:
    """Whether any row of these batches is in the file."""
    found = parquet.read(path, keys, ["batch"])["batch"].unique().to_list()
    return not set(batches).isdisjoint(found)


def of_recast(path: Path, change: Recast, keys: Keys = PLAIN) -> pl.DataFrame:
    """The rows of a file that it is about, as they stand."""
    return parquet.scan(path, keys).filter(change.holds().fill_null(False)).collect()


def recast(path: Path, target: Path, change: Recast, keys: Keys = PLAIN) -> tuple[files.Written, pl.DataFrame] | None:
    """The same file with the country that a person decided, and the rows that changed; None when none did."""
    frame = files.whole(files.read(path, keys))
    held = frame.select(change.holds().fill_null(False)).to_series()
    if not held.any():
        return None
    changed = recast_rows(frame, change)
    return files.write(changed, target, keys.writer()), changed.filter(held)


def recast_rows(frame: pl.DataFrame, change: Recast) -> pl.DataFrame:
    """The same rows with the country that a person decided."""
    held = frame.select(change.holds().fill_null(False)).to_series()
    return frame.with_columns(
        country=pl.when(held).then(pl.lit(change.country)).otherwise(pl.col("country")),
        country_basis=pl.when(held).then(pl.lit(Basis.REVIEWED.value)).otherwise(pl.col("country_basis")),
    )


def sealed(path: Path, target: Path, keys: Keys) -> files.Written:
    """The same rows in a file that is sealed, in groups of the same size."""
    group = parquet.opened(path, keys).metadata.row_group(0).num_rows
    row_group = files.SORTED_ROW_GROUP if group <= files.SORTED_ROW_GROUP else files.ROW_GROUP
    return files.write(files.whole(files.read(path, keys)), target, keys.writer(), row_group=row_group)
