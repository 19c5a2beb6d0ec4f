"""Attachments say every text they show or carry, and say so where they cannot be read (W03)."""

from __future__ import annotations

import io
import struct
import zlib

import docx as word_documents
import pytest
import typst
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.reading import Source
from tocsin.handling.leaks import Place, Protected, Scanner, Secret, Text
from tocsin.transport.attachments import texts_of

SCANNER = Scanner([Protected("203.0.113.7", Secret.VICTIM), Protected("بنك الوطني", Secret.VICTIM)])


def read(content: bytes, name: str = "annex") -> list[Text]:
    return list(texts_of(Source(name, content=content), Place("annex", "en")))


def reasons(content: bytes, name: str = "annex") -> set[tuple[str, int]]:
    return {(each.why.value, each.place.page) for each in SCANNER.find(read(content, name))}


def pdf(source: str) -> bytes:
    return bytes(typst.compile(source.encode(), format="pdf"))


def exif(*, position: bool, software: bytes = b"Camera Ltd") -> bytes:
    """A directory of TIFF with a text, and one below it with a latitude."""
    gps = 8 + 2 + 12 * 2 + 4
    text = gps + 2 + 12 + 4 if position else gps
    entries = struct.pack("<HHII", 0x0131, 2, len(software), text)
    entries += struct.pack("<HHII", 0x8825, 4, 1, gps) if position else struct.pack("<HHII", 0x0112, 3, 1, 1)
    body = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2) + entries + struct.pack("<I", 0)
    if position:
        body += struct.pack("<H", 1) + struct.pack("<HHII", 2, 5, 3, text + len(software)) + struct.pack("<I", 0)
    return body + software + struct.pack("<6I", 48, 1, 51, 1, 24, 1)


def jpeg(*parts: tuple[int, bytes]) -> bytes:
    content = b"\xff\xd8"
    for marker, part in parts:
        content += struct.pack(">BBH", 0xFF, marker, len(part) + 2) + part
    return content + b"\xff\xda\x00\x08\x01\x01\0\0\x3f\0\x12\x34\xff\xd9"


def png(*parts: tuple[bytes, bytes]) -> bytes:
    chunks = [(b"IHDR", bytes(13)), *parts, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part)) for kind, part in chunks
    )


def test_a_pdf_says_its_pages_and_what_is_beside_them() -> None:
    content = pdf('#set document(title: "of 203[.]0[.]113[.]7")\nNothing here.\n#pagebreak()\nSeen: 203[.]0[.]113[.]7')
    assert reasons(content) == {("victim", 0), ("victim", 2)}
    assert reasons(pdf('A #link("https://203.0.113.7/x")[link].')) >= {("victim", 1)}


def test_a_pdf_in_arabic_is_read_both_ways() -> None:
    content = pdf(
        '#set text(lang: "ar", font: ("Noto Naskh Arabic", "Noto Sans Arabic", "DejaVu Sans"))\nبنك الوطني ٢٠٣٫٠٫١١٣٫٧'
    )
    found = {each.number for each in SCANNER.find(read(content))}
    unreadable = {each.why for each in SCANNER.find(read(content))}
    assert found >= {0, 1} or Secret.UNREADABLE in unreadable


@pytest.mark.parametrize("content", [
    jpeg((0xE1, b"Exif\0\0" + exif(position=False, software=b"203.0.113.7\0"))), jpeg((0xFE, b"203[.]0[.]113[.]7")),
    jpeg() + b"behind it 203.0.113.7", png((b"tEXt", b"Comment\x00203.0.113.7")),
    png((b"zTXt", b"Comment\0\0" + zlib.compress(b"203.0.113.7"))),
    png((b"iTXt", b"Comment\0\1\0ar\0\0" + zlib.compress("«٢٠٣٫٠٫١١٣٫٧»".encode()))),
    png((b"eXIf", exif(position=False, software=b"203.0.113.7\0"))),
    b"GIF89a" + bytes(7) + b"\x21\xfe\x0b203.0.113.7\0;",
    exif(position=False, software="203.0.113.7".encode("utf-16-le")),
    b"RIFF\x20\0\0\0WEBPXMP \x0b\0\0\0" b"203.0.113.7\0",
    "عنوان ٢٠٣٫٠٫١١٣٫٧".encode("utf-16"), b"<p>203&#46;0&#46;113&#46;7</p>",
])  # fmt: skip
def test_what_pictures_and_texts_carry_is_found(content: bytes) -> None:
    assert reasons(content) == {("victim", 0)}


@pytest.mark.parametrize("content", [
    jpeg((0xE1, b"Exif\0\0" + exif(position=True))), png((b"eXIf", exif(position=True))), exif(position=True),
    jpeg((0xE1, b'http://ns.adobe.com/xap/1.0/\0<x exif:GPSLatitude="48,51.4N"/>')),
])  # fmt: skip
def test_a_picture_that_says_where_it_was_taken_is_found(content: bytes) -> None:
    assert reasons(content) == {("position", 0)}


def test_a_clean_picture_is_no_find() -> None:
    assert reasons(jpeg((0xE0, b"JFIF\0\1\2"), (0xE1, b"Exif\0\0" + exif(position=False)))) == set()


def test_a_word_document_says_text_and_author() -> None:
    document, file = word_documents.Document(), io.BytesIO()
    document.add_paragraph("Nothing here.")
    document.core_properties.author = "203.0.113.7"
    document.save(file)
    assert ("victim", 0) in reasons(file.getvalue())


@pytest.mark.parametrize("content", [
    b"%PDF-1.7 broken", pdf("A page")[:400], jpeg((0xE1, b"Exif\0\0II*\0\xff\xff\0\0")), b"PK\x03\x04 and more",
    bytes(range(256)),
    png((b"zTXt", b"a\0\0no zip")), pdf(""), b"\x7fELF\0\0\0",
])  # fmt: skip
def test_what_cannot_be_read_is_a_finding(content: bytes) -> None:
    assert "unreadable" in {why for why, _page in reasons(content)}


def test_the_name_of_a_file_is_a_text_too() -> None:
    [one] = SCANNER.find(read(b"nothing", "report-203.0.113.7.txt"))
    assert one.place.field == "annex: name"


@given(place=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_broken_picture_is_read_or_refused(place: int, byte: int) -> None:
    whole = bytearray(jpeg((0xE1, b"Exif\0\0" + exif(position=True)), (0xFE, b"a remark")))
    whole[place % len(whole)] = byte
    assert read(bytes(whole))
