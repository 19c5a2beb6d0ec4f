"""Who may let what go to whom (DOMAIN 0 rule 5, 2.4, 3.3, 4.5). Pure: words in, a reason for refusal out.

Two persons stand behind whatever leaves the Centre: one proposes and another releases, or two sign a standing order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from tocsin.core.words import Tlp
from tocsin.handling import Grant, HandlingSet, Parent

Permitted = Mapping[str, tuple[Grant, ...]]
"""Digest of a handling set → what its source permitted when it was asked."""
NOTHING: Permitted = {}
ALL_MEMBERS = "all-members"
LONGEST_TERM = timedelta(days=366)
TRIAGE_WITHIN = timedelta(hours=4)
"""SM-2: so long after its recorded receipt somebody at the Centre has taken up what waits, or it is late."""
CEILINGS = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT)
"""How narrow a label may be that an order still lets go. RED names persons: persons decide on it."""


class Refusal(StrEnum):
    """Why something is not let go, or why not by this person."""

    NOT_ALLOWED = "not-allowed"
    SAME_PERSON = "same-person"
    SUBMITTER = "submitter"
    OF_THE_SOURCE = "of-the-source"
    NOT_PROVED = "not-proved"
    NOTHING_WAITS = "nothing-waits"
    RELABELLED = "relabelled"
    ASK_SOURCE = "ask-source"
    NO_COMMON_PURPOSE = "no-common-purpose"
    WIDER = "wider"
    NOBODY = "nobody"
    TERM = "term"
    NO_REASON = "no-reason"
    ORDER_STOPPED = "order-stopped"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who wants to act."""

    login: str
    organisation: str
    employer: str = ""
    abilities: frozenset[str] = frozenset()
    is_proved: bool = False
    """Whether the person proved just now who it is."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be let go, as far as persons matter."""

    source: str
    source_is_centre: bool = False
    submitter: str = ""
    """Login of who handed it over; empty: a machine or a feed."""
    proposer: str = ""


def _is_of_the_source(actor: Actor, case: Case) -> bool:
    # What the Centre itself drew up, its own people release: no others could.
    return not case.source_is_centre and case.source in {actor.organisation, actor.employer}


def refusal_of_proposer(actor: Actor, case: Case) -> Refusal | None:
    """Why this person may not propose the release; None: may."""
    if "propose-release" not in actor.abilities:
        return Refusal.NOT_ALLOWED
    return Refusal.OF_THE_SOURCE if _is_of_the_source(actor, case) else None


def refusal_of_releaser(actor: Actor, case: Case) -> Refusal | None:
    """Why this person may not release what another proposed; None: may."""
    if "release" not in actor.abilities:
        return Refusal.NOT_ALLOWED
    if actor.login == case.proposer:
        return Refusal.SAME_PERSON
    if actor.login == case.submitter:
        return Refusal.SUBMITTER
    if _is_of_the_source(actor, case):
        return Refusal.OF_THE_SOURCE
    return None if actor.is_proved else Refusal.NOT_PROVED


def refusal_of_signer(actor: Actor, case: Case) -> Refusal | None:
    """Why this person may not sign a standing order; `case.proposer` signed first, or is empty."""
    if "sign-orders" not in actor.abilities:
        return Refusal.NOT_ALLOWED
    if actor.login == case.proposer:
        return Refusal.SAME_PERSON
    if _is_of_the_source(actor, case):
        return Refusal.OF_THE_SOURCE
    return None if actor.is_proved else Refusal.NOT_PROVED


def may_stop(actor: Actor, signers: Collection[str]) -> bool:
    """Either signer, and whoever may release, stops an order at once: that lets nothing go."""
    return actor.login in signers or "release" in actor.abilities


def refusal_of_content(sets: Sequence[HandlingSet], grants: Permitted = NOTHING) -> Refusal | None:
    """Why what is under these handling sets may not go out together, whoever were to get it."""
    if not sets:
        return Refusal.NOTHING_WAITS
    for each in sets:
        if names_nobody(each) and (each.tlp is Tlp.RED or not entries_of(grants.get(each.digest, ()))):
            return Refusal.ASK_SOURCE
    return None if common_purposes(sets, grants) else Refusal.NO_COMMON_PURPOSE


