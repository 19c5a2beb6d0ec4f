"""What waits for a person, or answered a question, and names something that is taken out of its batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from tocsin.centre.knowledge.parting import Naming
from tocsin.core.typed import Refanged

from .models import CountryConflict, Proposal, StandingHit


def move(values: Collection[str], rows: pl.DataFrame, into: Mapping[int, int]) -> None:
    """Put it where what it names went; `rows` are those that left, under their old batches."""
    naming = Naming(values)
    for each in Proposal.objects.filter(batch__in=list(into)):
        if each.value in values or (values and naming(Refanged(each.context).text)):
            Proposal.objects.filter(pk=each.pk).update(batch=into[each.batch_id])
    for conflict in CountryConflict.objects.filter(batch__in=list(into)):
        if conflict.value in values:
            CountryConflict.objects.filter(pk=conflict.pk).update(batch=into[conflict.batch_id])
        elif conflict.claims.get("example") in values:
            kept = {name: value for name, value in conflict.claims.items() if name != "example"}
            CountryConflict.objects.filter(pk=conflict.pk).update(claims=kept)
    counts = {(batch, value): count for batch, value, count in rows.group_by("batch", "value").len().iter_rows()}
    for hit in StandingHit.objects.filter(batch__in=list(into)).select_related("query"):
        lost = counts.get((hit.batch_id, hit.query.value), 0)
        if lost >= hit.rows or hit.query.value in values:
            StandingHit.objects.filter(pk=hit.pk).update(batch=into[hit.batch_id])
        elif lost:
            StandingHit.objects.filter(pk=hit.pk).update(rows=hit.rows - lost)
