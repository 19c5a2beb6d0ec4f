"""MISP events: {"Event": …}, {"response": […]}, lists, one event a line, and bare collections of attributes.

The event is kept whole, byte for byte, as one thing; its attributes, also those inside objects, become rows.
Deleted attributes, proposals and attributes that somebody called a false positive are kept but give no row.
`Distribution` speaks of MISP communities we do not know, so only the tlp tags make a marking.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import orjson
import polars as pl

from tocsin.core.errors import InputError
from tocsin.core.observations import moment
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Rows, Sample, Source, Thing
from tocsin.core.words import Unit

from . import _json, _misp, _records
from ._misp_shapes import (
    ATTRIBUTE,
    EVENT,
    MEMBERS,
    OBJECT,
    WRAPPER,
    Attribute,
    Event,
    Wrapper,
    decode_loosely,
    raws_of,
    safely,
    true,
)

COLUMNS = (
    *("position", "first_at", "last_at", "kind", "value", "role", "type", "malware", "actor", "label"),
    *("severity", "confidence", "tags", "reference", "note", "port", "hostname", "extra"),
)
Row = tuple[Any, ...]
SEVERITY = {"1": "high", "2": "medium", "3": "low"}


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Rows of the attributes, the events as things, and why an attribute could not be used."""
    reading = _Reading(profile)
    titles = 0
    try:
        for found in _records.records(source, ("response", "Event")):
            if isinstance(found, Rejection):
                yield found
                continue
            for item in reading.record(found[1], found[0]):
                titles += isinstance(item, Heading)
                if titles < 2 or not isinstance(item, Heading):
                    yield item
            if reading.count >= _records.BATCH_ROWS:
                yield from reading.flush()
    except InputError:
        yield from reading.flush()  # What came before the fault is whole.
        raise
    yield from reading.flush()


class _Context:
    """What an event says of all its attributes, or an attribute's own tags of itself."""

    __slots__ = ("date", "marking", "own", "reference", "role", "severity", "tags", "tail", "type")

    def __init__(
        self, tags: _misp.Tags, severity: str | None, reference: str | None, date: object, own: bool = False
    ) -> None:
        self.tags, self.severity, self.reference, self.date, self.own = tags, severity, reference, date, own
        self.marking, self.role, self.type = tags.marking, tags.role, tags.type
        label = tags.malware or tags.actor
        self.tail = (tags.malware, tags.actor, label, severity, tags.confidence, tags.text, reference)

    def with_tags(self, own: _misp.Tags) -> _Context:
        """The same with an attribute's own tags before the event's."""
        return _Context(_misp.joined(own, self.tags), self.severity, self.reference, self.date, own=True)


