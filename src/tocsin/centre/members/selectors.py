"""Reads of people and organisations."""

from __future__ import annotations

from tocsin.handling import Viewer

from .models import Person
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
    )
