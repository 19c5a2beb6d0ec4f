"""The XML exports of CleanMX: web addresses of phishing pages and of malware, with the host that serves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import EventType, Unit

from . import _records, _xml_records
from ._records import Record


def recognise(sample: Sample) -> int:
    """Its entries, and two names that no other export has."""
    head = sample.head[:16_384]
    return 90 if b"<entries>" in head and b"<review>" in head and b"<inetnum>" in head else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A row for the web address of each entry, or for its host where it names none, and one for its digest."""
    yield Heading(title="CleanMX")
    entries = enumerate(_xml_records.records(source, ("entry",)), 1)
    yield from _records.gathered(
        list(_rows(entry, number)) or [Rejection(number, Unit.OBJECT, "no-value", "url")] for number, entry in entries
    )


def _rows(entry: Any, number: int) -> Iterator[Record]:
    said = {child.tag: (child.text or "").strip() for child in entry if isinstance(child.tag, str)}
    malware = said.get("virusname") or None
    # Only the list of phishing pages names who is imitated, and only the list of malware what is served.
    kind = EventType.MALWARE_DISTRIBUTION if malware or "md5" in said else EventType.PHISHING
    shared: Record = {
        "position": number,
        "first_at": _moment(said.get("first")),
        "last_at": _moment(said.get("last")),
        "type": kind.value,
        "malware": malware,
        "label": said.get("target") or None,
        "tags": said.get("response") or None,
        "reference": f"CleanMX {said['id']}" if said.get("id") else None,
    }
    place: Record = {"stated_country": said.get("country") or None, "note": said.get("descr") or None}
    value = next((said[name] for name in ("url", "domain", "ip") if said.get(name)), None)
    if value is not None:
        yield {
            **shared,
            **place,
            "value": value,
            "hostname": said.get("domain") if value != said.get("domain") else None,
        }
    if value is not None and said.get("ip") and value != said["ip"]:
        yield {**shared, **place, "value": said["ip"], "kind": "ip"}
    if said.get("md5"):
        yield {**shared, "value": said["md5"], "kind": "md5"}


def _moment(text: str | None) -> str | None:
    """Epoch seconds; 0 stands for none."""
    return text if text and text != "0" else None


FORMAT = Format(
    name="cleanmx",
    title="CleanMX export (XML)",
    recognise=recognise,
    read=read,
    media_types=("application/xml", "text/xml"),
    extensions=(".xml",),
)
