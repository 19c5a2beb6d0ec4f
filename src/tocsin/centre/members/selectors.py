"""Reads of people and organisations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

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
    is_victim_desk = person.organisation.is_centre and bool(VICTIM_DESK_ROLES & set(person.roles))
    return replace(viewer_of_organisation(person.organisation, person.login), is_victim_desk=is_victim_desk)


def viewer_of_organisation(organisation: Organisation, login: str = "") -> Viewer:
    """What whoever reads there has in common; with a login, that person, as a TLP:RED set may name it."""
    parent = organisation.parent
    return Viewer(
        person=login,
        organisation=organisation.slug,
        class_name=organisation.class_name,
        country=organisation.country,
        is_centre=organisation.is_centre,
        is_bureau=organisation.is_bureau,
        bureau=parent.slug if parent is not None and parent.is_bureau else "",
        clearance=CLEARANCES[side_of(organisation)],
        country_suspended=parent is not None and not parent.is_active,
    )


def keys_of(person: Person) -> QuerySet[Key]:
    """The person's own keys, the newest first."""
    return Key.objects.filter(person=person).order_by("-created_at", "-pk")


def keys_in_force(person: Person, now: datetime) -> QuerySet[Key]:
    """Those that still open a door; a key given to another seat of the person opens none."""
    valid = Q(expires_at=None) | Q(expires_at__gt=now)
    return keys_of(person).filter(valid, revoked_at=None, organisation=person.organisation_id)
