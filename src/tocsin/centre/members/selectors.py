"""Reads of people and organisations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from tocsin.core.words import Tlp
from tocsin.handling import Viewer
from tocsin.handling.sets import CLASSIFICATIONS
from tocsin.reference.members import territories

from . import admission
from .key_rules import ENDING_WITHIN
from .models import Key, Organisation, Person
from .rules import CLEARANCES, VICTIM_DESK_ROLES, may, side_of

NOBODY = Viewer()
"""Sees nothing at all."""


def viewer_of(person: Person, ability: str = "read") -> Viewer:
    """Who the gate is asked for, at this moment. Somebody whose roles allow no content (an administrator) sees nothing,
    nor does who may not come in: a standing query is put without anybody at a door.

    Another ability than `read` is for what is made of content and has readers of its own: whoever has that ability
    reads it as far as the gate would let them read what it rests on.
    """
    refusal = admission.refusal_of(person, timezone.now())
    if not may(person, ability) or refusal not in {"", "country-suspended"}:
        return NOBODY
    organisation, employer = person.organisation, person.employer
    return replace(
        viewer_of_organisation(organisation, person.login),
        is_victim_desk=organisation.is_centre and bool(VICTIM_DESK_ROLES & set(person.roles)),
        employer=employer.slug if employer else "",
        employer_class=employer.class_name if employer else "",
        employer_is_bureau=employer is not None and employer.is_bureau,
        employer_above=above_of(employer) | _country(employer.country) if employer else frozenset(),
        clearance=clearance_of(person),
        country_suspended=bool(refusal),
        ceiling=ceiling_of(person),
    )


def viewer_for(organisation: Organisation) -> Viewer:
    """What an organisation as a whole may see: as any of its people, none of them named. Inactive: nothing.

    One whose country is suspended, or whose authorisation was withdrawn, is meant to hear of a recall all the same.
    """
    return viewer_of_organisation(organisation) if organisation.is_active else NOBODY


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
        above=above_of(organisation),
        clearance=CLEARANCES[side_of(organisation)],
    )


def clearance_of(person: Person) -> str:
    """The highest classification that the person reads: its own, and never more than its side goes."""
    ceiling = CLEARANCES[side_of(person.organisation)]
    return min(person.clearance or ceiling, ceiling, key=CLASSIFICATIONS.index)


def above_of(organisation: Organisation) -> frozenset[str]:
    """What stands above it, as an exclusion names it; above a territory its member in any case."""
    found = _country(territories().get(organisation.country, ""))
    for each in organisation.above():
        found |= {each.slug} | _country(each.country)
    return found


def _country(code: str) -> frozenset[str]:
    """A country, and the member that it is a territory of, as an exclusion names them."""
    return frozenset(f"country:{each}" for each in (code, territories().get(code, "")) if each)


def ceiling_of(person: Person) -> Tlp | None:
    """The narrowest label that may be read through the key in hand; None without a key, or where it sets no bound."""
    return Tlp(person.through.ceiling) if person.through is not None and person.through.ceiling else None


def keys_of(person: Person) -> QuerySet[Key]:
    """The person's own keys, the newest first."""
    return Key.objects.filter(person=person).order_by("-created_at", "-pk")


def keys_in_force(person: Person, now: datetime) -> QuerySet[Key]:
    """Those that still open a door; a key given to another seat of the person opens none, nor does one whose
    certificate has ended."""
    lasting = Q(certificate_ends_at=None) | Q(certificate_ends_at__gt=now)
    return keys_of(person).filter(lasting, expires_at__gt=now, revoked_at=None, organisation=person.organisation_id)


def keys_ending(person: Person, now: datetime) -> QuerySet[Key]:
    """Those in force that end soon, the first to end first."""
    soon = now + ENDING_WITHIN
    found = keys_in_force(person, now).filter(Q(expires_at__lte=soon) | Q(certificate_ends_at__lte=soon))
    ends_at = Least("expires_at", Coalesce("certificate_ends_at", "expires_at"))
    return found.annotate(first=ends_at).order_by("first", "pk")
