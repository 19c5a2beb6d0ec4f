"""An installation whose observations lie in a real bucket, worked by real processes: the same as one on a disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests import object_store
from tests.faults.installation import Installation, kill, made
from tests.faults.movable import told

NO_SERVER = pytest.mark.skipif(
    bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite: in the first pass"
)
pytestmark = [NO_SERVER, pytest.mark.slow, pytest.mark.timeout(600)]
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ELSEWHERE = ("files",)
"""What lies in the folder of observations."""


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return made(tmp_path_factory.mktemp("bucket") / "waiting")


@pytest.fixture(scope="module")
def on_disk(waiting: Installation) -> Installation:
    """What all is compared with."""
    installation = waiting.copy(waiting.home.parent / "on-disk")
    installation.finish()
    return installation


@pytest.fixture(scope="module")
def expected(on_disk: Installation) -> dict[str, Any]:
    return on_disk.told()


def in_bucket(
    installation: Installation,
    object_server: object_store.Store,
    prefix: str,
    keys: tuple[str, str] = object_store.KEYS,
) -> Installation:
    (installation.home / "keys" / "lake-access").write_text("\n".join(keys) + "\n")
    installation.environment |= {"TOCSIN_LAKE": object_server.address(prefix)}
    return installation


def held(object_server: object_store.Store, prefix: str) -> set[str]:
    return {name for name, _ in object_server.at(prefix).listed("observations/")}


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for what in expected.keys() - {*ELSEWHERE}:
        assert found[what] == expected[what], what


def test_killed_in_the_middle_of_an_ingest(
    object_server: object_store.Store, waiting: Installation, expected: dict[str, Any], tmp_path: Path
) -> None:
    installation = in_bucket(waiting.copy(tmp_path / "killed"), object_server, "killed")
    work = installation.home / "store" / "work"
    kills = 0
    while kills < 2 and installation.open_jobs():
        before = held(object_server, "killed")
        installation.let_leases_run_out()
        worker = installation.worker()
        until = time.monotonic() + 60
        # A file is written here first: until then nobody needs to ask the server what it holds.
        while worker.poll() is None and not any(work.rglob("*.parquet")) and time.monotonic() < until:
            time.sleep(0.002)
        # The first object of a file is there and the others are not, or are and nobody knows of them.
        while worker.poll() is None and held(object_server, "killed") == before and time.monotonic() < until:
            time.sleep(0.002)
        kill(worker)
        kills += 1
    installation.finish()
    found = installation.told()
    same(found, expected)
    assert kills == 2
    assert found["files"] == [], "Parquet lies in the bucket alone"
    parquet = {name for name in held(object_server, "killed") if name.endswith(".parquet")}
    assert {path for path, _ in found["registered"]} <= parquet


def test_carried_there_and_back(
    object_server: object_store.Store, on_disk: Installation, expected: dict[str, Any], tmp_path: Path
) -> None:
    installation = on_disk.copy(tmp_path / "carried")
    asked = ("lookup", "h17.phish.example", "--json")
    answer = told(installation, *asked)
    in_bucket(installation, object_server, "carried")
    assert "tocsin lake carry" in told(installation, "work", "--until-idle", status=1)
    assert held(object_server, "carried") == set()
    assert "lie in the bucket" in told(installation, "lake", "carry")
    assert "joined" in told(installation, "lake", "compact")
    told(installation, "lake", "verify")
    _is_backed_up(installation, tmp_path)
    object_server.stop()
    assert "does not answer" in told(installation, *asked, status=1)
    object_server.start()
    joined = installation.told()
    assert len(joined["registered"]) < len(expected["registered"])
    assert joined["files"] == [], "Parquet lies in the bucket alone"
    assert all(joined["files as registered"])
    assert joined["rows digest"] == expected["rows digest"]
    assert told(installation, *asked) == answer
    # Another installation on the same bucket is refused, and so is this one without its line.
    other = in_bucket(on_disk.copy(tmp_path / "other"), object_server, "carried")
    assert "belongs to another database" in told(other, "work", "--until-idle", status=1)
    line = installation.environment.pop("TOCSIN_LAKE")
    assert "The observations lie in s3://tocsin/carried" in told(installation, "work", "--until-idle", status=1)
    installation.environment["TOCSIN_LAKE"] = line
    assert "on this machine too" in told(installation, "lake", "carry", "--back")
    del installation.environment["TOCSIN_LAKE"]
    back = installation.told()
    assert back["rows digest"] == expected["rows digest"]
    assert all(back["files as registered"])
    assert {path for path, _ in back["registered"]} <= {f"observations/{name}" for name in back["files"]}


def test_what_is_wrong_is_said(object_server: object_store.Store, waiting: Installation, tmp_path: Path) -> None:
    installation = in_bucket(waiting.copy(tmp_path / "wrong"), object_server, "wrong", ("nobody", "secret-of-nobody"))
    said = told(installation, "work", "--until-idle", status=1)
    assert "does not know the access key" in said
    assert "Traceback" not in said
    assert "secret-of-nobody" not in said
    (installation.home / "keys" / "lake-access").unlink()
    assert "lake-access" in told(installation, "work", "--until-idle", status=1)


def _is_backed_up(installation: Installation, place: Path) -> None:
    """The copy is whole, and stands by itself on a machine that knows no bucket."""
    copy, keys = place / "copy", place / "vault"
    for new in (True, False):
        said = _deploy(installation, "backup", str(copy), str(keys))
        assert ("0 of them new" in said) is not new, said
    assert not list(copy.rglob("lies-in.txt"))
    said = _deploy(installation, "restore", "--drill", str(copy), str(keys))
    assert "observations; 0 wrong" in said
    assert " 0 observations" not in said


def _deploy(installation: Installation, script: str, *words: str) -> str:
    environment = {**installation.environment, "TOCSIN_PYTHON": sys.executable}
    done = subprocess.run([str(DEPLOY / script), *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout
