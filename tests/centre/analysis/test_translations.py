"""W22: a translation is shown for the version of the object that it was made for, and for no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.analysis.translations import translation_of
from tocsin.centre.intake import services
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Person

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
REPORT = "report--11111111-1111-4111-8111-111111111111"
SECOND, THIRD = "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"


def report(modified: str) -> dict[str, Any]:
    return {
        "type": "report", "spec_version": "2.1", "id": REPORT, "created": "2026-01-01T00:00:00.000Z",
        "modified": modified, "name": f"Second-hand panels {modified[:7]}", "published": "2026-01-01T00:00:00.000Z",
        "object_refs": ["malware--22222222-2222-4222-8222-222222222222"], "lang": "en",
    }  # fmt: skip


def translation(made_for: str | None, contents: object, number: int = 1) -> dict[str, Any]:
    said = {
        "type": "language-content", "spec_version": "2.1",
        "id": f"language-content--00000000-0000-4000-8000-{number:012d}", "created": SECOND, "modified": SECOND,
        "object_ref": REPORT, "contents": contents,
    }  # fmt: skip
    return said if made_for is None else {**said, "object_modified": made_for}


def delivered(*objects: dict[str, Any]) -> list[Object]:
    person = people.call("dana_analyst")
    bundle = {"type": "bundle", "id": "bundle--44444444-4444-4444-8444-444444444444", "objects": objects}
    delivery = services.receive(
        organisation=person.organisation, via="page", name="bundle.json", chunks=[json.dumps(bundle).encode()],
        at=datetime.now(UTC), person=person,
    )  # fmt: skip
    work()
    found = list(delivery.things.order_by("pk"))
    assert len(found) == len(objects)
    return found


FRENCH = {"fr": {"name": "Panneaux d’occasion", "description": "Ligne une\nligne deux"}}


def test_w22_a_translation_of_an_earlier_version_is_not_shown_for_the_present_one(client: Client) -> None:
    second, third, made = delivered(report(SECOND), report(THIRD), translation("2026-02-01T00:00:00Z", FRENCH))
    people.let_in(client, "dana_analyst")
    Person.objects.filter(login="dana_analyst").update(language="fr")
    old = client.get(reverse("object", args=[second.pk])).content.decode()
    assert "Panneaux d’occasion" in old
    assert "ligne deux" in old
    new = client.get(reverse("object", args=[third.pk])).content.decode()
    assert "Panneaux" not in new
    link = reverse("object", args=[made.pk])  # Among what is linked it stands in any case.
    assert (old.count(link), new.count(link)) == (2, 2)
    Person.objects.filter(login="dana_analyst").update(language="es")
    assert client.get(reverse("object", args=[second.pk])).content.decode().count(link) == 1


def test_a_regional_form_serves_where_there_is_no_other() -> None:
    thing, *_ = delivered(report(SECOND), translation(SECOND, {"fr-CA": {"name": "Chez nous"}, "es": {"name": "Aquí"}}))
    found = translation_of(Object.objects.all(), thing, "fr")
    assert found is not None
    assert found.name == "Chez nous"
    assert translation_of(Object.objects.all(), thing, "ar") is None


@pytest.mark.parametrize("contents", [{"fr": {"name": 7}}, {"fr": {"labels": ["x"]}}, {"es": {}}])
def test_what_says_nothing_that_can_be_shown_is_none(contents: object) -> None:
    thing, *_ = delivered(report(SECOND), translation(SECOND, contents))
    assert translation_of(Object.objects.all(), thing, "fr") is None


def test_a_translation_that_names_no_version_is_not_taken_for_this_one() -> None:
    thing, _ = delivered(report(SECOND), translation(None, FRENCH))
    found = translation_of(Object.objects.all(), thing, "fr")
    assert found is not None
    assert not found.is_current


def test_a_translation_that_one_may_not_see_does_not_exist(client: Client) -> None:
    thing, made = delivered(report(SECOND), translation(SECOND, FRENCH))
    hidden = builders.batch(made.delivery, made.batch.handling_set, hidden_at=builders.NOW)
    Object.objects.filter(pk=made.pk).update(batch=hidden)
    people.let_in(client, "dana_analyst")
    Person.objects.filter(login="dana_analyst").update(language="fr")
    shown = client.get(reverse("object", args=[thing.pk])).content.decode()
    assert "Panneaux" not in shown
    assert reverse("object", args=[made.pk]) not in shown


def test_i8_of_every_version_only_its_own_translation_is_shown() -> None:
    """Whatever was translated, and whatever came since; a moment that is written otherwise is the same moment."""
    versions = (SECOND, THIRD, "2026-04-01T00:00:00.000Z")
    spelled = ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00.000000Z")
    made = [
        translation(said, {"fr": {"name": version}}, number)
        for number, (said, version) in enumerate(zip(spelled, versions, strict=False), 1)
    ]
    things = delivered(*map(report, versions), *made)
    told = [translation_of(Object.objects.all(), thing, "fr") for thing in things[:3]]
    assert [each.name if each else None for each in told] == [SECOND, THIRD, ""]
    Object.objects.filter(pk__in=[each.pk for each in things[3:]]).update(revoked=True)
    assert [translation_of(Object.objects.all(), thing, "fr") for thing in things[:3]] == [None] * 3
