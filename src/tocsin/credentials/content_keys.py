"""What an installation holds of others, readable with a key alone that lies outside the database.

Two steps: what is sealed together (a batch, a file) has a data key of its own, and data keys are kept wrapped by the
installation's key, a file in its folder `keys`. So a new installation key is a matter of wrapping data keys anew, and
without its data key nothing that was sealed with it is ever read again.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b, sha256
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV, ChaCha20Poly1305

from tocsin.core.errors import Unavailable

from ._private_files import write_new

FILE: Final = "content-keys"
KEY_BYTES, NONCE_BYTES, TAG_BYTES, NUMBER_BYTES = 32, 12, 16, 8
MARK: Final = b"TSEAL1"
"""What everything sealed begins with; then the number of its data key."""
HEAD_BYTES = len(MARK) + NUMBER_BYTES
PIECE_BYTES = 1 << 20
PREFIX_BYTES = 7
_LINE = re.compile(r"([0-9a-f]{16}) ([0-9a-f]{64})")


class KeyMissing(Unavailable):
    """What is asked for is sealed, and the key that opens it is not here. Nothing of it is lost."""


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """Wraps data keys. Its number is no secret: the database says which key wrapped what."""

    secret: bytes = field(repr=False)

    @property
    def number(self) -> str:
        """What tells it from others."""
        return sha256(b"tocsin content key" + self.secret).hexdigest()[:16]

    def wrapped(self, key: DataKey) -> bytes:
        """The data key as it may lie in a database."""
        nonce = os.urandom(NONCE_BYTES)
        about = f"data key {key.number}".encode()
        return nonce + ChaCha20Poly1305(self.secret).encrypt(nonce, key.secret, about)

    def unwrapped(self, number: int, wrapped: bytes) -> DataKey:
        """The data key of this number. Raises KeyMissing where another key, or another number, was wrapped."""
        try:
            about = f"data key {number}".encode()
            secret = ChaCha20Poly1305(self.secret).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about)
        except (InvalidTag, ValueError) as error:
            raise KeyMissing(f"keys/{FILE} does not open what this database holds sealed") from error
        return DataKey(number, secret)


@dataclass(frozen=True)
class DataKey:
    """Seals and opens what belongs together (ChaCha20-Poly1305, RFC 8439)."""

    number: int
    secret: bytes = field(repr=False)

    @cached_property
    def _cipher(self) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(self.secret)

    @cached_property
    def _head(self) -> bytes:
        return MARK + self.number.to_bytes(NUMBER_BYTES, "big")

    def sealed(self, plain: bytes, about: str) -> bytes:
        """The sealed bytes, which name their key; each call gives others. `about` says what it is."""
        nonce = os.urandom(NONCE_BYTES)
        return self._head + nonce + self._cipher.encrypt(nonce, plain, about.encode())

    def opened(self, body: bytes, about: str) -> bytes:
        """What was sealed about this. Raises KeyMissing for what was sealed otherwise, or changed."""
        if number_of(body) != self.number:
            raise KeyMissing("this was sealed with another key")
        at = HEAD_BYTES + NONCE_BYTES
        try:
            return self._cipher.decrypt(body[HEAD_BYTES:at], body[at:], about.encode())
        except InvalidTag as error:
            raise KeyMissing(f"what is sealed about {about} was changed, or belongs elsewhere") from error

    def sealed_pieces(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """A stream, sealed piece by piece: none can be left out, moved, or put at the end (STREAM)."""
        prefix = os.urandom(PREFIX_BYTES)
        yield self._head + prefix
        for count, (piece, is_last) in enumerate(_cut(pieces)):
            yield self._cipher.encrypt(_piece_nonce(prefix, count, is_last), piece, self._head)

    def opened_pieces(self, stream: BinaryIO) -> Iterator[bytes]:
        """The pieces of what `sealed_pieces` gave. Raises KeyMissing where it was cut short or changed.

        `stream` gives as many bytes as it is asked for until its end, as files do.
        """
        head, prefix = stream.read(HEAD_BYTES), stream.read(PREFIX_BYTES)
        if head != self._head:
            raise KeyMissing("this was sealed with another key")
        body, count = stream.read(PIECE_BYTES + TAG_BYTES), 0
        while True:
            following = stream.read(PIECE_BYTES + TAG_BYTES)
            try:
                yield self._cipher.decrypt(_piece_nonce(prefix, count, not following), body, head)
            except (InvalidTag, ValueError) as error:
                raise KeyMissing("a sealed file was changed or cut short") from error
            if not following:
                return
            body, count = following, count + 1

    def token(self, text: bytes) -> int:
        """The number under which a text is found by whoever has the key."""
        digest = blake2b(text, digest_size=8, key=self.secret, person=b"tocsin find").digest()
        return int.from_bytes(digest, "little", signed=True)

    def word(self, plain: str) -> bytes:
        """The same sealed bytes for the same word, for counting what is equal (AES-SIV, RFC 5297)."""
        return self._head + self._words.encrypt(plain.encode(), [self._head])

    def opened_word(self, body: bytes) -> str:
        """The word. Raises KeyMissing for what another key sealed, or what was changed."""
        try:
            return self._words.decrypt(body[HEAD_BYTES:], [body[:HEAD_BYTES]]).decode()
        except (InvalidTag, ValueError) as error:
            raise KeyMissing("a sealed word was changed, or sealed with another key") from error

    @cached_property
    def _words(self) -> AESSIV:
        return AESSIV(blake2b(b"", digest_size=64, key=self.secret, person=b"tocsin words").digest())


def opened_file(path: Path, key: DataKey) -> BinaryIO:
    """A file that `sealed_pieces` made, to read here and there in it. What is opened has no name on the disk."""
    made = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - the caller closes it.
    with path.open("rb") as stream:
        for piece in key.opened_pieces(stream):
            made.write(piece)
    made.seek(0)
    return made


def fresh_data_key() -> DataKey:
    """A data key that nothing was sealed with."""
    return DataKey(secrets.randbits(63), os.urandom(KEY_BYTES))


def number_of(body: bytes) -> int | None:
    """The number of the data key that seals it; None for what is not sealed."""
    if not body.startswith(MARK) or len(body) < HEAD_BYTES:
        return None
    return int.from_bytes(body[len(MARK) : HEAD_BYTES], "big")


def installation_keys(folder: Path) -> dict[str, InstallationKey]:
    """Number → key, the one in use first; empty where there is none. Raises KeyMissing for a file that holds no key."""
    try:
        lines = (folder / FILE).read_text(encoding="ascii").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise KeyMissing(f"{folder / FILE} cannot be read: restore it from its backup") from error
    found = [_LINE.fullmatch(line.strip()) for line in lines if line.strip()]
    keys = [InstallationKey(bytes.fromhex(each[2])) for each in found if each is not None]
    named = {key.number: key for key in keys}
    if not keys or list(named) != [each[1] if each else "" for each in found]:
        raise KeyMissing(f"{folder / FILE} is damaged: restore it from its backup")
    return named


def make_installation_key(folder: Path) -> dict[str, InstallationKey]:
    """A first key, unless another process was quicker; then that one."""
    write_new(folder / FILE, _written([InstallationKey(os.urandom(KEY_BYTES))]))
    return installation_keys(folder)


def keep_installation_keys(folder: Path, keys: Iterable[InstallationKey]) -> None:
    """Write these keys in place of those that were there: whole or not at all, durable when this returns."""
    draft = folder / f"{FILE}-{secrets.token_hex(8)}"
    write_new(draft, _written(keys))
    draft.replace(folder / FILE)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(keys: Iterable[InstallationKey]) -> bytes:
    return "".join(f"{key.number} {key.secret.hex()}\n" for key in keys).encode()


def _piece_nonce(prefix: bytes, count: int, is_last: bool) -> bytes:
    return prefix + count.to_bytes(4, "big") + (b"\1" if is_last else b"\0")


def _cut(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Pieces of PIECE_BYTES and whether each is the last, of which there is always one.

    What comes in pieces of that size, as files are read, passes without a copy.
    """
    held = b""
    for each in pieces:
        if len(held) < PIECE_BYTES and held:
            room = PIECE_BYTES - len(held)
            held, each = held + each[:room], each[room:]
        at = 0
        while len(each) > at:
            if held:
                yield held, False
            held = each[at : at + PIECE_BYTES] if at or len(each) > PIECE_BYTES else each
            at += PIECE_BYTES
    yield held, True
