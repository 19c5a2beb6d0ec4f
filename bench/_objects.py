"""TAXII servers with so many objects, made by the product's own functions without the receipt and reading of each."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson


def people() -> dict[str, str]:
    """A source, a reader, and the key of each."""
    from tests import builders

    from tocsin.centre.members.services import add_key

    now = datetime.now(UTC)
    cast = {"source": (builders.organisation("source"), "analyst"), "reader": (builders.bureau("FR"), "officer")}
    return {
        login: add_key(
            person=builders.person(login, at, role), name="bench", scopes=("deliver", "taxii", "read"),
            expires_at=now + timedelta(days=90), by="bench", at=now,
        )[1]
        for login, (at, role) in cast.items()
    }  # fmt: skip


def indicators(first: int, count: int) -> list[dict[str, Any]]:
    """As feeds have them."""
    made, chance = [], random.Random(first)
    for number in range(first, first + count):
        at = f"2026-{chance.randrange(1, 12):02d}-{chance.randrange(1, 29):02d}T10:00:00.{number % 1000:03d}Z"
        drawn = uuid.UUID(int=chance.getrandbits(128), version=4)
        made.append({
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--{drawn}",
            "created": at, "modified": at, "name": f"family-{chance.randrange(200):03d} infrastructure",
            "description": "Address that infected machines asked for orders.",
            "indicator_types": ["malicious-activity"],
            "pattern": f"[domain-name:value = 'h{number:x}.example']", "pattern_type": "stix",
            "valid_from": at, "confidence": chance.randrange(101), "labels": [f"family-{chance.randrange(200):03d}"],
        })  # fmt: skip
    return made


def build(have: int, until: int, size: int) -> None:
    """Deliveries of one batch each, twenty in a transaction; one object of each delivery is of a rare type."""
    from django.db import transaction
    from tests import builders

    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.intake.terms import BY_LABEL, terms_row
    from tocsin.centre.members.models import Organisation
    from tocsin.core.words import Tlp

    source = Organisation.objects.get(slug="source")
    under = builders.handling(Tlp.AMBER, retention_months=60)
    terms = terms_row(source.pk, under, BY_LABEL)
    now = datetime.now(UTC)
    for start in range(have, until, 20 * size):
        firsts = range(start, min(until, start + 20 * size), size)
        with transaction.atomic():
            deliveries = Delivery.objects.bulk_create(
                Delivery(
                    organisation=source, receipt=f"bench-{first}", via="taxii", name="envelope.json", state="parsed",
                    sha256=f"{first:064x}", size_bytes=1, received_at=now, format="stix", ends_at=builders.LATER,
                    objects_count=min(size, until - first),
                )
                for first in firsts
            )  # fmt: skip
            Batch.objects.bulk_create(
                Batch(
                    pk=each.pk * BATCHES_IN_DELIVERY, delivery=each, organisation=source, handling_set=under,
                    terms=terms, received_at=now, objects_count=each.objects_count, expires_at=builders.LATER,
                )
                for each in deliveries
            )  # fmt: skip
            for first, each in zip(firsts, deliveries, strict=True):
                keep(each, indicators(first, each.objects_count))


def keep(delivery: Any, bodies: list[dict[str, Any]]) -> None:
    """The objects of a delivery, as `knowledge.services.keep_objects` inserts them."""
    import numpy as np
    import polars as pl

    from tocsin.centre import rows
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.knowledge.models import Block, Mention, Object
    from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, note_copies, note_types
    from tocsin.core.reading import LINK_COLUMNS
    from tocsin.lake.objects import blocks_of, mentions_of

    bodies[-1] |= {"type": "campaign", "id": bodies[-1]["id"].replace("indicator--", "campaign--")}
    first, count = delivery.pk * OBJECTS_IN_DELIVERY, len(bodies)
    frame = pl.DataFrame(
        {
            "standard": ["stix-2.1"] * count, "type": [each["type"] for each in bodies], "revoked": [False] * count,
            "object_id": [each["id"] for each in bodies], "version": [each["modified"] for each in bodies],
            "name": [each["name"] for each in bodies], "labels": [each["labels"][0] for each in bodies],
            "pattern": [each["pattern"] for each in bodies], "valid_from": [each["valid_from"] for each in bodies],
            "valid_until": [""] * count, "position": range(count), "raw": [orjson.dumps(each) for each in bodies],
        }
    )  # fmt: skip
    links = pl.DataFrame(schema=LINK_COLUMNS)
    numbers = np.arange(first, first + count)
    note_copies(numbers, frame)
    note_types(numbers, frame)
    things = frame.select("standard", "type", "object_id", "version", "name", "revoked").with_columns(
        id=pl.Series(range(first, first + count)), delivery=pl.lit(delivery.pk),
        batch=pl.lit(delivery.pk * BATCHES_IN_DELIVERY),
    )  # fmt: skip
    rows.insert_frame(Object, things)
    rows.insert_frame(Block, blocks_of(frame, links).with_columns(pl.col("first") + first))
    rows.insert_frame(Mention, mentions_of(frame, links).select("key", object=pl.col("thing") + first))
