"""What supervised countries hand over waits here: the Centre checks it before anybody else sees it (DOMAIN 2.1)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import Refused

from .deliveries import deliveries_for
from .models import Batch, BatchSet, Delivery
from .selectors import visible_batches
from .services import came_supervised
from .terms import BY_LABEL, set_audience


def held_batches() -> BatchSet:
    """Batches that nobody let go yet: they stay between their source and the Centre."""
    return Batch.objects.filter(terms__audience__entries__isnull=True)


def waits(delivery: Delivery) -> bool:
    """Whether it came in while its country was supervised and nobody has checked it since."""
    if not came_supervised(delivery):
        return False
    return delivery.state == Delivery.State.RECEIVED or held_batches().filter(delivery=delivery).exists()


def waiting_for(person: Person) -> QuerySet[Delivery]:
    """Deliveries with something that waits, as far as the person may know of them."""
    return deliveries_for(person).filter(pk__in=held_batches().values("delivery"))


@transaction.atomic
def let_go(delivery: Delivery, *, by: Person, at: datetime) -> int:
    """It passed the check: others see it now as far as its handling set lets them. Says how many batches waited.

    Raises Refused for who may not check, and where the gate keeps a part of it from who would.
    """
    if not may(by, "check-supervised"):
        raise Refused("checking what supervised countries hand over is for others")
    held = held_batches().filter(delivery=delivery)
    if not came_supervised(delivery) or held.exclude(pk__in=visible_batches(viewer_of(by)).values("pk")).exists():
        raise Refused("nobody lets go what he may not see whole")
    released = set_audience(held, BY_LABEL)
    if released:
        record(by.login, "delivery.checked", f"delivery:{delivery.pk}", {"batches": released}, at=at)
    return released
