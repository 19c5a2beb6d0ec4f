"""Whom the rows of a batch concern: where victims are all that is in it, their countries alone find anything there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tocsin.centre.rows import Numbers

from .models import Batch, Tally
from .selectors import VICTIM_WORDS


def countries_in(batches: Collection[int]) -> dict[int, frozenset[str] | None]:
    """Batch → the countries whose victims are all that is in it; None where there is something for everybody."""
    found: dict[int, frozenset[str] | None] = dict.fromkeys(batches)
    rows_alone = Batch.objects.filter(pk__in=Numbers(batches), objects_count=0, rows__gt=0)
    only = set(rows_alone.order_by().values_list("pk", flat=True))
    tallies = Tally.objects.filter(batch__in=Numbers(only)).order_by().values_list("batch_id", "country").distinct()
    only -= set(tallies.exclude(role__in=VICTIM_WORDS).values_list("batch_id", flat=True))
    for batch, country in tallies:
        if batch in only:
            found[batch] = (found[batch] or frozenset()) | {country}
    return found


def together(several: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """Of several batches."""
    found: set[str] = set()
    for each in several:
        if each is None:
            return None
        found |= each
    return frozenset(found)
