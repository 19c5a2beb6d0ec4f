"""The content-addressed store of deliveries: every byte as received, under its SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tocsin.core.errors import InputError
from tocsin.lake.files import sync

CHUNK_BYTES = 1 << 20
RESERVE_BYTES = 256 << 20
"""Room that must stay free: the database and the log must always be able to write."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are safely on disk."""

    sha256: str
    size_bytes: int


def delivery_path(store: Path, sha256: str) -> Path:
    """Where the bytes with this digest lie."""
    return store / "deliveries" / sha256[:2] / sha256


def keep(
    store: Path,
    chunks: Iterable[bytes],
    limit_bytes: int,
    *,
    seal: Callable[[Iterable[bytes]], Iterable[bytes]] = lambda plain: plain,
    is_whole: Callable[[Path], bool] = lambda path: False,
) -> Kept:
    """Write a stream into the store, as `seal` makes it; durable when this returns.

    A file with the same bytes that is there stays, if `is_whole` says that it can be read.
    Raises InputError("too-large") or InputError("no-space"); then nothing of it is left behind.
    """
    incoming = store / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    temporary = incoming / secrets.token_hex(16)
    digest, size = hashlib.sha256(), 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for chunk in chunks:
            size += len(chunk)
            if size > limit_bytes:
                raise InputError("too-large")
            digest.update(chunk)
            if size // (64 << 20) != (size - len(chunk)) // (64 << 20):
                _require_room(store)
            yield chunk

    try:
        with temporary.open("xb") as target:
            for piece in seal(counted()):
                target.write(piece)
            _require_room(store)
            target.flush()
            os.fsync(target.fileno())
        final = delivery_path(store, digest.hexdigest())
        final.parent.mkdir(parents=True, exist_ok=True)
        if not (final.is_file() and is_whole(final)):
            temporary.replace(final)
        sync(final.parent)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise InputError("no-space") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
    return Kept(digest.hexdigest(), size)


def _require_room(store: Path) -> None:
    if shutil.disk_usage(store).free < RESERVE_BYTES:
        raise InputError("no-space")


def read_chunks(path: Path) -> Iterable[bytes]:
    """A file's bytes, piece by piece."""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
