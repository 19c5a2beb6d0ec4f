"""IDEA alerts (Intrusion Detection Extensible Alert) as JSON: single, in lists, or one a line.

Source: the IDEA definition of CESNET, format IDEA0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Item, Rejection, Sample, Source, Stretch
from tocsin.core.roles import peer_role, source_role
from tocsin.core.words import EventType, Role, Unit

from . import _idea, _records
from ._records import Made, Record, text_of, texts_of

_USED = frozenset(
    {
        *("Format", "ID", "DetectTime", "CreateTime", "EventTime", "CeaseTime", "WinStartTime", "WinEndTime"),
        *("Category", "Confidence", "ConnCount", "Description", "Note", "Ref", "Source", "Target", "Attach"),
    }
)
_NODE_ROLES = {
    "CC": Role.ATTACKER_INFRA,
    "Phishing": Role.ATTACKER_INFRA,
    "Malware": Role.ATTACKER_INFRA,
    "Botnet": Role.VICTIM,
    "Honeypot": Role.HONEYPOT,
    "Sinkhole": Role.SINKHOLE,
    "Proxy": Role.COMPROMISED_THIRD_PARTY,
}
"""Words of a node's Type that say more than the category; the first of them counts."""
_VALUES = (
    ("IP4", "ipv4"),
    ("IP6", "ipv6"),
    ("URL", "url"),
    ("Hostname", "domain"),
    ("Email", "email"),
    ("MAC", "mac"),
)


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A row for each address or name of the sources; of the targets where an alert names no source."""
    return _records.converted(source, _alert)


def cut(source: Source, profile: Profile, block_bytes: int) -> list[Stretch] | None:
    """The stretches of a file with a record on each line."""
    return _records.cut_lines(source, block_bytes)


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    return _records.converted_cut(source, _alert, stretches)


def _alert(record: dict[str, object], number: int, raw: bytes) -> Iterator[Made]:
    categories = texts_of(record.get("Category"))
    sources, targets = _nodes(record.get("Source")), _nodes(record.get("Target"))
    type_ = next((found for name in categories if (found := _idea.type_of(name))), None)
    if type_ is None:
        type_ = _idea.type_of_text(" ".join([*categories, text_of(record.get("Description")) or ""]))
    types = [word for node in sources for word in texts_of(node.get("Type"))]
    if type_ is EventType.INFECTED_SYSTEM and "CC" in types:
        type_ = EventType.C2_SERVER
    confidence = record.get("Confidence")
    base: Record = {
        "position": number,
        "first_at": next(
            (t for n in ("EventTime", "WinStartTime", "DetectTime", "CreateTime") if (t := text_of(record.get(n)))),
            None,
        ),
        "last_at": text_of(record.get("CeaseTime")) or text_of(record.get("WinEndTime")),
        "count": text_of(record.get("ConnCount")),
        "type": type_.value,
        "confidence": str(round(confidence * 100))
        if isinstance(confidence, float | int) and 0 <= confidence <= 1
        else None,
        "tags": "; ".join(categories) or None,
        "note": text_of(record.get("Description")) or text_of(record.get("Note")),
        "reference": next(iter(texts_of(record.get("Ref"))), None) or text_of(record.get("ID")),
        "extra": _records.extra_of({name: value for name, value in record.items() if name not in _USED}),
    }
    made: list[Made] = list(_sides(base, sources, targets, type_))
    yield from made
    if not made:
        yield Rejection(number, Unit.OBJECT, "no-value", "Source", raw[:80].decode("utf-8", "replace"))


def _sides(
    base: Record, sources: list[dict[str, object]], targets: list[dict[str, object]], type_: EventType
) -> Iterator[Record]:
    first = next((found for node in targets if not node.get("Anonymised") for found in _values(node)), None)
    peer: Record = {}
    if first:
        ports = [port for node in targets for port in texts_of(node.get("Port"))]
        peer = {"peer": first[1], "peer_role": peer_role(type_).value, "peer_port": next(iter(ports), None)}
    found = False
    for node in sources:
        for kind, value in _values(node):
            found = True
            yield {**base, **peer, **_node(node), "kind": kind, "value": value, "role": _role(node, type_)}
    if found:
        return
    for node in targets:
        for kind, value in _values(node):
            role = _NODE_ROLES.get(next(iter(texts_of(node.get("Type"))), ""), peer_role(type_))
            yield {**base, **_node(node), "kind": kind, "value": value, "role": role.value}


def _role(node: dict[str, object], type_: EventType) -> str:
    if node.get("Spoofed") is True:
        return Role.UNKNOWN.value  # The address was forged: whoever owns it did nothing.
    words = texts_of(node.get("Type"))
    return next((_NODE_ROLES[name] for name in _NODE_ROLES if name in words), source_role(type_)).value


def _node(node: dict[str, object]) -> Record:
    ports, protocols = texts_of(node.get("Port")), texts_of(node.get("Proto"))
    asns = texts_of(node.get("ASN"))
    return {
        "port": ports[0] if ports else None,
        "protocol": protocols[0].lower() if protocols else None,
        "asn": asns[0] if asns else None,
        "hostname": next(iter(texts_of(node.get("Hostname"))), None),
    }


def _nodes(value: object) -> list[dict[str, object]]:
    return [node for node in (value if isinstance(value, list) else [value]) if isinstance(node, dict)]


def _values(node: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Addresses of a node; names only where it has none, for they name the same machine."""
    addresses = False
    for name, kind in _VALUES:
        if name == "Hostname" and addresses:
            continue
        for value in texts_of(node.get(name)):
            addresses = addresses or kind in ("ipv4", "ipv6")
            yield ("network" if kind in ("ipv4", "ipv6") and ("/" in value or "-" in value) else kind), value


def recognise(sample: Sample) -> int:
    """By the mark that every IDEA message bears."""
    seen = _records.outline(sample.head)
    for keys in (seen.keys, seen.item_keys):
        if keys.get("Format", b"").startswith(b'"IDEA'):
            return 98
        if {"DetectTime", "Category", "ID"} <= keys.keys():
            return 80
    return 0


FORMAT = Format(
    name="idea",
    title="IDEA alerts (JSON)",
    recognise=recognise,
    read=read,
    media_types=("application/json", "application/x-ndjson"),
    extensions=(".json", ".jsonl", ".idea"),
    cut=cut,
    read_cut=read_cut,
)
