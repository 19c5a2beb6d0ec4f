"""A small installation of its own, worked by real processes: made, filled, and told in one digest.

Run as a program (`python -m tests.faults.installation make|tell`) so that it has its own settings and database.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
OLD = "2000-01-01 00:00:00"
OPEN_JOBS = "select count(*) from jobs_job where kind = 'read-delivery' and state in ('waiting', 'running')"

FOLLOWED = ("read-delivery", "compare-versions")
"""Kinds of jobs that are told apart from the others."""


class Installation:
    """A folder with settings, an SQLite database and a store."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "DJANGO_"))},
            "TOCSIN_HOME": str(home),
            "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        }

    def run(self, *arguments: str) -> str:
        """What this file prints when run as a program for this installation."""
        ran = subprocess.run(
            [sys.executable, "-m", "tests.faults.installation", *arguments],
            env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3000:]
        return ran.stdout

    def copy(self, home: Path) -> Installation:
        shutil.copytree(self.home, home)
        return Installation(home)

    def worker(self) -> subprocess.Popen[bytes]:
        """The real worker, leader of its own group: its reading process is in it."""
        return subprocess.Popen(
            [sys.executable, "-m", "tocsin.site.crew", "--until-idle"],
            env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def sql(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(self.home / "tocsin.sqlite3", timeout=30)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def open_jobs(self) -> int:
        return int(self.sql(OPEN_JOBS)[0][0])

    def let_leases_run_out(self) -> None:
        """As if the time of every lease had passed."""
        self.sql(f"update jobs_job set lease_until = '{OLD}' where state = 'running'")
        self.sql(f"update jobs_job set run_at = '{OLD}' where state = 'waiting'")

    def finish(self, workers: int = 1) -> None:
        """Start workers until nothing is left; once in any case, since one may have been killed after its last act."""
        for _ in range(10):
            self.let_leases_run_out()
            crew = [self.worker() for _ in range(workers)]
            for each in crew:
                assert each.wait(timeout=120) == 0
            if not self.open_jobs():
                return
        raise AssertionError("work is left over")

    def told(self) -> dict[str, Any]:
        return dict(json.loads(self.run("tell")))


def kill(worker: subprocess.Popen[bytes], *, alone: bool = False) -> None:
    """kill -9, with its reading process or leaving that behind."""
    if alone:
        worker.kill()
    else:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def made(home: Path) -> Installation:
    """An installation whose deliveries all wait."""
    installation = Installation(home)
    installation.run("make")
    return installation


def _make() -> None:
    from tocsin.cli.installation import make
    from tocsin.site.installation import home_folder

    make(home=home_folder())
    from tests import builders
    from tests.faults import house

    from tocsin.centre.intake import services

    source = builders.organisation("kestrel")
    report = "# Report\n\nThe loader spoke to hxxp://evil[.]phish[.]example/a and 198.51.100[.]7.\n" * 3
    contents = {
        "large.csv": house.table(20_000, seed=1),
        "bundle.json": house.bundle(300),
        "small.csv": house.table(2_000, seed=2),
        "both.zip": house.zipped({"a.csv": house.table(1_000, seed=3), "b.json": house.bundle(40, seed=2)}),
        "cut.json": house.bundle(50, seed=3)[:-3_000],
        "deep.json": b"[" * 50_000,
        "report.md": report.encode(),
        "empty.csv": b"",
        "list.txt": "\n".join(f"h{n}.phish.example" for n in range(3_000)).encode(),
        "middle.csv": house.table(8_000, seed=4),
    }
    for number, (name, content) in enumerate(contents.items()):
        at = AT + timedelta(minutes=number)
        services.receive(organisation=source, via="api", name=name, chunks=[content], at=at)


def _tell() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tocsin.site.settings"
    django.setup()
    print(json.dumps(facts()))


def facts() -> dict[str, Any]:
    """All that must be the same whatever happened on the way; order makes no difference."""
    import polars as pl
    from tests import builders
    from tests.faults.house import files_below

    from tocsin.centre.analysis.models import CountryConflict, Proposal
    from tocsin.centre.audit.models import Entry
    from tocsin.centre.intake import services
    from tocsin.centre.intake.models import Batch, Delivery, LakeFile, NameTally, Tally
    from tocsin.centre.intake.originals import read_rejections
    from tocsin.centre.jobs.models import Job
    from tocsin.centre.knowledge.models import Block, Document, Mention, Object
    from tocsin.lake.files import file_digest

    store = services.store_folder()
    registered = sorted(LakeFile.objects.filter(retired_at=None).values_list("path", "digest", "rows"))
    frames = [builders.rows_in(store / path) for path, _, _ in registered]
    rows = pl.concat(frames)
    hashes = rows.hash_rows(7).sort()
    acts = Entry.objects.filter(subject__startswith="delivery:")
    counts = ("name", "state", "reason", "reason_where", "format", "rows", "repeats", "objects_count",
              "proposals_count", "rejections", "conflicts", "countries")  # fmt: skip

    def digest(found: Any) -> str:
        return hashlib.sha256(repr(sorted(map(repr, found))).encode()).hexdigest()

    return {
        "deliveries": sorted(map(list, Delivery.objects.values_list(*counts))),
        "rows": rows.height,
        "rows digest": hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest(),
        # Two files of the same rows differ, since each is sealed by a key of its own.
        "registered": [[path, rows_] for path, _, rows_ in registered],
        "files as registered": [file_digest(store / path) == digest_ for path, digest_, _ in registered],
        "files": sorted(name for name in files_below(store / "observations") if name.endswith(".parquet")),
        "left in work": sorted(files_below(store / "work")),
        "rejections": sorted(
            [str(path.relative_to(store)), read_rejections(path).height] for path in store.glob("rejections/*/*")
        ),
        "batches": digest(Batch.objects.values_list("pk", "delivery", "rows", "objects_count")),
        "objects": digest(Object.objects.values_list("pk", "object_id", "name", "version", "delivery", "batch")),
        "blocks": digest(Block.objects.values_list("first", "body")),
        "mentions": digest(Mention.objects.values_list("key", "object")),
        "tallies": digest(Tally.objects.values_list("batch", "day", "country", "type", "role", "rows", "sightings")),
        "names": digest(NameTally.objects.values_list("batch", "country", "malware", "rows", "last_day")),
        "proposals": digest(Proposal.objects.values_list("delivery", "batch", "kind", "value", "page", "offset")),
        "documents": digest(Document.objects.values_list("delivery", "batch", "title", "text")),
        "conflicts": digest(CountryConflict.objects.values_list("batch", "kind", "value", "claims", "rows")),
        "acts": sorted(map(list, acts.values_list("subject", "action"))),
        "jobs": sorted(map(list, Job.objects.filter(kind="read-delivery").values_list("subject", "state"))),
        "further jobs": sorted(map(list, Job.objects.exclude(kind__in=FOLLOWED).values_list("kind", "subject"))),
        "compared as their order has it": _compared_as_ordered(),
    }


def _compared_as_ordered() -> bool:
    """Whether STIX objects whose id another one has are compared with what came before them, once: several workers
    change what comes before."""
    from tocsin.centre.audit.models import Entry
    from tocsin.centre.jobs.models import Job
    from tocsin.centre.knowledge.models import Object

    parsed = Entry.objects.filter(action="delivery.parsed", subject__startswith="delivery:").order_by("pk")
    place = {subject: number for number, subject in enumerate(parsed.values_list("subject", flat=True))}
    having: dict[str, set[str]] = {}
    for identifier, delivery in Object.objects.filter(standard__startswith="stix-2").values_list(
        "object_id", "delivery"
    ):
        having.setdefault(identifier, set()).add(f"delivery:{delivery}")
    later = {each for some in having.values() for each in some if place[each] > min(map(place.__getitem__, some))}
    compared = Job.objects.filter(kind="compare-versions").values_list("subject", flat=True)
    return sorted(compared) == sorted(later)


if __name__ == "__main__":
    {"make": _make, "tell": _tell}[sys.argv[1]]()
