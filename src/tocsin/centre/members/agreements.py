"""Agreements with partners: what lets a delivery in, and each step of their life. Every change is recorded.

Reading asks `refusal_of` with the moment of the receipt: an end, a suspension or a lapsed vetting act at once, by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.questions import Question
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.core.grading import grade_of
from tocsin.handling import TOLD_TOGETHER, default_set, require_said, wider_fields

from . import countries
from .agreement_states import (
    DATA_TYPES,
    EDITABLE,
    MOVES,
    PREPARATION,
    RUNNING,
    Basis,
    Standing,
    State,
    clean_fingerprint,
    day_of,
    days_left,
    missing,
    refusal,
    standing,
)
from .models import Agreement, Organisation
from .rules import side_of

WARN_DAYS = 60
"""How long before its end an agreement, or its vetting, is called to mind."""
VETTING_MOST = timedelta(days=5 * 366)
"""Who owns a partner and how it behaves is looked at again at the latest then."""
VETTING_NOTES = ("ownership", "jurisdiction", "conflicts", "security", "human_rights")
NEEDS_REASON = frozenset({State.SUSPENDED, State.TERMINATED})
LONGEST_NOTE = 4_000
DEFAULTS_CHANGED = "agreement.defaults-changed"


def needs_agreement(organisation: Organisation) -> bool:
    """Partners do. The Centre, the bureaus and their units take part by membership."""
    return side_of(organisation) == "partner"


def agreements_of(organisation: Organisation) -> QuerySet[Agreement]:
    """All that was ever concluded or prepared with it, the newest first."""
    return Agreement.objects.filter(organisation=organisation).order_by("-pk")


_AGREEMENTS = Question(lambda number: Agreement.objects.filter(organisation=number).order_by("-pk"), -1)


def refusal_of(organisation: Organisation, at: datetime) -> str:
    """The reason code with which nothing is taken in from it at this moment; empty: its deliveries are welcome."""
    at = judged_at(at)
    return countries.refusal_of(organisation, at) or _refusal_by_agreement(organisation, at)


def _refusal_by_agreement(organisation: Organisation, at: datetime) -> str:
    if not needs_agreement(organisation):
        return ""
    return refusal((each.facts for each in _AGREEMENTS(organisation.pk)), at)


def require_agreement(organisation: Organisation, at: datetime) -> None:
    """For programs that read: a restricted country goes on reading. Raises InputError with the code."""
    if code := _refusal_by_agreement(organisation, judged_at(at)):
        raise InputError(code, field="agreement", excerpt=organisation.slug)


def require_in_force(organisation: Organisation, at: datetime) -> None:
    """Raises InputError with the code: of an agreement that is over or not in force, of a country that is held off."""
    if code := refusal_of(organisation, at):
        raise InputError(code, field="agreement", excerpt=organisation.slug)


def data_types_of(organisation: Organisation, at: datetime) -> frozenset[str]:
    """What the agreement that was in force at this moment lets it hand over; empty: everything."""
    if not needs_agreement(organisation):
        return frozenset()
    held = [each for each in _AGREEMENTS(organisation.pk) if standing(each.facts, at) == Standing.IN_FORCE]
    return frozenset(held[0].data_types) if held else frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """A state that may follow, and what is still missing for it."""

    to: State
    missing: tuple[str, ...]
    needs_reason: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """An agreement with how it stands at a moment."""

    agreement: Agreement
    standing: Standing
    days_left: int | None
    vetting_days_left: int | None
    steps: tuple[Step, ...] = ()

    @property
    def is_ending(self) -> bool:
        """Whether its term, or the vetting it needs, ends soon while it is still in force."""
        left = [days for days in (self.days_left, self.vetting_days_left) if days is not None]
        return self.standing == Standing.IN_FORCE and any(days <= WARN_DAYS for days in left)

    @property
    def term_days(self) -> tuple[int, int] | None:
        """Days that went by, and all days of the term; None for one without beginning or end."""
        first, last = self.agreement.starts_on, self.agreement.ends_on
        if first is None or last is None or self.days_left is None:
            return None
        total = (last - first).days + 1
        return min(max(total - self.days_left - 1, 0), total), total


def shown(agreement: Agreement, at: datetime, by: str = "") -> Shown:
    """How it stands; with the steps that `by` could take, where a person is named."""
    facts = agreement.facts
    vetting = days_left(replace(facts, ends_on=facts.vetted_until), at)
    how = standing(facts, at)
    following = MOVES[facts.state] if by and how != Standing.EXPIRED else ()
    steps = tuple(Step(to, missing(facts, to, at, by), to in NEEDS_REASON) for to in following)
    return Shown(agreement, how, days_left(facts, at), vetting, steps)


@dataclass(frozen=True, slots=True)
class Held:
    """What an organisation has: the agreement that runs or ran last, one that is prepared, and older ones."""

    current: Shown | None
    prepared: Shown | None
    older: tuple[Shown, ...]

    @property
    def standing(self) -> str:
        """Of the current one; `prepared` before there is any, `none` without any."""
        found = self.current or self.prepared
        return found.standing if found else "none"


def held_by(organisation: Organisation, at: datetime, by: str = "") -> Held:
    """All its agreements as they stand at this moment."""
    return _held([shown(each, at, by) for each in agreements_of(organisation)])


def _held(found: list[Shown]) -> Held:
    prepared = next((each for each in found if each.standing == Standing.PREPARED), None)
    concluded = [each for each in found if each is not prepared]
    # Before the next one begins, the one that is in force counts.
    current = next((each for each in concluded if each.standing == Standing.IN_FORCE), None) or next(
        iter(concluded), None
    )
    return Held(current, prepared, tuple(each for each in concluded if each is not current))


def held_by_all(organisations: Iterable[Organisation], at: datetime) -> dict[int, Held]:
    """Number of each partner → its agreements; in one read."""
    partners = {each.pk: each for each in organisations if needs_agreement(each)}
    found: dict[int, list[Shown]] = {pk: [] for pk in partners}
    for each in Agreement.objects.filter(organisation__in=partners).order_by("-pk"):
        found[each.organisation_id].append(shown(each, at))
    return {pk: _held(listed) for pk, listed in found.items()}


def ending(at: datetime, only: Organisation | None = None) -> set[int]:
    """Numbers of the organisations whose agreement or vetting ends soon, or lapsed, with none in force to follow."""
    soon = day_of(at) + timedelta(days=WARN_DAYS)
    watched = Agreement.objects.filter(state=State.ACTIVE, organisation__is_active=True)
    if only is not None:
        watched = watched.filter(organisation=only)
    dated = (watched.filter(ends_on__lte=soon) | watched.filter(vetted_until__lte=soon)).order_by()
    found = held_by_all(Organisation.objects.filter(pk__in=dated.values("organisation")), at)
    return {
        pk for pk, held in found.items()
        if held.current and (held.current.is_ending or held.current.standing == Standing.VETTING_LAPSED)
        and not _is_followed(held)
    }  # fmt: skip


def _is_followed(held: Held) -> bool:
    """Whether the next one is concluded and begins when this one ends."""
    last = held.current.agreement.ends_on if held.current else None
    return last is not None and any(
        each.standing == Standing.NOT_BEGUN
        and each.agreement.starts_on is not None
        and each.agreement.starts_on <= last + timedelta(days=1)
        for each in held.older
    )


@transaction.atomic
def prepare(organisation: Organisation, *, by: str, at: datetime) -> Agreement:
    """A new agreement, explored; with the terms of the last one. Raises Conflict when one is prepared already."""
    if not needs_agreement(organisation):
        raise Refused("this organisation takes part by membership")
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    if agreements_of(organisation).filter(state__in=PREPARATION).exists():
        raise Conflict("an agreement is being prepared already")
    last = agreements_of(organisation).first()
    taken = ("title", "data_types", "survival", "security_contact", *VETTING_NOTES)
    made = Agreement.objects.create(
        organisation=organisation, created_at=at, **({name: getattr(last, name) for name in taken} if last else {})
    )
    _record(made, "agreement.prepared", {}, by, at)
    return made


@transaction.atomic
def begin(organisation: Organisation, basis: Basis | None, *, by: str, at: datetime) -> Agreement:
    """The first agreement of a new partner: in force at once for whom the procedure is not meant, else explored."""
    if basis is None:
        return prepare(organisation, by=by, at=at)
    made = Agreement.objects.create(
        organisation=organisation, basis=basis.value, state=State.ACTIVE.value, created_at=at
    )
    _record(made, "agreement.begun", {"basis": basis.value}, by, at)
    return made


@transaction.atomic
def change_terms(
    agreement: Agreement, *, title: str, starts_on: date | None, ends_on: date | None, data_types: list[str],
    survival: str, by: str, at: datetime,
) -> None:  # fmt: skip
    """What is being negotiated. Signatures below other terms fall. Raises InputError or Conflict."""
    found = _locked(agreement, "terms")
    if starts_on and ends_on and ends_on < starts_on:
        raise InputError("invalid-object", field="ends_on")
    if set(data_types) - set(DATA_TYPES):
        raise InputError("invalid-object", field="data_types")
    said = {
        "title": title, "starts_on": starts_on, "ends_on": ends_on,
        "data_types": [name for name in DATA_TYPES if name in data_types], "survival": survival[:LONGEST_NOTE],
    }  # fmt: skip
    changed = sorted(name for name, value in said.items() if getattr(found, name) != value)
    if changed:
        unsigned = dict.fromkeys(("signed_for_centre", "signed_for_partner"), "") | dict.fromkeys(
            ("signed_for_centre_on", "signed_for_partner_on")
        )
        _write(agreement, found, {**said, **unsigned})
        _record(found, "agreement.changed", {"part": "terms", "changed": changed, **_term(found)}, by, at)


@transaction.atomic
def pass_vetting(agreement: Agreement, *, notes: Mapping[str, str], until: date, by: str, at: datetime) -> None:
    """Somebody looked at all five and lets the partner pass until a day. Raises InputError for a missing note."""
    found = _locked(agreement, "vetting")
    for name in VETTING_NOTES:
        if not notes.get(name, "").strip():
            raise InputError("missing-field", field=name)
    if not day_of(at) <= until <= day_of(at) + VETTING_MOST:
        raise InputError("vetting-out-of-bounds", field="vetted_until", excerpt=until.isoformat())
    said = {name: notes[name].strip()[:LONGEST_NOTE] for name in VETTING_NOTES}
    _write(agreement, found, {**said, "vetted_by": by, "vetted_at": at, "vetted_until": until})
    _record(found, "agreement.vetted", {"until": until.isoformat()}, by, at)


@transaction.atomic
def note_signatures(
    agreement: Agreement, *, for_centre: str, for_centre_on: date, for_partner: str, for_partner_on: date, by: str,
    at: datetime,
) -> None:  # fmt: skip
    """Who signed for both sides, and when. Raises InputError for a day to come."""
    found = _locked(agreement, "signatures")
    if max(for_centre_on, for_partner_on) > day_of(at):
        raise InputError("time-in-future", field="signed_on")
    said = {
        "signed_for_centre": for_centre, "signed_for_centre_on": for_centre_on, "signed_for_partner": for_partner,
        "signed_for_partner_on": for_partner_on,
    }  # fmt: skip
    _write(agreement, found, said)
    _record(found, "agreement.changed", {"part": "signatures"}, by, at)


@transaction.atomic
def note_security(agreement: Agreement, *, key_fingerprint: str, contact: str, by: str, at: datetime) -> None:
    """The partner's key as it was compared in a second way, and whom to call. Raises InputError for no fingerprint."""
    found = _locked(agreement, "security")
    cleaned = clean_fingerprint(key_fingerprint)
    if key_fingerprint.strip() and not cleaned:
        raise InputError("invalid-object", field="key_fingerprint", excerpt=key_fingerprint[:80])
    _write(agreement, found, {"key_fingerprint": cleaned, "security_contact": contact.strip()})
    _record(found, "agreement.changed", {"part": "security", "key": cleaned}, by, at)


