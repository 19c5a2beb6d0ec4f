"""What is known of one value: by whom, when, where, in which role, with what else.

Counting is done on the indexes alone; only the rows that are shown are read from Parquet.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.core.observations import MOMENT, SCHEMA
from tocsin.core.words import VICTIM_LIKE, Kind
from tocsin.lake import index
from tocsin.lake.scope import Scope, Snapshot
from tocsin.reference.addresses import COUNTRIES, COUNTRY_INDEX

VICTIM_CODES = np.array([index.ROLES.index(role.value) for role in VICTIM_LIKE], dtype=np.uint8)
WIDEST_V4, WIDEST_V6 = 8, 16
MOST_ROWS_READ = 200
MOST_PLACES = 8
"""Row groups that one look-up reads: rows that stand apart from the rest are counted, not shown."""


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


@dataclass(frozen=True, slots=True)
class _Hits:
    path: Path
    rows: npt.NDArray[np.uint32]
    last: npt.NDArray[np.int64]


class Sight:
    """A scope as sorted arrays, ready for many look-ups."""

    def __init__(self, scope: Scope) -> None:
        self.batches = np.array(sorted(scope.batches), dtype=np.int64)
        self.own = np.array(sorted(scope.own_batches), dtype=np.int64)
        self.countries = np.array(
            [COUNTRY_INDEX[code] for code in scope.victim_countries if code in COUNTRY_INDEX], np.uint8
        )
        self.all_victims = scope.all_victims
        self.scope = scope

    def sees(self, found: index.FileIndex, rows: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """Which of these rows of a file the asker may see."""
        batches = found.batch[rows]
        seen = _is_in(batches, self.batches)
        if self.all_victims:
            return seen
        suffered = np.isin(found.role[rows], VICTIM_CODES)
        allowed = np.isin(found.country[rows], self.countries) | _is_in(batches, self.own)
        return seen & (~suffered | allowed)


def _is_in(values: npt.NDArray[np.int64], ordered: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(values), dtype=bool)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: npt.NDArray[np.bool_] = ordered[at] == values
    return found


def entries_of(kind: str, value: str) -> list[str]:
    """The texts under which a canonical value may be entered: itself, and networks that hold an address."""
    texts = [value]
    if kind in {Kind.IPV4, Kind.IPV6}:
        address = ipaddress.ip_address(value)
        widest = WIDEST_V4 if address.version == 4 else WIDEST_V6
        texts += [
            str(ipaddress.ip_network((address, length), strict=False))
            for length in range(widest, address.max_prefixlen + 1)
        ]
    elif kind == Kind.URL and (host := urlsplit(value).hostname):
        texts.append(host)
    return texts


def lookup(
    snapshot: Snapshot, sight: Sight, texts: Sequence[str], *, names: Sequence[str] = (), most_rows: int = 25
) -> Found:
    """Everything entered under any of the texts, or with one of the names, that the asker may see."""
    codes = index.text_hash(pl.Series(list(texts), dtype=pl.String))
    hits: list[_Hits] = []
    batches, roles, countries, firsts, lasts, counts = [], [], [], [], [], []
    for path in snapshot.files:
        found = index.load(path)
        if found is None:
            found = _made_anew(path)
        parts = [found.find(code) for code in codes] + [found.find_name(name) for name in names]
        rows = parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))
        if not len(rows):
            continue
        rows = rows[sight.sees(found, rows)]
        if not len(rows):
            continue
        hits.append(_Hits(path, rows, found.last[rows]))
        batches.append(found.batch[rows])
        roles.append(found.role[rows])
        countries.append(found.country[rows])
        firsts.append(found.first[rows].min())
        lasts.append(found.last[rows].max())
        counts.append(found.count[rows].sum())
    if not hits:
        return Found()
    return Found(
        total=sum(len(each.rows) for each in hits),
        sightings=int(sum(counts)),
        first_at=datetime.fromtimestamp(int(min(firsts)), UTC),
        last_at=datetime.fromtimestamp(int(max(lasts)), UTC),
        by_batch=_counted(np.concatenate(batches)),
        by_country={COUNTRIES[code] or "": rows for code, rows in _counted(np.concatenate(countries)).items()},
        by_role={index.ROLES[code]: rows for code, rows in _counted(np.concatenate(roles)).items()},
        rows=_details(hits, min(most_rows, MOST_ROWS_READ)),
    )


def _counted(values: npt.NDArray[np.generic]) -> dict[int, int]:
    distinct, counts = np.unique(values, return_counts=True)
    pairs = sorted(zip(distinct.tolist(), counts.tolist()), key=lambda pair: -pair[1])
    return dict(pairs)


def _made_anew(path: Path) -> index.FileIndex:
    """The index of a file that another version or engine wrote: derived data, made again where it is missing."""
    index.write(pl.read_parquet(path), index.index_path(path))
    index.load.cache_clear()
    found = index.load(path)
    assert found is not None
    return found


@lru_cache(maxsize=512)
def _opened(path: Path) -> tuple[pq.ParquetFile, npt.NDArray[np.int64]]:
    """A file, and the number of the first row of each of its row groups."""
    opened = pq.ParquetFile(path, memory_map=True)
    sizes = [opened.metadata.row_group(number).num_rows for number in range(opened.num_row_groups)]
    return opened, np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)


def _details(hits: list[_Hits], most_rows: int) -> pl.DataFrame:
    """The newest rows in full, newest first, as far as they stand in few places of the files."""
    last = np.concatenate([each.last for each in hits])
    owner = np.repeat(np.arange(len(hits)), [len(each.rows) for each in hits])
    rows = np.concatenate([each.rows for each in hits])
    wanted: dict[int, list[int]] = {}
    places: set[tuple[int, int]] = set()
    for place in np.argsort(-last, kind="stable")[:most_rows].tolist():
        number, row = int(owner[place]), int(rows[place])
        _, starts = _opened(hits[number].path)
        group = (number, int(np.searchsorted(starts, row, side="right")))
        if group in places or len(places) < MOST_PLACES:
            places.add(group)
            wanted.setdefault(number, []).append(row)
    tables = [rows_of(hits[number].path, np.sort(np.array(at, dtype=np.uint32))) for number, at in wanted.items()]
    frame = pl.from_arrow(pa.concat_tables(tables, promote_options="permissive"))
    assert isinstance(frame, pl.DataFrame)
    typed = frame.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    typed = typed.with_columns(pl.col("first_at", "last_at").cast(MOMENT))
    return typed.sort("last_at", descending=True, maintain_order=True)


def rows_of(path: Path, rows: npt.NDArray[np.uint32]) -> pa.Table:
    """Certain rows of a file, in order; reads only the row groups that hold them."""
    opened, starts = _opened(path)
    group = np.searchsorted(starts, rows, side="right") - 1
    tables = []
    for number in np.unique(group).tolist():
        inside = (rows[group == number] - starts[number]).astype(np.int64)
        tables.append(opened.read_row_group(number, use_threads=False).take(pa.array(inside)))
    return pa.concat_tables(tables)
