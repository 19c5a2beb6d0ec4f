"""TAXII 2.x answers other than objects: discovery, API roots, collections, manifests, status; and server content.

They carry no intelligence of their own: what they list is named, so that the sender sees it was understood.
Files of a whole server's content hold objects in collections, which are read as files of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from tocsin.core.profiles import Profile
from tocsin.core.reading import Enclosed, Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Unit
from tocsin.formats._json import decode
from tocsin.formats._json_outline import Outline, outline

LIMIT_BYTES = 64 << 20
MANIFEST = {"id", "date_added", "version"}
SHAPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("discovery", frozenset({"title", "api_roots"})),
    ("api-root", frozenset({"title", "versions", "max_content_length"})),
    ("collection", frozenset({"id", "title", "can_read", "can_write"})),
    ("status", frozenset({"id", "status", "total_count", "success_count"})),
)


def _kind(seen: Outline) -> str:
    """Which answer it is, by its keys; empty when it is none."""
    if seen.kind == "array":
        return "manifest" if seen.item_keys.keys() >= MANIFEST else ""
    if "/discovery" in seen.keys:
        return "server"
    keys = seen.keys.keys()
    for name, wanted in SHAPES:
        if keys >= wanted:
            return name
    if seen.item_of == "objects" and seen.item_keys.keys() >= MANIFEST:
        return "manifest"
    if seen.item_of == "collections" and seen.item_keys.keys() >= {"id", "can_read"}:
        return "collections"
    return "status" if keys >= {"id", "status", "request_timestamp"} else ""


def recognise(sample: Sample) -> int:
    """By the keys that the standard requires of each answer."""
    return 90 if _kind(outline(sample.head)) else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A heading, a remark that it is not used, or the objects of server content."""
    data = source.read_all(LIMIT_BYTES)
    kind = _kind(outline(data))
    answer = decode(data)
    title = answer.get("title", "") if isinstance(answer, dict) else ""
    listed = answer.get("objects") or answer.get("collections") if isinstance(answer, dict) else answer
    count = len(listed) if isinstance(listed, list) else None
    yield Heading(title=title if isinstance(title, str) else "", report_type=f"taxii {kind}", stated_count=count)
    number = 0
    if kind == "server" and isinstance(answer, dict):
        for name, root in answer.items():
            for collection in root.get("collections") or [] if isinstance(root, dict) else []:
                objects = collection.get("objects") if isinstance(collection, dict) else None
                if isinstance(objects, list) and objects:
                    number += 1
                    content = orjson.dumps({"objects": [_plain(one) for one in objects]})
                    yield Enclosed(Source(name=f"{name}-{number}.json", content=content), number)
    if number == 0:
        shown = data[:120].decode("utf-8", "replace")
        yield Rejection(1, Unit.OBJECT, "unsupported-record", kind, shown)


def _plain(item: object) -> object:
    """The object without what the server noted beside it."""
    if isinstance(item, dict):
        return {key: value for key, value in item.items() if not key.startswith(("_", "__"))}
    return item


FORMAT = Format(
    name="taxii2",
    title="TAXII 2.x answer",
    recognise=recognise,
    read=read,
    media_types=("application/taxii+json",),
    extensions=(".json",),
)