class _Reading:
    """One pass through a delivery: counts attributes and gathers rows by marking."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.attributes = 0
        self.count = 0
        self._rows: dict[str | None, list[Row]] = {}

    def record(self, raw: bytes, number: int, depth: int = 0) -> Iterator[Item]:
        """One record in whatever wrapper."""
        try:
            _json.check_depth(raw)
            outer = WRAPPER.decode(raw)
        except InputError as error:
            yield Rejection(number, Unit.OBJECT, error.reason, excerpt=error.position)
            return
        except (msgspec.DecodeError, RecursionError) as error:
            reason = "truncated" if "truncated" in str(error) else "not-json"
            if isinstance(error, msgspec.ValidationError):
                reason = "not-an-object"
            yield Rejection(number, Unit.OBJECT, reason, excerpt=str(error)[:80])
            return
        if outer.Event:
            yield from self.event(bytes(outer.Event), number)
            if outer.Attribute:
                yield from self.event(bytes(raw), number, keep=False)
        elif outer.response and depth < 3:
            inner = bytes(outer.response)
            for place, part in _json.array_items(inner) if inner[:1] == b"[" else [(number, inner)]:
                yield from self.record(part, place, depth + 1)
        elif outer.value and outer.type:
            yield from self.event(b'{"Attribute":[' + raw + b"]}", number, keep=False)
        elif outer.template_uuid and not outer.info:
            yield from self.event(b'{"Object":[' + raw + b"]}", number, keep=False)
        elif outer.info:
            yield from self.event(bytes(raw), number)
        elif outer.Attribute or outer.Object:
            yield from self.event(_listed(outer), number, keep=False)
        else:
            shown = raw[:80].decode("utf-8", "replace")
            yield Rejection(number, Unit.OBJECT, "unsupported-record", excerpt=shown)

    def event(self, raw: bytes, number: int, keep: bool = True) -> Iterator[Item]:
        """An event's thing and rows; with `keep` false the bytes are only a collection of attributes."""
        faults: list[Rejection] = []
        try:
            event = EVENT.decode(raw)
        except msgspec.ValidationError:
            event = decode_loosely(raw, number, faults)
        yield from faults
        tags = _tags(event.Tag, event.Galaxy)
        if tags.unknown_marking:
            yield Rejection(number, Unit.OBJECT, "not-a-marking", "Tag", tags.unknown_marking[:80])
        if keep:
            marking = _narrowest(event, tags)
            yield _heading(event, marking)
            yield _thing(event, raw, number, tags, marking)
        yield from self._kept(event, raw, number, tags)
        context = _Context(tags, SEVERITY.get(str(event.threat_level_id)), _text(event.uuid) or None, event.date)
        for attribute in event.Attribute or ():
            fault = self._attribute(attribute, context, "")
            if fault:
                yield fault
        for thing in event.Object or ():
            removed = true(thing.deleted)
            name = _text(thing.name)
            for attribute in thing.Attribute or ():
                if removed:
                    self.attributes += 1
                    continue
                attribute.first_seen = attribute.first_seen or thing.first_seen
                attribute.last_seen = attribute.last_seen or thing.last_seen
                fault = self._attribute(attribute, context, name)
                if fault:
                    yield fault

    def _attribute(self, attribute: Attribute, context: _Context, object_name: str) -> Rejection | None:
        """Keep the rows of one attribute, or say why there are none; None when all is well."""
        self.attributes = position = self.attributes + 1
        to_ids = attribute.to_ids
        if to_ids is not True and to_ids is not False:
            to_ids = true(to_ids)
        use = _misp.use_of(
            attribute.type or "",
            attribute.category or "",
            to_ids,
            attribute.object_relation or "",
            object_name,
        )
        if use.fault:
            return Rejection(position, Unit.ATTRIBUTE, use.fault, "type", str(attribute.type or attribute.value)[:80])
        if not use.kind or (attribute.deleted is not False and true(attribute.deleted)):
            return None
        if attribute.Sighting and _is_false_positive(attribute.Sighting):
            return None
        value = attribute.value
        if type(value) is not str:
            if value is None:
                return Rejection(position, Unit.ATTRIBUTE, "no-value", "value")
            value = str(value)
        first, last = _moments(attribute, context.date)
        if first is None and last == 0:
            shown = str(attribute.first_seen or attribute.last_seen)[:80]
            return Rejection(position, Unit.ATTRIBUTE, "not-a-time", "first_seen", shown)
        if attribute.Tag or attribute.Galaxy:
            context = context.with_tags(_tags(attribute.Tag, attribute.Galaxy))
        role = use.role
        # A tag says what the attackers' machines are; it does not turn a recipient into one.
        if context.role is not None and role != "VICTIM" and (to_ids or context.own):
            role = context.role
        rows = self._rows.get(context.marking)
        if rows is None:
            rows = self._rows[context.marking] = []
        note = attribute.comment or None
        if use.composite:
            for kind, part, port, hostname, extra in _parts(use, value):
                what = context.type if context.own else None
                what = what or _misp.type_of(kind, attribute.category or "", to_ids) or context.type
                kind = _address_kind(part) if kind == "address" else kind
                rows.append(
                    (
                        position,
                        first,
                        last,
                        kind,
                        part,
                        role,
                        what,
                        *context.tail,
                        note,
                        port,
                        hostname,
                        extra,
                    )
                )
            self.count += 2
            return None
        kind = use.kind
        if kind == "address":
            kind = _address_kind(value)
        what = context.type if context.own and context.type else use.type or context.type
        rows.append((position, first, last, kind, value, role, what, *context.tail, note, None, None, None))
        self.count += 1
        return None

    def _kept(self, event: Event, raw: bytes, number: int, tags: _misp.Tags) -> Iterator[Item]:
        """Things of what gives no row: the deleted, the proposed, the called false."""
        yield from _proposals(event.ShadowAttribute, number, tags)
        wanted = False
        for attribute in _all_attributes(event):
            if attribute.ShadowAttribute:
                yield from _proposals(attribute.ShadowAttribute, number, tags)
            if attribute.Sighting or (attribute.deleted is not False and true(attribute.deleted)):
                wanted = True
        if not wanted and not any(true(thing.deleted) for thing in event.Object or ()):
            return
        members = MEMBERS.decode(raw)
        for part in raws_of(members.get("Attribute")):
            yield from _withdrawn(part, number, tags)
        for part in raws_of(members.get("Object")):
            thing = safely(OBJECT, part)
            if thing is not None and true(thing.deleted):
                yield _small_thing("object", part, number, tags, thing.uuid, thing.timestamp, revoked=True)
                continue
            for inner in raws_of(safely(MEMBERS, part, {}).get("Attribute")):
                yield from _withdrawn(inner, number, tags)

    def flush(self) -> Iterator[Rows]:
        """What was gathered, a batch for each marking; begins anew."""
        held, self._rows, self.count = self._rows, {}, 0
        for marking, rows in held.items():
            if rows:
                yield Rows(_frame(rows), marking, Unit.ATTRIBUTE)


