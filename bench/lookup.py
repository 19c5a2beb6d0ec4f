"""Look-up and the first page at a given number of observations, embedded and warm.

    python bench/lookup.py [--rows 20000000] [--lookups 400] [--pages 60]

Builds a lake of generated observations (tests/generated_lake.py) in a fresh installation, registers it, then asks for
values that are there, values that are not, networks that hold an address, and the other side of many rows; and fetches
the first page after sign-in. The raw limit in the same run: DuckDB scanning the same Parquet files for one value.
Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCHES = 40
ROWS_IN_FILE = 1_000_000
COUNTRIES = 196


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def build(rows: int) -> None:
    """Files with their indexes, registered under batches of one delivery, with tallies."""
    from tests.generated_lake import rows as generated

    from tocsin.centre.intake.models import Batch, Delivery, LakeFile
    from tocsin.centre.intake.services import handling_row, store_folder
    from tocsin.centre.members.models import Organisation
    from tocsin.handling import HandlingSet
    from tocsin.lake import files
    from tocsin.lake.compaction import SORTED_BY
    from tocsin.reference.members import members

    now = datetime.now(UTC)
    centre = Organisation.objects.get(is_centre=True)
    handling = handling_row(HandlingSet())
    codes = [member.code for member in members(now.date())][:COUNTRIES]
    for number in range(0, rows, ROWS_IN_FILE):
        delivery = Delivery.objects.create(
            receipt=f"bench-{number}",
            organisation=centre,
            via="command",
            name=f"bench-{number}.csv",
            sha256=f"{number:064x}",
            size_bytes=0,
            received_at=now - timedelta(hours=1),
            state="parsed",
            rows=ROWS_IN_FILE,
            finished_at=now,
        )
        first = delivery.pk * 1000
        Batch.objects.bulk_create(
            Batch(
                pk=first + each, delivery=delivery, organisation=centre, handling_set=handling, received_at=now, rows=0
            )
            for each in range(1, BATCHES + 1)
        )
        frame = generated(min(ROWS_IN_FILE, rows - number), codes, seed=number + 7, batches=BATCHES)
        frame = frame.with_columns(batch=frame["batch"] + first).sort(SORTED_BY, nulls_last=True)
        folder = store_folder() / "work"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"bench-{number}.parquet"
        written = files.write(frame, target, row_group=files.SORTED_ROW_GROUP)
        relative = f"{files.day_folder(now.date())}/bench-{number}.parquet"
        files.move_into(written, store_folder(), relative)
        LakeFile.objects.create(
            path=relative,
            day=now.date(),
            rows=written.rows,
            size_bytes=written.size_bytes,
            digest=written.digest,
            first_batch=written.first_batch,
            last_batch=written.last_batch,
            is_sorted=True,
            created_at=now,
        )
        tallied(frame)


def tallied(frame: Any) -> None:
    """The tallies of the rows, as the commit of a delivery writes them."""
    import polars as pl

    from tocsin.centre import rows as table
    from tocsin.centre.intake.models import Tally

    keys = ("batch", "day", "country", "type", "role")
    days = frame.with_columns(pl.col("first_at").dt.date().alias("day"), pl.col("country").fill_null(""))
    sums = (pl.len().cast(pl.Int64).alias("rows"), pl.col("count").sum().alias("sightings"))
    table.insert(Tally, (*keys, "rows", "sightings"), days.group_by(keys).agg(sums).rows())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--lookups", type=int, default=400)
    parser.add_argument("--pages", type=int, default=60)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["TOCSIN_HOME"] = home
        from tocsin.cli.installation import make

        make("Bench")
        began = time.perf_counter()
        build(told.rows)
        facts = {"bench": "lookup", "rows": told.rows, "build_s": round(time.perf_counter() - began, 1)}
        facts |= lookups(told.lookups) | pages(told.pages)
        print(json.dumps(facts))


def lookups(count: int) -> dict[str, object]:
    """Milliseconds of the whole answer as a page or command gets it."""
    import duckdb
    import polars as pl

    from tocsin.centre.analysis.lookups import answer, sight_of, snapshot
    from tocsin.handling import Viewer

    picked = random.Random(5)
    shot = snapshot()
    sample = pl.read_parquet(shot.files[0], columns=["kind", "value", "peer"]).sample(count * 2, seed=5)
    asked = [row[1] for row in sample.filter(pl.col("kind").is_in(["ipv4", "domain", "url"])).head(count).rows()]
    asked += list(sample["peer"].drop_nulls().head(count // 4))
    asked += [f"absent-{number}.example" for number in range(count // 4)]
    picked.shuffle(asked)
    viewer = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)
    for text in asked[:20]:
        answer(text, viewer)
    times, kept = [], sight_of(viewer)
    for text in asked:
        began = time.perf_counter()
        answer(text, viewer, sight=kept)
        times.append(time.perf_counter() - began)
    raw = []
    with duckdb.connect() as connection:
        paths = [str(path) for path in shot.files]
        for text in asked[:10]:
            began = time.perf_counter()
            connection.execute("SELECT * FROM read_parquet(?) WHERE value = ? LIMIT 25", [paths, text]).fetchall()
            raw.append(time.perf_counter() - began)
    return {
        "files": len(shot.files),
        "lookups": len(asked),
        "lookup_p50_ms": round(percentile(times, 0.5), 2),
        "lookup_p99_ms": round(percentile(times, 0.99), 2),
        "scan_p50_ms": round(statistics.median(raw) * 1000, 1),
        "index_bytes": sum(
            path.stat().st_size for file in shot.files for path in file.parent.glob(file.stem + ".[if]*")
        ),
        "parquet_bytes": sum(file.stat().st_size for file in shot.files),
    }


def pages(count: int) -> dict[str, object]:
    """Milliseconds of the first page after sign-in, through all of Django."""
    from django.test import Client

    from tocsin.centre.members.models import Organisation
    from tocsin.centre.members.services import add_person

    person = add_person(
        login="bench",
        name="Bench",
        organisation=Organisation.objects.get(is_centre=True),
        roles=["analyst", "victim-desk"],
        password="not-a-secret-of-anybody",
        by="bench",
        at=datetime.now(UTC),
    )
    client = Client()
    client.force_login(person)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        response = client.get("/", follow=True)
        times.append(time.perf_counter() - began)
        assert response.status_code == 200
    warm = times[3:]
    return {"first_page_p50_ms": round(percentile(warm, 0.5), 1), "first_page_p95_ms": round(percentile(warm, 0.95), 1)}


if __name__ == "__main__":
    main()
