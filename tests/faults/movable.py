"""An installation on SQLite that is moved to databases of the test server, and what is asked of it before and after.

Run as a program (`python -m tests.faults.movable WORD…`), so that it has its own settings and database.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from tests.faults.installation import Installation

MAIN = "import sys; from tocsin.cli import main; main(sys.argv[1:])"


class Server:
    """The server that the tests use: databases of a test's own, gone at its end."""

    def __init__(self) -> None:
        self.facts = {
            name: value
            for name, value in (
                ("user", connection.settings_dict["USER"]),
                ("host", connection.settings_dict["HOST"]),
                ("port", connection.settings_dict["PORT"]),
                ("password", connection.settings_dict["PASSWORD"]),
            )
            if value
        }
        self.made: list[str] = []

    def say(self, statement: str, database: str = "postgres") -> list[Any]:
        with psycopg.connect(dbname=database, autocommit=True, **self.facts) as server:
            done = server.execute(statement)
            return done.fetchall() if done.description else []

    def database(self, how: str = "ENCODING 'UTF8' LOCALE 'C'") -> str:
        """The address of a new, empty database."""
        name = f"moved_{os.getpid()}_{len(self.made)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE template0 {how}")
        self.made.append(name)
        return self.address(name)

    def address(self, name: str, user: str = "") -> str:
        return f"postgresql://{user or self.facts['user']}@/{name}?host={self.facts['host']}"

    def drop(self) -> None:
        for name in self.made:
            self.say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def name_of(address: str) -> str:
    """The database that an address names."""
    return address.partition("/")[2].partition("/")[2].partition("/")[2].partition("?")[0]


def told(installation: Installation, *words: str, status: int = 0, **environment: str) -> str:
    """What a command says: its output, or why it ended with another status."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words], env={**installation.environment, **environment}, capture_output=True,
        text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr[-3000:]}"
    return done.stdout if status == 0 else done.stderr


def program(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """One of the steps below, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.movable", *words], env=installation.environment, capture_output=True,
        text=True, timeout=900, check=False,
    )  # fmt: skip


def step(installation: Installation, *words: str) -> Any:
    """What a step says, as JSON."""
    done = program(installation, *words)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return json.loads(done.stdout or "null")


def _make() -> None:
    """One of everything, some of it many times, and numbers at the end of tables that were given and taken away."""
    from tests import builders, people, scene

    from tocsin.centre.audit.services import record
    from tocsin.centre.intake.models import Delivery
    from tocsin.centre.intake.store import delivery_path
    from tocsin.centre.jobs.models import Job
    from tocsin.cli.installation import make
    from tocsin.site.installation import load

    make(home=load().home)
    shown = scene.make()
    scene.held()
    scene.circular()
    scene.permission(shown.delivery)
    scene.relabelling(shown.report)
    scene.redaction(shown.delivery)
    scene.subject_request()
    scene.standing_order()
    scene.own_things(people.call("dana_analyst"))
    for number in range(2_500):
        record("system", "delivery.parsed", f"delivery:{number}", {"name": "Ünïcödé ✓ \u0001"}, at=builders.NOW)
    builders.objects(shown_batch(shown.delivery), [builders.indicator(number) for number in range(300)])
    for number in range(3):
        Job.objects.create(
            kind="x", subject=str(number), run_at=builders.NOW, created_at=builders.NOW,
            payload={"b": 1, "a": [1.5, -0.0, 1e300, "é\u2028"], "big": 10**30},
        )  # fmt: skip
    Job.objects.last().delete()  # type: ignore[union-attr]
    for each in Delivery.objects.exclude(state="purged"):
        path = delivery_path(load().store_folder, each.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def shown_batch(delivery: Any) -> Any:
    """A batch of its own for many objects."""
    from tests import builders

    of = builders.delivery(delivery.organisation, "many.json")
    return builders.batch(of, builders.handling(), objects_count=300)


def _tell() -> None:
    """Table → rows and digest, of whatever database the settings name; the acts of the move itself left out."""
    from django.conf import settings
    from django.db import connection as own

    from tocsin.site.moving import places
    from tocsin.site.moving.tables import tables_of
    from tocsin.site.moving.values import Sum

    source = places.reader(places.present(), settings.INSTALLATION.home)
    found = {}
    for table in tables_of(own):
        total = Sum()
        for rows in source.rows(table):
            if table.name == "audit_entry":
                action = table.names.index("action")
                rows = [row for row in rows if row[action] not in ("installation.moved", "store.adopted")]
            total.add(table, rows)
        found[table.name] = [total.rows, total.digest]
    print(json.dumps(found))


def _note(said: str) -> None:
    """Write an act into the log, as another installation has it."""
    from tocsin.centre.audit.services import record

    at, actor, action, subject, detail = json.loads(said)
    record(actor, action, subject, detail, at=datetime.fromisoformat(at))


def _next_job() -> None:
    """The number that the next job gets."""
    from tests.builders import NOW

    from tocsin.centre.jobs.models import Job

    print(json.dumps(Job.objects.create(kind="y", run_at=NOW, created_at=NOW).pk))


def _killed(where: str, calls: str, address: str) -> None:
    """A move that is killed at the given call of a function."""
    import importlib

    from tocsin.cli import main

    module, _, name = where.rpartition(".")
    owner: Any = importlib.import_module(module) if module.islower() else None
    if owner is None:
        path, _, kind = module.rpartition(".")
        owner = getattr(importlib.import_module(path), kind)
    known: Callable[..., Any] = getattr(owner, name)
    left = [int(calls)]

    def dying(*said: Any, **named: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return known(*said, **named)

    setattr(owner, name, dying)
    main(["move", address])


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    STEPS = {"make": _make, "tell": _tell, "note": _note, "next-job": _next_job, "killed": _killed}
    if sys.argv[1] in STEPS:
        if sys.argv[1] == "make":
            Path(os.environ["TOCSIN_HOME"]).mkdir(parents=True, exist_ok=True)
            from tocsin.cli.installation import make as first

            first()
        import django

        django.setup()
        STEPS[sys.argv[1]](*sys.argv[2:])
