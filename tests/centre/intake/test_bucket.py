"""The whole road of a delivery, its observations in a real bucket: read, asked, packed, joined, verified, purged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from tests import builders, object_store
from tests.crew import work
from tests.faults.house import receive, rows_of, table

from tocsin.centre.analysis import lookups
from tocsin.centre.analysis.services import recasts_of
from tocsin.centre.intake import lake, rebuilding, services
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.intake.verification import Extent, Fault, verify
from tocsin.centre.release.services import make_packages
from tocsin.handling import Viewer
from tocsin.lake import buckets, index
from tocsin.lake.scope import Batches
from tocsin.transport.objects import ObjectStore

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
NOW = datetime.now(UTC)
VIEWER = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)


@pytest.fixture
def bucket(object_server: object_store.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(tmp_path)))
    there = object_server.at(tmp_path.name)
    buckets.mount(buckets.Mount(services.store_folder() / "observations", there, "observations"))
    yield there
    buckets.mount()


@pytest.fixture
def held(bucket: ObjectStore) -> list[Delivery]:
    """Three deliveries that were read."""
    source = builders.organisation("heron")
    found = [receive(table(900, seed=seed), f"{seed}.csv", source=source) for seed in (1, 2, 3)]
    work()
    assert Delivery.objects.filter(state="parsed").count() == 3
    return found


def names(bucket: ObjectStore) -> set[str]:
    return {name for name, _ in bucket.listed("observations/")}


def all_of_a_file(path: str) -> set[str]:
    return {path, *(str(each) for each in index.beside(Path(path)))}


def test_the_whole_road(held: list[Delivery], bucket: ObjectStore) -> None:
    registered = list(LakeFile.objects.values_list("path", flat=True))
    assert names(bucket) == set().union(*map(all_of_a_file, registered))
    before = [rows_of(each) for each in held]
    value = before[0]["value"][0]
    asked = lookups.answer(value, VIEWER).found
    assert asked.total
    set_audience(Batch.objects.all(), BY_LABEL)
    span = datetime(2026, 11, 1, tzinfo=UTC), NOW + timedelta(days=1)
    (package,) = make_packages(["US"], *span, None, NOW, processes=1)
    assert package.rows
    assert lake.compact(NOW) == 3
    assert lake.sweep(NOW + lake.KEPT_AFTER + timedelta(seconds=1)) == 3
    (joined,) = LakeFile.objects.values_list("path", flat=True)
    assert names(bucket) == all_of_a_file(joined)
    assert all(rows_of(each).equals(rows) for each, rows in zip(held, before, strict=True))
    assert lookups.answer(value, VIEWER).found.total == asked.total
    assert verify(Extent(), NOW).found == []
    lake.take_out(Batches(held[0].batches.values_list("pk", flat=True)), NOW, lambda taken: None)
    lake.sweep(NOW + lake.KEPT_AFTER + timedelta(seconds=1))
    (left,) = LakeFile.objects.values_list("path", flat=True)
    assert names(bucket) == all_of_a_file(left)
    assert rows_of(held[0]).height == 0
    assert rows_of(held[1]).equals(before[1])


@pytest.mark.parametrize("is_there", [True, False])
def test_what_the_bucket_lost_is_made_again(held: list[Delivery], bucket: ObjectStore, is_there: bool) -> None:
    before = rows_of(held[0])
    path = str(LakeFile.objects.filter(first_batch__gte=held[0].pk * 1000).order_by("pk")[0].path)
    if is_there:
        body = bytearray(bucket.get_bytes(path))
        body[len(body) // 2] ^= 1
        bucket.put_bytes(path, bytes(body))
    else:
        bucket.remove(path)
    assert [(each.path, each.fault) for each in verify(Extent(), NOW).found] == [
        (path, Fault.CHANGED if is_there else Fault.MISSING)
    ]
    assert rebuilding.mend(NOW, recasts_of).hindered == []
    assert rows_of(held[0]).equals(before)
    assert verify(Extent(), NOW).found == []


def test_an_index_that_is_damaged_there_is_made_anew(held: list[Delivery], bucket: ObjectStore) -> None:
    """Though the copy on this machine is whole."""
    path = str(LakeFile.objects.order_by("pk")[0].path)
    beside = str(index.index_path(Path(path)))
    bucket.put_bytes(beside, bucket.get_bytes(beside)[:-9])
    (found,) = verify(Extent(), NOW).found
    assert (found.fault, found.is_mended) == (Fault.INDEX, True)
    assert verify(Extent(), NOW).found == []


def test_what_nobody_knows_is_told_and_goes(held: list[Delivery], bucket: ObjectStore) -> None:
    bucket.put_bytes("observations/day=2026-11-22/99-0.parquet", b"left")
    bucket.put_bytes("observations/day=2026-11-22/98-0.index", b"left before its rows came")
    later = datetime.now(UTC) + lake.KEPT_AFTER + timedelta(minutes=1)
    assert [each.fault for each in verify(Extent(), later).found] == [Fault.UNREGISTERED]
    assert lake.sweep(datetime.now(UTC)) == 0, "somebody may be just writing"
    assert lake.sweep(later) == 2
    assert not {name for name in names(bucket) if "/9" in name}
