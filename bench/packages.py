"""All countries' packages from one lake: signed archives for 196 members, against the raw limit in the same run.

    python bench/packages.py [--rows 20000000] [--lake FOLDER]

Prints one JSON line. `raw` is a bare partition of the same rows to one Parquet file for each country by Polars: no
gate, no order, no texts, no reports, no signature. `ours` is the product's whole road: gate, shares, CSV, JSON Lines,
Parquet, STIX, MISP, report as HTML and PDF, difference, manifest, signature, archive, record. All rows are of the span
asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCHES = 40
PROCESSES = 2
GOAL_PACKAGES = 196
GOAL_SECONDS = 120
GOAL_ROWS = 20_000_000
GOAL_MEMORY_MB = 1_500


def generated(folder: Path, rows: int) -> None:
    sys.path.insert(0, str(HERE.parent))
    from datetime import UTC, datetime

    from tests.generated_lake import write_lake

    from tocsin.reference.members import members

    write_lake(folder, rows, [member.code for member in members(datetime.now(UTC).date())])


def raw(lake: Path) -> None:
    import polars as pl

    with tempfile.TemporaryDirectory() as out:
        pl.scan_parquet(lake).sink_parquet(
            pl.PartitionBy(out, key="country"), mkdir=True, compression="zstd", compression_level=1
        )


def ours(lake: Path) -> dict[str, float]:
    from datetime import UTC, datetime, timedelta

    from tocsin.cli.installation import make

    make("Bench")
    import polars as pl
    from django.conf import settings

    from tocsin.centre.intake.lake_keys import all_keys
    from tocsin.centre.intake.models import Batch, Delivery, LakeFile
    from tocsin.centre.intake.terms import BY_LABEL, terms_row
    from tocsin.centre.members.models import HandlingSet, Organisation
    from tocsin.centre.release.services import make_packages
    from tocsin.handling import HandlingSet as Handling
    from tocsin.lake import parquet
    from tocsin.lake.keys import sealed_by
    from tocsin.reference.members import members

    now = datetime.now(UTC)
    centre = Organisation.objects.get(is_centre=True)
    handling = Handling(codes=("H1",))
    row = HandlingSet.objects.create(digest=handling.digest, tlp=handling.tlp.value, body=handling.as_json())
    terms = terms_row(centre.pk, row, BY_LABEL)
    for number in range(1, BATCHES + 1):
        delivery = Delivery.objects.create(
            receipt=f"r{number}", organisation=centre, via="command", name="x", sha256=f"{number:064d}", size_bytes=1,
            received_at=now,
        )  # fmt: skip
        Batch.objects.create(
            pk=number, delivery=delivery, organisation=centre, handling_set=row, terms=terms, received_at=now
        )
    store = settings.INSTALLATION.store_folder
    (store / "observations").mkdir(parents=True, exist_ok=True)
    writer = all_keys().writer()
    for path in sorted(lake.glob("*.parquet")):
        sealed = writer.fresh() if writer else None
        parquet.write(pl.read_parquet(path), store / "observations" / path.name, sealed, row_group=1 << 18,
                      compression_level=1)  # fmt: skip
        LakeFile.objects.create(
            path=f"observations/{path.name}", day=now.date(), rows=1, size_bytes=1, digest="0" * 64, first_batch=1,
            last_batch=BATCHES, created_at=now, sealed_by=sealed_by(store / "observations" / path.name),
        )  # fmt: skip
    codes = [member.code for member in members(now.date())]
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    made = make_packages(codes, now - timedelta(days=7), now + timedelta(days=1), None, now, processes=PROCESSES)
    wall = time.perf_counter() - started
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    used = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime - before.ru_utime - before.ru_stime
    return {
        "packages": len(made), "package_rows": sum(each.rows for each in made), "ours_wall_s": round(wall, 1),
        "ours_cpu_s": round(used, 1), "peak_mb": own.ru_maxrss // 1024, "peak_worker_mb": children.ru_maxrss // 1024,
        "package_bytes": sum(each.size_bytes for each in made),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--lake", type=Path, help="Folder of a lake that tests/generated_lake.py wrote.")
    parser.add_argument("--child", choices=("raw", "ours"))
    told = parser.parse_args()
    if told.child == "raw":
        raw(told.lake)
        return
    if told.child == "ours":
        print(json.dumps(ours(told.lake)))
        return
    with tempfile.TemporaryDirectory() as folder:
        lake = told.lake or Path(folder) / "lake"
        if told.lake is None:
            generated(lake, told.rows)
        facts: dict[str, object] = {
            "bench": "packages",
            "rows": told.rows,
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
        }
        environment = {**os.environ, "TOCSIN_HOME": f"{folder}/home", "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        # Leaves the bytecode of all modules, as pip does when it installs them.
        warmed = [sys.executable, "-c", "import tocsin.products.archive, tocsin.cli.installation as i; i.make('Warm')"]
        subprocess.run(warmed, check=True, env={**environment, "TOCSIN_HOME": f"{folder}/warm"}, capture_output=True)
        for name in ("raw", "ours"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, "--child", name, "--lake", str(lake)], capture_output=True, text=True,
                check=False, env=environment,
            )  # fmt: skip
            if done.returncode:
                sys.exit(done.stderr[-2000:])
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if name == "raw":
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                facts |= {"raw_wall_s": round(time.perf_counter() - started, 1), "raw_cpu_s": round(cpu, 1)}
            else:
                facts |= json.loads(done.stdout.splitlines()[-1])
    # The goal is said for 20 million rows; fewer say nothing about it. Every process counts by itself for memory.
    peaks = [int(str(facts[name])) for name in ("peak_mb", "peak_worker_mb")]
    facts |= {
        "goal": f"{GOAL_PACKAGES} packages of {GOAL_ROWS:,} in {GOAL_SECONDS} s, each under {GOAL_MEMORY_MB} MB",
        "met": None
        if told.rows < GOAL_ROWS
        else facts["packages"] == GOAL_PACKAGES
        and float(str(facts["ours_wall_s"])) < GOAL_SECONDS
        and max(peaks) < GOAL_MEMORY_MB,
        "peak_sum_mb": peaks[0] + PROCESSES * peaks[1],
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
