"""A disk that fills while packages are made, files are joined, or something is recalled: whatever room is left, it is
done whole or not at all, nothing is lost, and the same goes through when there is room."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from tests import builders
from tests.faults.house import AT, files_below, handed_over, rows_of, table
from tests.faults.small_disks import mounted

from tocsin.centre.intake import lake, store
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.intake.terms import BY_LABEL, terms_row
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.jobs.worker import Handler
from tocsin.centre.recall import services as recall
from tocsin.centre.recall.models import Recall
from tocsin.centre.release import archives, services
from tocsin.centre.release.models import Package
from tocsin.core.machine_faults import Fault, fault_of
from tocsin.products.verify import verify

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
ROOMS = (0, 60_000, 400_000, 900_000, 2_000_000)
"""Bytes that are left; each step of the work meets the end of the disk in one of them."""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of its own of forty mebibytes."""
    folder = tmp_path / "disk"
    monkeypatch.setattr(store, "RESERVE_BYTES", 0)
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(folder)))
    with mounted(folder, "40m"):
        yield folder


def fill(folder: Path, room: int) -> Path:
    """Leave so much room, or a page more."""
    filler = folder / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(folder).free - room)
    return filler


def tried(folder: Path, work: Callable[[], object], whole: Callable[[], object], kept: str = "") -> int:
    """Do it with ever more room until it goes through; how often it did not.

    Each time it is refused as what a worker waits for, what stood there stands there, and no file is left behind but
    those `kept`.
    """
    refused = 0
    for room in ROOMS:
        before, told = files_below(folder), whole()
        filler = fill(folder, room)
        error = None
        try:
            work()
        except Exception as raised:
            error = raised
        filler.unlink()
        if error is None:
            return refused
        assert (room, fault_of(error)) == (room, Fault.NO_ROOM), repr(error)
        assert whole() == told
        left = {name for name in files_below(folder) - before if not kept or not name.startswith(kept)}
        assert (room, left) == (room, set()), "nothing is left behind"
        assert (room, before - files_below(folder)) == (room, set()), "nothing is lost"
        refused += 1
    work()
    return refused


@pytest.mark.parametrize("are_many", [False, True])
def test_packages(disk: Path, handlers: Mapping[str, Handler], monkeypatch: pytest.MonkeyPatch, are_many: bool) -> None:
    """Each country gets one, however often it fails; many are dealt and composed in processes of their own."""
    if are_many:
        monkeypatch.setattr(services, "_MANY_ROWS", 0)
        monkeypatch.setattr(services, "_MANY_BYTES", 0)
        monkeypatch.setattr(sys.modules[__name__], "ROOMS", ROOMS[2:3])
    builders.bureau("US")
    delivery = handed_over(table(6_000), handlers, "large.csv", source=builders.organisation("kestrel"))
    for batch in Batch.objects.all():
        batch.terms = terms_row(batch.organisation_id, batch.handling_set, BY_LABEL)
        batch.save()
    now, who = datetime.now(UTC), builders.person("olga", builders.centre(), "releaser")
    services.request_packages(["US", "DE"], AT - timedelta(days=1), now + timedelta(days=1), who, now)
    claim = jobs.claim("tests", [services.MAKE], now)
    assert claim is not None

    def of_each() -> int:
        """The most packages that a country has."""
        return max(Counter(Package.objects.values_list("country", flat=True)).values(), default=1)

    assert tried(disk, lambda: services.run_job(claim), of_each, "packages/") >= (1 if are_many else 3)
    made = Package.objects.order_by("country")
    assert [each.country for each in made] == ["DE", "US"]
    assert made[1].rows > delivery.rows // 3
    for each in made:
        assert verify(archives.copy_out(each, disk, now)).is_valid
    assert Job.objects.get(kind=services.MAKE).state == Job.State.DONE


def test_joining(disk: Path, handlers: Mapping[str, Handler]) -> None:
    deliveries = [handed_over(table(1_500, seed=seed), handlers, f"{seed}.csv") for seed in range(3)]
    before = [rows_of(each) for each in deliveries]

    def files() -> list[tuple[str, bool]]:
        return sorted((each.path, each.retired_at is None) for each in LakeFile.objects.all())

    assert tried(disk, lambda: lake.compact(datetime.now(UTC)), files) >= 1
    assert LakeFile.objects.filter(retired_at=None).count() == 1
    for each, rows in zip(deliveries, before, strict=True):
        assert rows_of(each).equals(rows)


def test_a_recall_of_parts(disk: Path, handlers: Mapping[str, Handler]) -> None:
    source = builders.organisation("kestrel")
    handed_over(table(1_500), handlers, "large.csv", source=source)
    delivery = Delivery.objects.get()
    rows = rows_of(delivery)
    gone = rows["value"][7]
    person = builders.person("pia", source, "reporter")

    def withdraw() -> None:
        recall.recall_parts(
            delivery, [gone], by=person, reason="wrong-data", action="destroy", note="", at=datetime.now(UTC)
        )

    def stands() -> tuple[int, int, int]:
        return Recall.objects.count(), Batch.objects.count(), rows_of(delivery).height

    assert tried(disk, withdraw, stands) >= 1
    assert Recall.objects.count() == 1
