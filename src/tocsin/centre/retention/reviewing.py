"""Terms that come near their end: who is asked, what they decide (R6)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery

from tocsin.centre.analysis.services import drawn_from
from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.intake.deliveries import deliveries_for
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import Part
from tocsin.centre.rows import InTurn
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.handling import retention
from tocsin.reference.retention import retention as said

from . import journal
from .models import Review

LONGEST_REASON = 2000
FIRST_TO_END = (Part(("expires_at", "pk")),)


def due_for(person: Person, now: datetime, within: timedelta | None = None) -> QuerySet[Delivery]:
    """Deliveries of which a part that the person sees ends soon, in no particular order."""
    ending = ending_for(person, now, within)
    return Delivery.objects.filter(pk__in=ending.order_by().values("delivery"))


def ending_for(person: Person, now: datetime, within: timedelta | None = None) -> QuerySet[Batch]:
    """The first part to end of each delivery of which the person sees one that ends soon, the nearest end first.

    What somebody decided to let end is no longer asked about.
    """
    if not may(person, "review-terms"):
        return Batch.objects.none()
    until = now + (within or said().reminders[0])
    seen = visible_batches(viewer_of(person), now)
    of_same = seen.filter(delivery=OuterRef("delivery"))
    sooner = of_same.filter(
        Q(expires_at__lt=OuterRef("expires_at")) | Q(expires_at=OuterRef("expires_at"), pk__lt=OuterRef("pk"))
    )
    found = seen.filter(~InTurn(sooner), InTurn(deliveries_for(person).filter(pk=OuterRef("delivery"))))
    if not person.organisation.is_centre:
        found = found.filter(delivery__organisation=person.organisation)
    reviews = Review.objects.filter(delivery=OuterRef("delivery"), state=Review.State.IN_FORCE).order_by("-pk")
    found = found.annotate(decided=Subquery(reviews.values("kind")[:1])).filter(
        Q(decided=None) | ~Q(decided=Review.Kind.LET_END)
    )
    return found.filter(expires_at__lte=until).order_by(*FIRST_TO_END[0].by)


def may_review(person: Person, delivery: Delivery) -> bool:
    """Whether this person decides on the delivery's term, or may ask its source."""
    own = delivery.organisation_id == person.organisation_id
    return may(person, "review-terms") and (own or person.organisation.is_centre)


def decides_alone(person: Person, delivery: Delivery) -> bool:
    """Whether an extension by this person is in force at once: of the source, or where nobody is there to be asked."""
    return delivery.organisation_id == person.organisation_id or not speakers_of(delivery.organisation)


def speakers_of(source: Organisation) -> list[Person]:
    """Who may answer for the source."""
    people = Person.objects.filter(organisation=source, is_active=True).select_related("organisation")
    return [each for each in people if may(each, "review-terms")]


def latest_day_of(delivery: Delivery) -> date:
    """The last day that an extension can reach."""
    latest = retention.latest_day(delivery.received_at)
    return min(latest, retention.last_day_of(delivery.keep_until)) if delivery.keep_until else latest


def last_day_of(delivery: Delivery) -> date:
    """The last day on which anything of it is there."""
    return retention.last_day_of(delivery.ends_at)


def first_day_of(delivery: Delivery) -> date:
    """The last day of the part that ends first."""
    first = Batch.objects.filter(delivery=delivery, purged_at=None).aggregate(first=Min("expires_at"))["first"]
    return retention.last_day_of(min(first or delivery.ends_at, delivery.ends_at))


