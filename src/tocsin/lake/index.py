"""Have we seen this? A sorted index beside every Parquet file, read in place from disk.

Two Arrow tables in one memory-mapped file: `entries` (hash of a text, row), sorted by hash, for every text under
which a row can be looked up; and `rows` with what the gate and a summary need of each row, so that counting by
viewer touches no Parquet at all. The index is derived: when its version differs from the running one it is made anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from tocsin.core.words import Kind, Role
from tocsin.reference.addresses import COUNTRY_INDEX

VERSION = f"2 polars {pl.__version__}".encode()
"""The hash is that of Polars, which may change between its versions."""
SEED = 20_130_320
ROLES = tuple(role.value for role in Role)
UNUSUAL = r"[@:\[\]?#]"
HOST = r"^(?:[^@]*@)?(\[[^\]]*\]|[^:?#]*)"
NAMED = ("malware", "actor", "label")
MOST_NAMES = 65_535
"""Distinct names of one file that can be asked for; a file with more keeps the rest in its rows alone."""
UINT64 = npt.NDArray[np.uint64]


def index_path(parquet: Path) -> Path:
    """Where the index of a Parquet file lies."""
    return parquet.with_suffix(".index")


def text_hash(texts: pl.Series) -> UINT64:
    """The hash under which a text is entered."""
    return texts.hash(SEED).to_numpy()


def entered_texts(frame: pl.DataFrame) -> list[pl.Series]:
    """Columns of texts under which each row is entered; null where there is none or it says nothing new."""
    value, kind = pl.col("value"), pl.col("kind")
    is_url = kind == Kind.URL
    shown = [frame["value"]]
    if frame["domain"].null_count() < frame.height:
        shown.append(frame.select(pl.when(pl.col("domain") != value).then("domain")).to_series())
    if (frame["kind"] == Kind.URL).any():
        host = hosts(frame.select(pl.when(is_url).then(value)).to_series())
        shown.append(pl.select(pl.when(host != frame["domain"].fill_null("")).then(host)).to_series())
    for name in ("peer", "url"):
        if frame[name].null_count() < frame.height:
            shown.append(frame[name])
    if frame["url"].null_count() < frame.height:
        shown.append(hosts(frame["url"]))
    return shown


def hosts(addresses: pl.Series) -> pl.Series:
    """The host of each web address, without user, port and brackets; null where there is none."""
    host = addresses.str.splitn("/", 4).struct.field("field_2")
    unusual = host.str.contains(UNUSUAL)
    if not unusual.any():
        return host
    mended = host.str.extract(HOST, 1).str.strip_chars("[]")
    return pl.select(pl.when(unusual).then(mended).otherwise(host)).to_series()


def build(frame: pl.DataFrame) -> tuple[pa.Table, pa.Table]:
    """Entries and rows of the index of one file, whose rows are those of `frame` in order."""
    hashes, places = [], []
    rows = np.arange(frame.height, dtype=np.uint32)
    for texts in entered_texts(frame):
        codes = text_hash(texts)
        if texts.null_count():
            known = texts.is_not_null().to_numpy()
            hashes.append(codes[known])
            places.append(rows[known])
        else:
            hashes.append(codes)
            places.append(rows)
    codes = np.concatenate(hashes)
    order = np.argsort(codes)
    entries = pa.table({"hash": codes[order], "row": np.concatenate(places)[order]})
    facts = frame.select(
        pl.col("batch"),
        pl.col("role").replace_strict(list(ROLES), list(range(len(ROLES))), return_dtype=pl.UInt8),
        pl.col("country").replace_strict(COUNTRY_INDEX, default=0, return_dtype=pl.UInt8),
        (pl.col("first_at").dt.timestamp("us") // 1_000_000).alias("first"),
        (pl.col("last_at").dt.timestamp("us") // 1_000_000).alias("last"),
        pl.col("count"),
    )
    return entries, _with_names(frame, facts.to_arrow())


def _with_names(frame: pl.DataFrame, facts: pa.Table) -> pa.Table:
    """The names of malware, actor and the source's own word as numbers, with what they stand for in the metadata."""
    words: list[str] = []
    for column in NAMED:
        if frame[column].null_count() == frame.height:
            continue
        lower = frame[column].str.to_lowercase()
        distinct = lower.drop_nulls().unique().sort()
        if len(words) + len(distinct) >= MOST_NAMES:
            distinct = distinct.head(MOST_NAMES - 1 - len(words))
        numbers = pl.Series(range(len(words) + 1, len(words) + 1 + len(distinct)), dtype=pl.UInt16)
        facts = facts.append_column(
            f"name_{column}", lower.replace_strict(distinct, numbers, default=0, return_dtype=pl.UInt16).to_arrow()
        )
        words += distinct.to_list()
    return facts.replace_schema_metadata({b"names": orjson.dumps(words)})


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write the index of `frame` to `path`, durable when this returns."""
    entries, facts = build(frame)
    schema = pa.schema([("hash", pa.uint64()), ("row", pa.uint32())], metadata={b"version": VERSION})
    facts = facts.combine_chunks().replace_schema_metadata({**(facts.schema.metadata or {}), b"version": VERSION})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(entries.cast(schema))
    with pa.OSFile(str(path.with_suffix(".facts")), "wb") as sink, pa.ipc.new_file(sink, facts.schema) as writer:
        writer.write_table(facts)
    for written in (path, path.with_suffix(".facts")):
        descriptor = os.open(written, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class FileIndex:
    """An index, mapped into memory: nothing is read before it is touched."""

    hashes: UINT64
    rows: npt.NDArray[np.uint32]
    batch: npt.NDArray[np.int64]
    role: npt.NDArray[np.uint8]
    country: npt.NDArray[np.uint8]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    names: dict[str, tuple[int, ...]]
    """Lower-case name → its numbers, one for each column that has it."""
    name_columns: tuple[npt.NDArray[np.uint16], ...]

    def find(self, code: int) -> npt.NDArray[np.uint32]:
        """Rows entered under this hash, ascending."""
        wanted = np.uint64(code)
        start = np.searchsorted(self.hashes, wanted, side="left")
        end = np.searchsorted(self.hashes, wanted, side="right")
        return np.unique(self.rows[start:end])

    def find_name(self, name: str) -> npt.NDArray[np.uint32]:
        """Rows whose malware, actor or label has this name, ascending; case makes no difference."""
        numbers = self.names.get(name.lower(), ())
        if not numbers:
            return np.empty(0, dtype=np.uint32)
        held = np.zeros(len(self.batch), dtype=bool)
        for column in self.name_columns:
            for number in numbers:
                held |= column == number
        return np.flatnonzero(held).astype(np.uint32)


@lru_cache(maxsize=4096)
def load(parquet: Path) -> FileIndex | None:
    """The index of a registered file, None when it has none of this version. Files never change once registered."""
    path = index_path(parquet)
    tables = []
    for part in (path, path.with_suffix(".facts")):
        if not part.exists():
            return None
        table = pa.ipc.open_file(pa.memory_map(str(part))).read_all()
        if (table.schema.metadata or {}).get(b"version") != VERSION:
            return None
        tables.append(table)
    entries, facts = tables
    words = orjson.loads((facts.schema.metadata or {}).get(b"names", b"[]"))
    return FileIndex(
        hashes=_column(entries, "hash"),
        rows=_column(entries, "row"),
        batch=_column(facts, "batch"),
        role=_column(facts, "role"),
        country=_column(facts, "country"),
        first=_column(facts, "first"),
        last=_column(facts, "last"),
        count=_column(facts, "count"),
        names=_numbers_of(words),
        name_columns=tuple(_column(facts, name) for name in facts.column_names if name.startswith("name_")),
    )


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column where it lies, without a copy."""
    chunks = table[name].chunks
    column: npt.NDArray[Any] = chunks[0].to_numpy(zero_copy_only=True) if len(chunks) == 1 else table[name].to_numpy()
    return column


def _numbers_of(words: list[str]) -> dict[str, tuple[int, ...]]:
    numbers: dict[str, tuple[int, ...]] = {}
    for number, word in enumerate(words, start=1):
        numbers[word] = (*numbers.get(word, ()), number)
    return numbers
