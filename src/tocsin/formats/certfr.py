"""Notices of the French government's CERT: JSON with Markdown and HTML inside, and its index of alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Sample, Source
from tocsin.core.words import Kind

from ._documents import completed, items_of, lowered
from ._extraction import propose
from ._markup import page_of

REFERENCE_CAP = 0.15
LIMIT_BYTES = 64 << 20
PUBLISHER = frozenset({"ssi.gouv.fr"})


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Page 1 holds the notice's text, page 2 its vulnerabilities, page 3 its references (scored low)."""
    try:
        notice = msgspec.json.decode(source.read_all(LIMIT_BYTES))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError("not-json", excerpt=str(error)[:80]) from error
    if isinstance(notice, list):
        yield from _index(notice)
        return
    if not isinstance(notice, dict):
        raise InputError("not-an-object")
    text = "\n\n".join(part for part in _parts(notice) if part)
    vulnerabilities = "\n".join(_texts(notice.get("cves"), "name"))
    title = notice.get("title")
    heading = Heading(title=title if isinstance(title, str) else "", language="fr", text=text)
    yield from items_of([(1, text), (2, vulnerabilities)], heading, PUBLISHER)
    references = "\n".join(_texts(notice.get("links"), "url") + _texts(notice.get("vendor_advisories"), "url"))
    yield from lowered(propose(references, 3, PUBLISHER), REFERENCE_CAP)


def _parts(notice: dict[str, Any]) -> Iterator[str]:
    """The notice as its page shows it: title, risks, systems, summary, content."""
    yield str(notice.get("title") or "")
    yield "\n".join(_texts(notice.get("risks"), "description"))
    yield "\n".join(_texts(notice.get("affected_systems"), "description"))
    for name in ("affected_systems_content", "summary", "content"):
        value = notice.get(name)
        if isinstance(value, str) and value:
            yield page_of(value).text if re.search(r"<[a-z/]", value, re.IGNORECASE) else value


def _texts(entries: Any, name: str) -> list[str]:
    if not isinstance(entries, list):
        return []
    return [str(entry[name]) for entry in entries if isinstance(entry, dict) and isinstance(entry.get(name), str)]


def _index(entries: list[Any]) -> Iterator[Item]:
    """One page per alert: its number and its vulnerabilities."""
    kept: list[str] = []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            continue
        names = [str(name) for name in entry.get("cves") or [] if isinstance(name, str)]
        text = "\n".join([str(entry.get("alert") or ""), *names])
        kept.append(text)
        yield from (found for found in propose(text, number, PUBLISHER) if found.kind == Kind.CVE)
    yield completed(Heading(title="CERT-FR: alertes", language="fr", text="\n".join(kept)[: 1 << 20]))


def recognise(sample: Sample) -> int:
    head = sample.head[: 64 << 10]
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return 0
    if b"CERTFR-" in head and b'"alert"' in head and b'"cves"' in head:
        return 88
    named = sum(name in head for name in (b'"affected_systems"', b'"vendor_advisories"', b'"summary"', b'"risks"'))
    return 92 if named >= 2 and (b"CERTFR-" in sample.head or b"cert.ssi.gouv.fr" in head) else 0


FORMAT = Format(
    name="certfr",
    title="CERT-FR notice (JSON)",
    recognise=recognise,
    read=read,
    media_types=("application/json",),
    extensions=(".json",),
)
