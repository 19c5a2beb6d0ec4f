"""Asking, passing on, answering, taking back, ending. Each is one transaction with its entry in the log.

Each raises Refused(rule) with a word of `rules.Refusal`, NotFound for what the person may not see, or Conflict when
somebody else was there first.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.units import units_below
from tocsin.core.errors import Conflict, NotFound, Refused

from . import narrowing, rules
from .audiences import names_anybody
from .models import Permission, Use
from .rules import Refusal, State, Wish, day_of
from .selectors import sets_named

SYSTEM = "system"
LONGEST_REASON = 1_000


@transaction.atomic
def ask(
    delivery: Delivery, batches: Collection[Batch], wish: Wish, *, reason: str, by: Person, at: datetime
) -> Permission:
    """Ask the delivery's source for these parts of it. What a bureau asks waits for the Centre to pass it on.

    Raises NotFound where the gate does not open every one of them to the person, or one is of another delivery.
    """
    source, asking = delivery.organisation, by.organisation
    wanted = {each.pk for each in batches}
    if visible_batches(viewer_of(by), at).filter(pk__in=wanted, delivery=delivery).count() != len(wanted):
        raise NotFound
    if not may(by, "ask-source"):
        raise Refused(Refusal.NOT_ALLOWED)
    if source.is_centre or source.pk == asking.pk:
        raise Refused(Refusal.OWN_SOURCE)
    digests = sorted({each.handling_set.digest for each in batches})
    _refuse(rules.refusal_of_wish(wish, sets_named(digests), day_of(at)))
    if not asking.is_centre:
        _refuse(rules.refusal_of_bureau(wish, set(units_below(asking).values_list("slug", flat=True))))
    named = wish.audience - {rules.PUBLIC}
    if named and not names_anybody(named, at):
        raise Refused(Refusal.NOBODY)
    text = _said(reason)
    made = Permission(
        source=source, delivery=delivery, sets=digests, audience=sorted(wish.audience), is_standing=wish.is_standing,
        purposes=sorted(wish.purposes), until=wish.until, asked_by=by, asked_for=asking, asked_at=at,
    )  # fmt: skip
    if asking.is_centre:
        made.state, made.reason, made.forwarded_by, made.forwarded_at = Permission.State.ASKED, text, by, at
    else:
        made.state, made.asked_reason = Permission.State.WITH_CENTRE, text
    made.save()
    record(by.login, "permission.asked", _subject(made), _facts(made), at=at)
    return made


@transaction.atomic
def forward(asked: Permission, *, reason: str, by: Person, at: datetime) -> Permission:
    """The Centre passes a bureau's request on to the source, in words of its own."""
    if not (by.organisation.is_centre and may(by, "ask-source")):
        raise Refused(Refusal.NOT_ALLOWED)
    found = _moved(asked, State.WITH_CENTRE, State.ASKED, reason=_said(reason), forwarded_by=by, forwarded_at=at)
    record(by.login, "permission.forwarded", _subject(found), _facts(found), at=at)
    return found


@transaction.atomic
def decline(asked: Permission, *, reason: str, by: Person, at: datetime) -> Permission:
    """The Centre does not pass a bureau's request on, and says why to the bureau."""
    if not (by.organisation.is_centre and may(by, "ask-source")):
        raise Refused(Refusal.NOT_ALLOWED)
    said = {"closed_by": by, "closed_at": at, "closing_reason": _said(reason)}
    found = _moved(asked, State.WITH_CENTRE, State.DECLINED, **said)
    record(by.login, "permission.declined", _subject(found), {"number": found.number}, at=at)
    return found


@transaction.atomic
def cancel(asked: Permission, *, by: Person, at: datetime) -> Permission:
    """Who asked, or a colleague, wants it no longer."""
    if not may(by, "ask-source") or by.organisation_id != asked.asked_for_id:
        raise Refused(Refusal.NOT_ALLOWED)
    was = State.ASKED if asked.state == State.ASKED else State.WITH_CENTRE
    found = _moved(asked, was, State.CANCELLED, closed_by=by, closed_at=at)
    record(by.login, "permission.cancelled", _subject(found), {"number": found.number}, at=at)
    return found


def _require_source(asked: Permission, by: Person) -> None:
    """The source's own people alone: nobody of the Centre, whatever its office, and no secondee of the source there."""
    if by.organisation_id != asked.source_id or by.organisation.is_centre or not may(by, "answer-permissions"):
        raise Refused(Refusal.NOT_ALLOWED)


