"""STIX 2.0 and 2.1: bundles, TAXII envelopes, bare arrays, single objects, one object a line.

Every object that follows the standard becomes a Thing with its very bytes; indicators with plain patterns,
observables, observed data and sightings give rows as well. Objects are found in the stream one after the
other, so a bundle of any size needs a few megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson

from tocsin.core.errors import InputError
from tocsin.core.patterns import Comparison, parse, plain_comparisons
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Rows, Sample, Source, Thing, Things
from tocsin.core.words import Kind, Unit
from tocsin.formats._json import (
    DEPTH_LIMIT,
    array_batches,
    array_items,
    check_depth,
    documents,
    duplicate_key,
    explain,
)
from tocsin.formats._json_outline import OUTLINED_BYTES, outline
from tocsin.formats._stix2_bulk import Bulk, Gathered, surely_valid
from tocsin.formats._stix2_fast import View, decode
from tocsin.formats._stix2_rows import VALUES, RowBatches
from tocsin.formats._stix2_rules import Object, Problem
from tocsin.formats._stix2_tables import OBSERVABLES_20, TYPES_20, TYPES_21
from tocsin.formats._stix2_types import problem, version_of
from tocsin.formats._stix2_whole import Whole, look_over

BULK_OBJECTS = 64
"""Fewer are quicker one by one."""
BATCH_OBJECTS = 20_000
BATCH_BYTES = 4 << 20
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
            return 60 if "date_added" not in seen.item_keys else 0
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
    bulk = Bulk(whole, batches)
    position = 0
    try:
        for raws in _batches(source, whole.split):
            if len(raws) < BULK_OBJECTS:
                for place, raw in enumerate(raws):
                    yield from _each(raw, position + 1 + place, whole, batches)
            else:
                yield from _many(raws, position + 1, bulk)
            position += len(raws)
            if batches.full:
                yield from batches.flush()
    except InputError as error:
        if position == 0:
            raise
        yield Rejection(position + 1, Unit.OBJECT, error.reason, error.field or error.position, error.excerpt)
    yield from batches.flush()


def plain_objects(source: Source) -> list[bytes] | None:
    """All objects of a delivery that says nothing which has to be known of it as a whole; None of any other."""
    whole = look_over(source)
    return list(chain.from_iterable(whole.split)) if whole.is_plain else None


def read_several(several: Sequence[list[bytes]], profile: Profile) -> tuple[Things, list[Rows], list[tuple[int, Item]]]:
    """What the `plain_objects` of several deliveries give as one, `position` being the place of an object among all of
    them, and what was refused at which place. Rows are in the order of their objects."""
    raws = list(chain.from_iterable(several))
    whole = Whole()
    batches = RowBatches(whole, profile)
    bulk = Bulk(whole, batches)
    gathered = bulk.take(raws, 0)
    others = _left_by(bulk, gathered, raws, 0)
    return gathered.things(), list(batches.flush()), others


def _many(raws: list[bytes], first: int, bulk: Bulk) -> Iterator[Item]:
    """The same for thousands of objects: their things as columns, and behind them what was refused."""
    gathered = bulk.take(raws, first)
    others = _left_by(bulk, gathered, raws, first)
    yield gathered.things()
    yield from (item for _, item in others)


def _left_by(bulk: Bulk, gathered: Gathered, raws: list[bytes], first: int) -> list[tuple[int, Item]]:
    """Add what was not taken, looked at one by one; what is no thing comes back, with its place."""
    others: list[tuple[int, Item]] = []
    for place in gathered.left:
        for item in _each(raws[place], first + place, bulk.whole, bulk.batches):
            if type(item) is Thing:
                gathered.add_thing(place, item)
            else:
                others.append((place, item))
    return others


def _each(raw: bytes, position: int, whole: Whole, batches: RowBatches) -> Iterator[Item]:
    item = _one(raw, position, whole, batches)
    if item is not None:
        yield item
    else:
        yield from _nested(raw, position, whole, batches)


def _batches(source: Source, split: list[list[bytes]]) -> Iterator[list[bytes]]:
    """The objects in order, about a megabyte at once; `split` are all of them where they were told apart already."""
    waiting: list[bytes] = []
    size_bytes = 0
    try:
        for some in split or _objects(source):
            waiting += some
            size_bytes += sum(map(len, some))
            if size_bytes >= BATCH_BYTES or len(waiting) >= BATCH_OBJECTS:
                yield waiting
                waiting, size_bytes = [], 0
    except InputError:
        # What came before the fault is good.
        if waiting:
            yield waiting
        raise
    if waiting:
        yield waiting


def _objects(source: Source) -> Iterator[list[bytes]]:
    """The objects of the delivery, whatever wraps them."""
    with source.open() as stream:
        seen = outline(stream.read(OUTLINED_BYTES))
        stream.seek(0)
        if seen.kind == "object" and "objects" not in seen.keys and _is_object(seen.keys):
            yield from ([raw] for _, raw in documents(stream))
            return
        try:
            yield from array_batches(stream, "objects")
        except InputError as error:
            if error.reason != "missing-field":
                raise
            return


def _one(raw: bytes, position: int, whole: Whole, batches: RowBatches) -> Thing | Rejection | None:
    """The thing or rejection that an object makes, its rows added; None for a bundle inside the delivery."""
    item = None if whole.blanks else decode(raw)
    if item is None:
        checked = _by_tables(raw, position, whole)
        if type(checked) is Rejection:
            return checked
        item = checked
    kind = item.type
    marking = whole.marking_of(item)
    if kind == "indicator":
        plain: list[Comparison] = []
        found = _pattern_problem(item, "2.1" if item.is_21 else "2.0", plain)
        if found is not None:
            return Rejection(position, Unit.OBJECT, found[0], found[1], item.pattern[:120])
        if plain:
            batches.indicator(item, position, marking, plain)
    elif kind == "bundle":
        return None
    elif kind in WITH_ROWS:
        batches.seen(item, position, marking)
    return thing_of(item, raw, position, marking)


def _by_tables(raw: bytes, position: int, whole: Whole) -> Any:
    """The slow way, which knows everything: a View of a good object, or the Rejection of a bad one."""
    try:
        item = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        wrong = explain(raw, error)
        return Rejection(position, Unit.OBJECT, wrong.reason, wrong.position, wrong.excerpt)
    found = _refuse(item, raw, whole.blanks)
    if found is not None:
        return Rejection(position, Unit.OBJECT, found[0], found[1], raw[:120].decode("utf-8", "replace"))
    return View(item)


WITH_ROWS = frozenset({*OBSERVABLES_20, *VALUES, "observed-data"})


def problems(raws: list[bytes], blanks: bool = True) -> Iterator[tuple[int, Problem]]:
    """(place, (reason, property)) of each object that breaks a rule of the standard: all checks of `read`, no rows."""
    whole = Whole(blanks=blanks)
    left = np.flatnonzero(~surely_valid(raws)).tolist() if not blanks else range(len(raws))
    for place in left:
        raw = raws[place]
        item = None if blanks else decode(raw)
        if item is None:
            item = _by_tables(raw, place, whole)
            if type(item) is Rejection:
                yield place, (item.reason, item.field)
                continue
        if item.type == "indicator":
            found = _pattern_problem(item, "2.1" if item.is_21 else "2.0", [])
            if found is not None:
                yield place, found


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
        return _pattern_problem(View(item), version or version_of(item), [])
    if found is None and item["type"] == "bundle":
        return next((wrong for inner in item.get("objects", []) if (wrong := problem_of(inner, version))), None)
    return found


def _pattern_problem(item: Any, version: str, plain: list[Comparison]) -> Problem | None:
    """What is wrong with an indicator's pattern; appends the comparisons it amounts to, where it is plain."""
    pattern = item.pattern
    if item.pattern_type != "stix" and item.pattern_type is not None:
        return None
    found = plain_comparisons(pattern)
    if found is not None:
        plain += found
        for one in found:
            if one[0] is Kind.OTHER:
                break
        else:
            return None
    plain[:] = [one for one in plain if one.kind is not Kind.OTHER]
    try:
        paths = parse(pattern).paths
    except InputError as error:
        return error.reason, f"pattern {error.position}".strip()
    for path in paths:
        if len(path[0]) < 3 or (len(path[1]) < 3 and path[1] != "id"):
            return "not-a-pattern", "pattern"
        if version == "2.0" and path[0] not in OBSERVABLES_20 and not path[0].startswith("x-"):
            return "not-a-pattern", "pattern"
    return None


