"""The ledger at scale: ten million objects before 196 bureaus, each of which takes and answers them day by day.

    python bench/ledger.py [--objects 10000000] [--batch 1000] [--days 100] [--rounds 30]

Builds a fresh installation whose objects came in batches of `--batch` on so many days, each batch released by itself.
Times are milliseconds of the processor, at the median.
Every bureau takes everything of each day by its program, a package a week and what people look up on pages all over the
past; it acknowledges each day's releases in one act and answers for some. Then it measures how large the ledger is, how
long a look at the reach of an object takes, a page of the board (the newest, and one from the middle) and a recipient's
own list. The peer of the same run is a table with one row for each recipient and object: a sample of it is written and
measured, and multiplied out. Prints one JSON line.
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
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.centre.members.models import Organisation

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BUREAUS = 196
LOOKED_UP = 20
"""Batches that people of a bureau see some of on pages, each day."""
ANSWERS = 2
"""Releases that a bureau answers for by themselves, each day."""
SAMPLE = 400_000
"""Rows of the peer that are written."""
GOALS = {"smaller_than_naive_times": 100.0, "reach_ms": 300.0, "board_page_ms": 300.0}
FLOORS = {"smaller_than_naive_times"}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--objects", type=int, default=10_000_000)
    asked.add_argument("--batch", type=int, default=1_000)
    asked.add_argument("--days", type=int, default=100)
    asked.add_argument("--rounds", type=int, default=30)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOCSIN_HOME"] = str(Path(folder) / "home")
        from tocsin.cli.installation import make

        make("Bench")
        count = told.objects // told.batch
        began = time.perf_counter()
        bureaus, first = build(count, told.batch, told.days)
        before = size_bytes()
        rows = take(bureaus, first, count, told.days)
        facts: dict[str, Any] = {
            "bench": "ledger", "cores": os.cpu_count(), "load": os.getloadavg()[0], "objects": told.objects,
            "bureaus": len(bureaus), "releases": count, "days": told.days,
            "ledger_rows": rows, "ledger_bytes": size_bytes() - before,
            "build_seconds": round(time.perf_counter() - began, 1),
        }  # fmt: skip
        facts |= written()
        facts |= naive(told.objects, len(bureaus))
        facts["smaller_than_naive_times"] = round(facts["naive_bytes"] / facts["ledger_bytes"])
        facts |= asked_of(told.rounds, count)
        facts["goal"] = "; ".join(f"{name} {'>' if name in FLOORS else '<'} {most:g}" for name, most in GOALS.items())
        facts["met"] = all((facts[name] > most) == (name in FLOORS) for name, most in GOALS.items())
        print(json.dumps(facts))


def build(count: int, size: int, days: int) -> tuple[list[Organisation], int]:
    """Bureaus, releases of one batch each; says the number of the first delivery. Releases have the same."""
    from tests import builders

    from tocsin.centre.intake.models import Batch, Delivery
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.intake.terms import BY_LABEL, terms_row
    from tocsin.centre.numbers import drawn_number
    from tocsin.centre.release.models import Release
    from tocsin.core.words import Tlp
    from tocsin.reference.members import members

    now = datetime.now(UTC)
    codes = [member.code for member in members(now.date())][:BUREAUS]
    bureaus = [builders.bureau(code) for code in codes]
    builders.person("officer", bureaus[0], "officer")
    builders.person("duty", builders.centre(), "duty")
    proposer, releaser = (builders.person(login, builders.centre()) for login in ("proposer", "releaser"))
    sources = [builders.organisation(f"source-{number}") for number in range(50)]
    under = [builders.handling(Tlp.AMBER, retention_months=months) for months in range(1, 61)]
    places = [(source, one, terms_row(source.pk, one, BY_LABEL)) for source in sources for one in under]

    def at(number: int) -> datetime:
        return now - timedelta(days=days) + timedelta(days=days) * number / count

    for start in range(0, count, 1_000):
        span = range(start, min(count, start + 1_000))
        deliveries = Delivery.objects.bulk_create(
            Delivery(
                organisation=places[number % len(places)][0], receipt=f"{number:016x}", via="api",
                name=f"{number}.json",
                sha256=f"{number:064x}", size_bytes=1, received_at=at(number), state="parsed", format="stix",
                ends_at=now + timedelta(days=days),
            )
            for number in span
        )  # fmt: skip
        batches = Batch.objects.bulk_create(
            Batch(
                pk=each.pk * BATCHES_IN_DELIVERY, delivery=each, organisation_id=each.organisation_id,
                handling_set=places[number % len(places)][1],
                terms=places[number % len(places)][2], received_at=each.received_at, objects_count=size,
            )
            for number, each in zip(span, deliveries, strict=True)
        )  # fmt: skip
        releases = Release.objects.bulk_create(
            Release(
                number=drawn_number("R", each.received_at), delivery=each, state="released",
                released_at=each.received_at, created_at=each.received_at, proposed_by=proposer,
                proposed_at=each.received_at, released_by=releaser,
            )
            for each in deliveries
        )  # fmt: skip
        Release.batches.through.objects.bulk_create(
            Release.batches.through(release=release, batch=batch)
            for release, batch in zip(releases, batches, strict=True)
        )
    first = Delivery.objects.order_by("pk").values_list("pk", flat=True)[0]
    assert first == Release.objects.order_by("pk").values_list("pk", flat=True)[0]
    return bureaus, first


def take(bureaus: list[Organisation], first: int, count: int, days: int) -> int:
    """What everybody took and said; how many rows that is."""
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.ledger import services
    from tocsin.centre.ledger.models import Response, Taking
    from tocsin.lake.scope import Batches

    chance, now, a_day = random.Random(7), datetime.now(UTC), count // days
    for on in range(days):
        at = now - timedelta(days=days - on)
        today = range(first + on * a_day, first + (on + 1) * a_day)
        week = range(max(first, today.start - 6 * a_day), today.stop)
        rows: list[Taking] = []
        said: list[Response] = []
        for place, bureau in enumerate(bureaus):
            ways = [("api", "", today)]
            ways.append(("page", "", sorted(chance.sample(range(first, today.stop), min(LOOKED_UP, a_day)))))
            if (on + place) % 7 == 0:
                ways.append(("package", f"{bureau.country}-2026-{on:04d}", week))
            for channel, reference, taken in ways:
                held = Batches([number * BATCHES_IN_DELIVERY for number in taken])
                rows += [
                    Taking(
                        organisation=bureau, channel=channel, reference=reference, day=at.date(), began_at=at,
                        ended_at=at, block=block, **services._stored(part),
                    )
                    for block, part in services._parts(held, Taking.BLOCK_BITS).items()
                ]  # fmt: skip
            acts = [("acknowledged", "", list(today))]
            acts += [("acted", "useful", [number]) for number in chance.sample(today, min(ANSWERS, a_day))]
            for step, usefulness, numbers in acts:
                said += [
                    Response(
                        organisation=bureau, kind="release", step=step, usefulness=usefulness, by="officer", at=at,
                        block=block, first=int(part.numbers[0]), last=int(part.numbers[-1]), numbers=part.packed(),
                    )
                    for block, part in services._parts(Batches(numbers), Response.BLOCK_BITS).items()
                ]  # fmt: skip
        Taking.objects.bulk_create(rows, batch_size=500)
        Response.objects.bulk_create(said, batch_size=500)
    return Taking.objects.count() + Response.objects.count()


def size_bytes() -> int:
    """Of the database, as far as its pages are in use."""
    from django.db import connection

    with connection.cursor() as cursor:
        pages, free, each = (
            cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * each)


def written() -> dict[str, Any]:
    """Milliseconds to write one taking of ten batches down, each in a transaction of its own, as answers do."""
    from tocsin.centre.intake.models import Batch
    from tocsin.centre.ledger.services import took
    from tocsin.centre.members.models import Person

    officer = Person.objects.select_related("organisation").get(login="officer")
    newest = list(Batch.objects.order_by("-pk").values_list("pk", flat=True)[:10])
    now = datetime.now(UTC)
    return {"taking_written_ms": median(200, lambda: took(officer, "file", newest, now))}


def naive(objects: int, bureaus: int) -> dict[str, Any]:
    """One row for each recipient and object: a sample, multiplied out."""
    from django.db import connection, transaction

    before = size_bytes()
    began = time.process_time()
    moment = datetime.now(UTC).isoformat()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE naive (id INTEGER PRIMARY KEY, organisation INTEGER, object INTEGER, channel TEXT, "
            "first_at TEXT, last_at TEXT)"
        )
        cursor.execute("CREATE UNIQUE INDEX naive_once ON naive (object, organisation, channel)")
        driver = cursor.cursor.connection
        driver.executemany(
            "INSERT INTO naive (organisation, object, channel, first_at, last_at) VALUES (?, ?, 'api', ?, ?)",
            ((row % bureaus, row // bureaus, moment, moment) for row in range(SAMPLE)),
        )
    took_seconds = time.process_time() - began
    each = (size_bytes() - before) / SAMPLE

    def ask() -> None:
        with connection.cursor() as cursor:
            one = random.randrange(SAMPLE // bureaus)
            cursor.execute("SELECT organisation, channel, first_at, last_at FROM naive WHERE object = %s", [one])
            cursor.fetchall()

    facts = {
        "naive_rows": objects * bureaus, "naive_bytes_a_row": round(each, 1),
        "naive_bytes": round(objects * bureaus * each),
        "naive_hours_to_write": round(took_seconds / SAMPLE * objects * bureaus / 3600, 1),
        "naive_reach_ms_of_the_sample": median(50, ask),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE naive")
    return facts


def asked_of(rounds: int, count: int) -> dict[str, Any]:
    """Medians, in milliseconds."""
    from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
    from tocsin.centre.ledger.models import Kind
    from tocsin.centre.members.models import Person
    from tocsin.centre.pages import seal
    from tocsin.centre.reach import board, received, spread
    from tocsin.centre.release.models import Release
    from tocsin.lake.scope import Batches

    now, chance = datetime.now(UTC), random.Random(3)
    duty, officer = (Person.objects.select_related("organisation").get(login=login) for login in ("duty", "officer"))
    first = Release.objects.order_by("pk").values_list("pk", flat=True)[0]
    middle = seal(str(first + count // 2))

    def reach() -> None:
        number = (first + chance.randrange(count)) * BATCHES_IN_DELIVERY
        found = spread.reach_of(Batches([number]), 0, now)
        assert len(found.holders) == BUREAUS

    def page(after: str) -> None:
        found = board.page_for(duty, now, kind=Kind.RELEASE, after=after)
        assert found.rows
        assert all(line.fetched == line.acknowledged == BUREAUS for line in found.rows)

    reach()  # The register is read once in the life of a process.
    return {
        "reach_ms": median(rounds, reach),
        "board_page_ms": median(rounds, lambda: page("")),
        "board_page_from_the_middle_ms": median(rounds, lambda: page(middle)),
        "received_page_ms": median(rounds, lambda: received.page_for(officer, Kind.RELEASE, "all", "", now)),
        "waiting_count_ms": median(rounds, lambda: received.waiting_count(officer, now)),
    }


def median(rounds: int, work: Callable[[], object]) -> float:
    """Milliseconds of the processor for one of so many: on a shared machine the clock says more of its neighbours."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append((time.process_time() - began) * 1e3)
    return round(statistics.median(times), 2)


if __name__ == "__main__":
    main()
