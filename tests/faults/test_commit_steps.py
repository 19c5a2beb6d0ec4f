"""A commit that breaks off at any of its steps leaves nothing behind, and the next attempt leaves everything once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import ANY

import pytest
from tests import builders
from tests.faults.house import bundle, receive, rejections_of, rows_of, table, work, zipped

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch, Delivery, LakeFile, NameTally, Tally
from tocsin.centre.intake.process import Reader
from tocsin.centre.jobs.models import Job
from tocsin.centre.knowledge.models import Mention, Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.lake.files import file_digest
from tocsin.site import wiring

pytestmark = pytest.mark.django_db(transaction=True)
DELIVERY = zipped({"a.csv": table(3_000, seed=3), "b.json": bundle(40, seed=2)})
STEPS = (
    "_move_files", "batches_of", "insert_batches", "_register", "_insert_tallies", "_fill", "record", "settle",
    "the last keeper",
)  # fmt: skip


class PowerCutError(BaseException):
    """Nobody catches it, as nobody catches the end of the process."""


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader(wiring.KEEPERS)
    yield made
    made.stop()


def broken_after(step: Any) -> Any:
    """The step is done, and then the power goes."""

    def broken(*arguments: Any, **said: Any) -> None:
        step(*arguments, **said)
        raise PowerCutError

    return broken


def counted(delivery: Delivery) -> dict[str, object]:
    """All that a commit leaves, without the numbers that differ between two deliveries."""
    delivery.refresh_from_db()
    batches = Batch.objects.filter(delivery=delivery)
    of_these = {"batch__in": batches}
    held = LakeFile.objects.filter(first_batch__gte=delivery.pk * 1000, last_batch__lt=(delivery.pk + 1) * 1000)
    return {
        "state": (delivery.state, delivery.rows, delivery.rejections, delivery.objects_count, delivery.countries),
        "batches": sorted(batches.values_list("rows", "objects_count")),
        "rows": rows_of(delivery).height,
        "files": sorted(held.values_list("rows", flat=True)),
        "rejections": rejections_of(delivery),
        "objects": sorted((one.object_id, body_of(one)) for one in Object.objects.filter(**of_these)),
        "mentions": Mention.objects.filter(object__batch__in=batches).count(),
        "tallies": sorted(Tally.objects.filter(**of_these).values_list("day", "country", "type", "role", "rows")),
        "names": sorted(NameTally.objects.filter(**of_these).values_list("country", "malware", "rows")),
        "acts": sorted(Entry.objects.filter(subject=f"delivery:{delivery.pk}").values_list("action", flat=True)),
        "jobs": sorted(Job.objects.filter(subject=f"delivery:{delivery.pk}").values_list("kind", flat=True)),
    }


@pytest.mark.parametrize("step", STEPS)
def test_broken_off_and_done_again(step: str, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = {services.READ: reader}
    # Numbers begin anew with each test, and files of the last one would lie under them.
    shutil.rmtree(services.store_folder() / "rejections", ignore_errors=True)
    undisturbed = receive(DELIVERY, "both.zip", source=builders.organisation("calm"))
    work(handlers)
    delivery = receive(DELIVERY, "both.zip", source=builders.organisation("stormy"))
    before = counted(delivery)
    with monkeypatch.context() as patch:
        named = {"the last keeper": wiring.KEEPERS[-1], "settle": services.settle}
        if step in named:
            keepers = (broken_after(each) if each is named[step] else each for each in wiring.KEEPERS)
            patch.setattr(reader, "keepers", tuple(keepers))
        else:
            patch.setattr(services, step, broken_after(getattr(services, step)))
        with pytest.raises(PowerCutError):
            work(handlers)
    assert counted(delivery) == {**before, "rejections": ANY}  # Their file is named before it is known.
    Job.objects.update(lease_until=datetime(2000, 1, 1, tzinfo=UTC))
    work(handlers)
    assert counted(delivery) == counted(undisturbed)
    registered = {services.store_folder() / path for path in LakeFile.objects.values_list("path", flat=True)}
    assert all(file_digest(services.store_folder() / path) == digest
               for path, digest in LakeFile.objects.values_list("path", "digest"))  # fmt: skip
    assert not set((services.store_folder() / "observations").rglob(f"{delivery.pk}-*.parquet")) - registered
