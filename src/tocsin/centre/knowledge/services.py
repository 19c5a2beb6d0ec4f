"""Keeping the objects and documents of a delivery."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from tocsin.centre import rows
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, parts_of

from .models import Document, Link, Object

OBJECTS_IN_DELIVERY = 1 << 28
"""Object numbers are delivery × this + place: known before the commit, so that links need no second look."""


def keep_objects(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert objects, byte for byte, and their links."""
    del at
    numbers = count(delivery.pk * OBJECTS_IN_DELIVERY)
    columns = ("standard", "type", "object_id", "version", "name", "labels", "pattern", "valid_from", "valid_until",
               "revoked", "raw", "position", "batch")  # fmt: skip
    # JSON may hold the character zero, PostgreSQL may not; `raw` keeps it.
    texts = pl.col(pl.String).str.replace_all("\x00", "", literal=True)
    parts = zip(parts_of(outcome, "things", work), parts_of(outcome, "links", work), strict=True)
    for frame, links in ((things.with_columns(texts), named.with_columns(texts)) for things, named in parts):
        first = next(numbers)
        tail = (delivery.organisation_id, delivery.pk)
        rows.insert(
            Object,
            ("id", *columns, "organisation", "delivery"),
            ((first + at_row, *row, *tail) for at_row, row in enumerate(frame.select(columns).iter_rows())),
        )
        numbers = count(first + frame.height)
        rows.insert(
            Link,
            ("source", "relation", "target_id"),
            ((first + thing, relation, target) for thing, relation, target in links.iter_rows()),
        )


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