@transaction.atomic
def decide(delivery: Delivery, kind: str, *, until: date | None, reason: str, by: Person, at: datetime) -> Review:
    """Extend, shorten, or let it end. The Centre's extension waits for the source's agreement.

    Raises NotFound for whom it is not to decide on, or when it is over, InputError for a day out of bounds or no
    reason, Conflict while an extension waits for its answer.
    """
    delivery = Delivery.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=delivery.pk)
    if not may_review(by, delivery) or delivery.ends_at <= judged_at(at) or kind not in Review.Kind.values:
        raise NotFound
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    if delivery.reviews.filter(state=Review.State.ASKED).exists():
        raise Conflict("an extension waits for its answer")
    first, last = first_day_of(delivery), last_day_of(delivery)
    if kind == Review.Kind.LET_END:
        until = last
    if until is None:
        raise InputError("missing-field", field="until")
    if kind == Review.Kind.EXTEND and not first < until <= latest_day_of(delivery):
        raise InputError("term-out-of-bounds", field="until", excerpt=until.isoformat())
    if kind == Review.Kind.SHORTEN and not retention.last_day_of(retention.end_of(at.date())) <= until < last:
        raise InputError("term-out-of-bounds", field="until", excerpt=until.isoformat())
    waits = kind == Review.Kind.EXTEND and not decides_alone(by, delivery)
    made = Review.objects.create(
        delivery=delivery, kind=kind, state=Review.State.ASKED if waits else Review.State.IN_FORCE, until=until,
        before=last, reason=reason.strip()[:LONGEST_REASON], asked_by=by.login, organisation=by.organisation,
        asked_at=at,
    )  # fmt: skip
    if not waits:
        _apply(made, at)
    action = "term.asked" if waits else f"term.{kind}"
    facts = {"until": until.isoformat(), "before": last.isoformat(), "reason": made.reason}
    record(by.login, action, f"delivery:{delivery.pk}", facts, at=at)
    return made


@transaction.atomic
def answer(asked: Review, *, agrees: bool, by: Person, at: datetime) -> Review:
    """The source's answer to the Centre. Raises NotFound for others, Conflict when it was answered or it is over."""
    found = Review.objects.select_for_update(of=("self",)).select_related("delivery").get(pk=asked.pk)
    if not may(by, "review-terms") or found.delivery.organisation_id != by.organisation_id:
        raise NotFound
    if found.state != Review.State.ASKED or found.delivery.ends_at <= judged_at(at):
        raise Conflict("this was answered meanwhile, or is over")
    found.state = Review.State.IN_FORCE if agrees else Review.State.REFUSED
    found.answered_by, found.answered_at = by.login, at
    found.save(update_fields=["state", "answered_by", "answered_at"])
    if agrees:
        _apply(found, at)
    action = "term.agreed" if agrees else "term.refused"
    record(by.login, action, f"delivery:{found.delivery_id}", {"until": found.until.isoformat()}, at=at)
    return found


def _apply(made: Review, at: datetime) -> None:
    """Move the ends. What is over already stays over."""
    end = retention.end_of(made.until)
    alive = Batch.objects.filter(delivery=made.delivery, purged_at=None, expires_at__gt=judged_at(at))
    if made.kind == Review.Kind.EXTEND:
        alive.filter(expires_at__lt=end).update(expires_at=end)
        set_end(made.delivery, max(made.delivery.ends_at, end))
    elif made.kind == Review.Kind.SHORTEN:
        journal.write({"key": f"{made.delivery.receipt} {at.isoformat()}", "receipt": made.delivery.receipt,
                       "until": made.until.isoformat(), "at": at.isoformat()})  # fmt: skip
        bring_forward(made.delivery, end)


def bring_forward(delivery: Delivery, end: datetime) -> None:
    """Nothing of it, nor of what was drawn from it, is there after this moment."""
    Batch.objects.filter(delivery=delivery, expires_at__gt=end).update(expires_at=end)
    set_end(delivery, min(delivery.ends_at, end))
    for drawn in drawn_from(delivery):
        if drawn.keep_until is None or drawn.keep_until > end:
            Delivery.objects.filter(pk=drawn.pk).update(keep_until=end)
            bring_forward(drawn, end)


def set_end(delivery: Delivery, end: datetime) -> None:
    """When the last of it is over: of the delivery and of what repeats it."""
    last = Batch.objects.filter(delivery=delivery).aggregate(last=Max("expires_at"))["last"]
    delivery.ends_at = last or end
    Delivery.objects.filter(pk=delivery.pk).update(ends_at=delivery.ends_at)
    Delivery.objects.filter(duplicate_of=delivery).update(ends_at=delivery.ends_at)
