"""The batches of a reading, as rows: interned with what they share, inserted, and given their place among changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tocsin.centre import rows
from tocsin.centre.members.models import HandlingSet
from tocsin.centre.questions import Act, Question
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling

from . import grades
from .handlings import handling_of
from .models import Batch, Delivery, Terms, set_terms
from .reading import BATCHES_IN_DELIVERY
from .terms import terms_row


def handling_row(handling: Handling) -> HandlingSet:
    """The interned row of a handling set."""
    known = _HANDLING.first(handling.digest)
    if known is not None:
        return known
    row, _ = HandlingSet.objects.get_or_create(
        digest=handling.digest, defaults={"tlp": handling.tlp.value, "body": handling.as_json()}
    )
    return row


_HANDLING = Question(lambda digest: HandlingSet.objects.filter(digest=digest), "digest")
_COUNTED = Act(lambda number, count: (Delivery.objects.filter(pk=number), {"objects_count": count}), -1, 29)


def insert_batches(
    several: Sequence[tuple[Delivery, dict[str, Any]]], victims: set[int], at: datetime, known: Interned
) -> set[int]:
    """The batches, released to nobody yet, and without their place among changes (`settle`). Returns the numbers of
    deliveries that hold something TLP:RED."""
    batches: list[Batch] = []
    for delivery, outcome in several:
        batches += batches_of(delivery, outcome, victims, at, known)
    set_terms(batches)
    Batch.objects.insert_unsettled(batches)
    ends: dict[int, datetime] = {}
    for each in batches:
        ends[each.delivery_id] = max(each.expires_at, ends.get(each.delivery_id, each.expires_at))
    for delivery, _ in several:
        delivery.ends_at = ends.get(delivery.pk, delivery.ends_at)
    return {each.delivery_id for each in batches if each.handling_set.tlp == Tlp.RED.value}


def settle(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """A keeper of the commit, of one delivery or of several read together: their batches take their place among all
    changes, and nobody else changes any until its end. What does not need that comes before it."""
    del delivery, work, at
    things: Counter[int] = Counter()
    for made in outcome["batches"]:
        things[made["number"] // BATCHES_IN_DELIVERY] += made["things"]
    unsettled = Batch.objects.filter(pk__in=rows.Numbers(made["number"] for made in outcome["batches"]), changed=0)
    if unsettled.exists():
        _COUNTED.each(things.items())  # Its batches take so many moments (`models.moments_of`).
        unsettled.settle()


class Interned:
    """Rows that many batches share, asked for once."""

    def __init__(self) -> None:
        self._sets: dict[str, HandlingSet] = {}
        self._terms: dict[tuple[int, int, bool], Terms] = {}

    def under(self, handling: Handling) -> HandlingSet:
        if handling.digest not in self._sets:
            self._sets[handling.digest] = handling_row(handling)
        return self._sets[handling.digest]

    def terms_of(self, delivery: Delivery, under: HandlingSet) -> Terms:
        """Of what is released to nobody yet."""
        key = (delivery.organisation_id, under.pk, delivery.is_private)
        if key not in self._terms:
            self._terms[key] = terms_row(delivery.organisation_id, under, None, is_private=delivery.is_private)
        return self._terms[key]


def batches_of(
    delivery: Delivery, outcome: dict[str, Any], victims: set[int], at: datetime, known: Interned
) -> list[Batch]:
    """Its batches, not written yet; the names of the defaults that were applied are noted at the delivery."""
    applied: set[str] = set()
    batches = []
    for made in outcome["batches"]:
        handling, by_default = handling_of(delivery, outcome, made["marking"])
        grade, is_usual = grades.arriving(delivery, made["grade"])
        applied.update(by_default, ["grade"] if is_usual else [])
        under = known.under(handling)
        batch = Batch(
            pk=made["number"],
            delivery=delivery,
            organisation=delivery.organisation,
            handling_set=under,
            terms=known.terms_of(delivery, under),
            received_at=delivery.received_at,
            grade=grade,
            rows=made["rows"],
            objects_count=made["things"],
            sealed_at=at if handling.tlp == Tlp.RED or made["number"] in victims else None,
        )
        batches.append(batch)
    delivery.defaults_applied = sorted(applied)
    return batches
