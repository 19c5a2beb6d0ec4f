"""Deliveries that are held before anything of them is used: by articles 2 and 3, and for people's data.

Nothing of a held delivery is committed: it has no batch, so that no list, count, search, look-up, standing query or
package can know of it. When it is cleared it is read again, and then it counts as if it had come that moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.core.words import Tlp
from tocsin.handling import tlp_of
from tocsin.handling.neutrality import CHECKLIST, GROUNDS, LONGEST_NOTE, unanswered
from tocsin.handling.personal import PersonalFind, must_be_asked

from . import urgency
from .handlings import handling_of
from .models import Delivery, Hold
from .secondees import known_to
from .services import enqueue_reading

DECIDED_WITHIN = timedelta(hours=72)
"""A hold that is older is shown as late. Nothing is ever cleared by the clock."""
SEALED = (Delivery.State.HELD, Delivery.State.REFUSED, Delivery.State.WITHDRAWN)
"""States in which a delivery exists for nobody but its source and the legal officers."""
PERSONAL_GROUND = "personal-data"
WIDE = frozenset({Tlp.CLEAR, Tlp.GREEN})
"""Labels under which people's data would be read beyond those who must act."""
FACTS = ("format", "title", "language", "rows", "things", "proposals", "countries")


def is_sealed(delivery: Delivery) -> bool:
    """Whether it, or what it repeats, is held, was refused or was withdrawn."""
    return (delivery.duplicate_of or delivery).state in SEALED


def without_sealed(found: QuerySet[Delivery], person: Person) -> QuerySet[Delivery]:
    """The deliveries less those whose existence is kept from this person.

    Legal officers know of all; the source's people, and who handed it over, of theirs. The Centre's own deliveries are
    everybody's there, so that of them only who handed one over knows. What members send one another the Centre's
    people do not know of, legal officers neither, unless it is held.
    """
    if person.organisation.is_centre:
        found = found.filter(Q(is_private=False) | Q(state__in=SEALED))
    if may(person, "decide-legal"):
        return found
    own = Q(person=person)
    if not person.organisation.is_centre:
        own |= Q(organisation=person.organisation)
    repeated = Q(duplicate_of=None) | ~Q(duplicate_of__state__in=SEALED)
    return found.filter(own | (~Q(state__in=SEALED) & repeated))


def question_of(delivery: Delivery, outcome: dict[str, Any]) -> tuple[Hold.Kind, list[dict[str, Any]]] | None:
    """What must be answered before the outcome of a reading may be committed, and what it is about."""
    if outcome["finds"] and Hold.Kind.LEGAL not in delivery.passes:
        return Hold.Kind.LEGAL, outcome["finds"]
    if outcome["personal"] and Hold.Kind.PERSONAL not in delivery.passes:
        wide = [each for each in outcome["personal"] if handling_of(delivery, outcome, each["marking"])[0].tlp in WIDE]
        if must_be_asked(PersonalFind(each["kind"], each["field"], each["count"], each["excerpt"]) for each in wide):
            return Hold.Kind.PERSONAL, wide
    return None


def hold(
    delivery: Delivery,
    kind: Hold.Kind,
    finds: list[dict[str, Any]],
    outcome: Mapping[str, Any],
    claim: jobs.Claim,
    at: datetime,
) -> Hold:
    """Set a delivery aside until somebody answers. Of the reading only what the officer needs is kept, in the hold."""
    facts = {name: outcome[name] for name in FACTS}
    with transaction.atomic():
        jobs.finish(claim, at)
        Delivery.objects.filter(pk=delivery.pk).update(
            state=Delivery.State.HELD, reason="", reason_where="", format="", title="", rejections=0, finished_at=None
        )
        made, _ = Hold.objects.update_or_create(
            delivery=delivery,
            kind=kind,
            defaults={"state": Hold.State.OPEN, "held_at": at, "facts": facts, "finds": finds},
        )
        record("system", "delivery.held", f"delivery:{delivery.pk}", {"hold": made.pk}, at=at)
    return made


def may_answer(person: Person, delivery: Delivery) -> bool:
    """Whether this person speaks for the source: its people who hand over, and who handed this over."""
    if not may(person, "deliver"):
        return False
    return delivery.person_id == person.pk or delivery.organisation_id == person.organisation_id


