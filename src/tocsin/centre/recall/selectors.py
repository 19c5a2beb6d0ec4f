"""Reads of recalls, by who asks."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may

from .models import Notice, Recall


def may_recall(person: Person, delivery: Delivery) -> bool:
    """The source may at any time, its agreement in force or not; at the Centre those whose office it is."""
    if not may(person, "recall"):
        return False
    return person.organisation.is_centre or delivery.organisation_id == person.organisation_id


def recalls_for(person: Person) -> QuerySet[Recall]:
    """Recalls that the person may follow: the Centre's people all, a source's people those of its own deliveries."""
    found = Recall.objects.select_related("delivery", "organisation").order_by("-asked_at", "-pk")
    found = found.annotate(
        told=Count("notices", distinct=True),
        open=Count("notices", filter=Q(notices__state=Notice.State.INFORMED), distinct=True),
    )
    if person.organisation.is_centre:
        found = found.filter(delivery__is_private=False)
        return found if may(person, "read-all-deliveries") else found.none()
    return found.filter(delivery__organisation=person.organisation) if may(person, "recall") else found.none()


def notices_for(person: Person) -> QuerySet[Notice]:
    """What the person's organisation was told, the newest first."""
    if not may(person, "read") or person.organisation.is_centre:
        return Notice.objects.none()
    return person.organisation.recall_notices.select_related("recall").order_by("-informed_at", "-pk")
