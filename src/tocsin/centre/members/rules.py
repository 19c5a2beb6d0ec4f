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
    "decide-legal",  # Decide on what is held under articles 2 and 3.
    "package",  # Make country packages.
    "read-releases",  # What waits to leave the Centre, and who would get it. Shows who is excluded.
    "propose-release",
    "release",  # What another proposed. No role has both (DOMAIN 4.8, I11), and no person uses both on one thing.
    "sign-orders",
    "follow",  # Who was offered, has, opened, acknowledged and acted on what was released: the board and the reach map.
    "chase",  # Mark a release as urgent, and note or close what is overdue.
    "respond",  # Say that one has what was released to one's organisation, and what came of it.
    "ask-source",  # For more than its label allows; at the Centre also: pass a bureau's request on.
    "answer-permissions",  # What one's own organisation is asked as a source.
    "watch",  # Keep standing queries.
    "review-terms",  # How long a delivery is kept: of one's own; the Centre asks its source.
    "read-purges",  # What was purged, by which rule, with its certificate: of one's own; at the Centre, of all.
    "hold-legally",  # Keep a sealed copy for a court; order a purge before its time.
    "recall",  # Take back what was handed out: one's own; at the Centre, anybody's.
    "read-feeds",
    "switch-feeds",
    "read-organisations",
    "edit-organisations",
    "set-country-status",  # Supervise, restrict, suspend a member country.
    "manage-people",  # Accounts of one's own organisation and of units below it.
    "manage-units",  # National units below one's own bureau: add them, authorise them.
    "appoint",  # The first people of other organisations, who then manage their own.
    "read-own-agreement",  # What one's own organisation agreed on with the Centre.
    "read-scorecards",  # How much every source contributes.
    "read-alerts",  # Alerts on their way, and what became of those that were published.
    "write-alerts",  # Start an alert, write it, hand it in, ask that one is cancelled.
    "review-alerts",  # Pass what another wrote, as to its quality.
    "clear-alerts",  # Pass it as to the law: articles 2 and 3, consent, people's data.
    "translate-alerts",  # Translate one, check what another translated.
    "release-alerts",  # Approve and publish what others wrote, reviewed and cleared. No role does all of these (I11).
    "propose-alerts",  # Propose one to the Centre, which alone issues.
    "read-referrals",  # What citizens reported to one's own bureau.
    "read-audit",  # The log of acts, without what people searched for.
    "audit-searches",  # That too.
    "ask-emergency",  # Ask to read what one's role does not open, with a reason; a second person approves.
    "approve-emergency",  # Be that second person: only who reads content may open it to another.
    "read-emergencies",  # See who asked for what and who approved.
    "decide-rights",  # What people ask about data on them: the independent commission's alone, and nothing beside it.
    "administer",  # The installation: settings, jobs, accounts. No content.
)

COMMISSION = "commission"
"""The independent commission (R16): beside it no other role counts, and nobody gives it through a page."""
_DESK = {"read", "read-all-deliveries", "read-feeds", "read-organisations", "read-emergencies"}
_ASKS, _APPROVES = "ask-emergency", "approve-emergency"
_PROPOSING = {"read-releases", "propose-release", "ask-source"}
_RELEASING = {"read-releases", "release", "sign-orders", "ask-source"}
_WRITES = {"read-alerts", "write-alerts", "translate-alerts"}
_SOURCE = {"recall", "answer-permissions", "review-terms", "read-purges"}

