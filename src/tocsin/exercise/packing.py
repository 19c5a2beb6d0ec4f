"""Compression and archives that give the same bytes for the same content: no clock, no machine in them."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from collections.abc import Iterable
from io import BytesIO

import zstandard

_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def gzipped(parts: Iterable[bytes], level: int = 1) -> bytes:
    """One gzip member without a name and with time zero."""
    target = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=target, mtime=0) as stream:
        for part in parts:
            stream.write(part)
    return target.getvalue()


def xz(content: bytes) -> bytes:
    return lzma.compress(content, preset=1)


def zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(content)


def zipped(members: Iterable[tuple[str, bytes]], level: int = 6) -> bytes:
    """A zip archive; names are written as given, also those that lead outside."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()
