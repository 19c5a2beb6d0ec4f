"""All rows of a few batches that the asker may see, to make something of them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from tocsin.core.observations import SCHEMA
from tocsin.lake.scope import Batches, Scope, Snapshot


def rows_under(snapshot: Snapshot, scope: Scope, batches: Batches, most: int) -> pl.DataFrame | None:
    """The rows of these batches in the order of the delivery; None where they are more than `most`."""
    within = replace(scope, batches=scope.batches & batches, own_batches=scope.own_batches & batches)
    found = [pl.DataFrame(schema=SCHEMA)]
    left = most
    for path in snapshot.files:
        rows = pl.scan_parquet(path).filter(within.row_filter()).head(left + 1).collect()
        left -= rows.height
        if left < 0:
            return None
        found.append(rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()))
    return within.shielded(pl.concat(found)).sort("batch", "position", maintain_order=True)
