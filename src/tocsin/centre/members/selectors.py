"""Reads of people and organisations."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from tocsin.core.words import Tlp
from tocsin.handling import Viewer

from .key_rules import ENDING_WITHIN
from .models import Key, Person
from .rules import CLEARANCES, VICTIM_DESK_ROLES, may, side_of

NOBODY = Viewer()
"""Sees nothing at all."""


def viewer_of(person: Person) -> Viewer:
    """Who the gate is asked for. Somebody whose roles allow no content (an administrator) sees nothing."""
    if not may(person, "read"):
        return NOBODY
    organisation = person.organisation
    parent = organisation.parent
    return Viewer(
        person=person.login,
        organisation=organisation.slug,
        class_name=organisation.class_name,
        country=organisation.country,
        is_centre=organisation.is_centre,
        is_bureau=organisation.is_bureau,
        is_victim_desk=organisation.is_centre and bool(VICTIM_DESK_ROLES & set(person.roles)),
        bureau=parent.slug if parent is not None and parent.is_bureau else "",
        clearance=CLEARANCES[side_of(organisation)],
        country_suspended=parent is not None and not parent.is_active,
        ceiling=ceiling_of(person),
    )


def ceiling_of(person: Person) -> Tlp | None:
    """The narrowest label that may be read through the key in hand; None without a key, or where it sets no bound."""
    return Tlp(person.through.ceiling) if person.through is not None and person.through.ceiling else None


def keys_of(person: Person) -> QuerySet[Key]:
    """The person's own keys, the newest first."""
    return Key.objects.filter(person=person).order_by("-created_at", "-pk")


def keys_in_force(person: Person, now: datetime) -> QuerySet[Key]:
    """Those that still open a door; a key given to another seat of the person opens none."""
    return keys_of(person).filter(expires_at__gt=now, revoked_at=None, organisation=person.organisation_id)


def keys_ending(person: Person, now: datetime) -> QuerySet[Key]:
    """Those in force that end soon, the first to end first."""
    return keys_in_force(person, now).filter(expires_at__lte=now + ENDING_WITHIN).order_by("expires_at", "pk")
