"""Takings in blocks of numbers: nothing is lost on the way there and back, and nothing else is found."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from tests import builders

from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.selectors import takers_of, takings_of
from tocsin.centre.ledger.services import took
from tocsin.lake.scope import Batches

NOW = builders.NOW


@pytest.mark.django_db
def test_who_has_what_agrees_with_a_plain_list() -> None:
    """Against one row for each organisation and batch, kept in a dictionary."""
    chance = random.Random(11)
    officers = [
        builders.person(f"o{place}", builders.bureau(code), "officer") for place, code in enumerate(("FR", "JO", "BR"))
    ]
    plain: dict[tuple[int, int], object] = {}
    for step in range(60):
        officer, at = chance.choice(officers), NOW + timedelta(hours=step)
        start = chance.choice([0, 65_500, 131_000, 5_000_000])
        taken = [start + chance.randrange(200) for _ in range(chance.randrange(1, 40))]
        took(officer, chance.choice(["api", "page", "file"]), taken, at, reference=chance.choice(["", "x"]))
        for number in taken:
            plain.setdefault((officer.organisation_id, number), at)
    sets = {start: Batches(range(start, start + 90, 3)) for start in (0, 65_500, 65_530, 131_000, 5_000_000, 9_000_000)}
    for start, batches in sets.items():
        expected = {key for key, number in plain if number in batches}
        assert set(takings_of(batches)) == expected
        assert set(takers_of(sets)[start]) == expected
        for taking in (each for some in takings_of(batches).values() for each in some):
            held = Batches.unpacked(bytes(taking.batches))
            assert {number >> Taking.BLOCK_BITS for number in held} == {taking.block}
            assert (int(held.numbers[0]), int(held.numbers[-1])) == (taking.first, taking.last)


@pytest.mark.django_db(transaction=True)
def test_takings_of_before_are_split_and_joined_again() -> None:
    executor = MigrationExecutor(connection)
    later = executor.loader.graph.leaf_nodes()
    executor.migrate([("ledger", "0002_responses")])
    before = MigrationExecutor(connection).loader.project_state([("ledger", "0002_responses")]).apps
    organisation = before.get_model("members", "Organisation").objects.create(
        slug="acme", name="Acme", class_name="private", created_at=NOW
    )
    numbers = Batches([3, 5, 65_535, 65_536, 400_000])
    facts = {"organisation": organisation, "channel": "api", "began_at": NOW, "ended_at": NOW, "times": 4}
    for place, held in enumerate((numbers, Batches([9]))):
        before.get_model("ledger", "Taking").objects.create(
            day=(NOW - timedelta(days=place)).date(), first=int(held.numbers[0]), last=int(held.numbers[-1]),
            batches=held.packed(), **facts,
        )  # fmt: skip
    MigrationExecutor(connection).migrate(later)
    rows = Taking.objects.filter(day=NOW.date()).order_by("block")
    assert [(row.block, row.first, row.last, row.times) for row in rows] == [
        (0, 3, 65_535, 4), (1, 65_536, 65_536, 4), (6, 400_000, 400_000, 4)
    ]  # fmt: skip
    assert Taking.objects.count() == 4
    MigrationExecutor(connection).migrate([("ledger", "0002_responses")])
    back = MigrationExecutor(connection).loader.project_state([("ledger", "0002_responses")]).apps
    kept = back.get_model("ledger", "Taking").objects.order_by("-day")
    assert [Batches.unpacked(bytes(row.batches)) for row in kept] == [numbers, Batches([9])]
    assert [(row.first, row.last, row.times) for row in kept] == [(3, 400_000, 4), (9, 9, 4)]
    MigrationExecutor(connection).migrate(later)
