"""Which encoding a text is in, and its text in UTF-8: by byte order mark, strictly, then by guess."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BINARY = "binary"
HEAD_BYTES = 256 << 10
CHUNK_BYTES = 1 << 20
GUESS_BYTES = 32 << 10
"""How much the statistical guess looks at: its time grows with the sample, its result hardly."""

BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # Before UTF-16, whose mark it begins with.
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
BINARY_BEGINNINGS = (
    b"%PDF-", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04", b"PK\x05\x06", b"PAR1", b"\x89PNG",
    b"\xff\xd8\xff", b"GIF8", b"ElfFile\x00", b"SQLite format 3\x00", b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4", b"ARROW1", b"\x7fELF", b"MZ\x90\x00", b"Obj\x01", b"ORC",
)  # fmt: skip
"""Beginnings of files that are never re-coded, though stretches of them may look like text."""

GUESSED = [
    "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "koi8_r", "koi8_u", "cp866", "cp850", "cp437", "cp852", "iso8859_2", "iso8859_5", "iso8859_6",
    "iso8859_7", "iso8859_8", "iso8859_9", "iso8859_13", "iso8859_15", "cp932", "euc_jp", "gb18030", "big5",
    "cp949", "mac_roman",
]  # fmt: skip
TEXT_CONTROLS = frozenset(b"\t\n\x0b\x0c\r\x1b\x00\x1a\x08")
HIGH_BYTES = bytes(range(0x80, 0x100))
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
PADDING = re.compile(rb"\0{16,}|\0+\Z")
ISO_2022_JP = re.compile(rb"\x1b\$[@B]|\x1b\(J")


def text_encoding(head: bytes) -> str:
    """The Python name of the encoding of a text's beginning; "binary" when it is not text."""
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    if head.startswith(BINARY_BEGINNINGS):
        return BINARY
    wide = _wide_encoding(head, head.rstrip(b"\0"))
    if wide:
        return wide
    padded = PADDING.sub(b"", head) if b"\0" in head else head
    if _odd_share(padded) > 0.02:
        return BINARY
    if first_wrong_byte(padded) is None:
        return "iso2022_jp" if ISO_2022_JP.search(padded) else "utf-8"
    return "utf-8" if _mostly_utf8(padded) else _guess(padded)


def first_wrong_byte(head: bytes) -> int | None:
    """Offset of the first byte that cannot be UTF-8; a character cut off at the end is not wrong."""
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(head, False)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _mostly_utf8(head: bytes) -> bool:
    """Whether UTF-8 characters outnumber the bytes that are none: several hands wrote the file."""
    whole = MULTIBYTE.findall(head)
    high_bytes = len(head) - len(head.translate(None, HIGH_BYTES))
    return len(whole) > high_bytes - sum(map(len, whole))


def _odd_share(head: bytes) -> float:
    """Share of bytes that no text holds."""
    if not head:
        return 0.0
    head = head[: 64 << 10]
    odd = sum(head.count(byte) for byte in range(32) if byte not in TEXT_CONTROLS) + max(
        0, head.count(0) - len(head) // 10
    )
    return odd / len(head)


def _wide_encoding(head: bytes, padded: bytes) -> str:
    """UTF-16 or UTF-32 without a mark, told by where the NUL bytes of common characters stand."""
    sample = head[: min(len(padded) + 3, 64 << 10)]
    sample = sample[: len(sample) // 4 * 4] or sample[: len(sample) // 2 * 2]
    if len(sample) < 4 or sample.count(0) < len(sample) // 5:
        return ""
    nulls = [sample[place::4].count(0) / len(sample[place::4]) for place in range(4)]
    if min(nulls[2], nulls[3]) > 0.9 and nulls[0] < 0.3:
        return _if_decodes(sample, "utf-32-le")
    if min(nulls[0], nulls[1]) > 0.9 and nulls[3] < 0.3:
        return _if_decodes(sample, "utf-32-be")
    if min(nulls[1], nulls[3]) > 0.35 and max(nulls[0], nulls[2]) < 0.1:
        return _if_decodes(sample, "utf-16-le")
    if min(nulls[0], nulls[2]) > 0.35 and max(nulls[1], nulls[3]) < 0.1:
        return _if_decodes(sample, "utf-16-be")
    return ""


def _if_decodes(sample: bytes, name: str) -> str:
    try:
        codecs.getincrementaldecoder(name)("strict").decode(sample, False)
    except UnicodeDecodeError:
        return ""
    return name


def _guess(sample: bytes) -> str:
    """The likeliest encoding of bytes that are not UTF-8: the part with the most to tell is looked at."""
    from charset_normalizer import from_bytes  # Imported late: most files never need it.

    wrong = first_wrong_byte(sample) or 0
    begin = max(0, wrong - GUESS_BYTES // 4)
    part = sample[begin : begin + GUESS_BYTES].replace(b"\0", b"")
    if part.count(b"\n") > 2 * (len(part) - len(part.translate(None, HIGH_BYTES))):
        # Few telling bytes: the lines that hold them say more than the whole.
        part = b"\n".join(line for line in part.split(b"\n") if not line.isascii()) or part
    found = from_bytes(part, cp_isolation=GUESSED).best()
    if found is None:
        return "cp1252"
    return found.encoding


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Take bytes that are no UTF-8 for Windows-1252, as files of several authors have them side by side."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", errors="replace"), error.end


codecs.register_error("tocsin-windows-1252", _as_windows_1252)


def recode(path: Path, work: Path) -> Path:
    """The same text in UTF-8 without mark and NUL bytes, as a new file under `work`, or `path` itself.

    Line ends are kept, but for texts without any LF, whose CR becomes LF. Bytes are looked at as a whole,
    since the first that is not UTF-8 may stand gigabytes in; nothing longer than a mebibyte is held.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        name = text_encoding(head)
        if name == BINARY:
            return path
        ends_in_null = _ends_in_null(stream)
        if name == "utf-8":
            wrong = _wrong_place(path)
            if wrong is not None and head.isascii():
                stream.seek(max(0, wrong - GUESS_BYTES // 2))
                name = _guess(stream.read(GUESS_BYTES))
        else:
            wrong = 0
        carriage_only = name in {"utf-8", "utf-8-sig"} and b"\r" in head and b"\n" not in head
        if name == "utf-8" and wrong is None and not carriage_only and not ends_in_null and b"\0" not in head:
            return path
        stream.seek(0)
        target = work / f"{path.name}.text"
        with target.open("wb") as out:
            for text in _decoded(stream, name):
                text = text.replace("\0", "")
                out.write((text.replace("\r", "\n") if carriage_only else text).encode("utf-8", "replace"))
    return target


def _ends_in_null(stream: BinaryIO) -> bool:
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 1))
    return stream.read(1) == b"\0"


def _wrong_place(path: Path) -> int | None:
    """Offset of the first byte of a file that is not UTF-8; plain ASCII passes at the speed of memory."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    place, pending = 0, False
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            if pending or not chunk.isascii():
                try:
                    decoder.decode(chunk, False)
                except UnicodeDecodeError as error:
                    return max(0, place + error.start - 3)
                pending = bool(decoder.getstate()[0])
            place += len(chunk)
    return max(0, place - 4) if pending else None


def _decoded(stream: BinaryIO, name: str) -> Iterator[str]:
    errors = "tocsin-windows-1252" if name in {"utf-8", "utf-8-sig"} else "replace"
    decoder = codecs.getincrementaldecoder(name)(errors)
    first = True
    while chunk := stream.read(CHUNK_BYTES):
        text = decoder.decode(chunk)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        yield text
    yield decoder.decode(b"", True)