def thing_of(item: Any, raw: bytes, position: int, marking: str | None) -> Thing:
    """The knowledge object of a checked STIX object."""
    kind = item.type
    refs: list[tuple[str, str]] = []
    if kind == "relationship":
        target = item.target_ref
        refs = [(item.relationship_type, target), ("source", item.source_ref), ("target", target)]
        if item.created_by_ref is not None:
            refs.append(("created_by_ref", item.created_by_ref))
        if item.object_marking_refs is not None:
            refs += [("object_marking_refs", one) for one in item.object_marking_refs]
    else:
        for key in item.one:
            value = getattr(item, key)
            if value is not None:
                refs.append((key, value))
        for key in item.many:
            values = getattr(item, key)
            if values is not None:
                refs += [(key, one) for one in values if type(one) is str]
    aliases = item.aliases or item.x_mitre_aliases or item.x_opencti_aliases
    name = item.name or item.value or item.key or item.path or item.abstract
    external, labels, pattern = item.external_references, item.labels, item.pattern
    return Thing(
        "stix-2.1" if item.is_21 else "stix-2.0",
        kind,
        item.id,
        raw,
        position,
        item.modified or item.created or "",
        name if type(name) is str else "",
        tuple(one for one in aliases if type(one) is str) if type(aliases) is list else (),
        tuple(labels) if labels is not None else (),
        tuple(refs),
        _external_ids(external) if external else (),
        pattern if type(pattern) is str else "",
        item.valid_from or "",
        item.valid_until or "",
        item.revoked is True,
        marking,
    )


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
