"""Short secrets that a database keeps for an installation: readable with a key alone that lies outside it.

The key is a file in the installation's folder `keys`. A sealed text says what it is about (whose, what for) under the
same seal, so that nobody can carry it from one row to another.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tocsin.core.errors import InputError

from ._private_files import write_new
from .content_keys import KeyMissing

FILE: Final = "sealing-key"
KEY_BYTES = 32
NONCE_BYTES = 12
FORM = "1."
"""Names the algorithm in everything sealed, so that another one can take its place beside it."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """The secret that seals and opens (ChaCha20-Poly1305, RFC 8439). Never shown."""

    secret: bytes = field(repr=False)

    @property
    def number(self) -> str:
        """What tells it from others, and is no secret."""
        return hashlib.sha256(b"tocsin sealing key" + self.secret).hexdigest()[:16]

    def seal(self, plain: bytes, about: str) -> str:
        """The sealed text; each call gives another one."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = ChaCha20Poly1305(self.secret).encrypt(nonce, plain, about.encode())
        return FORM + base64.b64encode(nonce + sealed).decode()

    def opened(self, sealed: str, about: str) -> bytes:
        """What was sealed about this. Raises InputError where it was sealed with another key or about another thing."""
        form, dot, text = sealed.rpartition(".")
        if form + dot not in {FORM, ""}:  # Without a form: from before there were names.
            raise InputError("invalid-object", field=FILE, excerpt=f"{about} is sealed in a form not known here")
        try:
            body = base64.b64decode(text, validate=True)
            return ChaCha20Poly1305(self.secret).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise InputError("invalid-object", field=FILE, excerpt=f"does not open {about}") from error


def sealing_key(folder: Path) -> SealingKey:
    """The installation's key in `folder`; a fresh one, readable by its owner alone, where there is none.

    Two processes that start at once end with the same key: the file appears whole or not at all.
    """
    path = folder / FILE
    if not path.exists():
        write_new(path, secrets.token_hex(KEY_BYTES).encode())
    return _read(path)


def number_in(folder: Path) -> str:
    """The number of the key in `folder`; empty where there is none. Raises KeyMissing for a file that holds no key."""
    path = folder / FILE
    return _read(path).number if path.exists() else ""


def _read(path: Path) -> SealingKey:
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise KeyMissing(f"{path} is damaged: restore it from the backup of this installation's keys") from error
    if len(secret) != KEY_BYTES:
        raise KeyMissing(f"{path} is damaged: restore it from the backup of this installation's keys")
    return SealingKey(secret)
