"""A large delivery that is being committed holds up nobody else's, and what both bring is known to be copies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db import connection
from tests import builders
from tests.faults.house import AT, work

from tocsin.centre.intake import services, vault
from tocsin.centre.intake.models import Batch, Change, Delivery
from tocsin.centre.intake.process import Reader
from tocsin.centre.knowledge.models import Copied, Object
from tocsin.centre.knowledge.selectors import FINDER
from tocsin.centre.members.models import Organisation
from tocsin.site import wiring

pytestmark = pytest.mark.django_db(transaction=True)


def bundle(*numbers: int) -> bytes:
    made = [builders.indicator(number) for number in numbers]
    return orjson.dumps({"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000001", "objects": made})


def receive(content: bytes, source: Organisation, marking: str = "") -> Delivery:
    return services.receive(organisation=source, via="api", name="a.json", chunks=[content], at=AT, marking=marking)


@pytest.fixture
def readers() -> Iterator[Any]:
    made: list[Reader] = []

    def make(*keepers: Any) -> Reader:
        made.append(Reader(keepers))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.mark.parametrize("marking", ["TLP:AMBER", "TLP:RED"])
def test_a_commit_waits_for_nobody_who_only_inserts(readers: Any, marking: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    inserted, go_on = threading.Event(), threading.Event()

    def pause(*_: object) -> None:
        inserted.set()
        assert go_on.wait(60)

    place = wiring.KEEPERS.index(services.settle)
    slow, quick = readers(*wiring.KEEPERS[:place], pause, *wiring.KEEPERS[place:]), readers(*wiring.KEEPERS)
    one, other = builders.organisation("one"), builders.organisation("other")
    vault.key_for(FINDER)  # It is made by the first of all that seals something.
    large = receive(bundle(*range(1, 40)), one, marking)

    def commit_large() -> None:
        try:
            work({services.READ: slow})
        finally:
            connection.close()

    first = threading.Thread(target=commit_large)
    first.start()
    try:
        assert inserted.wait(120)
        small = receive(bundle(5, 100), other, marking)
        work({services.READ: quick})
        small.refresh_from_db()
        assert small.state == Delivery.State.PARSED
        large.refresh_from_db()
        assert large.state == Delivery.State.RECEIVED, "it is still at it"
    finally:
        go_on.set()
        first.join()
    large.refresh_from_db()
    assert large.state == Delivery.State.PARSED
    after, before = (Batch.objects.get(delivery=each) for each in (large, small))
    assert (after.changed, after.moved_at) > (before.changed, before.moved_at), "as they became visible"
    assert after.changed == Change.objects.order_by("-pk")[0].pk
    of_five = [each.pk for each in Object.objects.all() if each.object_id == builders.indicator(5)["id"]]
    assert sorted(Copied.objects.values_list("number", flat=True)) == sorted(of_five)
    assert len(of_five) == 2


def test_batches_are_seen_with_their_moments_alone(readers: Any) -> None:
    source = builders.organisation("one")
    receive(bundle(1, 2), source)
    receive(bundle(2, 3), source)
    work({services.READ: readers(*wiring.KEEPERS)})
    first, second = Batch.objects.order_by("pk")
    assert 0 < first.changed < second.changed
    assert first.moved_at < second.moved_at
    assert Copied.objects.count() == 2
