"""Grades of batches: what holds on arrival, the source's own change of mind, and the Centre's evaluation beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.core.errors import InputError, NotFound, Refused
from tocsin.core.grading import HOUSE, Grade, grade_of

from .models import Batch, Delivery, Grading

LONGEST_NOTE = 4_000


def usual_of(organisation: Organisation) -> Grade:
    """What holds for whatever an organisation hands over without a grade: as agreed, else what cannot be judged."""
    said = organisation.defaults.get("grade")
    return grade_of(said) if isinstance(said, str) and said else HOUSE


def arriving(delivery: Delivery, own: str) -> tuple[str, bool]:
    """What a batch is graded with when it is made, and whether that is the agreement's default.

    `own` is what its rows or objects bear themselves, as given; B2 alone is a grade of the scheme that was agreed on.
    """
    usual = usual_of(delivery.organisation)
    for text in (own, delivery.stated_grade):
        if text:
            return str(grade_of(text, usual.scheme)), False
    return str(usual), True


def stated(text: str, organisation: Organisation) -> str:
    """A grade as a sender writes it, for keeping; empty stays empty. Raises InputError."""
    return str(grade_of(text, usual_of(organisation).scheme)) if text.strip() else ""


def may_regrade(person: Person, delivery: Delivery) -> bool:
    """Whether the person speaks for the source."""
    return delivery.organisation_id == person.organisation_id and may(person, "deliver")


def may_evaluate(person: Person) -> bool:
    """Whether the person's evaluation is the Centre's own."""
    return person.organisation.is_centre and may(person, "review")


@transaction.atomic
def regrade(batches: Sequence[Batch], text: str, *, note: str, by: Person, at: datetime) -> int:
    """Its source grades some parts of a delivery anew; what was said before is kept. Says how many changed.

    Raises InputError for no grade or no reason, NotFound for parts that are not the person's own.
    """
    return _give(Grading.Kind.SOURCE, batches, text, note, by, at)


@transaction.atomic
def evaluate(batches: Sequence[Batch], text: str, *, note: str, by: Person, at: datetime) -> int:
    """The Centre's own evaluation of some parts, beside the source's grade, which stays. Raises as `regrade`."""
    return _give(Grading.Kind.CENTRE, batches, text, note, by, at)


def _give(kind: str, batches: Sequence[Batch], text: str, note: str, by: Person, at: datetime) -> int:
    if not note.strip():
        raise InputError("missing-field", field="note")
    locked = list(
        Batch.objects.select_for_update().filter(pk__in=[each.pk for each in batches], hidden_at=None).order_by("pk")
    )
    deliveries = {each.pk: each for each in Delivery.objects.filter(pk__in={each.delivery_id for each in locked})}
    if len(locked) != len({each.pk for each in batches}):
        raise NotFound
    for each in deliveries.values():
        if not (may_regrade(by, each) if kind == Grading.Kind.SOURCE else may_evaluate(by)):
            raise Refused("only its source grades it anew, and only reviewers evaluate it for the Centre")
    made = []
    beside = latest(locked)
    for batch in locked:
        grade = str(grade_of(text, usual_of(batch.organisation).scheme))
        evaluated = beside.get(batch.pk)
        former = batch.grade if kind == Grading.Kind.SOURCE else evaluated.grade if evaluated else ""
        if grade != former:
            made.append(
                Grading(batch=batch, kind=kind, grade=grade, former=former, note=note[:LONGEST_NOTE], person=by, at=at)
            )
    Grading.objects.bulk_create(made)
    for grading in made:
        facts = {"batch": grading.batch_id, "grade": grading.grade, "former": grading.former}
        if kind == Grading.Kind.SOURCE:
            Batch.objects.filter(pk=grading.batch_id).update(grade=grading.grade)
        act = "grade.changed" if kind == Grading.Kind.SOURCE else "grade.evaluated"
        record(by.login, act, f"delivery:{grading.batch.delivery_id}", facts, at=at)
    return len(made)


def latest(batches: Iterable[Batch]) -> dict[int, Grading]:
    """Number of each batch → the Centre's evaluation of it as it stands."""
    found = Grading.objects.filter(batch__in=list(batches), kind=Grading.Kind.CENTRE).order_by("at", "pk")
    return {each.batch_id: each for each in found}


@dataclass(frozen=True, slots=True)
class Graded:
    """A part of a delivery with its grade, what the Centre says beside it, and what was said before."""

    batch: Batch
    grade: str
    evaluation: Grading | None
    history: tuple[Grading, ...]


def sees_evaluations(person: Person) -> bool:
    """What the Centre thinks of a source is for police: partners, the source among them, are not told (DOMAIN R10)."""
    return person.organisation.class_name == Organisation.Class.LAW_ENFORCEMENT


def graded(batches: Iterable[Batch], person: Person) -> list[Graded]:
    """Each batch with all that this person may know of its grade, the newest first."""
    listed = list(batches)
    told: dict[int, list[Grading]] = {}
    found = Grading.objects.filter(batch__in=listed).select_related("person").order_by("-at", "-pk")
    for each in found if sees_evaluations(person) else found.filter(kind=Grading.Kind.SOURCE):
        told.setdefault(each.batch_id, []).append(each)
    return [
        Graded(
            batch,
            shown_grade(batch),
            next((each for each in told.get(batch.pk, ()) if each.kind == Grading.Kind.CENTRE), None),
            tuple(told.get(batch.pk, ())),
        )
        for batch in listed
    ]


def shown_grade(batch: Batch) -> str:
    """What is shown of its grade: before grades were kept, nobody could say any."""
    return batch.grade or str(HOUSE)
