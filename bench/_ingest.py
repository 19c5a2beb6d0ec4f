"""What the benchmarks of ingest share: a real installation in a temporary folder, and meters."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Spent:
    """What a piece of work cost, its child processes included."""

    wall_seconds: float
    processor_seconds: float

    def figures(self, units: int, name: str) -> dict[str, float]:
        """Rates of so many units."""
        return {
            "wall_s": round(self.wall_seconds, 3),
            "cpu_s": round(self.processor_seconds, 3),
            f"{name}_per_wall_s": round(units / self.wall_seconds),
            f"{name}_per_cpu_s": round(units / self.processor_seconds),
        }


def processor_seconds() -> float:
    """User and system time of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measured(work: Callable[[], Any]) -> tuple[Spent, Any]:
    """What the work costs, and what it returns."""
    gc.collect()
    wall, used = time.perf_counter(), processor_seconds()
    done = work()
    return Spent(time.perf_counter() - wall, processor_seconds() - used), done


def orjson_each(raws: Sequence[bytes]) -> Spent:
    """The yardstick: each object parsed from its own bytes, and dropped."""

    def parse() -> None:
        for raw in raws:
            orjson.loads(raw)

    return min((measured(parse)[0] for _ in range(3)), key=lambda spent: spent.processor_seconds)


def ingest(path: Path) -> tuple[Spent, Spent, dict[str, Any]]:
    """Hand a file over to a new installation and do the work: (receipt, reading and commit), what became of it.

    The second counts everything: the sandbox from its start to its end, normalisation, files, the database.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        os.environ["TOCSIN_HOME"] = folder
        from tocsin.cli.installation import make

        make("Bench")
        from tocsin.centre.intake import services
        from tocsin.centre.intake.models import Delivery
        from tocsin.centre.intake.store import read_chunks
        from tocsin.centre.jobs.worker import run_one, worker_name
        from tocsin.centre.members.models import Organisation
        from tocsin.site import wiring

        now = datetime.now(UTC)
        organisation = Organisation.objects.get(slug="centre")
        received, delivery = measured(
            lambda: services.receive(
                organisation=organisation, via="command", name=path.name, chunks=read_chunks(path), at=now
            )
        )
        handlers = wiring.handlers()

        def work() -> None:
            run_one(worker_name(), {services.READ: handlers[services.READ]})
            wiring.close(handlers)

        worked, _ = measured(work)
        done = Delivery.objects.get(pk=delivery.pk)
        names = ("state", "reason", "format", "rows", "repeats", "objects_count", "rejections")
        return received, worked, {name: getattr(done, name) for name in names}
