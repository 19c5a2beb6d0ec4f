"""XML read without trust: no document type, no entities, no network, bounded depth and size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.reading import Source

DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
LIMIT_BYTES = 256 << 20
DEPTH_LIMIT = 200


def tree(raw: bytes) -> Any:
    """The root element; raises InputError empty-file, xml-entities, truncated, too-deep or not-xml."""
    from lxml import etree  # Imported late, like all that most deliveries do not need.

    if not raw.strip():
        raise InputError("empty-file")
    if DOCTYPE.search(raw):
        raise InputError("xml-entities")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.parse(BytesIO(raw), parser).getroot()
    except etree.XMLSyntaxError as error:
        raise explain(error) from error


def explain(error: Any) -> InputError:
    """Why libxml2 refused a text, and where."""
    line, column = error.position
    message = str(error)
    reason = "not-xml"
    if "depth" in message.lower():
        reason = "too-deep"
    elif "Premature end" in message or "unclosed" in message.lower():
        reason = "truncated"
    return InputError(reason, position=f"line {line} column {column}", excerpt=message[:80])


def records(source: Source, names: tuple[str, ...]) -> Iterator[Any]:
    """Every element of one of these local names, in document order; each is dropped when the next one comes."""
    from lxml import etree

    with source.open() as stream:
        if DOCTYPE.search(stream.read(LIMIT_BYTES)):
            raise InputError("xml-entities")
    with source.open() as stream:
        events = etree.iterparse(
            stream, events=("end",), tag=[f"{{*}}{name}" for name in names], resolve_entities=False,
            no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        try:
            for _, element in events:
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise explain(error) from error
