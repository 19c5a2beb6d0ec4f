"""What the clock does to terms: reminders before the end, and at the end what is left of a delivery's row."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.jobs import services as jobs
from tocsin.centre.release.given_views import with_copies
from tocsin.handling import retention
from tocsin.reference.retention import retention as said

from .models import Reminder, Review

ROUND = "keep-terms"
"""Kind of the job that reminds, purges and certifies."""
ROUND_EVERY = timedelta(hours=1)
AT_ONCE = 500
SYSTEM = "system"


def tick(now: datetime) -> None:
    """Say of what is over that it is; put a round into the queue when one is due."""
    end(now)
    jobs.enqueue_every(ROUND_EVERY, ROUND, "terms", at=now)


def end(now: datetime) -> int:
    """Deliveries whose last part is over keep neither name nor title; how many those were.

    Readers do not wait for this: the gate and every list of deliveries know the moment itself.
    """
    over = Delivery.objects.filter(ends_at__lte=now).exclude(state__in=Delivery.GONE)
    count = 0
    while numbers := list(over.order_by("pk").values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            for number in numbers:
                strip(number, Delivery.State.EXPIRED)
                record(SYSTEM, "delivery.expired", f"delivery:{number}", {}, at=now)
        count += len(numbers)
    return count


def close(now: datetime) -> int:
    """Batches that are over and share ids of objects with others close to programs that follow what is open, so that
    these are given what is the last of its id from now on; how many those were. Nobody sees them before that either."""
    with_end = Batch.objects.filter(expires_at__lte=now, purged_at=None)
    return with_end.filter(with_copies()).note_over()


def strip(number: int, state: Delivery.State) -> None:
    """Of a delivery's row, leave what says nothing of its contents; its name is its receipt from now on."""
    Delivery.objects.filter(pk=number).update(
        state=state,
        name=F("receipt"),
        title="",
        reason_where="",
        language="",
        profile={},
        profile_name="",
        urgency="",
    )


def remind(now: datetime) -> int:
    """Note whom the page reminds, once for each reminder and end; says how many are new."""
    earliest = said().reminders[0]
    ending = Batch.objects.filter(expires_at__gt=now, expires_at__lte=now + earliest, purged_at=None)
    left_to_end = Review.objects.filter(kind=Review.Kind.LET_END, state=Review.State.IN_FORCE).values("delivery")
    found = ending.exclude(delivery__in=left_to_end).order_by().values_list("delivery").annotate(end=Min("expires_at"))
    made = []
    known = set(Reminder.objects.filter(ends_at__gt=now).values_list("delivery", "days_before", "ends_at"))
    for delivery, first in found.iterator():
        before = retention.reminder_at(first, now)
        if before is not None and (delivery, before.days, first) not in known:
            made.append(Reminder(delivery_id=delivery, days_before=before.days, ends_at=first, at=now))
    if made:
        with transaction.atomic():
            Reminder.objects.bulk_create(made, ignore_conflicts=True, batch_size=500)
            record(SYSTEM, "term.reminded", "terms", {"deliveries": len(made)}, at=now)
    return len(made)
