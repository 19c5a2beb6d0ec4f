"""Reads of circulars: one's own, those that came, and those that a legal officer has to check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet

from tocsin.centre.intake import wall
from tocsin.centre.intake.deliveries import shown_whole
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import in_seen, in_turn, visible_batches
from tocsin.centre.knowledge.models import Document, Object
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import Part
from tocsin.centre.release.preview import preview
from tocsin.core.errors import NotFound
from tocsin.handling import HandlingSet

from .models import Circular, Reading

_STATES = {
    Delivery.State.RECEIVED: "being-read", Delivery.State.HELD: "held", Delivery.State.REFUSED: "refused",
    Delivery.State.WITHDRAWN: "withdrawn", Delivery.State.QUARANTINED: "unreadable",
}  # fmt: skip


LAST_SENT = (Part(("-sent_at", "-pk")),)
LAST_HANDED_OVER = (Part(("-delivery__received_at", "-delivery_id")),)


def may_send(person: Person) -> bool:
    """Whether the person writes circulars: of a bureau, who hands over."""
    return person.organisation.is_bureau and may(person, "deliver")


def _all() -> QuerySet[Circular]:
    return Circular.objects.select_related("delivery__organisation", "delivery__person", "checked_by")


def received_by(person: Person) -> QuerySet[Circular]:
    """What came to the person, the newest first: what the gate shows and the own organisation did not send."""
    viewer = viewer_of(person)
    seen = visible_batches(viewer)
    found = _all().filter(in_turn(seen.filter(delivery=OuterRef("delivery")), viewer), sent_at__isnull=False)
    return found.exclude(delivery__organisation=person.organisation).order_by(*LAST_SENT[0].by)


def sent_by(person: Person) -> QuerySet[Circular]:
    """What the person's own bureau sent, the newest first."""
    if not may_send(person):
        return Circular.objects.none()
    return _all().filter(delivery__organisation=person.organisation).order_by(*LAST_HANDED_OVER[0].by)


def to_check(person: Person) -> QuerySet[Circular]:
    """What waits for the compliance check, the oldest first; none for who does not check."""
    if not may(person, "decide-legal"):
        return Circular.objects.none()
    waiting = _all().filter(needs_check=True, checked_at=None, delivery__state=Delivery.State.PARSED)
    return waiting.filter(delivery__batches__hidden_at=None).distinct().order_by("delivery__received_at", "pk")


def may_check(person: Person, circular: Circular) -> bool:
    """Whether it waits for this person's check."""
    return to_check(person).filter(pk=circular.pk).exists()


@dataclass(frozen=True, slots=True)
class Found:
    """A circular, and as what the person has it."""

    circular: Circular
    role: str
    """sender, addressee or checker."""


def circular_for(person: Person, number: str) -> Found:
    """The circular with this number. Raises NotFound whether it is absent or not for this person."""
    for role, among in (("sender", sent_by), ("addressee", received_by), ("checker", to_check)):
        found = among(person).filter(number=number).first()
        if found is not None:
            return Found(found, role)
    raise NotFound


def state_of(circular: Circular) -> str:
    """A word of `labels.STATES`."""
    delivery = circular.delivery
    if delivery.state in _STATES:
        return _STATES[Delivery.State(delivery.state)]
    if circular.is_refused:
        return "refused"
    if not Batch.objects.filter(delivery=delivery, hidden_at=None).exists():
        return "recalled"
    return "sent" if circular.sent_at is not None else "waits"


def texts_of(person: Person, found: Found) -> list[Document]:
    """The message, and what else of it is prose. Who checks reads it although the gate shows it to nobody yet."""
    among = Document.objects.filter(delivery=found.circular.delivery_id)
    if found.role == "checker":
        with wall.by_another_rule():
            return list(among.filter(batch__hidden_at=None).order_by("pk"))
    return list(among.filter(in_seen(visible_batches(viewer_of(person)))).order_by("pk"))


def things_of(person: Person, circular: Circular) -> QuerySet[Object]:
    """Objects in it that the person may see."""
    seen = visible_batches(viewer_of(person)).filter(delivery=circular.delivery_id)
    return Object.objects.filter(delivery=circular.delivery_id, batch__in=seen).order_by("pk")


def batches_seen(person: Person, circular: Circular) -> list[int]:
    """Numbers of its batches that the person may see."""
    seen = visible_batches(viewer_of(person)).filter(delivery=circular.delivery_id)
    return list(seen.values_list("pk", flat=True))


def may_fetch(person: Person, found: Found) -> bool:
    """Whether the person may have the bytes as they were sent: whoever sees all of it, and who checks it."""
    return found.role == "checker" or bool(shown_whole(viewer_of(person), [found.circular.delivery]))


@dataclass(frozen=True, slots=True)
class Reached:
    """An addressee, and what it did."""

    organisation: Organisation
    reading: Reading | None


def reach_of(circular: Circular, at: datetime) -> list[Reached]:
    """Everybody who gets it, by the gate's own answer, for its sender."""
    source = circular.delivery.organisation
    found: dict[int, Organisation] = {}
    batches = Batch.objects.filter(delivery=circular.delivery_id, hidden_at=None).select_related("handling_set")
    audience = circular.audience if circular.sent_at is not None else None
    for body in {each.handling_set.digest: each.handling_set.body for each in batches}.values():
        is_private = circular.opened_at is None
        made = preview(HandlingSet.from_json(body), source.slug, audience, at, is_private=is_private)
        for line in (line for part in made.shown for line in part.lines):
            if line.organisation.pk != source.pk:
                found[line.organisation.pk] = line.organisation
    readings = {each.organisation_id: each for each in circular.readings.all()}
    for each in readings.values():
        found.setdefault(each.organisation_id, each.organisation)
    return sorted(
        (Reached(each, readings.get(each.pk)) for each in found.values()), key=lambda one: one.organisation.name
    )
