"""What is held on a person: every delivery in which one of its values stands, through the commission's own door.

It asks the lake and the tables themselves: no gate stands before the commission, and nothing of what it asks is kept
in the log of acts, the ledger or anybody's standing queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from tocsin.centre.analysis.lookups import asked_of, snapshot
from tocsin.centre.analysis.models import Proposal
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.knowledge.models import Document, Object
from tocsin.core.typed import recognise_value
from tocsin.lake.questions.lookup import Sight, lookup
from tocsin.lake.scope import Batches, Scope

LEAST_LETTERS = 3


def search(values: Iterable[str]) -> list[dict[str, Any]]:
    """Receipt, source and numbers of what was found in it, of each delivery; the earliest first."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    every = Batches(list(Batch.objects.filter(purged_at=None).values_list("pk", flat=True)))
    sight = Sight(Scope(every, all_victims=True))
    files = snapshot()
    for value in {text.strip() for text in values if len(text.strip()) >= LEAST_LETTERS}:
        recognised = recognise_value(value)
        asked = asked_of(str(recognised[0]), recognised[1]) if recognised else asked_of("name", value)
        by_batch = lookup(files, sight, asked, most_rows=0).by_batch if files.files else {}
        deliveries = dict(Batch.objects.filter(pk__in=list(by_batch)).values_list("pk", "delivery"))
        for batch, rows in by_batch.items():
            found[deliveries[batch]]["rows"] += rows
        for delivery, what in _in_tables(value, recognised[1] if recognised else value):
            found[delivery][what] += 1
    known = Delivery.objects.select_related("organisation").in_bulk(found)
    return [
        {"receipt": known[key].receipt, "source": known[key].organisation.name, **found[key]} for key in sorted(found)
    ]


def _in_tables(value: str, canonical: str) -> Iterable[tuple[int, str]]:
    places = (
        ("documents", Document.objects.filter(Q(text__icontains=value) | Q(title__icontains=value))),
        ("objects", Object.objects.filter(name__icontains=value)),
        ("proposals", Proposal.objects.filter(Q(value__iexact=canonical) | Q(context__icontains=value))),
    )
    for what, rows in places:
        for delivery in rows.values_list("delivery", flat=True):
            yield delivery, what
    titles = Delivery.objects.filter(Q(title__icontains=value) | Q(name__icontains=value))
    for delivery in titles.values_list("pk", flat=True):
        yield delivery, "titles"
