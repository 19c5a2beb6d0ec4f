"""IDMEF alerts as XML (RFC 4765, and the drafts before it): one message, or many in a wrapper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Item, Rejection, Sample, Source
from tocsin.core.roles import peer_role, source_role
from tocsin.core.words import Role, Unit

from . import _idea, _records, _xml_records
from ._records import Record

LIMIT_BYTES = 256 << 20


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A row for each address of the sources of an alert, with its first target as the other side."""
    yield from _records.gathered(_alerts(source))


def _alerts(source: Source) -> Iterator[Iterable[_records.Made]]:
    number = 0
    for alert in _xml_records.records(source, ("Alert",)):
        number += 1
        told = _text(alert, "Classification")[:80]
        yield list(_rows(alert, number)) or [Rejection(number, Unit.OBJECT, "no-value", "Source", told)]
    if not number:
        yield [Rejection(1, Unit.OBJECT, "no-value", "Alert")]


def _rows(alert: Any, number: int) -> Iterator[Record]:
    told = _find(alert, "Classification")
    name = (told.get("text") if told is not None else None) or (_text(told, "name") if told is not None else "")
    type_ = _idea.type_of_text(name)
    sources, targets = _all(alert, "Source"), _all(alert, "Target")
    peers = [value for target in targets for value in _values(target)]
    ports = [port for target in targets for port in (_text(target, "port"), _text(target, "dport")) if port]
    base: Record = {
        "position": number,
        "first_at": _moment(alert),
        "type": type_.value,
        "label": name or None,
        "note": _text(alert, "description") or None,
        "reference": alert.get("messageid") or alert.get("alertid"),
        "severity": _severity(alert),
    }
    peer: Record = {}
    if peers:
        peer = {"peer": peers[0][1], "peer_role": peer_role(type_).value, "peer_port": ports[0] if ports else None}
    found = False
    for source in sources:
        for kind, value in _values(source):
            found = True
            role = Role.UNKNOWN if source.get("spoofed") == "yes" else source_role(type_)
            side = {"kind": kind, "value": value, "role": role.value, "port": _text(source, "port") or None}
            yield {**base, **peer, **side}
    if not found:
        for kind, value in peers:
            yield {**base, "kind": kind, "value": value, "role": peer_role(type_).value}


def _values(side: Any) -> Iterator[tuple[str, str]]:
    """Addresses of a source or target; its host name only where it has none."""
    addresses = False
    for address in _all(side, "Address"):
        value = _text(address, "address")
        if value:
            addresses = True
            if address.get("category", "").endswith(("-mac", "mac")):
                yield "mac", value
            else:
                mask = _text(address, "netmask")
                yield ("network", f"{value}/{mask}") if mask.isdigit() else (_records.kind_of_host(value), value)
    if addresses:
        return
    for node in _all(side, "Node"):
        value = _text(node, "name")
        if value and "." in value:
            yield "domain", value


def _moment(alert: Any) -> str | None:
    for name in ("DetectTime", "CreateTime"):
        text = _text(alert, name)
        if text:
            return text
    time = _find(alert, "Time")
    if time is None:
        return None
    try:  # As the drafts before the RFC wrote it.
        moment = datetime.strptime(f"{_text(time, 'date')} {_text(time, 'time')} +0000", "%m/%d/%Y %H:%M:%S %z")
    except ValueError:
        return None
    return moment.isoformat()


def _severity(alert: Any) -> str | None:
    impact = _find(alert, "Impact")
    word = impact.get("severity") if impact is not None else None
    return word if word in ("high", "medium", "low", "info") else None


def _local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2] if isinstance(node.tag, str) else ""


def _all(node: Any, name: str) -> list[Any]:
    return [child for child in node.iter() if child is not node and _local(child) == name]


def _find(node: Any, name: str) -> Any:
    return next(iter(_all(node, name)), None)


def _text(node: Any, name: str) -> str:
    found = _find(node, name)
    return " ".join("".join(found.itertext()).split()) if found is not None else ""


def recognise(sample: Sample) -> int:
    """By the name of the message element."""
    head = sample.head[:65536]
    return 95 if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and b"IDMEF-Message" in head else 0


FORMAT = Format(
    name="idmef",
    title="IDMEF alerts (XML)",
    recognise=recognise,
    read=read,
    media_types=("application/xml", "text/xml"),
    extensions=(".xml", ".idmef"),
)
