"""Tasks to undo what was done on the word of something wrong: open, done, or nothing left to undo."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.ledger.models import Kind, Response
from tocsin.centre.ledger.selectors import progress_of
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.release.models import Package, Release
from tocsin.core.errors import Conflict, InputError, Refused

from .models import Recall, Undo
from .rules import undo_by

SYSTEM = "system"


def ask(made: Recall, organisation: Organisation, at: datetime) -> Undo:
    """Give it the task, once."""
    undo, is_new = Undo.objects.get_or_create(
        recall=made, organisation=organisation, defaults={"made_at": at, "due_at": undo_by(at)}
    )
    if is_new:
        facts = {"organisation": organisation.slug}
        record(SYSTEM, "recall.undo-asked", f"recall:{made.number}", facts, at=at)
    return undo


def ask_who_acted(made: Recall, told: Collection[int], at: datetime) -> None:
    """Whoever reported already that it acted on what was released has the task at once, not only when it answers."""
    if made.action != Recall.Action.CORRECT:
        return
    released = Release.objects.filter(delivery=made.delivery_id, state=Release.State.RELEASED)
    things = (
        (Kind.RELEASE, list(released.values_list("pk", flat=True))),
        (Kind.PACKAGE, list(Package.objects.filter(number__in=made.packages).values_list("pk", flat=True))),
    )
    acted = {
        organisation
        for kind, numbers in things
        for by in progress_of(kind, numbers, told).values()
        for organisation, progress in by.items()
        if progress.outcome == Response.Step.ACTED
    }
    for each in Organisation.objects.filter(pk__in=acted).order_by("slug"):
        ask(made, each, at)


def close(undo: Undo, *, by: Person, state: str, note: str, at: datetime) -> None:
    """Say that it is done, or why nothing was to be undone. Raises Conflict where it was said already."""
    if state not in {Undo.State.DONE, Undo.State.NOT_APPLICABLE}:
        raise InputError("invalid-object", field="state", excerpt=state)
    if state == Undo.State.NOT_APPLICABLE and not note.strip():
        raise Refused("recall-undo-without-reason")
    said = {"state": state, "closed_at": at, "closed_by": by.login, "note": note.strip()[:2000]}
    if not Undo.objects.filter(pk=undo.pk, state=Undo.State.OPEN).update(**said):
        raise Conflict
    facts = {"organisation": by.organisation.slug, "state": state}
    record(by.login, "recall.undone", f"recall:{undo.recall.number}", facts, at=at)


def undos_for(person: Person) -> QuerySet[Undo]:
    """The tasks of the person's own organisation, those that are due first before the rest."""
    if not may(person, "read") or person.organisation.is_centre:
        return Undo.objects.none()
    return person.organisation.undos.select_related("recall").order_by("due_at", "pk")


def escalate(now: datetime) -> None:
    """Say once of each task that it is late."""
    for each in Undo.objects.filter(state=Undo.State.OPEN, due_at__lte=now, escalated_at=None):
        if Undo.objects.filter(pk=each.pk, escalated_at=None).update(escalated_at=now):
            facts = {"organisation": each.organisation.slug}
            record(SYSTEM, "recall.undo-overdue", f"recall:{each.recall.number}", facts, at=now)
