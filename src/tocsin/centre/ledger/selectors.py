"""Who has what, and what they answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
from django.db.models import Q

from tocsin.centre.rows import Numbers
from tocsin.lake.scope import Batches

from .models import Kind, Response, Taking

Key = TypeVar("Key", bound=Hashable)


def takings_of(batches: Batches) -> dict[int, list[Taking]]:
    """Organisation → its takings in which any of these batches is, the earliest first."""
    found: dict[int, list[Taking]] = defaultdict(list)
    if not batches:
        return found
    holds = _Holds(batches)
    for taking in Taking.objects.filter(_near(batches, Taking.BLOCK_BITS)).order_by("began_at", "pk").iterator():
        if holds.of(bytes(taking.batches)):
            found[taking.organisation_id].append(taking)
    return found


def takers_of(sets: Mapping[Key, Batches]) -> dict[Key, dict[int, datetime]]:
    """For each of these sets: organisation → since when it has some of it. All in one pass."""
    found: dict[Key, dict[int, datetime]] = {key: {} for key in sets}
    of_number: dict[int, list[Key]] = defaultdict(list)
    for key, batches in sets.items():
        for number in batches:
            of_number[number].append(key)
    if not of_number:
        return found
    wanted = Batches(list(of_number))
    rows = Taking.objects.filter(_near(wanted, Taking.BLOCK_BITS))
    holds = _Holds(wanted)
    for organisation, began_at, packed in rows.values_list("organisation_id", "began_at", "batches").iterator():
        for number in holds.of(bytes(packed)):
            for key in of_number[number]:
                known = found[key].get(organisation)
                found[key][organisation] = began_at if known is None else min(known, began_at)
    return found


class _Holds:
    """Which of some numbers a packed set holds. Many organisations take the same: each set is unpacked once."""

    def __init__(self, wanted: Batches) -> None:
        self.wanted = wanted
        self.known: dict[bytes, list[int]] = {}

    def of(self, packed: bytes) -> list[int]:
        found = self.known.get(packed)
        if found is None:
            found = self.known[packed] = list(Batches.unpacked(packed) & self.wanted)
        return found


def _near(numbers: Batches, bits: int) -> Q:
    """Rows that may hold some of these numbers, of which there is at least one."""
    blocks = np.unique(numbers.numbers >> bits).tolist()
    return Q(block__in=Numbers(blocks), first__lte=int(numbers.numbers[-1]), last__gte=int(numbers.numbers[0]))


@dataclass(slots=True)
class Progress:
    """How far one organisation is with one thing. Whoever answered has acknowledged, and opened, it as well."""

    opened_at: datetime | None = None
    acknowledged_at: datetime | None = None
    answered_at: datetime | None = None
    outcome: str = ""
    """acted or no-action: what was said last."""
    usefulness: str = ""
    note: str = ""
    by: str = ""
    """Login of who took the last step."""


def progress_of(
    kind: Kind, numbers: Collection[int], organisations: Collection[int] | None = None
) -> dict[int, dict[int, Progress]]:
    """Number of a release or package → organisation → how far it is; None: every organisation."""
    found: dict[int, dict[int, Progress]] = {number: {} for number in numbers}
    wanted = Batches(list(numbers))
    if not wanted:
        return found
    rows = Response.objects.filter(_near(wanted, Response.BLOCK_BITS), kind=kind)
    if organisations is not None:
        rows = rows.filter(organisation__in=organisations)
    holds = _Holds(wanted)
    named = ("organisation_id", "numbers", "step", "at", "by", "usefulness", "note")
    for organisation, packed, *act in rows.order_by("at", "pk").values_list(*named).iterator():
        for number in holds.of(bytes(packed)):
            _advance(found[number].setdefault(organisation, Progress()), *act)
    return found


def _advance(progress: Progress, step: str, at: datetime, by: str, usefulness: str, note: str) -> None:
    progress.opened_at = progress.opened_at or at
    progress.by = by
    if step == Response.Step.OPENED.value:
        return
    progress.acknowledged_at = progress.acknowledged_at or at
    if step == Response.Step.ACKNOWLEDGED.value:
        return
    progress.answered_at = at
    progress.outcome, progress.usefulness, progress.note = step, usefulness, note


def done_by(kind: Kind, organisations: Collection[int], steps: Collection[str], since: int = 0) -> Batches:
    """Numbers, from `since` on, on which any of these organisations took any of these steps."""
    rows = Response.objects.filter(kind=kind, organisation__in=organisations, step__in=steps, last__gte=since)
    parts = [Batches.unpacked(bytes(packed)).numbers for packed in rows.values_list("numbers", flat=True)]
    return Batches(np.unique(np.concatenate(parts))) if parts else Batches()
