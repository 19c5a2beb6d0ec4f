"""Emergency access: asking, approving, ending, and who has one open. Every step is recorded and rings the alarm."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.selectors import found
from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.handling import Viewer

from .emergency_states import (
    ACCOUNT_SETTLES,
    HOURS_MOST,
    WAITS,
    Standing,
    missing_to_approve,
    opens_for,
    standing,
)
from .models import EmergencyAccess, Organisation, Person
from .rules import CLEARANCES, may
from .selectors import NOBODY

LONGEST_REASON = 1_000
AT_ONCE = 3
"""Requests of one person that wait or are open: among many lines of alarm nobody would see the one that matters."""
RECENT = WAITS * (HOURS_MOST + 2)
"""What was asked for earlier than this can no longer be waiting or open."""
MISSING = {
    "role": "no role of yours approves an emergency access",
    "waiting": "it does not wait for approval any more",
    "second-person": "another person than the one who asks must approve",
    "settled-account": "the one who asks has lately made or changed your account",
}


def viewer_in_emergency(person: Person) -> Viewer:
    """Who the gate is asked for: an analyst of the Centre who is named nowhere, so that TLP:RED stays closed."""
    organisation = person.organisation
    if not organisation.is_centre or not may(person, "ask-emergency"):
        return NOBODY
    return Viewer(
        organisation=organisation.slug, class_name=organisation.class_name, country=organisation.country,
        is_centre=True, is_victim_desk=True, clearance=CLEARANCES["centre"],
    )  # fmt: skip


@transaction.atomic
def ask(
    *, person: Person, reason: str, hours: int, receipt: str = "", organisation: Organisation | None = None,
    at: datetime,
) -> EmergencyAccess:  # fmt: skip
    """Ask for one delivery, or for those of one organisation. Whether a receipt exists is not told before it is open.

    Raises Refused without a role for it, InputError for a request that names not exactly one thing or no reason, and
    Conflict while as many of the person's own wait or are open as may be.
    """
    at = judged_at(at)
    if not may(person, "ask-emergency"):
        raise Refused("no role of yours asks for an emergency access")
    if not 1 <= hours <= HOURS_MOST:
        raise InputError("invalid-object", field="hours", excerpt=str(hours))
    if bool(receipt) == (organisation is not None):
        raise InputError("invalid-object", field="receipt")
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InputError("missing-field", field="reason")
    Person.objects.select_for_update(of=("self",)).get(pk=person.pk)  # Two requests at once count each other.
    own = EmergencyAccess.objects.filter(asked_by=person, ended_at=None, asked_at__gte=at - RECENT)
    if sum(standing(each.facts, at) in {Standing.ASKED, Standing.OPEN} for each in own) >= AT_ONCE:
        raise Conflict("as many requests of this person wait or are open as may be")
    made = EmergencyAccess.objects.create(
        asked_by=person, asked_at=at, reason=reason.strip(), hours=hours, receipt=receipt, organisation=organisation
    )
    facts = {"reason": made.reason, "hours": hours, "what": made.what}
    record(person.login, "emergency.asked", made.subject, facts, at=at)
    return made


@transaction.atomic
def approve(*, access: EmergencyAccess, by: Person, at: datetime) -> None:
    """The second person opens it. Raises Refused with what is missing, Conflict where somebody was first."""
    at = judged_at(at)
    access = EmergencyAccess.objects.select_for_update(of=("self",)).get(pk=access.pk)
    word = missing(access, by, at)
    if word or not may(access.asked_by, "ask-emergency"):
        raise Refused(MISSING[word or "waiting"])
    waiting = EmergencyAccess.objects.filter(pk=access.pk, approved_at=None, ended_at=None)
    if not waiting.update(approved_by=by, approved_at=at):
        raise Conflict("another person was first")
    record(by.login, "emergency.approved", access.subject, {"for": access.asked_by.login, "what": access.what}, at=at)


def missing(access: EmergencyAccess, by: Person, at: datetime) -> str:
    """Why this person cannot approve it; a word of MISSING, empty where the person can."""
    touched = found(
        actor=access.asked_by.login, action="person.", subject=f"person:{by.pk}", since=at - ACCOUNT_SETTLES
    )
    return missing_to_approve(
        access.facts,
        by.pk,
        may_approve=may(by, "approve-emergency"),
        is_settled=not touched.exists(),
        now=judged_at(at),
    )


@transaction.atomic
def end(*, access: EmergencyAccess, by: Person, at: datetime) -> None:
    """Either of the two ends it at once, and so does whoever could approve one. Raises Refused for others."""
    if not may_end(access, by):
        raise Refused("only the two who opened it, and those who approve, end an emergency access")
    if EmergencyAccess.objects.filter(pk=access.pk, ended_at=None).update(ended_by=by, ended_at=at):
        record(by.login, "emergency.ended", access.subject, {"for": access.asked_by.login}, at=at)


def may_end(access: EmergencyAccess, by: Person) -> bool:
    """Whether this person's word ends it."""
    return by.pk in {access.asked_by_id, access.approved_by_id} or may(by, "approve-emergency")


def sweep(now: datetime) -> None:
    """Note in the log which lapsed and which are over: they opened nothing since, and are entered once."""
    for access in EmergencyAccess.objects.filter(ended_at=None).select_related("asked_by"):
        word = standing(access.facts, now)
        if word in {Standing.OVER, Standing.LAPSED} and access.asked_at <= now:
            with transaction.atomic():
                if EmergencyAccess.objects.filter(pk=access.pk, ended_at=None).update(ended_at=now):
                    facts = {"for": access.asked_by.login, "was": word.value}
                    record("system", "emergency.ended", access.subject, facts, at=now)


def open_to(person: Person, key: int, now: datetime) -> EmergencyAccess:
    """The access that is open to this person at this moment. NotFound otherwise, whatever the reason."""
    access = all_of().filter(pk=key).first()
    if access is None or not may(person, "ask-emergency") or not opens_for(access.facts, person.pk, judged_at(now)):
        raise NotFound
    return access


def all_of() -> QuerySet[EmergencyAccess]:
    """Every one there ever was, the newest first."""
    return EmergencyAccess.objects.select_related("asked_by", "approved_by", "ended_by", "organisation").order_by("-pk")


def alarms_for(person: Person | AnonymousUser, now: datetime) -> list[tuple[EmergencyAccess, Standing]]:
    """What every page of the Centre's people says: those that are open, then those that wait for approval."""
    if not isinstance(person, Person) or not may(person, "read-emergencies"):
        return []
    now = judged_at(now)
    # Every page asks, and nearly always there is none: people and organisation are fetched where there is one.
    recent = EmergencyAccess.objects.filter(ended_at=None, asked_at__gte=now - RECENT).order_by("-pk")
    recent = recent.prefetch_related("asked_by", "approved_by")
    found_now = [(each, standing(each.facts, now)) for each in recent]
    return [each for wanted in (Standing.OPEN, Standing.ASKED) for each in found_now if each[1] is wanted]