@transaction.atomic
def change_defaults(
    organisation: Organisation, defaults: Mapping[str, object], *, agreed_by: str = "", agreed_on: date | None = None,
    by: str, at: datetime,
) -> None:  # fmt: skip
    """What holds from now on for whatever the partner does not say. Raises InputError for a contradiction, and for what
    goes further than what two sides signed, unless it is named who agreed to that for the partner, and when."""
    found = Organisation.objects.select_for_update().get(pk=organisation.pk)
    wanted = {name: value for name, value in {**found.defaults, **defaults}.items() if value or name != "restrictions"}
    new, old = default_set(wanted, None)[0], default_set(found.defaults, None)[0]
    if TOLD_TOGETHER & set(defaults):
        require_said(new)
    if wanted.get("grade"):
        grade_of(str(wanted["grade"]))
    if agreed_on is not None and agreed_on > day_of(at):
        raise InputError("time-in-future", field="agreed_on")
    facts: dict[str, object] = {}
    if agreed_by.strip() and agreed_on is not None:
        facts = {"agreed_by": agreed_by.strip()[:160], "agreed_on": agreed_on.isoformat()}
    elif is_signed(found) and (wider := wider_fields(new, old, _bureaus())):
        raise InputError("defaults-not-agreed", field="agreed_by", excerpt=" ".join(wider))
    if wanted != found.defaults:
        changed = {name: value for name, value in wanted.items() if found.defaults.get(name) != value}
        found.defaults = organisation.defaults = wanted
        found.save(update_fields=["defaults"])
        record(by, DEFAULTS_CHANGED, f"organisation:{found.pk}", {"defaults": changed, **facts}, at=at)


