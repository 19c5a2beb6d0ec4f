"""Writing down what somebody took, in the transaction in which it is handed out, and what was answered to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from tocsin.centre.members.models import Person
from tocsin.centre.questions import Question
from tocsin.lake.scope import Batches

from .models import Kind, Response, Taking

AT_ONCE = 500
# Every page that a program reads passes here; what Django makes of it costs ten times what the database does with it.
_AGAIN = (
    "UPDATE ledger_taking SET times = times + 1, ended_at = CASE WHEN ended_at < %s THEN %s ELSE ended_at END"
    " WHERE id = %s"
)
_AGAIN_WHERE_SAME = f"{_AGAIN} AND batches = %s"
MOST_KNOWN = 32
"""Rows of the day of which a process remembers what lay in them."""
_Key = tuple[int, str, str, date]
"""Organisation, channel, reference, day."""


def took(person: Person, channel: str, batches: Batches | Iterable[int], at: datetime, *, reference: str = "") -> None:
    """Note that these batches reached the person's organisation. What the Centre's own people read is in the log."""
    if person.organisation.is_centre:
        return
    taken = batches if isinstance(batches, Batches) else Batches(list(batches))
    if not taken:
        return
    parts = _parts(taken, Taking.BLOCK_BITS)
    key = (person.organisation_id, channel, reference[:60], at.astimezone(UTC).date())
    with transaction.atomic(savepoint=False):
        if (left := _noted_unchanged(key, parts, at)) and (new := _noted_again(key, left, at)):
            try:
                with transaction.atomic():
                    _note_first(key, new, at)
            except IntegrityError:  # Another door noted the first of the day in this moment: now its rows are there.
                _note_first(key, _noted_again(key, new, at), at)


@lru_cache(maxsize=16)
def _unpacked(kept: bytes) -> Batches:
    """Who follows a collection takes the same again and again; an array may have half a megabyte."""
    return Batches.unpacked(kept)


class _Row(NamedTuple):
    """A row of the day, as it was."""

    pk: int
    kept: bytes
    batches: Batches


_rows: OrderedDict[tuple[_Key, int], _Row] = OrderedDict()
_lock = threading.Lock()


def _noted_unchanged(key: _Key, parts: dict[int, Batches], at: datetime) -> dict[int, Batches]:
    """Add to the rows that are known to hold these already, if they still hold what they did; give what is left.

    The database says whether they do, in the statement that adds. What is left stands in no row before these.
    """
    moment, left = connection.ops.adapt_datetimefield_value(at), dict(sorted(parts.items()))
    for block, part in list(left.items()):
        with _lock:
            row = _rows.get((key, block))
        if row is None or not part <= row.batches:
            return left
        with connection.cursor() as cursor:
            cursor.execute(_AGAIN_WHERE_SAME, (moment, moment, row.pk, row.kept))
            if cursor.rowcount != 1:
                return left
        del left[block]
    return left


def _remember(key: _Key, block: int, row: _Row) -> None:
    with _lock:
        _rows[key, block] = row
        _rows.move_to_end((key, block))
        if len(_rows) > MOST_KNOWN:
            _rows.popitem(last=False)


def _noted_again(key: _Key, parts: dict[int, Batches], at: datetime) -> dict[int, Batches]:
    """Add to the rows of the day that are there; give what none is there for."""
    # In their order, so that two who note at once wait for one another and never in a ring.
    held = [row for row in _HELD(*key, min(parts), max(parts)) if row.block in parts]
    for row in held:
        had = _unpacked(bytes(row.batches))
        if not parts[row.block] <= had:
            for name, value in _stored(had | parts[row.block]).items():
                setattr(row, name, value)
            row.save(update_fields=["first", "last", "batches"])
        else:
            _remember(key, row.block, _Row(row.pk, bytes(row.batches), had))
    moment = connection.ops.adapt_datetimefield_value(at)
    with connection.cursor() as cursor:
        for row in held:
            cursor.execute(_AGAIN, (moment, moment, row.pk))
    known = {row.block for row in held}
    return {block: part for block, part in parts.items() if block not in known}


def _note_first(key: _Key, parts: dict[int, Batches], at: datetime) -> None:
    """Make the day's rows for these."""
    organisation, channel, reference, day = key
    Taking.objects.bulk_create(
        (
            Taking(
                organisation_id=organisation, channel=channel, reference=reference, day=day, block=block,
                began_at=at, ended_at=at, **_stored(part),
            )
            for block, part in parts.items()
        ),
        batch_size=AT_ONCE,
    )  # fmt: skip


def _of_the_day(organisation: int, channel: str, reference: str, day: date, first: int, last: int) -> QuerySet[Taking]:
    of_these = Taking.objects.filter(organisation=organisation, channel=channel, reference=reference, day=day)
    return of_these.filter(block__gte=first, block__lte=last).order_by("block").select_for_update()


_HELD = Question(_of_the_day, 1, "channel", "reference", date(1970, 1, 1), 2, 3)


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
    if (first := int(numbers.numbers[0]) >> bits) == int(numbers.numbers[-1]) >> bits:
        return {first: numbers}
    blocks, starts = np.unique(numbers.numbers >> bits, return_index=True)
    return dict(zip(blocks.tolist(), map(Batches, np.split(numbers.numbers, starts[1:])), strict=True))


def _stored(batches: Batches) -> dict[str, int | bytes]:
    return {"first": int(batches.numbers[0]), "last": int(batches.numbers[-1]), "batches": batches.packed()}
