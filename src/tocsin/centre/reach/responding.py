"""What an organisation says of what was released to it. Each act is one row of the ledger and one entry in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake.sealed_fields import sealed_words
from tocsin.centre.ledger.models import Kind, Response
from tocsin.centre.ledger.selectors import done_by
from tocsin.centre.ledger.services import answered
from tocsin.centre.members.models import Person
from tocsin.core.errors import InputError, Refused

from . import chasing
from .received import ACKNOWLEDGING, ANSWERING
from .things import Thing
from .words import ANSWER

LONGEST_NOTE = 2_000
AT_ONCE = 1_000
"""Most that one act covers."""


def note_opened(person: Person, found: Sequence[Thing], at: datetime) -> None:
    """Somebody of the organisation looked at these: the first time counts."""
    _take(person, found, Response.Step.OPENED, tuple(Response.Step), at)


def acknowledge(person: Person, found: Sequence[Thing], at: datetime) -> int:
    """We have these. Says how many of them were not acknowledged before."""
    return _take(person, found, Response.Step.ACKNOWLEDGED, ACKNOWLEDGING, at)


def answer(person: Person, found: Sequence[Thing], *, outcome: str, usefulness: str, note: str, at: datetime) -> None:
    """What came of these, which acknowledges them too. Said again, the last answer holds.

    Raises InputError for a word that is none of these, Refused where something is missing.
    """
    if outcome not in ANSWERING:
        raise InputError("invalid-object", field="outcome", excerpt=outcome[:40])
    if not usefulness:
        raise Refused("answer-without-usefulness")
    if usefulness not in Response.Usefulness.values:
        raise InputError("invalid-object", field="usefulness", excerpt=usefulness[:40])
    text = note.strip()[:LONGEST_NOTE]
    if outcome == Response.Step.NO_ACTION and not text:
        raise Refused("answer-without-reason")
    with transaction.atomic():
        sealed = sealed_words(text, ANSWER)
        for kind, numbers in _by_kind(found).items():
            answered(person, kind, numbers, outcome, at, usefulness=usefulness, note=sealed)
            facts = {"numbers": numbers, "outcome": outcome, "usefulness": usefulness}
            record(person.login, "received.answered", _subject(kind, numbers), facts, at=at)
        chasing.settle(found, at)


def _take(person: Person, found: Sequence[Thing], step: Response.Step, after: Sequence[str], at: datetime) -> int:
    """One step on those of these on which none of the steps `after` was taken."""
    count = 0
    with transaction.atomic():
        for kind, numbers in _by_kind(found).items():
            done = done_by(kind, [person.organisation_id], after, min(numbers))
            new = [number for number in numbers if number not in done]
            if not new:
                continue
            answered(person, kind, new, step, at)
            record(person.login, f"received.{step}", _subject(kind, new), {"numbers": new}, at=at)
            count += len(new)
        if count and step != Response.Step.OPENED:
            chasing.settle(found, at)
    return count


def _by_kind(found: Sequence[Thing]) -> dict[Kind, list[int]]:
    by_kind: dict[Kind, list[int]] = {}
    for each in found:
        by_kind.setdefault(each.kind, []).append(each.number)
    return by_kind


def _subject(kind: Kind, numbers: Sequence[int]) -> str:
    return f"{kind}:{numbers[0]}" if len(numbers) == 1 else f"{kind}s:{len(numbers)}"
