"""Have we seen this? Sorted tables beside every Parquet file, read in place from disk.

Two memory-mapped files of Arrow tables. `.index` says where: `entries` (hash of a text or name, row), sorted by hash;
`addresses` (number, row), sorted; and for texts with very many rows `frequent` with `sums`, their rows counted
beforehand. `.facts` says what the gate and a summary need of each row, in one record: batch, role, countries, times and
count; and it has the columns that a page shows, ready to be read row by row. So counting by viewer touches no Parquet
at all, and each row only one place in memory. Who stands on the other side and may be a victim is guarded: entered
under a hash of its own, or in `guarded` by number, and the record knows its country, so that a row is not found by what
is blanked on it. The index is derived: when its version differs from the running one it is made anew.

Beside a sealed file it lies under a veil: in place of the hashes stand tokens that need the file's key, addresses and
texts are covered. Rows, batches, roles, countries, times and counts stay as they are: they name nobody.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from tocsin.core.words import Kind, Role
from tocsin.credentials.content_keys import KeyMissing
from tocsin.lake import buckets
from tocsin.lake.keys import PLAIN, FileKey, Keys, Veil
from tocsin.lake.repeats import order_of
from tocsin.lake.scope import is_guarded
from tocsin.lake.shown import Shown, are_alike, table_of
from tocsin.reference.addresses import COUNTRIES, COUNTRY_INDEX

_SEALED_BY = b"sealed-by"
VERSION = f"8 polars {metadata.version('polars')}".encode()
"""The hash is that of Polars, which may change between its versions."""
SEED = 20_130_320
NAME_SEED = 20_130_321
GUARDED_SEED = 20_130_322
ROLES = tuple(role.value for role in Role)
UNUSUAL = r"[@:\[\]?#]"
HOST = r"^(?:[^@]*@)?(\[[^\]]*\]|[^:?#]*)"
NAMED = ("malware", "actor", "label")
FREQUENT_ROWS = 1_024
"""Rows under one text from which they are counted when the index is made, and listed newest first."""
COUNTRY_CODES = 256
DENSE_KEYS = 1 << 24
UINT64 = npt.NDArray[np.uint64]
UINT32 = npt.NDArray[np.uint32]
Tables: TypeAlias = "tuple[pa.Table, ...]"
ADDRESS_STREAM, GUARDED_STREAM = 1, 3
"""Of the numbers; the rows are in the stream that follows."""
PAGE = 1_024
"""Covered addresses that are opened together; of so many each the first is remembered."""
NEVER = (1 << 32) - 1
"""Seconds since 1970 that no row reaches."""
FACT = np.dtype(
    [("place", "<u4"), ("kind", "<u2"), ("guarded", "<u2"), ("first", "<u4"), ("last", "<u4"), ("times", "<i8")]
)
"""One row: the place of its batch; role and country in one number; one more than the number of the other side's country
where that side is guarded, else 0; seconds since 1970; how often. Rows with the same first eight bytes are seen or
hidden together."""
SUM = np.dtype([*FACT.descr, ("rows", "<i8")])
"""Rows of one text that are seen or hidden together."""
Facts = npt.NDArray[np.void]


def index_path(parquet: Path) -> Path:
    """Where the index of a Parquet file lies."""
    return parquet.with_suffix(".index")


def beside(parquet: Path) -> tuple[Path, Path]:
    """Both files that lie beside a Parquet file."""
    path = index_path(parquet)
    return path, path.with_suffix(".facts")


def text_hash(texts: pl.Series) -> UINT64:
    """The hash under which a text is entered."""
    return texts.hash(SEED).to_numpy()


def guarded_hash(texts: pl.Series) -> UINT64:
    """The hash under which the other side is entered where the rule of victims decides who may see it."""
    return texts.hash(GUARDED_SEED).to_numpy()


def name_hash(names: pl.Series) -> UINT64:
    """The hash under which a name is entered; case makes no difference, and no text has the same."""
    return names.str.to_lowercase().hash(NAME_SEED).to_numpy()


def entered_texts(frame: pl.DataFrame) -> list[pl.Series]:
    """Columns of texts by which a row is found as soon as it is seen; null where there is none or nothing new."""
    value, kind = pl.col("value"), pl.col("kind")
    is_url = kind == Kind.URL
    shown = [frame["value"]]
    if frame["domain"].null_count() < frame.height:
        shown.append(frame.select(pl.when(pl.col("domain") != value).then("domain")).to_series())
    if (frame["kind"] == Kind.URL).any():
        host = hosts(frame.select(pl.when(is_url).then(value)).to_series())
        shown.append(pl.select(pl.when(host != frame["domain"].fill_null("")).then(host)).to_series())
    if frame["peer"].null_count() < frame.height:
        shown.append(frame.select(pl.when(~is_guarded()).then("peer")).to_series())
    if frame["url"].null_count() < frame.height:
        shown += [frame["url"], hosts(frame["url"])]
    return shown


def hosts(addresses: pl.Series) -> pl.Series:
    """The host of each web address, without user, port and brackets; null where there is none."""
    host = addresses.str.splitn("/", 4).struct.field("field_2")
    unusual = host.str.contains(UNUSUAL)
    if not unusual.any():
        return host
    mended = host.str.extract(HOST, 1).str.strip_chars("[]")
    return pl.select(pl.when(unusual).then(mended).otherwise(host)).to_series()


def build(frame: pl.DataFrame, veil: Veil | None = None) -> tuple[Tables, Tables]:
    """The tables of `.index` and of `.facts` for one file, whose rows are those of `frame` in order."""
    facts, batches = _facts(frame)
    codes, rows, frequent, sums = _counted(*_entries(frame, veil), facts)
    held = [name for name in frame.columns if frame[name].null_count() < frame.height]
    told = {b"columns": orjson.dumps(held), b"guarded": orjson.dumps(bool(facts["guarded"].any()))}
    of_rows = pa.table({"fact": _records(facts)}).replace_schema_metadata(told)
    entries = pa.table({"hash": codes, "row": rows})
    numbers = frame.select(
        "ipv4", open=pl.when(~is_guarded()).then("peer_ipv4"), near=pl.when(is_guarded()).then("peer_ipv4")
    )
    addresses = _addresses(numbers["ipv4"], numbers["open"], veil=veil, stream=ADDRESS_STREAM)
    guarded = _addresses(numbers["near"], veil=veil, stream=GUARDED_STREAM)
    of_batches = pa.table({"batch": batches})
    return (entries, addresses, frequent, sums, guarded), (of_rows, of_batches, table_of(frame, veil))


def _entries(frame: pl.DataFrame, veil: Veil | None) -> tuple[UINT64, UINT32]:
    """Hashes of all texts and names, or their tokens, with their rows, by hash."""
    every = np.arange(frame.height, dtype=np.uint32)
    columns = [(texts, text_hash(texts)) for texts in entered_texts(frame)]
    named = [frame[name] for name in NAMED if frame[name].null_count() < frame.height]
    columns += [(names, name_hash(names)) for names in named]
    guarded = frame.select(pl.when(is_guarded()).then("peer")).to_series()
    if guarded.null_count() < frame.height:
        # What a row is found by openly needs no guard: no row stands under both hashes of one text.
        same = np.zeros(frame.height, dtype=bool)
        plain = text_hash(guarded)
        for _, codes in columns:
            same |= codes == plain
        guarded = guarded.set(pl.Series(same), None) if same.any() else guarded
        columns.append((guarded, guarded_hash(guarded)))
    hashes, places = [], []
    for texts, codes in columns:
        known = texts.is_not_null().to_numpy() if texts.null_count() else slice(None)
        hashes.append(codes[known])
        places.append(every[known])
    codes = np.concatenate(hashes)
    if veil is not None:
        codes = veil.tokens(codes)
    order = order_of(codes)
    return codes[order], np.concatenate(places)[order]


def _facts(frame: pl.DataFrame) -> tuple[Facts, npt.NDArray[np.int64]]:
    """The record of each row; the batches, ascending."""
    country, near_country = (
        pl.col(name).replace_strict(COUNTRY_INDEX, default=0, return_dtype=pl.UInt16)
        for name in ("country", "peer_country")
    )
    role = pl.col("role").replace_strict(list(ROLES), list(range(len(ROLES))), return_dtype=pl.UInt16)
    coded = frame.select(
        (
            (pl.col(name).dt.timestamp("us") // 1_000_000).clip(0, NEVER).cast(pl.UInt32)
            for name in ("first_at", "last_at")
        ),
        kind=role * COUNTRY_CODES + country,
        guarded=pl.when(is_guarded()).then(near_country + 1).fill_null(0),
        times="count",
    ).rename({"first_at": "first", "last_at": "last"})
    batches, place = numbered(frame["batch"].to_numpy())
    facts = np.empty(frame.height, FACT)
    facts["place"] = place
    for name in coded.columns:
        facts[name] = coded[name].to_numpy()
    return facts, batches


def numbered(values: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct values, ascending, and the place of each value among them."""
    if not len(values):
        return values, values
    lowest, width = int(values.min()), int(values.max()) - int(values.min()) + 1
    if width > DENSE_KEYS:
        distinct, place = np.unique(values, return_inverse=True)
        return distinct, place
    present = np.zeros(width, dtype=bool)
    present[values - lowest] = True
    numbers = np.cumsum(present, dtype=np.int64) - 1
    return np.flatnonzero(present) + lowest, numbers[values - lowest]


