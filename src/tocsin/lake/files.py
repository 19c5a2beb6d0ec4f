"""Writing observations: Parquet with its index, complete and on disk before anybody hears of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa

from tocsin.core.observations import SCHEMA

from . import buckets, index, parquet
from .keys import PLAIN, Keys, Writer, prefix_in

ROW_GROUP = 8_192
"""Rows read together when the details of one are asked for: small enough for a look-up in milliseconds."""
SORTED_ROW_GROUP = 4_096
"""The same in sorted files, which are written once and asked often."""
ROWS_IN_FILE = 250_000
"""Rows of one file at ingest: what is held in memory at once."""
COMPRESSION_LEVEL = 1
HEAD_BYTES = 1 << 16
HEADS_KNOWN = 65_536


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is complete on disk and not yet registered."""

    path: Path
    rows: int
    size_bytes: int
    digest: str
    first_batch: int
    last_batch: int


def day_folder(day: date) -> str:
    """The folder of a day of arrival, relative to the store."""
    return f"observations/day={day.isoformat()}"


def narrow(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the columns that hold nothing: a text that is not there costs 16 bytes in memory all the same."""
    return frame.select(each.name for each in frame.iter_columns() if each.null_count() < frame.height)


def whole(frame: pl.DataFrame) -> pl.DataFrame:
    """With all columns of SCHEMA, in its order; those that were missing are one null each, however many rows."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in SCHEMA.items()
    )


def read(path: Path, keys: Keys = PLAIN) -> pl.DataFrame:
    """The rows of a registered file, narrow: what its index says to be empty is not read at all."""
    known = index.opened(path, keys)
    return narrow(parquet.read(path, keys, None if known is None else [n for n in SCHEMA if n in known.columns]))


def write(frame: pl.DataFrame, path: Path, seal: Writer | None = None, *, row_group: int = ROW_GROUP) -> Written:
    """Write observations and their index; both are fsynced when this returns. Columns that are missing are empty.

    Where that fails nothing stays: whoever tries again and again would fill a full disk with halves.
    """
    if list(frame.columns) != list(SCHEMA):
        frame = whole(frame)
    key = None if seal is None else seal.fresh()
    try:
        parquet.write(frame, path, key, row_group=row_group, compression_level=COMPRESSION_LEVEL)
        index.write(frame, index.index_path(path), key)
        sync(path)
    except BaseException:
        for each in path.parent.glob(f"{path.stem}.*"):
            each.unlink(missing_ok=True)
        raise
    batches = frame["batch"]
    return Written(
        path=path,
        rows=frame.height,
        size_bytes=path.stat().st_size,
        digest=file_digest(path),
        first_batch=int(batches.min() or 0),  # type: ignore[arg-type]
        last_batch=int(batches.max() or 0),  # type: ignore[arg-type]
    )


def index_anew(path: Path, keys: Keys) -> None:
    """Make the index of a file again, covered where the file is sealed; with a key that sealed nothing before."""
    seal = None if prefix_in(path) is None else replace(keys, seals=True).writer()
    copy = buckets.copy_of(path)
    copy.parent.mkdir(parents=True, exist_ok=True)
    index.write(parquet.read(path, keys), index.index_path(copy), None if seal is None else seal.fresh())
    for each in index.beside(path):
        buckets.hand_over(each)


def has_index(path: Path, keys: Keys) -> bool:
    """Whether a file has an index of this version. One in a bucket is not fetched for it: its head says so."""
    if buckets.mount_of(path) is None:
        return index.opened(path, keys) is not None
    return all(map(_is_of_this_version, index.beside(path)))


@lru_cache(maxsize=HEADS_KNOWN)
def _is_of_this_version(path: Path) -> bool:
    try:
        with buckets.opened(path) as stream:
            schema = pa.ipc.open_stream(pa.py_buffer(stream.read(HEAD_BYTES))).schema
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return bool((schema.metadata or {}).get(b"version") == index.VERSION)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with buckets.opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until the disk has the file, or the folder's entries."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_older(path: Path, seconds: float) -> bool:
    """Whether it was last written before that moment, in seconds since 1970; what went meanwhile is not."""
    try:
        return path.stat().st_mtime < seconds
    except FileNotFoundError:
        return False


def move_into(written: Written, store: Path, relative: str) -> None:
    """Give a finished file its name in the store, with its index; durable when this returns."""
    target = store / relative
    # What took hours to read must not look like a leftover of hours ago before it is registered.
    os.utime(written.path)
    for made, named in zip(index.beside(written.path), index.beside(target), strict=True):
        buckets.keep(made, named, with_copy=True)
    buckets.keep(written.path, target)
    if buckets.mount_of(target) is None:
        sync(target.parent)