@transaction.atomic
def grant(asked: Permission, answer: Wish, *, text: str, by: Person, at: datetime) -> Permission:
    """The source permits the whole of what was asked, or less. Two people at the Centre still let it go."""
    _require_source(asked, by)
    _refuse(rules.refusal_of_answer(answer, asked.wish, sets_named(asked.sets), day_of(at)))
    found = _moved(
        asked, State.ASKED, State.GRANTED, permitted_audience=sorted(answer.audience),
        permitted_purposes=sorted(answer.purposes), permitted_standing=answer.is_standing,
        permitted_until=answer.until, answered_by=by, answered_at=at, answer=text.strip()[:LONGEST_REASON],
    )  # fmt: skip
    facts = {
        "number": found.number, "audience": found.permitted_audience, "purposes": found.permitted_purposes,
        "standing": found.permitted_standing, "until": answer.until.isoformat(),
    }  # fmt: skip
    record(by.login, "permission.granted", _subject(found), facts, at=at)
    return found


@transaction.atomic
def refuse(asked: Permission, *, reason: str, by: Person, at: datetime) -> Permission:
    """The source says no, and why."""
    _require_source(asked, by)
    said = {"answered_by": by, "answered_at": at, "answer": _said(reason)}
    found = _moved(asked, State.ASKED, State.REFUSED, **said)
    record(by.login, "permission.refused", _subject(found), {"number": found.number}, at=at)
    return found


@transaction.atomic
def withdraw(granted: Permission, *, reason: str, by: Person, at: datetime) -> int:
    """The source takes its permission back: nobody sees anything on its strength from the commit on.

    Says how many batches had gone out on it. What was taken of them stays with who took it: that needs a recall.
    """
    _require_source(granted, by)
    said = {"closed_by": by, "closed_at": at, "closing_reason": _said(reason)}
    found = _moved(granted, State.GRANTED, State.WITHDRAWN, **said)
    closed = narrowing.narrow(found, day_of(at))
    record(by.login, "permission.withdrawn", _subject(found), {"number": found.number, "batches": closed}, at=at)
    return Use.objects.filter(permission=found).count()


def note_use(permissions: Collection[Permission], batches: Collection[Batch], *, purpose: bool, at: datetime) -> None:
    """Keep that these batches are let go on the strength of these permissions; in the transaction that does so."""
    Use.objects.bulk_create(
        [Use(permission=one, batch=each, is_for_purpose=purpose, at=at) for one in permissions for each in batches],
        ignore_conflicts=True,
    )
    if purpose:
        Use.objects.filter(permission__in=permissions, batch__in=batches).update(is_for_purpose=True)


def tick(now: datetime) -> None:
    """End what is over; put before a source again what it did not answer."""
    today = day_of(now)
    for each in Permission.objects.filter(state=State.GRANTED, permitted_until__lt=today):
        with transaction.atomic():
            changed = Permission.objects.filter(pk=each.pk, state=State.GRANTED)
            if changed.update(state=State.ENDED, closed_at=now):
                each.state = Permission.State.ENDED
                facts = {"number": each.number, "batches": narrowing.narrow(each, today)}
                record(SYSTEM, "permission.ended", _subject(each), facts, at=now)
    then = now - rules.REMIND_EVERY
    late = Q(reminded_at=None, forwarded_at__lte=then) | Q(reminded_at__lte=then)
    for each in Permission.objects.filter(late, state=State.ASKED, reminders__lt=rules.MOST_REMINDERS):
        with transaction.atomic():
            same = Permission.objects.filter(pk=each.pk, state=State.ASKED, reminders=each.reminders)
            if same.update(reminded_at=now, reminders=F("reminders") + 1):
                facts = {"number": each.number, "reminder": each.reminders + 1}
                record(SYSTEM, "permission.reminded", _subject(each), facts, at=now)


def _moved(asked: Permission, was: State, becomes: State, **said: Any) -> Permission:
    """The request in its next state. Of two who move it at once, one gets Conflict, on any database."""
    if not Permission.objects.filter(pk=asked.pk, state=was).update(state=becomes, **said):
        raise Conflict("somebody else decided on this meanwhile")
    return Permission.objects.select_related("source", "delivery", "asked_by", "asked_for").get(pk=asked.pk)


def _said(reason: str) -> str:
    if not reason.strip():
        raise Refused(Refusal.NO_REASON)
    return reason.strip()[:LONGEST_REASON]


def _subject(asked: Permission) -> str:
    return f"permission:{asked.pk}"


def _facts(asked: Permission) -> dict[str, object]:
    return {
        "number": asked.number, "delivery": asked.delivery_id, "audience": asked.audience, "purposes": asked.purposes,
        "standing": asked.is_standing, "until": asked.until.isoformat(), "for": asked.asked_for.slug,
    }  # fmt: skip


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)
