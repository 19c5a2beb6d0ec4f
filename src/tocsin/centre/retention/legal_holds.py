"""Legal holds: a duty to keep a delivery beyond its end, as a sealed copy that nobody reads."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.secondees import known_to
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.pages import Part
from tocsin.core.errors import Conflict, InputError, NotFound

from .models import LegalHold

IN_FORCE_FIRST = (
    Part(("-placed_at", "-pk"), Q(lifted_at=None)), Part(("-lifted_at", "-pk"), Q(lifted_at__isnull=False)),
)  # fmt: skip
"""What is in force, the newest first; then what was lifted, the last first."""


def holds_for(person: Person) -> QuerySet[LegalHold]:
    """All of them, for legal officers; none for whom they do not exist."""
    if not may(person, "hold-legally"):
        return LegalHold.objects.none()
    found = LegalHold.objects.select_related("delivery__organisation", "delivery__sealed_copy")
    return known_to(person, found)


@transaction.atomic
def place(
    receipt: str, *, authority: str, reason: str, until: date | None, by: Person, at: datetime
) -> LegalHold:  # fmt: skip
    """Lay a hold on a delivery that was not purged yet, whether or not its term is over.

    Raises NotFound for others than legal officers and for a delivery that is not there, InputError without authority or
    reason, or with a day in the past, Conflict when it is purged.
    """
    delivery = Delivery.objects.select_for_update(of=("self",)).filter(receipt=receipt.strip()).first()
    if not may(by, "hold-legally") or delivery is None:
        raise NotFound
    delivery = delivery.duplicate_of or delivery
    for name, text in (("authority", authority), ("reason", reason)):
        if not text.strip():
            raise InputError("missing-field", field=name)
    if until is not None and until < at.astimezone(UTC).date():
        raise InputError("term-out-of-bounds", field="until", excerpt=until.isoformat())
    if delivery.state == Delivery.State.PURGED:
        raise Conflict("it was purged")
    made = LegalHold.objects.create(
        delivery=delivery, authority=authority.strip()[:200], reason=reason.strip()[:4000], until=until,
        placed_by=by.login, placed_at=at,
    )  # fmt: skip
    facts = {"delivery": delivery.receipt, "until": until.isoformat() if until else None}
    record(by.login, "legal-hold.placed", f"legal-hold:{made.pk}", facts, at=at)
    return made


@transaction.atomic
def lift(held: LegalHold, *, reason: str, by: Person, at: datetime) -> LegalHold:
    """End a hold: once no other is on the delivery, its sealed copy is destroyed. Raises as `place`."""
    found = LegalHold.objects.select_for_update().get(pk=held.pk)
    if not may(by, "hold-legally"):
        raise NotFound
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    if found.lifted_at is not None:
        raise Conflict("it was lifted")
    found.lifted_by, found.lifted_at, found.lifted_why = by.login, at, reason.strip()[:4000]
    found.save(update_fields=["lifted_by", "lifted_at", "lifted_why"])
    record(by.login, "legal-hold.lifted", f"legal-hold:{found.pk}", {}, at=at)
    return found
