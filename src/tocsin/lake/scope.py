"""What a question is asked of: a snapshot of registered files, and the rows that the asker may see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tocsin.core.words import VICTIM_LIKE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registered files of one moment, as absolute paths. A reader keeps it through compactions."""

    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The gate, compiled: which batches, and which victim rows in them. Joined before counting or paging."""

    batches: frozenset[int]
    """Batches the viewer may see at all."""
    own_batches: frozenset[int] = frozenset()
    """Batches that the viewer's organisation handed over: their victim rows are visible to it."""
    victim_countries: frozenset[str] = frozenset()
    """Countries whose victim rows are visible."""
    all_victims: bool = False
    """The Centre's victim desk."""

    def row_filter(self) -> pl.Expr:
        """The same rule as a Polars expression over columns `batch`, `role`, `country`."""
        seen = pl.col("batch").is_in(list(self.batches))
        if self.all_victims:
            return seen
        hidden = (
            pl.col("role").is_in([role.value for role in VICTIM_LIKE])
            & ~pl.col("batch").is_in(list(self.own_batches))
            & ~pl.col("country").fill_null("").is_in(list(self.victim_countries))
        )
        return seen & ~hidden
