"""STIX 2.0 and 2.1: bundles, TAXII envelopes, bare arrays, single objects, one object a line.

Every object that follows the standard becomes a Thing with its very bytes; indicators with plain patterns,
observables, observed data and sightings give rows as well. Objects are found in the stream one after the
other, so a bundle of any size needs a few megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from tocsin.core.errors import InputError
from tocsin.core.patterns import Comparison, parse, plain_comparisons
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing
from tocsin.core.words import Kind, Unit
from tocsin.formats._json import (
    DEPTH_LIMIT,
    array_items,
    check_depth,
    documents,
    duplicate_key,
    explain,
    outline,
)
from tocsin.formats._stix2_rows import VALUES, RowBatches
from tocsin.formats._stix2_rules import Object, Problem
from tocsin.formats._stix2_types import OBSERVABLES_20, SCO_21, TYPES_20, TYPES_21, problem, version_of
from tocsin.formats._stix2_whole import Whole, look_over

STIX_TYPES = frozenset({*TYPES_20, *TYPES_21})
EXTERNAL = re.compile(r"(?:T\d{4}(?:\.\d{3})?|TA\d{4}|[GSMC]\d{4}|CVE-\d{4}-\d{4,}|CAPEC-\d+|CWE-\d+|[A-Z]{2,}\d+)")
ID_START = re.compile(rb'"[a-z][a-z0-9-]*--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-')


def recognise(sample: Sample) -> int:
    """By the keys and types at the beginning; other people's JSON has no STIX id in its first records."""
    seen = outline(sample.head)
    if not seen.kind:
        return 0
    if seen.kind == "object":
        kind = seen.keys.get("type", b'""')[1:-1]
        if kind == b"bundle" or (seen.keys.get("id", b"").startswith(b'"bundle--') and "objects" in seen.keys):
            return 98
        if _is_object(seen.keys):
            return 95
        if seen.item_of == "objects" and _is_object(seen.item_keys):
            return 97
        if set(seen.keys) <= {"objects", "more", "next"} and "objects" in seen.keys:
            return 60
        return 0
    return 95 if seen.item_of == "" and _is_object(seen.item_keys) else 0


def _is_object(keys: dict[str, bytes]) -> bool:
    kind = keys.get("type", b'""')[1:-1].decode("ascii", "replace")
    named = ID_START.match(keys.get("id", b"")) is not None
    if named and keys["id"][1:].startswith(f"{kind}--".encode()):
        return True
    return kind in STIX_TYPES and bool(keys.keys() & {"spec_version", "created", "modified"}) and "id" in keys


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Things, rows and rejections in file order; rows come in batches behind their things."""
    whole = look_over(source)
    if whole.heading != Heading():
        yield whole.heading
    batches = RowBatches(whole, profile)
    position = 0
    try:
        for position, raw in _objects(source):
            item = _one(raw, position, whole, batches)
            if item is not None:
                yield item
            else:
                yield from _nested(raw, position, whole, batches)
            if batches.full:
                yield from batches.flush()
    except InputError as error:
        if position == 0:
            raise
        yield Rejection(position + 1, Unit.OBJECT, error.reason, error.field or error.position, error.excerpt)
    yield from batches.flush()


def _objects(source: Source) -> Iterator[tuple[int, bytes]]:
    """Each object of the delivery with its number, whatever wraps it."""
    with source.open() as stream:
        head = stream.read(1 << 16)
        stream.seek(0)
        seen = outline(head)
        if seen.kind == "object" and "objects" not in seen.keys and _is_object(seen.keys):
            yield from _documents(source)
            return
        try:
            yield from array_items(stream, "objects")
        except InputError as error:
            if error.reason != "missing-field":
                raise
            return


def _documents(source: Source) -> Iterator[tuple[int, bytes]]:
    with source.open() as stream:
        yield from documents(stream)


def _one(raw: bytes, position: int, whole: Whole, batches: RowBatches) -> Thing | Rejection | None:
    """The thing or rejection that an object makes, its rows added; None for a bundle inside the delivery."""
    try:
        item = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        wrong = explain(raw, error)
        return Rejection(position, Unit.OBJECT, wrong.reason, wrong.position, wrong.excerpt)
    found = _refuse(item, raw, whole.blanks)
    if found is not None:
        return Rejection(position, Unit.OBJECT, found[0], found[1], raw[:120].decode("utf-8", "replace"))
    kind = item["type"]
    marking = whole.marking_of(item)
    if kind == "indicator":
        comparisons: list[Comparison] = []
        found = pattern_problem(item, comparisons)
        if found is not None:
            return Rejection(position, Unit.OBJECT, found[0], found[1], item["pattern"][:120])
        if comparisons:
            batches.indicator(item, position, marking, comparisons)
    elif kind == "bundle":
        return None
    elif kind in WITH_ROWS:
        batches.seen(item, position, marking)
    return thing_of(item, raw, position, marking)


WITH_ROWS = frozenset({*OBSERVABLES_20, *VALUES, "observed-data"})


def _nested(raw: bytes, position: int, whole: Whole, batches: RowBatches) -> Iterator[Item]:
    """A bundle that stands where an object should, as in lines of bundles: its objects, at its own position."""
    try:
        for _, inner in array_items(raw, "objects"):
            item = _one(inner, position, whole, batches)
            if item is None:
                yield Rejection(position, Unit.OBJECT, "invalid-object", "type", "a bundle inside a bundle")
            else:
                yield item
    except InputError as error:
        if error.reason != "missing-field":
            yield Rejection(position, Unit.OBJECT, error.reason, error.field, error.excerpt)


def _refuse(item: Any, raw: bytes, blanks: bool = True) -> Problem | None:
    """Everything that may be wrong with an object but its pattern."""
    if len(raw) > DEPTH_LIMIT and raw.count(b"{") + raw.count(b"[") > DEPTH_LIMIT:
        try:
            check_depth(raw)
        except InputError:
            return "too-deep", ""
    twice = duplicate_key(raw, item, blanks=blanks)
    if twice is not None:
        return "duplicate-key", twice[1]
    return problem(item)


def problem_of(item: Object, version: str = "") -> Problem | None:
    """(reason, property) of the first rule that a decoded object breaks, its pattern and members included."""
    found = problem(item, version)
    if found is None and item["type"] == "indicator":
        return pattern_problem(item, [], version)
    if found is None and item["type"] == "bundle":
        return next((wrong for inner in item.get("objects", []) if (wrong := problem_of(inner, version))), None)
    return found


def pattern_problem(item: Object, comparisons: list[Comparison], version: str = "") -> Problem | None:
    """What is wrong with an indicator's pattern; appends the comparisons it amounts to, where it is plain."""
    pattern = item["pattern"]
    if item.get("pattern_type", "stix") != "stix":
        return None
    plain = plain_comparisons(pattern)
    if plain is not None:
        if len(plain) == 1:
            if plain[0].kind is not Kind.OTHER:
                comparisons.append(plain[0])
                return None
        elif all(one.kind is not Kind.OTHER for one in plain):
            comparisons += plain
            return None
    is_20 = (version or version_of(item)) == "2.0"
    try:
        paths = parse(pattern).paths
    except InputError as error:
        return error.reason, f"pattern {error.position}".strip()
    for path in paths:
        if len(path[0]) < 3 or (len(path[1]) < 3 and path[1] != "id"):
            return "not-a-pattern", "pattern"
        if is_20 and path[0] not in OBSERVABLES_20 and not path[0].startswith("x-"):
            return "not-a-pattern", "pattern"
    if plain is not None:
        comparisons += [one for one in plain if one.kind is not Kind.OTHER]
    return None


