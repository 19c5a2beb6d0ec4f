"""A share's rows for programs and people: CSV, JSON Lines and Parquet, the same rows in the same order.

CSV is made to be opened in a spreadsheet: cells that would be formulas get a leading apostrophe, control and bidi
characters are written `\\uXXXX`. JSON Lines and Parquet keep values exactly. Empty fields are left out of JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet
from isal import igzip

from tocsin.core.observations import BY_NAME, EXPORTED

from .row_texts import Few, Prepared, csv_text, json_text, prepared, some

CHUNK_ROWS = 250_000
_TEXT_ROWS = 25_000
"""Rows written as text at a time: the texts should stay where the processor has them at hand."""
COLUMNS = tuple(name for name in EXPORTED if name not in {"ipv6"})
NUMBERS = frozenset(name for name in COLUMNS if BY_NAME[name].written not in ("String", "Moment"))
_REPEATING = ("network", "peer", "peer_network", "hostname", "tags", "note", "label", "reference", "domain")
"""Texts that repeat within a share: a dictionary makes them small."""
_ASKED = ("first_at", "last_at", "kind", "value", "role", "country")
"""What readers narrow a share by: only these columns have statistics, which cost as much as the encoding."""


def chunks(share: Path, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """The rows of a share in their order, a bounded number at a time."""
    scan = pl.scan_parquet(share)
    if columns is not None:
        scan = scan.select(columns)
    rows = scan.select(pl.len()).collect().item()
    for start in range(0, max(rows, 1), CHUNK_ROWS):  # An empty share still gives its columns.
        yield scan.slice(start, CHUNK_ROWS).collect()


class Forms:
    """The three forms while they are written, a frame at a time. Texts may come as words of a pl.Enum."""

    def __init__(self, csv: Path, jsonl: Path, parquet_to: Path) -> None:
        self.rows = 0
        self._parquet_to = parquet_to
        self._table: parquet.ParquetWriter | None = None
        self._stack = ExitStack()
        self._csv = _gzip(csv, self._stack)
        self._jsonl = _gzip(jsonl, self._stack)
        self._csv.write((",".join(COLUMNS) + "\n").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, frame: pl.DataFrame) -> None:
        """Write these rows; columns that do not leave the Centre may be among them."""
        frame = frame.select(COLUMNS)
        self.rows += frame.height
        columns = prepared(frame)
        table = _arrow(frame, columns)
        if self._table is None:
            writer = parquet.ParquetWriter(
                self._parquet_to,
                table.schema,
                compression="zstd",
                compression_level=1,
                # Readers see plain texts, not this library's types.
                store_schema=False,
                write_statistics=list(_ASKED),
                use_dictionary=[
                    *_REPEATING,
                    *(name for name in COLUMNS if pa.types.is_dictionary(table.schema.field(name).type)),
                ],
            )
            self._table = self._stack.enter_context(writer)
        self._table.write_table(table)
        for start in range(0, frame.height, _TEXT_ROWS):
            stop = min(start + _TEXT_ROWS, frame.height)
            part = some(columns, start, stop)
            self._csv.write(csv_text(part, stop - start))
            self._jsonl.write(json_text(part, stop - start, NUMBERS))


def write_observations(share: Path | Iterable[pl.DataFrame], csv: Path, jsonl: Path, parquet_to: Path) -> int:
    """Write the share in three forms, reading it once; give the number of rows."""
    with Forms(csv, jsonl, parquet_to) as forms:
        for frame in chunks(share) if isinstance(share, Path) else share:
            forms.add(frame)
    return forms.rows


def _gzip(path: Path, stack: ExitStack) -> BinaryIO:
    raw = stack.enter_context(path.open("wb"))
    # No name and no time in the header: the same rows give the same bytes.
    stream = igzip.IGzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0)  # type: ignore[no-untyped-call]
    stack.enter_context(closing(stream))
    return cast(BinaryIO, stream)


def _arrow(frame: pl.DataFrame, columns: Prepared) -> pa.Table:
    """The rows as Arrow holds them: words as a dictionary with no word in it but those of these rows."""
    found: dict[str, pa.Array] = {}
    for name, column in columns:
        if not isinstance(frame.schema[name], pl.Enum):
            found[name] = frame[name].to_arrow(compat_level=pl.CompatLevel.oldest())
        elif isinstance(column, Few):
            codes = pa.array(column.codes, mask=column.codes == len(column.words))
            found[name] = pa.DictionaryArray.from_arrays(codes, pa.array(column.words, pa.large_string()))
        else:
            found[name] = pa.nulls(frame.height, pa.dictionary(pa.uint32(), pa.large_string()))
    return pa.table(found)
