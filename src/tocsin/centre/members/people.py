"""Accounts, by those who manage them: bureaus and partners their own, the Centre its own and the first elsewhere.

Who manages whom follows from `rules.GIVES` and `rules.APPOINTED`: one manages whose roles one sits above, in one's own
organisation and in the units below it, and never oneself. Every change is recorded.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, Q, QuerySet, When
from django.db.models.functions import Coalesce

from tocsin.centre.audit.services import record
from tocsin.core.errors import InputError, Refused
from tocsin.core.names import plain_name
from tocsin.handling.sets import CLASSIFICATIONS

from . import admission, browsers, second_look, services
from .models import Key, Organisation, Person
from .rules import APPOINTED, CLEARANCES, GIVES, LANGUAGES, ROLES, may, side_of

SOON = timedelta(days=30)
"""How long before it is due a confirmation is called to mind."""
MOST_TEAMS = 12
LONGEST_TEAM = 40


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a manager manages, worked out once."""

    manager: Person
    keys: frozenset[int]
    """Numbers of the organisations in which it gives accounts."""

    def organisations(self) -> QuerySet[Organisation]:
        """These organisations, the manager's own first."""
        own = Case(When(pk=self.manager.organisation_id, then=0), default=1)
        return Organisation.objects.filter(pk__in=self.keys).order_by(own, "is_bureau", "name")

    def gives(self, organisation: Organisation) -> tuple[str, ...]:
        """The roles that the manager may give to people of this organisation, in the order of the table."""
        side, own = side_of(organisation), self.manager.organisation
        if organisation.pk not in self.keys or (side != side_of(own) and not own.is_centre):
            return ()
        given = APPOINTED[side] if own.is_centre and not organisation.is_centre else self._given()
        return tuple(role for role in ROLES[side] if role in given)

    def _given(self) -> frozenset[str]:
        """The roles of its own side that the manager sits above."""
        table = GIVES[side_of(self.manager.organisation)]
        return frozenset().union(*(table.get(role, frozenset()) for role in self.manager.roles))

    def people(self) -> list[Person]:
        """Whom the manager may know of: everybody of its own organisation and below; elsewhere whom the Centre
        appoints."""
        found = Person.objects.filter(organisation__in=self.keys).select_related("organisation__parent", "employer")
        listed = found.order_by("organisation__name", "name", "pk")
        return [each for each in listed if self._is_known(each)]

    def _is_known(self, person: Person) -> bool:
        if self.manager.organisation.is_centre and not person.organisation.is_centre:
            return bool(APPOINTED[side_of(person.organisation)] & set(person.roles))
        return person.organisation_id in self.keys

    def can_change(self, person: Person) -> bool:
        """Whether the manager sits above this person. Nobody sits above oneself."""
        if self.manager.pk == person.pk or person.organisation_id not in self.keys or not self._is_known(person):
            return False
        own = self.manager.organisation
        if own.is_centre and not person.organisation.is_centre:
            return True
        return side_of(person.organisation) == side_of(own) and set(person.roles) <= self._given()

    def require_above(self, person: Person) -> None:
        """Raises Refused."""
        if not self.can_change(person):
            raise Refused("somebody else manages this person")


def reach_of(manager: Person) -> Reach:
    """Own organisation and what stands below; who appoints, everywhere else."""
    own = manager.organisation
    keys: set[int] = set()
    if may(manager, "manage-people") and GIVES[side_of(own)].keys() & set(manager.roles):
        keys = {own.pk} | (set() if own.is_centre else own.below())
    if own.is_centre and may(manager, "appoint"):
        keys |= set(Organisation.objects.filter(is_centre=False).values_list("pk", flat=True))
    return Reach(manager, frozenset(keys))


@dataclass(frozen=True, slots=True)
class About:
    """What a manager says of a person beside name and login."""

    roles: Sequence[str]
    clearance: str = ""
    languages: Sequence[str] = ()
    teams: Sequence[str] = ()
    employer: Organisation | None = None
    seat_from: date | None = None
    seat_until: date | None = None


def clearances_of(organisation: Organisation) -> tuple[str, ...]:
    """The classifications that people of this organisation may be cleared for, the lowest first."""
    return CLASSIFICATIONS[: CLASSIFICATIONS.index(CLEARANCES[side_of(organisation)]) + 1]


