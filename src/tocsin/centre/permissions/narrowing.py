"""What follows when a permission is over: what was open on its strength closes, in the same transaction.

Narrowing alone: whatever the order of grants, withdrawals and ends, nobody sees more after it than before.
"""

from __future__ import annotations

from datetime import date

from tocsin.centre.intake.models import Batch, Terms
from tocsin.centre.intake.terms import set_audience

from .models import Permission, Use
from .rules import PUBLIC
from .selectors import in_force_of, parts_of


def narrow(over: Permission, today: date) -> int:
    """Close what was open on the strength of this permission and of none that is in force; says for how many batches.

    A purpose that it alone allowed: what went out for that waits anew. Nobody left of those whom a release named: so.
    """
    if PUBLIC in over.permitted_audience:
        parts_of(over).update()  # It opened nothing here: who published on its strength follows changes of batches.
    closed = 0
    for_purpose = Use.objects.filter(permission=over, is_for_purpose=True).values("batch")
    uses = Use.objects.filter(permission=over)
    held = Terms.objects.filter(pk__in=Batch.objects.filter(pk__in=uses.values("batch")).values("terms").distinct())
    for terms in held.select_related("handling_set", "audience", "permitted"):
        of_terms = Batch.objects.filter(pk__in=uses.values("batch"), terms=terms)
        for delivery in sorted(set(of_terms.values_list("delivery", flat=True))):
            batches = of_terms.filter(delivery=delivery)
            still = in_force_of(batches[0].delivery, terms.handling_set.digest, today)
            purposes = frozenset().union(*(each.grant.purposes for each in still))
            if over.grant.purposes - purposes - set(terms.handling_set.body["purposes"]):
                closed += set_audience(batches.filter(pk__in=for_purpose), None)
            entries = frozenset().union(*(each.grant.entries for each in still))
            lost = over.grant.entries - entries
            closed += set_audience(batches, *_without(terms, lost)) if lost else 0
    return closed


def _without(terms: Terms, lost: frozenset[str]) -> tuple[list[str] | None, list[str]]:
    """The audience and whom the source permitted, less those; an empty audience would name everybody."""
    permitted = sorted(set(terms.permitted.names) - lost)
    entries = terms.audience.entries
    if not entries:
        return entries, permitted
    return sorted(set(entries) - lost) or None, permitted
