"""PDF documents made anew: what is drawn on their pages comes through, and nothing else that the file carried.

Strangers made the file: this runs in the sandbox. Scripts, actions, files inside, forms, annotations, layers, marks in
the drawing (which may hold other words than are shown), and all metadata stay behind, also those of pictures.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tocsin.core.errors import InputError

FILE_BYTES: Final = 10 << 20
MOST_PAGES: Final = 60
MOST_OBJECTS: Final = 50_000
MOST_SIDE: Final = 14_400
DEPTH: Final = 40
_KEPT: Final = ("/MediaBox", "/CropBox", "/Rotate", "/Resources", "/Contents")
_LEFT: Final = frozenset({
    "/A", "/AA", "/AF", "/Alternates", "/Annots", "/EF", "/JS", "/LastModified", "/Metadata", "/Names", "/OC", "/OPI",
    "/OpenAction", "/PieceInfo", "/Properties", "/PS", "/Ref", "/StructParent", "/StructParents", "/URI",
})  # fmt: skip
"""Keys that no drawing needs."""
_LEFT_OF_STREAMS: Final = frozenset({"/F", "/FFilter", "/FDecodeParms"})
"""They say that the bytes lie in another file."""
_MARKS: Final = frozenset({"BDC", "BMC", "EMC", "MP", "DP"})


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A document that may be shown."""

    body: bytes
    pages: int


def rewritten(content: bytes) -> Rewritten:
    """The same pages in a new file; the same file gives the same bytes. Raises InputError with a reason."""
    import pikepdf

    logging.getLogger("pikepdf").setLevel(logging.ERROR)
    if len(content) > FILE_BYTES:
        raise InputError("annex-too-large")
    if b"%PDF-" not in content[:1024]:
        raise InputError("annex-kind")
    try:
        with pikepdf.open(io.BytesIO(content)) as given:
            if given.is_encrypted:
                raise InputError("document-encrypted")
            return _made(pikepdf, given)
    except pikepdf.PasswordError as error:
        raise InputError("document-encrypted") from error
    except (pikepdf.PdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError,
            RecursionError, NotImplementedError) as error:  # fmt: skip
        raise InputError("document-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error


def _made(pikepdf: Any, given: Any) -> Rewritten:
    count = len(given.pages)
    if not count:
        raise InputError("document-damaged", excerpt="no pages")
    if count > MOST_PAGES:
        raise InputError("annex-too-many-pages", excerpt=str(count))
    if len(given.objects) > MOST_OBJECTS:
        raise InputError("annex-too-large", excerpt=f"{len(given.objects)} objects")
    if "/AcroForm" in given.Root or any("/Annots" in page.obj for page in given.pages):
        # What fields and notes show is part of the page that people saw: it is drawn, and read with the rest.
        given.flatten_annotations("screen")
    new = pikepdf.new()
    for page in given.pages:
        bare = pikepdf.Dictionary(Type=pikepdf.Name.Page)
        for name in _KEPT:
            value = _inherited(page.obj, name)
            if value is not None:
                bare[name] = value
        if "/MediaBox" not in bare:
            raise InputError("document-damaged", excerpt="a page without a size")
        new.pages.append(pikepdf.Page(given.make_indirect(bare)))
    for place, each in enumerate(list(new.objects)):
        if place > MOST_OBJECTS:
            raise InputError("annex-too-large")
        _clean(pikepdf, each, 0)
    for page in new.pages:
        page.Contents = new.make_stream(_drawing(pikepdf, page))
    for each in list(new.objects):
        if isinstance(each, pikepdf.Stream):
            _clean_stream(pikepdf, each)
    out = io.BytesIO()
    new.remove_unreferenced_resources()
    new.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=True)
    return Rewritten(out.getvalue(), count)


def _inherited(page: Any, name: str) -> Any:
    """What the page says, or a node above it."""
    node = page
    for _ in range(DEPTH):
        if name in node:
            return node[name]
        if "/Parent" not in node:
            return None
        node = node["/Parent"]
    return None


def _clean(pikepdf: Any, value: Any, depth: int) -> None:
    if depth > DEPTH:
        raise InputError("document-damaged", excerpt="nested too deeply")
    if isinstance(value, pikepdf.Array):
        for each in list(value.as_list()):
            if not each_is_plain(pikepdf, each):
                _clean(pikepdf, each, depth + 1)
        return
    if not isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
        return
    left = _LEFT | (_LEFT_OF_STREAMS if isinstance(value, pikepdf.Stream) else frozenset())
    for name in list(value.keys()):
        if name in left:
            del value[name]
            continue
        inner = value[name]
        if not each_is_plain(pikepdf, inner):
            _clean(pikepdf, inner, depth + 1)


def each_is_plain(pikepdf: Any, value: Any) -> bool:
    """Whether there is nothing to look into: numbers and words; what is an object of its own is looked at by itself."""
    return not isinstance(value, pikepdf.Object) or value.is_indirect


def _drawing(pikepdf: Any, of: Any) -> bytes:
    """The steps of a drawing without marks and remarks."""
    steps = pikepdf.parse_content_stream(of)
    kept = [
        each for each in steps if isinstance(each, pikepdf.ContentStreamInlineImage) or str(each.operator) not in _MARKS
    ]
    return bytes(pikepdf.unparse_content_stream(kept))


def _clean_stream(pikepdf: Any, stream: Any) -> None:
    kind = str(stream.get("/Subtype", ""))
    if kind == "/PS":
        raise InputError("document-damaged", excerpt="a program of PostScript")
    if kind == "/Form":
        stream.write(_drawing(pikepdf, stream))
    elif kind == "/Image" and _filters(stream) == ["/DCTDecode"]:
        stream.write(bare_jpeg(stream.read_raw_bytes()), filter=stream["/Filter"],
                     decode_parms=stream.get("/DecodeParms"))  # fmt: skip


def _filters(stream: Any) -> list[str]:
    found = stream.get("/Filter")
    if found is None:
        return []
    return (
        [str(each) for each in found] if hasattr(found, "as_list") and not str(found).startswith("/") else [str(found)]
    )


def bare_jpeg(content: bytes) -> bytes:
    """A JPEG file without remarks and without what cameras write: only its points and how their colours are meant.

    Raises InputError where it is none.
    """
    return b"".join(_segments(content))


def _segments(content: bytes) -> Iterator[bytes]:
    if not content.startswith(b"\xff\xd8"):
        raise InputError("document-damaged", excerpt="a picture")
    yield content[:2]
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            raise InputError("document-damaged", excerpt="a picture")
        kind = content[at + 1]
        if kind == 0xFF:
            at += 1
            continue
        if kind == 0xDA:  # From here on there are points; what follows their end is nobody's.
            end = content.rfind(b"\xff\xd9")
            yield content[at : end + 2 if end > at else len(content)]
            return
        size = int.from_bytes(content[at + 2 : at + 4], "big")
        # 0xEE says how the colours are meant; other marks of applications, and remarks (0xFE), are words.
        if size < 2 or at + 2 + size > len(content):
            raise InputError("document-damaged", excerpt="a picture")
        if not (0xE0 <= kind <= 0xEF and kind != 0xEE) and kind != 0xFE:
            yield content[at : at + 2 + size]
        at += 2 + size
    raise InputError("document-damaged", excerpt="a picture")
