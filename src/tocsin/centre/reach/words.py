"""What people write with an answer or about a missing one: sealed in the ledger, which knows nothing of seals."""

from __future__ import annotations

from collections.abc import Collection

from tocsin.centre.intake.sealed_fields import opened_words
from tocsin.centre.ledger.models import Kind
from tocsin.centre.ledger.selectors import Progress, progress_of

ANSWER, CHASE = "answer", "chase"
"""What is said under the seal."""


def said_of(
    kind: Kind, numbers: Collection[int], organisations: Collection[int] | None = None
) -> dict[int, dict[int, Progress]]:
    """As `progress_of`, with the notes opened."""
    found = progress_of(kind, numbers, organisations)
    for by_organisation in found.values():
        for each in by_organisation.values():
            each.note = opened_words(each.note, ANSWER)
    return found
