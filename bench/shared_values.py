"""Which values did several hand over, with the gate: attributes per CPU-second, and memory.

    python bench/shared_values.py [--rows 1000000] [--folder FOLDER] [--peers FOLDER]

Generated observations (tests/generated_lake.py) in sealed files of the lake, of 40 deliveries; the question looks at
all rows with the gate's columns, for a viewer who sees everything and for a bureau. Beside it, on the same values in
memory: DuckDB and Polars counting the same without a gate. With --peers, their script for correlation as pairs.
Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

BATCHES = 40
ROWS_IN_FILE = 500_000
GOAL_PER_CPU_S = 1_000_000
GOAL_MB = 1_536


def built(folder: Path, rows: int) -> list[Path]:
    """Files of the lake, sealed as an installation's are."""
    from tests.generated_lake import rows as generated

    from tocsin.lake import files
    from tocsin.lake.compaction import SORTED_BY
    from tocsin.reference.members import members

    codes = [member.code for member in members(date(2026, 11, 1))]
    paths = []
    for number in range(0, rows, ROWS_IN_FILE):
        path = folder / f"{number}.parquet"
        paths.append(path)
        if path.exists():
            continue
        frame = generated(min(ROWS_IN_FILE, rows - number), codes, seed=number + 7, batches=BATCHES)
        sealed = KEYS.writer()
        files.write(frame.sort(SORTED_BY, nulls_last=True), path, sealed, row_group=files.SORTED_ROW_GROUP)
    return paths


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=1_000_000)
    asked.add_argument("--folder", type=Path, help="Files of an earlier run, or where to leave this one's.")
    asked.add_argument("--peers", type=Path)
    asked.add_argument("--child", choices=("ours", "duckdb", "polars"))
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.folder or Path(temporary)
        if told.child:
            print(json.dumps(CHILDREN[told.child](folder, told.rows)))
            return
        folder.mkdir(parents=True, exist_ok=True)
        built(folder, told.rows)
        found = {name: child(name, folder, told.rows) for name in CHILDREN}
    ours = found["ours"]
    facts: dict[str, object] = {
        "bench": "shared_values", "rows": told.rows, **ours, "duckdb": found["duckdb"], "polars": found["polars"],
        "ours_over_polars_cpu": round(found["polars"]["rows_per_cpu_s"] / ours["rows_per_cpu_s"], 2),
    }  # fmt: skip
    if told.peers:
        facts["peer"] = peer(told.peers)
    facts["goals"] = {"rows_per_cpu_s": f"> {GOAL_PER_CPU_S}", "peak_mb": f"< {GOAL_MB}"}
    facts["met"] = {
        "rows_per_cpu_s": ours["rows_per_cpu_s"] > GOAL_PER_CPU_S, "peak_mb": ours["peak_mb"] < GOAL_MB,
        "same": ours["shared"] == found["duckdb"]["shared"] == found["polars"]["shared"],
    }  # fmt: skip
    print(json.dumps(facts))


def child(name: str, folder: Path, rows: int) -> dict[str, float]:
    """Each in a process of its own, so that its memory is its own."""
    line = subprocess.check_output(
        [sys.executable, __file__, "--child", name, "--folder", str(folder), "--rows", str(rows)], text=True
    )
    return dict(json.loads(line.splitlines()[-1]))


def ours(folder: Path, rows: int) -> dict[str, float]:
    """The product's question, and again as a bureau that sees half of the batches and its own country's victims."""
    import polars as pl

    from tocsin.lake.questions.shared_values import shared_values
    from tocsin.lake.scope import Batches, Scope, Snapshot

    batches = list(range(1, BATCHES + 1))
    sources = pl.DataFrame({"batch": batches, "source": batches}, schema={"batch": pl.Int64, "source": pl.Int32})
    snapshot = Snapshot(tuple(built(folder, rows)), KEYS)
    whole, part = Scope(Batches(batches), all_victims=True), Scope(Batches(batches[::2]), Batches(), frozenset({"FR"}))
    facts: dict[str, float] = {}
    for name, scope in (("", whole), ("partly_", part)):
        with tempfile.TemporaryDirectory(dir=folder) as work:
            began, cpu = time.perf_counter(), time.process_time()
            found = shared_values(snapshot, scope, sources, work=Path(work))
            facts[f"{name}rows_per_cpu_s"] = round(rows / (time.process_time() - cpu))
            facts[f"{name}rows_per_s"] = round(rows / (time.perf_counter() - began))
            facts[f"{name}shared"] = found.shared
    return facts | {"peak_mb": peak_mb()}


def duckdb(folder: Path, rows: int) -> dict[str, float]:
    """The same counts by DuckDB, of columns that are in memory already, without a gate."""
    import duckdb as engine

    frame = _in_memory(folder, rows)
    cpu = time.process_time()
    with engine.connect() as connection:
        connection.register("a", frame.to_arrow())
        (shared,) = connection.execute(
            "select count(*) from (select kind, value from a group by all having count(distinct batch) > 1)"
        ).fetchone() or (0,)
    return _told(shared, rows, cpu)


def polars(folder: Path, rows: int) -> dict[str, float]:
    """The same by Polars."""
    import polars as pl

    frame = _in_memory(folder, rows)
    cpu = time.process_time()
    sums = frame.group_by("kind", "value").agg(pl.col("batch").n_unique().alias("n"))
    return _told(sums.filter(pl.col("n") > 1).height, rows, cpu)


def _in_memory(folder: Path, rows: int):  # type: ignore[no-untyped-def]
    import polars as pl

    from tocsin.lake import parquet

    return pl.concat(parquet.read(path, KEYS, ["kind", "value", "batch"]) for path in built(folder, rows)).rechunk()


def _told(shared: int, rows: int, cpu: float) -> dict[str, float]:
    return {
        "shared": shared, "rows_per_cpu_s": round(rows / (time.process_time() - cpu)),
        "peak_mb": peak_mb(),
    }  # fmt: skip


def peak_mb() -> int:
    """The most that this process held: the figure of `getrusage` would count its parent too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def peer(folder: Path) -> dict[str, object]:
    """The peers' own script, which makes pairs; what it says, or why it says nothing."""
    from _ingest import apart

    done = subprocess.run(
        [sys.executable, folder / "bench_correlate.py", "polars"],
        capture_output=True,
        text=True,
        check=False,
        env=apart(),
    )
    if done.returncode:
        return {"note": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


CHILDREN = {"ours": ours, "duckdb": duckdb, "polars": polars}

if __name__ == "__main__":
    from tocsin.lake.keys import Keys

    KEYS = Keys(((1, bytes(range(32))),))
    main()
