"""Whole files under the seal of `sealing`: piece by piece, so that no size is too large for memory.

Each piece is sealed apart and says which of how many it is: none can be left out, doubled or moved to another file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tocsin.core.errors import InputError

from .sealing import NONCE_BYTES, SealingKey

PIECE_BYTES = 1 << 20
_TAG_BYTES = 16


def seal_file(key: SealingKey, source: Path, target: Path, *, about: str) -> None:
    """Write the sealed file; durable when this returns."""
    cipher = ChaCha20Poly1305(key.secret)
    with source.open("rb") as plain, target.open("wb") as sealed:
        piece, number = plain.read(PIECE_BYTES), 0
        while True:
            following = plain.read(PIECE_BYTES)
            nonce = os.urandom(NONCE_BYTES)
            sealed.write(nonce + cipher.encrypt(nonce, piece, _about(about, number, is_last=not following)))
            if not following:
                break
            piece, number = following, number + 1
        sealed.flush()
        os.fsync(sealed.fileno())


def opened_file(key: SealingKey, path: Path, *, about: str) -> Iterator[bytes]:
    """The plain pieces. Raises InputError at the first that is not as it was sealed."""
    cipher = ChaCha20Poly1305(key.secret)
    size = NONCE_BYTES + PIECE_BYTES + _TAG_BYTES
    with path.open("rb") as sealed:
        body, number = sealed.read(size), 0
        while True:
            following = sealed.read(size)
            try:
                associated = _about(about, number, is_last=not following)
                yield cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], associated)
            except InvalidTag as error:
                raise InputError("invalid-object", field="sealed-file", excerpt=f"does not open {about}") from error
            if not following:
                return
            body, number = following, number + 1


def _about(about: str, number: int, *, is_last: bool) -> bytes:
    return f"file {about} {number} {'last' if is_last else 'more'}".encode()
