"""Keeping the objects and documents of a delivery, and deleting them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from django.db import transaction

from tocsin.centre import rows
from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, parts_of
from tocsin.credentials import content_keys
from tocsin.credentials.content_keys import DataKey
from tocsin.lake.objects import ROW_COLUMNS, Way, emptied, keys_of

from .models import (
    OBJECTS_IN_DELIVERY,
    SEALED_COLUMNS,
    STIX,
    Block,
    Copied,
    Document,
    Mention,
    Object,
    Rendering,
    Typed,
    sealed_head,
)
from .selectors import FINDER, sealed_key

__all__ = [
    "OBJECTS_IN_DELIVERY",
    "STIX",
    "keep_copies",
    "keep_documents",
    "keep_objects",
    "note_copies",
    "note_types",
    "sealed_frames",
    "take_out",
]


def keep_objects(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Insert objects, byte for byte, and the keys that lead to them: of one delivery, or of several read together.

    Notes in the outcome which numbers share an id with others, and which deliveries hold what may be older than STIX
    2.1, of which that is not known."""
    del delivery, at
    having = [made["number"] for made in outcome["batches"] if made["things"]]
    sealed = Batch.objects.filter(pk__in=having, sealed_at__isnull=False).values_list("pk", flat=True) if having else ()
    copied: set[int] = set()
    unknown: set[int] = set()
    keys = {batch: vault.key_for(f"batch:{batch}") for batch in sealed}
    columns = ("id", "delivery", *ROW_COLUMNS, "batch", *(["head"] if keys else []))
    kinds = ("things", "blocks", "mentions")
    kept: Counter[int] = Counter()
    for things, blocks, mentions in zip(*(parts_of(outcome, kind, work) for kind in kinds), strict=True):
        things, numbers = _numbered(things, kept)
        copied |= copies_of(numbers, things)
        older = things.filter(pl.col("standard") != STIX)
        unknown.update(older["delivery"].unique().to_list() if older.height else ())
        note_types(numbers, things)
        if keys:
            things, blocks, mentions = sealed_frames(keys, things["batch"].to_list(), things, blocks, mentions)
        rows.insert_frame(Object, things.select(columns))
        rows.insert_frame(Block, blocks.with_columns(pl.Series(numbers[blocks["first"].to_numpy()]).alias("first")))
        found = pl.Series("object", numbers[mentions["thing"].to_numpy()])
        rows.insert_frame(Mention, mentions.select("key", found))
    outcome["copied"], outcome["of_unknown"] = copied, unknown


def _numbered(things: pl.DataFrame, kept: Counter[int]) -> tuple[pl.DataFrame, np.ndarray]:
    """With the delivery and the number of each: its place in the delivery, behind those that were kept of it before."""
    deliveries = things["batch"].to_numpy() // BATCHES_IN_DELIVERY
    numbers = np.empty(len(deliveries), np.int64)
    for delivery in np.unique(deliveries).tolist():
        places = np.flatnonzero(deliveries == delivery)
        numbers[places] = np.arange(len(places)) + delivery * OBJECTS_IN_DELIVERY + kept[delivery]
        kept[delivery] += len(places)
    return things.with_columns(pl.Series("id", numbers), pl.Series("delivery", deliveries)), numbers


