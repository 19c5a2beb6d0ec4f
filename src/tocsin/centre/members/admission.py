"""Who may come in at all: asked at every request of every door, with the moment, so that an end acts at once.

`refusal_of` is the one place. It knows accounts, organisations, their authorisation, countries, seats and the yearly
confirmation; what somebody who is in may do is for `rules`, what he may see for the gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tocsin.centre.clock.services import judged_at

from . import countries
from .agreement_states import day_of
from .models import Organisation, Person

CONFIRMED_FOR = timedelta(days=365)
"""How long a confirmation of somebody's access holds."""
OF_ORGANISATION = frozenset({"organisation-closed", "authorisation-withdrawn", "country-suspended"})
"""What `refusal_of_organisation` says."""
GRACE = timedelta(days=30)
"""How long access goes on after that, so that the manager can catch up."""


def refusal_of(person: Person, at: datetime) -> str:
    """Why the person may not come in at this moment, as a key of `labels.NOT_ADMITTED`; empty: it may."""
    at = judged_at(at)
    if not person.is_active:
        return "account-closed"
    if person.held_at is not None:
        return "second-look"
    if refusal := refusal_of_organisation(person.organisation, at):
        return refusal
    today = day_of(at)
    if person.seat_from is not None and today < person.seat_from:
        return "seat-not-begun"
    if person.seat_until is not None and today > person.seat_until:
        return "seat-over"
    if person.employer is not None and refusal_of_organisation(person.employer, at):
        return "employer-closed"  # Who is seconded has what seat and employer both have (DOMAIN 4.1).
    return "not-confirmed" if at >= ends_at(person) else ""


def refusal_of_organisation(organisation: Organisation, at: datetime) -> str:
    """Why nobody of the organisation may come in at this moment; empty: they may."""
    at = judged_at(at)
    if _is_closed(organisation):
        return "organisation-closed"
    if _is_cut(organisation):
        return "authorisation-withdrawn"
    if countries.status_for(organisation, at) == countries.Status.SUSPENDED:
        return "country-suspended"
    return ""


def all_organisations() -> list[Organisation]:
    """Every one there is, by name, each with those above it at hand."""
    found = {each.pk: each for each in Organisation.objects.order_by("name")}
    for each in found.values():
        if each.parent_id is not None:
            each.parent = found[each.parent_id]
    return list(found.values())


def admitted_among(organisations: Iterable[Organisation], at: datetime) -> list[Organisation]:
    """Those of them, out of `all_organisations`, of which somebody may come in at this moment: as
    `refusal_of_organisation`, without a question to the database for each."""
    statuses = countries.statuses_of(None, judged_at(at))
    suspended = {code for code, status in statuses.items() if status == countries.Status.SUSPENDED}
    return [
        each for each in organisations
        if not (_is_closed(each) or _is_cut(each) or countries.codes_of(each) & suspended)
    ]  # fmt: skip


def _is_closed(organisation: Organisation) -> bool:
    """Whether it, or one above it, is closed, or it stands below itself."""
    chain = (organisation, *organisation.above())
    return organisation.has_circle() or not all(each.is_active for each in chain)


def _is_cut(organisation: Organisation) -> bool:
    """Whether the authorisation was taken away from it or from one above it."""
    return any(each.withdrawn_at is not None for each in (organisation, *organisation.above()))


def is_admitted(person: Person, at: datetime) -> bool:
    """Whether the person, and its keys with it, may come in at this moment."""
    return not refusal_of(person, at)


def due_at(person: Person) -> datetime:
    """When somebody above is to confirm the person's access again."""
    return (person.confirmed_at or person.created_at) + CONFIRMED_FOR


def ends_at(person: Person) -> datetime:
    """When access ends by itself unless it is confirmed before."""
    return due_at(person) + GRACE
