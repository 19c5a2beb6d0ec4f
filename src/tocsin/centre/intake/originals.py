"""Deliveries as received and what was refused of them: sealed files of the store, each opened by a key of its own.

Every delivery is sealed as it comes in, since nobody knows yet what it says. The key is in the database before the file
is in the store: a crash between the two leaves a key that opens nothing. Files of before there were seals are read as
they are.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl

from tocsin.credentials import content_keys
from tocsin.lake.files import sync

from . import store, vault
from .bodies import ANSWERED_BYTES
from .models import Delivery, SealKey


def keep(folder: Path, chunks: Iterable[bytes], limit_bytes: int) -> store.Kept:
    """As `store.keep`, sealed. The same bytes that are there already stay as they are."""
    key = vault.key_for(f"original:{secrets.token_hex(12)}")
    kept = store.keep(folder, chunks, limit_bytes, seal=key.sealed_pieces, is_whole=_can_be_opened)
    if number_in(store.delivery_path(folder, kept.sha256)) != key.number:
        SealKey.objects.filter(number=key.number).delete()
    return kept


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of an original as they came, piece by piece. Raises KeyMissing at once where they cannot be opened."""
    return _small(_whole_pieces(path))


def _whole_pieces(path: Path) -> Iterator[bytes]:
    number = number_in(path)
    return iter(store.read_chunks(path)) if number is None else _opened(path, vault.opening_key(number))


def _opened(path: Path, key: content_keys.DataKey) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from key.opened_pieces(stream)


def _small(held: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces after which an answer may have to break off."""
    for each in held:
        for at in range(0, len(each), ANSWERED_BYTES):
            yield each[at : at + ANSWERED_BYTES]


def read(path: Path) -> bytes:
    """All of them."""
    return b"".join(pieces(path))


def digest_of(path: Path) -> str:
    """SHA-256 of the bytes as they came."""
    digest = hashlib.sha256()
    for piece in _whole_pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def plain_copy(path: Path, target: Path) -> Path:
    """Where they can be read as a file: `target`, which the caller removes, or the original itself if it is plain."""
    if number_in(path) is None:
        return path
    with target.open("xb") as copy:
        for piece in _whole_pieces(path):
            copy.write(piece)
    return target


def forget(path: Path) -> None:
    """Destroy an original for good: its key and its file."""
    number = number_in(path) if path.is_file() else None
    if number is not None:
        vault.forget(SealKey.objects.filter(number=number).values_list("about", flat=True))
    path.unlink(missing_ok=True)


def seal_rejections(delivery: Delivery, part: Path, target: Path) -> None:
    """Write a part of what was refused, which repeats the delivery's words, sealed to `target`."""
    write_over(target, [key_of_rejections(delivery).sealed(part.read_bytes(), "rejections")])


def key_of_rejections(delivery: Delivery) -> content_keys.DataKey:
    """What seals what was refused of it; made where there is none."""
    return vault.key_for(about_rejections(delivery))


def about_rejections(delivery: Delivery) -> str:
    """What that key is about."""
    return f"delivery:{delivery.pk}"


def read_rejections(path: Path) -> pl.DataFrame:
    """Such a part. Raises KeyMissing where it cannot be opened."""
    return pl.read_parquet(io.BytesIO(vault.opened(path.read_bytes(), "rejections")))


def seal_all(folder: Path, progress: Callable[[], None] = lambda: None) -> int:
    """Seal the files of before there were seals; says how many. Who was stopped begins again and goes on."""
    sealed = 0
    for sha256 in Delivery.objects.order_by("sha256").values_list("sha256", flat=True).distinct():
        path = store.delivery_path(folder, sha256)
        if path.is_file() and number_in(path) is None:
            key = vault.key_for(f"original:{secrets.token_hex(12)}")
            write_over(path, key.sealed_pieces(store.read_chunks(path)))
            sealed += 1
            progress()
    for path in sorted((folder / "rejections").glob("*/*.parquet")):
        if number_in(path) is None:
            seal_rejections(Delivery.objects.get(pk=int(path.parent.name)), path, path)
            sealed += 1
            progress()
    return sealed


def number_in(path: Path) -> int | None:
    """The number of the key that seals a file; None where it is plain."""
    with path.open("rb") as stream:
        return content_keys.number_of(stream.read(content_keys.HEAD_BYTES))


def _can_be_opened(path: Path) -> bool:
    number = number_in(path)
    return number is None or has_key(number)


def has_key(number: int) -> bool:
    """Whether the database holds the key with this number."""
    return SealKey.objects.filter(number=number).exists()


def write_over(target: Path, body: Iterable[bytes]) -> None:
    """Write a file in place of what was there, durable when this returns."""
    draft = target.with_name(f"{target.name}-{secrets.token_hex(8)}.sealing")
    try:
        with draft.open("xb") as stream:
            for piece in body:
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
        sync(target.parent)
    finally:
        draft.unlink(missing_ok=True)
