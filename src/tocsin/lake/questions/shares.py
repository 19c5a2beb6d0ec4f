"""Every country's share of the lake, in one pass over the registered files.

A row belongs to the share of the country where its value is, whatever its role, and to the share of the country
that was aimed at. What the gate does not open is left out; the other side of a row is blanked where it is a
victim elsewhere.

Rows are dealt out to runs on disk, grouped by country and with the words of closed and small vocabularies as
numbers; a share is read from its runs in bounded pieces, sorted. Nobody else's words are in a share's pieces.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.lake import parquet
from tocsin.lake.engine import silent
from tocsin.lake.keys import Keys
from tocsin.lake.questions.gate import Gate
from tocsin.lake.questions.pieces import in_order
from tocsin.lake.questions.runs import (
    CODED,
    COLUMNS,
    COUNTRY_COLUMNS,
    MOST_WORDS,
    NUMBERS,
    OPEN,
    TEXTS,
    Part,
    words_in,
    write_words,
    written,
)  # fmt: skip
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.reference.members import territories

CHUNK_ROWS = 400_000
"""Rows read, and written as one run, at a time; a row group of a file is read whole."""
TASKS_FOR_EACH = 2
"""Tasks for each of an engine's places: one that takes long holds the others up less."""
PIECE_ROWS = 250_000
"""Rows of a share that are given at a time while it is read back."""
_GATE_COLUMNS = frozenset({"batch", "role", "country", "target_country", "peer", "peer_role", "peer_country"})
"""Columns that the gate looks at, empty or not."""
_PACKAGE = "_package"


@dataclass(frozen=True, slots=True)
class Share:
    """One country's rows in the runs of a pass, readable while their folder exists, in any process."""

    country: str
    rows: int
    batches: frozenset[int]
    parts: tuple[Part, ...]
    words: Path

    def pieces(self, rows: int = 0) -> Iterator[pl.DataFrame]:
        """All rows by kind, value, batch and position, a bounded number at a time; at least one frame."""
        folder = self.words.with_name(f"{self.country}-{secrets.token_hex(4)}.pieces")
        yield from in_order(self.parts, rows or PIECE_ROWS, words_in(self.words), folder)

    def write_parquet(self, path: Path) -> Path:
        """The share as one file, for who wants it whole."""
        tables = (
            frame.cast(dict.fromkeys(CODED, pl.String)).to_arrow(compat_level=pl.CompatLevel.oldest())
            for frame in self.pieces()
        )
        first = next(tables)
        with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
            for table in chain([first], tables):
                writer.write_table(table)
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
    texts: set[str] = set()
    for path in dict.fromkeys(share.words for shares in dealt for share in shares.values()):
        words = pl.read_ipc(path)
        numbers = {name: pl.Series(_numbers(words[name][0], known)) for name, known in common.items()}
        pl.DataFrame({name: [series] for name, series in numbers.items()}).write_ipc(path.with_name(NUMBERS))
        texts.update(words[TEXTS][0])
    target = write_words(folder / "words.arrow", common, texts)
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
        self.texts: set[str] = set()

    def numbered(self, table: pa.Table) -> pl.DataFrame:
        """Numbers instead of the words of a table whose columns are dictionaries, as Parquet holds them."""
        table = table.unify_dictionaries()
        columns = {}
        for name in CODED:
            column = table.column(name).combine_chunks()
            words: list[str] = column.dictionary.to_pylist()
            if name in OPEN and (further := self._further(name, words)):
                self.texts.add(name)
                texts = [word if word in further else None for word in words]
                columns[OPEN[name]] = pa.array(texts, pa.large_string()).take(column.indices)
                numbers = [self.known[name].get(word) for word in words]
                columns[name] = pa.array(numbers, pa.uint32()).take(column.indices)
            else:
                columns[name] = pa.array(_numbers(words, self.known[name])).take(column.indices)
        return pl.DataFrame(pa.table(columns))

    def _further(self, name: str, words: list[str]) -> frozenset[str]:
        """The words for which no number is left; the others have theirs."""
        known = self.known[name]
        for word in words:
            if len(known) >= MOST_WORDS:
                return frozenset(word for word in words if word not in known)
            known.setdefault(word, len(known))
        return frozenset()

    def words(self, name: str) -> list[str]:
        """The words by number."""
        return list(self.known[name])

    def write(self, path: Path) -> Path:
        return write_words(path, self.known, self.texts)


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
        self.parts: defaultdict[int, list[Part]] = defaultdict(list)
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
        for package, part in written(path, frame, packages):
            self.parts[package].append(part)
            self.rows[package] += part.rows


def _grouped(frames: list[pl.DataFrame]) -> pl.DataFrame:
    frame = pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    return frame[np.argsort(frame[_PACKAGE].to_numpy(), kind="stable").astype(np.uint32)]
