"""TAXII 1.0 and 1.1 messages: the content blocks of a poll response or inbox message are files of their own."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Enclosed, Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Unit
from tocsin.formats._xml import Element, canonical, forget, name_of, pieces, root_of

CARRIERS = frozenset({"Poll_Response", "Inbox_Message"})


def recognise(sample: Sample) -> int:
    """By the namespace of the root element."""
    space, _ = root_of(sample.head)
    return 98 if "taxii.mitre.org/messages/taxii_xml_binding" in space else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Each content block as an enclosed file; messages that carry none are kept with the delivery."""
    number, root, content = 0, None, False
    for event, element in pieces(source):
        name = name_of(element)
        if event == "start":
            if root is None:
                root = element
                collection = element.get("collection_name", "")
                yield Heading(title=f"{name} {collection}".strip(), report_type=name, stated_count=None)
            content = content or name == "Content_Block"
        elif name == "Record_Count" and (element.text or "").strip().isdigit():
            yield Heading(stated_count=int(element.text))
        elif name == "Content_Block":
            number += 1
            found = _content(element)
            if found is None:
                yield Rejection(number, Unit.PART, "no-value", "Content")
            else:
                yield Enclosed(Source(name=f"{source.name}#block-{number}{found[0]}", content=found[1]), number)
            forget(element)
    if root is None:
        raise InputError("not-xml")
    if number == 0 and name_of(root) not in CARRIERS:
        yield Rejection(1, Unit.PART, "unsupported-record", name_of(root))


def _content(block: Element) -> tuple[str, bytes] | None:
    """(ending of its name, bytes) of what a content block carries: an XML element, or text."""
    holder = next((child for child in block if name_of(child) == "Content"), None)
    if holder is None:
        return None
    inner = next(iter(holder), None)
    if inner is not None:
        return ".xml", canonical(inner)
    text = (holder.text or "").strip()
    return (".txt", text.encode()) if text else None


FORMAT = Format(
    name="taxii1",
    title="TAXII 1.x message",
    recognise=recognise,
    read=read,
    media_types=("application/xml", "text/xml"),
    extensions=(".xml",),
)
