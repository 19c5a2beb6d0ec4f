"""What sealing costs: the same objects TLP:RED and TLP:AMBER, objects read back, originals and what a table costs.

    python bench/sealing.py [--objects 50000] [--reads 300] [--megabytes 200]

Hands one bundle of STIX 2.1 over twice to a new installation, once under each label, and takes the CPU time of the
commit (the whole transaction) and of reading it all (sandbox and commit). Then random objects of both are read as the
page of an object does: row, body, what it refers to. The originals are a file of random bytes, kept plain and sealed in
the same run; what sealing and opening them add is said for each gigabyte. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from _ingest import measured
from stix import objects

GOALS = {"reading_red_over_amber": 1.5, "object_sealed_over_plain": 2.0, "receipt_and_opening_cpu_s_per_gb": 10.0}
MEGABYTE = 1 << 20


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--objects", type=int, default=50_000)
    asked.add_argument("--reads", type=int, default=300)
    asked.add_argument("--megabytes", type=int, default=200)
    told = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        os.environ["TOCSIN_HOME"] = folder
        from tocsin.cli.installation import make

        make("Bench")
        facts: dict[str, Any] = {"objects": told.objects, "reads": told.reads, "megabytes": told.megabytes}
        facts |= commits(told.objects)
        facts |= reads(told.reads)
        facts |= originals(Path(folder), told.megabytes)
    facts["reading_red_over_amber"] = round(facts["reading_red_cpu_s"] / facts["reading_amber_cpu_s"], 2)
    facts["commit_red_over_amber"] = round(facts["commit_red_cpu_s"] / facts["commit_amber_cpu_s"], 2)
    facts["object_sealed_over_plain"] = round(facts["object_sealed_ms"] / facts["object_plain_ms"], 2)
    more = facts["receipt_sealed_cpu_s"] - facts["receipt_plain_cpu_s"] + facts["opening_cpu_s"]
    facts["receipt_and_opening_cpu_s_per_gb"] = round(more * 1024 / told.megabytes, 2)
    facts["goals"] = {name: f"< {most}" for name, most in GOALS.items()}
    facts["met"] = {name: facts[name] < most for name, most in GOALS.items()}
    print(json.dumps(facts))


def commits(count: int) -> dict[str, float]:
    """CPU seconds of both labels: the commit alone, and all of the reading."""
    from tocsin.centre.intake import process, services
    from tocsin.centre.jobs.worker import run_one
    from tocsin.centre.members.models import Organisation
    from tocsin.site import wiring

    centre = Organisation.objects.get(slug="centre")
    handlers = wiring.handlers()
    spent: dict[str, float] = {}
    commit = services.commit

    def timed(*said: Any, **more: Any) -> None:
        began = time.process_time()
        commit(*said, **more)
        spent["commit"] = time.process_time() - began

    def hand_over(label: str, number: int) -> None:
        made = list(objects(number))
        for each in made:
            each.pop("object_marking_refs", None)
        bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": made}
        services.receive(
            organisation=centre, via="command", name=f"{label}.json", chunks=[orjson.dumps(bundle)],
            at=datetime.now(UTC), marking=f"TLP:{label}",
        )  # fmt: skip

    hand_over("AMBER", 10)  # It starts the sandbox, which loads its tables once.
    run_one("bench", {services.READ: handlers[services.READ]})

    facts: dict[str, float] = {}
    process.services.commit = timed
    for label in ("AMBER", "RED"):
        hand_over(label, count)
        whole, _ = measured(lambda: run_one("bench", {services.READ: handlers[services.READ]}))
        facts[f"commit_{label.lower()}_cpu_s"] = round(spent["commit"], 2)
        facts[f"reading_{label.lower()}_cpu_s"] = round(whole.processor_seconds, 2)
    process.services.commit = commit
    wiring.close(handlers)
    return facts


def reads(count: int) -> dict[str, float]:
    """Milliseconds for what the page of an object asks: median and worst of a hundred."""
    from tocsin.centre.intake.models import Batch
    from tocsin.centre.knowledge.models import Object
    from tocsin.centre.knowledge.selectors import body_of, linked

    facts: dict[str, float] = {}
    for name, red in (("plain", "TLP:AMBER"), ("sealed", "TLP:RED")):
        batch = Batch.objects.get(handling_set__tlp=red, objects_count__gt=count)
        own = Object.objects.filter(batch=batch)
        numbers = random.Random(7).sample(list(own.values_list("pk", flat=True)), count)
        took = []
        for number in numbers:
            began = time.perf_counter()
            found = Object.objects.get(pk=number)
            linked(own, found, body_of(found))
            took.append((time.perf_counter() - began) * 1e3)
        facts[f"object_{name}_ms"] = round(statistics.median(took), 3)
        facts[f"object_{name}_p99_ms"] = round(statistics.quantiles(took, n=100)[98], 3)
    return facts


def originals(folder: Path, megabytes: int) -> dict[str, float]:
    """CPU seconds of taking a file into keeping, and of opening it for the reader."""
    from tocsin.centre.intake import originals, store

    piece = os.urandom(MEGABYTE)

    def chunks(mark: bytes) -> Iterator[bytes]:
        yield mark
        for _ in range(megabytes):
            yield piece

    def spent(work: Callable[[], Any]) -> tuple[float, Any]:
        began = time.process_time()
        made = work()
        return round(time.process_time() - began, 3), made

    limit = megabytes * 2 * MEGABYTE
    plain, _ = spent(lambda: store.keep(folder / "plain", chunks(b"1"), limit))
    sealed, kept = spent(lambda: originals.keep(folder / "store", chunks(b"2"), limit))
    path = store.delivery_path(folder / "store", kept.sha256)
    opened, _ = spent(lambda: originals.plain_copy(path, folder / "opened"))
    return {"receipt_plain_cpu_s": plain, "receipt_sealed_cpu_s": sealed, "opening_cpu_s": opened}


if __name__ == "__main__":
    main()
