"""What an administrator can take: every table as the database hands it out, every file below the installation.

What is packed is unpacked first (zstd blocks, Parquet, zip and gzip), since packing hides nothing.
"""

from __future__ import annotations

import gzip
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl
import zstandard
from django.db import connection

from tocsin.lake import index
from tocsin.lake.canonical import ipv4_numbers

HASHES = (index.text_hash, index.guarded_hash, index.name_hash)
ZSTD = b"\x28\xb5\x2f\xfd"


def database_dump() -> dict[str, bytes]:
    """Table → all of it as its own tool writes it out, and what its packed columns hold."""
    return _of_postgresql() if connection.vendor == "postgresql" else _of_sqlite()


def _of_sqlite() -> dict[str, bytes]:
    connection.ensure_connection()
    source = connection.connection
    tables = {name: b"" for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for line in _lines(source):
        name = next((each for each in tables if line.startswith(f'INSERT INTO "{each}"')), None)
        if name is not None:
            tables[name] += line.encode() + b"\n"
    return {name: body + _unpacked(name) for name, body in tables.items()}


def _lines(source: sqlite3.Connection) -> Iterator[str]:
    # On a copy: the dump of a connection with Django's own functions in it stops at none of them.
    copy = sqlite3.connect(":memory:")
    if source.in_transaction:
        _by_rows(source, copy)
    else:
        source.backup(copy)
    yield from copy.iterdump()
    copy.close()


def _by_rows(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """A test holds its rows in a transaction that it never ends: a backup would not have them."""
    for name, made in source.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
        if name.startswith("sqlite_"):
            continue
        copy.execute(made)
        rows = source.execute(f'SELECT * FROM "{name}"').fetchall()
        if rows:
            copy.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)
    copy.commit()


def _of_postgresql() -> dict[str, bytes]:
    dumped = {}
    with connection.cursor() as cursor:
        for name in connection.introspection.table_names(cursor):
            with cursor.copy(f'COPY "{name}" TO STDOUT') as copy:
                dumped[name] = b"".join(bytes(part) for part in copy)
    return {name: body + _unpacked(name) for name, body in dumped.items()}


def _unpacked(table: str) -> bytes:
    """Columns of bytes as they are, and as they are unpacked."""
    found = b""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')
        for row in cursor.fetchall():
            for value in row:
                if isinstance(value, (bytes, memoryview)):
                    found += plain_of(bytes(value)) + b"\n"
    return found


def plain_of(body: bytes) -> bytes:
    """The bytes, and what they hold where they are packed."""
    if body.startswith(ZSTD):
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if body.startswith(b"\x1f\x8b"):
        with suppress(OSError, EOFError, zlib.error):  # What is sealed may begin so by chance, and holds nothing then.
            return gzip.decompress(body)
    if body.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return b"\n".join(plain_of(archive.read(name)) for name in archive.namelist())
    if body.startswith(b"PAR1"):
        return body + b"".join(_cells(pl.read_parquet(io.BytesIO(body))))
    return body


def _cells(frame: pl.DataFrame) -> Iterable[bytes]:
    for column in frame.iter_columns():
        if column.dtype == pl.String or isinstance(column.dtype, (pl.Enum, pl.Categorical)):
            yield "\n".join(map(str, column.drop_nulls().unique())).encode()


def files_below(folder: Path) -> dict[str, bytes]:
    """Path below the folder → bytes, unpacked. The database of the tests is not among them."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".sqlite3" not in path.name:
            found[path.relative_to(folder).as_posix()] = plain_of(path.read_bytes())
    return found


def numbers_in(values: Iterable[str], held: dict[str, bytes]) -> dict[str, list[str]]:
    """Value → files in which anybody finds it who makes the hash that look-ups go by, or writes it as a number.

    Four bytes stand by chance in one of some thousand dumps of a megabyte that is sealed; an address that a column
    shows stands there with its least and its greatest. The number of an address therefore counts from two places on.
    """
    found: dict[str, list[str]] = {}
    for value in values:
        texts = pl.Series([value, value.lower()])
        marks = {number.tobytes() for make in HASHES for number in make(texts)}
        number = ipv4_numbers(texts)[0]
        short = number.to_bytes(4, "little") if number is not None else None
        places = {name: body.count(short) for name, body in held.items()} if short else {}
        by_number = {name for name, times in places.items() if times} if sum(places.values()) > 1 else set()
        for name, body in held.items():
            if name in by_number or any(mark in body for mark in marks):
                found.setdefault(value, []).append(name)
    return found


def where(sentinels: Iterable[str], held: dict[str, bytes]) -> dict[str, list[str]]:
    """Sentinel → the places in which it can be read, whatever its letter case or way of writing it."""
    found: dict[str, list[str]] = {}
    for word in sentinels:
        ways = {word.casefold().encode(), word.encode("utf-16-le"), word.encode().hex().encode()}
        for name, body in held.items():
            lowered = body.lower()
            if any(way in lowered for way in ways):
                found.setdefault(word, []).append(name)
    return found
