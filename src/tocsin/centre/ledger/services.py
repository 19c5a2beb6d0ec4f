"""Writing down what somebody took, in the transaction in which it is handed out, and what was answered to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Value, When

from tocsin.centre.members.models import Person
from tocsin.lake.scope import Batches

from .models import Kind, Response, Taking

AT_ONCE = 500


def took(person: Person, channel: str, batches: Batches | Iterable[int], at: datetime, *, reference: str = "") -> None:
    """Note that these batches reached the person's organisation. What the Centre's own people read is in the log."""
    if person.organisation.is_centre:
        return
    taken = batches if isinstance(batches, Batches) else Batches(list(batches))
    if not taken:
        return
    with transaction.atomic():
        try:
            with transaction.atomic():
                _note(person.organisation_id, channel, reference[:60], taken, at)
        except IntegrityError:  # Another door noted the first of the day in this moment: now its rows are there.
            _note(person.organisation_id, channel, reference[:60], taken, at)


def _note(organisation: int, channel: str, reference: str, taken: Batches, at: datetime) -> None:
    key = {
        "organisation_id": organisation,
        "channel": channel,
        "reference": reference,
        "day": at.astimezone(UTC).date(),
    }
    parts = _parts(taken, Taking.BLOCK_BITS)
    # In their order, so that two who note at once wait for one another and never in a ring.
    held = Taking.objects.select_for_update().filter(**key, block__in=parts).order_by("block")
    known = {row.block: row for row in held}
    for block, row in known.items():
        had = Batches.unpacked(bytes(row.batches))
        if not parts[block] <= had:
            for name, value in _stored(had | parts[block]).items():
                setattr(row, name, value)
            row.save(update_fields=["first", "last", "batches"])
    numbers = [row.pk for row in known.values()]
    for start in range(0, len(numbers), AT_ONCE):
        same = Taking.objects.filter(pk__in=numbers[start : start + AT_ONCE])
        latest = Case(When(ended_at__lt=at, then=Value(at)), default=F("ended_at"))
        same.update(times=F("times") + 1, ended_at=latest)
    new = [block for block in parts if block not in known]
    Taking.objects.bulk_create(
        (Taking(**key, block=block, began_at=at, ended_at=at, **_stored(parts[block])) for block in new),
        batch_size=AT_ONCE,
    )


def answered(
    person: Person, kind: Kind, numbers: Iterable[int], step: str, at: datetime, *, usefulness: str = "", note: str = ""
) -> None:
    """Note one act of the person's organisation on these. Whether it may see them, the caller has asked."""
    Response.objects.bulk_create(
        (
            Response(
                organisation_id=person.organisation_id, kind=kind, step=step, usefulness=usefulness, note=note,
                by=person.login, at=at, block=block, first=int(part.numbers[0]), last=int(part.numbers[-1]),
                numbers=part.packed(),
            )
            for block, part in _parts(Batches(list(numbers)), Response.BLOCK_BITS).items()
        ),
        batch_size=AT_ONCE,
    )  # fmt: skip


def _parts(numbers: Batches, bits: int) -> dict[int, Batches]:
    """Block → those of the numbers that lie in it."""
    if not numbers:
        return {}
    blocks, starts = np.unique(numbers.numbers >> bits, return_index=True)
    return dict(zip(blocks.tolist(), map(Batches, np.split(numbers.numbers, starts[1:])), strict=True))


def _stored(batches: Batches) -> dict[str, int | bytes]:
    return {"first": int(batches.numbers[0]), "last": int(batches.numbers[-1]), "batches": batches.packed()}