def _frame(rows: list[Row]) -> pl.DataFrame:
    columns = []
    for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        if name == "position":
            columns.append(pl.Series(name, values, pl.Int64))
        elif name in ("first_at", "last_at"):
            columns.append(pl.Series(name, values, pl.Int64).cast(moment()))
        else:
            columns.append(pl.Series(name, values, pl.String))
    return pl.DataFrame([column for column in columns if column.null_count() < len(rows)])


def _address_kind(value: str) -> str:
    return "network" if "/" in value else "ipv6" if ":" in value else "ipv4"


def _parts(use: _misp.Use, value: str) -> tuple[tuple[str, str, str | None, str | None, str | None], ...]:
    """(kind, value, port, hostname, extra) of each row of a composite value."""
    kind, right_kind = use.kind, use.right_kind
    left, bar, right = value.partition("|")
    if not bar and right_kind == "port" and value.count(":") == 1:  # As MISP wrote it before 2017.
        left, _, right = value.partition(":")
    left, right = left.strip(), right.strip()
    if not right:
        return ((kind, left, None, None, None),)
    if right_kind == "port":
        return ((kind, left, right, None, None),)
    if right_kind == "":
        return ((kind, left, None, None, orjson.dumps({"data": right}).decode()),)
    if kind == "domain":
        joined = orjson.dumps({"address": right}).decode()
        return ((kind, left, None, None, joined), (right_kind, right, None, left, None))
    named = orjson.dumps({"filename": left}).decode()
    return ((kind, left, None, None, None), (right_kind, right, None, None, named))


def _moments(attribute: Attribute, date: object) -> tuple[int | None, int | None]:
    """First and last time in microseconds; (None, 0) when a stated time cannot be read."""
    if attribute.first_seen is None and attribute.last_seen is None:
        try:
            seconds = int(attribute.timestamp)
        except (TypeError, ValueError):
            return _microseconds(date), None
        return (seconds * 1_000_000 if 0 < seconds < 1 << 33 else _microseconds(date)), None
    first, last = _microseconds(attribute.first_seen), _microseconds(attribute.last_seen)
    if first is None and last is None:
        return None, 0
    return (first if first is not None else last), last


