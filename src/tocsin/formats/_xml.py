"""XML from strangers: no document types, no entities, no network, bounded depth; read piece by piece.

libxml2 itself bounds depth (256) and the size of a text (10 MB) as long as `huge_tree` stays off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from tocsin.core.errors import InputError
from tocsin.core.reading import Source
from tocsin.formats._json import text_of

PROLOG = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
START_TAG = re.compile(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)((?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)")
NAMESPACE = re.compile(rb"xmlns(?::([\w.-]+))?\s*=\s*[\"']([^\"']*)[\"']")
PROLOG_LIMIT_BYTES = 1 << 20
TREE_LIMIT_BYTES = 64 << 20

Element = Any
"""lxml's elements; their stubs know them only by a private name."""


def root_of(head: bytes) -> tuple[str, str]:
    """(namespace, local name) of the root element at the beginning of a file; ("", "") when it is no XML.

    A document type stands before the root, so a file that has one shows its name here only to be refused later.
    """
    try:
        head = text_of(head[: len(head) & ~1] if head[:2] in (b"\xff\xfe", b"\xfe\xff") else head)
    except InputError:
        return "", ""
    at = _prolog(head)
    if head[at : at + 9].upper() == b"<!DOCTYPE":
        opened = re.compile(rb"<[A-Za-z_]").search(head, at + 9)
        at = opened.start() if opened else at
    found = START_TAG.match(head, at)
    if found is None:
        return "", ""
    prefix = (found[1] or b"")[:-1]
    spaces = {name or b"": uri for name, uri in NAMESPACE.findall(found[3])}
    return spaces.get(prefix, b"").decode("utf-8", "replace"), found[2].decode("utf-8", "replace")


def _prolog(head: bytes) -> int:
    found = PROLOG.match(head)
    return found.end() if found else 0


def refuse_doctype(head: bytes) -> None:
    """Raise InputError("xml-entities") where a document type stands before the root element."""
    try:
        head = text_of(head[: len(head) & ~3] if head[:2] in (b"\xff\xfe", b"\xfe\xff") else head)
    except InputError:
        return  # The parser says what is wrong with the encoding.
    at = _prolog(head)
    if head[at : at + 9].upper() == b"<!DOCTYPE" or (len(head) == PROLOG_LIMIT_BYTES and head[at : at + 2] == b"<!"):
        raise InputError("xml-entities", position=f"line {head.count(bytes([10]), 0, at) + 1}")


def _encoding(head: bytes) -> str | None:
    """UTF-8 where the bytes are UTF-8, whatever the declaration says: the opener re-codes but keeps it."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    try:
        head[: len(head) - 4].decode()
    except UnicodeDecodeError as error:
        return None if error.start < len(head) - 8 else "utf-8"
    return "utf-8"


def _guarded(stream: BinaryIO) -> str | None:
    """Refuse a document type, rewind, and answer the encoding to read with."""
    head = stream.read(PROLOG_LIMIT_BYTES)
    if not head.strip():
        raise InputError("empty-file")
    refuse_doctype(head)
    stream.seek(0)
    return _encoding(head)


def tree(source: Source, limit_bytes: int = TREE_LIMIT_BYTES) -> tuple[Element, bytes]:
    """(root element, whole bytes) of a small document. Raises InputError like `pieces`."""
    from lxml import etree  # Imported late, like all that most deliveries do not need.

    data = source.read_all(limit_bytes)
    with source.open() as stream:
        encoding = _guarded(stream)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, encoding=encoding,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise _explain(error) from error
    return root, data


def pieces(source: Source) -> Iterator[tuple[str, Element]]:
    """(start or end, element) events of a document of any size; the caller clears what it has used.

    Raises InputError xml-entities, not-xml, truncated, too-deep or empty-file.
    """
    from lxml import etree

    with source.open() as stream:
        encoding = _guarded(stream)
        events = etree.iterparse(
            stream, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False,
            dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True, encoding=encoding,
        )  # fmt: skip
        try:
            yield from events
        except etree.XMLSyntaxError as error:
            raise _explain(error) from error


def forget(element: Element) -> None:
    """Free an element that was used, and its elder brothers, so that memory stays bounded."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _explain(error: Any) -> InputError:
    """Why libxml2 stopped; where it only says that nothing came, its log's last entry names the cause."""
    text = str(error)
    line, column = error.position
    log: Any = error.error_log
    if "no element found" in text and len(log):
        text, line, column = str(log[-1].message), log[-1].line, log[-1].column
    lower = text.lower()
    if "entit" in lower:
        reason = "xml-entities"
    elif "depth" in lower:
        reason = "too-deep"
    elif "premature end" in lower or "no element found" in lower or "couldn't find end" in lower:
        reason = "truncated"
    else:
        reason = "not-xml"
    return InputError(reason, position=f"line {line} column {column}", excerpt=text[:120])


def name_of(element: Element) -> str:
    """Local name of an element."""
    tag = element.tag
    return tag.rpartition("}")[2] if type(tag) is str else ""


def text_in(element: Element, *path: str) -> str:
    """Text of the first descendant along local names, stripped; empty when there is none."""
    for name in path:
        element = next((child for child in element if name_of(child) == name), None)
        if element is None:
            return ""
    return (element.text or "").strip()


def canonical(element: Element) -> bytes:
    """The element alone, in exclusive canonical form: the same bytes whatever stood around it."""
    from lxml import etree

    tail, element.tail = element.tail, None
    try:
        return etree.tostring(element, method="c14n", exclusive=True)
    except etree.C14NError:  # Canonical XML forbids relative namespace names, which producers do use.
        return etree.tostring(element, encoding="utf-8", xml_declaration=False)
    finally:
        element.tail = tail
