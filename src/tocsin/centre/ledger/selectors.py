"""Who has what, and what they answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np

from tocsin.lake.scope import Batches

from .models import Kind, Response, Taking

Key = TypeVar("Key", bound=Hashable)


def takings_of(batches: Batches) -> dict[int, list[Taking]]:
    """Organisation → its takings in which any of these batches is, the earliest first."""
    found: dict[int, list[Taking]] = defaultdict(list)
    if not batches:
        return found
    first, last = int(batches.numbers[0]), int(batches.numbers[-1])
    for taking in Taking.objects.filter(first__lte=last, last__gte=first).order_by("began_at", "pk").iterator():
        if Batches.unpacked(bytes(taking.batches)) & batches:
            found[taking.organisation_id].append(taking)
    return found


def takers_of(sets: Mapping[Key, Batches]) -> dict[Key, dict[int, datetime]]:
    """For each of these sets: organisation → since when it has some of it. All in one pass."""
    found: dict[Key, dict[int, datetime]] = {key: {} for key in sets}
    listed = [(key, number) for key, batches in sets.items() for number in batches]
    if not listed:
        return found
    wanted = Batches([number for _, number in listed])
    of_number: dict[int, list[Key]] = defaultdict(list)
    for key, number in listed:
        of_number[number].append(key)
    first, last = int(wanted.numbers[0]), int(wanted.numbers[-1])
    rows = Taking.objects.filter(first__lte=last, last__gte=first).order_by("began_at", "pk")
    for organisation, began_at, packed in rows.values_list("organisation_id", "began_at", "batches").iterator():
        for number in Batches.unpacked(bytes(packed)) & wanted:
            for key in of_number[number]:
                found[key].setdefault(organisation, began_at)
    return found


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
    rows = Response.objects.filter(kind=kind, first__lte=int(wanted.numbers[-1]), last__gte=int(wanted.numbers[0]))
    if organisations is not None:
        rows = rows.filter(organisation__in=organisations)
    for row in rows.order_by("at", "pk").iterator():
        for number in Batches.unpacked(bytes(row.numbers)) & wanted:
            _advance(found[number].setdefault(row.organisation_id, Progress()), row)
    return found


def _advance(progress: Progress, row: Response) -> None:
    progress.opened_at = progress.opened_at or row.at
    progress.by = row.by
    if row.step == Response.Step.OPENED:
        return
    progress.acknowledged_at = progress.acknowledged_at or row.at
    if row.step == Response.Step.ACKNOWLEDGED:
        return
    progress.answered_at = row.at
    progress.outcome, progress.usefulness, progress.note = row.step, row.usefulness, row.note


def done_by(kind: Kind, organisations: Collection[int], steps: Collection[str], since: int = 0) -> Batches:
    """Numbers, from `since` on, on which any of these organisations took any of these steps."""
    rows = Response.objects.filter(kind=kind, organisation__in=organisations, step__in=steps, last__gte=since)
    parts = [Batches.unpacked(bytes(packed)).numbers for packed in rows.values_list("numbers", flat=True)]
    return Batches(np.unique(np.concatenate(parts))) if parts else Batches()
