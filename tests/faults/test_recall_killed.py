"""A recall of parts whose process is killed (kill -9): afterwards it is made or it is not, never half of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.faults.installation import Installation

NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite")
pytestmark = [NO_SERVER, pytest.mark.slow]
TABLE = b"ip\n198.51.100.9\n203.0.113.7\n"
GONE, KEPT = "198.51.100.9", "203.0.113.7"
PLACES = {
    "written": "the files are written, and nothing is entered",
    "half": "half of the rows of the database are changed",
    "noted": "the journal knows of it, and the transaction has not ended",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = Installation(tmp_path_factory.mktemp("recall") / "home")
    done = step(installation, "make")
    assert done.returncode == 0, done.stderr[-2000:]
    return installation


def step(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """One of the steps below, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.test_recall_killed", *words],
        env=installation.environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_place_it_is_made_or_not(place: str, made: Installation, tmp_path: Path) -> None:
    installation = made.copy(tmp_path / "home")
    whole = {"seen": [GONE, KEPT], "hidden": [], "tallied": 2, "recalls": 0, "notices": 0, "registered": True}
    recalled = {"seen": [KEPT], "hidden": [GONE], "tallied": 1, "recalls": 1, "notices": 1, "registered": True}
    assert step(installation, "kill", place).returncode == -signal.SIGKILL
    done = step(installation, "after")
    assert done.returncode == 0, done.stderr[-2000:]
    at_once, replayed, at_last = (json.loads(line) for line in done.stdout.splitlines())
    assert at_once == whole, PLACES[place]
    # What starts next: `tocsin serve` and `tocsin work` replay the journal before they do anything else.
    assert replayed == (recalled if place == "noted" else whole)
    assert at_last == recalled, "asked for again, it is made once"


def _make() -> None:
    from tocsin.cli.installation import make
    from tocsin.site.installation import home_folder

    make(home=home_folder())
    from tests import builders, people
    from tests.crew import work

    from tocsin.centre.intake import services
    from tocsin.centre.intake.models import Batch
    from tocsin.centre.intake.terms import set_audience
    from tocsin.centre.ledger.services import took
    from tocsin.core.profiles import Profile

    pia, fleur = people.call("pia_partner"), people.call("fleur_officer")
    now = datetime.now(UTC)
    profile = Profile(
        name="list", format="delimited", columns={"value": "ip"}, delimiter=",", header=True,
        defaults={"role": "ATTACKER_INFRA"},
    )  # fmt: skip
    services.receive(
        organisation=builders.organisation("northwind"), via="api", name="list.csv", chunks=[TABLE], at=now, person=pia,
        marking="TLP:AMBER", profile=profile,
    )  # fmt: skip
    work()
    set_audience(Batch.objects.all(), [])
    took(fleur, "api", list(Batch.objects.values_list("pk", flat=True)), now)


def _recall() -> None:
    from tests import people

    from tocsin.centre.intake.models import Delivery
    from tocsin.centre.recall import services

    services.recall_parts(
        Delivery.objects.get(), [GONE], by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="",
        at=datetime.now(UTC),
    )  # fmt: skip


def _kill(place: str) -> None:
    """Recall, and die at that place."""
    from tocsin.centre.intake import parting
    from tocsin.centre.knowledge import parting as knowledge
    from tocsin.centre.recall import journal

    places = {"written": (parting, "commit"), "half": (knowledge, "move_objects"), "noted": (journal, "write")}
    owner, name = places[place]
    known = getattr(owner, name)

    def dying(*said: Any) -> None:
        if place == "noted":
            known(*said)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)
    _recall()


def _after() -> None:
    """What stands at once, after the journal was replayed, and after the recall was asked for again."""
    from tocsin.centre.recall import services
    from tocsin.core.errors import InputError

    _tell()
    services.replay(datetime.now(UTC))
    _tell()
    with suppress(InputError):
        _recall()
    services.replay(datetime.now(UTC))
    _tell()


def _tell() -> None:
    from django.db.models import Sum
    from tests import people

    from tocsin.centre.analysis.lookups import answer
    from tocsin.centre.intake import services as intake
    from tocsin.centre.intake.models import LakeFile, Tally
    from tocsin.centre.intake.selectors import visible_batches
    from tocsin.centre.members.selectors import viewer_of
    from tocsin.centre.recall.models import Notice, Recall

    viewer = viewer_of(people.call("fleur_officer"))
    seen = [value for value in (GONE, KEPT) if answer(value, viewer).found.total]
    live = LakeFile.objects.filter(retired_at=None)
    facts = {
        "seen": seen, "hidden": [value for value in (GONE, KEPT) if value not in seen],
        "tallied": Tally.objects.filter(batch__in=visible_batches(viewer)).aggregate(n=Sum("rows"))["n"],
        "recalls": Recall.objects.count(), "notices": Notice.objects.filter(state="informed").count(),
        "registered": all((intake.store_folder() / each.path).exists() for each in live),
    }  # fmt: skip
    print(json.dumps(facts))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    import django

    Path(os.environ["TOCSIN_HOME"]).mkdir(parents=True, exist_ok=True)
    if sys.argv[1] != "make":
        django.setup()
    {"make": _make, "kill": _kill, "after": _after}[sys.argv[1]](*sys.argv[2:])