def _checked(manager: Person, organisation: Organisation, had: Collection[str], about: About) -> dict[str, Any]:
    """The fields to write; raises InputError for what the manager may not give."""
    given = reach_of(manager).gives(organisation)
    kept = [role for role in had if role not in given]
    if wrong := set(about.roles) - set(given) - set(kept):
        raise InputError("invalid-object", field="roles", excerpt=", ".join(sorted(wrong)))
    if about.clearance and about.clearance not in clearances_of(organisation):
        raise InputError("invalid-object", field="clearance", excerpt=about.clearance[:20])
    if wrong := set(about.languages) - set(LANGUAGES):
        raise InputError("invalid-object", field="languages", excerpt=", ".join(sorted(wrong))[:80])
    is_seat = about.employer is not None
    if is_seat and (not organisation.is_centre or about.employer == organisation):
        raise InputError("invalid-object", field="employer")
    if about.seat_from and about.seat_until and about.seat_until < about.seat_from:
        raise InputError("invalid-object", field="seat_until")
    teams = list(dict.fromkeys(plain_name(team)[:LONGEST_TEAM] for team in about.teams if plain_name(team)))
    return {
        "roles": [role for role in ROLES[side_of(organisation)] if role in {*about.roles, *kept}],
        "clearance": about.clearance,
        "languages": [word for word in LANGUAGES if word in about.languages],
        "teams": teams[:MOST_TEAMS],
        "employer": about.employer,
        "seat_from": about.seat_from if is_seat else None,
        "seat_until": about.seat_until if is_seat else None,
    }


@transaction.atomic
def add(
    *, login: str, name: str, organisation: Organisation, about: About, language: str = "en", manager: Person,
    at: datetime,
) -> tuple[Person, str]:  # fmt: skip
    """An account and its first password, which is returned once and must be changed at the first sign-in.

    Raises InputError for what the manager may not give, Conflict for a login that is taken.
    """
    said = _checked(manager, organisation, (), about)
    if not said["roles"]:
        raise InputError("missing-field", field="roles")
    password = secrets.token_urlsafe(12)
    person = services.add_person(
        login=login, name=name, organisation=organisation, roles=said["roles"], password=password, language=language,
        by=manager.login, at=at, must_change_password=True,
    )  # fmt: skip
    _write(person, said, manager.login, at)
    second_look.hold_if_needed(person, by=manager.login, at=at)
    return person, password


@transaction.atomic
def change(person: Person, about: About, *, manager: Person, at: datetime) -> None:
    """Roles, clearance, languages, teams, and the seat of somebody seconded. Raises Refused, InputError."""
    found = Person.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=person.pk)
    reach_of(manager).require_above(found)
    had = set(found.roles)
    _write(found, _checked(manager, found.organisation, found.roles, about), manager.login, at)
    if set(found.roles) - had:
        second_look.hold_if_needed(found, by=manager.login, at=at)


def _write(person: Person, said: Mapping[str, Any], by: str, at: datetime) -> None:
    changed = {name: value for name, value in said.items() if getattr(person, name) != value}
    if not changed:
        return
    facts = {name: {"from": _plain(getattr(person, name)), "to": _plain(value)} for name, value in changed.items()}
    for name, value in changed.items():
        setattr(person, name, value)
    person.save(update_fields=list(changed))
    record(by, "person.changed", f"person:{person.pk}", facts, at=at)


def _plain(value: object) -> object:
    if isinstance(value, Organisation):
        return value.slug
    return value.isoformat() if isinstance(value, date) else value


@transaction.atomic
def close(person: Person, *, manager: Person, reason: str = "", at: datetime) -> bool:
    """End the access of this person at once: every session and every key, for good. Raises Refused."""
    reach_of(manager).require_above(person)
    return end_access(person, by=manager.login, reason=reason, at=at)


