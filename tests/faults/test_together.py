"""Small envelopes that were read together: each comes out as ever, and none is harmed by what is wrong with another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests import builders
from tests.faults.house import AT, bundle, files_below, rejections_of, rows_of, work
from tests.faults.test_commit_steps import STEPS, PowerCutError, broken_after, counted

from tocsin.centre.analysis import standing
from tocsin.centre.analysis.models import StandingHit
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.intake.process import Reader, Sandbox
from tocsin.centre.jobs.models import Job
from tocsin.centre.knowledge.models import Copied, Object
from tocsin.centre.members.models import Agreement
from tocsin.lake.files import file_digest
from tocsin.site import wiring

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader(wiring.KEEPERS, of_parts=wiring.OF_PARTS, concerned=wiring.CONCERNED)
    made.sandbox = Sandbox("tests.faults.mad_reader", resident_bytes=1 << 30)
    yield made
    made.stop()


@pytest.fixture
def orders(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many deliveries each order to the reading process was about."""
    told: list[int] = []
    read = reader.sandbox.read

    def noted(order: dict[str, Any], *rest: Any) -> dict[str, Any]:
        told.append(len(order.get("together", "1")))
        return read(order, *rest)

    monkeypatch.setattr(reader.sandbox, "read", noted)
    return told


def envelope(content: bytes, name: str = "envelope.json", source: str = "kestrel", minute: int = 0) -> Delivery:
    at = AT + timedelta(minutes=minute)
    return services.receive(organisation=builders.organisation(source), via="taxii", name=name, chunks=[content], at=at)


def due() -> None:
    """What was left, or waits for later, is due now."""
    Job.objects.filter(state=Job.State.RUNNING).update(lease_until=datetime(2000, 1, 1, tzinfo=UTC))
    Job.objects.filter(state=Job.State.WAITING).update(run_at=datetime(2000, 1, 1, tzinfo=UTC))


def facts(delivery: Delivery) -> dict[str, object]:
    """As `counted`, without the files: one holds the rows of several. Whether versions are compared depends on what the
    source sent before."""
    said = {name: value for name, value in counted(delivery).items() if name not in {"files", "jobs"}}
    further = Job.objects.filter(subject=f"delivery:{delivery.pk}").exclude(kind="compare-versions")
    shared = Job.objects.filter(subject__startswith="deliveries:")
    of_several = [job.kind for job in shared if delivery.pk in job.payload["deliveries"]]
    return said | {"jobs": sorted([*further.values_list("kind", flat=True), *of_several])}


def alone(reader: Reader, content: bytes, source: str) -> dict[str, object]:
    """What becomes of it where nothing else waits."""
    delivery = envelope(content, source=source)
    work({services.READ: reader})
    return facts(delivery)


def test_several_sources_in_one_reading(reader: Reader, orders: list[int]) -> None:
    contents = [bundle(6, seed=seed) for seed in (1, 2, 3)] + [b'{"objects":[{"type":"indicator"}]}']
    expected = [alone(reader, content, f"calm-{place}") for place, content in enumerate(contents)]
    assert orders == [1, 1, 1, 1]
    left = files_below(services.store_folder() / "work")  # By tests of this process whose worker was killed.
    made = [envelope(content, source=f"source-{place % 2}") for place, content in enumerate(contents)]
    work({services.READ: reader})
    assert orders[4:] == [4]
    assert [facts(delivery) for delivery in made] == expected
    assert [delivery.state for delivery in made] == ["parsed"] * 4
    assert rejections_of(made[3]) == rejections_of(Delivery.objects.get(organisation__slug="calm-3"))
    shared = LakeFile.objects.get(path__contains="together-")
    assert shared.digest == file_digest(services.store_folder() / shared.path)
    assert shared.rows == sum(delivery.rows for delivery in made) == 18
    assert [rows_of(delivery).height for delivery in made] == [6, 6, 6, 0]
    assert files_below(services.store_folder() / "work") == left
    # Each takes a stretch of moments of its own, as wide as it has objects.
    moved = dict(Batch.objects.filter(delivery__in=made).values_list("delivery", "moved_at"))
    begins = sorted(moved.values())
    assert all(later - former >= timedelta(microseconds=18) for former, later in pairwise(begins))
    assert all(
        Entry.objects.filter(subject=f"delivery:{one.pk}", action="delivery.parsed").count() == 1 for one in made
    )
    # All were sent before, by others: each object is known to have a namesake.
    kept = set(Object.objects.filter(delivery__in=made).values_list("pk", flat=True))
    assert kept <= set(Copied.objects.values_list("number", flat=True))


