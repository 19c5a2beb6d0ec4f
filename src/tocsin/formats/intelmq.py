"""IntelMQ events and reports as JSON: single, in lists, one a line, nested or flat, and its dump files.

`classification.type` decides the roles. Source: the IntelMQ data format (harmonization), versions 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Item, Rejection, Sample, Source, Stretch
from tocsin.core.roles import event_type, peer_role, source_role
from tocsin.core.words import EventType, Unit

from . import _records
from ._records import Made, Record, text_of

URL_FIRST = frozenset(
    {
        EventType.PHISHING,
        EventType.MALWARE_DISTRIBUTION,
        EventType.SOCIAL_ENGINEERING,
        EventType.MASQUERADE,
        EventType.COPYRIGHT,
        EventType.HARMFUL_SPEECH,
        EventType.VIOLENCE,
    }
)
"""Types whose fact is the page: the address that serves it may serve a thousand others."""

COLUMNS = {
    "first_at": ("time.source", "time.observation"),
    "malware": ("malware.name",),
    "label": ("malware.name", "classification.identifier"),
    "confidence": ("feed.accuracy",),
    "stated_country": ("source.geolocation.cc", "source.geolocation.country"),
    "asn": ("source.asn",),
    "network": ("source.network",),
    "port": ("source.port",),
    "protocol": ("protocol.transport", "protocol.application"),
    "peer": ("destination.ip", "destination.fqdn"),
    "peer_port": ("destination.port",),
    "peer_country": ("destination.geolocation.cc",),
    "note": ("event_description.text", "comment"),
    "reference": ("event_description.url", "screenshot_url", "feed.documentation"),
    "severity": ("extra.severity",),
    "count": ("extra.count",),
}
HASHES = ("md5", "sha1", "sha256")
_DROPPED = ("source.", "destination.", "time.", "feed.", "malware.", "protocol.", "event_description.")

WRAPPERS = ("data", "events", "reports")
"""Members that hold the list where it is not one record a line."""


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Rows of the events; a record that names no source and no hash is refused."""
    return _records.converted(source, _messages, WRAPPERS)


def cut(source: Source, profile: Profile, block_bytes: int) -> list[Stretch] | None:
    """The stretches of a file with a record on each line."""
    return _records.cut_lines(source, block_bytes, WRAPPERS)


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    return _records.converted_cut(source, _messages, stretches)


def _messages(record: dict[str, object], number: int, raw: bytes) -> Iterator[Made]:
    """The event itself, or those that a dump file holds."""
    entries = [value for value in record.values() if isinstance(value, dict) and "message" in value]
    if not entries or len(entries) != len(record):
        yield from _event(record, number)
        return
    for place, entry in enumerate(entries, start=1):
        message = entry["message"]
        if isinstance(message, str):
            try:
                message = orjson.loads(message)
            except orjson.JSONDecodeError:
                yield Rejection(place, Unit.OBJECT, "not-json", "message", str(entry["message"])[:80])
                continue
        if isinstance(message, dict):
            yield from _event(message, place)
        else:
            yield Rejection(place, Unit.OBJECT, "not-an-object", "message", str(message)[:80])


