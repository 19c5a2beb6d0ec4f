"""What is known of one value: by whom, when, where, in which role, with what else.

Counting is done on the indexes alone; only the rows that are shown are read from Parquet.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.core.observations import NAMES, SCHEMA
from tocsin.core.words import VICTIM_LIKE, Kind
from tocsin.lake import files, index, parquet
from tocsin.lake.keys import PLAIN, Keys
from tocsin.lake.scope import SHIELDED_BY, Scope, Snapshot
from tocsin.lake.shown import SHOWN
from tocsin.reference.addresses import COUNTRIES, COUNTRY_INDEX

T = TypeVar("T")
IS_VICTIM = np.array([role in {each.value for each in VICTIM_LIKE} for role in index.ROLES])
WIDEST_V4, WIDEST_V6 = 8, 16
MOST_ROWS_READ = 200
MOST_PLACES = 8
"""Row groups that one look-up reads: rows that stand apart from the rest are counted, not shown."""
FIRST_LOOK = 128
"""Rows of a frequent text that are tried first for the newest that the asker may see."""
SPARSE = 64
"""Rows are sorted where they are fewer than one in so many of their file, else marked."""
MOST_SINGLE = 65_536
"""Rows of one file from which they are summed by cell before all files are summed, for the sake of memory."""
MOST_OPEN = 64
"""Files whose footers are kept in memory, some ten megabytes each."""
SPARE_MAPS = 64
KINDS = len(index.ROLES) * index.COUNTRY_CODES
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.uint32]
_Sizes = tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]]
"""Codes, and rows of each; a code may come several times."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer. Counts are of all rows that the asker may see; `rows` holds the newest of them."""

    total: int = 0
    sightings: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    by_batch: dict[int, int] = field(default_factory=dict)
    by_country: dict[str, int] = field(default_factory=dict)
    by_role: dict[str, int] = field(default_factory=dict)
    rows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))


@dataclass(slots=True)
class _Hits:
    """What one file has of it, as far as it is visible: sums, and the newest of its rows."""

    path: Path
    batches: _Sizes
    kinds: _Sizes
    sightings: int
    first: int
    last: int
    newest: Rows
    last_of_newest: Rows
    """When each of them was seen last."""


class Sight:
    """A scope as sorted arrays, ready for many look-ups."""

    def __init__(self, scope: Scope) -> None:
        self.batches = scope.batches.numbers
        self.own = scope.own_batches.numbers
        self.countries = np.zeros(index.COUNTRY_CODES, dtype=bool)
        self.countries[[COUNTRY_INDEX[code] for code in scope.victim_countries if code in COUNTRY_INDEX]] = True
        self.kinds = np.repeat(~IS_VICTIM, index.COUNTRY_CODES) | np.tile(self.countries, len(index.ROLES))
        self.all_victims = scope.all_victims
        self.scope = scope
        self._batches_of: dict[Path, tuple[Flags, Flags, bool]] = {}

    def __reduce__(self) -> tuple[type[Sight], tuple[Scope]]:
        """Another process makes its own."""
        return Sight, (self.scope,)

    def _flags(self, path: Path, found: index.FileIndex) -> tuple[Flags, Flags, bool]:
        """Which of the batches of a file are seen, which are the asker's own, and whether the whole file is seen.

        Kept, since files never change.
        """
        known = self._batches_of.get(path)
        if known is None:
            seen = _is_in(found.batches, self.batches)
            known = seen, _is_in(found.batches, self.own), self.all_victims and bool(seen.all())
            self._batches_of[path] = known
        return known

    def sees_all(self, path: Path, found: index.FileIndex) -> bool:
        """Whether the asker may see every row of the file and everything on it."""
        return self._flags(path, found)[2]

    def sees(self, path: Path, found: index.FileIndex, facts: index.Facts, *, with_peer: bool = False) -> Flags:
        """Which of these records of a file the asker may see, if wanted with who stands guarded on the other side."""
        place = facts["place"]
        is_seen, is_own, _ = self._flags(path, found)
        seen: Flags = is_seen[place]
        if self.all_victims:
            return seen
        shown = self.kinds[facts["kind"]]
        if with_peer:
            guarded = facts["guarded"]
            shown &= (guarded == 0) | self.countries[guarded - (guarded > 0)]
        seen &= shown | is_own[place]
        return seen


