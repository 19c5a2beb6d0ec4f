"""Parquet files of the lake, sealed or in the clear: whoever reads one need not know which."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption

from . import buckets
from .keys import FileKey, Keys, prefix_in

PREFIXES_KEPT = 65_536


@lru_cache(maxsize=PREFIXES_KEPT)
def _far_prefix(path: Path, mount: buckets.Mount) -> bytes | None:
    """Of a file in a bucket, where looking costs a request: files never change."""
    return prefix_in(path)


def _key_of(path: Path, keys: Keys) -> bytes | None:
    mount = buckets.mount_of(path)
    if mount is None:
        prefix = prefix_in(path)
    else:
        # Where the store does not answer, or has lost the file, it is said plainly here; Polars has words of its own.
        mount.bucket.size(mount.name_of(path))
        prefix = _far_prefix(path, mount)
    return None if prefix is None else keys.of(prefix).parquet


def _decryption(path: Path, keys: Keys) -> pl.ParquetDecryptionProperties | None:
    key = _key_of(path, keys)
    return None if key is None else pl.ParquetDecryptionProperties(footer_key=key)


def scan(path: Path, keys: Keys) -> pl.LazyFrame:
    """Its rows, to be asked. Raises KeyMissing, as do all of these."""
    decryption = _decryption(path, keys)
    source, how = buckets.for_polars(path)
    return pl.scan_parquet(source, decryption=decryption, **how)


def read(path: Path, keys: Keys, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Its rows, or some columns of them."""
    wanted = None if columns is None else list(columns)
    decryption = _decryption(path, keys)
    source, how = buckets.for_polars(path)
    return pl.read_parquet(source, columns=wanted, decryption=decryption, **how)


def opened(
    path: Path, keys: Keys, *, read_dictionary: Sequence[str] = (), pre_buffer: bool = True, memory_map: bool = False
) -> pq.ParquetFile:
    """The file, for whoever reads single row groups."""
    key = _key_of(path, keys)
    properties = None if key is None else parquet_encryption.create_decryption_properties(key)
    is_far = buckets.mount_of(path) is not None
    return pq.ParquetFile(
        pa.PythonFile(buckets.opened(path), mode="r") if is_far else path, read_dictionary=list(read_dictionary),
        # Each column of a group would be a request of its own.
        pre_buffer=pre_buffer or is_far, memory_map=memory_map and not is_far, decryption_properties=properties,
    )  # fmt: skip


def write(frame: pl.DataFrame, path: Path, key: FileKey | None, *, row_group: int, compression_level: int) -> None:
    """Write rows, sealed where there is a key: the footer too, with its schema and least and most of each column."""
    encryption = None
    if key is not None:
        encryption = pl.ParquetEncryptionProperties(
            footer_key=key.parquet, aad_prefix=key.prefix, store_aad_prefix=True
        )
    frame.write_parquet(
        path, compression="zstd", compression_level=compression_level, row_group_size=row_group, statistics=True,
        encryption=encryption,
    )  # fmt: skip
