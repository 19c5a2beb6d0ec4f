"""What opens the files of a lake. Each file has a key of its own, which follows from the lake's and its beginning.

The beginning of a file, its prefix, is no secret: it names the lake's key and holds two random parts. The first
belongs to a writer, who is given what follows from it and can therefore seal new files and open nothing else; the
second belongs to the file. Parquet files are sealed by Parquet's own encryption; what lies beside them is covered by
AES in counter mode, so that any stretch of it is opened alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from tocsin.credentials.content_keys import KeyMissing

from . import buckets

MARK: Final = b"TLAKE1"
KEY_BYTES, NUMBER_BYTES, PART_BYTES, BLOCK_BYTES = 32, 8, 12, 16
WRITER_BYTES = len(MARK) + NUMBER_BYTES + PART_BYTES
PREFIX_BYTES = WRITER_BYTES + PART_BYTES
_FOOTER_MARK: Final = b"PARE"
"""Ends a Parquet file whose footer is sealed."""
_BEFORE_PREFIX: Final = bytes((0x1C, 0x1C, 0x18, PREFIX_BYTES))
"""How such a footer begins (Thrift's compact form): the algorithm is its first field, the prefix the first of that."""
_TAIL_BYTES: Final = 8
UINT64 = npt.NDArray[np.uint64]
Piece = tuple[int, memoryview, int, int]
"""Number of a stream, its covered bytes, first byte and end."""


def _derived(secret: bytes, salt: bytes, person: bytes) -> bytes:
    return blake2b(salt, key=secret, digest_size=KEY_BYTES, person=person).digest()


@dataclass(frozen=True, slots=True)
class FileKey:
    """Seals and opens one file and what lies beside it."""

    prefix: bytes
    secret: bytes = field(repr=False)

    @property
    def parquet(self) -> bytes:
        """The key of Parquet's own encryption."""
        return _derived(self.secret, b"", b"tocsin parquet")

    def veil(self) -> Veil:
        """What covers the tables beside the file."""
        return Veil(self.prefix, _derived(self.secret, b"", b"tocsin veil"), _derived(self.secret, b"", b"tocsin find"))


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes keys for new files, and can open no others: it may be given to a process that reads what strangers sent."""

    head: bytes
    secret: bytes = field(repr=False)

    def fresh(self) -> FileKey:
        """The key of a file that is yet to be written."""
        prefix = self.head + os.urandom(PART_BYTES)
        return FileKey(prefix, _derived(self.secret, prefix, b"tocsin lake file"))

    def told(self) -> list[str]:
        """Plain words, for the pipe to that process."""
        return [self.head.hex(), self.secret.hex()]

    @classmethod
    def of(cls, told: Iterable[str]) -> Writer:
        """What `told` told."""
        return cls(*map(bytes.fromhex, told))


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a lake: number → secret. Files that are not sealed are read without them."""

    known: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    seals: bool = True
    """Whether new files are sealed, with the first of them."""

    def writer(self) -> Writer | None:
        """What seals new files; None where they are written in the clear."""
        if not (self.known and self.seals):
            return None
        number, secret = self.known[0]
        head = MARK + number.to_bytes(NUMBER_BYTES, "big") + os.urandom(PART_BYTES)
        return Writer(head, _derived(secret, head, b"tocsin lake part"))

    def of(self, prefix: bytes) -> FileKey:
        """The key of the file that begins so. Raises KeyMissing."""
        number = number_of(prefix)
        for each, secret in self.known:
            if each == number:
                head = prefix[:WRITER_BYTES]
                part = _derived(secret, head, b"tocsin lake part")
                return FileKey(prefix, _derived(part, prefix, b"tocsin lake file"))
        raise KeyMissing("observations are sealed, and their key is not here")


PLAIN: Final = Keys()
"""Of a lake whose files are all in the clear."""


def number_of(prefix: bytes) -> int:
    """The number of the lake's key that seals the file. Raises KeyMissing for what is none of ours."""
    if len(prefix) != PREFIX_BYTES or not prefix.startswith(MARK):
        raise KeyMissing("this file of observations was sealed by something else")
    return int.from_bytes(prefix[len(MARK) : len(MARK) + NUMBER_BYTES], "big")


def prefix_in(path: Path) -> bytes | None:
    """How a Parquet file begins that is sealed; None for one in the clear."""
    with buckets.opened(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - _TAIL_BYTES, 0))
        tail = stream.read()
        if tail[-len(_FOOTER_MARK) :] != _FOOTER_MARK:
            return None
        stream.seek(max(size - _TAIL_BYTES - int.from_bytes(tail[:4], "little"), 0))
        head = stream.read(len(_BEFORE_PREFIX) + PREFIX_BYTES)
    if not head.startswith(_BEFORE_PREFIX):
        raise KeyMissing(f"{path.name} was sealed by something else")
    return head[len(_BEFORE_PREFIX) :]


