"""An object as it came: its page, its bytes, what it refers to and what refers to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from tests import people
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.intake import services
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of, identified, linked, named

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
TIMES = {"created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "spec_version": "2.1"}
FAMILY = "malware--11111111-1111-4111-8111-111111111111"
WATCHED = "indicator--22222222-2222-4222-8222-222222222222"
BETWEEN = "relationship--33333333-3333-4333-8333-333333333333"
OBJECTS = [
    # Blanks and an extension of the sender's: what comes out must hold them all.
    {"type": "malware", "id": FAMILY, **TIMES, "name": "Wombat", "is_family": True, "aliases": ["Beutler"],
     "x_sender_note": {"deep": [1, 2], "\u202eturned": 1}},
    {"type": "indicator", "id": WATCHED, **TIMES, "name": "first stage", "pattern_type": "stix",
     "pattern": "[url:value = 'http://one.example/x']", "valid_from": "2026-01-01T00:00:00Z"},
    {"type": "relationship", "id": BETWEEN, **TIMES, "relationship_type": "indicates", "source_ref": WATCHED,
     "target_ref": FAMILY},
]  # fmt: skip


@pytest.fixture
def things() -> dict[str, Object]:
    person = people.call("dana_analyst")
    texts = [json.dumps(one, separators=(" , ", " : ")) for one in OBJECTS]
    text = '{"type": "bundle", "id": "bundle--44444444-4444-4444-8444-444444444444", "objects": [\n %s ]}'
    delivery = services.receive(
        organisation=person.organisation, via="page", name="bundle.json", chunks=[(text % ",\n".join(texts)).encode()],
        at=datetime.now(UTC), person=person,
    )  # fmt: skip
    work()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.objects_count, delivery.rejections) == ("parsed", 3, 0)
    for one, sent in zip(delivery.things.order_by("pk"), texts, strict=True):
        assert body_of(one).raw == sent.encode()
    return {one.object_id: one for one in delivery.things.all()}


def test_what_was_sent_can_be_downloaded_and_read(things: dict[str, Object], client: Client) -> None:
    people.let_in(client, "dana_analyst")
    sent = json.dumps(OBJECTS[0], separators=(" , ", " : ")).encode()
    assert client.get(reverse("object-raw", args=[things[FAMILY].pk])).content == sent
    turned = client.get(reverse("object", args=[things[FAMILY].pk])).content.decode()
    assert "\\u202eturned" in turned
    assert "\u202e" not in turned
    shown = client.get(reverse("object", args=[things[WATCHED].pk])).content.decode()
    assert "[url:value = &#x27;http://one.example/x&#x27;]" in shown
    assert "first stage" in shown


def test_links_lead_both_ways(things: dict[str, Object]) -> None:
    def beside(name: str) -> set[tuple[str, str]]:
        thing = things[name]
        found = linked(Object.objects.all(), thing, body_of(thing))
        return {(relation, other.object_id) for relation, other in found}

    assert {other for _, other in beside(BETWEEN)} == {FAMILY, WATCHED}
    assert {other for _, other in beside(FAMILY)} == {BETWEEN}
    assert beside(WATCHED) == {("source", BETWEEN)}


def test_objects_are_found_by_name_in_any_case_and_by_id(things: dict[str, Object]) -> None:
    every = Object.objects.all()
    assert list(named(every, "WOMBAT")) == [things[FAMILY]]
    assert set(identified(every, [WATCHED, FAMILY])) == {things[WATCHED], things[FAMILY]}
    assert not named(every, WATCHED).exists()
