"""What its source calls urgent: somebody at the Centre takes it up within half an hour (SM-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy

from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.core.errors import Conflict, InputError, NotFound

from .models import Delivery
from .outlook import Stage, outlook_of

TAKEN_UP_WITHIN = timedelta(minutes=30)
"""SM-2: so long after it was called urgent somebody at the Centre has taken it up, or it is late."""
LOOKED_BACK = timedelta(days=90)
"""Over which the share of a source's urgent deliveries is told to who takes one up."""
PRIORITY = 9
"""Of its reading: before what people hand over on the page, and before all that programs do."""
LONGEST_REASON = 500
_WAITS = (Stage.IN_HAND, Stage.WAITS, Stage.PARTLY)


def first(path: str = "urgent_at") -> OrderBy:
    """An order with what is urgent before all else, and of that, what is due first."""
    return OrderBy(F(path), nulls_last=True)


def stated(text: str) -> str:
    """Why it is urgent, as it is kept; nothing: it is not. Raises InputError("too-long")."""
    said = " ".join(text.replace("\x00", "").split())
    if len(said) > LONGEST_REASON:
        raise InputError("too-long", field="urgent")
    return said


def from_header(text: str) -> str:
    """What a program wrote into a header, which carries bytes: UTF-8, where it is that."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def due_at(delivery: Delivery) -> datetime | None:
    """By when it is to be taken up; None: it is not urgent."""
    return delivery.urgent_at + TAKEN_UP_WITHIN if delivery.urgent_at else None


def may_call(person: Person, delivery: Delivery, now: datetime) -> bool:
    """Whether the person could call it urgent now."""
    return _hands_over_for(person, delivery) and _could_be(delivery, now)


def _hands_over_for(person: Person, delivery: Delivery) -> bool:
    is_own = delivery.organisation_id == person.organisation_id
    return may(person, "deliver") and (is_own or may(person, "deliver-for-others"))


def _could_be(delivery: Delivery, now: datetime) -> bool:
    return delivery.urgent_at is None and not delivery.is_circular and waits(delivery, now)


def waits(delivery: Delivery, now: datetime) -> bool:
    """Whether something of it still waits for somebody at the Centre."""
    if delivery.state in Delivery.GONE:
        return False
    return delivery.state == Delivery.State.QUARANTINED or outlook_of(delivery, now).stage in _WAITS


def call_urgent(delivery: Delivery, *, reason: str, by: Person, at: datetime) -> None:
    """From now on the short time runs. Raises NotFound for who does not hand over for its source, InputError without
    a reason, Conflict where it is urgent already or waits for nobody any more."""
    text = stated(reason)
    if not text:
        raise InputError("missing-field", field="reason")
    if not _hands_over_for(by, delivery):
        raise NotFound
    with transaction.atomic():
        if not _called(delivery.pk, text, by.login, at):
            raise Conflict("it is urgent already, or waits for nobody any more")


def sent_again(first: Delivery, text: str, *, actor: str, at: datetime) -> None:
    """The same bytes came again, and this time are called urgent: so is what came first, where it still waits."""
    if text:
        _called(first.pk, text, actor, at)


def _called(number: int, text: str, actor: str, at: datetime) -> bool:
    delivery = Delivery.objects.select_for_update(of=("self",)).get(pk=number)
    if not _could_be(delivery, at):
        return False
    delivery.urgent_at, delivery.urgency = at, text
    delivery.save(update_fields=["urgent_at", "urgency"])
    jobs.bring_forward(f"delivery:{delivery.pk}", PRIORITY)
    record(actor, "delivery.called-urgent", f"delivery:{delivery.pk}", {}, at=at)
    return True


@dataclass(frozen=True, slots=True)
class Habit:
    """How often a source calls something urgent: who always does, says nothing by it."""

    urgent: int
    deliveries: int

    @property
    def percent(self) -> int:
        """The share."""
        return round(100 * self.urgent / self.deliveries) if self.deliveries else 0


def habit_of(source: Organisation, known: QuerySet[Delivery], now: datetime) -> Habit:
    """Of what it handed over lately, as far as the reader knows of it: what is held is not there for the desk."""
    since = known.filter(organisation=source, received_at__gt=now - LOOKED_BACK, received_at__lte=now)
    return Habit(since.exclude(urgent_at=None).count(), since.count())
