"""Passwords that leaked: a file of SHA-1 digests in ascending order, a line each, `DIGEST` or `DIGEST:HOW-OFTEN`.

The whole list is some 40 GB: it is searched by halving on the disk, some 36 reads, and nothing is kept in memory.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from tocsin.core.errors import InputError

_DIGEST_SIGNS = 40
_LINE_BYTES = 80
_LINE = re.compile(rb"[0-9A-Fa-f]{40}(:\d{1,15})?\r?\n?")


def digest_of(password: str) -> bytes:
    """As the list writes it. SHA-1 says here where to look, and protects nothing."""
    return hashlib.sha1(password.encode(errors="replace"), usedforsecurity=False).hexdigest().upper().encode()


def require_list(path: Path) -> None:
    """Raises InputError unless the file can be read and begins and ends as such a list does, in ascending order."""
    try:
        with path.open("rb") as file:
            first = file.readline(_LINE_BYTES)
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LINE_BYTES - 1))
            last = file.read().splitlines()[-1:]
    except OSError as error:
        raise InputError("invalid-object", position=str(path), excerpt=error.strerror or "") from error
    if not _LINE.fullmatch(first) or not last or not _LINE.fullmatch(last[0]):
        raise InputError("invalid-object", position=str(path), excerpt="no list of SHA-1 digests")
    if first[:_DIGEST_SIGNS].upper() > last[0][:_DIGEST_SIGNS].upper():
        raise InputError("invalid-object", position=str(path), excerpt="not in ascending order of the digests")


def is_in(path: Path, password: str) -> bool:
    """Whether the list holds the password. Raises OSError where it cannot be read."""
    wanted = digest_of(password)
    with path.open("rb") as file:
        low, high = 0, os.fstat(file.fileno()).st_size
        while low < high:
            middle = (low + high) // 2
            if middle:
                file.seek(middle - 1)
                file.readline(_LINE_BYTES)  # To the next beginning of a line, which may be the middle itself.
            else:
                file.seek(0)
            begins = file.tell()
            found = file.readline(_LINE_BYTES)[:_DIGEST_SIGNS].upper() if begins < high else b""
            if found == wanted:
                return True
            if found and found < wanted:
                low = file.tell()
            else:
                high = middle
    return False
