"""Events, objects and attributes of MISP as typed shapes; read with care when a part is of a wrong type."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from tocsin.core.reading import Rejection
from tocsin.core.words import Unit


def true(value: object) -> bool:
    """MISP's truth: true, 1, "1" or "true"."""
    return value is True or (isinstance(value, int | str) and str(value).lower() in ("1", "true"))


class Attribute(msgspec.Struct, gc=False):
    """What is used of an attribute. Types are loose: numbers and truths come as text or not."""

    type: str | None = None
    value: str | int | float | bool | None = None
    category: str | None = None
    to_ids: bool | int | str | None = False
    uuid: Any = None
    timestamp: Any = None
    first_seen: Any = None
    last_seen: Any = None
    comment: str | None = None
    deleted: bool | int | str | None = False
    object_relation: str | None = None
    Tag: Any = None
    Galaxy: Any = None
    ShadowAttribute: list[msgspec.Raw] | None = None
    Sighting: list[msgspec.Raw] | None = None


class MispObject(msgspec.Struct, gc=False):
    """What is used of an object."""

    name: Any = None
    uuid: Any = None
    timestamp: Any = None
    deleted: Any = False
    first_seen: Any = None
    last_seen: Any = None
    Attribute: list[Attribute] | None = None


class Event(msgspec.Struct, gc=False):
    """What is used of an event."""

    uuid: Any = None
    id: Any = None
    info: Any = None
    date: Any = None
    timestamp: Any = None
    threat_level_id: Any = None
    extends_uuid: Any = None
    Orgc: Any = None
    Org: Any = None
    Tag: Any = None
    Galaxy: Any = None
    RelatedEvent: Any = None
    Attribute: list[Attribute] | None = None
    Object: list[MispObject] | None = None
    ShadowAttribute: list[msgspec.Raw] | None = None
    Sighting: list[msgspec.Raw] | None = None


class Wrapper(msgspec.Struct):
    """One record of a delivery: an event, an object or an attribute, wrapped or bare."""

    Event: msgspec.Raw = msgspec.Raw()
    Attribute: msgspec.Raw = msgspec.Raw()
    Object: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    info: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()
    value: msgspec.Raw = msgspec.Raw()
    template_uuid: msgspec.Raw = msgspec.Raw()


EVENT = msgspec.json.Decoder(Event)
WRAPPER = msgspec.json.Decoder(Wrapper)
ATTRIBUTE = msgspec.json.Decoder(Attribute)
OBJECT = msgspec.json.Decoder(MispObject)
MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
RAWS = msgspec.json.Decoder(list[msgspec.Raw])


def decode_loosely(raw: bytes, number: int, faults: list[Rejection]) -> Event:
    """An event some part of which has a wrong type: the rest of it, and a fault for each such part."""
    members = safely(MEMBERS, raw)
    if members is None:
        faults.append(Rejection(number, Unit.OBJECT, "not-an-object", excerpt=raw[:80].decode("utf-8", "replace")))
        return Event()
    event = Event()
    for name, value in members.items():
        if name in ("Attribute", "Object"):
            decoder: msgspec.json.Decoder[Any] = ATTRIBUTE if name == "Attribute" else OBJECT
            good: list[Any] = []
            for place, part in enumerate(raws_of(value), start=1):
                found = safely(decoder, part)
                if found is None:
                    shown = f"{name} {place}: {part[:60].decode('utf-8', 'replace')}"
                    faults.append(Rejection(number, Unit.OBJECT, "wrong-type", name, shown))
                else:
                    good.append(found)
            setattr(event, name, good)
        elif name in ("ShadowAttribute", "Sighting"):
            setattr(event, name, [msgspec.Raw(part) for part in raws_of(value)])
        elif name in Event.__struct_fields__:
            setattr(event, name, orjson.loads(bytes(value)))
    return event


def raws_of(raw: msgspec.Raw | None) -> list[bytes]:
    """The elements of a list's bytes; an object of numbered elements (as PHP writes lists) counts as one."""
    if not raw:
        return []
    data = bytes(raw)
    if data[:1] == b"{":
        return [bytes(part) for part in safely(MEMBERS, data, {}).values()]
    return [bytes(part) for part in safely(RAWS, data, [])]


def safely(decoder: msgspec.json.Decoder[Any], raw: bytes, otherwise: Any = None) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return otherwise
