"""kill -9 at any moment of an ingest, then restart: nothing lost, nothing twice. Several workers: the same."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from tests.faults.installation import Installation, kill, made

KILLS = int(os.environ.get("TOCSIN_TEST_KILLS", "50"))
NO_SERVER = pytest.mark.skipif(
    bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite: in the first pass"
)
pytestmark = [NO_SERVER, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return made(tmp_path_factory.mktemp("killed") / "waiting")


@pytest.fixture(scope="module")
def undisturbed(waiting: Installation) -> dict[str, Any]:
    installation = waiting.copy(waiting.home.parent / "undisturbed")
    installation.finish()
    return installation.told()


def test_the_undisturbed_run_is_as_it_should_be(undisturbed: dict[str, Any]) -> None:
    states = {name: (state, reason) for name, state, reason, *_ in undisturbed["deliveries"]}
    assert len(states) == 10
    assert states["deep.json"] == ("quarantined", "too-deep")
    assert states["empty.csv"] == ("quarantined", "empty-file")
    assert {state for name, (state, _) in states.items() if name not in {"deep.json", "empty.csv"}} == {"parsed"}
    assert undisturbed["rows"] > 30_000
    assert all(undisturbed["files as registered"])
    assert undisturbed["compared as their order has it"]
    assert undisturbed["left in work"] == []
    ends = {"delivery.parsed", "delivery.quarantined"}
    finished = [subject for subject, action in undisturbed["acts"] if action in ends]
    assert len(finished) == len(set(finished)) == 10
    assert {state for _, state in undisturbed["jobs"]} == {"done"}


def _running(installation: Installation) -> str:
    found = installation.sql("select coalesce(max(worker), '') from jobs_job where state = 'running'")
    return str(found[0][0])


def _one_kill(installation: Installation, chance: random.Random) -> None:
    """Start a worker, wait until it has claimed something, and kill it some moments later."""
    before = _running(installation)
    installation.let_leases_run_out()
    # So many kills are no fault of the delivery's: that five in a row set it aside has a test of its own.
    installation.sql("update jobs_job set deaths = 0")
    worker = installation.worker()
    until = time.monotonic() + 30
    # One in eight is killed while it starts; the others at work, when the reading process is there or just comes.
    if chance.random() < 0.125:
        time.sleep(chance.uniform(0.05, 1.0))
    else:
        while worker.poll() is None and _running(installation) in {"", before} and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(chance.choice((chance.uniform(0, 0.3), chance.uniform(0.3, 1.5))))
    kill(worker, alone=chance.random() < 0.3)


def test_killed_fifty_times(
    waiting: Installation, undisturbed: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("TOCSIN_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    with capsys.disabled():
        print(f" [TOCSIN_TEST_SEED={seed}]", end="")
    chance = random.Random(seed)
    kills = runs = 0
    while kills < KILLS:
        runs += 1
        installation = waiting.copy(tmp_path / f"run-{runs}")
        while kills < KILLS and installation.open_jobs():
            _one_kill(installation, chance)
            kills += 1
        installation.finish()
        time.sleep(0.5)  # A reading process whose worker was killed ends when it finds nobody listening.
        told = installation.told()
        for what, expected in undisturbed.items():
            assert told[what] == expected, f"{what} after kills, seed {seed}"


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers_read_nothing_twice(
    workers: int, waiting: Installation, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    installation = waiting.copy(tmp_path / "crew")
    installation.finish(workers)
    told = installation.told()
    # Of two deliveries with versions of one object, the later one compares them; read at once, each may be the later.
    further = [each for each in told["further jobs"] if each[0] != "compare-versions"]
    wanted = [each for each in undisturbed["further jobs"] if each[0] != "compare-versions"]
    assert further == wanted
    assert len(told["further jobs"]) >= len(undisturbed["further jobs"])
    assert {**told, "further jobs": []} == {**undisturbed, "further jobs": []}
    attempts = installation.sql("select attempts from jobs_job where kind = 'read-delivery'")
    assert {each[0] for each in attempts} == {1}