def _counted(codes: UINT64, rows: UINT32, facts: Facts) -> tuple[UINT64, UINT32, pa.Table, pa.Table]:
    """The entries with the rows of frequent texts newest first and once each; those texts, and their sums."""
    often = _frequent(codes)
    starts, ends_of = np.searchsorted(codes, often, "left"), np.searchsorted(codes, often, "right")
    keep = np.ones(len(codes), dtype=bool)
    parts = []
    last = np.ascontiguousarray(facts["last"])
    for start, end in zip(starts.tolist(), ends_of.tolist(), strict=True):
        found = np.unique(rows[start:end])
        newest = found[np.argsort(~last[found])]
        rows[start : start + len(newest)] = newest
        keep[start + len(newest) : end] = False
        parts.append(newest)
    sums, ends = _sums(parts, facts)
    frequent = pa.table({"hash": often, "end": ends})
    counted = pa.table({"sum": _records(sums)})
    return (codes, rows, frequent, counted) if keep.all() else (codes[keep], rows[keep], frequent, counted)


def _frequent(codes: UINT64) -> UINT64:
    """Of sorted hashes those that stand at FREQUENT_ROWS places and more."""
    apart = FREQUENT_ROWS - 1
    if len(codes) <= apart:
        return np.zeros(0, np.uint64)
    found: UINT64 = codes[apart:][codes[apart:] == codes[: len(codes) - apart]]
    if len(found):
        found = found[np.concatenate([[True], found[1:] != found[:-1]])]
    return found


