"""JSON and XML of no known shape: checked for damage and danger, then searched for indicators like any text.

Without this, a broken bundle or a document with entities would pass for prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Proposal, Rejection, Sample, Source
from tocsin.core.words import Unit

from . import _json, _json_outline, _xml
from ._documents import READ_LIMIT_BYTES, items_of, text_of

ROOM_CHARACTERS = 1 << 20
SEARCHED_CHARACTERS = 16 << 20
JSON_START = re.compile(rb'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:[\[{]\s*["\]}\[{\d-]|"|-?\d[\d.eE+-]*\s*,|\]))')
XML_START = re.compile(rb"\s*<(?:\?xml\b|!DOCTYPE(?!\s+html\b)|!ENTITY)", re.IGNORECASE)
JSON_NAME = re.compile(r"(?i)\.(?:json|jsonl|ndjson|geojson|stix2?)$")
XML_NAME = re.compile(r"(?i)\.(?:xml|ioc|stix)$")


def _is_xml(head: bytes) -> bool:
    return XML_START.match(head) is not None


def recognise(sample: Sample) -> int:
    """Above prose, below all that know the shape. A name that says JSON is believed: broken text tells little."""
    head = sample.head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        return 0
    if _is_xml(head) or (XML_NAME.search(sample.name) and head.lstrip()[:1] == b"<"):
        return 20
    if JSON_NAME.search(sample.name):
        return 20
    return 12 if JSON_START.match(head) and _json_outline.outline(sample.head).kind else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Proposals out of its text, and a rejection that says that its records are not read.

    Raises InputError not-json, not-xml, half-character, truncated, too-deep, xml-entities, wrong-encoding or
    empty-file; unknown-format where its text held nothing either.
    """
    data = source.read_all(READ_LIMIT_BYTES)
    if not data.strip():
        raise InputError("empty-file")
    if _is_xml(data.removeprefix(b"\xef\xbb\xbf")) or XML_NAME.search(source.name):
        for event, element in _xml.pieces(source):
            if event == "end":
                _xml.forget(element)
    else:
        _check_json(data)
    is_found = False
    for item in items_of(enumerate(_pieces(text_of(source)), 1), Heading(title="")):
        is_found = is_found or isinstance(item, Proposal)
        if isinstance(item, Heading) and not is_found:  # The heading comes last.
            raise InputError("unknown-format", excerpt=source.name[:120])
        yield item
    yield Rejection(1, Unit.FILE, "unknown-shape", excerpt=source.name[:120])


def _check_json(data: bytes) -> None:
    """One document, or one a line; raises InputError with the place of the first fault."""
    try:
        _json.decode(_json.text_of(data), duplicates=True)
    except InputError as fault:
        lines = [line for line in data.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].strip().endswith((b"}", b"]")):
            raise
        for line in lines:
            try:
                _json.decode(line, duplicates=True)
            except InputError:
                raise fault from None


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of about a mebibyte, cut where a line or a value ends."""
    at = 0
    while at < min(len(text), SEARCHED_CHARACTERS):
        end = at + ROOM_CHARACTERS
        if end < len(text):
            end = max(text.rfind("\n", at, end), text.rfind(",", at, end)) + 1 or end
        yield text[at:end]
        at = end


FORMAT = Format(
    name="structured",
    title="JSON or XML of no known shape",
    recognise=recognise,
    read=read,
    media_types=("application/json", "application/xml", "text/xml"),
    extensions=(".json", ".xml"),
)
