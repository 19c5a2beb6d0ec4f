"""Reads of purges, by who asks."""

from __future__ import annotations

from django.db.models import QuerySet

from tocsin.centre.intake.secondees import known_to
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may

from .models import Purge


def purges_for(person: Person) -> QuerySet[Purge]:
    """Purges that the person may know of: at the Centre all, at a source those of what it handed over."""
    if not may(person, "read-purges"):
        return Purge.objects.none()
    found = Purge.objects.select_related("delivery__organisation").order_by("-begun_at", "-pk")
    if person.organisation.is_centre:
        return known_to(person, found)
    return found.filter(delivery__organisation=person.organisation)


def to_look_at(person: Person) -> QuerySet[Purge]:
    """Purges in whose course somebody's texts were blanked, and nobody at the Centre has looked at these yet."""
    if not person.organisation.is_centre or not may(person, "review-terms"):
        return Purge.objects.none()
    return purges_for(person).filter(looked_at=None, deleted_at__isnull=False).exclude(steps__texts__blanked=[])
