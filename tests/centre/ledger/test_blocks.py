"""Takings in blocks of numbers: nothing is lost on the way there and back, and nothing else is found."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
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


@pytest.mark.django_db
def test_what_was_taken_again_is_counted_whatever_became_of_the_row_meanwhile() -> None:
    """A process remembers what lies in a row; the database says whether it still does."""
    officer = builders.person("o", builders.bureau("FR"), "officer")
    some, both = [7, 9], [7, 65_540]

    def row(block: int) -> Taking:
        return Taking.objects.get(block=block)

    for hour in range(3):
        took(officer, "api", some, NOW + timedelta(minutes=hour))
    assert (row(0).times, row(0).ended_at) == (3, NOW + timedelta(minutes=2))
    took(officer, "api", some, NOW)
    assert (row(0).times, row(0).ended_at) == (4, NOW + timedelta(minutes=2))
    Taking.objects.update(batches=Batches([9]).packed(), first=9, last=9)
    took(officer, "api", some, NOW)
    assert (row(0).times, list(Batches.unpacked(bytes(row(0).batches)))) == (5, some)
    for _ in range(3):
        took(officer, "api", both, NOW)
    assert (row(0).times, row(1).times) == (8, 3)
    Taking.objects.filter(block=1).delete()
    took(officer, "api", both, NOW)
    assert (row(0).times, row(1).times) == (9, 1)
    Taking.objects.all().delete()
    for _ in range(2):
        took(officer, "api", [*both, 131_080], NOW)
    assert [(each.block, each.times) for each in Taking.objects.order_by("block")] == [(0, 2), (1, 2), (2, 2)]