def sealed_by(path: Path) -> int | None:
    """The number of the lake's key that seals a Parquet file; None where it lies in the clear."""
    prefix = prefix_in(path)
    return None if prefix is None else number_of(prefix)


class Veil:
    """AES-256 over the bytes of the tables beside one file, in numbered streams; and the tokens of its hashes.

    A token is half a block of AES over the hash of a text: without the key no text can be tried against it. Nothing is
    signed: whoever can write to the store can damage what is derived, as before, and `verify` looks at Parquet alone.
    """

    def __init__(self, prefix: bytes, secret: bytes, find: bytes) -> None:
        self.prefix = prefix
        self._secret = secret
        self._lock = threading.Lock()
        self._blocks, self._tokens = _encryptor(secret), _encryptor(find)

    def covered(self, body: bytes | memoryview, stream: int) -> bytes:
        """All bytes of a stream, covered; or opened again."""
        return self._from(stream, 0).update(body)

    def stretch(self, piece: Piece) -> bytes:
        """One long piece, opened."""
        stream, body, start, end = piece
        skipped = start % BLOCK_BYTES
        return self._from(stream, start // BLOCK_BYTES).update(bytes(skipped) + bytes(body[start:end]))[skipped:]

    def opened(self, pieces: Iterable[Piece]) -> list[bytes]:
        """Many short pieces, opened at once."""
        wanted = list(pieces)
        numbers = b"".join(
            ((stream << 64) | number).to_bytes(BLOCK_BYTES, "big")
            for stream, _, start, end in wanted
            for number in range(start // BLOCK_BYTES, -(-end // BLOCK_BYTES))
        )
        with self._lock:
            pad = self._blocks.update(numbers)
        found, at = [], 0
        for _, body, start, end in wanted:
            skipped, length = start % BLOCK_BYTES, end - start
            stretch = int.from_bytes(pad[at + skipped : at + skipped + length], "big")
            found.append((int.from_bytes(body[start:end], "big") ^ stretch).to_bytes(length, "big"))
            at += -(-(skipped + length) // BLOCK_BYTES) * BLOCK_BYTES
        return found

    def tokens(self, codes: UINT64) -> UINT64:
        """The number that stands in the file for each hash."""
        blocks = np.zeros((len(codes), 2), "<u8")
        blocks[:, 0] = codes
        with self._lock:
            made = self._tokens.update(blocks.data.cast("B")) if len(codes) else b""
        return np.frombuffer(made, "<u8")[::2].astype(np.uint64)

    def _from(self, stream: int, block: int) -> CipherContext:
        counter = ((stream << 64) | block).to_bytes(BLOCK_BYTES, "big")
        return Cipher(algorithms.AES(self._secret), modes.CTR(counter)).encryptor()


def _encryptor(secret: bytes) -> Any:
    # One block at a time of numbers that never come twice under one key: a counter, or a hash.
    return Cipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305
