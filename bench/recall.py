"""A recall of ten thousand objects that were released to 196 bureaus: how long until the last of them sees nothing.

    python bench/recall.py [--objects 10000] [--bureaus 196] [--others 50000]

Builds a fresh installation with one delivery of so many objects, released to all bureaus, taken by each of them by its
program and as a package, among so many other batches. Every bureau sees every object first. Then the delivery is
recalled, and each bureau is asked again, batches and objects, until none of them sees any: measured from the call to
the last of these answers. The peer of the same run is the bare update of the same rows. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.centre.intake.models import Delivery
    from tocsin.centre.members.models import Person

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

GOAL_SECONDS = 60
BATCHES = 10
"""Parts of the delivery, each under a handling set of its own."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--objects", type=int, default=10_000)
    asked.add_argument("--bureaus", type=int, default=196)
    asked.add_argument("--others", type=int, default=50_000)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TOCSIN_HOME"] = str(Path(folder) / "home")
        from tocsin.cli.installation import make

        make("Bench")
        delivery, officers = build(told.objects, told.bureaus, told.others)
        facts: dict[str, Any] = {
            "bench": "recall", "cores": os.cpu_count(), "load": os.getloadavg()[0], "objects": told.objects,
            "bureaus": len(officers), "other_batches": told.others,
        }  # fmt: skip
        facts |= measured(delivery, officers, told.objects)
        facts |= {
            "goal": f"{told.objects:,} objects hidden from {told.bureaus} bureaus in {GOAL_SECONDS} s",
            "met": facts["hidden_from_all_s"] < GOAL_SECONDS,
        }
        print(json.dumps(facts))


def build(objects: int, bureaus: int, others: int) -> tuple[Delivery, list[Person]]:
    """The delivery, and an officer of each bureau."""
    from tests import builders

    from tocsin.centre.intake.models import Batch
    from tocsin.centre.knowledge.models import Object
    from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY
    from tocsin.centre.ledger.services import took
    from tocsin.centre.release.models import Package
    from tocsin.core.words import Tlp
    from tocsin.lake.scope import Batches
    from tocsin.reference.members import members

    now = datetime.now(UTC)
    source = builders.organisation("source")
    codes = [member.code for member in members(now.date())][:bureaus]
    officers = [builders.person(f"officer-{code}", builders.bureau(code), "officer") for code in codes]
    builders.person("duty", builders.centre(), "duty")
    sets = [builders.handling(Tlp.AMBER, retention_months=months) for months in range(1, BATCHES + 1)]
    delivery = builders.delivery(source, at=now)
    batches = [builders.batch(delivery, each, objects_count=objects // BATCHES) for each in sets]
    Object.objects.bulk_create(
        (
            Object(
                pk=delivery.pk * OBJECTS_IN_DELIVERY + number, standard="stix-2.1", delivery=delivery,
                batch=batches[number % BATCHES], type="indicator", object_id=f"indicator--{number}", name=f"{number}",
            )
            for number in range(objects)
        ),
        batch_size=1_000,
    )  # fmt: skip
    held = Batches([batch.pk for batch in batches])
    for code, officer in zip(codes, officers, strict=True):
        number = f"{code}-2026-0001"
        Package.objects.create(
            country=code, number=number, arrived_from=now - timedelta(hours=1), arrived_until=now + timedelta(hours=1),
            language="en", path="-", sha256="-", size_bytes=1, rows=objects, summary={}, batches=held.packed(),
            created_at=now,
        )  # fmt: skip
        took(officer, "api", held, now)
        took(officer, "package", held, now, reference=number)
    late = builders.delivery(source, at=now)
    first = batches[0]
    for start in range(0, others, 10_000):
        Batch.objects.bulk_create(
            Batch(
                delivery=late, organisation=source, handling_set=first.handling_set, terms=first.terms, received_at=now,
            )
            for _ in range(start, min(others, start + 10_000))
        )  # fmt: skip
    return delivery, officers


def measured(delivery: Delivery, officers: list[Person], objects: int) -> dict[str, Any]:
    """Seconds, by the clock: what a recipient could still see in them counts."""
    from django.db import transaction

    from tocsin.centre.intake.models import Batch
    from tocsin.centre.members.models import Person
    from tocsin.centre.recall import services
    from tocsin.centre.recall.models import Notice

    assert all(seen_by(officer, delivery) == (BATCHES, objects) for officer in officers)
    mine = Batch.objects.filter(delivery=delivery)
    with transaction.atomic():
        began = time.perf_counter()
        mine.update(hidden_at=datetime.now(UTC))
        bare = time.perf_counter() - began
        transaction.set_rollback(True)
    duty = Person.objects.select_related("organisation").get(login="duty")
    began = time.perf_counter()
    made = services.recall(delivery, by=duty, reason="wrong-data", action="destroy", note="", at=datetime.now(UTC))
    recalled = time.perf_counter() - began
    waiting, asked = list(officers), 0
    while waiting:
        waiting = [officer for officer in waiting if seen_by(officer, delivery) != (0, 0)]
        asked += 1
    hidden = time.perf_counter() - began
    assert Notice.objects.filter(recall=made, state="informed").count() == len(officers)
    return {
        "recall_call_s": round(recalled, 2), "hidden_from_all_s": round(hidden, 2), "rounds_of_asking": asked,
        "packages_withdrawn": len(made.packages), "bare_update_s": round(bare, 4),
    }  # fmt: skip


def seen_by(officer: Person, delivery: Delivery) -> tuple[int, int]:
    """Batches and objects of the delivery that this person sees, asked as pages and answers ask."""
    from tocsin.centre.intake.selectors import visible_batches
    from tocsin.centre.knowledge.models import Object
    from tocsin.centre.members.selectors import viewer_of

    seen = visible_batches(viewer_of(officer)).filter(delivery=delivery)
    return seen.count(), Object.objects.filter(delivery=delivery, batch__in=seen).count()


if __name__ == "__main__":
    main()