def question_for(person: Person, delivery: Delivery) -> Hold | None:
    """What this person is asked about the delivery; None for whom nothing is to answer."""
    if delivery.state != Delivery.State.HELD or not may_answer(person, delivery):
        return None
    return delivery.holds.filter(kind=Hold.Kind.PERSONAL, state=Hold.State.OPEN, answer="").first()


def answer(delivery: Delivery, choice: str, *, marking: str = "", text: str = "", by: Person, at: datetime) -> None:
    """What the source says about people's data under a wide label: relabel, withdraw, or that they are the attackers'.

    A stricter label is the source's own to set: the delivery is read on. That the values are the attackers' opens
    nothing by itself: a legal officer decides on it. Raises NotFound where nothing is asked of this person, InputError
    for an answer that is none.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=delivery.pk)
        asked = question_for(by, delivery)
        if asked is None:
            raise NotFound
        asked.answer, asked.answer_text = choice, text.strip()[:LONGEST_NOTE]
        asked.answered_by, asked.answered_at = by, at
        if choice == "relabel":
            label = tlp_of(marking)
            if label is None or label in WIDE:
                raise InputError("missing-field", field="marking")
            delivery.least_marking = label.value
            delivery.save(update_fields=["least_marking"])
            asked.state, asked.decided_by, asked.decided_at = Hold.State.CLEARED, by, at
            _read_on(asked, at)
        elif choice == "withdraw":
            asked.state, asked.decided_by, asked.decided_at = Hold.State.WITHDRAWN, by, at
            Delivery.objects.filter(pk=delivery.pk).update(
                state=Delivery.State.WITHDRAWN, reason="withdrawn", finished_at=at
            )
        elif choice != "attackers" or not asked.answer_text:
            raise InputError("missing-field", field="text")
        asked.save()
        facts = {"hold": asked.pk, "answer": choice, "marking": delivery.least_marking}
        record(by.login, "hold.answered", f"delivery:{delivery.pk}", facts, at=at)


def may_clear(held: Hold) -> bool:
    """Whether an officer may let it pass as it is: people's data only when the source said whose they are.

    A source without people of its own, such as a feed, cannot be asked.
    """
    if held.kind != Hold.Kind.PERSONAL or held.answer == "attackers":
        return True
    people = Person.objects.filter(organisation=held.delivery.organisation_id, is_active=True)
    return not any(may_answer(each, held.delivery) for each in people.select_related("organisation"))


def may_decide(person: Person, delivery: Delivery) -> bool:
    """Whether this legal officer may: never on what the own organisation sent, nor on what they handed over.

    What the Centre draws in itself (feeds) belongs to nobody's side, so that its officers decide on that.
    """
    if not may(person, "decide-legal") or delivery.person_id == person.pk:
        return False
    return delivery.organisation.is_centre or delivery.organisation_id != person.organisation_id


def queue_for(person: Person) -> QuerySet[Hold]:
    """Holds that wait, oldest first; none for whom they do not exist."""
    if not may(person, "decide-legal"):
        return Hold.objects.none()
    waiting = Hold.objects.filter(state=Hold.State.OPEN, delivery__ends_at__gt=judged_at(timezone.now()))
    waiting = waiting.select_related("delivery__organisation", "delivery__person")
    return known_to(person, waiting).order_by(urgency.first("delivery__urgent_at"), "held_at", "pk")


def decided_for(person: Person) -> QuerySet[Hold]:
    """What was decided, the newest first."""
    if not may(person, "decide-legal"):
        return Hold.objects.none()
    done = Hold.objects.exclude(state=Hold.State.OPEN).filter(delivery__ends_at__gt=judged_at(timezone.now()))
    done = done.select_related("delivery__organisation", "decided_by")
    return known_to(person, done).order_by("-decided_at", "-pk")


def hold_for(person: Person, key: int) -> Hold:
    """One hold, for a legal officer. Raises NotFound for everybody else, as if it were not there."""
    found = None
    if may(person, "decide-legal"):
        related = Hold.objects.select_related("delivery__organisation", "delivery__person", "decided_by", "answered_by")
        found = known_to(person, related.filter(pk=key, delivery__ends_at__gt=judged_at(timezone.now()))).first()
    if found is None:
        raise NotFound
    return found


def is_late(held: Hold, now: datetime) -> bool:
    """Whether it has waited longer than it should."""
    return held.state == Hold.State.OPEN and now - held.held_at > DECIDED_WITHIN


def note(held: Hold, notes: Mapping[str, str], *, by: Person, at: datetime) -> None:
    """Keep the officer's notes on the questions. Raises Conflict when it was decided, NotFound for others."""
    with transaction.atomic():
        held = _open(held, by)
        held.checklist = {name: notes.get(name, "").strip()[:LONGEST_NOTE] for name in CHECKLIST}
        held.save(update_fields=["checklist"])
        left = unanswered(held.checklist)
        record(by.login, "hold.noted", f"delivery:{held.delivery_id}", {"hold": held.pk, "open": left}, at=at)


