"""Every country's share of the lake, in one pass over the registered files.

A row belongs to the share of the country where its value is, whatever its role, and to the share of the country
that was aimed at. What the gate does not open is left out; the other side of a row is blanked where it is a
victim elsewhere. Memory stays bounded: rows are dealt out to runs on disk, each share is then sorted from its runs.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as parquet

from tocsin.core.observations import SCHEMA
from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.scope import Scope, Snapshot

ORDER = ("kind", "value", "batch", "position")
PACKAGE = "_package"
DROPPED = ("ipv4", "ipv6", "peer_ipv4")
"""Columns that only serve the lake's own look-ups."""
COLUMNS = tuple(name for name in SCHEMA if name not in DROPPED)

CHUNK_ROWS = 250_000
_BYTES_PER_ROW = 1_600  # Measured with thirty filled columns, copies while sorting included.


def write_shares(
    snapshot: Snapshot,
    batches: Mapping[str, Scope] | Scope,
    countries: Sequence[str],
    folder: Path,
    memory_limit: str = "600MB",
    on_rows: Callable[[int], None] | None = None,
) -> dict[str, Path]:
    """Write one Parquet file for each country, sorted by kind and value, empty where nothing concerns it.

    `batches` is the gate of each country's bureau, already narrowed to the batches that arrived in the span asked
    for (arrival is a property of batches, not of rows); one Scope serves all with each country's own victims.
    `batch` stays in the files, because labels hang on it: exports leave it out. `on_rows` hears of rows read.
    """
    scopes = {
        code: batches if isinstance(batches, Scope) else batches.get(code, Scope(frozenset())) for code in countries
    }
    rows_in_memory = max(CHUNK_ROWS, _size_bytes(memory_limit) // _BYTES_PER_ROW)
    folder.mkdir(parents=True, exist_ok=True)
    runs = _Runs(folder / "runs", rows_in_memory)
    gate = _Gate(scopes)
    try:
        for chunk in _chunks(snapshot):
            runs.deal(gate.open(chunk))
            if on_rows is not None:
                on_rows(chunk.height)
        runs.flush()
        return {
            code: _sorted_share(runs.files[code], runs.rows[code], folder / f"{code}.parquet", rows_in_memory)
            for code in countries
        }
    finally:
        shutil.rmtree(folder / "runs", ignore_errors=True)


def _size_bytes(text: str) -> int:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    number, unit = text.strip()[:-2], text.strip()[-2:].upper()
    return int(float(number) * units[unit])


def _chunks(snapshot: Snapshot) -> Iterator[pl.DataFrame]:
    for path in snapshot.files:
        scan = pl.scan_parquet(path).select(COLUMNS)
        total = scan.select(pl.len()).collect().item()
        for start in range(0, total, CHUNK_ROWS):
            yield scan.slice(start, CHUNK_ROWS).collect()


class _Gate:
    """All countries' scopes as small tables, so that a chunk is checked for everybody at once."""

    def __init__(self, scopes: Mapping[str, Scope]) -> None:
        sets: dict[frozenset[int], int] = {}
        self.set_of_package = pl.DataFrame(
            [(code, sets.setdefault(scope.batches, len(sets))) for code, scope in scopes.items()],
            schema={PACKAGE: pl.String, "_set": pl.UInt32},
            orient="row",
        )
        self.batches_of_set = pl.DataFrame(
            [(number, batch) for batches, number in sets.items() for batch in batches],
            schema={"_set": pl.UInt32, "batch": pl.Int64},
            orient="row",
        )
        self.own = pl.DataFrame(
            [(code, batch, True) for code, scope in scopes.items() for batch in scope.own_batches],
            schema={PACKAGE: pl.String, "batch": pl.Int64, "_own": pl.Boolean},
            orient="row",
        )
        self.desks = [code for code, scope in scopes.items() if scope.all_victims]
        # A package shows the victims of its own country only, however many countries the viewer may see.
        self.own_victims = [code for code, scope in scopes.items() if code in scope.victim_countries]

    def open(self, chunk: pl.DataFrame) -> pl.DataFrame:
        """The rows of every package in this chunk, with the package's country in PACKAGE."""
        located = chunk.with_columns(pl.col("country").alias(PACKAGE))
        aimed = chunk.filter(pl.col("target_country") != pl.col("country").fill_null("")).with_columns(
            pl.col("target_country").alias(PACKAGE)
        )
        rows = (
            pl.concat([located, aimed])
            .join(self.set_of_package, on=PACKAGE)
            .join(self.batches_of_set, on=["_set", "batch"], how="semi")
            .drop("_set")
        )
        if self.own.height:
            rows = rows.join(self.own, on=[PACKAGE, "batch"], how="left")
        else:
            rows = rows.with_columns(_own=pl.lit(None, dtype=pl.Boolean))
        return self._without_foreign_victims(rows)

    def _without_foreign_victims(self, rows: pl.DataFrame) -> pl.DataFrame:
        victim_like = [role.value for role in VICTIM_LIKE]
        open_to_all = pl.col("_own").fill_null(False) | pl.col(PACKAGE).is_in(self.desks)
        own_victims = pl.col(PACKAGE).is_in(self.own_victims)
        at_home = pl.col("country").fill_null("") == pl.col(PACKAGE)
        peer_at_home = pl.col("peer_country").fill_null("") == pl.col(PACKAGE)
        hide_peer = (
            pl.col("peer").is_not_null()
            & pl.col("peer_role").fill_null("UNKNOWN").is_in(victim_like)
            & ~(peer_at_home & own_victims)
            & ~open_to_all
        )
        hidden = [name for name in COLUMNS if name.startswith("peer") and name != "peer_country"]
        return (
            rows.filter(~pl.col("role").is_in(victim_like) | (at_home & own_victims) | open_to_all)
            .with_columns(hide_peer.alias("_hide_peer"), (~at_home & ~open_to_all).alias("_abroad"))
            .with_columns(
                # Free text may repeat what the hidden columns held; a host abroad may carry its victims' data.
                *(pl.when(~pl.col("_hide_peer")).then(pl.col(name)).alias(name) for name in hidden),
                *(
                    pl.when(~pl.col("_hide_peer") & ~pl.col("_abroad")).then(pl.col(name)).alias(name)
                    for name in ("extra", "note")
                ),
                hostname=pl.when(~pl.col("_abroad")).then(pl.col("hostname")),
            )
            .select(PACKAGE, *COLUMNS)
        )


class _Runs:
    """Rows dealt out by package; what exceeds the allowed memory goes to disk."""

    def __init__(self, folder: Path, rows_in_memory: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.rows_in_memory = rows_in_memory
        self.files: defaultdict[str, list[Path]] = defaultdict(list)
        self.rows: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
        self._waiting_rows: defaultdict[str, int] = defaultdict(int)

    def deal(self, rows: pl.DataFrame) -> None:
        for (code,), part in rows.partition_by(PACKAGE, as_dict=True, include_key=False).items():
            self._waiting[str(code)].append(part)
            self._waiting_rows[str(code)] += part.height
            self.rows[str(code)] += part.height
        if sum(self._waiting_rows.values()) > self.rows_in_memory:
            largest = sorted(self._waiting_rows, key=self._waiting_rows.__getitem__, reverse=True)
            while sum(self._waiting_rows.values()) > self.rows_in_memory // 4:
                self._write(largest.pop(0))

    def flush(self) -> None:
        for code in list(self._waiting):
            self._write(code)

    def _write(self, code: str) -> None:
        path = self.folder / f"{code}-{len(self.files[code]):05d}.arrow"
        pl.concat(self._waiting.pop(code)).write_ipc(path, compression="lz4")
        self._waiting_rows.pop(code)
        self.files[code].append(path)


def _sorted_share(runs: Sequence[Path], rows: int, target: Path, rows_in_memory: int) -> Path:
    """One sorted Parquet file out of a share's runs, range by range where it is larger than memory allows."""
    if not rows:
        pl.DataFrame(schema={name: SCHEMA[name] for name in COLUMNS}).write_parquet(target)
        return target
    scan = pl.scan_ipc(list(runs))
    pieces = -(-rows // (rows_in_memory // 2))
    if pieces == 1:
        scan.collect().sort(ORDER).write_parquet(
            target, compression="zstd", compression_level=1, row_group_size=CHUNK_ROWS
        )
        return target
    key = pl.concat_str("kind", pl.lit("\x00"), "value")
    keys = scan.select(key.alias("key")).collect().to_series().sort()
    splits = [keys[place] for place in range(rows // pieces, rows, rows // pieces)][: pieces - 1]
    del keys
    bounds = [*dict.fromkeys(splits)]
    writer: parquet.ParquetWriter | None = None
    for lower, upper in zip([None, *bounds], [*bounds, None], strict=True):
        inside = pl.lit(True)
        if lower is not None:
            inside &= key >= lower
        if upper is not None:
            inside &= key < upper
        piece = scan.filter(inside).collect().sort(ORDER).to_arrow()
        if writer is None:
            writer = parquet.ParquetWriter(target, piece.schema, compression="zstd", compression_level=1)
        writer.write_table(piece, row_group_size=CHUNK_ROWS)
    if writer is not None:
        writer.close()
    return target
