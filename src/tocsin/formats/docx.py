"""Word documents: body, notes and headers as text, then the addresses of their links. Macros are not run."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Unit

from ._documents import READ_LIMIT_BYTES, items_of

EXPANDED_BYTES = 512 << 20
EXPANSION_RATIO = 1_000
RATIO_FROM_BYTES = 64 << 20
WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
TEXT_PARTS = ("footnotes", "endnotes", "header", "footer", "comments")
PARSER_LIMITS = {"resolve_entities": False, "no_network": True, "huge_tree": False, "load_dtd": False}


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Page 1 is the body, page 2 notes, headers and comments, page 3 the links; then the heading."""
    from docx.opc.exceptions import OpcError
    from docx.package import Package
    from lxml import etree

    _refuse_bomb(source)
    with source.open() as stream:
        try:
            package = Package.open(stream)
            body = package.main_document_part
            title = package.core_properties.title or ""
        except (OpcError, zipfile.BadZipFile, KeyError, ValueError, etree.XMLSyntaxError, AttributeError) as error:
            raise InputError("document-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error
    yield from items_of(_pages(package, body), Heading(title=str(title)))


def everything_in(source: Source) -> Iterator[tuple[int, str] | Rejection]:
    """The pages of `read`, then as page 0 all texts of what says who wrote it. Pictures inside are Rejections."""
    from docx.opc.exceptions import OpcError
    from docx.package import Package
    from lxml import etree

    _refuse_bomb(source)
    with source.open() as stream:
        try:
            package = Package.open(stream)
            yield from _pages(package, package.main_document_part)
            for part in package.iter_parts():
                name = str(part.partname)
                if not name.endswith((".xml", ".rels")):
                    yield Rejection(0, Unit.PART, "attachment-kept", excerpt=name[:160])
                elif name.startswith("/docProps/"):
                    yield 0, part.blob.decode("utf-8", errors="replace")
        except (OpcError, zipfile.BadZipFile, KeyError, ValueError, etree.XMLSyntaxError, AttributeError) as error:
            raise InputError("document-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error


def _refuse_bomb(source: Source) -> None:
    """The directory's sizes bound what is read: zipfile gives no byte more than a member claims."""
    if source.size_bytes > READ_LIMIT_BYTES:
        raise InputError("too-large")
    try:
        with source.open() as stream, zipfile.ZipFile(stream) as archive:
            expanded = sum(info.file_size for info in archive.infolist())
            encrypted = any(info.flag_bits & 1 for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise InputError("document-damaged", excerpt=str(error)[:80]) from error
    over_ratio = expanded > RATIO_FROM_BYTES and expanded > EXPANSION_RATIO * source.size_bytes
    if expanded > EXPANDED_BYTES or over_ratio:
        raise InputError("archive-bomb")
    if encrypted:
        raise InputError("document-encrypted")


def _pages(package: Any, body: Any) -> Iterator[tuple[int, str] | Rejection]:
    links: dict[str, None] = {}
    yield _page(1, body)
    notes: list[str] = []
    for part in package.iter_parts():
        name = str(part.partname).rpartition("/")[2]
        if name.startswith(TEXT_PARTS):
            page = _page(2, part)
            if isinstance(page, Rejection):
                yield page
            else:
                notes.append(page[1])
        for relation in part.rels.values():
            if relation.is_external:
                links.setdefault(str(relation.target_ref)[:4000].removeprefix("mailto:"))
    yield 2, "\n".join(notes)
    yield 3, "\n".join(links)


def _page(number: int, part: Any) -> tuple[int, str] | Rejection:
    from lxml import etree

    try:
        root = etree.fromstring(part.blob, etree.XMLParser(**PARSER_LIMITS))  # type: ignore[arg-type]
    except (etree.XMLSyntaxError, ValueError) as error:
        return Rejection(number, Unit.PART, "document-damaged", excerpt=str(error)[:160])
    return number, "\n".join(_lines(root))


def _lines(root: Any) -> Iterator[str]:
    """One line per paragraph, table cells among them, in the order of the file."""
    from lxml import etree

    line: list[str] = []
    skipped_below: Any = None
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if skipped_below is not None:
            if event == "end" and node is skipped_below:
                skipped_below = None
            continue
        if event == "start" and node.tag == FALLBACK:
            skipped_below = node  # Says the same once more for old readers.
        elif event == "end" and node.tag in {f"{WORD}t", f"{WORD}instrText", f"{WORD}delText"}:
            line.append(node.text or "")
        elif event == "end" and node.tag in {f"{WORD}tab", f"{WORD}br", f"{WORD}cr"}:
            line.append(" ")
        elif event == "end" and node.tag == f"{WORD}p":
            yield "".join(line)
            line = []
    if line:
        yield "".join(line)


def recognise(sample: Sample) -> int:
    if not sample.head.startswith(b"PK\x03\x04"):
        return 0
    if b"word/" in sample.head:
        return 95
    return 40 if b"[Content_Types].xml" in sample.head and sample.name.lower().endswith((".docx", ".docm")) else 0


FORMAT = Format(
    name="docx",
    title="Word document",
    recognise=recognise,
    read=read,
    media_types=("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
    extensions=(".docx", ".docm", ".dotx"),
    text=False,
)
