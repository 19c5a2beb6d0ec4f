"""The mark of a copy: a drawn number that stands in what one person takes away, and in the log beside who it was.

An archive carries it in its comment, outside the signed files; what must stay as it was received carries it in its
name alone. Whoever unpacks, renames or copies by hand gets rid of it: it finds the careless, and the log finds who
ever took it.
"""

from __future__ import annotations

import io
import re
import secrets
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter is taken for another when it is read out."""
LENGTH = 16
_MARK = re.compile(rf"TOC-[{_LETTERS}]{{{LENGTH}}}")
_END_BYTES = 22
"""Of a zip archive without comment: its end of central directory record (APPNOTE 4.3.16)."""
_BLOCK = 1 << 18
READ_BYTES = 64 << 20
"""So much of a file, from its end, is looked through for a mark."""


def draw() -> str:
    """A number that was never given and that nobody can guess: 80 bits."""
    return "TOC-" + "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


def comment_of(mark: str, taker: str) -> bytes:
    """What an archive says at its end."""
    return f"Copy {mark} of {taker}. Who took it is on record.".encode()[:1000]


def with_comment(opener: Callable[[], BinaryIO], comment: bytes) -> tuple[int, Iterator[bytes]]:
    """An archive with a comment: its size and its bytes. One that has a comment already comes as it is."""
    with opener() as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _END_BYTES))
        end = file.read(_END_BYTES)
    if end.startswith(b"PK\x05\x06") and end.endswith(b"\x00\x00"):
        return size + len(comment), _pieces(opener, size - 2, struct.pack("<H", len(comment)) + comment)
    return size, _pieces(opener, size, b"")


def _pieces(opener: Callable[[], BinaryIO], left: int, end: bytes) -> Iterator[bytes]:
    with opener() as file:
        while left and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
    yield end


def marked_name(name: str, mark: str) -> str:
    """`report.json` as `report.TOC-….json`."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.{mark}.{suffix}" if dot and stem else f"{name}.{mark}"


def marks_in(path: Path) -> list[str]:
    """The marks in a file's name and in the last of its bytes, in that order and each once."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - READ_BYTES))
        text = file.read().decode("latin-1")
    return list(dict.fromkeys(_MARK.findall(path.name) + _MARK.findall(text)))


def is_mark(text: str) -> bool:
    """Whether it is one, as written."""
    return _MARK.fullmatch(text) is not None
