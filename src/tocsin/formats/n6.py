"""n6 incidents as JSON: single, in lists, or one a line.

Source: the n6 data specification (categories and fields of the REST and stream API).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Item, Rejection, Sample, Source, Stretch
from tocsin.core.words import EventType, Role, Unit

from . import _records
from ._records import Made, Record, text_of

_ATTACKER, _VICTIM, _UNKNOWN = Role.ATTACKER_INFRA, Role.VICTIM, Role.UNKNOWN
CATEGORIES: dict[str, tuple[EventType, Role, Role]] = {
    "amplifier": (EventType.DDOS_AMPLIFIER, _VICTIM, _UNKNOWN),
    "backdoor": (EventType.SYSTEM_COMPROMISE, _VICTIM, _UNKNOWN),
    "bots": (EventType.INFECTED_SYSTEM, _VICTIM, _UNKNOWN),
    "cnc": (EventType.C2_SERVER, _ATTACKER, _UNKNOWN),
    "deface": (EventType.UNAUTHORISED_MODIFICATION, _VICTIM, _UNKNOWN),
    "dns-query": (EventType.OTHER, _UNKNOWN, _UNKNOWN),
    "dos-attacker": (EventType.DDOS, Role.COMPROMISED_THIRD_PARTY, _VICTIM),
    "dos-victim": (EventType.DDOS, _VICTIM, _UNKNOWN),
    "exposed": (EventType.POTENTIALLY_UNWANTED_ACCESSIBLE, _VICTIM, _UNKNOWN),
    "flow": (EventType.UNDETERMINED, _UNKNOWN, _UNKNOWN),
    "flow-anomaly": (EventType.UNDETERMINED, _UNKNOWN, _UNKNOWN),
    "fraud": (EventType.SOCIAL_ENGINEERING, _ATTACKER, _VICTIM),
    "leak": (EventType.DATA_LEAK, _VICTIM, _UNKNOWN),
    "malurl": (EventType.MALWARE_DISTRIBUTION, _ATTACKER, _UNKNOWN),
    "malware-action": (EventType.MALWARE_CONFIGURATION, _UNKNOWN, _UNKNOWN),
    "other": (EventType.OTHER, _UNKNOWN, _UNKNOWN),
    "phish": (EventType.PHISHING, _ATTACKER, _VICTIM),
    "proxy": (EventType.OTHER, _UNKNOWN, _UNKNOWN),
    "sandbox-url": (EventType.MALWARE_DISTRIBUTION, _UNKNOWN, _UNKNOWN),
    "scam": (EventType.SOCIAL_ENGINEERING, _ATTACKER, _VICTIM),
    "scanning": (EventType.SCANNER, _ATTACKER, _VICTIM),
    "server-exploit": (EventType.EXPLOIT, _ATTACKER, _VICTIM),
    "spam": (EventType.SPAM, _ATTACKER, _VICTIM),
    "spam-url": (EventType.SPAM, _ATTACKER, _UNKNOWN),
    "tor": (EventType.OTHER, _UNKNOWN, _UNKNOWN),
    "vulnerable": (EventType.VULNERABLE_SYSTEM, _VICTIM, _UNKNOWN),
    "webinject": (EventType.MALWARE_CONFIGURATION, _UNKNOWN, _UNKNOWN),
}
"""n6 category → type of event, role of the addresses, role of `dip`."""

URL_FIRST = frozenset({"malurl", "phish", "spam-url", "sandbox-url", "webinject", "scam", "fraud"})
MARKINGS = {"public": "TLP:CLEAR", "need-to-know": "TLP:AMBER", "internal": "TLP:RED"}
CONFIDENCE = {"low": "30", "medium": "60", "high": "90"}
_USED = frozenset(
    {
        *("id", "rid", "source", "restriction", "confidence", "category", "time", "until", "count", "name"),
        *("address", "fqdn", "url", "md5", "sha1", "sha256", "sha512", "sport", "dport", "proto", "dip"),
        *("target", "modified", "type", "origin"),
    }
)

WRAPPERS = ("events", "data")
"""Members that hold the list where it is not one record a line."""


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A row for each address, or for the name, web address or digest of an incident."""
    return _records.converted(source, _incident, WRAPPERS)


