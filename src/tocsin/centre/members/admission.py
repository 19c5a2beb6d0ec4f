"""Who may come in at all: asked at every request of every door, with the moment, so that an end acts at once.

`refusal_of` is the one place. It knows accounts, organisations, their authorisation, countries, seats and the yearly
confirmation; what somebody who is in may do is for `rules`, what he may see for the gate.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from . import countries
from .agreement_states import day_of
from .models import Organisation, Person

CONFIRMED_FOR = timedelta(days=365)
"""How long a confirmation of somebody's access holds."""
GRACE = timedelta(days=30)
"""How long access goes on after that, so that the manager can catch up."""


def refusal_of(person: Person, at: datetime) -> str:
    """Why the person may not come in at this moment, as a key of `labels.NOT_ADMITTED`; empty: it may."""
    if not person.is_active:
        return "account-closed"
    if refusal := refusal_of_organisation(person.organisation, at):
        return refusal
    today = day_of(at)
    if person.seat_from is not None and today < person.seat_from:
        return "seat-not-begun"
    if person.seat_until is not None and today > person.seat_until:
        return "seat-over"
    return "not-confirmed" if at >= ends_at(person) else ""


def refusal_of_organisation(organisation: Organisation, at: datetime) -> str:
    """Why nobody of the organisation may come in at this moment; empty: they may."""
    chain = (organisation, *organisation.above())
    if organisation.has_circle() or not all(each.is_active for each in chain):
        return "organisation-closed"
    if any(each.withdrawn_at is not None and each.withdrawn_at <= at for each in chain):
        return "authorisation-withdrawn"
    if countries.status_for(organisation, at) == countries.Status.SUSPENDED:
        return "country-suspended"
    return ""


def is_admitted(person: Person, at: datetime) -> bool:
    """Whether the person, and its keys with it, may come in at this moment."""
    return not refusal_of(person, at)


def due_at(person: Person) -> datetime:
    """When somebody above is to confirm the person's access again."""
    return (person.confirmed_at or person.created_at) + CONFIRMED_FOR


def ends_at(person: Person) -> datetime:
    """When access ends by itself unless it is confirmed before."""
    return due_at(person) + GRACE
