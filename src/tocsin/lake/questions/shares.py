"""Every country's share of the lake, in one pass over the registered files.

A row belongs to the share of the country where its value is, whatever its role, and to the share of the country
that was aimed at. What the gate does not open is left out; the other side of a row is blanked where it is a
victim elsewhere.

Rows are dealt out to runs on disk, grouped by country and with the words of closed and small vocabularies as
numbers; a share is read from its runs in bounded pieces, sorted. Nobody else's words are in a share's pieces.
"""

from __future__ import annotations

import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tocsin.core.observations import NAMES, SCHEMA
from tocsin.lake import parquet
from tocsin.lake.engine import silent
from tocsin.lake.keys import Keys
from tocsin.lake.questions.gate import Gate
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.reference.members import territories

DROPPED = ("ipv4", "ipv6", "peer_ipv4")
"""Columns that only serve the lake's own look-ups."""
COLUMNS = tuple(name for name in NAMES if name not in DROPPED)
COUNTRY_COLUMNS = tuple(name for name in COLUMNS if name == "country" or name.endswith("_country"))
CODED = (
    "kind", "role", "type", "offence", "malware", "actor", "severity", "country_basis", "protocol", "peer_role",
    *COUNTRY_COLUMNS,
)  # fmt: skip
"""Columns of few words: they travel through the runs as numbers."""

CHUNK_ROWS = 400_000
"""Rows read, and written as one run, at a time; a row group of a file is read whole."""
TASKS_FOR_EACH = 2
"""Tasks for each of an engine's places: one that takes long holds the others up less."""
PIECE_ROWS = 250_000
"""Rows of a share held at a time while it is read back."""
_HELD_PIECES = 2
"""A share of up to this many pieces is sorted in memory; a larger one is parted on disk first."""
_GATE_COLUMNS = frozenset({"batch", "role", "country", "target_country", "peer", "peer_role", "peer_country"})
"""Columns that the gate looks at, empty or not."""
_KEYS = ("kind", "value", "batch", "position")
_PACKAGE = "_package"
_BUFFER_BYTES = 1 << 20
"""A run is thousands of small buffers; written one by one they cost twice as much."""
_NUMBERS = "numbers.arrow"
"""Beside the runs of a pass whose shares were joined with those of another."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of each coded column, by number. One object for all shares of a pass."""

    columns: Mapping[str, pl.Enum]
    empty: pl.DataFrame
    """No rows of a share: the columns and their types."""


