"""What the benchmarks of ingest share: a real installation in a temporary folder, and meters."""

from __future__ import annotations

import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
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
    """User and system time of this process and of its children, those that ended and those that still run."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return sum(each.ru_utime + each.ru_stime for each in used) + sum(map(_processor_seconds_of, running))


def _processor_seconds_of(process: str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


def apart() -> dict[str, str]:
    """The environment of a peer: of our folders it sees none, whose names are those of its own packages."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONPYCACHEPREFIX"}}


def only_tables(home: Path, networks: Path) -> None:
    """Make these networks all that an installation knows of addresses, whatever the tables say that came with it.

    Laid over those, they would be one claim against another, and rows whose claims disagree get no country. Both claims
    are these, as where registry and geolocation agree.
    """
    from tocsin.reference.address_files import from_csv
    from tocsin.reference.addresses import AddressTables
    from tocsin.reference.store import installed

    on = date.today()
    told = from_csv(networks, on=on, licence="EXERCISE")
    layers = [told.layers_v4(), told.layers_v6()]
    for each in layers:
        each["geo_country"] = each["registry_country"]
    tables = AddressTables.of_layers(on, told.licence, *layers, {})
    folder = home / "reference" / f"addresses-{on.isoformat()}-0001"
    folder.mkdir(parents=True, exist_ok=True)
    tables.write(folder)
    if not installed(folder.parent).licence.startswith("EXERCISE"):
        raise SystemExit("newer tables came with the product: the benchmark's own are not in force")


def ingests(path: Path, small: Path, runs: int) -> tuple[dict[str, Spent], dict[str, Any]]:
    """The same in so many new installations, each in a process of its own: the median of each step."""
    told = []
    for _ in range(runs):
        again = small.with_name(f"again-{small.name}")
        again.write_bytes(small.read_bytes())
        done = subprocess.run(
            [sys.executable, __file__, str(path), str(again)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr[-2_000:])
        told.append(json.loads(done.stdout.splitlines()[-1]))
    spent = {
        name: Spent(*(statistics.median(each["spent"][name][place] for each in told) for place in (0, 1)))
        for name in told[0]["spent"]
    }
    return spent, told[-1]["became"]


def ingest(path: Path, small: Path) -> tuple[dict[str, Spent], dict[str, Any]]:
    """Hand files over to a new installation and do the work: what each step costs, and what became of the first.

    `start` is the small one: it starts the reading process, which loads its reference tables once and then serves
    all deliveries. A process before it has left the bytecode of all modules, as pip does when it installs them.
    `receipt` and `to_store` are the large one's: reading, normalisation, files, the database.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        os.environ["TOCSIN_HOME"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        from tocsin.cli.installation import make

        make("Bench")
        from tocsin.centre.intake import services
        from tocsin.centre.intake.models import Delivery
        from tocsin.centre.intake.store import read_chunks
        from tocsin.centre.jobs.worker import run_one, worker_name
        from tocsin.centre.members.models import Organisation
        from tocsin.site import wiring

        organisation = Organisation.objects.get(slug="centre")
        handlers = wiring.handlers()

        def receive(file: Path) -> Any:
            return services.receive(
                organisation=organisation, via="command", name=file.name, chunks=read_chunks(file), at=datetime.now(UTC)
            )

        def work() -> None:
            run_one(worker_name(), {services.READ: handlers[services.READ]})

        spent: dict[str, Spent] = {}
        receive(small)
        work()
        handlers[services.READ].stop()
        small.write_bytes(small.read_bytes() + b"\n")  # Other bytes, or it would be the same delivery.
        receive(small)
        spent["start"], _ = measured(work)
        spent["receipt"], delivery = measured(lambda: receive(path))
        spent["to_store"], _ = measured(work)
        wiring.close(handlers)
        done = Delivery.objects.get(pk=delivery.pk)
        names = ("state", "reason", "format", "rows", "repeats", "objects_count", "rejections")
        return spent, {name: getattr(done, name) for name in names}


if __name__ == "__main__":
    _spent, _became = ingest(Path(sys.argv[1]), Path(sys.argv[2]))
    _steps = {name: (each.wall_seconds, each.processor_seconds) for name, each in _spent.items()}
    print(json.dumps({"spent": _steps, "became": _became}))
