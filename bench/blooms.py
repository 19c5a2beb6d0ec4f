"""Would Bloom filters in Parquet help another engine that reads the lake's files as they are?

    python bench/blooms.py [--rows 500000] [--files 4] [--asked 40]

Writes sorted files of generated observations as the lake does, with and without Bloom filters on the texts by which a
row is found, and lets DuckDB (which reads them) ask for values that are there and values that are not; and says what
the lake's own index takes for the same. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

COLUMNS = ("value", "peer", "domain", "hostname")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=500_000)
    asked.add_argument("--files", type=int, default=4)
    asked.add_argument("--asked", type=int, default=40)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, blooms, wrote = written(Path(folder), told.rows, told.files)
        values = sample(plain, told.asked)
        found: dict[str, Any] = {"bench": "blooms", "rows": told.rows * told.files, **wrote}
        for column in ("value", "peer"):
            there, absent = values[column], [f"absent-{number}.example" for number in range(told.asked)]
            for name, paths in (("statistics", plain), ("blooms", blooms)):
                found[f"{column}_there_{name}_cpu_ms"] = scanned(paths, column, there)
                found[f"{column}_absent_{name}_cpu_ms"] = scanned(paths, column, absent)
        found["index_cpu_ms"] = looked_up(plain, values["value"])
    print(json.dumps(found))


def written(folder: Path, rows: int, count: int) -> tuple[list[Path], list[Path], dict[str, float]]:
    """The same rows in files of both sorts; bytes and processor seconds of each."""
    import pyarrow.parquet as pq
    from tests.generated_lake import rows as generated

    from tocsin.lake import files
    from tocsin.lake.compaction import SORTED_BY
    from tocsin.reference.members import members

    codes = [member.code for member in members(date(2026, 11, 1))]
    plain, blooms, spent = [], [], {"statistics": 0.0, "blooms": 0.0}
    for number in range(count):
        frame = files.whole(generated(rows, codes, seed=number, batches=20).sort(SORTED_BY, nulls_last=True))
        path = folder / f"{number}.parquet"
        files.write(frame, path, row_group=files.SORTED_ROW_GROUP)
        plain.append(path)
        other = folder / f"{number}-blooms.parquet"
        table = frame.to_arrow()
        for name, options in (
            ("statistics", None),
            ("blooms", {column: {"ndv": 4096, "fpp": 0.01} for column in COLUMNS}),
        ):
            began = time.process_time()
            pq.write_table(
                table, other, row_group_size=files.SORTED_ROW_GROUP, compression="zstd", compression_level=1,
                bloom_filter_options=options,
            )  # fmt: skip
            spent[name] += time.process_time() - began
            if name == "statistics":
                before = other.stat().st_size
        blooms.append(other)
        spent["bytes_more"] = spent.get("bytes_more", 0.0) + other.stat().st_size - before
    all_rows = rows * count
    return plain, blooms, {
        "write_times": round(spent["blooms"] / spent["statistics"], 2),
        "bytes_per_row_more": round(spent["bytes_more"] / all_rows, 1),
        "bytes_per_row": round(sum(path.stat().st_size for path in plain) / all_rows, 1),
    }  # fmt: skip


def sample(paths: list[Path], count: int) -> dict[str, list[str]]:
    import polars as pl

    frame = pl.read_parquet(paths[0], columns=["value", "peer"]).drop_nulls().sample(count, seed=3)
    return {name: frame[name].to_list() for name in ("value", "peer")}


def scanned(paths: list[Path], column: str, texts: list[str]) -> float:
    """Processor milliseconds of one question to DuckDB."""
    import duckdb

    names = [str(path) for path in paths]
    with duckdb.connect() as connection:
        question = f"SELECT count(*) FROM read_parquet(?) WHERE {column} = ?"
        connection.execute(question, [names, texts[0]]).fetchall()
        began = time.process_time()
        for text in texts:
            connection.execute(question, [names, text]).fetchall()
        return round((time.process_time() - began) / len(texts) * 1000, 2)


def looked_up(paths: list[Path], texts: list[str]) -> float:
    """The same by the lake's own index, counted under the gate."""
    from tocsin.lake.questions.lookup import Sight, asked_for, lookup
    from tocsin.lake.scope import Batches, Scope, Snapshot

    snapshot = Snapshot(tuple(paths))
    sight = Sight(Scope(Batches(list(range(1, 21))), all_victims=True))
    for text in texts[:5]:
        lookup(snapshot, sight, asked_for("domain", text))
    began = time.process_time()
    for text in texts:
        lookup(snapshot, sight, asked_for("domain", text))
    return round((time.process_time() - began) / len(texts) * 1000, 2)


if __name__ == "__main__":
    main()