@dataclass(frozen=True, slots=True)
class Share:
    """One country's rows in the runs of a pass, readable while their folder exists, in any process."""

    country: str
    rows: int
    batches: frozenset[int]
    parts: tuple[tuple[Path, int, int], ...]
    """Run, number of the record batch in it, rows."""
    words: Path

    def pieces(self, rows: int = 0) -> Iterator[pl.DataFrame]:
        """All rows by kind, value, batch and position, a bounded number at a time; at least one frame."""
        rows = rows or PIECE_ROWS
        words = _words_in(self.words)
        if not self.rows:
            yield words.empty
            return
        if self.rows <= rows * _HELD_PIECES:
            frame = _read(self.parts, COLUMNS, words)
            order = _order(frame)
            for start in range(0, self.rows, rows):
                yield _picked(frame, order[start : start + rows], words)
            return
        yield from self._parted(rows, words)

    def _parted(self, rows: int, words: Words) -> Iterator[pl.DataFrame]:
        """The pieces of a large share: rows are parted on disk by the piece that their keys put them into, then each
        piece is sorted by itself. Nothing is read more than twice."""
        keys = _read(self.parts, _KEYS, words)
        place = np.empty(self.rows, np.uint32)
        place[_order(keys)] = np.arange(self.rows, dtype=np.uint32)
        del keys
        folder = self.words.with_name(f"{self.country}.pieces")
        folder.mkdir(exist_ok=True)
        parts: defaultdict[int, list[tuple[Path, int, int]]] = defaultdict(list)
        places: defaultdict[int, list[npt.NDArray[np.uint32]]] = defaultdict(list)
        start = 0
        for run, (path, number, height) in enumerate(self.parts):
            here = place[start : start + height]
            start += height
            order = np.argsort((here // rows).astype(np.uint16), kind="stable").astype(np.uint32)
            here = here[order]
            frame = pl.DataFrame(pa.Table.from_batches([_batch(path, number)]))[order]
            target = folder / f"{run:05d}.arrow"
            for piece, batch, first, end in _written(target, frame, here // rows):
                parts[piece].append((target, batch, end - first))
                places[piece].append(here[first:end])
        for piece in sorted(parts):
            frame = _read(parts.pop(piece), COLUMNS, words)
            yield _picked(frame, np.argsort(np.concatenate(places.pop(piece))).astype(np.uint32), words)
        shutil.rmtree(folder)

    def write_parquet(self, path: Path) -> Path:
        """The share as one file, for who wants it whole."""
        pl.concat(frame.cast(dict.fromkeys(CODED, pl.String)) for frame in self.pieces()).write_parquet(path)
        return path


def deal_shares(
    snapshot: Snapshot,
    batches: Mapping[str, Scope] | Scope,
    countries: Sequence[str],
    folder: Path,
    on_rows: Callable[[int], None] | None = None,
) -> dict[str, Share]:
    """Deal the lake's rows out to the countries, in one pass.

    `batches` is the gate of each country's bureau, already narrowed to the batches that arrived in the span asked
    for (arrival is a property of batches, not of rows); one Scope serves all with each country's own victims.
    Rows of a territory join the package of the member whose bureau answers for it, unless it is asked for itself.
    `batch` stays in the pieces, because labels hang on it: exports leave it out. `on_rows` hears of rows read.
    """
    scopes = {
        code: batches if isinstance(batches, Scope) else batches.get(code, Scope(Batches())) for code in countries
    }
    folder.mkdir(parents=True, exist_ok=True)
    coding = _Coding()
    gate = Gate(scopes, territories())
    with _Runs(folder, gate, coding) as runs:
        for chunk in _chunks(snapshot, coding):
            runs.deal(chunk)
            if on_rows is not None:
                on_rows(chunk.height)
    words = coding.write(folder / "words.arrow")
    return {
        code: Share(code, runs.rows[place], runs.batches(place), tuple(runs.parts[place]), words)
        for place, code in enumerate(gate.countries)
    }


def spread_shares(
    snapshot: Snapshot,
    scopes: Mapping[str, Scope],
    countries: Sequence[str],
    folder: Path,
    alive: Callable[[], None] = silent,
) -> dict[str, Share]:
    """The same, dealt by the engine: each machine takes some of the files into a folder of its own."""
    parts = max(1, min(len(snapshot.files), TASKS_FOR_EACH * snapshot.engine.width))
    # Every so many-th file: neighbours are of one day and of like size.
    groups = [snapshot.files[start::parts] for start in range(parts)]
    step = partial(_deal_apart, keys=snapshot.keys, scopes=dict(scopes), countries=tuple(countries), folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    return joined_shares(list(snapshot.engine.make(step, groups, alive=alive)), folder)


def _deal_apart(
    files: tuple[Path, ...], keys: Keys, scopes: Mapping[str, Scope], countries: Sequence[str], folder: Path
) -> dict[str, Share]:
    return deal_shares(Snapshot(files, keys), scopes, countries, folder / secrets.token_hex(8))


def joined_shares(dealt: Sequence[Mapping[str, Share]], folder: Path) -> dict[str, Share]:
    """Shares that were dealt from different files of one lake, in folders of their own, as if dealt in one pass."""
    common: dict[str, dict[str, int]] = {name: {} for name in CODED}
    for path in dict.fromkeys(share.words for shares in dealt for share in shares.values()):
        words = pl.read_ipc(path)
        numbers = {name: pl.Series(_numbers(words[name][0], known)) for name, known in common.items()}
        pl.DataFrame({name: [series] for name, series in numbers.items()}).write_ipc(path.with_name(_NUMBERS))
    target = folder / "words.arrow"
    pl.DataFrame(
        {name: [list(known)] for name, known in common.items()}, schema=dict.fromkeys(CODED, pl.List(pl.String))
    ).write_ipc(target)
    return {
        code: Share(
            code,
            sum(shares[code].rows for shares in dealt),
            frozenset().union(*(shares[code].batches for shares in dealt)),
            tuple(part for shares in dealt for part in shares[code].parts),
            target,
        )
        for code in dealt[0]
    }


def write_shares(
    snapshot: Snapshot, batches: Mapping[str, Scope] | Scope, countries: Sequence[str], folder: Path
) -> dict[str, Path]:
    """One Parquet file for each country, sorted, empty where nothing concerns it."""
    shares = deal_shares(snapshot, batches, countries, folder / "runs")
    return {code: share.write_parquet(folder / f"{code}.parquet") for code, share in shares.items()}


def _numbers(words: Iterable[str], known: dict[str, int]) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The number of each word; one not yet known gets the next. No wider than need be: that is what moving costs."""
    numbers = [known.setdefault(word, len(known)) for word in words]
    return np.array(numbers, np.min_scalar_type(len(known)))


class _Coding:
    """The words of coded columns, numbered as they are met; columns of countries share one numbering."""

    def __init__(self) -> None:
        countries: dict[str, int] = {}
        self.known: dict[str, dict[str, int]] = {name: countries if name in COUNTRY_COLUMNS else {} for name in CODED}

    def numbered(self, table: pa.Table) -> pl.DataFrame:
        """Numbers instead of the words of a table whose columns are dictionaries, as Parquet holds them."""
        table = table.unify_dictionaries()
        columns = {}
        for name in CODED:
            column = table.column(name).combine_chunks()
            known = self.known[name]
            columns[name] = pa.array(_numbers(column.dictionary.to_pylist(), known)).take(column.indices)
        return pl.DataFrame(pa.table(columns))

    def words(self, name: str) -> list[str]:
        """The words by number."""
        return list(self.known[name])

    def write(self, path: Path) -> Path:
        pl.DataFrame(
            {name: [self.words(name)] for name in CODED}, schema=dict.fromkeys(CODED, pl.List(pl.String))
        ).write_ipc(path)
        return path


def _chunks(snapshot: Snapshot, coding: _Coding) -> Iterator[pl.DataFrame]:
    """The lake's rows; while one chunk is dealt out the next is read."""
    pending = None
    with ThreadPoolExecutor(1) as reader:
        for path in snapshot.files:
            for groups in _groups(path, snapshot.keys):
                coming = reader.submit(_chunk, path, groups, coding, snapshot.keys)
                if pending is not None:
                    yield pending.result()
                pending = coming
        if pending is not None:
            yield pending.result()


class _Groups(NamedTuple):
    """Row groups of a file that follow each other."""

    numbers: range
    start: int
    rows: int


def _groups(path: Path, keys: Keys) -> Iterator[_Groups]:
    metadata = parquet.opened(path, keys).metadata
    first = start = rows = 0
    for number in range(metadata.num_row_groups):
        height = metadata.row_group(number).num_rows
        if rows and rows + height > CHUNK_ROWS:
            yield _Groups(range(first, number), start, rows)
            first, start, rows = number, start + rows, 0
        rows += height
    if rows:
        yield _Groups(range(first, metadata.num_row_groups), start, rows)


def _chunk(path: Path, groups: _Groups, coding: _Coding, keys: Keys) -> pl.DataFrame:
    """Some rows of a file, without the columns that have nothing there."""
    with parquet.opened(path, keys, read_dictionary=CODED, pre_buffer=False) as file:
        coded = coding.numbered(file.read_row_groups(groups.numbers, columns=list(CODED), use_threads=False))
    plain = (name for name in COLUMNS if name not in CODED)
    frame = parquet.scan(path, keys).select(plain).slice(groups.start, groups.rows).collect().hstack(coded)
    frame = frame.select(
        column for column in frame if column.name in _GATE_COLUMNS or column.null_count() < frame.height
    )
    # Picking rows from a column in many chunks costs ten times as much as from one in one piece.
    return frame.rechunk()


class _Runs:
    """Rows grouped by package; each run is one file with a record batch for each package in it."""

    def __init__(self, folder: Path, gate: Gate, coding: _Coding) -> None:
        self.folder = folder
        self.gate = gate
        self.coding = coding
        self.parts: defaultdict[int, list[tuple[Path, int, int]]] = defaultdict(list)
        self.rows: defaultdict[int, int] = defaultdict(int)
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = 0
        self._runs = 0
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
                self._wait()
        finally:
            self._writer.shutdown()

    def batches(self, package: int) -> frozenset[int]:
        return self.gate.batches_seen(package)

    def deal(self, chunk: pl.DataFrame) -> None:
        opened = self.gate.open(
            chunk, self.coding.words("country"), self.coding.words("role"), self.coding.words("peer_role")
        )
        if opened is None:
            return
        self._waiting.append(opened)
        self._waiting_rows += opened.height
        if self._waiting_rows >= CHUNK_ROWS * 3 // 4:  # Row groups seldom fill a chunk, and the gate keeps some rows.
            self._flush()

    def _flush(self) -> None:
        """Have the waiting rows written, while the next ones are dealt out."""
        self._wait()
        if self._waiting:
            self._writing = self._writer.submit(self._write, self._waiting)
            self._waiting, self._waiting_rows = [], 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _write(self, frames: list[pl.DataFrame]) -> None:
        frame = frames[0] if len(frames) == 1 else _grouped(frames)
        packages = frame[_PACKAGE].to_numpy()
        frame = frame.drop(_PACKAGE, *(name for name in frame.columns if frame[name].null_count() == frame.height))
        path = self.folder / f"run-{self._runs:05d}.arrow"
        self._runs += 1
        for package, number, start, end in _written(path, frame, packages):
            self.parts[package].append((path, number, end - start))
            self.rows[package] += end - start


def _grouped(frames: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    return frame[np.argsort(frame[_PACKAGE].to_numpy(), kind="stable").astype(np.uint32)]


def _written(
    path: Path, frame: pl.DataFrame, groups: npt.NDArray[np.integer[Any]]
) -> Iterator[tuple[int, int, int, int]]:
    """Write rows that are in the order of their groups: group, number of its record batch, first row and end."""
    whole = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks().to_batches()[0]
    starts = np.flatnonzero(np.diff(groups.astype(np.int64), prepend=-1))
    ends = np.append(starts[1:], len(groups))
    # Threads cost more than they save where a record batch holds a few thousand rows. Nothing is compressed: runs live
    # for minutes, are read once, and compressing them would cost a quarter of dealing them out.
    with (
        pa.output_stream(path, buffer_size=_BUFFER_BYTES) as sink,
        pa.ipc.new_file(sink, whole.schema, options=pa.ipc.IpcWriteOptions(use_threads=False)) as writer,
    ):
        for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            writer.write_batch(whole.slice(start, end - start))
            yield int(groups[start]), number, start, end


def _read(parts: Sequence[tuple[Path, int, int]], columns: Sequence[str], words: Words) -> pl.DataFrame:
    """The rows of these record batches, with words instead of numbers. Columns without any are left out, keys apart."""
    # Arrow puts the pieces of a column together, and widens numbers where runs differ; a frame of each record batch
    # would cost many times its rows.
    batches = [_batch(path, number, columns) for path, number, _ in parts]
    table = pa.concat_tables((pa.Table.from_batches([batch]) for batch in batches), promote_options="permissive")
    frame = pl.DataFrame(table.combine_chunks())
    frame = frame.with_columns(pl.col(name).cat.to(words.columns[name]) for name in CODED if name in frame.columns)
    return pl.concat([words.empty[list(_KEYS)], frame], how="diagonal")


def _picked(frame: pl.DataFrame, order: npt.NDArray[np.uint32], words: Words) -> pl.DataFrame:
    """Rows in this order, with all columns of a share."""
    return pl.concat([words.empty, frame[order]], how="diagonal")


def _order(frame: pl.DataFrame) -> npt.NDArray[np.uint32]:
    """Places of the rows by kind, value, batch and position; sorting numbers is many times cheaper than rows."""
    kinds = frame["kind"].dtype
    assert isinstance(kinds, pl.Enum)
    words = kinds.categories
    rank = np.zeros(len(words) + 1, np.uint64)
    rank[words.arg_sort().to_numpy()] = np.arange(len(words), dtype=np.uint64)
    kind = rank[frame["kind"].to_physical().fill_null(len(words)).to_numpy()]
    value = frame["value"].rank("dense").fill_null(0).to_numpy().astype(np.uint64)
    order = np.arange(frame.height, dtype=np.uint32)
    for numbers in (frame["position"].to_numpy(), frame["batch"].to_numpy(), value, kind):
        order = _sorted(order, numbers.astype(np.uint64))
    return order


def _sorted(order: npt.NDArray[np.uint32], numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """The order, now by these numbers first. Sorting sixteen bits at a time costs a quarter of comparing numbers."""
    highest = int(numbers.max(initial=0))
    for shift in range(0, highest.bit_length(), 16):
        digits = (numbers >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digits[order], kind="stable")]
    return order


class _Run(NamedTuple):
    reader: pa.ipc.RecordBatchFileReader
    places: dict[str, int]
    """Place of each column in it."""
    numbers: Mapping[str, pa.Array]
    """By column: the number in the shares' words for each number in this run, where they differ."""


def _batch(path: Path, number: int, columns: Sequence[str] = COLUMNS) -> pa.RecordBatch:
    """A record batch of a run, its words under the numbers that the share knows."""
    run = _run(path)
    batch = run.reader.get_batch(number)
    if len(columns) < len(COLUMNS):
        batch = batch.select([name for name in columns if name in run.places])
    for name, numbers in run.numbers.items():
        if name in run.places and name in columns:
            batch = batch.set_column(batch.schema.get_field_index(name), name, numbers.take(batch.column(name)))
    return batch


@lru_cache(maxsize=256)
def _run(path: Path) -> _Run:
    reader = pa.ipc.open_file(pa.OSFile(str(path), "rb"), options=pa.ipc.IpcReadOptions(use_threads=False))
    places = {name: place for place, name in enumerate(reader.schema.names)}
    return _Run(reader, places, _numbers_in(path.with_name(_NUMBERS)))


@lru_cache(maxsize=64)
def _numbers_in(path: Path) -> Mapping[str, pa.Array]:
    if not path.exists():
        return {}
    return {column.name: column[0].to_arrow() for column in pl.read_ipc(path)}


@lru_cache(maxsize=1)
def _words_in(path: Path) -> Words:
    table = pl.read_ipc(path)
    columns = {name: pl.Enum(table[name][0]) for name in CODED}
    return Words(columns, pl.DataFrame(schema={name: columns.get(name, SCHEMA[name]) for name in COLUMNS}))
