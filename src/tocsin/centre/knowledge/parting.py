"""Objects and texts of a delivery that name something, and their move into another batch."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson
import polars as pl
from django.db.models import F, Max

from tocsin.centre import rows
from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.core.typed import Refanged
from tocsin.lake.objects import ROW_COLUMNS, Body, blocks_of, bodies_in, mentions_of

from .models import Block, Document, Mention, Object
from .selectors import body_of
from .services import OBJECTS_IN_DELIVERY, sealed_frames

MISP = "misp"
_VALUES_AT_ONCE = 2_000
_FEW = 20
"""So many objects are looked up one by one; of more, every block of the delivery is read once."""


class Naming:
    """Tells whether a text names one of some values: the whole value, in any letter case."""

    def __init__(self, values: Iterable[str]) -> None:
        words = sorted({value.casefold() for value in values}, key=len, reverse=True)
        parts = [words[start : start + _VALUES_AT_ONCE] for start in range(0, len(words), _VALUES_AT_ONCE)]
        # 198.51.100.9 stands in "198.51.100.9." and not in "198.51.100.99", nor in an address of the web on that host:
        # that is another value.
        self._patterns = [
            re.compile(r"(?<![\w.@/-])(?:" + "|".join(map(re.escape, part)) + r")(?![\w@/-]|\.\w|:\d)")
            for part in parts
        ]

    def __call__(self, text: str) -> bool:
        folded = text.casefold()
        return any(pattern.search(folded) for pattern in self._patterns)


def text_of(raw: bytes) -> str:
    """An object's own bytes as text to search, strokes unescaped as JSON may write them."""
    return raw.decode("utf-8", "replace").replace("\\/", "/")


def bodies_of(delivery: Delivery) -> Iterator[tuple[int, Body]]:
    """Every object of a delivery, by its number."""
    first, last = delivery.pk * OBJECTS_IN_DELIVERY, (delivery.pk + 1) * OBJECTS_IN_DELIVERY
    found = Block.objects.filter(first__gte=first, first__lt=last).order_by("first")
    for start, body in found.values_list("first", "body").iterator(chunk_size=50):
        yield from ((start + place, each) for place, each in enumerate(bodies_in(vault.opened(bytes(body), "block"))))


def positions_of(delivery: Delivery, things: Collection[Object]) -> dict[int, int]:
    """Number of an object → where in the delivery it stood."""
    if len(things) <= _FEW:
        return {each.pk: body_of(each).position for each in things}
    wanted = {each.pk for each in things}
    return {key: body.position for key, body in bodies_of(delivery) if key in wanted}


def objects_naming(delivery: Delivery, batches: Collection[int], values: Collection[str]) -> list[Object]:
    """Objects of these batches whose bytes name one of the values."""
    if not values:
        return []
    naming = Naming(values)
    keys = [key for key, body in bodies_of(delivery) if naming(text_of(body.raw)) or naming(body.pattern)]
    found: list[Object] = []
    for start in range(0, len(keys), 500):
        found += Object.objects.filter(pk__in=keys[start : start + 500], batch__in=list(batches)).order_by("pk")
    return found


def documents_naming(delivery: Delivery, batches: Collection[int], values: Collection[str]) -> list[Document]:
    """Texts of reports that name one of the values, however it was made harmless to click."""
    if not values:
        return []
    naming = Naming(values)
    return [each for each in delivery.documents.filter(batch__in=list(batches)) if naming(plain(each))]


def all_texts() -> Iterator[tuple[int, str]]:
    """Every object there is: its delivery, and what it says, letters as they are read."""
    for start, body in Block.objects.order_by("first").values_list("first", "body").iterator(chunk_size=50):
        for each in bodies_in(vault.opened(bytes(body), "block")):
            text = text_of(each.raw)
            if "\\u" in text:
                with suppress(orjson.JSONDecodeError):
                    text = orjson.dumps(orjson.loads(each.raw)).decode()
            yield start // OBJECTS_IN_DELIVERY, text


def plain(document: Document) -> str:
    """Its text with indicators made whole."""
    return Refanged(document.text).text