def test_what_is_odd_is_read_alone_and_its_neighbours_are_not_harmed(reader: Reader, orders: list[int]) -> None:
    held = bundle(2, seed=8).replace(b'"host 0"', b'"Spreading false information"')
    made = [envelope(bundle(3, seed=7)), envelope(held), envelope(b'{"objects":[{"type'), envelope(bundle(3, seed=9))]
    work({services.READ: reader})
    assert orders == [4, 1, 1]
    for delivery in made:
        delivery.refresh_from_db()
    assert [delivery.state for delivery in made] == ["parsed", "held", "quarantined", "parsed"]
    assert [rows_of(delivery).height for delivery in made] == [3, 0, 0, 3]
    assert set(Job.objects.filter(kind=services.READ).values_list("state", "attempts", "deaths")) == {("done", 1, 0)}


@pytest.mark.parametrize("name", ["crashes", "half a word", "raises"])
def test_one_that_ends_the_reading_process(name: str, reader: Reader, orders: list[int]) -> None:
    """Its neighbours are read, and it is told apart and set aside as if it had come alone."""
    made = [envelope(bundle(3, seed=11)), envelope(bundle(3, seed=12), name), envelope(bundle(3, seed=13))]
    work({services.READ: reader})
    due()
    work({services.READ: reader})
    for delivery in made:
        delivery.refresh_from_db()
    assert [delivery.state for delivery in made] == ["parsed", "quarantined", "parsed"]
    assert made[1].reason == ("reader-failed" if name == "raises" else "reader-killed")
    assert orders == ([3, 1, 1, 1] if name == "raises" else [3, 1, 1, 1, 1])
    assert [rows_of(delivery).height for delivery in made] == [3, 0, 3]


def test_an_agreement_without_what_one_of_them_holds_sets_only_that_aside(reader: Reader) -> None:
    narrow = builders.organisation("narrow")
    Agreement.objects.filter(organisation=narrow).update(data_types=["vulnerabilities"])
    made = [envelope(bundle(3, seed=21)), envelope(bundle(3, seed=22), source="narrow")]
    work({services.READ: reader})
    for delivery in made:
        delivery.refresh_from_db()
    assert [(delivery.state, delivery.reason) for delivery in made] == [
        ("parsed", ""), ("quarantined", "data-type-not-agreed")
    ]  # fmt: skip


def test_a_standing_query_hears_of_each_of_them(reader: Reader) -> None:
    watcher = builders.person("watcher", builders.organisation("kestrel"), "analyst")
    standing.add_query(person=watcher, text="h1.phish.example", reason="", at=AT)
    made = [envelope(bundle(3, seed=seed)) for seed in (61, 62, 63)]
    work({services.READ: reader, standing.CHECK: standing.check})
    found = dict(StandingHit.objects.values_list("batch__delivery", "rows"))
    assert found == {delivery.pk: 1 for delivery in made}
    assert Job.objects.filter(kind=standing.CHECK, state=Job.State.DONE).count() == 1


def test_what_came_on_another_day_lies_in_the_folder_of_that_day(reader: Reader) -> None:
    made = [envelope(bundle(3, seed=31)), envelope(bundle(3, seed=32), minute=24 * 60)]
    work({services.READ: reader})
    days = {str(each.day) for each in LakeFile.objects.all()}
    assert days == {"2026-11-20", "2026-11-21"}
    assert [rows_of(delivery).height for delivery in made] == [3, 3]


@pytest.mark.parametrize("step", STEPS)
def test_broken_off_and_done_again(step: str, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [bundle(5, seed=seed) for seed in (41, 42, 43)]
    expected = [alone(reader, content, f"calm-{place}") for place, content in enumerate(contents)]
    made = [envelope(content, source="stormy") for content in contents]
    before = [facts(delivery) for delivery in made]
    with monkeypatch.context() as patch:
        if step == "the last keeper":
            patch.setattr(reader, "keepers", (*wiring.KEEPERS[:-1], broken_after(wiring.KEEPERS[-1])))
        else:
            patch.setattr(services, step, broken_after(getattr(services, step)))
        with pytest.raises(PowerCutError):
            work({services.READ: reader})
    assert [facts(delivery) for delivery in made] == before
    assert Job.objects.filter(kind=services.READ, state=Job.State.RUNNING).count() == 3
    due()
    work({services.READ: reader})
    assert [facts(delivery) for delivery in made] == expected
    assert all(file_digest(services.store_folder() / path) == digest
               for path, digest in LakeFile.objects.values_list("path", "digest"))  # fmt: skip


def test_a_lease_that_one_of_them_lost_loses_none_of_them(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [envelope(bundle(4, seed=seed)) for seed in (51, 52, 53)]
    commit = services.commit_together

    def late(*said: Any) -> None:
        Job.objects.filter(subject=f"delivery:{made[1].pk}").update(worker="another", attempts=2)
        commit(*said)

    with monkeypatch.context() as patch:
        patch.setattr(services, "commit_together", late)
        work({services.READ: reader})
    assert not Batch.objects.exists(), "all of them or none"
    due()
    work({services.READ: reader})
    assert [rows_of(delivery).height for delivery in made] == [4, 4, 4]
    assert Batch.objects.count() == 3
