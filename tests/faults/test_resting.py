"""A worker that has had nothing to do for a while gives back what its work has left in memory, and goes on working."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.installation import OPEN_JOBS, Installation, kill, made

NO_SERVER = pytest.mark.skipif(
    bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="on its own SQLite: in the first pass"
)
pytestmark = [NO_SERVER, pytest.mark.slow, pytest.mark.timeout(300)]
SOON = """
from tocsin.core import later
later.put_off()
import django
django.setup()
from tocsin.centre.jobs import worker
worker.REST_SECONDS = 0.2
from tocsin.site import crew
crew.main()
"""
"""The real worker, that rests soon."""


def _until(asked: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not asked():
        assert time.monotonic() < until
        time.sleep(0.1)


def _holds_columns(pid: int) -> bool:
    return "polars" in Path(f"/proc/{pid}/maps").read_text()


def _open(installation: Installation) -> int:
    return int(installation.sql(OPEN_JOBS)[0][0])


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_a_worker_rests_and_works_again(tmp_path: Path) -> None:
    installation = made(tmp_path / "home")
    environment = {**installation.environment, "DJANGO_SETTINGS_MODULE": "tocsin.site.settings"}
    worker = subprocess.Popen(
        [sys.executable, "-c", SOON], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        # Polars is there while files are written, and gone with the reading process once nothing is left to do.
        _until(lambda: _holds_columns(worker.pid) and _children(worker.pid) != "")
        _until(lambda: _open(installation) == 0)
        _until(lambda: not _holds_columns(worker.pid) and _children(worker.pid) == "")
        assert worker.poll() is None
        # Work that comes afterwards is done by the same number.
        again = "update jobs_job set state = 'waiting', run_at = '2000-01-01' where kind = 'read-delivery'"
        installation.sql(again)
        _until(lambda: _open(installation) == 0)
        assert worker.poll() is None
    finally:
        kill(worker)
