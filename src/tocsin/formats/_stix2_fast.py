"""The same rules as `_stix2_types`, as typed structures that are checked while they are decoded.

An object that decodes here follows the standard; one that does not is looked at again by the tables, which say
what is wrong, or find nothing wrong (custom properties, extensions and the like are left to them). A test holds
the two ways together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from tocsin.formats._stix2_rules import (
    COMMON_CHECKS,
    UUID,
    Check,
    Object,
    Rules,
    anything,
    boolean,
    identifier,
    ids,
    kill_chain_phases,
    later_or_equal,
    loose_id,
    loose_ids,
    time,
    words,
)
from tocsin.formats._stix2_tables import NOT_SIGHTED, SCO_21, TYPES_20, TYPES_21
from tocsin.formats._stix2_types import version_of

# The 29th of February is left to the tables.
_DAY = (
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?Z"
)
Time = Annotated[str, msgspec.Meta(pattern=rf"\A\d{{4}}-{_DAY}\Z")]
Id = Annotated[str, msgspec.Meta(pattern=rf"\A[a-z][a-z0-9-]*[a-z0-9]--{UUID}\Z")]
LooseId = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9-]*--[0-9a-fA-F-]{30,36}\Z")]
MarkingId = Annotated[str, msgspec.Meta(pattern=rf"\Amarking-definition--{UUID}\Z")]
Ipv4 = Annotated[
    str,
    msgspec.Meta(pattern=r"\A(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!\Z)|\Z)){4}\Z"),
]
Some = msgspec.Meta(min_length=1)


class Phase(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    kill_chain_name: str
    phase_name: str

    def __getitem__(self, name: str) -> str:
        return getattr(self, name)  # type: ignore[no-any-return]


_TYPES: dict[object, Any] = {
    str: str,
    time: Time,
    identifier: Id,
    ids: Annotated[list[Id], Some],
    loose_id: LooseId,
    loose_ids: Annotated[list[LooseId], Some],
    words: Annotated[list[str], Some],
    boolean: bool,
    kill_chain_phases: Annotated[list[Phase], Some],
    COMMON_CHECKS["object_marking_refs"]: Annotated[list[MarkingId], Some],
    COMMON_CHECKS["confidence"]: Annotated[int, msgspec.Meta(ge=0, le=100)],
}
_ABSENT = (
    *("id", "created", "modified", "created_by_ref", "revoked", "labels", "confidence", "object_marking_refs"),
    *("external_references", "kill_chain_phases", "name", "value", "key", "path", "abstract", "aliases"),
    *("x_mitre_aliases", "x_opencti_aliases", "indicator_types", "pattern", "pattern_type", "valid_from"),
    *("valid_until", "relationship_type", "source_ref", "target_ref", "number", "objects", "first_observed"),
    *("last_observed", "number_observed", "is_family", "start_time", "stop_time", "object_refs"),
)
"""Properties that callers ask of every object: those a type lacks answer None."""
LEFT_TO_TABLES = frozenset(
    {"bundle", "marking-definition", "language-content", "extension-definition", "location", "file", "artifact"}
    | {"malware-analysis", "network-traffic", "email-message", "x509-certificate", "process", "user-account"}
    | {"windows-registry-key", "ipv6-addr"}
)
"""Types whose properties depend on one another."""


BARE: dict[object, tuple[Any, str]] = {
    time: (str, "time"),
    identifier: (str, "id"),
    ids: (Annotated[list[str], Some], "ids"),
    loose_id: (str, "loose"),
    loose_ids: (Annotated[list[str], Some], "looses"),
    COMMON_CHECKS["object_marking_refs"]: (Annotated[list[str], Some], "markings"),
}
"""Checks that are cheaper on whole columns: the type without its pattern, and the name of the form."""


def _structure(name: str, rules: Rules, is_21: bool, bare: bool = False) -> type[Any]:
    own = str if bare else Annotated[str, msgspec.Meta(pattern=rf"\A{name}--{UUID}\Z")]
    fields: list[Any] = [("id", own)]
    checked = {}
    for key, check in rules.checks.items():
        if key in {"id", "type"}:
            continue
        kind = _type_of(key, check, name)
        if bare and check in BARE:
            kind, checked[key] = BARE[check]
        if kind is None:
            continue
        fields.append((key, kind) if key in rules.required else (key, kind, None))
    fields.sort(key=len)
    present = {field[0] for field in fields}
    unset = {key: None for key in _ABSENT if key not in present}
    return msgspec.defstruct(
        "Known_" + name.replace("-", "_") + ("_21" if is_21 else "_20"),
        fields,
        tag=name,
        tag_field="type",
        gc=False,
        forbid_unknown_fields=True,
        kw_only=True,
        namespace={
            **unset,
            "type": name,
            "is_21": is_21,
            "checked": checked,
            "required": tuple(field[0] for field in fields if len(field) == 2),
            "one": tuple(key for key in rules.one if key in present),
            "many": tuple(key for key in rules.many if key in present),
        },
    )


def _type_of(key: str, check: Check | type[str], name: str) -> Any:
    if key == "spec_version":
        return Literal["2.1"]
    if name == "ipv4-addr" and key == "value":
        return Ipv4
    if check is anything:
        return None
    return _TYPES.get(check) or getattr(check, "typed", None)


def _union(types: dict[str, Rules], is_21: bool, bare: bool = False) -> Any:
    made = [_structure(name, rules, is_21, bare) for name, rules in types.items() if name not in LEFT_TO_TABLES]
    if not is_21:
        made += [_structure(name, rules, True, bare) for name, rules in SCO_21.items() if name not in LEFT_TO_TABLES]
    union: Any = made[0]
    for one in made[1:]:
        union = union | one
    return union


@cache
def decoders(bare: bool = False) -> tuple[Callable[[bytes], Any], Callable[[bytes], Any]]:
    """Those of 2.1 and of 2.0. What is `bare` has fields, its `checked`, that must be checked afterwards.

    Made when STIX comes: most deliveries are something else.
    """
    unions = _union(TYPES_21, True, bare), _union(TYPES_20, False, bare)
    later, earlier = (msgspec.json.Decoder(union).decode for union in unions)
    return later, earlier


AS_TUPLE = msgspec.structs.astuple


def decode(raw: bytes) -> Any:
    """The object, when it surely follows the standard and holds no key twice; None when the tables must look."""
    later, earlier = decoders()
    try:
        item = later(raw) if b'"spec_version"' in raw else earlier(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    values = AS_TUPLE(item)
    keys = len(values) - values.count(None) + 1
    if item.kill_chain_phases is not None:
        keys += 2 * len(item.kill_chain_phases)
    if raw.count(b'":') != keys:
        return None
    modified = item.modified
    if modified is not None and modified != item.created and not later_or_equal(modified, item.created):
        return None
    check = MORE.get(item.type)
    return item if check is None or check(item) else None


def _indicator(item: Any) -> bool:
    return item.valid_until is None or (
        item.valid_until != item.valid_from and later_or_equal(item.valid_until, item.valid_from)
    )


def _seen(item: Any) -> bool:
    return item.last_seen is None or item.first_seen is None or later_or_equal(item.last_seen, item.first_seen)


def _seen_if_21(item: Any) -> bool:
    return not item.is_21 or (_seen(item) and not (item.is_family and item.name is None))


NOT_RELATED = ("bundle--", "relationship--", "sighting--", "marking-definition--")
"""What no end of a relationship may be."""


def _relationship(item: Any) -> bool:
    times = item.is_21 and item.start_time is not None and item.stop_time is not None
    return not (times or item.source_ref.startswith(NOT_RELATED) or item.target_ref.startswith(NOT_RELATED))


def _sighting(item: Any) -> bool:
    return not item.sighting_of_ref.startswith(NOT_SIGHTED) and _seen(item)


def _observed(item: Any) -> bool:
    later = later_or_equal(item.last_observed, item.first_observed)
    return later and item.is_21 and item.object_refs is not None


MORE = {
    "indicator": _indicator,
    "malware": _seen_if_21,
    "campaign": _seen,
    "intrusion-set": _seen,
    "infrastructure": _seen,
    "threat-actor": lambda item: not item.is_21 or _seen(item),
    "relationship": _relationship,
    "sighting": _sighting,
    "observed-data": _observed,
}


class View:
    """A checked object in the shape of a decoded one: every property is an attribute, None where absent."""

    __slots__ = ("is_21", "item", "many", "one")

    def __init__(self, item: Object) -> None:
        self.item = item
        self.is_21 = version_of(item) == "2.1"
        self.one = tuple(key for key, value in item.items() if key.endswith("_ref") and type(value) is str)
        self.many = tuple(key for key, value in item.items() if key.endswith("_refs") and type(value) is list)

    def __getattr__(self, name: str) -> Any:
        return self.item.get(name)
