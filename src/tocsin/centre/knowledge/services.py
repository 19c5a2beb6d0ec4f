"""Keeping the objects and documents of a delivery, and deleting them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from django.db import transaction

from tocsin.centre import rows
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, parts_of
from tocsin.lake.objects import ROW_COLUMNS, emptied

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


def take_out(delivery: Delivery, batches: list[int]) -> dict[str, int]:
    """Delete objects with their bytes and keys, and documents, of these batches of it; says how many."""
    with transaction.atomic():
        counts = _objects_out(delivery.pk, batches)
        counts["documents"] += Document.objects.filter(batch__in=batches).delete()[0]
    return dict(counts)


def _objects_out(delivery: int, batches: list[int]) -> Counter[str]:
    every = Object.objects.filter(pk__gte=delivery * OBJECTS_IN_DELIVERY, pk__lt=(delivery + 1) * OBJECTS_IN_DELIVERY)
    going = every.filter(batch__in=batches)
    gone = sorted(going.values_list("pk", flat=True))
    if not gone:
        return Counter()
    mentions = Mention.objects.filter(object__gte=gone[0], object__lte=gone[-1])
    if every.exclude(batch__in=batches).exists():
        mentions = Mention.objects.filter(object__in=rows.Numbers(gone))
    counts = Counter(objects=len(gone), mentions=mentions._raw_delete(mentions.db))
    firsts = list(Block.objects.filter(first__gte=delivery * OBJECTS_IN_DELIVERY, first__lte=gone[-1])
                  .order_by("first").values_list("first", flat=True))  # fmt: skip
    left = set(every.exclude(pk__in=rows.Numbers(gone)).values_list("pk", flat=True))
    for first, following in zip(firsts, [*firsts[1:], (delivery + 1) * OBJECTS_IN_DELIVERY], strict=True):
        places = [number - first for number in gone if first <= number < following]
        if not places:
            continue
        block = Block.objects.get(first=first)
        if any(first <= number < following for number in left):
            Block.objects.filter(first=first).update(body=emptied(bytes(block.body), set(places)))
        else:
            block.delete()
        counts["blocks"] += 1
    going._raw_delete(going.db)
    return counts
