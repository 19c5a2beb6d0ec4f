"""The life of a partner agreement: which state may follow which, what is missing for it, what holds at a moment. Pure.

An agreement is signed for whole days in UTC: its last day counts until 23:59:59, the next second is past it. Nothing
has to run for that: what holds is worked out from the agreement and the moment, each time anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum


class State(StrEnum):
    """What people decided last. That it expired is not decided by anybody: see `Standing`."""

    EXPLORED = "explored"
    VETTING = "vetting"
    NEGOTIATED = "negotiated"
    SIGNED = "signed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


class Standing(StrEnum):
    """How an agreement stands at a moment. Only `in-force` lets anything in."""

    PREPARED = "prepared"
    NOT_BEGUN = "not-begun"
    IN_FORCE = "in-force"
    VETTING_LAPSED = "vetting-lapsed"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    TERMINATED = "terminated"


class Basis(StrEnum):
    """Why it is in force."""

    PROCEDURE = "procedure"
    """Vetted, signed and activated here, step by step."""
    TAKEN_OVER = "taken-over"
    """The organisation was a partner before agreements were kept here; nobody vetted it here."""
    PUBLIC = "public"
    """The source publishes for everybody: its own terms of use hold, there is nobody who would sign."""
    EXERCISE = "exercise"
    """An invented partner of the demonstration."""


DATA_TYPES = ("indicators", "victim-data", "malware", "analysis", "referrals", "vulnerabilities")
"""What an agreement may cover."""
PAGE_ONLY = "page-only"
"""Said instead of a fingerprint by a partner that hands over on the page alone."""
FINGERPRINTS = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
PREPARATION = frozenset({State.EXPLORED, State.VETTING, State.NEGOTIATED, State.SIGNED})
RUNNING = frozenset({State.ACTIVE, State.SUSPENDED})

_ALL_GUARDS = (
    "vetting", "term", "not-over", "signature-centre", "signature-partner", "key-ceremony", "security-contact",
    "second-person",
)  # fmt: skip
MOVES: Mapping[State, Mapping[State, tuple[str, ...]]] = {
    State.EXPLORED: {State.VETTING: (), State.TERMINATED: ()},
    State.VETTING: {State.NEGOTIATED: ("vetting",), State.TERMINATED: ()},
    State.NEGOTIATED: {
        State.SIGNED: ("vetting", "term", "not-over", "signature-centre", "signature-partner"),
        State.TERMINATED: (),
    },
    State.SIGNED: {State.ACTIVE: _ALL_GUARDS, State.TERMINATED: ()},
    State.ACTIVE: {State.SUSPENDED: ("not-over",), State.TERMINATED: ("not-over",)},
    State.SUSPENDED: {State.ACTIVE: _ALL_GUARDS, State.TERMINATED: ("not-over",)},
    State.TERMINATED: {},
}
"""State → what may follow → what must hold for that. What expired is at its end: nothing follows it."""

EDITABLE: Mapping[str, frozenset[State]] = {
    "terms": frozenset({State.EXPLORED, State.VETTING, State.NEGOTIATED}),
    "vetting": frozenset({State.VETTING, State.NEGOTIATED, State.SIGNED, State.ACTIVE, State.SUSPENDED}),
    "signatures": frozenset({State.NEGOTIATED, State.SUSPENDED}),
    "security": PREPARATION | RUNNING,
}
"""Part of an agreement → states in which it may be written. What two sides signed is not changed by one of them."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. Days are whole days in UTC; None where nothing was said."""

    state: State = State.EXPLORED
    basis: Basis = Basis.PROCEDURE
    starts_on: date | None = None
    ends_on: date | None = None
    """The last day; None: without an end."""
    vetted_by: str = ""
    vetted_until: date | None = None
    """The last day on which the vetting holds."""
    signed_for_centre: str = ""
    signed_for_centre_on: date | None = None
    signed_for_partner: str = ""
    signed_for_partner_on: date | None = None
    key_fingerprint: str = ""
    security_contact: str = ""


