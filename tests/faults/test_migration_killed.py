"""The migration that packs objects into blocks, killed on its way and done again: nothing is lost."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.installation import Installation

NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite")
pytestmark = [NO_SERVER, pytest.mark.slow]
OBJECTS = 600
DELIVERIES = (3, 4)


def step(installation: Installation, name: str) -> subprocess.CompletedProcess[str]:
    """One of the steps below, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.test_migration_killed", name],
        env=installation.environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


def test_killed_and_done_again(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    made = step(installation, "before")
    assert made.returncode == 0, made.stderr[-2000:]
    assert step(installation, "killed").returncode == -signal.SIGKILL
    assert installation.sql("select count(*) from knowledge_link") == [(OBJECTS * len(DELIVERIES),)]
    assert installation.sql("select count(*), sum(length(raw)) > 0 from knowledge_object") == [(1200, 1)]
    done = step(installation, "after")
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told == {
        "raw": ['{"n": 0}', '{"n": 599}'], "refs": [[["uses", "tool--1"]], [["uses", "tool--600"]]],
        "named": 2, "identified": 2, "referring": 2,
    }  # fmt: skip


def _before() -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor
    from tests import builders

    call_command("migrate", "knowledge", "0001", verbosity=0)
    for app in ("intake", "members", "audit", "jobs"):
        call_command("migrate", app, verbosity=0)
    states = MigrationExecutor(connection).loader.project_state([("knowledge", "0001_initial")]).apps
    objects, links = states.get_model("knowledge", "Object").objects, states.get_model("knowledge", "Link").objects
    source = builders.organisation("northwind")
    for key in DELIVERIES:
        of = builders.delivery(source, pk=key)
        batch = builders.batch(of, builders.handling(), pk=key * 1000)
        first = key << 28
        objects.bulk_create(
            objects.model(
                pk=first + at, standard="stix-2.1", type="malware", object_id=f"malware--{at}", name=f"Crew {at}",
                raw=json.dumps({"n": at}).encode(), position=at + 1, batch_id=batch.pk, delivery_id=of.pk,
                organisation_id=source.pk,
            )
            for at in range(OBJECTS)
        )  # fmt: skip
        links.bulk_create(
            links.model(source_id=first + at, relation="uses", target_id=f"tool--{at + 1}") for at in range(OBJECTS)
        )


def _killed() -> None:
    from django.core.management import call_command

    migration = importlib.import_module("tocsin.centre.knowledge.migrations.0002_blocks")
    known, calls = migration.mentions_of, []

    def mentions_of(*said: object) -> object:
        calls.append(said)
        if len(calls) == len(DELIVERIES):
            os.kill(os.getpid(), signal.SIGKILL)
        return known(*said)

    migration.mentions_of = mentions_of  # type: ignore[attr-defined]
    call_command("migrate", verbosity=0)


def _after() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tocsin.centre.knowledge.models import Object
    from tocsin.centre.knowledge.selectors import body_of, identified, named, referring

    every = Object.objects.order_by("pk")
    ends = [body_of(every[0]), body_of(every[OBJECTS * len(DELIVERIES) - 1])]
    told = {
        "raw": [body.raw.decode() for body in ends], "refs": [body.refs for body in ends],
        "named": named(every, "CREW 7").count(), "identified": identified(every, ["malware--599"]).count(),
        "referring": referring(every, "tool--600").count(),
    }  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    import django

    Path(os.environ["TOCSIN_HOME"]).mkdir(parents=True, exist_ok=True)
    django.setup()
    {"before": _before, "killed": _killed, "after": _after}[sys.argv[1]]()
