"""The Ed25519 key of an installation (RFC 8032), as files that only its owner reads.

Public keys are given as PEM (for openssl) and as a line in the C2SP note form, `<name>+<key id>+<base64>`, where the
key id is the first four bytes of SHA-256(name, newline, 0x01, key): github.com/C2SP/C2SP, signed-note.md.
"""

from __future__ import annotations

import base64
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tocsin.core.errors import InputError

from ._private_files import write_new
from .content_keys import KeyMissing

FILE: Final = "signing-key.pem"
_RAW = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_ALGORITHM = b"\x01"  # Ed25519 in the C2SP note form.


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the name of who signs. Never shown: its repr names the public part only."""

    name: str
    seed: bytes = field(repr=False)
    """The 32 secret bytes."""

    @property
    def public_pem(self) -> bytes:
        return (
            self._private()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )

    @property
    def public_line(self) -> str:
        raw = self._private().public_key().public_bytes_raw()
        return f"{self.name}+{key_id(self.name, raw)}+{base64.b64encode(_ALGORITHM + raw).decode()}"

    @property
    def id(self) -> str:
        """Eight hexadecimal digits that people compare."""
        return key_id(self.name, self._private().public_key().public_bytes_raw())

    def sign(self, body: bytes) -> bytes:
        """The 64 bytes of a detached signature over `body`."""
        return self._private().sign(body)

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def load_or_make(folder: Path, name: str = "tocsin") -> SigningKey:
    """The installation's key in `folder`; a fresh one, readable by its owner alone, where there is none.

    Two processes that start at once end with the same key: the file appears whole or not at all.
    """
    clean = re.sub(r"[\s+]+", "-", name.strip()) or "tocsin"
    path = folder / FILE
    if not path.exists():
        write_new(path, _pem(Ed25519PrivateKey.generate()))
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError("invalid-object", field=FILE, excerpt="not an Ed25519 key")
    made = SigningKey(clean, key.private_bytes_raw())
    public = folder / "public-key.pem"
    if not public.exists():
        with suppress(OSError):  # Where the keys are lent by the system, nothing is written beside them.
            public.write_bytes(made.public_pem)
    return made


def number_in(folder: Path) -> str:
    """What tells the key in `folder` from others; empty where there is none. Raises KeyMissing for what is no key."""
    path = folder / FILE
    if not path.exists():
        return ""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyMissing(f"{path} is damaged: restore it from the backup of this installation's keys") from error
    return hashlib.sha256(key.public_key().public_bytes(*_RAW)).hexdigest()[:16]


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def verify(body: bytes, signature: bytes, public_pem: bytes) -> bool:
    """Whether `signature` over `body` was made by the owner of this public key; False for any other key type."""
    try:
        key = serialization.load_pem_public_key(public_pem)
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(name: str, raw: bytes) -> str:
    """Key id in the C2SP note form, as eight hexadecimal digits."""
    return hashlib.sha256(name.encode() + b"\n" + _ALGORITHM + raw).digest()[:4].hex()