@transaction.atomic
def end_access(person: Person, *, by: str, reason: str, at: datetime) -> bool:
    """The account, its sessions and its keys end; what was done with them stays on record."""
    if not Person.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
        return False
    person.is_active = False
    sessions = browsers.end_all(person)
    keys = Key.objects.filter(person=person, revoked_at=None).update(revoked_at=at)
    facts: dict[str, object] = {"reason": reason.strip()[:400], "sessions": sessions, "keys": keys}
    if person.employer is not None:
        facts["employer"] = person.employer.slug
    record(by, "person.closed", f"person:{person.pk}", facts, at=at)
    return True


@transaction.atomic
def reopen(person: Person, *, manager: Person, at: datetime) -> bool:
    """Let this person come in again, with a confirmation from now; keys that ended stay ended. Raises Refused."""
    reach_of(manager).require_above(person)
    return give_back(person, by=manager.login, at=at)


@transaction.atomic
def give_back(person: Person, *, by: str, at: datetime) -> bool:
    """The account opens again; False where it was not closed."""
    values = {"is_active": True, "confirmed_at": at, "confirmed_by": by}
    if not Person.objects.filter(pk=person.pk, is_active=False).update(**values):
        return False
    person.is_active, person.confirmed_at, person.confirmed_by = True, at, by
    record(by, "person.reopened", f"person:{person.pk}", {}, at=at)
    return True


@transaction.atomic
def set_roles(person: Person, roles: Collection[str], *, by: str, at: datetime) -> None:
    """These roles and no others, without anybody above. Raises InputError for one that the side does not have."""
    table = ROLES[side_of(person.organisation)]
    if wrong := set(roles) - set(table):
        raise InputError("invalid-object", field="roles", excerpt=", ".join(sorted(wrong)))
    had = set(person.roles)
    _write(person, {"roles": [role for role in table if role in roles]}, by, at)
    if set(person.roles) - had:
        second_look.hold_if_needed(person, by=by, at=at)


@transaction.atomic
def reset_password(person: Person, *, manager: Person, at: datetime) -> str:
    """A new first password, returned once; the person's sessions end. Raises Refused."""
    reach_of(manager).require_above(person)
    return new_password(person, by=manager.login, at=at)


def new_password(person: Person, *, by: str, at: datetime) -> str:
    """A first password in place of the one that the person had."""
    fresh = secrets.token_urlsafe(12)
    with transaction.atomic():
        person.set_password(fresh)
        person.must_change_password = True
        person.save(update_fields=["password", "must_change_password"])
        browsers.end_all(person)
        record(by, "person.password-reset", f"person:{person.pk}", {}, at=at)
        second_look.hold_if_needed(person, by=by, at=at)
    return fresh


@transaction.atomic
def confirm(person: Person, *, manager: Person, at: datetime) -> None:
    """The manager says that this person still needs access. Raises Refused."""
    reach_of(manager).require_above(person)
    note_confirmed(person, by=manager.login, at=at)


@transaction.atomic
def note_confirmed(person: Person, *, by: str, at: datetime) -> None:
    """From now on for another year."""
    Person.objects.filter(pk=person.pk).update(confirmed_at=at, confirmed_by=by)
    person.confirmed_at, person.confirmed_by = at, by
    record(by, "person.confirmed", f"person:{person.pk}", {}, at=at)


def review_state(person: Person, at: datetime) -> str:
    """How the yearly confirmation stands: fresh, soon, overdue, or lapsed, when access has ended by itself."""
    if at >= admission.ends_at(person):
        return "lapsed"
    due = admission.due_at(person)
    return "overdue" if at >= due else "soon" if at >= due - SOON else "fresh"


def waiting_for(manager: Person, at: datetime) -> list[Person]:
    """Whose access the manager should confirm or end now."""
    reach = reach_of(manager)
    found = [each for each in reach.people() if each.is_active and review_state(each, at) != "fresh"]
    return [each for each in found if reach.can_change(each)]


def overdue_by_organisation(at: datetime) -> list[tuple[str, int]]:
    """Name of an organisation → how many of its people nobody confirmed in time, most first."""
    since = Coalesce("confirmed_at", "created_at")
    late = Person.objects.annotate(since=since).filter(is_active=True, since__lte=at - admission.CONFIRMED_FOR)
    open_ones = late.filter(Q(organisation__is_active=True))
    return list(
        open_ones.values_list("organisation__name").annotate(n=Count("pk")).order_by("-n", "organisation__name")
    )
