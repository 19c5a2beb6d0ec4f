"""Parquet files of the lake, sealed or in the clear: whoever reads one need not know which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as parquet_encryption

from .keys import FileKey, Keys, prefix_in


def _key_of(path: Path, keys: Keys) -> bytes | None:
    prefix = prefix_in(path)
    return None if prefix is None else keys.of(prefix).parquet


def _decryption(path: Path, keys: Keys) -> pl.ParquetDecryptionProperties | None:
    key = _key_of(path, keys)
    return None if key is None else pl.ParquetDecryptionProperties(footer_key=key)


def scan(path: Path, keys: Keys) -> pl.LazyFrame:
    """Its rows, to be asked. Raises KeyMissing, as do all of these."""
    return pl.scan_parquet(path, decryption=_decryption(path, keys))


def read(path: Path, keys: Keys, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Its rows, or some columns of them."""
    wanted = None if columns is None else list(columns)
    return pl.read_parquet(path, columns=wanted, decryption=_decryption(path, keys))


def opened(
    path: Path, keys: Keys, *, read_dictionary: Sequence[str] = (), pre_buffer: bool = True, memory_map: bool = False
) -> pq.ParquetFile:
    """The file, for whoever reads single row groups."""
    key = _key_of(path, keys)
    properties = None if key is None else parquet_encryption.create_decryption_properties(key)
    return pq.ParquetFile(
        path, read_dictionary=list(read_dictionary), pre_buffer=pre_buffer, memory_map=memory_map,
        decryption_properties=properties,
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
