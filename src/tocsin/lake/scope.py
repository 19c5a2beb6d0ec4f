"""What a question is asked of: a snapshot of registered files, and the rows that the asker may see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tocsin.core.words import VICTIM_LIKE

HIDDEN_WITH_PEER = ("peer", "peer_role", "peer_port", "peer_asn", "peer_network", "extra", "note")
"""Blanked where the other side is a victim elsewhere: free text may repeat what these columns held."""
SHIELDED_BY = ("batch", "peer", "peer_role", "peer_country")
"""Columns that tell whether they must be."""
_VICTIMS = [role.value for role in VICTIM_LIKE]
# A side without a stated role may be anybody's machine.
IS_GUARDED = pl.col("peer").is_not_null() & pl.col("peer_role").is_in(_VICTIMS).fill_null(True)
"""Whether who stands on the other side is shown by the rule of victims."""


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
            pl.col("role").is_in(_VICTIMS)
            & ~pl.col("batch").is_in(list(self.own_batches))
            & ~pl.col("country").fill_null("").is_in(list(self.victim_countries))
        )
        return seen & ~hidden

    def shielded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Visible rows, with SHIELDED_BY among their columns, without who was hit on the other side elsewhere."""
        if self.all_victims or not rows.height:
            return rows
        free = pl.col("batch").is_in(list(self.own_batches)) | pl.col("peer_country").fill_null("").is_in(
            list(self.victim_countries)
        )
        names = [name for name in HIDDEN_WITH_PEER if name in rows.columns]
        return rows.with_columns(pl.when(~(IS_GUARDED & ~free)).then(pl.col(name)).alias(name) for name in names)