def cut(source: Source, profile: Profile, block_bytes: int) -> list[Stretch] | None:
    """The stretches of a file with a record on each line."""
    return _records.cut_lines(source, block_bytes, WRAPPERS)


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    return _records.converted_cut(source, _incident, stretches)


def _incident(record: dict[str, object], number: int, raw: bytes) -> Iterator[Made]:
    category = (text_of(record.get("category")) or "").lower()
    type_, role, peer_role = CATEGORIES.get(category, (None, _UNKNOWN, _UNKNOWN))
    name, dip = text_of(record.get("name")), text_of(record.get("dip"))
    infectious = category in ("bots", "cnc", "malurl", "malware-action", "webinject")
    made: Record = {
        "position": number,
        "first_at": text_of(record.get("time")),
        "last_at": text_of(record.get("until")),
        "count": text_of(record.get("count")),
        "type": type_.value if type_ else None,
        "role": role.value,
        "malware": name if infectious else None,
        "label": name or (None if type_ else category or None),
        "confidence": CONFIDENCE.get(str(record.get("confidence")).lower()),
        "port": text_of(record.get("sport")),
        "protocol": text_of(record.get("proto")),
        "peer": dip,
        "peer_port": text_of(record.get("dport")),
        "peer_role": _peer(record, peer_role) if dip else None,
        "note": text_of(record.get("target")),
        "reference": text_of(record.get("id")),
        "tags": "; ".join(
            f"{word}:{value}" for word in ("category", "source", "origin") if (value := text_of(record.get(word)))
        ),
        "extra": _records.extra_of({name: value for name, value in record.items() if name not in _USED}),
        "marking": MARKINGS.get(str(record.get("restriction")).lower()),
    }
    if not type_:
        yield Rejection(number, Unit.OBJECT, "not-a-type", "category", category[:80])
        return
    yield from _rows(record, number, made, category)


def _rows(record: dict[str, object], number: int, made: Record, category: str) -> Iterator[Made]:
    url, fqdn = text_of(record.get("url")), text_of(record.get("fqdn"))
    listed = record.get("address")
    addresses = [item for item in (listed if isinstance(listed, list) else [listed]) if isinstance(item, dict)]
    named = url if category in URL_FIRST and url else None
    found = False
    if named:
        found = True
        yield {**made, "kind": "url", "value": named, "hostname": fqdn}
    for address in addresses:
        value = text_of(address.get("ip"))
        if not value:
            continue
        found = True
        yield {
            **made,
            "kind": _records.kind_of_host(value),
            "value": value,
            "stated_country": text_of(address.get("cc")),
            "asn": text_of(address.get("asn")),
            "hostname": fqdn,
            "url": url,
            "role": "UNKNOWN" if named else made["role"],
        }
    if not found and (url or fqdn):
        found = True
        yield {
            **made,
            "kind": "url" if url else "domain",
            "value": url or fqdn,
            "hostname": fqdn if url else None,
        }
    for kind in ("md5", "sha1", "sha256", "sha512"):
        value = text_of(record.get(kind))
        if value:
            found = True
            yield {
                **made,
                "kind": kind,
                "value": value,
                "role": "ATTACKER_INFRA",
                "type": "malware",
                "url": url,
            }
    if not found:
        yield Rejection(number, Unit.OBJECT, "no-value", "address", str(record)[:80])


def _peer(record: dict[str, object], otherwise: Role) -> str:
    words = f"{record.get('source')} {record.get('origin')} {record.get('name')}".lower()
    return Role.SINKHOLE.value if "sinkhole" in words else otherwise.value


def recognise(sample: Sample) -> int:
    """By an n6 category beside the fields that every incident has."""
    seen = _records.outline(sample.head)
    for keys in (seen.keys, seen.item_keys):
        category = keys.get("category", b"").strip(b'"').decode("utf-8", "replace")
        if {"category", "time", "source"} <= keys.keys() and category in CATEGORIES:
            return 90 if "restriction" in keys or "confidence" in keys or "address" in keys else 60
    return 0


FORMAT = Format(
    name="n6",
    title="n6 incidents (JSON)",
    recognise=recognise,
    read=read,
    media_types=("application/json", "application/x-ndjson"),
    extensions=(".json", ".jsonl"),
    cut=cut,
    read_cut=read_cut,
)
