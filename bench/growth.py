"""What an installation costs at several sizes: the road in, tidying, verification, look-ups, pages, bytes, memory.

    python bench/growth.py [--sizes 10000,100000,500000] [--small 20] [--lookups 60] [--pages 20]

For each size a fresh installation is handed delimited events (bench/feed.py generates them) in two deliveries, reads
them, joins the files, verifies the store, answers look-ups and pages, and says what each of these took of the
processor, how much memory its processes held together, and how many bytes it left. Beside it the same columns without
our rules (`raw`, from bench/feed.py). `small` deliveries of ten rows give the cost of a delivery however little is in
it. These are the costs that bench/capacity.py plans with. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

MEGABYTE = 1e6
GOAL_MB = 1_536
SAMPLED_SECONDS = 0.2
MANY_FILES = 300


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", default="10000,100000,500000")
    asked.add_argument("--small", type=int, default=20, help="So many deliveries of ten rows.")
    asked.add_argument("--lookups", type=int, default=60)
    asked.add_argument("--pages", type=int, default=20)
    asked.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    asked.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    asked.add_argument("--read", action="store_true", help=argparse.SUPPRESS)
    told = asked.parse_args()
    if told.make:
        made(told.make, told.child)
    elif told.read:
        print(json.dumps(_read(told.lookups, told.pages)))
    elif told.child:
        print(json.dumps(point(told.child, told.small, told.lookups, told.pages)))
    else:
        measured_at(told)


def measured_at(told: argparse.Namespace) -> None:
    """Each size in a process and an installation of its own."""
    points = []
    for size in told.sizes.split(","):
        with tempfile.TemporaryDirectory(prefix="tocsin-growth-") as home:
            arguments = [sys.executable, __file__, "--child", size, "--small", str(told.small),
                         "--lookups", str(told.lookups), "--pages", str(told.pages)]  # fmt: skip
            line = subprocess.check_output(arguments, text=True, env={**os.environ, "TOCSIN_HOME": home})
            points.append(json.loads(line.splitlines()[-1]))
    largest = points[-1]
    facts: dict[str, object] = {
        "bench": "growth", "rows": largest["rows"], "points": points, "peak_mb": largest["ingest_peak_mb"],
        "rows_per_cpu_s": largest["rows_per_cpu_s"], "raw_rows_per_cpu_s": largest["raw_rows_per_cpu_s"],
        "cost_of_size": round(points[0]["lookup_cpu_ms"] and largest["lookup_cpu_ms"] / points[0]["lookup_cpu_ms"], 2),
        "goals": {"peak_mb": f"< {GOAL_MB}"}, "met": {"peak_mb": largest["ingest_peak_mb"] < GOAL_MB},
    }  # fmt: skip
    print(json.dumps(facts))


class Peak:
    """The most memory that this process and those below it held together, looked at now and then; pages that several
    share are counted once."""

    def __init__(self, left_out: Collection[int] = ()) -> None:
        self.megabytes = 0.0
        self.left_out = left_out
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._end.set()
        self._thread.join()
        self.megabytes = max(self.megabytes, held_mb(os.getpid(), self.left_out))

    def _look(self) -> None:
        while not self._end.wait(SAMPLED_SECONDS):
            self.megabytes = max(self.megabytes, held_mb(os.getpid(), self.left_out))


def held_mb(pid: int, left_out: Collection[int] = ()) -> float:
    """What a process and those below it hold, each shared page divided among those who share it."""
    found = 0.0
    if pid in left_out:
        return found
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                found += int(line.split()[1]) * 1024 / MEGABYTE
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += held_mb(int(child), left_out)
    except OSError:  # It ended meanwhile.
        pass
    return found


def point(rows: int, small: int, lookups: int, pages: int) -> dict[str, Any]:
    """All of it at one size, in this process's own installation. What it is made of is made by another, so that this
    one holds no more than a worker does."""
    with tempfile.TemporaryDirectory(prefix="tocsin-growth-in-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, "--make", name, "--child", str(rows)], check=True)
        raw = _raw(folder / "events.csv", folder / "prefixes.csv", rows)
        (folder / "events.csv").unlink()
        done = _worked([folder / "0.csv", folder / "1.csv"], rows, small, lookups)
    words = [sys.executable, __file__, "--read", "--lookups", str(lookups), "--pages", str(pages)]
    read = json.loads(subprocess.check_output(words, text=True).splitlines()[-1])
    return {"rows": rows, "raw_rows_per_cpu_s": raw, **done, **read}


def made(folder: Path, rows: int) -> None:
    """The rows, and the same lines as two deliveries."""
    from feed import generated

    events, _ = generated(folder, rows)
    with events.open("rb") as lines:
        head = next(lines)
        for number in range(2):
            with (folder / f"{number}.csv").open("wb") as half:
                half.write(head)
                half.writelines(islice(lines, rows // 2 if number == 0 else None))


def _raw(events: Path, prefixes: Path, rows: int) -> int:
    """Rows per CPU-second of the bare columns, without the start of their process."""
    from feed import measured

    words = [sys.executable, str(Path(__file__).with_name("feed.py")), "--child", "raw"]
    words += ["--events", str(events), "--prefixes", str(prefixes)]
    return round(rows / measured(words, dict(os.environ))["cpu_s"])


def _worked(halves: list[Path], rows: int, small: int, lookups: int) -> dict[str, Any]:
    from _ingest import measured

    from tocsin.cli.installation import make

    make("Bench")
    from tocsin.centre.intake import lake, services, verification
    from tocsin.centre.intake.store import read_chunks
    from tocsin.centre.jobs.worker import run_one, worker_name
    from tocsin.centre.members.models import Organisation
    from tocsin.site import wiring

    centre = Organisation.objects.get(slug="centre")
    handlers = wiring.handlers()
    reader = handlers[services.READ]

    def received(name: str, chunks: Any) -> None:
        services.receive(organisation=centre, via="command", name=name, chunks=chunks, at=datetime.now(UTC))

    def work() -> None:
        while run_one(worker_name(), handlers):
            pass

    with halves[0].open("rb") as stream:
        head, *lines = islice(stream, 10 * (small + 1) + 1)
    received("first.csv", [head, *lines[:10]])
    work()  # The reading process has loaded its tables from here on.
    each, _ = measured(
        lambda: [received(f"{n}.csv", [head, *lines[10 * n : 10 * n + 10]]) for n in range(1, small + 1)]
    )
    small_work, _ = measured(work)
    with Peak() as peak:
        receipt, _ = measured(lambda: [received(path.name, read_chunks(path)) for path in halves])
        read, _ = measured(work)
    reader.stop()  # type: ignore[attr-defined]
    joined, _ = measured(lambda: lake.compact(datetime.now(UTC)))
    with Peak() as checking:
        checked, _ = measured(lambda: verification.verify(verification.Extent(), datetime.now(UTC)))
    wiring.close(handlers)
    ingest = receipt.processor_seconds + read.processor_seconds
    return {
        "rows_per_cpu_s": round(rows / ingest), "rows_per_s": round(rows / (receipt.wall_seconds + read.wall_seconds)),
        "ingest_cpu_s": round(ingest, 3), "ingest_wall_s": round(receipt.wall_seconds + read.wall_seconds, 3),
        "join_cpu_s": round(joined.processor_seconds, 3), "verify_cpu_s": round(checked.processor_seconds, 3),
        "delivery_cpu_ms": round((each.processor_seconds + small_work.processor_seconds) / small * 1000, 1),
        "lookup_ms_per_file": _file_ms(lookups),
        "ingest_peak_mb": round(peak.megabytes), "verify_peak_mb": round(checking.megabytes),
        **_bytes(rows),
    }  # fmt: skip


def _bytes(rows: int) -> dict[str, float]:
    from tocsin.centre.intake.services import store_folder

    home, store = Path(os.environ["TOCSIN_HOME"]), store_folder()

    def size(*patterns: str) -> float:
        return round(sum(path.stat().st_size for each in patterns for path in store.glob(each)) / rows, 1)

    return {
        "original_bytes_per_row": size("deliveries/*/*"),
        "parquet_bytes_per_row": size("observations/*/joined*.parquet"),
        "index_bytes_per_row": size("observations/*/joined*.index", "observations/*/joined*.facts"),
        "database_mb": round(sum(path.stat().st_size for path in home.glob("tocsin.sqlite3*")) / MEGABYTE, 1),
    }


def _file_ms(lookups: int) -> float:
    """Processor time of a look-up for each file more, which mostly does not hold what was asked: the installation's
    files asked once, and as often as makes hundreds of them."""
    from tocsin.centre.analysis.lookups import asked_of, reach_of, snapshot
    from tocsin.handling import Viewer
    from tocsin.lake.questions.lookup import lookup
    from tocsin.lake.scope import Snapshot

    known = snapshot()
    viewer = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)
    sight = reach_of(viewer).sight
    took = []
    for times in (1, 1 + -(-MANY_FILES // len(known.files))):
        many = Snapshot(known.files * times, known.keys, known.engine)
        rounds = []
        for turn in range(6):
            began = time.process_time()
            for number in range(max(lookups, 1)):
                value = f"absent-{turn}-{number}.example"
                lookup(many, sight, asked_of("domain", value, value))
            rounds.append((time.process_time() - began) / max(lookups, 1) * 1000)
        took.append((min(rounds), len(many.files)))
    (few_ms, few), (many_ms, many_files) = took
    return round((many_ms - few_ms) / (many_files - few), 5)


def _read(lookups: int, pages: int) -> dict[str, float]:
    """Look-ups and pages: processor time of one, in the steady state, of a process that does nothing else."""
    from tocsin.cli.installation import make

    make("Bench")
    import polars as pl
    from lookup import Pages

    from tocsin.centre.analysis.lookups import answer, snapshot
    from tocsin.handling import Viewer
    from tocsin.lake import parquet

    known = snapshot()
    sample = parquet.read(known.files[-1], known.keys, ["kind", "value"]).filter(pl.col("kind") != "asn")
    values = sample.sample(min(lookups, sample.height), seed=5)["value"].to_list()
    viewer = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)
    opened = Pages()
    doors: dict[str, Callable[[int], object]] = {
        "lookup": lambda n: answer(values[n % len(values)], viewer),
        "lookup_page": lambda n: opened.get(f"/lookup/?q={values[n % len(values)]}"),
        "first_page": lambda n: opened.get("/"),
        "deliveries_page": lambda n: opened.get("/deliveries/"),
    }
    found: dict[str, float] = {"files": len(known.files)}
    for name, ask in doors.items():
        count = lookups if name == "lookup" else pages
        for number in range(3):
            ask(number)
        used = []
        for number in range(count):
            began = time.process_time()
            ask(number)
            used.append((time.process_time() - began) * 1000)
        used.sort()
        found[f"{name}_cpu_ms"] = round(sum(used) / count, 2)
        found[f"{name}_p99_cpu_ms"] = round(used[min(count - 1, int(count * 0.99))], 2)
    found["portal_mb"] = round(held_mb(os.getpid()))
    return found


if __name__ == "__main__":
    main()