def thing_of(item: Object, raw: bytes, position: int, marking: str | None) -> Thing:
    """The knowledge object of a valid STIX object."""
    kind = item["type"]
    get = item.get
    is_21 = "spec_version" in item or kind in SCO_21
    found = TYPES_21.get(kind) if is_21 else TYPES_20.get(kind)
    refs: list[tuple[str, str]] = []
    if kind == "relationship":
        target = item["target_ref"]
        refs = [(item["relationship_type"], target), ("source", item["source_ref"]), ("target", target)]
        if "created_by_ref" in item:
            refs.append(("created_by_ref", item["created_by_ref"]))
        if "object_marking_refs" in item:
            refs += [("object_marking_refs", one) for one in item["object_marking_refs"]]
    elif found is not None and item.keys() <= found.checks.keys():
        for name in found.one:
            if name in item:
                refs.append((name, item[name]))
        for name in found.many:
            if name in item:
                refs += [(name, one) for one in item[name]]
    else:
        refs = _all_refs(item)
    aliases = get("aliases") or get("x_mitre_aliases") or get("x_opencti_aliases") or ()
    external = get("external_references")
    pattern = get("pattern", "")
    name = get("name") or get("value") or get("key") or get("path") or get("abstract") or ""
    return Thing(
        "stix-2.1" if is_21 else "stix-2.0",
        kind,
        item["id"],
        raw,
        position,
        get("modified") or get("created", ""),
        name if type(name) is str else "",
        tuple(one for one in aliases if type(one) is str) if type(aliases) is list else (),
        tuple(get("labels", ())),
        tuple(refs),
        _external_ids(external) if external else (),
        pattern if type(pattern) is str else "",
        get("valid_from", ""),
        get("valid_until", ""),
        get("revoked", False),
        marking,
    )


def _all_refs(item: Object) -> list[tuple[str, str]]:
    """Every property that holds identifiers, custom ones included."""
    refs = []
    for name, value in item.items():
        if name.endswith("_ref") and type(value) is str:
            refs.append((name, value))
        elif name.endswith("_refs") and type(value) is list:
            refs += [(name, one) for one in value if type(one) is str]
    return refs


def _external_ids(references: list[Object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one["external_id"] for one in references if one.get("external_id") and _is_known(one)))


def _is_known(reference: Object) -> bool:
    return EXTERNAL.fullmatch(reference["external_id"]) is not None


FORMAT = Format(
    name="stix2",
    title="STIX 2.0 and 2.1",
    recognise=recognise,
    read=read,
    media_types=("application/stix+json", "application/taxii+json"),
    extensions=(".json", ".stix2", ".stix", ".jsonl"),
)