def clear(held: Hold, *, text: str, by: Person, at: datetime) -> None:
    """Let the delivery pass: it is read again, and this question is not asked again.

    Raises InputError("missing-field") without a reason or with questions unanswered, Conflict when it was decided.
    """
    with transaction.atomic():
        held = _open(held, by)
        if not may_clear(held):
            raise InputError("missing-field", field="answer")
        if held.kind == Hold.Kind.LEGAL and (left := unanswered(held.checklist)):
            raise InputError("missing-field", field=left[0])
        _decide(held, Hold.State.CLEARED, text, by, at)
        _read_on(held, at)
        record(by.login, "hold.cleared", f"delivery:{held.delivery_id}", {"hold": held.pk}, at=at)


def refuse(held: Hold, *, ground: str, text: str, by: Person, at: datetime) -> None:
    """Refuse the delivery: its bytes stay sealed and are never read; its source reads ground and text.

    Raises InputError("missing-field") without a ground of the list, a text, or with questions unanswered.
    """
    with transaction.atomic():
        held = _open(held, by)
        if ground not in GROUNDS and ground != PERSONAL_GROUND:
            raise InputError("missing-field", field="ground")
        if held.kind == Hold.Kind.LEGAL and (left := unanswered(held.checklist)):
            raise InputError("missing-field", field=left[0])
        _decide(held, Hold.State.REFUSED, text, by, at)
        Delivery.objects.filter(pk=held.delivery_id).update(state=Delivery.State.REFUSED, reason=ground, finished_at=at)
        facts = {"hold": held.pk, "ground": ground}
        record(by.login, "hold.refused", f"delivery:{held.delivery_id}", facts, at=at)


def refusal_text(delivery: Delivery) -> str:
    """What the officer wrote to the source; empty for what was not refused."""
    if delivery.state != Delivery.State.REFUSED:
        return ""
    return delivery.holds.filter(state=Hold.State.REFUSED).values_list("decision", flat=True).first() or ""


def _open(held: Hold, by: Person) -> Hold:
    """The hold as it stands, locked, for somebody who may decide on it."""
    now = Hold.objects.select_for_update(of=("self",)).select_related("delivery__organisation").get(pk=held.pk)
    if not may_decide(by, now.delivery):
        raise NotFound
    if now.state != Hold.State.OPEN:
        raise Conflict("this was decided meanwhile")
    return now


def _decide(held: Hold, state: Hold.State, text: str, by: Person, at: datetime) -> None:
    if not text.strip():
        raise InputError("missing-field", field="text")
    held.state, held.decision, held.decided_by, held.decided_at = state, text.strip()[:LONGEST_NOTE], by, at
    held.save(update_fields=["state", "decision", "decided_by", "decided_at"])


def _read_on(held: Hold, at: datetime) -> None:
    """Put the delivery back into the queue with this question answered."""
    delivery = Delivery.objects.select_for_update().get(pk=held.delivery_id)
    if delivery.state != Delivery.State.HELD:
        raise Conflict("this was decided meanwhile")
    delivery.state = Delivery.State.RECEIVED
    delivery.passes = sorted({*delivery.passes, str(held.kind)})
    delivery.save(update_fields=["state", "passes", "least_marking"])
    enqueue_reading(delivery, at)