ROLES: dict[str, dict[str, frozenset[str]]] = {
    "centre": {
        "analyst": frozenset(
            _DESK
            | _PROPOSING
            | {"deliver", "deliver-for-others", "map-columns", "review", "package", "watch", "follow"}
            | {"review-terms", "read-purges", _APPROVES}
            | _WRITES
        ),
        "reviewer": frozenset(
            _DESK | _RELEASING | {"review", "package", "watch", "read-alerts", "review-alerts", _ASKS, _APPROVES}
        ),
        "dissemination": frozenset(
            _DESK | _RELEASING | {"package", "watch", "follow", "chase", "release-alerts", _ASKS} | _WRITES
        ),
        # Works on the words of alerts alone.
        "translator": frozenset({"read-alerts", "translate-alerts"}),
        "legal": frozenset(
            _DESK
            | {"read-audit", "audit-searches", "recall", "set-country-status", "decide-legal"}
            | {"review-terms", "read-purges", "hold-legally"}
            | {"read-releases", "sign-orders", "read-alerts", "clear-alerts", _ASKS, _APPROVES}
        ),
        # Looks after what is done with people's data: how long it is kept, and who searched for whom. Reads none of it.
        "data-protection": frozenset(
            {"read-audit", "audit-searches", "read-organisations", "read-emergencies", "read-purges"}
        ),
        "auditor": frozenset({"read-audit", "audit-searches", "read-organisations", "read-emergencies"}),
        "duty": frozenset(
            _DESK
            | _PROPOSING
            | {"deliver", "deliver-for-others", "package", "watch", "recall", "follow", "chase", _ASKS, _APPROVES}
            | _WRITES
        ),
        "administrator": frozenset(
            {
                "administer",
                "manage-people",
                "appoint",
                "read-feeds",
                "switch-feeds",
                "read-organisations",
                "edit-organisations",
                "read-audit",
                "read-emergencies",
                _ASKS,
            }
        ),
        "partnership": frozenset(
            _DESK
            | {"map-columns", "switch-feeds", "edit-organisations", "set-country-status", "manage-people", "appoint"}
            | {"read-scorecards", _ASKS}
        ),
        "victim-desk": frozenset(_DESK | {"package", "watch", _ASKS}),
        COMMISSION: frozenset({"decide-rights"}),
    },
    "bureau": {
        "officer": frozenset(
            {"read", "deliver", "map-columns", "package", "watch", "ask-source", "respond", "propose-alerts"}
            | {"read-referrals"}
            | _SOURCE
        ),
        "head": frozenset(
            {
                "read",
                "deliver",
                "map-columns",
                "package",
                "watch",
                "ask-source",
                "respond",
                "read-organisations",
                "manage-people",
                "manage-units",
                "propose-alerts",
                "read-referrals",
            }
            | _SOURCE
        ),
        "access-manager": frozenset({"manage-people", "manage-units"}),
        "investigator": frozenset({"read", "watch", "respond"}),
    },
    "partner": {
        "analyst": frozenset(
            {"read", "deliver", "map-columns", "watch", "respond", "read-own-agreement", "propose-alerts"} | _SOURCE
        ),
        "manager": frozenset(
            {"read", "deliver", "map-columns", "watch", "respond", "read-own-agreement", "manage-people"}
            | {"propose-alerts"}
            | _SOURCE
        ),
    },
}
"""Side → role → abilities."""

GIVES: dict[str, dict[str, frozenset[str]]] = {
    "centre": {"administrator": frozenset(ROLES["centre"]) - {COMMISSION}},
    "bureau": {
        "head": frozenset({"access-manager", "officer", "investigator"}),
        "access-manager": frozenset({"officer", "investigator"}),
    },
    "partner": {"manager": frozenset({"analyst"})},
}
"""Side → role → the roles of that side that it sits above: it gives them, and manages who has no others."""

APPOINTED = {
    "centre": frozenset[str](),
    "bureau": frozenset({"head", "access-manager"}),
    "partner": frozenset({"manager"}),
}
"""Side → the roles that the Centre gives there: who holds them manages the others."""

LANGUAGES = ("ar", "zh", "en", "fr", "de", "hi", "id", "it", "ja", "ko", "fa", "pt", "ru", "es", "tr", "uk")
"""What people can say that they read and speak."""

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
    """Everything that the roles allow on that side; a role of another side allows nothing. Who is of the commission
    is nothing else."""
    roles = tuple(roles)
    table = ROLES[side]
    if COMMISSION in roles:
        roles = (COMMISSION,)
    return frozenset().union(*(table.get(role, frozenset()) for role in roles))


def may(person: Person, ability: str) -> bool:
    """Whether any of the person's roles allows it. An inactive person or organisation may do nothing."""
    if ability not in ABILITIES:
        raise KeyError(ability)
    if not person.is_active or not person.organisation.is_active:
        return False
    return ability in abilities_of(side_of(person.organisation), person.roles)


SCOPES = {
    "deliver": "deliver",
    "taxii": "deliver",
    "read": "read",
    "packages": "package",
    "recall": "recall",
    "respond": "respond",
    "ask": "ask-source",
    "answer": "answer-permissions",
    "alerts": "read-alerts",
}
"""What a key may be given → the ability that its owner needs for it."""


def scopes_of(person: Person) -> tuple[str, ...]:
    """The scopes that a key of this person can have: a key never does what its owner may not."""
    return tuple(scope for scope, ability in SCOPES.items() if may(person, ability))
