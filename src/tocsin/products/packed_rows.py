"""The rows of a package as they lie in its archive, read here and there: those of a large country are gigabytes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import polars as pl
import pyarrow.parquet as parquet

from .observations import CHUNK_ROWS

ROWS = "observations.parquet"
_HEAD = struct.Struct("<26xHH")
"""Of a file in an archive: ends with the lengths of its name and of what follows it (APPNOTE 4.3.7)."""
_READ_BYTES = 1 << 20


class _Stretch(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, held: BinaryIO, start: int, size: int) -> None:
        self._held, self._start, self._size, self._at = held, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._held.seek(self._start + self._at)
        found = self._held.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def packed(held: BinaryIO) -> BinaryIO | None:
    """The rows in an opened archive; None where there are none. Raises what zipfile and the disk raise."""
    if not zipfile.is_zipfile(held):
        return None
    with zipfile.ZipFile(held) as archive:
        if ROWS not in archive.namelist():
            return None
        entry = archive.getinfo(ROWS)
        if entry.compress_type != zipfile.ZIP_STORED:
            return io.BytesIO(archive.read(ROWS))
    held.seek(entry.header_offset)
    name, further = _HEAD.unpack(held.read(_HEAD.size))
    start = entry.header_offset + _HEAD.size + name + further
    return io.BufferedReader(_Stretch(held, start, entry.file_size), _READ_BYTES)


def frames(rows: BinaryIO, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Those of these columns that are there, so many rows at a time. Raises what Arrow and the disk raise."""
    with parquet.ParquetFile(rows) as file:
        known = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(CHUNK_ROWS, columns=known, use_threads=False):
            yield pl.DataFrame(batch)