def _sums(parts: list[UINT32], facts: Facts) -> tuple[Facts, npt.NDArray[np.int64]]:
    """For each part of the rows one record per batch, kind and guarded country; where the records of each part end."""
    if not parts:
        return np.empty(0, SUM), np.empty(0, np.int64)
    of_rows = facts.take(np.concatenate(parts))
    rows = {name: np.ascontiguousarray(of_rows[name]) for name in ("first", "last", "times")}
    part = np.repeat(np.arange(len(parts), dtype=np.uint32), [len(each) for each in parts])
    grouped = (
        pl.DataFrame({"part": part, "key": _keys(of_rows), **rows})
        .group_by("part", "key")
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col("times").sum(), rows=pl.len())
        .sort("part", "key")
    )
    sums = np.empty(grouped.height, SUM)
    _keys(sums)[:] = grouped["key"].to_numpy()
    for name in ("first", "last", "times", "rows"):
        sums[name] = grouped[name].to_numpy()
    return sums, np.cumsum(np.bincount(grouped["part"].to_numpy(), minlength=len(parts)))


def _keys(records: Facts) -> UINT64:
    """What decides who sees them: their first eight bytes as one number."""
    keys: UINT64 = records.view(np.uint64).reshape(len(records), -1)[:, 0]
    return keys


def _records(records: Facts) -> pa.Array:
    """The records as they lie in memory."""
    return pa.Array.from_buffers(pa.binary(records.itemsize), len(records), [None, pa.py_buffer(records)])


def _addresses(*columns: pl.Series, veil: Veil | None, stream: int) -> pa.Table:
    """The IPv4 addresses of these columns as numbers, ascending, with their rows."""
    every = np.arange(len(columns[0]), dtype=np.uint32)
    numbers, places = [np.zeros(0, np.uint32)], [np.zeros(0, np.uint32)]
    for column in columns:
        known = column.is_not_null()
        if known.any():
            numbers.append(column.filter(known).to_numpy())
            places.append(every[known.to_numpy()])
    number, row = np.concatenate(numbers), np.concatenate(places)
    packed = (number.astype(np.uint64) << np.uint64(32)) | row
    packed.sort()
    number, row = (packed >> np.uint64(32)).astype(np.uint32), packed.astype(np.uint32)
    if veil is not None:
        number = np.frombuffer(veil.covered(number.data.cast("B"), stream), np.uint32) if len(number) else number
        row = np.frombuffer(veil.covered(row.data.cast("B"), stream + 1), np.uint32) if len(row) else row
    return pa.table({"number": number, "row": row})


