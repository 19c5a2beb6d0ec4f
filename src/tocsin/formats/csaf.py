"""CSAF 2.0: a security advisory is kept whole and gives one row for each vulnerability number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing, rows_of
from tocsin.core.words import EventType, Kind, Tlp, Unit
from tocsin.formats._json import decode
from tocsin.formats._json_outline import outline

LIMIT_BYTES = 64 << 20
REQUIRED = ("category", "csaf_version", "publisher", "title", "tracking")
LABELS = {"WHITE": Tlp.CLEAR, "CLEAR": Tlp.CLEAR, "GREEN": Tlp.GREEN, "AMBER": Tlp.AMBER,
          "AMBER+STRICT": Tlp.AMBER_STRICT, "RED": Tlp.RED}  # fmt: skip


def recognise(sample: Sample) -> int:
    """An object with a `document` that states a CSAF version."""
    seen = outline(sample.head)
    if seen.kind != "object" or "document" not in seen.keys:
        return 0
    return 97 if b'"csaf_version"' in sample.head else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Heading, the advisory as a Thing, and its vulnerabilities as rows."""
    raw = source.read_all(LIMIT_BYTES)
    advisory = decode(raw)
    document = advisory.get("document") if isinstance(advisory, dict) else None
    if not isinstance(advisory, dict) or not isinstance(document, dict):
        raise InputError("not-an-object", field="document")
    wrong = _problem(document)
    if wrong is not None:
        yield Rejection(1, Unit.OBJECT, wrong[0], wrong[1], raw[:120].decode("utf-8", "replace"))
        return
    tracking = document["tracking"]
    vulnerabilities = [one for one in _list(advisory.get("vulnerabilities")) if isinstance(one, dict)]
    numbers = [one["cve"] for one in vulnerabilities if isinstance(one.get("cve"), str)]
    marking = _marking(document)
    language = document.get("lang")
    yield Heading(
        title=document["title"],
        marking=marking,
        producer=str(document["publisher"].get("name", "")),
        language=language if isinstance(language, str) else "",
        report_type=document["category"],
    )
    yield Thing(
        standard=f"csaf-{document['csaf_version']}",
        type=document["category"],
        id=tracking["id"],
        raw=raw,
        position=1,
        version=tracking["current_release_date"],
        name=document["title"],
        aliases=tuple(one for one in _list(tracking.get("aliases")) if isinstance(one, str)),
        external_ids=tuple(dict.fromkeys(numbers)),
        valid_from=tracking["initial_release_date"],
        marking=marking,
    )
    records = list(_records(vulnerabilities, document, profile))
    for start in range(0, len(records), 10_000):
        yield rows_of(records[start : start + 10_000], marking)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _problem(document: dict[str, Any]) -> tuple[str, str] | None:
    """What the standard requires of every document and is missing or of the wrong type."""
    for name in REQUIRED:
        if name not in document:
            return "missing-field", f"document.{name}"
        wanted = dict if name in {"publisher", "tracking"} else str
        if not isinstance(document[name], wanted):
            return "wrong-type", f"document.{name}"
    for name in ("id", "current_release_date", "initial_release_date"):
        if not isinstance(document["tracking"].get(name), str):
            return "missing-field", f"document.tracking.{name}"
    return None


def _marking(document: dict[str, Any]) -> str | None:
    distribution = document.get("distribution")
    tlp = distribution.get("tlp") if isinstance(distribution, dict) else None
    label = tlp.get("label") if isinstance(tlp, dict) else None
    found = LABELS.get(label.upper()) if isinstance(label, str) else None
    return found.value if found is not None else None


def _records(
    vulnerabilities: list[dict[str, Any]], document: dict[str, Any], profile: Profile
) -> Iterator[dict[str, object]]:
    own = next(
        (
            str(one.get("url"))
            for one in _list(document.get("references"))
            if isinstance(one, dict) and one.get("category") == "self" and str(one.get("url")).endswith((".json", "/"))
        ),
        None,
    )
    for position, one in enumerate(vulnerabilities, start=1):
        if not isinstance(one.get("cve"), str):
            continue
        yield {
            "position": position,
            "first_at": document["tracking"]["initial_release_date"],
            "last_at": document["tracking"]["current_release_date"],
            "kind": Kind.CVE.value,
            "value": one["cve"],
            "type": profile.defaults.get("type", EventType.VULNERABLE_SYSTEM.value),
            "severity": _severity(one),
            "label": document["title"],
            "reference": own or document["tracking"]["id"],
            "note": _summary(one),
        }


def _severity(vulnerability: dict[str, Any]) -> str | None:
    """The worst base severity of its scores, in lower case."""
    order = ["none", "low", "medium", "high", "critical"]
    found = [
        str(score[version].get("baseSeverity", "")).lower()
        for score in _list(vulnerability.get("scores"))
        for version in ("cvss_v3", "cvss_v4")
        if isinstance(score, dict) and isinstance(score.get(version), dict)
    ]
    known = [word for word in found if word in order]
    worst = max(known, key=order.index, default=None)
    return "info" if worst == "none" else worst


def _summary(vulnerability: dict[str, Any]) -> str | None:
    for note in _list(vulnerability.get("notes")):
        if isinstance(note, dict) and note.get("category") in {"summary", "description"} and note.get("text"):
            return str(note["text"])[:2000]
    title = vulnerability.get("title")
    return str(title) if title else None


FORMAT = Format(
    name="csaf",
    title="CSAF security advisory",
    recognise=recognise,
    read=read,
    media_types=("application/json",),
    extensions=(".json",),
)
