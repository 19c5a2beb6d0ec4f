"""The function that says who may see what. Order of the rules follows DOMAIN section 4.4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.core.words import Tlp

from .sets import CLASSIFICATIONS, HandlingSet


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks. Built from the person's rows at the time of asking, never cached beyond 60 seconds."""

    person: str = ""
    organisation: str = ""
    class_name: str = ""
    """law-enforcement, public-body, private or academia; empty: nobody is signed in."""
    country: str = ""
    is_centre: bool = False
    is_bureau: bool = False
    is_victim_desk: bool = False
    bureau: str = ""
    """Slug of the bureau that authorised a national unit; empty for others."""
    above: frozenset[str] = frozenset()
    """Slugs of every organisation that the viewer's own stands below, and `country:FR` for the countries of these."""
    employer: str = ""
    """Slug of a secondee's employer."""
    employer_class: str = "private"
    employer_is_bureau: bool = False
    employer_above: frozenset[str] = frozenset()
    """What stands above the employer, with its country, as in `above`."""
    clearance: str = "official-use"
    country_suspended: bool = False
    ceiling: Tlp | None = None
    """Narrowest label that may be read this way, as a key for programs says it; None: whatever the rest allows."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of the batch beside its handling set."""

    source: str
    """Slug of the organisation that handed it over."""
    hidden_at: datetime | None = None
    expires_at: datetime | None = None
    named: frozenset[str] = frozenset()
    """Logins named by the source, for TLP:RED."""
    released_to: tuple[str, ...] | None = None
    """None: not released, it stays between its source and the Centre. Empty: released to whomever its handling set
    lets have it. Else to these of them only: organisation slugs, `country:FR`, `class:academia`, `all-members`."""
    permitted_to: tuple[str, ...] = ()
    """To whom the source permitted it when it was asked, beyond its label, and two people let it go; and units to which
    a bureau that has it passed it on, as its label lets it: as `released_to`. No exclusion, classification or TLP:RED
    gives way to it."""
    is_private: bool = False
    """What one member sent straight to others: the Centre carries it and does not read it (DOMAIN 2.1)."""


class Reason(StrEnum):
    """Why somebody sees a batch, or does not. For those who release: nobody else may learn who is excluded."""

    SOURCE = "source"
    """Who handed it over."""
    CENTRE = "centre"
    NAMED = "named"
    """A person whom the source named, for TLP:RED."""
    ADDRESSED = "addressed"
    """The source named the organisation, its country, or all members."""
    LABEL = "label"
    """The label itself lets it go there."""
    PERMITTED = "permitted"
    """The source was asked, and permitted it; or a bureau passed it on to a unit of its own."""

    NOT_SIGNED_IN = "not-signed-in"
    SUSPENDED = "suspended"
    HIDDEN = "hidden"
    EXPIRED = "expired"
    EXCLUDED = "excluded"
    NOT_RELEASED = "not-released"
    NOT_IN_RELEASE = "not-in-release"
    """It was released, and to others."""
    PRIVATE = "private"
    """Between members: not for the Centre's people."""
    CLEARANCE = "clearance"
    CEILING = "ceiling"
    """The label is narrower than the key in hand may read."""
    EMPLOYER = "employer"
    """A secondee's employer may not have it."""
    LABEL_FORBIDS = "label-forbids"

    @property
    def is_shown(self) -> bool:
        """Whether it is a reason for seeing."""
        return self in _SHOWN


_SHOWN = frozenset({Reason.SOURCE, Reason.CENTRE, Reason.NAMED, Reason.ADDRESSED, Reason.LABEL, Reason.PERMITTED})


def may_see(viewer: Viewer, handling: HandlingSet, facts: Facts, now: datetime) -> bool:
    """Whether the viewer may see that the batch exists and what is in it (victim rows have one rule more).

    False means: answer exactly as if it did not exist.
    """
    return explain(viewer, handling, facts, now) in _SHOWN


