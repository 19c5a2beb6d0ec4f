"""Look-up and the first page at a given number of observations, embedded and warm.

    python bench/lookup.py [--rows 20000000] [--world FOLDER] [--lookups 400] [--pages 60]

Asks the installation that bench/world.py left in a folder, or builds a lake of generated observations
(tests/generated_lake.py) in a fresh one. Asks for values that are there, values that are not, networks that hold an
address, and the other side of many rows; and fetches the first page after sign-in. Every value is asked once before
it is measured, and another of the same kind then: `lookup` are values that nobody asked before, in files whose pages
lie in memory. Beside it in the same run DuckDB, asked for one value in the same rows in the clear, after each of its
files was read once. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BATCHES = 40
ROWS_IN_FILE = 1_000_000
COUNTRIES = 196
PAGES = {
    "first_page": "/",
    "country_page": "/countries/FR",
    "countries_page": "/countries",
    "deliveries": "/deliveries",
}
GOALS = {"lookup_p99_ms": 100, "first_page_p95_ms": 300, "first_page_after_arrival_p95_ms": 300}
FEWER_ROWS, FEWER_P99_MS = 20_000_000, 50
"""Of so many, and fewer, more is asked."""


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def build(rows: int) -> None:
    """Files with their indexes, registered under batches of one delivery, with tallies."""
    from tests.generated_lake import rows as generated

    from tocsin.centre.intake import lake
    from tocsin.centre.intake.batch_rows import handling_row
    from tocsin.centre.intake.lake_keys import all_keys
    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.intake.services import store_folder
    from tocsin.centre.intake.terms import BY_LABEL, terms_row
    from tocsin.centre.members.models import Organisation
    from tocsin.handling import HandlingSet
    from tocsin.lake import files
    from tocsin.lake.compaction import SORTED_BY
    from tocsin.reference.members import members

    now = datetime.now(UTC)
    centre = Organisation.objects.get(is_centre=True)
    handling = handling_row(HandlingSet())
    terms = terms_row(centre.pk, handling, BY_LABEL)
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
                pk=first + each,
                delivery=delivery,
                organisation=centre,
                handling_set=handling,
                terms=terms,
                received_at=now,
                rows=0,
            )
            for each in range(1, BATCHES + 1)
        )
        frame = generated(min(ROWS_IN_FILE, rows - number), codes, seed=number + 7, batches=BATCHES)
        frame = of_one_kind_each(frame.with_columns(batch=frame["batch"] + first), now.date())
        frame = frame.sort(SORTED_BY, nulls_last=True)
        folder = store_folder() / "work"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"bench-{number}.parquet"
        written = files.write(frame, target, all_keys().writer(), row_group=files.SORTED_ROW_GROUP)
        relative = f"{files.day_folder(now.date())}/bench-{number}.parquet"
        files.move_into(written, store_folder(), relative)
        lake.register(relative, written, now.date(), now, is_sorted=True)
        tallied(frame)


def of_one_kind_each(frame: Any, today: date) -> Any:
    """Every batch about one type of event on one of the last 90 days, as reports are: rows are generated without it."""
    import polars as pl
    from tests.generated_lake import TYPES

    ahead = (pl.col("first_at").dt.date() - pl.lit(today - timedelta(days=1))).dt.total_days()
    return frame.with_columns(
        pl.lit(list(TYPES)).list.get(pl.col("batch") % len(TYPES)).alias("type"),
        *(pl.col(name) - pl.duration(days=ahead + pl.col("batch") % 90) for name in ("first_at", "last_at")),
    )


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
    parser.add_argument("--world", type=Path, help="The folder that bench/world.py was given.")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = told.world / "home" if told.world else Path(temporary)
        facts = {"bench": "lookup", "rows": told.rows, "build_s": opened(home, 0 if told.world else told.rows)}
        pages = Pages()
        facts |= lookups(told.lookups, pages) | pages.measured(told.pages)
        facts |= scanned(told.world / "clear" if told.world else Path(temporary) / "clear")
        goals = GOALS | ({"lookup_p99_ms": FEWER_P99_MS} if told.rows <= FEWER_ROWS else {})
        facts["goals"] = {name: f"< {most}" for name, most in goals.items()}
        facts["met"] = {name: facts[name] < most for name, most in goals.items()}
        print(json.dumps(facts))


def opened(home: Path, rows: int) -> float:
    """An installation that holds so many rows, made where the folder has none; seconds of making it. With 0 it must
    be there."""
    os.environ["TOCSIN_HOME"] = str(home)
    from tocsin.cli.installation import make

    make("Bench")  # What exists stays, and its database is brought up to date.
    from tocsin.centre.intake.models import LakeFile

    if LakeFile.objects.exists():
        return 0.0
    if not rows:
        raise SystemExit("there is no installation of bench/world.py in that folder")
    began = time.perf_counter()
    build(rows)
    return round(time.perf_counter() - began, 1)


def lookups(count: int, pages: Pages) -> dict[str, object]:
    """Milliseconds of the whole answer as a command gets it, and as the page gets it, with the same values."""
    from tocsin.centre.analysis.lookups import answer, snapshot
    from tocsin.handling import Viewer

    files = snapshot().files
    asked, spread = values(count)
    viewer = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)
    partly = Viewer(organisation="nobody", class_name="law-enforcement", country="FR")

    def ask(text: str, who: Viewer = viewer) -> None:
        answer(text, who)

    def page(text: str) -> None:
        pages.get(f"/lookup/?{urlencode({'q': text})}")

    for side in (each for file in files for each in file.parent.glob(file.stem + ".[if]*")):
        with side.open("rb") as stream:  # What is mapped lies in memory, as where people ask all day.
            while stream.read(1 << 22):
                pass
    half = len(asked) // 2
    warm, asked = asked[:half], asked[half:]
    for text in {*warm[:200], *spread}:
        ask(text)
        ask(text, partly)
        page(text)
    return {
        "files": len(files),
        "lookups": len(asked),
        **timed("lookup", ask, asked),
        **timed("lookup_page", page, asked),
        **timed("lookup_partly", lambda text: ask(text, partly), asked[: count // 2]),
        **timed("lookup_frequent", ask, spread),
        "index_bytes": sum(path.stat().st_size for file in files for path in file.parent.glob(file.stem + ".[if]*")),
        "parquet_bytes": sum(file.stat().st_size for file in files),
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def values(count: int) -> tuple[list[str], list[str]]:
    """Twice so many values of all kinds, drawn from all files, and what is asked most: names with very many rows."""
    import polars as pl

    from tocsin.centre.analysis.lookups import snapshot
    from tocsin.lake import parquet

    picked, known = random.Random(5), snapshot()
    some = picked.sample(known.files, min(8, len(known.files)))
    columns = ["kind", "value", "peer", "malware", "hostname"]
    sample = pl.concat(
        parquet.read(path, known.keys, columns).sample(-(-count * 3 // len(some)), seed=5, with_replacement=True)
        for path in some
    )
    addresses = sample.filter(pl.col("kind").is_in(["ipv4", "domain", "url"]))["value"].unique(maintain_order=True)
    asked = list(addresses.sample(min(len(addresses), count * 2), seed=5))
    asked += list(sample["peer"].drop_nulls().unique(maintain_order=True).head(count // 2))
    asked += list(sample["hostname"].drop_nulls().unique(maintain_order=True).head(count // 2))
    asked += [f"absent-{number}.example" for number in range(count // 2)]
    nets = [value.rpartition(".")[0] + ".0/24" for value in asked if value.count(".") == 3 and value[-1].isdigit()]
    asked += nets[: count // 4]
    picked.shuffle(asked)
    often = [str(each) for name in ("malware", "peer", "hostname") for each in
             sample[name].drop_nulls().value_counts(sort=True).head(2)[name]]  # fmt: skip
    wide = [net.rsplit(".", 2)[0] + ".0.0/16" for net in nets[:2]]
    return asked, [*often, *wide] * max(2, count // 100)


def scanned(folder: Path) -> dict[str, float]:
    """DuckDB over the same rows in the clear, each file read once before."""
    import duckdb

    from tocsin.centre.analysis.lookups import snapshot

    paths = in_the_clear(folder)
    asked = [text for text in values(40)[0] if text.count(".") == 3 and text[-1].isdigit()][:21]
    one = "SELECT * FROM read_parquet(?) WHERE value = ? LIMIT 25"
    with duckdb.connect() as connection:
        connection.execute("SELECT count(DISTINCT value) FROM read_parquet(?)", [paths]).fetchall()
        found = timed("duckdb", lambda text: connection.execute(one, [paths, text]).fetchall() and None, asked)
    assert len(paths) == len(snapshot().files)
    return {name: value for name, value in found.items() if "p9" not in name}


def in_the_clear(folder: Path, rows: int | None = None) -> list[str]:
    """The files of the lake as plain Parquet, made where they are not there yet; for so many rows, if said."""
    import polars as pl

    from tocsin.centre.analysis.lookups import snapshot
    from tocsin.lake import parquet

    folder.mkdir(parents=True, exist_ok=True)
    known = snapshot()
    paths = [folder / f"{path.stem}.parquet" for path in known.files]
    made, there = [], 0
    for path, copy in zip(known.files, paths, strict=True):
        if rows is not None and there >= rows:
            break
        if not copy.exists():
            half = copy.with_suffix(".half")
            parquet.read(path, known.keys).write_parquet(half, compression="zstd", compression_level=1)
            half.rename(copy)
        there += pl.scan_parquet(copy).select(pl.len()).collect().item()
        made.append(str(copy))
    return made


def timed(
    name: str, ask: Callable[[str], object], asked: list[str], before: Callable[[], None] | None = None
) -> dict[str, float]:
    """Percentiles by the clock, and of processor time, which says what a quiet machine would need."""
    times, used = [], []
    for text in asked:
        if before is not None:
            before()
        began, cpu = time.perf_counter(), time.process_time()
        ask(text)
        times.append(time.perf_counter() - began)
        used.append(time.process_time() - cpu)
    return {
        f"{name}_p50_ms": round(percentile(times, 0.5), 2),
        f"{name}_p95_ms": round(percentile(times, 0.95), 2),
        f"{name}_p99_ms": round(percentile(times, 0.99), 2),
        f"{name}_p99_cpu_ms": round(percentile(used, 0.99), 2),
    }


class Pages:
    """A person of the Centre who is signed in, through all of Django."""

    def __init__(self) -> None:
        from django.test import Client

        from tocsin.centre.members.models import Organisation, Person
        from tocsin.centre.members.services import add_person

        person = Person.objects.filter(login="bench").first() or add_person(
            login="bench",
            name="Bench",
            organisation=Organisation.objects.get(is_centre=True),
            roles=["analyst", "victim-desk"],
            password="not-a-secret-of-anybody",
            by="bench",
            at=datetime.now(UTC),
        )
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(person)

    def get(self, path: str) -> None:
        """Fetch a page that must be there."""
        response = self.client.get(path, follow=True)
        assert response.status_code == 200, (path, response.status_code)

    def measured(self, count: int) -> dict[str, float]:
        """Each page warm; the first page also right after something arrived, and with nothing kept from before."""
        from django.core.cache import cache
        from django.db import transaction

        found: dict[str, float] = {}
        for name, path in PAGES.items():
            self.get(path)
            found |= timed(name, self.get, [path] * count)
        with transaction.atomic():
            found |= timed("first_page_after_arrival", self.get, ["/"] * count, before=arrive)
            transaction.set_rollback(True)
        return found | timed("first_page_cold", self.get, ["/"] * count, before=cache.clear)


def arrive() -> None:
    """One more batch, with the tallies of another that is about the last days."""
    from tocsin.centre.intake.models import Batch, Tally

    batch = Tally.objects.order_by("-day")[0].batch
    tallies = list(Tally.objects.filter(batch=batch))
    batch.pk = Batch.objects.order_by("-pk")[0].pk + 1
    batch.save(force_insert=True)
    for each in tallies:
        each.pk, each.batch = None, batch
    Tally.objects.bulk_create(tallies)


if __name__ == "__main__":
    main()