def write(frame: pl.DataFrame, path: Path, key: FileKey | None = None) -> None:
    """Write the index of `frame` to `path`, durable when this returns; covered with a key that covers nothing else."""
    veil = None if key is None else key.veil()
    # Beside and then in place: whoever has an older one mapped would fall over a file that shrinks under it.
    for tables, target in zip(build(frame, veil), (path, path.with_suffix(".facts")), strict=True):
        fresh = target.with_name(f"{target.name}-{os.getpid()}-{threading.get_ident()}")
        _write_tables(tables, fresh, {b"version": VERSION, **({} if key is None else {_SEALED_BY: key.prefix})})
        fresh.replace(target)


def is_of(frame: pl.DataFrame, parquet: Path, keys: Keys) -> bool:
    """Whether what lies beside a file is what its rows make, to the last byte of every column."""
    buckets.forget_copies(beside(parquet))  # It is the bucket that is asked.
    try:
        lying = _lying(parquet)
    except (pa.ArrowInvalid, OSError):
        return False
    if lying[0] is None or lying[1] is None:
        return False
    try:
        veils = [_veil_of(tables[0], keys) for tables in lying if tables is not None]
    except KeyMissing:
        return False
    if len({None if veil is None else veil.prefix for veil in veils}) > 1:
        return False
    told = {b"version", _SEALED_BY}
    for made, held in zip(build(frame, veils[0]), lying, strict=True):
        for one, other in zip(made, held or (), strict=True):
            said = {name: text for name, text in (other.schema.metadata or {}).items() if name not in told}
            if not are_alike(one.combine_chunks(), other.replace_schema_metadata(said or None), veils[0]):
                return False
    return True


def _write_tables(tables: Tables, path: Path, told: dict[bytes, bytes]) -> None:
    with pa.OSFile(str(path), "wb") as sink:
        for table in tables:
            known = table.replace_schema_metadata({**(table.schema.metadata or {}), **told})
            with pa.ipc.new_stream(sink, known.schema) as writer:
                writer.write_table(known.combine_chunks())
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


class Numbers:
    """IPv4 addresses in ascending order with their rows, where they lie; covered ones are opened page by page."""

    def __init__(self, table: pa.Table, veil: Veil | None, stream: int) -> None:
        self._numbers: UINT32 = _column(table, "number")
        self._rows: UINT32 = _column(table, "row")
        self._veil, self._stream = veil, stream

    def between(self, first: int, last: int) -> UINT32:
        """Rows with an address from first to last, in no order, some of them twice."""
        if not len(self._numbers):
            return self._rows
        start, end = self._place(first, "left"), self._place(last, "right")
        return self._opened(self._rows, self._stream + 1, start, end)

    def _place(self, number: int, side: Literal["left", "right"]) -> int:
        sought = np.uint32(number)
        if self._veil is None:
            return int(np.searchsorted(self._numbers, sought, side=side))
        start = max(int(np.searchsorted(self._firsts, sought, side=side)) - 1, 0) * PAGE
        page = self._opened(self._numbers, self._stream, start, min(start + PAGE, len(self._numbers)))
        return start + int(np.searchsorted(page, sought, side=side))

    def _opened(self, column: UINT32, stream: int, start: int, end: int) -> UINT32:
        if self._veil is None or start == end:
            return column[start:end]
        return np.frombuffer(self._veil.stretch((stream, column.data.cast("B"), start * 4, end * 4)), np.uint32)

    @cached_property
    def _firsts(self) -> UINT32:
        """The first address of each page."""
        assert self._veil is not None
        covered = self._numbers.data.cast("B")
        pieces = ((self._stream, covered, place * 4, place * 4 + 4) for place in range(0, len(self._numbers), PAGE))
        return np.frombuffer(b"".join(self._veil.opened(pieces)), np.uint32)


class Entry(NamedTuple):
    """A text or name that something is entered under."""

    code: int
    """Its hash, as it was asked for."""
    rows: UINT32
    """Of frequent texts newest first."""
    sums: Facts | None
    """What was counted beforehand of a frequent one."""


