"""Signed notes: a text with the signature of who stands by it, one file that people and programs read.

The form is that of C2SP signed-note: the text, an empty line, and for each signer a line of an em dash, the name and
base64 of the key id and the signature.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tocsin.core.errors import InputError

from .keys import SigningKey, key_id

_ED25519 = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a log had come: its name, its number of entries and its root (C2SP tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def signed(text: str, key: SigningKey) -> str:
    """The note of a text, which must end with a line feed."""
    if not text.endswith("\n"):
        raise ValueError("the text of a note ends with a line feed")
    body = bytes.fromhex(key.id) + key.sign(text.encode())
    return f"{text}\n— {key.name} {base64.b64encode(body).decode()}\n"


def opened(note: str, public_line: str) -> str:
    """The text of a note that the owner of this public key signed. Raises InputError when nobody of that key did.

    `public_line` is the key in the form `<name>+<key id>+<base64>`.
    """
    text, split, lines = note.rpartition("\n\n")
    text += "\n"
    name, hexadecimal, key = _public(public_line)
    for line in lines.split("\n") if split else ():
        start = f"— {name} "
        if not line.startswith(start):
            continue
        try:
            body = base64.b64decode(line.removeprefix(start), validate=True)
            if body[:4].hex() == hexadecimal:
                key.verify(body[4:], text.encode())
                return text
        except (ValueError, InvalidSignature):
            continue
    raise InputError("invalid-object", field="signature", excerpt=note[:80])


def checkpoint_of(text: str) -> Checkpoint:
    """What the text of a checkpoint says; lines beyond the third are extensions. Raises InputError for other texts."""
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    except (IndexError, ValueError) as error:
        raise InputError("invalid-object", field="checkpoint", excerpt=text[:80]) from error
    if not origin or size < 0 or len(root) != 32 or str(size) != lines[1]:
        raise InputError("invalid-object", field="checkpoint", excerpt=text[:80])
    return Checkpoint(origin, size, root)


def _public(line: str) -> tuple[str, str, Ed25519PublicKey]:
    name, _, rest = line.partition("+")
    hexadecimal, _, encoded = rest.partition("+")
    try:
        body = base64.b64decode(encoded, validate=True)
        key = Ed25519PublicKey.from_public_bytes(body[1:])
    except ValueError as error:
        raise InputError("invalid-object", field="public key", excerpt=line[:80]) from error
    if body[0] != _ED25519 or key_id(name, body[1:]) != hexadecimal:
        raise InputError("invalid-object", field="public key", excerpt=line[:80])
    return name, hexadecimal, key