def standing(facts: Facts, at: datetime) -> Standing:
    """How the agreement stands at this moment."""
    if facts.state == State.TERMINATED:
        return Standing.TERMINATED
    if facts.state in PREPARATION:
        return Standing.PREPARED
    today = day_of(at)
    if facts.ends_on is not None and today > facts.ends_on:
        return Standing.EXPIRED
    if facts.state == State.SUSPENDED:
        return Standing.SUSPENDED
    if facts.starts_on is not None and today < facts.starts_on:
        return Standing.NOT_BEGUN
    if not _vetting_holds(facts, today):
        return Standing.VETTING_LAPSED
    return Standing.IN_FORCE


def refusal(agreements: Iterable[Facts], at: datetime) -> str:
    """The reason code with which an organisation of these agreements is refused at this moment; empty: it may."""
    standings = {standing(each, at) for each in agreements}
    if Standing.IN_FORCE in standings:
        return ""
    held_back = {Standing.SUSPENDED, Standing.VETTING_LAPSED, Standing.NOT_BEGUN}
    is_over = Standing.EXPIRED in standings and not held_back & standings
    return "agreement-expired" if is_over else "agreement-not-in-force"


def missing(facts: Facts, to: State, at: datetime, by: str = "") -> tuple[str, ...]:
    """The names of what must still be done before it may go there; `by` is who would do it.

    Raises KeyError for a state that never follows.
    """
    guards = MOVES[facts.state][to]
    if facts.basis in {Basis.PUBLIC, Basis.EXERCISE}:  # There is nobody to vet or to sign.
        guards = tuple(guard for guard in guards if guard == "not-over")
    today = day_of(at)
    return tuple(guard for guard in guards if not _holds(guard, facts, today, by))


def _holds(guard: str, facts: Facts, today: date, by: str) -> bool:
    match guard:
        case "vetting":
            return bool(facts.vetted_by) and facts.vetted_until is not None and today <= facts.vetted_until
        case "term":
            if facts.starts_on is None:
                return facts.basis == Basis.TAKEN_OVER
            return facts.ends_on is None or facts.starts_on <= facts.ends_on
        case "not-over":
            return facts.ends_on is None or today <= facts.ends_on
        case "signature-centre":
            return bool(facts.signed_for_centre) and _is_past(facts.signed_for_centre_on, today)
        case "signature-partner":
            return bool(facts.signed_for_partner) and _is_past(facts.signed_for_partner_on, today)
        case "key-ceremony":
            return bool(facts.key_fingerprint)
        case "security-contact":
            return bool(facts.security_contact.strip())
        case "second-person":
            return not facts.vetted_by or by != facts.vetted_by
    raise KeyError(guard)


def _is_past(on: date | None, today: date) -> bool:
    return on is not None and on <= today


def _vetting_holds(facts: Facts, today: date) -> bool:
    """A vetting that was passed holds until its last day. Only what came in by the procedure must have one."""
    if facts.vetted_until is None:
        return facts.basis != Basis.PROCEDURE
    return today <= facts.vetted_until


def day_of(at: datetime) -> date:
    """The day in UTC."""
    return at.astimezone(UTC).date()


def days_left(facts: Facts, at: datetime) -> int | None:
    """How many days it will be in force after this one; None without an end. Below zero: over for so long."""
    return None if facts.ends_on is None else (facts.ends_on - day_of(at)).days


def clean_fingerprint(text: str) -> str:
    """A fingerprint of a key (40 or 64 hexadecimal digits, however grouped), or the word for none; empty if neither."""
    if text.strip().lower() == PAGE_ONLY:
        return PAGE_ONLY
    digits = re.sub(r"[\s:.-]+", "", text).upper().removeprefix("SHA256").removeprefix("0X")
    return digits if FINGERPRINTS.fullmatch(digits) else ""