def move_objects(things: Collection[Object], into: Mapping[int, int]) -> None:
    """Put objects into the batches that their own were parted into."""
    by_batch: dict[int, list[int]] = {}
    for thing in things:
        by_batch.setdefault(thing.batch_id, []).append(thing.pk)
    for old, keys in by_batch.items():
        for start in range(0, len(keys), 500):
            Object.objects.filter(pk__in=keys[start : start + 500]).update(batch=into[old])
        Batch.objects.filter(pk=old).update(objects_count=F("objects_count") - len(keys))
        Batch.objects.filter(pk=into[old]).update(objects_count=F("objects_count") + len(keys))


def move_documents(documents: Collection[Document], into: Mapping[int, int]) -> None:
    """The same with texts."""
    for each in documents:
        Document.objects.filter(pk=each.pk).update(batch=into[each.batch_id])


def keep_redacted(thing: Object, values: Collection[str]) -> Object | None:
    """An event without what names these values, as an object of its own beside it; None where too little would stay.

    A MISP event holds hundreds of attributes in one text: it need not go because one of them does.
    """
    if thing.standard != MISP:
        return None
    body, naming = body_of(thing), Naming(values)
    try:
        event = orjson.loads(body.raw)
    except orjson.JSONDecodeError:
        return None
    raw = orjson.dumps(_without(event, naming))
    if naming(text_of(raw)):
        return None  # It is named outside any attribute.
    number = int(Object.objects.filter(delivery=thing.delivery_id).aggregate(top=Max("pk"))["top"]) + 1
    kept = {
        "raw": [raw], "labels": ["\n".join(body.labels)], "pattern": [body.pattern], "valid_from": [body.valid_from],
        "valid_until": [body.valid_until], "position": [body.position], "object_id": [thing.object_id],
        "name": [thing.name],
    }  # fmt: skip
    links = pl.DataFrame(
        [(0, name, target) for name, target in body.refs],
        schema={"thing": pl.Int64, "relation": pl.String, "target": pl.String}, orient="row",
    )  # fmt: skip
    frame = pl.DataFrame(kept)
    things = pl.DataFrame({name: [getattr(thing, name)] for name in ROW_COLUMNS})
    blocks, mentions = blocks_of(frame, links), mentions_of(frame, links)
    if thing.head is not None:
        keys = {thing.batch_id: vault.key_for(f"batch:{thing.batch_id}")}
        things, blocks, mentions = sealed_frames(keys, [thing.batch_id], things, blocks, mentions)
    own = {"id": number, "delivery": thing.delivery_id, "batch": thing.batch_id}
    rows.insert_frame(Object, things.with_columns(pl.lit(value).alias(name) for name, value in own.items()))
    rows.insert_frame(Block, blocks.with_columns(pl.col("first") + number))
    rows.insert_frame(Mention, mentions.select("key", object=pl.col("thing") + number))
    Batch.objects.filter(pk=thing.batch_id).update(objects_count=F("objects_count") + 1)
    return Object.objects.get(pk=number)


def _without(node: Any, naming: Naming) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, naming) for key, value in node.items()}
    if isinstance(node, list):
        return [_without(one, naming) for one in node if not (isinstance(one, dict) and _is_named(one, naming))]
    return node


def _is_named(item: dict[str, Any], naming: Naming) -> bool:
    """An attribute, or an object of attributes, one of which names a value: what is left of it would say too much."""
    own = [str(value) for value in item.values() if isinstance(value, str | int)]
    return any(map(naming, own)) or any(
        isinstance(inner, dict) and _is_named(inner, naming)
        for each in item.values() if isinstance(each, list) for inner in each
    )  # fmt: skip


def attribute_value(delivery: Delivery, batches: Collection[int], uuid: str) -> str | None:
    """The value of the MISP attribute with this UUID in an event of these batches."""
    shown = set(
        Object.objects.filter(delivery=delivery, batch__in=list(batches), standard=MISP).values_list("pk", flat=True)
    )
    if not shown:
        return None
    for key, body in bodies_of(delivery):
        if key in shown and uuid.encode() in body.raw:
            found = _attribute_in(orjson.loads(body.raw), uuid)
            if found is not None:
                return found
    return None


def _attribute_in(node: Any, uuid: str) -> str | None:
    if isinstance(node, dict):
        if node.get("uuid") == uuid and isinstance(node.get("value"), str):
            return str(node["value"])
        node = list(node.values())
    if isinstance(node, list):
        return next((found for one in node if (found := _attribute_in(one, uuid)) is not None), None)
    return None
