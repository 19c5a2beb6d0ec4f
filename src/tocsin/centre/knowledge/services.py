"""Keeping the objects and documents of a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tocsin.centre import rows
from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, parts_of
from tocsin.credentials.content_keys import DataKey
from tocsin.lake.objects import ROW_COLUMNS

from .models import SEALED_COLUMNS, Block, Document, Mention, Object, sealed_head
from .selectors import FINDER, sealed_key

OBJECTS_IN_DELIVERY = 1 << 28
"""Object numbers are delivery × this + place: known before the commit, so that links need no second look."""


def keep_objects(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert objects, byte for byte, and the keys that lead to them."""
    del at
    first = delivery.pk * OBJECTS_IN_DELIVERY
    sealed = delivery.batches.filter(sealed_at__isnull=False, objects_count__gt=0).values_list("pk", flat=True)
    keys = {batch: vault.key_for(f"batch:{batch}") for batch in sealed}
    columns = (*ROW_COLUMNS, "batch", *(["head"] if keys else []))
    kinds = ("things", "blocks", "mentions")
    for things, blocks, mentions in zip(*(parts_of(outcome, kind, work) for kind in kinds), strict=True):
        numbers = range(first, first + things.height)
        batches = things["batch"].to_list()
        if keys:
            things, blocks, mentions = _sealed(keys, batches, things, blocks, mentions)
        frame = things.select(pl.Series("id", numbers), pl.lit(delivery.pk).alias("delivery"), *columns)
        rows.insert_frame(Object, frame)
        rows.insert_frame(Block, blocks.with_columns(pl.col("first") + first))
        rows.insert_frame(Mention, mentions.select("key", object=pl.col("thing") + first))
        first = numbers.stop


def _sealed(
    keys: Mapping[int, DataKey], batches: list[int], things: pl.DataFrame, blocks: pl.DataFrame, mentions: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The three frames as they go into the database: what is of these batches is sealed with their keys."""
    of_rows = [keys.get(batch) for batch in batches]
    texts = zip(*(things[name].to_list() for name in SEALED_COLUMNS), strict=True)
    heads = [None if key is None else sealed_head(key, said) for key, said in zip(of_rows, texts, strict=True)]
    is_open = pl.col("head").is_null()
    kept = (pl.when(is_open).then(name).otherwise(pl.lit("")).alias(name) for name in SEALED_COLUMNS)
    things = things.with_columns(pl.Series("head", heads, dtype=pl.Binary)).with_columns(*kept)
    bodies = [
        body if (key := of_rows[place]) is None else key.sealed(body, "block") for place, body in blocks.iter_rows()
    ]
    finder = vault.key_for(FINDER)
    owned = np.array([key is not None for key in of_rows])[mentions["thing"].to_numpy()]
    found = mentions["key"].to_numpy().copy()
    distinct, places = np.unique(found[owned], return_inverse=True)
    found[owned] = np.array([sealed_key(finder, key) for key in distinct.tolist()], dtype=np.int64)[places]
    mentions = mentions.with_columns(pl.Series("key", found)).sort("key", "thing")
    return things, blocks.with_columns(pl.Series("body", bodies, dtype=pl.Binary)), mentions


def keep_documents(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert the plain texts of reports."""
    del work, at
    own = delivery.pk * BATCHES_IN_DELIVERY
    numbers = {made["marking"]: made["number"] for made in outcome["batches"]}
    Document.objects.bulk_create(
        Document(
            delivery=delivery,
            batch_id=numbers.get(None, own),
            title=made["title"].replace("\x00", "")[:300],
            language=made["language"][:12],
            text=made["text"].replace("\x00", ""),
        )
        for made in outcome["documents"]
    )
