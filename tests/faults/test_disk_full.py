"""A full disk refuses cleanly, loses nothing, and everything works again when there is room."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from tests.faults.house import files_below, handed_over, receive, rows_of, table, work
from tests.faults.small_disks import mounted

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import store
from tocsin.centre.intake.models import Delivery, LakeFile
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job
from tocsin.centre.jobs.worker import Handler
from tocsin.core.errors import InputError
from tocsin.core.machine_faults import SENTENCES, Fault

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of two mebibytes, with no reserve."""
    monkeypatch.setattr(store, "RESERVE_BYTES", 0)
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(tmp_path)))
    with mounted(tmp_path, "2m"):
        yield tmp_path


def test_receiving_is_refused_and_works_again(small_disk: Path, handlers: Mapping[str, Handler]) -> None:
    with pytest.raises(InputError, match="no-space"):
        receive(os.urandom(3 << 20))
    assert not files_below(small_disk)
    assert not Delivery.objects.exists()
    assert not Job.objects.exists()
    assert not Entry.objects.exists()
    assert handed_over(b"8.8.8.8\n8.8.4.4\n", handlers).state == "parsed"


def test_a_reading_waits_for_room(
    small_disk: Path, handlers: Mapping[str, Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)  # There is one, and the test lives in it.
    delivery = receive(table(4_000, seed=8), "large.csv")
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(4 << 20))
    for _ in range(7):
        Job.objects.update(run_at=datetime(2000, 1, 1, tzinfo=UTC))
        work(handlers)
        delivery.refresh_from_db()
        assert delivery.state == Delivery.State.RECEIVED
        assert not LakeFile.objects.exists()
    Job.objects.update(run_at=datetime(2000, 1, 1, tzinfo=UTC))
    assert worker.work(handlers, threading.Event(), until_idle=True) == [SENTENCES[Fault.NO_ROOM]]
    filler.unlink()
    Job.objects.update(run_at=datetime(2000, 1, 1, tzinfo=UTC))
    assert worker.work(handlers, threading.Event(), until_idle=True) == []
    Job.objects.update(run_at=datetime(2000, 1, 1, tzinfo=UTC))
    work(handlers)
    delivery.refresh_from_db()
    assert delivery.state == "parsed"
    assert rows_of(delivery).height == delivery.rows > 3_500


def test_the_same_delivery_twice_has_one_result(handlers: Mapping[str, Handler]) -> None:
    content = table(100, seed=12)
    first = handed_over(content, handlers, "a.csv", key="k1")
    assert receive(content, "a.csv", key="k1") == first
    again = handed_over(content, handlers, "b.csv")
    assert (again.state, again.duplicate_of) == ("duplicate", first)
    assert again.batches.count() == 0
    assert Job.objects.filter(kind="read-delivery").count() == 1
    assert Entry.objects.filter(action="delivery.parsed").count() == 1
