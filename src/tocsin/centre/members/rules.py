"""Roles and what each may do. Pure: the table below is the whole rule.

A person's side follows from the organisation: the Centre, a bureau (national units included), or a partner.
Abilities say which pages and acts exist for somebody; which data they show is the gate's decision alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Organisation, Person

ABILITIES = (
    "read",  # Content at all: home, countries, lookup, what the gate shows.
    "deliver",  # Hand over deliveries for one's own organisation.
    "deliver-for-others",  # Hand over what came to the Centre by other roads.
    "read-all-deliveries",  # Receipts of every organisation, not only one's own.
    "map-columns",  # Teach a column map for unknown files.
    "review",  # Decide proposals and country conflicts.
    "package",  # Make country packages.
    "read-releases",  # What waits to leave the Centre, and who would get it. Shows who is excluded.
    "propose-release",
    "release",  # What another proposed. No role has both (DOMAIN 4.8, I11), and no person uses both on one thing.
    "sign-orders",
    "watch",  # Keep standing queries.
    "read-feeds",
    "switch-feeds",
    "read-organisations",
    "edit-organisations",
    "read-own-agreement",  # What one's own organisation agreed on with the Centre.
    "read-audit",  # The log of acts, without what people searched for.
    "audit-searches",  # That too.
    "administer",  # The installation: settings, jobs, accounts. No content.
)

_DESK = {"read", "read-all-deliveries", "read-feeds", "read-organisations"}
_PROPOSING = {"read-releases", "propose-release"}
_RELEASING = {"read-releases", "release", "sign-orders"}

ROLES: dict[str, dict[str, frozenset[str]]] = {
    "centre": {
        "analyst": frozenset(
            _DESK | _PROPOSING | {"deliver", "deliver-for-others", "map-columns", "review", "package", "watch"}
        ),
        "reviewer": frozenset(_DESK | _RELEASING | {"review", "package", "watch"}),
        "dissemination": frozenset(_DESK | _RELEASING | {"package", "watch"}),
        "legal": frozenset(_DESK | {"read-audit", "audit-searches", "read-releases", "sign-orders"}),
        "auditor": frozenset({"read-audit", "audit-searches", "read-organisations"}),
        "duty": frozenset(_DESK | _PROPOSING | {"deliver", "deliver-for-others", "package", "watch"}),
        "administrator": frozenset(
            {
                "administer",
                "read-feeds",
                "switch-feeds",
                "read-organisations",
                "edit-organisations",
                "read-audit",
            }
        ),
        "partnership": frozenset(_DESK | {"map-columns", "switch-feeds", "edit-organisations"}),
        "victim-desk": frozenset(_DESK | {"package", "watch"}),
    },
    "bureau": {
        "officer": frozenset({"read", "deliver", "map-columns", "package", "watch"}),
        "head": frozenset({"read", "deliver", "map-columns", "package", "watch", "read-organisations"}),
    },
    "partner": {
        "analyst": frozenset({"read", "deliver", "map-columns", "watch", "read-own-agreement"}),
        "manager": frozenset({"read", "deliver", "map-columns", "watch", "read-own-agreement"}),
    },
}
"""Side → role → abilities."""

VICTIM_DESK_ROLES = frozenset({"victim-desk", "analyst"})
"""Roles of the Centre whose holders read victim rows of every country."""

CLEARANCES = {"centre": "confidential", "bureau": "restricted", "partner": "official-use"}
"""Side → highest classification that its people read."""


def side_of(organisation: Organisation) -> str:
    """centre, bureau or partner. A police unit below a bureau stands on the bureau's side."""
    if organisation.is_centre:
        return "centre"
    if organisation.is_bureau or organisation.class_name == "law-enforcement":
        return "bureau"
    return "partner"


def abilities_of(side: str, roles: Iterable[str]) -> frozenset[str]:
    """Everything that the roles allow on that side; a role of another side allows nothing."""
    table = ROLES[side]
    return frozenset().union(*(table.get(role, frozenset()) for role in roles))


def may(person: Person, ability: str) -> bool:
    """Whether any of the person's roles allows it. An inactive person or organisation may do nothing."""
    if ability not in ABILITIES:
        raise KeyError(ability)
    if not person.is_active or not person.organisation.is_active:
        return False
    return ability in abilities_of(side_of(person.organisation), person.roles)


SCOPES = {"deliver": "deliver", "read": "read"}
"""What a key may be given → the ability that its owner needs for it."""


def scopes_of(person: Person) -> tuple[str, ...]:
    """The scopes that a key of this person can have: a key never does what its owner may not."""
    return tuple(scope for scope, ability in SCOPES.items() if may(person, ability))