def _microseconds(value: object) -> int | None:
    """An ISO time, a day, or a number of seconds or microseconds as microseconds; None else."""
    if value is None or value == "":
        return None
    text = str(value)
    try:
        if text.replace(".", "", 1).isdigit() and len(text) != 8:
            number = float(text)
            number = number * 1_000_000 if number < 1e11 else number
            return int(number) if number < 1e16 else None
        moment = datetime.fromisoformat(text)
        zone = moment if moment.tzinfo else datetime.fromisoformat(f"{moment.isoformat()}+00:00")
        return round(zone.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None


def _tags(tags: object, galaxies: object) -> _misp.Tags:
    """The meaning of a list of tags and, where tags were left out, of the galaxies' clusters."""
    if not tags and not galaxies:
        return NO_TAGS
    names = []
    for tag in tags if isinstance(tags, list) else ():
        name = tag.get("name") if isinstance(tag, dict) else tag
        if isinstance(name, str) and name.strip():
            names.append(name)
    for galaxy in galaxies if isinstance(galaxies, list) else ():
        clusters = galaxy.get("GalaxyCluster") if isinstance(galaxy, dict) else None
        for cluster in clusters if isinstance(clusters, list) else ():
            if isinstance(cluster, dict):
                named = cluster.get("tag_name") or f'misp-galaxy:{galaxy.get("type")}="{cluster.get("value")}"'
                if isinstance(named, str) and named not in names:
                    names.append(named)
    return _misp.meanings(tuple(names))


NO_TAGS = _misp.Tags()


def _narrowest(event: Event, tags: _misp.Tags) -> str | None:
    """The narrowest marking of an event and all that it holds: whoever gets its bytes gets every part."""
    found = [_tags(part.Tag, part.Galaxy).marking for part in _all_attributes(event) if part.Tag or part.Galaxy]
    return _misp.narrowest(tags.marking, *found)


def _heading(event: Event, marking: str | None) -> Heading:
    producer = _owner(event.Orgc or event.Org, "name")
    return Heading(title=_text(event.info)[:500], marking=marking, producer=producer)


def _thing(event: Event, raw: bytes, number: int, tags: _misp.Tags, marking: str | None) -> Thing:
    refs = []
    owner = _owner(event.Orgc or event.Org, "uuid")
    if owner:
        refs.append(("orgc", owner))
    if event.extends_uuid:
        refs.append(("extends", _text(event.extends_uuid)))
    for related in event.RelatedEvent if isinstance(event.RelatedEvent, list) else ():
        inner = related.get("Event", related) if isinstance(related, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("uuid"), str):
            refs.append(("related", inner["uuid"]))
    named = (_text(a.value) for a in _all_attributes(event) if a.type == "vulnerability" and a.value)
    return Thing(
        standard="misp",
        type="event",
        id=_text(event.uuid) or _digest_id(raw),
        raw=raw,
        position=number,
        version=_text(event.timestamp),
        name=_text(event.info)[:500],
        labels=tags.names,
        refs=tuple(refs),
        external_ids=tuple(dict.fromkeys((*tags.ids, *named))),
        valid_from=_text(event.date),
        marking=marking,
    )


def _small_thing(
    type_: str,
    raw: bytes,
    number: int,
    tags: _misp.Tags,
    uuid: object,
    version: object,
    revoked: bool = False,
) -> Thing:
    return Thing(
        standard="misp",
        type=type_,
        id=_text(uuid) or _digest_id(raw),
        raw=raw,
        position=number,
        version=_text(version),
        revoked=revoked,
        marking=tags.marking,
    )


def _withdrawn(raw: bytes, number: int, tags: _misp.Tags) -> Iterator[Thing]:
    attribute = safely(ATTRIBUTE, raw)
    if attribute is None:
        return
    if true(attribute.deleted) or (attribute.Sighting and _is_false_positive(attribute.Sighting)):
        own = _misp.joined(_tags(attribute.Tag, attribute.Galaxy), tags)
        yield _small_thing("attribute", raw, number, own, attribute.uuid, attribute.timestamp, revoked=True)


def _proposals(raws: list[msgspec.Raw] | None, number: int, tags: _misp.Tags) -> Iterator[Thing]:
    for raw in raws or ():
        proposed = safely(ATTRIBUTE, bytes(raw))
        if proposed is not None:
            yield _small_thing("proposal", bytes(raw), number, tags, proposed.uuid, proposed.timestamp)


def _is_false_positive(sightings: list[msgspec.Raw]) -> bool:
    """Whether a sighting of type 1 says that the value is no indicator."""
    for raw in sightings:
        sighting = safely(MEMBERS, bytes(raw), {})
        if "type" in sighting and bytes(sighting["type"]).strip(b'"') == b"1":
            return True
    return False


def _all_attributes(event: Event) -> Iterator[Attribute]:
    yield from event.Attribute or ()
    for thing in event.Object or ():
        yield from thing.Attribute or ()


def _listed(outer: Wrapper) -> bytes:
    """A collection of attributes or objects as the member of an event would be."""
    parts = []
    for name, raw in ((b"Attribute", bytes(outer.Attribute)), (b"Object", bytes(outer.Object))):
        if raw:
            parts.append(b'"%s":%s' % (name, raw if raw[:1] == b"[" else b"[" + raw + b"]"))
    return b"{" + b",".join(parts) + b"}"


def _owner(owner: object, field: str) -> str:
    return _text(owner.get(field)) if isinstance(owner, dict) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _digest_id(raw: bytes) -> str:
    """A name for something that has none: the same bytes get the same one."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


_EVENT_KEY = re.compile(rb'"Event"\s*:\s*\{')
_OBJECT_KEY = re.compile(rb'"(?:template_uuid|meta-category)"')


def recognise(sample: Sample) -> int:
    """By the members that only MISP has. Lists of events in short form (indexes) are not claimed."""
    head = sample.head
    seen = _records.outline(head)
    if not seen.kind or b'"spec_version"' in head[:4096]:
        return 0
    keys = seen.keys.keys() | seen.item_keys.keys()
    if _EVENT_KEY.search(head) and ("Event" in keys or seen.keys.get("response") in (b"[", b"{")):
        return 95
    if {"type", "value", "category"} <= keys and ("to_ids" in keys or "event_id" in keys):
        return 90
    if seen.keys.get("response") in (b"[", b"{") and (b'"Attribute"' in head or b'"Object"' in head):
        return 90
    if "info" in keys and ("threat_level_id" in keys or "Attribute" in keys) and "Orgc" not in seen.item_keys:
        return 85
    if "Attribute" in keys or ("Object" in seen.keys and _OBJECT_KEY.search(head)):
        return 80
    return 0


FORMAT = Format(
    name="misp",
    title="MISP event (JSON)",
    recognise=recognise,
    read=read,
    media_types=("application/json",),
    extensions=(".json",),
)