def is_signed(organisation: Organisation) -> bool:
    """Whether two sides signed something that still binds: then neither changes it alone."""
    held = agreements_of(organisation).filter(basis=Basis.PROCEDURE.value)
    return held.filter(state__in=[State.SIGNED.value, *RUNNING]).exists()


def _bureaus() -> list[str]:
    return list(Organisation.objects.filter(is_bureau=True).values_list("slug", flat=True))


@transaction.atomic
def move(agreement: Agreement, to: State, *, reason: str = "", by: str, at: datetime) -> None:
    """Take the next step. Raises Conflict when another step was taken meanwhile, Refused for what is missing."""
    found = Agreement.objects.select_for_update().get(pk=agreement.pk)
    before = State(found.state)
    if before != State(agreement.state) or to not in MOVES[before]:
        raise Conflict("another step was taken meanwhile")
    lacking = missing(found.facts, to, at, by)
    if lacking:
        raise Refused("the agreement lacks what this step needs", " ".join(lacking))
    if to in NEEDS_REASON and not reason.strip():
        raise InputError("missing-field", field="reason")
    if to == State.ACTIVE and before == State.SIGNED:
        _end_earlier(found, by, at)
    _write(agreement, found, {"state": to.value})
    _record(found, "agreement.moved", {"from": before, "to": to.value, "reason": reason[:LONGEST_NOTE]}, by, at)