def _is_in(values: npt.NDArray[np.int64], ordered: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[at] == values
    return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What is searched for: rows with any of the texts or names, or with an address in the range."""

    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[int, int] | None = None

    def codes(self) -> tuple[npt.NDArray[np.uint64], dict[int, int]]:
        """The hashes of texts and names; and those of texts guarded on the other side, with their open hashes."""
        texts, names = pl.Series(self.texts, dtype=pl.String), pl.Series(self.names, dtype=pl.String)
        of_texts = index.text_hash(texts)
        guarded = dict(sorted(zip(index.guarded_hash(texts).tolist(), of_texts.tolist(), strict=True)))
        return np.unique(np.concatenate([of_texts, index.name_hash(names)])), guarded


def asked_for(kind: str, value: str) -> Asked:
    """A canonical value: itself, networks that hold it, and what a network holds."""
    texts = [value]
    addresses = None
    if kind in {Kind.IPV4, Kind.IPV6, Kind.NETWORK}:
        network = ipaddress.ip_network(value)
        widest = WIDEST_V4 if network.version == 4 else WIDEST_V6
        texts += [str(network.supernet(new_prefix=length)) for length in range(widest, network.prefixlen)]
        if network.prefixlen == network.max_prefixlen:
            texts.append(str(network))
        elif network.version == 4:
            addresses = (int(network.network_address), int(network.broadcast_address))
    elif kind == Kind.URL and (host := urlsplit(value).hostname):
        texts.append(host)
    return Asked(tuple(texts), addresses=addresses)


def lookup(
    snapshot: Snapshot, sight: Sight, asked: Asked, *, most_rows: int = 25, columns: Collection[str] = NAMES
) -> Found:
    """Everything that is asked for and that the asker may see; the newest rows have the columns that are wanted."""
    _forget_replaced(len(snapshot.files))
    most_rows = min(most_rows, MOST_ROWS_READ)
    part = partial(_of_file, sight=sight, sought=_sought(asked), most_rows=most_rows, keys=snapshot.keys)
    hits = [each for some in snapshot.engine.ask(part, snapshot.files, is_search=True) for each in some]
    if not hits:
        return Found(rows=_empty(columns))
    by_batch, by_role, by_country = _totals(hits)
    return Found(
        total=sum(by_role.values()),
        sightings=sum(each.sightings for each in hits),
        first_at=datetime.fromtimestamp(min(each.first for each in hits), UTC),
        last_at=datetime.fromtimestamp(max(each.last for each in hits), UTC),
        by_batch=by_batch,
        by_country=by_country,
        by_role=by_role,
        rows=_details(hits, sight.scope, most_rows, columns, snapshot.keys) if most_rows else _empty(columns),
    )


class _Sought(NamedTuple):
    """What is asked for, as it is entered."""

    codes: npt.NDArray[np.uint64]
    guarded: npt.NDArray[np.uint64]
    open_of: dict[int, int]
    addresses: tuple[int, int] | None


def _sought(asked: Asked) -> _Sought:
    codes, open_of = asked.codes()
    return _Sought(codes, np.fromiter(open_of, np.uint64, len(open_of)), open_of, asked.addresses)


def _of_file(path: Path, sight: Sight, sought: _Sought, most_rows: int, keys: Keys) -> list[_Hits]:
    """What one file has."""
    found = index.load(path, keys) or _made_anew(path, keys)
    parts = list(found.find(sought.codes))
    near = list(found.find(sought.guarded)) if found.has_guarded else []
    some: list[_Hits | None]
    open_of = sought.open_of
    if sought.addresses is None and len({each.code for each in parts} | {open_of[each.code] for each in near}) == 1:
        # Rows that are found by one text, openly or on the other side, are no two times the same.
        some = [_of_text(path, found, sight, each, most_rows) for each in parts]
        some += [_of_text(path, found, sight, each, most_rows, with_peer=True) for each in near]
    else:
        rows, near_rows = [each.rows for each in parts], [each.rows for each in near]
        if sought.addresses is not None:
            rows.append(found.addresses.between(*sought.addresses))
            near_rows.append(found.guarded.between(*sought.addresses))
        there = _once_each(rows, len(found.facts))
        some = [_of_rows(path, found, sight, there, most_rows)]
        beside = _without(_once_each(near_rows, len(found.facts)), there)
        some.append(_of_rows(path, found, sight, beside, most_rows, with_peer=True))
    return [each for each in some if each is not None]


def _empty(columns: Collection[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={name: dtype for name, dtype in SCHEMA.items() if name in columns})


def _of_rows(
    path: Path, found: index.FileIndex, sight: Sight, rows: Rows, most_rows: int, *, with_peer: bool = False
) -> _Hits | None:
    """Distinct rows. By what is blanked for the asker nothing is found."""
    if not len(rows):
        return None
    facts = found.facts.take(rows)  # Four times as fast as an index for records of several fields.
    if not sight.sees_all(path, found):
        seen = np.flatnonzero(sight.sees(path, found, facts, with_peer=with_peer))
        rows, facts = rows[seen], facts.take(seen)
    if not len(rows):
        return None
    newest = rows
    if len(rows) > most_rows:
        newest = rows[np.argpartition(~facts["last"], most_rows)[:most_rows]]
    return _tallied(path, found, facts, np.ones(len(rows), np.uint8), newest)


def _tallied(
    path: Path, found: index.FileIndex, facts: index.Facts, sizes: npt.NDArray[np.integer[Any]], newest: Rows
) -> _Hits:
    """The sums of visible records that stand for so many rows each."""
    batches: _Sizes = (found.batches[facts["place"]], sizes)
    kinds: _Sizes = (facts["kind"], sizes)
    if len(facts) > MOST_SINGLE:
        batches = found.batches, _summed(facts["place"], sizes, len(found.batches))
        kinds = np.arange(KINDS), _summed(facts["kind"], sizes, KINDS)
    times = int(facts["times"].sum())
    first, last = int(facts["first"].min()), int(facts["last"].max())
    # Copies: what is mapped is neither kept open by an answer nor handed to another process.
    newest = np.array(newest, np.uint32)
    return _Hits(path, batches, kinds, times, first, last, newest, found.facts["last"][newest])


def _summed(
    codes: npt.NDArray[np.integer[Any]], sizes: npt.NDArray[np.integer[Any]], length: int = 0
) -> npt.NDArray[np.int64]:
    """Rows by code. Sums stay far below what a float holds exactly."""
    return np.bincount(codes, sizes, length).astype(np.int64)


def _once_each(parts: list[Rows], rows_in_file: int) -> Rows:
    """The distinct rows of several parts, ascending."""
    if not sum(map(len, parts)):
        return np.empty(0, np.uint32)
    if sum(map(len, parts)) * SPARSE < rows_in_file:
        rows = np.sort(np.concatenate(parts))  # For few, faster than a hash table.
        is_new = np.ones(len(rows), dtype=bool)
        is_new[1:] = rows[1:] != rows[:-1]
        return rows[is_new]
    held = np.zeros(rows_in_file, dtype=bool)
    for rows in parts:
        held[rows] = True
    return np.flatnonzero(held).astype(np.uint32)


def _without(rows: Rows, others: Rows) -> Rows:
    """Those of the rows that are not among the others; both ascending and distinct."""
    if not len(rows) or not len(others):
        return rows
    at = np.minimum(np.searchsorted(others, rows), len(others) - 1)
    is_new: Flags = others[at] != rows
    return rows[is_new]


def _of_text(
    path: Path, found: index.FileIndex, sight: Sight, entry: index.Entry, most_rows: int, *, with_peer: bool = False
) -> _Hits | None:
    """One text. Where it has very many rows its sums were made with the index; rows are listed newest first."""
    rows, sums = entry.rows, entry.sums
    if sums is None:
        return _of_rows(path, found, sight, _once_each([rows], len(found.facts)), most_rows, with_peer=with_peer)
    if sight.sees_all(path, found):
        return _tallied(path, found, sums, sums["rows"], rows[:most_rows])
    sums = sums.take(np.flatnonzero(sight.sees(path, found, sums, with_peer=with_peer)))
    if not len(sums):
        return None
    newest: Rows = np.empty(0, np.uint32)
    start, step = 0, FIRST_LOOK
    while len(newest) < min(most_rows, int(sums["rows"].sum())):
        some = rows[start : start + step]
        some = some[sight.sees(path, found, found.facts.take(some), with_peer=with_peer)]
        newest = np.concatenate([newest, some])[:most_rows]
        start, step = start + step, step * 8
    return _tallied(path, found, sums, sums["rows"], newest)


def _totals(hits: list[_Hits]) -> tuple[dict[int, int], dict[str, int], dict[str, int]]:
    """Visible rows by batch, by role and by country, most first."""
    grid = _summed(*_joined([each.kinds for each in hits]), KINDS).reshape(len(index.ROLES), index.COUNTRY_CODES)
    roles, countries = grid.sum(axis=1), grid.sum(axis=0)
    batch, sizes = _joined([each.batches for each in hits])
    numbers, place = index.numbered(batch.astype(np.int64))
    of_batch = _summed(place, sizes)
    return (
        _most_first(numbers.tolist(), of_batch),
        _most_first(index.ROLES, roles),
        _most_first([code or "" for code in COUNTRIES], countries),
    )


def _joined(parts: list[_Sizes]) -> _Sizes:
    return np.concatenate([codes for codes, _ in parts]), np.concatenate([sizes for _, sizes in parts])


def _most_first(names: Sequence[T], counts: npt.NDArray[np.int64]) -> dict[T, int]:
    order = np.argsort(-counts, kind="stable")
    return {names[place]: count for place, count in zip(order.tolist(), counts[order].tolist(), strict=True) if count}


def _forget_replaced(files: int) -> None:
    """Let go of what is mapped when most of it is of files that were replaced: till then the disk keeps their room."""
    if index.load.cache_info().currsize > 2 * files + SPARE_MAPS:
        index.load.cache_clear()
        _opened.cache_clear()


def _made_anew(path: Path, keys: Keys) -> index.FileIndex:
    """The index of a file that another version or engine wrote: derived data, made again where it is missing."""
    files.index_anew(path, keys)
    index.load.cache_clear()
    found = index.load(path, keys)
    assert found is not None
    return found


class _Open(NamedTuple):
    """A file that stays open for whoever asks next."""

    file: pq.ParquetFile
    starts: npt.NDArray[np.int64]
    """The number of the first row of each row group."""
    lock: threading.Lock
    """One thread at a time: a reader that fetches ahead for one would throw away what it fetched for another."""


@lru_cache(maxsize=MOST_OPEN)
def _opened(path: Path, keys: Keys) -> _Open:
    opened = parquet.opened(path, keys, memory_map=True, pre_buffer=False)
    sizes = [opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups)]
    return _Open(opened, np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64), threading.Lock())


def _details(hits: list[_Hits], scope: Scope, most_rows: int, columns: Collection[str], keys: Keys) -> pl.DataFrame:
    """The newest rows, newest first: those that a page shows from the indexes, else as far as they stand close."""
    last = np.concatenate([each.last_of_newest for each in hits])
    owner = np.repeat(np.arange(len(hits)), [len(each.newest) for each in hits])
    rows = np.concatenate([each.newest for each in hits])
    order = np.argsort(~last, kind="stable")[:most_rows]
    is_light = set(columns) <= set(SHOWN)
    wanted: dict[int, list[int]] = {}
    places: set[tuple[int, int]] = set()
    for place in order.tolist():
        number, row = int(owner[place]), int(rows[place])
        if not is_light:
            group = (number, int(np.searchsorted(_opened(hits[number].path, keys).starts, row, side="right")))
            if group not in places and len(places) == MOST_PLACES:
                continue
            places.add(group)
        wanted.setdefault(number, []).append(row)
    read = {*columns, "last_at", *SHIELDED_BY}
    records: list[dict[str, Any]] = []
    for number, at in wanted.items():
        path = hits[number].path
        found = index.load(path, keys) or _made_anew(path, keys)
        if is_light:
            records += found.shown_of(at)
        else:
            wide = rows_of(path, np.sort(np.array(at, np.uint32)), sorted(read & found.columns), keys=keys)
            records += wide.to_pylist()
    records.sort(key=lambda record: record["last_at"], reverse=True)
    schema = {name: dtype for name, dtype in SCHEMA.items() if name in read}
    frame = pl.DataFrame({name: [record.get(name) for record in records] for name in schema}, schema=schema)
    return scope.shielded(frame).select(name for name in schema if name in columns)


def rows_of(
    path: Path, rows: npt.NDArray[np.uint32], columns: list[str] | None = None, *, keys: Keys = PLAIN
) -> pa.Table:
    """Certain rows of a file, in order; reads only the row groups that hold them."""
    file, starts, lock = _opened(path, keys)
    group = np.searchsorted(starts, rows, side="right") - 1
    tables = []
    for number in np.unique(group).tolist():
        inside = (rows[group == number] - starts[number]).astype(np.int64)
        with lock:
            read = file.read_row_group(number, columns=columns, use_threads=False)
        tables.append(read.take(pa.array(inside)))
    return pa.concat_tables(tables)
