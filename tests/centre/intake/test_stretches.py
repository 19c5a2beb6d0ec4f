"""What an installation of before holds is moved apart, so that each object has a moment of its own."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from itertools import pairwise

import pytest
from django.apps import apps
from django.db.models import QuerySet
from tests import builders, people

from tocsin.centre.intake.models import Batch, Change, Delivery, Former, Rights
from tocsin.centre.intake.opening_models import HEAD
from tocsin.centre.intake.openings import unpacked
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db
HOURS = [builders.NOW + timedelta(hours=each) for each in range(4)]


def test_moments_of_before_are_moved_apart_and_none_to_an_earlier_one() -> None:
    fleur, source = people.call("fleur_officer"), people.call("pia_partner").organisation
    made = []
    for number in range(6):
        batch = builders.batch(builders.delivery(source), builders.handling(Tlp.AMBER))
        builders.objects(batch, [builders.indicator(number * 10 + each) for each in range(3)])
        made.append(batch)
    Former.objects.all().delete()
    # Three came at one moment and were released at another, together with three that came a microsecond after it.
    QuerySet.update(Batch.objects.all(), moved_at=HOURS[2])
    QuerySet.update(
        Batch.objects.filter(pk__in=[each.pk for each in made[3:]]), moved_at=HOURS[2] + timedelta(microseconds=1)
    )
    for batch in made[:3]:
        Former.objects.create(batch=batch, terms=batch.terms, since_at=HOURS[0], until_at=HOURS[2])
    rights = [Rights.objects.create(person=fleur, viewer={}, since_at=at) for at in (HOURS[1], HOURS[3])]
    before = dict(Batch.objects.values_list("pk", "moved_at"))
    import_module("tocsin.centre.intake.migrations.0026_stretches").fill(apps, None)
    after = dict(Batch.objects.values_list("pk", "moved_at"))
    assert all(after[each] >= before[each] for each in before)
    for batch in made[:3]:
        former = Former.objects.get(batch=batch)
        assert former.until_at == after[batch.pk], "it was open without a break"
        assert former.since_at >= HOURS[0]
    own = [Former.objects.get(batch=each).since_at for each in made[:3]] + sorted(after.values())
    for row in rights:
        row.refresh_from_db()
    assert bytes(rights[0].opened) == b"", "what is known first opens nothing at a moment of its own"
    opened = unpacked(bytes(rights[1].opened), rights[1].since_at)
    assert set(opened) == set(Delivery.objects.values_list("pk", flat=True))
    begins = sorted([*own, *opened.values()])
    assert all(two - one >= timedelta(microseconds=HEAD + 3) for one, two in pairwise(begins))
    assert Change.objects.order_by("-pk").values_list("free_at", flat=True)[0] >= max(opened.values()) + timedelta(
        microseconds=HEAD + 3
    )
