"""The second wall: behind it a question that forgot the gate finds what the gate opens, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from tests import builders, people

from tocsin.centre.analysis.models import CountryConflict, Proposal
from tocsin.centre.intake import wall
from tocsin.centre.intake.models import Batch, NameTally, Tally
from tocsin.centre.intake.register import register
from tocsin.centre.knowledge.models import Block, Document, Object, Rendering
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.words import Tlp
from tocsin.site import second_wall

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        "connection.vendor != 'postgresql'", reason="SQLite has no roles: in the pass on PostgreSQL"
    ),
]  # fmt: skip
READERS = ("dana_analyst", "fleur_officer", "khalil_officer", "pia_partner", "omar_partner", "ada_administrator")


@pytest.fixture(autouse=True)
def _behind_nothing() -> Iterator[None]:
    wall._stands.cache_clear()
    yield
    wall.leave()


@pytest.fixture
def batches() -> list[Batch]:
    """One of each label, by two sources, each with some of everything that is asserted."""
    made = []
    for slug in ("northwind", "southgate"):
        for number, tlp in enumerate((Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT, Tlp.RED)):
            delivery = builders.delivery(builders.organisation(slug), f"{slug}-{tlp}")
            batch = builders.batch(delivery, builders.handling(tlp))
            builders.objects(batch, [builders.indicator(number * 10 + each) for each in range(3)])
            builders.tallies(batch, [(date(2026, 11, 20), "FR", "malware", "C2", 3)])
            builders.names(batch, [("FR", "Grey Heron", 3, date(2026, 11, 20))])
            common = {"delivery": delivery, "batch": batch}
            Document.objects.create(**common, title="t", text="Grey Heron")
            Proposal.objects.create(**common, kind="domain", value="a.example", shown_as="a.example", page=1, offset=1)
            Rendering.objects.create(batch=batch, look=1, first=0, until=3, changed=0, stamp=batch.pk, body=b"x")
            CountryConflict.objects.create(batch=batch, kind="ipv4", value="192.0.2.1", claims={}, rows=1)
            made.append(batch)
    builders.release(*made[:3])
    return made


def found() -> dict[str, set[int]]:
    """Without asking the gate: the batches of all that a connection can read."""
    return {model.__name__: set(model.objects.values_list("batch", flat=True)) for model in second_wall.WALLED}


@pytest.mark.parametrize("login", READERS)
def test_only_what_lies_under_terms_that_the_gate_opens(login: str, batches: list[Batch]) -> None:
    person = people.call(login)
    everything = {each.pk for each in batches}
    assert all(found()[name] == everything for name in ("Object", "Document", "Tally"))
    opened = {each.number for each in register().held_by(viewer_of(person))}
    expected = set(Batch.objects.filter(terms__in=opened).values_list("pk", flat=True))
    assert expected != everything
    wall.confine(person, "GET")
    assert found() == {model.__name__: expected for model in second_wall.WALLED}
    bodies = set(Block.objects.values_list("first", flat=True))
    assert bodies == {min(each.things.values_list("pk", flat=True)) for each in Batch.objects.filter(pk__in=expected)}
    wall.leave()
    assert all(each == everything for each in found().values())


def test_who_is_told_nothing_reads_nothing(batches: list[Batch]) -> None:
    role = wall.role_of(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('role', %s, false)", [role])
        try:
            assert found() == {model.__name__: set() for model in second_wall.WALLED}
            assert not Block.objects.exists()
        finally:
            cursor.execute("SELECT set_config('role', 'none', false)")


def test_terms_beyond_what_was_told_are_closed(batches: list[Batch]) -> None:
    numbers = sorted(Batch.objects.values_list("terms", flat=True))
    told = 1 << numbers[0]
    wall._set(told.to_bytes((told.bit_length() + 7) // 8, "little").hex())
    assert found()["Object"] == set(Batch.objects.filter(terms=numbers[0]).values_list("pk", flat=True))


def test_what_changes_something_is_not_held_back_and_readers_change_nothing_there(batches: list[Batch]) -> None:
    person = people.call("omar_partner")
    wall.confine(person, "POST")
    assert len(found()["Object"]) == len(batches)
    wall.confine(person, "GET")
    assert not Object.objects.filter(batch=batches[0]).update(name="changed")
    with pytest.raises(DatabaseError), transaction.atomic():
        Tally.objects.create(
            batch=batches[0], day=date(2026, 11, 20), country="FR", type="x", role="C2", rows=1, sightings=1
        )
    wall.leave()
    assert not NameTally.objects.filter(malware="changed").exists()


@pytest.mark.parametrize("stands", [True, False])
def test_a_page_that_forgets_the_gate(
    stands: bool, client: Client, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the wall it shows nothing; without it, it does: so it is the wall that keeps."""
    hidden = Object.objects.filter(batch=batches[-1]).latest("pk")
    people.let_in(client, "khalil_officer")
    everything = Batch.objects.all
    monkeypatch.setattr("tocsin.centre.analysis.views.lookups.visible_batches", lambda *_: everything())
    if not stands:
        monkeypatch.setattr(wall, "confine", lambda *_: None)
    answer = client.get(reverse("object", args=[hidden.pk]))
    assert (answer.status_code == 404) is stands


def test_long_answers_are_made_behind_it_and_leave_nothing(batches: list[Batch]) -> None:
    person = people.call("khalil_officer")
    told = wall.told_to(viewer_of(person))
    assert told is not None
    seen = [len(found()["Object"]) for _ in range(2)]
    pieces = wall.within(told, (len(found()["Object"]) for _ in range(2)))
    assert next(pieces) < seen[0]
    assert len(found()["Object"]) == seen[0], "between two pieces the connection is anybody's"
    assert next(pieces) < seen[0]
    assert next(pieces, None) is None
    assert len(found()["Object"]) == seen[0]
