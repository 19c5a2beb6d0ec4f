"""What is held on a person: every delivery in which one of its values stands, through the commission's own door.

It asks the lake and the tables themselves: no gate stands before the commission, and nothing of what it asks is kept
in the log of acts, the ledger or anybody's standing queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from tocsin.centre.analysis.lookups import asked_of, snapshot
from tocsin.centre.analysis.models import Proposal
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.knowledge.models import Document
from tocsin.centre.knowledge.parting import Naming, all_texts
from tocsin.core.typed import Refanged, recognise_value
from tocsin.handling.folding import folded
from tocsin.lake.questions.lookup import Sight, lookup
from tocsin.lake.scope import Batches, Scope

LEAST_LETTERS = 3


def search(values: Iterable[str]) -> list[dict[str, Any]]:
    """Receipt, source and numbers of what was found in it, of each delivery; the earliest first."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    every = Batches(list(Batch.objects.filter(purged_at=None).values_list("pk", flat=True)))
    sight = Sight(Scope(every, all_victims=True))
    files = snapshot()
    asked_for = sorted({text.strip() for text in values if len(text.strip()) >= LEAST_LETTERS})
    for value in asked_for:
        recognised = recognise_value(value)
        asked = asked_of(str(recognised[0]), recognised[1]) if recognised else asked_of("name", value)
        by_batch = lookup(files, sight, asked, most_rows=0).by_batch if files.files else {}
        deliveries = dict(Batch.objects.filter(pk__in=list(by_batch)).values_list("pk", "delivery"))
        for batch, rows in by_batch.items():
            found[deliveries[batch]]["rows"] += rows
    for delivery, what, count in _in_texts(asked_for):
        found[delivery][what] += count
    known = Delivery.objects.select_related("organisation").in_bulk(found)
    return [
        {"receipt": known[key].receipt, "source": known[key].organisation.name, **found[key]} for key in sorted(found)
    ]


def _in_texts(values: Sequence[str]) -> Iterator[tuple[int, str, int]]:
    """Delivery, what sort of text, and how many of these values stand in it. Texts are sealed, so that no database can
    look through them: each is opened and read."""
    recognised = {value: recognise_value(value) for value in values}
    # Of a name all that holds it is looked at; a longer mail address or domain is another one.
    words = [_plain(value) for value, known in recognised.items() if known is None]
    named = [Naming([known[1]]) for known in recognised.values() if known is not None]

    def standing_in(text: str) -> int:
        said, whole = _plain(text) if words else "", Refanged(text).text if named else ""
        return sum(each in said for each in words) + sum(names(whole) for names in named)

    for what, texts in _texts():
        for delivery, text in texts:
            if count := standing_in(text):
                yield delivery, what, count


def _texts() -> Iterable[tuple[str, Iterator[tuple[int, str]]]]:
    """Sort of text → delivery and text of each."""
    yield "documents", _joined(Document.objects.values_list("delivery", "title", "text"))
    yield "objects", all_texts()
    yield "proposals", _joined(Proposal.objects.values_list("delivery", "value", "context"))
    yield "titles", _joined(Delivery.objects.values_list("pk", "title", "name", "urgency"))


def _joined(rows: QuerySet[Any, tuple[Any, ...]]) -> Iterator[tuple[int, str]]:
    for number, *texts in rows.iterator(chunk_size=200):
        yield number, "\n".join(texts)


def _plain(text: str) -> str:
    """As names are compared, in whatever letters they are written and wherever their lines end."""
    return " ".join(folded(text).split())
