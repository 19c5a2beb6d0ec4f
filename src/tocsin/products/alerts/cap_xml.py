"""CAP messages as XML: written so that any aggregator reads and verifies them, read back without trust.

Nothing stands between elements, not even a line end: some readers drop such spaces before they check a signature. Times
have a numeric offset, UTC is `-00:00` (CAP 1.2, 3.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from tocsin.core.errors import InputError

from .cap import Area, Info, Message, Pair, Reference, Resource

SPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
LARGEST_BYTES = 16 << 20
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
Field = tuple[str, str, str]
"""Name of the element, of the attribute, and how it is written: text, texts, moment, pairs."""
_MESSAGE: tuple[Field, ...] = (
    ("identifier", "identifier", "text"), ("sender", "sender", "text"), ("sent", "sent", "moment"),
    ("status", "status", "text"), ("msgType", "message_type", "text"), ("source", "source", "text"),
    ("scope", "scope", "text"), ("restriction", "restriction", "text"), ("addresses", "addresses", "text"),
    ("code", "codes", "texts"), ("note", "note", "text"), ("references", "references", "references"),
    ("incidents", "incidents", "text"),
)  # fmt: skip
_INFO: tuple[Field, ...] = (
    ("language", "language", "text"), ("category", "categories", "texts"), ("event", "event", "text"),
    ("responseType", "response_types", "texts"), ("urgency", "urgency", "text"), ("severity", "severity", "text"),
    ("certainty", "certainty", "text"), ("audience", "audience", "text"), ("eventCode", "event_codes", "pairs"),
    ("effective", "effective", "moment"), ("onset", "onset", "moment"), ("expires", "expires", "moment"),
    ("senderName", "sender_name", "text"), ("headline", "headline", "text"), ("description", "description", "text"),
    ("instruction", "instruction", "text"), ("web", "web", "text"), ("contact", "contact", "text"),
    ("parameter", "parameters", "pairs"), ("resource", "resources", "resources"), ("area", "areas", "areas"),
)  # fmt: skip
_RESOURCE: tuple[Field, ...] = (
    ("resourceDesc", "description", "text"), ("mimeType", "media_type", "text"), ("size", "size", "number"),
    ("uri", "uri", "text"), ("digest", "digest", "text"),
)  # fmt: skip
_AREA: tuple[Field, ...] = (
    ("areaDesc", "description", "text"), ("polygon", "polygons", "texts"), ("circle", "circles", "texts"),
    ("geocode", "geocodes", "pairs"),
)  # fmt: skip


def write_cap(message: Message) -> bytes:
    """The message as XML, not signed yet."""
    spaces: Any = {None: SPACE}
    root = etree.Element(_tag("alert"), nsmap=spaces)
    _fill(root, message, _MESSAGE)
    for info in message.infos:
        _fill(etree.SubElement(root, _tag("info")), info, _INFO)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def read_cap(body: bytes) -> Message:
    """What a message says, signed or not. Raises InputError for what is no message of CAP 1.2."""
    root = parsed(body)
    if root.tag != _tag("alert"):
        raise InputError("not-xml", excerpt="no CAP 1.2 message")
    if fault := schema_fault(root):
        raise InputError("not-xml", excerpt=fault)
    infos = tuple(Info(**_read(each, _INFO)) for each in root.iterfind(_tag("info")))
    return Message(**_read(root, _MESSAGE), infos=infos)


def schema_fault(root: etree._Element) -> str:
    """Why it is not valid by the schema of OASIS; empty where it is."""
    schema = _schema()
    if schema.validate(root):
        return ""
    log: Any = schema.error_log
    error = log.last_error
    return f"line {error.line}: {error.message}"[:300] if error else "not valid"


def parsed(body: bytes) -> etree._Element:
    """XML without document type and entities, of a bounded size. Raises InputError."""
    if len(body) > LARGEST_BYTES:
        raise InputError("too-large")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError("not-xml", excerpt=str(error)[:200]) from error
    about: Any = root.getroottree().docinfo
    if about.doctype or any(isinstance(each, etree._Entity) for each in root.iter()):
        raise InputError("xml-entities")
    return root


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")


def moment_of(text: str) -> datetime:
    """Raises InputError for what is not a moment of CAP: `Z`, fractions, no offset."""
    if not _MOMENT.fullmatch(text):
        raise InputError("not-xml", excerpt=f"{text[:40]} is not a time of CAP")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError("not-xml", excerpt=f"{text[:40]} is not a time of CAP") from error


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(Path(__file__).with_name("cap-1.2.xsd"))))


def _tag(name: str) -> str:
    return f"{{{SPACE}}}{name}"


def _fill(parent: etree._Element, what: object, fields: tuple[Field, ...]) -> None:
    for element, attribute, form in fields:
        value = getattr(what, attribute)
        if value is None or value == "" or value == ():
            continue
        _WRITERS[form](parent, element, value)


def _put(parent: etree._Element, name: str, value: object) -> None:
    etree.SubElement(parent, _tag(name)).text = str(value)


def _put_all(parent: etree._Element, name: str, values: tuple[str, ...]) -> None:
    for value in values:
        _put(parent, name, value)


def _put_pairs(parent: etree._Element, name: str, pairs: tuple[Pair, ...]) -> None:
    for key, value in pairs:
        element = etree.SubElement(parent, _tag(name))
        _put(element, "valueName", key)
        _put(element, "value", value)


def _put_references(parent: etree._Element, name: str, references: tuple[Reference, ...]) -> None:
    said = (f"{each.sender},{each.identifier},{moment_text(each.sent)}" for each in references)
    _put(parent, name, " ".join(said))


def _put_parts(fields: tuple[Field, ...]) -> Callable[[etree._Element, str, Any], None]:
    def put(parent: etree._Element, name: str, parts: tuple[object, ...]) -> None:
        for part in parts:
            _fill(etree.SubElement(parent, _tag(name)), part, fields)

    return put


_WRITERS: dict[str, Callable[[etree._Element, str, Any], None]] = {
    "text": _put, "number": _put, "texts": _put_all, "pairs": _put_pairs, "references": _put_references,
    "moment": lambda parent, name, moment: _put(parent, name, moment_text(moment)),
    "resources": _put_parts(_RESOURCE), "areas": _put_parts(_AREA),
}  # fmt: skip


def _read(parent: etree._Element, fields: tuple[Field, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for element, attribute, form in fields:
        children = parent.findall(_tag(element))
        if children:
            found[attribute] = _READERS[form](children)
    if fields is _INFO:
        found.setdefault("language", "en-US")  # What CAP 1.2 takes it for (3.2.2).
    return found


def _text(element: etree._Element) -> str:
    return "".join(str(each) for each in element.itertext())


def _number(children: list[etree._Element]) -> int:
    try:
        return int(_text(children[0]))
    except ValueError as error:  # The schema allows numbers of any length.
        raise InputError("not-xml", excerpt="a number that is too long") from error


def _pairs(children: list[etree._Element]) -> tuple[Pair, ...]:
    return tuple((_text(each[0]), _text(each[1])) for each in children)


def _references(children: list[etree._Element]) -> tuple[Reference, ...]:
    return tuple(_each_reference(_text(children[0])))


def _each_reference(text: str) -> Iterator[Reference]:
    for each in text.split():
        parts = each.split(",")
        if len(parts) != 3:
            raise InputError("not-xml", field="references", excerpt=each[:80])
        yield Reference(parts[0], parts[1], moment_of(parts[2]))


_READERS: dict[str, Callable[[list[etree._Element]], Any]] = {
    "text": lambda children: _text(children[0]),
    "texts": lambda children: tuple(map(_text, children)),
    "number": _number,
    "moment": lambda children: moment_of(_text(children[0])),
    "pairs": _pairs,
    "references": _references,
    "resources": lambda children: tuple(Resource(**_read(each, _RESOURCE)) for each in children),
    "areas": lambda children: tuple(Area(**_read(each, _AREA)) for each in children),
}
