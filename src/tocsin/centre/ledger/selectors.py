"""Who has what."""

from __future__ import annotations

from collections import defaultdict

from tocsin.lake.scope import Batches

from .models import Taking


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
