"""The real portal where a disk is full, or the machine's clock jumps: it says so, keeps what it took, and goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.faults.history import LATEST, House, Write, content_of, faults_of
from tests.faults.small_disks import mounted

NO_SERVER = pytest.mark.skipif(bool(os.environ.get("TOCSIN_TEST_DATABASE")), reason="runs on its own SQLite database")
pytestmark = [NO_SERVER, pytest.mark.slow]
COMPILER = shutil.which("cc") or shutil.which("gcc")
DAY = 86_400
SOURCE = "partner-0"


class Sender:
    """Hands over by the API, and notes what it was told."""

    def __init__(self, house: House, key: str) -> None:
        self.house, self.key = house, key
        self.writes: list[Write] = []

    def send(self, rows: int = 30) -> httpx.Response:
        number = len(self.writes)
        content = content_of("api", SOURCE, number, rows)
        self.writes.append(Write(SOURCE, "api", str(number), content, rows))
        headers = {
            "Authorization": f"Bearer {self.key}", "Idempotency-Key": str(number), "Tocsin-Name": "list.csv",
        }  # fmt: skip
        address = f"{self.house.address}/api/v1/deliveries"
        answer = httpx.post(address, content=content, headers=headers, timeout=LATEST)
        if answer.status_code == 202:
            self.writes[-1].receipts.add(str(answer.json()["receipt"]))
        return answer


@contextlib.contextmanager
def _running(house: House) -> Iterator[Sender]:
    try:
        key = house.ask("make")[SOURCE]["key"]
        house.start()
        yield Sender(house, key)
    finally:
        if house.process is not None:
            house.kill()


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    for size in (1 << 20, 512):
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as stream:
            while stream.write(bytes(size)):
                pass
    assert shutil.disk_usage(folder).free < 4_096
    return filler


def test_the_disk_of_the_database_and_the_store_fills_to_the_last_byte(tmp_path: Path) -> None:
    """Nothing more is taken, what is there can be read, and what was taken is read as soon as there is room."""
    with mounted(tmp_path / "disk", "400m") as disk, _running(House(disk / "home")) as sender:
        assert [sender.send().status_code for _ in range(3)] == [202] * 3
        filler = _fill(disk)
        refused = [sender.send() for _ in range(3)]
        assert {each.status_code for each in refused} <= {503, 507}
        assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
        assert httpx.get(f"{sender.house.address}/sign-in/", timeout=LATEST).status_code == 200
        filler.unlink()
        assert sender.send().status_code == 202
        sender.house.finish()
        assert sender.house.stop() == 0
        assert faults_of(sender.writes, sender.house.ask("tell")) == []


def test_a_full_temporary_folder_refuses_large_forms_and_nothing_else(tmp_path: Path) -> None:
    temporary, home = tmp_path / "temporary", tmp_path / "home"
    with mounted(temporary, "3m"), _running(House(home, TMPDIR=str(temporary))) as sender:
        assert sender.send().status_code == 202
        _fill(temporary)
        assert sender.send(rows=40_000).status_code == 202  # A program's goes straight to the store.
        address = f"{sender.house.address}/sign-in/"
        large = httpx.post(address, files={"files": ("a", b"a" * (2 << 20))}, timeout=LATEST)
        assert large.status_code == 413  # A stranger's is not even tried.
        assert httpx.get(address, timeout=LATEST).status_code == 200
        sender.house.finish("wait")
        assert sender.house.stop() == 0
        assert faults_of(sender.writes, sender.house.ask("tell")) == []


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler to make a stepped clock with")
def test_a_clock_that_jumps_while_work_waits_loses_nothing_and_ends_nothing(tmp_path: Path) -> None:
    """Ahead by a year: what a clock in doubt calls over is closed, and the queue goes on. Back by a day: so too."""
    clock, library = tmp_path / "clock", tmp_path / "stepped_clock.so"
    source = Path(__file__).with_name("stepped_clock.c")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    clock.write_text("0")
    house = House(tmp_path / "home", LD_PRELOAD=str(library), STEPPED_CLOCK=str(clock))
    with _running(house) as sender:
        assert [sender.send(rows=4_000).status_code for _ in range(6)] == [202] * 6
        clock.write_text(str(365 * DAY))
        # The key's days are over by that clock: it opens nothing, and nothing of it is gone.
        assert sender.send().status_code == 401
        sender.house.finish("wait")
        clock.write_text("0")
        assert [sender.send(rows=4_000).status_code for _ in range(3)] == [202] * 3
        clock.write_text(str(-DAY))
        assert [sender.send(rows=4_000).status_code for _ in range(3)] == [202] * 3
        sender.house.finish("wait")
        assert house.stop() == 0
        clock.write_text("0")
        assert faults_of(sender.writes, house.ask("tell")) == []
