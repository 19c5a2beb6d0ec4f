"""The reading process dies, hangs, swells or fails: only its delivery is set aside, and the next one is read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.faults.house import handed_over, receive, rows_of, table, work

from tocsin.centre.intake import process, services
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.process import Reader, Sandbox
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job
from tocsin.core.errors import Conflict
from tocsin.site import wiring

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def listening() -> Iterator[int]:
    """A port of this machine that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        os.environ["MAD_READER_PORT"] = str(port)
        yield port
        del os.environ["MAD_READER_PORT"]


@pytest.fixture(scope="module")
def reader(listening: int) -> Iterator[Reader]:
    made = Reader(wiring.KEEPERS)
    made.sandbox = Sandbox("tests.faults.mad_reader", resident_bytes=1 << 30)
    yield made
    made.stop()


def second_try(reader: Reader) -> None:
    """What is tried again later is due now."""
    Job.objects.filter(state=Job.State.WAITING).update(run_at=datetime(2000, 1, 1, tzinfo=UTC))
    work({services.READ: reader})


# The database is told the same of a reading process that was ended as of one that ends by itself.
ENDED = [pytest.param(name, marks=pytest.mark.any_database) for name in ("hangs", "grows")]


@pytest.mark.parametrize("name", [*ENDED, "crashes", "half a word"])
def test_killed_twice_is_set_aside_and_the_next_is_read(
    name: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "hangs":
        monkeypatch.setattr(process, "PROCESSOR_SECONDS_BASE", 2)
        monkeypatch.setattr(process, "PROCESSOR_SECONDS_PER_MEGABYTE", 0)
    handlers = {services.READ: reader}
    delivery = handed_over(b"8.8.8.8\n" + name.encode(), handlers, name)
    assert delivery.state == Delivery.State.RECEIVED, "once may be an accident of the machine"
    second_try(reader)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("quarantined", "reader-killed")
    assert delivery.rows == 0
    monkeypatch.undo()
    assert handed_over(b"8.8.4.4\n" + name.encode(), handlers, "next").state == "parsed"


def test_a_fault_of_our_own_sets_one_delivery_aside(reader: Reader) -> None:
    handlers = {services.READ: reader}
    delivery = handed_over(b"8.8.8.8\nraises\n", handlers, "raises")
    assert (delivery.state, delivery.reason) == ("quarantined", "reader-failed")
    assert "ZeroDivisionError" in delivery.reason_where
    assert handed_over(b"8.8.4.4\nafter\n", handlers, "next").state == "parsed"


def test_the_answer_to_one_order_is_never_taken_for_that_to_another(reader: Reader) -> None:
    """A worker that loses its lease leaves an order behind that the reading process still works at."""
    now = datetime.now(UTC)
    first, second = receive(table(30, seed=5), "slow"), receive(table(60, seed=6), "next")
    claim = jobs.claim("slow one", [services.READ], now)
    assert claim is not None
    assert claim.payload["delivery"] == first.pk
    later = now + timedelta(hours=1)
    rival = jobs.claim("rival", [services.READ], later)
    while rival is not None and rival.payload["delivery"] != first.pk:
        jobs.release(rival, later)
        Job.objects.filter(pk=rival.job).update(run_at=later + timedelta(days=1))
        rival = jobs.claim("rival", [services.READ], later)
    assert rival is not None
    with pytest.raises(Conflict):
        reader(claim)
    Job.objects.filter(subject=f"delivery:{second.pk}").update(run_at=now)
    jobs.release(rival, now)
    Job.objects.filter(subject=f"delivery:{first.pk}").update(run_at=later)
    work({services.READ: reader})
    second.refresh_from_db()
    assert second.state == "parsed"
    assert second.rows == rows_of(second).height > 50
    assert set(second.batches.values_list("delivery", flat=True)) == {second.pk}


def _unshare_is_allowed() -> bool:
    """Tried in another process: this one must keep its network."""
    flags = 0x40000000 if os.geteuid() == 0 else 0x50000000
    code = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({flags}) != 0)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_there_is_no_network_inside(reader: Reader) -> None:
    if not _unshare_is_allowed():
        pytest.skip("the kernel lets no process give up its network here")
    delivery = handed_over(b"8.8.8.8\nconnects\n", {services.READ: reader}, "connects")
    assert delivery.state == "parsed"
    assert "reached" not in json.loads(delivery.title)


def test_what_the_reader_cannot_commit_is_set_aside_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the commit is tried again a few times; then a person sees it, and no delivery waits for ever."""

    def broken(*_: object) -> None:
        raise ValueError("a value that no column takes")

    made = Reader((broken,))
    try:
        delivery = handed_over(b"8.8.8.8\nbroken\n", {services.READ: made}, "broken")
        for _ in range(6):
            second_try(made)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.reason) == ("quarantined", "reader-failed")
        assert delivery.batches.count() == 0
        assert not Job.objects.filter(state__in=["waiting", "running", "failed"], kind=services.READ).exists()
    finally:
        made.stop()


def test_what_killed_workers_left_is_removed_and_what_is_at_work_is_not() -> None:
    delivery = receive(b"8.8.8.8\n")
    claim = jobs.claim("somebody", [services.READ], datetime.now(UTC))
    assert claim is not None
    work = services.store_folder() / "work"
    for name in (f"{delivery.pk}-{claim.attempt}", f"{delivery.pk}-{claim.attempt + 1}", "990099-1", "scorecards-x1"):
        (work / name).mkdir(parents=True)
        (work / name / "original").write_bytes(b"8.8.8.8")
    process.sweep_ended()
    left = sorted(each.name for each in work.iterdir())
    assert left == sorted([f"{delivery.pk}-{claim.attempt}", "scorecards-x1"])


def test_a_reading_process_ends_with_whom_it_reads_for() -> None:
    program = "from tocsin.centre.intake import sandbox; sandbox.end_with_parent(); print('up', flush=True); "
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program + "import time; time.sleep(200)"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as reading:  # fmt: skip
        assert reading.stdin is not None
        assert reading.stdout is not None
        assert reading.stdout.readline() == b"up\n"
        reading.stdin.close()
        assert reading.wait(timeout=30) == 0


@pytest.mark.django_db(transaction=True)
def test_a_reading_that_is_not_over_when_its_worker_stops_is_for_another_at_once(reader: Reader) -> None:
    """No lease has to run out, and the try is not counted."""
    delivery = receive(b"8.8.8.8\nhangs\n", "hangs")
    told = threading.Event()
    threading.Timer(1.5, told.set).start()
    worker.work({services.READ: reader}, told)
    job = Job.objects.get(subject=f"delivery:{delivery.pk}")
    assert (job.state, job.attempts, job.lease_until) == (Job.State.WAITING, 0, None)
    delivery.refresh_from_db()
    assert delivery.state == Delivery.State.RECEIVED
    assert not list((services.store_folder() / "work").glob(f"{delivery.pk}-*"))
    reader.told.clear()
    Job.objects.filter(pk=job.pk).update(state=Job.State.FAILED)