def _end_earlier(successor: Agreement, by: str, at: datetime) -> None:
    """What ran before ends the day before the new one begins: two never hold at once."""
    assert successor.starts_on is not None
    last = successor.starts_on - timedelta(days=1)
    for each in agreements_of(successor.organisation).filter(state__in=RUNNING).select_for_update():
        if each.ends_on is not None and each.ends_on <= last:
            continue
        if each.starts_on is not None and each.starts_on > last:
            _write(each, each, {"state": State.TERMINATED.value})
        else:
            _write(each, each, {"ends_on": last})
        _record(each, "agreement.succeeded", {"by": successor.number, **_term(each)}, by, at)


def _locked(agreement: Agreement, part: str) -> Agreement:
    """The row as it stands, held until the end of the transaction."""
    found = Agreement.objects.select_for_update().get(pk=agreement.pk)
    if State(found.state) not in EDITABLE[part]:
        raise Conflict("this part is settled in the state that the agreement has")
    return found


def _write(given: Agreement, found: Agreement, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(found, name, value)
        setattr(given, name, value)
    found.save(update_fields=list(values))


def _term(agreement: Agreement) -> dict[str, str]:
    days = {"starts_on": agreement.starts_on, "ends_on": agreement.ends_on}
    return {name: day.isoformat() if day else "" for name, day in days.items()}


def _record(agreement: Agreement, action: str, detail: Mapping[str, object], by: str, at: datetime) -> None:
    facts = {"agreement": agreement.number, **detail}
    record(by, action, f"organisation:{agreement.organisation_id}", facts, at=at)