def _event(record: dict[str, object], number: int) -> Iterator[Made]:
    event = _records.flat(record)
    word = text_of(event.get("classification.type"))
    type_ = event_type(word) if word else None
    made: Record = {"position": number}
    for column, names in COLUMNS.items():
        made[column] = next((found for name in names if (found := text_of(event.get(name)))), None)
    made["marking"] = _records.marking_of(event.get("tlp"))
    made["type"] = type_.value if type_ else None
    made["role"] = source_role(type_).value if word else None
    if made["peer"]:
        made["peer_role"] = _sinkhole(event) or peer_role(type_).value
    if word and not type_:
        made["label"] = made["label"] or word
    made["tags"] = _tags(event)
    made["extra"] = _records.extra_of(_rest(event))
    url, fqdn = text_of(event.get("source.url")), text_of(event.get("source.fqdn"))
    address = text_of(event.get("source.ip"))
    name = fqdn or text_of(event.get("source.reverse_dns"))
    seen = False
    if url and (type_ in URL_FIRST or not address):
        seen = True
        yield {**made, "kind": "url", "value": url, "hostname": name}
        if address:  # The host's country must know of it, but nobody said that the host is the attacker's.
            shown = {"kind": _records.kind_of_host(address), "value": address, "role": "UNKNOWN"}
            yield {**made, **shown, "url": url, "hostname": name}
    elif address:
        seen = True
        kind = _records.kind_of_host(address)
        yield {**made, "kind": kind, "value": address, "hostname": name, "url": url}
    else:
        for kind, value in _others(event, fqdn):
            seen = True
            yield {**made, "kind": kind, "value": value}
            break
    for kind in HASHES:
        digest = text_of(event.get(f"malware.hash.{kind}"))
        if digest:
            seen = True
            yield {
                **made,
                "kind": kind,
                "value": digest,
                "role": "ATTACKER_INFRA",
                "type": "malware",
                "url": url,
            }
    if not seen:
        yield Rejection(number, Unit.OBJECT, "no-value", "source.ip", str(record)[:80])


def _others(event: dict[str, object], fqdn: str | None) -> Iterator[tuple[str, str]]:
    if fqdn:
        yield "domain", fqdn
    account = text_of(event.get("source.account"))
    if account:
        yield ("email" if "@" in account else "account"), account
    for kind, name in (
        ("network", "source.network"),
        ("asn", "source.asn"),
        ("domain", "source.reverse_dns"),
    ):
        value = text_of(event.get(name))
        if value:
            yield kind, f"AS{value}" if kind == "asn" and value.isdigit() else value


def _sinkhole(event: dict[str, object]) -> str | None:
    words = " ".join(str(event.get(name, "")) for name in ("feed.name", "feed.code", "classification.identifier"))
    return "SINKHOLE" if "sinkhole" in words.lower() else None


def _tags(event: dict[str, object]) -> str | None:
    names = ("feed.provider", "feed.name", "classification.taxonomy", "classification.identifier", "status")
    kept = [f"{name}:{value}" for name in names if (value := text_of(event.get(name)))]
    return "; ".join(kept + _records.texts_of(event.get("extra.tags"))) or None


def _rest(event: dict[str, object]) -> dict[str, object]:
    used = {name for names in COLUMNS.values() for name in names}
    return {
        name: value
        for name, value in event.items()
        if name not in used
        and (name.startswith(("extra.", "source.abuse", "destination.", "malware.version", "output")))
        and name not in ("extra.tags", "destination.ip")
    }


def recognise(sample: Sample) -> int:
    """By IntelMQ's dotted names, or by the frame of its dump files."""
    seen = _records.outline(sample.head)
    keys = seen.keys.keys() | seen.item_keys.keys()
    dotted = sum(name.startswith(("source.", "classification.", "feed.", "destination.", "time.")) for name in keys)
    if b'"__type"' in sample.head[:65536] and ("__type" in keys or dotted):
        return 92
    if dotted >= 2 and any(name.startswith(("classification.", "feed.", "time.")) for name in keys):
        return 90
    if seen.kind == "object" and b'"source_queue"' in sample.head and b'"message"' in sample.head:
        return 85
    nested = {"classification", "source"} <= keys and b'"taxonomy"' in sample.head
    return 70 if nested and ("feed" in keys or "time" in keys) else 0


FORMAT = Format(
    name="intelmq",
    title="IntelMQ events (JSON)",
    recognise=recognise,
    read=read,
    media_types=("application/json", "application/x-ndjson"),
    extensions=(".json", ".jsonl", ".dump"),
    cut=cut,
    read_cut=read_cut,
)
