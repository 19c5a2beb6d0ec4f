"""Runs: rows of shares on disk, each file with a record batch for each group of rows in it.

Words of closed and small vocabularies travel as numbers; what they mean stands in one file beside all runs of a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tocsin.core.observations import NAMES, SCHEMA

DROPPED = ("ipv4", "ipv6", "peer_ipv4")
"""Columns that only serve the lake's own look-ups."""
COLUMNS = tuple(name for name in NAMES if name not in DROPPED)
COUNTRY_COLUMNS = tuple(name for name in COLUMNS if name == "country" or name.endswith("_country"))
CODED = (
    "kind", "role", "type", "offence", "malware", "actor", "severity", "country_basis", "protocol", "peer_role",
    *COUNTRY_COLUMNS,
)  # fmt: skip
"""Columns of few words: they travel through the runs as numbers."""

OPEN = {"malware": "_malware", "actor": "_actor"}
"""Of those, the columns in which sources say what they like, and where their words stand that came after so many others
that they got no number: a table whose columns were mistaken has a new one in each row."""
MOST_WORDS = 1 << 16
KEYS = ("kind", "value", "batch", "position")
"""The order of a share's rows."""
TEXTS = "_texts"
NUMBERS = "numbers.arrow"
"""Beside the runs of a pass whose shares were joined with those of another."""
_BUFFER_BYTES = 1 << 20
"""A run is thousands of small buffers; written one by one they cost twice as much."""


class Part(NamedTuple):
    """Rows of one share in a run."""

    run: Path
    number: int
    """Of the record batch in it."""
    rows: int


@dataclass(frozen=True, slots=True)
class Words:
    """The words of each coded column, by number. One object for all shares of a pass."""

    columns: Mapping[str, pl.Enum]
    texts: frozenset[str]
    """Columns whose words did not all get a number: texts, in all of a pass."""
    empty: pl.DataFrame
    """No rows of a share: the columns and their types."""


def written(path: Path, frame: pl.DataFrame, groups: npt.NDArray[np.integer[Any]]) -> Iterator[tuple[int, Part]]:
    """Write rows that are in the order of their groups as one run: each group, and where it is."""
    whole = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks().to_batches()[0]
    starts = np.flatnonzero(np.diff(groups.astype(np.int64), prepend=-1))
    ends = np.append(starts[1:], len(groups))
    # Threads cost more than they save where a record batch holds a few thousand rows. Compressed they take 80 bytes a
    # row instead of 200, for a tenth of what dealing them out costs: a hundred million rows, of which one country has
    # most, would want 40 GB of disk else.
    options = pa.ipc.IpcWriteOptions(use_threads=False, compression="lz4")
    with (
        pa.output_stream(path, buffer_size=_BUFFER_BYTES) as sink,
        pa.ipc.new_file(sink, whole.schema, options=options) as writer,
    ):
        for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            writer.write_batch(whole.slice(start, end - start))
            yield int(groups[start]), Part(path, number, end - start)


def coded(parts: Sequence[Part], columns: Sequence[str] = COLUMNS) -> pl.DataFrame:
    """The rows of these record batches, words as the numbers that the share knows; columns without any are left out."""
    # Arrow puts the pieces of a column together, and widens numbers where runs differ; a frame of each record batch
    # would cost many times its rows.
    tables = (pa.Table.from_batches([_batch(part, tuple(columns))]) for part in parts)
    return pl.DataFrame(pa.concat_tables(tables, promote_options="permissive").combine_chunks())


def worded(frame: pl.DataFrame, words: Words) -> pl.DataFrame:
    """The same with words instead of numbers. The keys are there, also where they are empty."""
    frame = frame.with_columns(pl.col(name).cat.to(words.columns[name]) for name in CODED if name in frame.columns)
    for name in words.texts:
        said = [pl.col(each).cast(pl.String) for each in (name, OPEN[name]) if each in frame.columns]
        if said:
            frame = frame.with_columns(pl.coalesce(said).alias(name))
    frame = frame.drop(OPEN.values(), strict=False)
    return pl.concat([words.empty[list(KEYS)], frame], how="diagonal")


def forget() -> None:
    """Close the runs that were read: what is deleted takes room as long as it is open."""
    _run.cache_clear()


class _Run(NamedTuple):
    reader: pa.ipc.RecordBatchFileReader
    numbers: Mapping[str, pa.Array]
    """By column: the number in the shares' words for each number in this run, where they differ."""


def _batch(part: Part, columns: tuple[str, ...]) -> pa.RecordBatch:
    """Columns of a record batch of a run, their words under the numbers that the share knows."""
    run = _run(part.run, columns)
    batch = run.reader.get_batch(part.number)
    for name, numbers in run.numbers.items():
        place = batch.schema.get_field_index(name)
        if place >= 0:
            batch = batch.set_column(place, name, numbers.take(batch.column(place)))
    return batch


@lru_cache(maxsize=256)
def _run(path: Path, columns: tuple[str, ...]) -> _Run:
    file = pa.OSFile(str(path), "rb")
    with pa.ipc.open_file(file) as whole:
        places = [
            place for place, name in enumerate(whole.schema.names) if name in columns or OPEN.get(name[1:]) == name
        ]
    options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=places)
    return _Run(pa.ipc.open_file(file, options=options), _numbers_in(path.with_name(NUMBERS)))


@lru_cache(maxsize=64)
def _numbers_in(path: Path) -> Mapping[str, pa.Array]:
    if not path.exists():
        return {}
    return {column.name: column[0].to_arrow() for column in pl.read_ipc(path)}


@lru_cache(maxsize=1)
def words_in(path: Path) -> Words:
    """The words that were written for the shares of a pass."""
    table = pl.read_ipc(path)
    columns = {name: pl.Enum(table[name][0]) for name in CODED}
    texts = frozenset(table[TEXTS][0])
    types = {name: pl.String if name in texts else columns.get(name, SCHEMA[name]) for name in COLUMNS}
    return Words(columns, texts, pl.DataFrame(schema=types))


def write_words(path: Path, words: Mapping[str, Iterable[str]], texts: Iterable[str]) -> Path:
    """Write the words of each coded column by number, and the columns that have further ones."""
    told = {**{name: [list(words[name])] for name in CODED}, TEXTS: [sorted(texts)]}
    pl.DataFrame(told, schema=dict.fromkeys(told, pl.List(pl.String))).write_ipc(path)
    return path