def explain(viewer: Viewer, handling: HandlingSet, facts: Facts, now: datetime) -> Reason:
    """The rule that decides whether the viewer may see it: the first that forbids, else the one that allows."""
    if not viewer.class_name:
        return Reason.NOT_SIGNED_IN
    if viewer.country_suspended:
        return Reason.SUSPENDED
    if facts.hidden_at is not None and facts.hidden_at <= now:
        return Reason.HIDDEN
    if facts.expires_at is not None and facts.expires_at <= now:
        return Reason.EXPIRED
    if _excluded(viewer, handling):
        return Reason.EXCLUDED
    if viewer.ceiling is not None and handling.tlp.rank > viewer.ceiling.rank:
        return Reason.CEILING  # Before the source's own right: it says what may be read this way, whoever sent it.
    if viewer.organisation == facts.source:
        return Reason.SOURCE
    if facts.is_private and viewer.is_centre:
        return Reason.PRIVATE  # Before TLP:RED too: who is named there is meant at home, and not in a seat here.
    if not viewer.is_centre and not _released(viewer, facts.released_to):
        return Reason.NOT_RELEASED if facts.released_to is None else Reason.NOT_IN_RELEASE
    if CLASSIFICATIONS.index(handling.classification) > CLASSIFICATIONS.index(viewer.clearance):
        return Reason.CLEARANCE
    by_employer = not viewer.employer or _by_label(_at_employer(viewer), handling, facts).is_shown
    if not by_employer and handling.tlp not in {Tlp.GREEN, Tlp.AMBER}:
        # A secondee sees what both the seat and the employer may see; what the Centre was given to work with covers
        # its seat, unless the source excludes the employer or its class.
        return Reason.EMPLOYER
    return _by_label(viewer, handling, facts)


def _released(viewer: Viewer, released_to: tuple[str, ...] | None) -> bool:
    """Whether two people, or an order that two people signed, let it go to the viewer (DOMAIN 0, rule 5)."""
    return released_to is not None and (not released_to or _is_among(viewer, released_to))


def _is_among(viewer: Viewer, entries: tuple[str, ...]) -> bool:
    """Whether an audience names the viewer's organisation, its country or its class, or all bureaus and it is one."""
    names = {viewer.organisation, f"country:{viewer.country}", f"class:{viewer.class_name}"}
    names -= {"", "country:", "class:"}
    return bool(names & set(entries)) or (viewer.is_bureau and "all-members" in entries)


def _excluded(viewer: Viewer, handling: HandlingSet) -> bool:
    """An exclusion of an organisation, a country or a class reaches whatever stands below it, and whom it seconded."""
    against = {viewer.organisation, viewer.bureau, f"country:{viewer.country}", f"class:{viewer.class_name}"}
    against |= viewer.above | viewer.employer_above
    if viewer.employer:
        against |= {viewer.employer, f"class:{viewer.employer_class}"}
    return not against.isdisjoint(handling.exclusions)


def _at_employer(viewer: Viewer) -> Viewer:
    """A secondee as if still with the employer."""
    return Viewer(
        person=viewer.person, organisation=viewer.employer, class_name=viewer.employer_class,
        is_bureau=viewer.employer_is_bureau,
    )  # fmt: skip


def _by_label(viewer: Viewer, handling: HandlingSet, facts: Facts) -> Reason:
    """The label's own audience (DOMAIN 3.3): the Centre's clients are the bureaus, theirs the national units.

    Whom the source permitted stands beside it; TLP:RED is for the persons whom it names and nobody else.
    """
    reason = _by_label_alone(viewer, handling, facts)
    if reason is Reason.LABEL_FORBIDS and handling.tlp is not Tlp.RED and _is_among(viewer, facts.permitted_to):
        return Reason.PERMITTED
    return reason


def _by_label_alone(viewer: Viewer, handling: HandlingSet, facts: Facts) -> Reason:
    addressed = {viewer.organisation, f"country:{viewer.country}"} - {"", "country:"}
    in_audience = bool(addressed & set(handling.audience)) or (viewer.is_bureau and "all-members" in handling.audience)
    match handling.tlp:
        case Tlp.CLEAR:
            by_label = True
        case Tlp.GREEN:
            by_label = viewer.class_name in {"law-enforcement", "public-body"}
        case Tlp.AMBER:
            by_label = viewer.is_bureau and not handling.audience
        case Tlp.AMBER_STRICT:
            if viewer.organisation not in handling.audience:
                return Reason.CENTRE if viewer.is_centre else Reason.LABEL_FORBIDS
            return Reason.ADDRESSED
        case Tlp.RED:
            return Reason.NAMED if viewer.person and viewer.person in facts.named else Reason.LABEL_FORBIDS
    if viewer.is_centre:
        return Reason.CENTRE
    if in_audience:
        return Reason.ADDRESSED
    return Reason.LABEL if by_label else Reason.LABEL_FORBIDS


def may_see_victims(viewer: Viewer, facts: Facts, row_country: str) -> bool:
    """Whether rows with the role of a victim are shown (DOMAIN 4.9): own country, victim desk, source."""
    if viewer.organisation == facts.source or viewer.is_victim_desk:
        return True
    return bool(viewer.country) and viewer.country == row_country and viewer.class_name == "law-enforcement"


def purposes_allow(handling: HandlingSet, purpose: str) -> bool:
    """Whether the source agreed to this purpose; every use beyond needs its consent."""
    return purpose in handling.purposes
