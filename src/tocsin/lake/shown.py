"""What a page shows of a row, ready to be read row by row: a table beside the Parquet file, read where it lies.

Under a veil its texts are covered, and so are the words of columns that hold numbers in their place; numbers, times and
codes of protocols stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from .keys import Veil

SHOWN = (
    "last_at", "count", "kind", "value", "domain", "role", "type", "malware", "actor", "country", "country_basis",
    "network", "port", "hostname", "peer", "peer_port", "peer_role", "peer_country",
)  # fmt: skip
"""Columns that a page shows of a row: they are here once more, so that reading a row opens no Parquet file."""
COUNTED = ("count", "role", "country")
"""Those of them that are known from the row's record."""
SAMPLE_ROWS = 4_096
WORDS_STREAM, FIRST_STREAM = 15, 16
_WORDS = b"words"


def table_of(frame: pl.DataFrame, veil: Veil | None = None) -> pa.Table:
    """The shown columns that hold anything; words that come again are numbers."""
    held = [name for name in SHOWN if name not in COUNTED and frame[name].null_count() < frame.height]
    again = [
        pl.col(name).cast(pl.Enum(frame[name].drop_nulls().unique(maintain_order=True)))
        for name in held
        if frame.schema[name] == pl.String and frame[name].head(SAMPLE_ROWS).n_unique() <= SAMPLE_ROWS // 4
    ]
    table = frame.select(held).with_columns(again).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table if veil is None else _covered(table.combine_chunks(), veil)


def _covered(table: pa.Table, veil: Veil) -> pa.Table:
    columns, words = {}, {}
    for place, name in enumerate(table.column_names):
        column = _whole(table[name])
        if pa.types.is_dictionary(column.type):
            words[name] = column.dictionary.to_pylist()
            columns[name] = column.indices
        elif pa.types.is_large_string(column.type):
            columns[name] = _covered_texts(column, veil, FIRST_STREAM + place)
        else:
            columns[name] = column
    told = {_WORDS: veil.covered(orjson.dumps(words), WORDS_STREAM)}
    return pa.table(columns).replace_schema_metadata(told)


def _covered_texts(column: pa.Array, veil: Veil, stream: int) -> pa.Array:
    """The same texts as covered bytes, which begin with their buffer, as they do when they are read."""
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    body = memoryview(column.buffers()[2] or b"").cast("B")[int(offsets[0]) : int(offsets[-1])]
    covered = pa.py_buffer(veil.covered(body, stream))
    held = None if not column.null_count else pa.array(column.is_valid()).buffers()[1]
    return pa.Array.from_buffers(
        pa.large_binary(), len(column), [held, pa.py_buffer(offsets - offsets[0]), covered], column.null_count
    )


def are_alike(one: pa.Table, other: pa.Table, veil: Veil | None) -> bool:
    """Whether both say the same of every row; what lies covered where a text is missing makes no difference."""
    if one.schema.names != other.schema.names or one.schema.metadata != other.schema.metadata:
        return False
    pairs = ((_opened(one, place, veil), _opened(other, place, veil)) for place in range(one.num_columns))
    return all(mine.equals(theirs) for mine, theirs in pairs)


def _opened(table: pa.Table, place: int, veil: Veil | None) -> pa.Array:
    column = _whole(table.column(place))
    if veil is None or not pa.types.is_large_binary(column.type):
        return column
    validity, offsets, body = column.buffers()
    opened = pa.py_buffer(veil.covered(memoryview(body or b"").cast("B"), FIRST_STREAM + place))
    return pa.Array.from_buffers(pa.large_string(), len(column), [validity, offsets, opened], column.null_count)


class _Texts(NamedTuple):
    """A covered column."""

    name: str
    stream: int
    offsets: npt.NDArray[np.int64]
    body: memoryview
    column: pa.Array


class Shown:
    """The table, where it lies. What it covers is opened as it is asked for."""

    def __init__(self, table: pa.Table, veil: Veil | None = None) -> None:
        self._veil = veil
        self._told = (table.schema.metadata or {}).get(_WORDS)
        columns = [(name, _whole(table[name])) for name in table.column_names]
        self._texts = [
            _Texts(name, FIRST_STREAM + place, np.frombuffer(column.buffers()[1], np.int64)[column.offset :],
                   memoryview(column.buffers()[2] or b"").cast("B"), column)
            for place, (name, column) in enumerate(columns) if pa.types.is_large_binary(column.type)
        ]  # fmt: skip
        covered = {each.name for each in self._texts}
        self._plain = [each for each in columns if each[0] not in covered]

    def rows(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """These rows, each by name of the column."""
        found = [{name: column[row].as_py() for name, column in self._plain} for row in rows]
        if self._veil is None:
            return found
        pieces = [
            (each.stream, each.body, int(each.offsets[row]), int(each.offsets[row + 1]))
            for each in self._texts for row in rows
        ]  # fmt: skip
        opened = iter(self._veil.opened(pieces))
        for each in self._texts:
            for row, record in zip(rows, found, strict=True):
                text = next(opened)
                record[each.name] = text.decode() if each.column[row].is_valid else None
        for name, words in self._words.items():
            for record in found:
                record[name] = None if record[name] is None else words[record[name]]
        return found

    @cached_property
    def _words(self) -> dict[str, list[str]]:
        """The words of columns of numbers."""
        if self._veil is None or self._told is None:
            return {}
        made: dict[str, list[str]] = orjson.loads(self._veil.covered(self._told, WORDS_STREAM))
        return made


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
