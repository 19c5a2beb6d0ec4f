"""MISP's reference sets: galaxies and clusters, taxonomies, object templates, warning lists, lists of feeds.

They say what words mean, so they become things and never rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing
from tocsin.core.words import Unit

from . import _json, _records
from ._records import text_of, texts_of

MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
RAWS = msgspec.json.Decoder(list[msgspec.Raw])


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """The set as one thing; of clusters and lists of feeds also each entry."""
    raw = _json.text_of(source.read_all(256 << 20))
    tree = _json.decode(raw, duplicates=True)
    if isinstance(tree, list):
        yield from _feeds(raw)
        return
    if not isinstance(tree, dict):
        raise InputError("not-an-object")
    standard, type_ = _standard(tree)
    name = text_of(tree.get("name")) or text_of(tree.get("namespace")) or text_of(tree.get("description")) or ""
    version = text_of(tree.get("version")) or ""
    yield Heading(title=f"{standard}: {name}"[:500], producer=", ".join(texts_of(tree.get("authors")))[:200])
    yield Thing(
        standard=standard,
        type=type_,
        id=text_of(tree.get("uuid")) or f"{standard}:{tree.get('namespace') or name}",
        raw=raw.strip(),
        position=1,
        version=version,
        name=name[:500],
    )
    if type_ == "cluster":
        yield from _clusters(raw, version, text_of(tree.get("type")) or "")


def _standard(tree: dict[str, object]) -> tuple[str, str]:
    if "list" in tree or "matching_attributes" in tree:
        return "misp-warninglist", "list"
    if "predicates" in tree or "taxonomies" in tree:
        return "misp-taxonomy", "taxonomy" if "predicates" in tree else "manifest"
    if "meta-category" in tree or "requiredOneOf" in tree:
        return "misp-object", "template"
    if tree.get("name") == "relationships":
        return "misp-object", "relationships"
    if "GalaxyCluster" in tree or "values" in tree:
        return "misp-galaxy", "cluster"
    return "misp-galaxy", "galaxy"


def _clusters(raw: bytes, version: str, galaxy: str) -> Iterator[Item]:
    members = MEMBERS.decode(raw)
    raws = members.get("values") or members.get("GalaxyCluster")
    listed = bytes(raws) if raws else b"[]"
    for place, part in enumerate(RAWS.decode(listed) if listed[:1] == b"[" else [], start=1):
        data = bytes(part)
        value = _records.tree(data, place)
        if isinstance(value, Rejection):
            yield value
            continue
        name = text_of(value.get("value")) or ""
        meta = value.get("meta")
        meta = meta if isinstance(meta, dict) else {}
        related = value.get("related")
        yield Thing(
            standard="misp-galaxy",
            type=galaxy or "cluster",
            id=text_of(value.get("uuid")) or f"misp-galaxy:{galaxy}={name or hashlib.sha256(data).hexdigest()}",
            raw=data,
            position=place,
            version=version,
            name=name[:500],
            aliases=tuple(texts_of(meta.get("synonyms"))),
            labels=tuple(texts_of(meta.get("country"))),
            refs=tuple(
                (text_of(entry.get("type")) or "related", text_of(entry.get("dest-uuid")) or "")
                for entry in (related if isinstance(related, list) else [])
                if isinstance(entry, dict) and entry.get("dest-uuid")
            ),
            external_ids=tuple(texts_of(meta.get("external_id"))),
        )


def _feeds(raw: bytes) -> Iterator[Item]:
    for place, part in _json.array_items(raw):
        value = _records.tree(part, place)
        feed = value.get("Feed") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(feed, dict):
            yield Rejection(place, Unit.OBJECT, "unsupported-record", excerpt=part[:80].decode("utf-8", "replace"))
            continue
        yield Thing(
            standard="misp-feed",
            type="source",
            id=f"misp-feed:{text_of(feed.get('url')) or text_of(feed.get('name')) or place}",
            raw=part,
            position=place,
            name=text_of(feed.get("name")) or "",
            aliases=tuple(texts_of(feed.get("provider"))),
        )


def recognise(sample: Sample) -> int:
    """By the members that each sort of set must have."""
    head = sample.head
    seen = _records.outline(head)
    keys = seen.keys.keys()
    if seen.kind == "array":
        return 85 if "Feed" in seen.item_keys and b'"source_format"' in head else 0
    if not seen.kind or "spec_version" in keys or "Event" in keys:
        return 0
    if {"name", "list", "version"} <= keys and ("matching_attributes" in keys or "type" in keys):
        return 92
    if {"description", "list"} <= keys and seen.keys["list"] == b"[" and sample.size_bytes > len(head):
        return 80  # A long list whose other members stand behind it.
    if {"namespace", "predicates"} <= keys or {"taxonomies", "url"} <= keys:
        return 92
    if {"meta-category", "attributes"} <= keys or {"requiredOneOf", "attributes"} <= keys:
        return 92
    if {"values", "uuid", "name"} <= keys and ({"type", "source"} & keys or b'"relationships"' in head):
        return 92
    if {"uuid", "name", "type", "namespace"} <= keys and ({"icon", "GalaxyCluster", "version"} & keys):
        return 90
    return 0


FORMAT = Format(
    name="misp-reference",
    title="MISP galaxy, taxonomy, object template or warning list",
    recognise=recognise,
    read=read,
    media_types=("application/json",),
    extensions=(".json",),
)
