"""What pictures carry beside what they show: texts in their metadata, and whether they say where they were taken.

Pixels are not read: a person has to look at what a picture shows.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.core.errors import InputError

INFLATED_BYTES = 4 << 20
ENTRIES = 4_000
"""Entries of one directory of TIFF: a picture has some dozens."""
DIRECTORIES = 20
_STRINGS = re.compile(rb"[\x20-\x7e\t\r\n]{6,}")
_WIDE_STRINGS = re.compile(rb"(?:[\x20-\x7e]\x00){6,}")
_POSITION = re.compile(
    r"GPS(?:Latitude|Longitude|Position|Coordinates)|(?:geo:lat|Iptc4xmpExt:Location)", re.IGNORECASE
)
_GPS_TAGS = frozenset({1, 2, 3, 4})
_INNER_TAGS = frozenset({0x8769, 0x8825, 0xA005, 0x014A})
_GPS_DIRECTORY = 0x8825


@dataclass(frozen=True, slots=True)
class Carried:
    """The texts of a picture's metadata."""

    texts: tuple[str, ...]
    has_position: bool


def is_picture(head: bytes) -> bool:
    """Whether it is a picture whose metadata can be read."""
    return _reader_of(head) is not None


def carried(content: bytes) -> Carried:
    """What a picture carries; raises InputError("document-damaged") where its parts do not fit together."""
    reader = _reader_of(content)
    if reader is None:
        raise InputError("unknown-format")
    texts: list[str] = []
    has_position = False
    try:
        for name, part in reader(content):
            if name == "tiff":
                found, is_placed = _directories(part)
                texts += found
                has_position = has_position or is_placed
            texts.append(_text(part))
    except (struct.error, IndexError, zlib.error, ValueError) as error:
        raise InputError("document-damaged", excerpt=f"{type(error).__name__}: {error}"[:80]) from error
    # What lies outside all known parts, such as behind the end of the picture.
    texts += [found[0].decode("ascii") for found in _STRINGS.finditer(content)]
    texts += [found[0].decode("utf-16-le") for found in _WIDE_STRINGS.finditer(content)]
    has_position = has_position or any(_POSITION.search(text) for text in texts)
    return Carried(tuple(dict.fromkeys(text for text in texts if text.strip())), has_position)


def _reader_of(head: bytes):  # type: ignore[no-untyped-def]
    if head.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp
    if head.startswith((b"II*\0", b"MM\0*")):
        return _tiff
    return _gif if head.startswith((b"GIF87a", b"GIF89a")) else None


def _text(part: bytes) -> str:
    if part.startswith((b"\xff\xfe", b"\xfe\xff")):
        return part.decode("utf-16", errors="replace")
    return part.decode("utf-8", errors="replace").replace("\0", " ").replace("\ufffd", " ")


Part = tuple[str, bytes]


def _jpeg(content: bytes) -> Iterator[Part]:
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            raise ValueError("no marker")
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xD9:
            return
        if marker == 0xDA:  # Pixels follow; what lies behind them is found as strings.
            return
        (size,) = struct.unpack_from(">H", content, place + 2)
        part = content[place + 4 : place + 2 + size]
        if size < 2 or len(part) != size - 2:
            raise ValueError("a part is longer than the file")
        if marker == 0xE1 and part.startswith(b"Exif\0"):
            yield "tiff", part[6:]
        elif marker == 0xFE or 0xE1 <= marker <= 0xEF:
            yield "text", part
        place += 2 + size
    raise ValueError("no picture")


def _png(content: bytes) -> Iterator[Part]:
    place = 8
    while True:
        (size,) = struct.unpack_from(">I", content, place)
        kind, part = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        if len(part) != size:
            raise ValueError("a part is longer than the file")
        place += size + 12
        match kind:
            case b"IEND":
                return
            case b"eXIf":
                yield "tiff", part
            case b"zTXt":
                name, _zero, rest = part.partition(b"\0")
                yield "text", name + b" " + _inflated(rest[1:])
            case b"iTXt":
                name, _zero, rest = part.partition(b"\0")
                head, text = rest[:2], rest[2:].split(b"\0", 2)[-1]
                yield "text", name + b" " + (_inflated(text) if head[:1] == b"\1" else text)
            case b"IDAT" | b"IHDR" | b"PLTE":
                continue
            case _:
                yield "text", part


def _inflated(packed: bytes) -> bytes:
    opener = zlib.decompressobj()
    content = opener.decompress(packed, INFLATED_BYTES)
    if opener.unconsumed_tail:
        raise ValueError("a text is too long")
    return content


def _webp(content: bytes) -> Iterator[Part]:
    place = 12
    while place + 8 <= len(content):
        kind, size = content[place : place + 4], struct.unpack_from("<I", content, place + 4)[0]
        part = content[place + 8 : place + 8 + size]
        if len(part) != size:
            raise ValueError("a part is longer than the file")
        if kind == b"EXIF":
            yield "tiff", part.removeprefix(b"Exif\0\0")
        elif kind not in {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}:
            yield "text", part
        place += 8 + size + size % 2


def _tiff(content: bytes) -> Iterator[Part]:
    yield "tiff", content


def _gif(content: bytes) -> Iterator[Part]:
    yield "text", content[:13]


def _directories(content: bytes) -> tuple[list[str], bool]:
    """The texts in the directories of TIFF (as of EXIF), and whether one holds a position."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        raise ValueError("no byte order")
    waiting = [(struct.unpack_from(f"{order}I", content, 4)[0], False)]
    texts, has_position = [], False
    seen: set[int] = set()
    while waiting and len(seen) < DIRECTORIES:
        start, is_gps = waiting.pop()
        if start == 0 or start in seen:
            continue
        seen.add(start)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        for number in range(min(count, ENTRIES)):
            tag, kind, many, value = struct.unpack_from(f"{order}HHII", content, start + 2 + number * 12)
            if tag in _INNER_TAGS:
                waiting.append((value, tag == _GPS_DIRECTORY))
            has_position = has_position or (is_gps and tag in _GPS_TAGS)
            if kind in {1, 2, 7} and 4 < many <= len(content):
                texts += _entry(content[value : value + many])
        if start + 6 + count * 12 <= len(content):
            waiting.append((struct.unpack_from(f"{order}I", content, start + 2 + count * 12)[0], False))
    return texts, has_position


def _entry(part: bytes) -> list[str]:
    """A text of one entry: in UTF-8, and where every other byte is empty in UTF-16 as one system writes it."""
    found = [_text(part.removeprefix(b"UNICODE\0").removeprefix(b"ASCII\0\0\0"))]
    if part[1::2].count(0) * 2 > len(part) // 2:
        found.append(part.decode("utf-16-le", errors="replace").replace("\0", " "))
    return found
