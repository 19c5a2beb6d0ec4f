"""Keeping the objects and documents of a delivery."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from tocsin.centre import rows
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, parts_of
from tocsin.lake.objects import ROW_COLUMNS

from .models import Block, Document, Mention, Object

OBJECTS_IN_DELIVERY = 1 << 28
"""Object numbers are delivery × this + place: known before the commit, so that links need no second look."""


def keep_objects(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert objects, byte for byte, and the keys that lead to them."""
    del at
    first = delivery.pk * OBJECTS_IN_DELIVERY
    columns = (*ROW_COLUMNS, "batch")
    kinds = ("things", "blocks", "mentions")
    for things, blocks, mentions in zip(*(parts_of(outcome, kind, work) for kind in kinds), strict=True):
        numbers = range(first, first + things.height)
        frame = things.select(pl.Series("id", numbers), pl.lit(delivery.pk).alias("delivery"), *columns)
        rows.insert_frame(Object, frame)
        rows.insert_frame(Block, blocks.with_columns(pl.col("first") + first))
        rows.insert_frame(Mention, mentions.select("key", object=pl.col("thing") + first))
        first = numbers.stop


def keep_documents(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert the plain texts of reports."""
    del work, at
    own = delivery.pk * BATCHES_IN_DELIVERY
    numbers = {made["marking"]: made["number"] for made in outcome["batches"] if not made["grade"]}
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
