"""PDF documents: text page by page, with the addresses that each page links to. Scripts in them are not run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any, BinaryIO

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Unit

from ._documents import READ_LIMIT_BYTES, items_of

PAGES = 20_000
"""Pages looked at: a report of more is not a report."""
LINKS_PER_PAGE = 2_000
OBJECTS = 200_000
DEPTH = 30
UNKNOWN_SIGN = "(cid:"
"""How the library writes a letter of which the document does not say which it is."""


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Proposals with page numbers from 1, then the heading. Time and memory are the caller's to limit."""
    with source.open() as stream:
        document = _document(source, stream)
        yield from items_of(_pages(document), Heading(title=_title(document)))


def everything_in(source: Source) -> Iterator[tuple[int, str | bytes] | Rejection]:
    """The text of each page from 1, and as page 0 whatever else it carries: every text outside the pages (names of
    authors, remarks, forms, links), and the bytes of its pictures. A Rejection is a part that could not be read.
    """
    with source.open() as stream:
        document = _document(source, stream)
        for page in _pages(document):
            if isinstance(page, Rejection):
                yield page
                continue
            number, text = page
            if UNKNOWN_SIGN in text or not text.strip():
                yield Rejection(number, Unit.PAGE, "document-damaged", excerpt="a page whose letters cannot be read")
            yield number, text
        yield from _beside_pages(document)


def _document(source: Source, stream: BinaryIO) -> Any:
    from pdfminer.pdfdocument import PDFDocument, PDFEncryptionError, PDFPasswordIncorrect
    from pdfminer.pdfexceptions import PDFException
    from pdfminer.pdfparser import PDFParser
    from pdfminer.psexceptions import PSException

    logging.getLogger("pdfminer").setLevel(logging.ERROR)
    if source.size_bytes > READ_LIMIT_BYTES:
        raise InputError("too-large")
    try:
        return PDFDocument(PDFParser(stream))
    except (PDFPasswordIncorrect, PDFEncryptionError) as error:
        raise InputError("document-encrypted") from error
    except (PDFException, PSException, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError("document-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error


def _beside_pages(document: Any) -> Iterator[tuple[int, str | bytes] | Rejection]:
    """Every text and picture of the objects of a document, whoever refers to them."""
    from pdfminer.pdftypes import PDFStream

    texts: list[str] = [_strings(each) for each in document.info]
    numbers = sorted({number for each in document.xrefs for number in each.get_objids()})
    if len(numbers) > OBJECTS:
        yield Rejection(0, Unit.OBJECT, "too-large")
    for number in numbers[:OBJECTS]:
        try:
            found = document.getobj(number)
            texts.append(_strings(found.attrs if isinstance(found, PDFStream) else found))
            if isinstance(found, PDFStream):
                if _word(found.get("Type")) == "EmbeddedFile":
                    yield Rejection(number, Unit.FILE, "attachment-kept", excerpt="a file inside the document")
                elif _word(found.get("Type")) == "Metadata":
                    texts.append(found.get_data().decode("utf-8", errors="replace"))
                elif _word(found.get("Subtype")) == "Image":
                    yield 0, found.get_rawdata() or b""
        except MemoryError:
            raise
        except Exception as error:  # The library raises whatever a broken object leads it to.
            yield Rejection(number, Unit.OBJECT, "document-damaged", excerpt=f"{type(error).__name__}: {error}"[:160])
    yield 0, "\n".join(text for text in texts if text)


def _word(value: Any) -> str:
    return str(getattr(value, "name", ""))


def _strings(value: Any, depth: int = 0) -> str:
    """The texts in an object, one a line; what it only refers to comes by itself."""
    from pdfminer.utils import decode_text

    if isinstance(value, bytes):
        return str(decode_text(value)).replace("\0", "")
    if depth < DEPTH and isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return "\n".join(text for each in inner if (text := _strings(each, depth + 1)))
    return ""


def _pages(document: Any) -> Iterator[tuple[int, str] | Rejection]:
    from pdfminer.converter import TextConverter
    from pdfminer.layout import LAParams
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
    from pdfminer.pdfpage import PDFPage

    resources = PDFResourceManager(caching=False)
    pages = PDFPage.create_pages(document)
    number = 0
    while True:
        number += 1
        out = StringIO()
        try:
            page = next(pages, None)
            if page is None:
                break
            if number > PAGES:
                yield Rejection(number, Unit.PAGE, "too-large")
                break
            converter = TextConverter(resources, out, laparams=LAParams(boxes_flow=None))
            PDFPageInterpreter(resources, converter).process_page(page)
            text = "\n".join([out.getvalue().replace("\0", " ").replace("\f", "\n"), *_links(page)])
        except (MemoryError, InputError):
            raise
        except Exception as error:  # The library raises whatever a broken page leads it to.
            yield Rejection(number, Unit.PAGE, "document-damaged", excerpt=f"{type(error).__name__}: {error}"[:160])
            continue
        yield number, text
    if number == 1:
        yield Rejection(1, Unit.PAGE, "document-damaged", excerpt="no pages")


def _links(page: Any) -> Iterator[str]:
    """Addresses of the page's link annotations: what is shown may be other than where it leads."""
    from pdfminer.pdftypes import resolve1

    annotations = resolve1(page.annots)
    for entry in (annotations if isinstance(annotations, list) else [])[:LINKS_PER_PAGE]:
        annotation = resolve1(entry)
        action = resolve1(annotation.get("A")) if isinstance(annotation, dict) else None
        address = resolve1(action.get("URI")) if isinstance(action, dict) else None
        if isinstance(address, bytes):
            yield address[:4000].decode("utf-8", errors="replace").removeprefix("mailto:").removeprefix("tel:")


def _title(document: Any) -> str:
    from pdfminer.pdftypes import resolve1
    from pdfminer.utils import decode_text

    for information in document.info:
        title = resolve1(information.get("Title")) if isinstance(information, dict) else None
        if isinstance(title, bytes):
            return str(decode_text(title)).replace("\0", "")
    return ""


def recognise(sample: Sample) -> int:
    # Some writers put blanks or a mail's header before the mark; readers look for it in the first kibibyte.
    return 95 if b"%PDF-" in sample.head[:1024] else 0


FORMAT = Format(
    name="pdf",
    title="PDF document",
    recognise=recognise,
    read=read,
    media_types=("application/pdf",),
    extensions=(".pdf",),
    text=False,
)