def keep_copies(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Note which objects share their id with others: those found while they were inserted, and what others kept in that
    time, who are waited for and wait from now on. After `intake.batch_rows.settle`."""
    del delivery, at
    copied: set[int] = outcome.get("copied", set())
    own = {made["number"] // BATCHES_IN_DELIVERY for made in outcome["batches"]}
    since = Batch.objects.filter(changed__gt=outcome["change"], objects_count__gt=0).exclude(delivery__in=own)
    late = sorted(set(since.order_by().values_list("delivery_id", flat=True)))
    if late and any(made["things"] for made in outcome["batches"]):
        is_sealed = since.filter(sealed_at__isnull=False).exists()
        count = sum(since.values_list("objects_count", flat=True))
        kept: Counter[int] = Counter()
        for things in parts_of(outcome, "things", work):
            things, numbers = _numbered(things, kept)
            if is_sealed or count > 2 * things.height:  # As many are looked up under their keys.
                copied |= copies_of(numbers, things, has_own=True)
            else:
                copied |= _copies_in(late, numbers, things)
    _note_copied(copied)
    outcome["namesakes"] = outcome.get("of_unknown", set()) | {number // OBJECTS_IN_DELIVERY for number in copied}


def _copies_in(deliveries: list[int], numbers: np.ndarray, things: pl.DataFrame) -> set[int]:
    """Numbers of those that share their id with one in these deliveries, and of those there."""
    places = np.flatnonzero((things["standard"] == STIX).to_numpy())
    own = _id_keys(things, places)
    theirs = Object.objects.filter(delivery__in=deliveries, standard=STIX).values_list("pk", "object_id")
    found = pl.DataFrame(list(theirs), schema={"number": pl.Int64, "id": pl.String}, orient="row")
    keys = keys_of(Way.ID, found["id"])
    both = np.intersect1d(own, keys)
    return {*numbers[places[np.isin(own, both)]].tolist(), *found["number"].to_numpy()[np.isin(keys, both)].tolist()}


def note_copies(numbers: np.ndarray, things: pl.DataFrame) -> None:
    """Note which of these objects, that are about to be kept under these numbers, share their id with one another or
    with what is there."""
    _note_copied(copies_of(numbers, things))


def _note_copied(numbers: set[int]) -> None:
    if numbers:
        rows.insert_missing(Copied, ("number",), [(number,) for number in sorted(numbers)])


def copies_of(numbers: np.ndarray, things: pl.DataFrame, *, has_own: bool = False) -> set[int]:
    """Which numbers share their id with one of these objects, and these with them; `has_own`: they are there already
    themselves."""
    places = np.flatnonzero((things["standard"] == STIX).to_numpy())
    keys = _id_keys(things, places)
    distinct, kinds, times = np.unique(keys, return_inverse=True, return_counts=True)
    asked = {key: kind for kind, key in enumerate(distinct.tolist())}
    finder = vault.known(FINDER)
    if finder is not None:
        asked |= {sealed_key(finder, key): kind for key, kind in list(asked.items())}
    held = Mention.objects.filter(key__in=rows.Numbers(asked)).values_list("key", "object_id")
    own = set(numbers.tolist()) if has_own else set()
    found = [(asked[key], number) for key, number in held if number not in own]
    times[[kind for kind, _ in found]] += 1
    return {number for _, number in found} | set(numbers[places[times[kinds] > 1]].tolist())


def _id_keys(things: pl.DataFrame, places: np.ndarray) -> np.ndarray:
    """The keys of their ids, which a reading leaves beside them."""
    if "key" in things.columns:
        return things["key"].gather(places).to_numpy()
    return keys_of(Way.ID, things["object_id"].gather(places))


def note_types(numbers: np.ndarray, things: pl.DataFrame) -> None:
    """Note where objects of which types will lie."""
    places = pl.Series("places", numbers // Typed.PLACES)
    found = things.select("type", "standard").with_columns(places).filter(pl.col("standard") == STIX)
    rows.insert_missing(Typed, ("type", "places"), found.select("type", "places").unique(maintain_order=True).rows())


def sealed_frames(
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


def take_out(delivery: Delivery, batches: list[int]) -> dict[str, int]:
    """Delete objects with their bytes and keys, and documents, of these batches of it; says how many."""
    with transaction.atomic():
        counts = _objects_out(delivery.pk, batches)
        Rendering.objects.filter(batch__in=batches).delete()
        counts["documents"] += Document.objects.filter(batch__in=batches).delete()[0]
    return dict(counts)


def _without(body: bytes, places: set[int]) -> bytes:
    """A block without the bodies at these places, under the seal that it had."""
    number = content_keys.number_of(body)
    made = emptied(vault.opened(body, "block"), places)
    return made if number is None else vault.opening_key(number).sealed(made, "block")


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
            Block.objects.filter(first=first).update(body=_without(bytes(block.body), set(places)))
        else:
            block.delete()
        counts["blocks"] += 1
    Copied.objects.filter(number__in=rows.Numbers(gone)).delete()
    if not left:
        within = {
            "places__gte": delivery * OBJECTS_IN_DELIVERY // Typed.PLACES,
            "places__lte": gone[-1] // Typed.PLACES,
        }
        Typed.objects.filter(**within).delete()
    going._raw_delete(going.db)
    return counts