def names_nobody(handling: HandlingSet) -> bool:
    """Whether it is under a label that names its readers, and names none."""
    named = [entry for entry in handling.audience if entry.startswith("person:") == (handling.tlp is Tlp.RED)]
    return handling.tlp.rank >= Tlp.AMBER_STRICT.rank and not named


def common_purposes(sets: Iterable[HandlingSet], grants: Permitted = NOTHING) -> frozenset[str]:
    """What all of the sources agreed to (DOMAIN 4.5), at once or when they were asked."""
    purposes = [Parent("", each, grants.get(each.digest, ())).purposes for each in sets]
    return frozenset.intersection(*purposes) if purposes else frozenset()


def entries_of(grants: Iterable[Grant]) -> frozenset[str]:
    """All to whom the source permitted it."""
    return frozenset().union(*(each.entries for each in grants))


def permitted_to(entries: Sequence[str], grants: Iterable[Grant]) -> tuple[str, ...]:
    """Of those to whom something is to go: whom its source permitted when it was asked."""
    return tuple(sorted(set(entries) & entries_of(grants)))


def audience_under(
    handling: HandlingSet, entries: Sequence[str], clients: Collection[str], grants: Iterable[Grant] = ()
) -> tuple[str, ...] | None:
    """To whom a release to these entries (empty: by the label) lets it go under this set; None: ask the source.

    H2 is not passed on without permission. The Centre's own clients, the bureaus, and whomever the source named are
    no passing on (docs/decisions/0016-two-people.md); `clients` are the bureaus' slugs. With a permission it goes to
    exactly those whom it names (0018-permissions.md).
    """
    wanted = tuple(sorted(set(entries)))
    permitted = entries_of(grants)
    if names_nobody(handling):
        return wanted if wanted and set(wanted) <= permitted and handling.tlp is not Tlp.RED else None
    if "H2" not in handling.codes:
        return wanted
    named = {entry for entry in handling.audience if not entry.startswith("person:")} | permitted
    if not wanted:
        named -= permitted - set(handling.audience)
        # The named persons of a RED set are nobody's clients: the label itself keeps it to them.
        return () if handling.tlp is Tlp.RED else tuple(sorted(named | {ALL_MEMBERS}))
    return wanted if set(wanted) <= named | set(clients) | {ALL_MEMBERS} else None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a standing order says."""

    source: str = ""
    """Slug of the organisation; empty: whatever the installation's feeds fetched."""
    formats: tuple[str, ...] = ()
    """Empty: all."""
    audience: tuple[str, ...] = ()
    """Empty: by the label."""
    ceiling: Tlp = Tlp.GREEN
    purposes: tuple[str, ...] = ("PROTECT",)
    starts_on: date = date.min
    ends_on: date = date.min
    """The last day, which counts whole in UTC."""


def refusal_of_terms(terms: Terms, today: date) -> Refusal | None:
    """Why nobody can sign this."""
    if not terms.starts_on <= terms.ends_on <= terms.starts_on + LONGEST_TERM or terms.ends_on < today:
        return Refusal.TERM
    if terms.ceiling not in CEILINGS:
        return Refusal.ASK_SOURCE
    return None if terms.purposes else Refusal.NO_COMMON_PURPOSE


def covers(
    terms: Terms, handling: HandlingSet, source: str, data_format: str, *, is_feed: bool, on: date,
    grants: Permitted = NOTHING,
) -> bool:  # fmt: skip
    """Whether an order with these terms, signed and not stopped, lets such a batch go on that day."""
    return (
        terms.starts_on <= on <= terms.ends_on
        and (terms.source == source if terms.source else is_feed)
        and (not terms.formats or data_format in terms.formats)
        and handling.tlp.rank <= terms.ceiling.rank
        and bool(set(terms.purposes) & set(handling.purposes))
        and refusal_of_content([handling], grants) is None
    )