@dataclass(frozen=True, slots=True)
class FileIndex:
    """An index, mapped into memory: nothing is read before it is touched."""

    hashes: UINT64
    rows: UINT32
    addresses: Numbers
    frequent: dict[int, tuple[int, int]]
    """What stands for a text with very many rows → where its sums begin and end."""
    sums: Facts
    facts: Facts
    guarded: Numbers
    """Of the other side, where that side is guarded."""
    has_guarded: bool
    batches: npt.NDArray[np.int64]
    columns: frozenset[str]
    """Columns of the file that hold anything."""
    shown: Shown
    veil: Veil | None

    def find(self, codes: UINT64) -> Iterator[Entry]:
        """Each of the hashes that something is entered under."""
        sought = codes if self.veil is None else self.veil.tokens(codes)
        starts = np.searchsorted(self.hashes, sought, side="left").tolist()
        for start, entered, code in zip(starts, sought.tolist(), codes.tolist(), strict=True):
            if start < len(self.hashes) and self.hashes[start] == entered:
                rows = self.rows[start : np.searchsorted(self.hashes, np.uint64(entered), side="right")]
                place = self.frequent.get(entered)
                yield Entry(code, rows, None if place is None else self.sums[slice(*place)])

    def shown_of(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The shown columns of these rows and their batch, as far as they hold anything."""
        found = self.shown.rows(rows)
        for row, known in zip(rows, found, strict=True):
            fact = self.facts[row]
            role, country = divmod(int(fact["kind"]), COUNTRY_CODES)
            known |= {"count": int(fact["times"]), "role": ROLES[role], "country": COUNTRIES[country]}
            known["batch"] = int(self.batches[fact["place"]])
        return found


@lru_cache(maxsize=4096)
def load(parquet: Path, keys: Keys = PLAIN) -> FileIndex | None:
    """The index of a registered file, None when it has none of this version. Files never change once registered."""
    return opened(parquet, keys)


def opened(parquet: Path, keys: Keys = PLAIN) -> FileIndex | None:
    """The same for who reads a file once. Raises KeyMissing where it is covered and the key is not here."""
    where, what = _lying(parquet)
    if (where is None or what is None) and buckets.mount_of(parquet) is not None:
        buckets.forget_copies(beside(parquet))  # Another machine may have made a newer one.
        where, what = _lying(parquet)
    if where is None or what is None:
        return None
    entries, addresses, frequent, sums, guarded = where
    facts, batches, shown = what
    told = facts.schema.metadata or {}
    veil, other = _veil_of(entries, keys), _veil_of(facts, keys)
    ends = frequent["end"].to_pylist()
    return FileIndex(
        hashes=_column(entries, "hash"),
        rows=_column(entries, "row"),
        addresses=Numbers(addresses, veil, ADDRESS_STREAM),
        frequent=dict(zip(frequent["hash"].to_pylist(), zip([0, *ends], ends, strict=False), strict=True)),
        sums=_of_records(sums["sum"], SUM),
        facts=_of_records(facts["fact"], FACT),
        guarded=Numbers(guarded, veil, GUARDED_STREAM),
        has_guarded=orjson.loads(told.get(b"guarded", b"false")),
        batches=_column(batches, "batch"),
        columns=frozenset(orjson.loads(told.get(b"columns", b"[]"))),
        shown=Shown(shown, other),
        veil=veil,
    )


def _lying(parquet: Path) -> tuple[Sequence[pa.Table] | None, Sequence[pa.Table] | None]:
    where, what = beside(parquet)
    return _tables(where, 5), _tables(what, 3)


def _veil_of(table: pa.Table, keys: Keys) -> Veil | None:
    """What covers the file of this table; None where it lies open."""
    prefix = (table.schema.metadata or {}).get(_SEALED_BY)
    return None if prefix is None else keys.of(prefix).veil()


def _tables(path: Path, count: int) -> Sequence[pa.Table] | None:
    """The tables of a file that this version wrote, where they lie."""
    try:
        source = buckets.used_here(path, lambda copy: pa.memory_map(str(copy)))
    except FileNotFoundError:
        return None
    tables = []
    try:
        for _ in range(count):
            table = pa.ipc.open_stream(source).read_all()
            if (table.schema.metadata or {}).get(b"version") != VERSION:
                return None
            tables.append(table)
    except pa.ArrowInvalid:  # Written by another version, in another form.
        return None
    return tables


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """A column where it lies, without a copy."""
    chunks = table[name].chunks
    column: npt.NDArray[Any] = chunks[0].to_numpy(zero_copy_only=True) if len(chunks) == 1 else table[name].to_numpy()
    return column


def _of_records(column: pa.ChunkedArray, dtype: np.dtype[np.void]) -> Facts:
    """Records where they lie, without a copy."""
    if not len(column):
        return np.empty(0, dtype)
    (chunk,) = column.chunks
    return np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize)
