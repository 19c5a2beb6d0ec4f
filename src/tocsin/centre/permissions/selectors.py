"""Reads of permissions, by who asks, and what is permitted for a delivery."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

from django.db.models import OuterRef, Q, QuerySet

from tocsin.centre.clock.services import judged_on
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import in_turn, visible_batches
from tocsin.centre.members.models import HandlingSet as HandlingRow
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.handling import Grant, HandlingSet

from .models import Permission
from .rules import State

Grants = Mapping[str, tuple[Grant, ...]]
"""Digest of a handling set → what is permitted for what lies under it."""


def sets_named(digests: Collection[str]) -> list[HandlingSet]:
    """The handling sets with these digests."""
    return [HandlingSet.from_json(each.body) for each in HandlingRow.objects.filter(digest__in=digests)]


def in_force_of(delivery: Delivery, digest: str, today: date) -> list[Permission]:
    """Permissions that hold for the parts of this delivery under that set, the oldest first."""
    found = _in_force(delivery, today)
    return [each for each in found if digest in each.sets]


def _in_force(delivery: Delivery, today: date) -> Iterable[Permission]:
    about = Q(delivery=delivery) | Q(permitted_standing=True, source=delivery.organisation_id)
    found = Permission.objects.filter(about, state=State.GRANTED, permitted_until__gte=judged_on(today))
    return found.order_by("pk")


def grants_for(delivery: Delivery, today: date) -> dict[str, tuple[Grant, ...]]:
    """What is permitted for this delivery, by handling set."""
    found: dict[str, tuple[Grant, ...]] = {}
    for each in _in_force(delivery, today):
        for digest in each.sets:
            found[digest] = (*found.get(digest, ()), each.grant)
    return found


def permissions_about(delivery: Delivery) -> QuerySet[Permission]:
    """All that was ever asked of its source about this delivery, the newest first."""
    found = Permission.objects.filter(delivery=delivery).select_related("asked_for", "asked_by", "answered_by")
    return found.order_by("-pk")


def answerable_by(person: Person) -> QuerySet[Permission]:
    """What the person's organisation was asked as a source; what the Centre has not passed on does not exist for it."""
    if person.organisation.is_centre or not may(person, "answer-permissions"):
        return Permission.objects.none()
    found = Permission.objects.filter(source=person.organisation, forwarded_at__isnull=False)
    return found.select_related("delivery", "answered_by").order_by("-pk")


def asked_by(person: Person, now: datetime) -> QuerySet[Permission]:
    """What the person's own side asked: the Centre's desk sees all of what it may see, a bureau its own requests."""
    if not may(person, "ask-source"):
        return Permission.objects.none()
    found = Permission.objects.select_related("source", "delivery", "asked_by", "asked_for", "forwarded_by")
    found = found.order_by("-pk")
    if not person.organisation.is_centre:
        return found.filter(asked_for=person.organisation)
    viewer = viewer_of(person)
    seen = visible_batches(viewer, now)
    return found.filter(in_turn(seen.filter(delivery=OuterRef("delivery")), viewer))


def parts_of(asked: Permission) -> QuerySet[Batch]:
    """The parts of its delivery that it is about, as far as they still stand under the sets of then."""
    return Batch.objects.filter(delivery=asked.delivery_id, handling_set__digest__in=asked.sets)


def can_answer(source: Organisation) -> bool:
    """Whether anybody of the source could answer: it may be without people, as a feed's publisher is."""
    people = Person.objects.filter(organisation=source, is_active=True).select_related("organisation")
    return any(may(each, "answer-permissions") for each in people)
