"""Writing down what somebody took, in the transaction in which it is handed out, and what was answered to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction

from tocsin.centre.members.models import Person
from tocsin.lake.scope import Batches

from .models import Kind, Response, Taking


def took(person: Person, channel: str, batches: Batches | Iterable[int], at: datetime, *, reference: str = "") -> None:
    """Note that these batches reached the person's organisation. What the Centre's own people read is in the log."""
    if person.organisation.is_centre:
        return
    taken = batches if isinstance(batches, Batches) else Batches(list(batches))
    if not taken:
        return
    facts = {"began_at": at, "ended_at": at, **_stored(taken)}
    with transaction.atomic():
        row, is_new = Taking.objects.select_for_update().get_or_create(
            organisation_id=person.organisation_id, channel=channel, reference=reference[:60],
            day=at.astimezone(UTC).date(), defaults=facts,
        )  # fmt: skip
        if is_new:
            return
        known = Batches.unpacked(bytes(row.batches))
        if not taken <= known:
            for name, value in _stored(known | taken).items():
                setattr(row, name, value)
        row.times += 1
        row.ended_at = max(row.ended_at, at)
        row.save()


def answered(
    person: Person, kind: Kind, numbers: Iterable[int], step: str, at: datetime, *, usefulness: str = "", note: str = ""
) -> None:
    """Note one act of the person's organisation on these. Whether it may see them, the caller has asked."""
    covered = Batches(list(numbers))
    if covered:
        Response.objects.create(
            organisation_id=person.organisation_id, kind=kind, step=step, usefulness=usefulness, note=note,
            by=person.login, at=at, first=int(covered.numbers[0]), last=int(covered.numbers[-1]),
            numbers=covered.packed(),
        )  # fmt: skip


def _stored(batches: Batches) -> dict[str, int | bytes]:
    return {"first": int(batches.numbers[0]), "last": int(batches.numbers[-1]), "batches": batches.packed()}
