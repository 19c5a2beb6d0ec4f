"""Reads of people and organisations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from tocsin.handling import Viewer

from .models import Key, Organisation, Person
from .rules import CLEARANCES, VICTIM_DESK_ROLES, may, side_of

NOBODY = Viewer()
"""Sees nothing at all."""


def viewer_of(person: Person) -> Viewer:
    """Who the gate is asked for. Somebody whose roles allow no content (an administrator) sees nothing."""
    if not may(person, "read"):
        return NOBODY
    organisation = person.organisation
    at_victim_desk = organisation.is_centre and bool(VICTIM_DESK_ROLES & set(person.roles))
    return _viewer(organisation, person=person.login, is_victim_desk=at_victim_desk)


def viewer_for(organisation: Organisation) -> Viewer:
    """What an organisation as a whole may see: as any of its people, none of them named. Inactive: nothing."""
    if not organisation.is_active:
        return NOBODY
    return _viewer(organisation)


def _viewer(organisation: Organisation, **of_person: Any) -> Viewer:
    parent = organisation.parent
    return Viewer(
        organisation=organisation.slug,
        class_name=organisation.class_name,
        country=organisation.country,
        is_centre=organisation.is_centre,
        is_bureau=organisation.is_bureau,
        bureau=parent.slug if parent is not None and parent.is_bureau else "",
        clearance=CLEARANCES[side_of(organisation)],
        country_suspended=parent is not None and not parent.is_active,
        **of_person,
    )


def keys_of(person: Person) -> QuerySet[Key]:
    """The person's own keys, the newest first."""
    return Key.objects.filter(person=person).order_by("-created_at", "-pk")


def keys_in_force(person: Person, now: datetime) -> QuerySet[Key]:
    """Those that still open a door; a key given to another seat of the person opens none."""
    valid = Q(expires_at=None) | Q(expires_at__gt=now)
    return keys_of(person).filter(valid, revoked_at=None, organisation=person.organisation_id)
