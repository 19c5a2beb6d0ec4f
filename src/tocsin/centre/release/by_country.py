"""What would a country get? What waits, put to the gate for each of its organisations, as labels would let it go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from tocsin.centre.intake.concern import countries_in, together
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.permissions.rules import day_of
from tocsin.centre.permissions.selectors import grants_for
from tocsin.handling import HandlingSet

from . import rules
from .preview import Preview, preview
from .releasing import bureaus, refusal_of


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a delivery that waits, what lies under one handling set."""

    delivery: Delivery
    handling: HandlingSet
    rows: int
    refusal: rules.Refusal | None
    """Why it cannot go as it is, to whomever."""
    preview: Preview
    """Of the country's organisations alone."""


def answers_for(code: str, deliveries: Iterable[Delivery], waiting: QuerySet[Batch], now: datetime) -> list[Answer]:
    """For each part of these deliveries: who of the country would see it, were it let go by its label."""
    listed = {each.pk: each for each in deliveries}
    alike: dict[tuple[int, str], list[Batch]] = defaultdict(list)
    for batch in waiting.filter(delivery__in=listed).select_related("handling_set").order_by("pk"):
        alike[batch.delivery_id, batch.handling_set.digest].append(batch)
    order = list(listed)
    clients = bureaus()
    found = []
    for (number, digest), batches in sorted(alike.items(), key=lambda each: (order.index(each[0][0]), each[0][1])):
        delivery, handling = listed[number], HandlingSet.from_json(batches[0].handling_set.body)
        grants = grants_for(delivery, day_of(now))
        refusal = refusal_of([handling], delivery.organisation, (), clients, now, grants)
        found.append(
            Answer(
                delivery, handling, sum(each.rows for each in batches), refusal,
                preview(
                    handling, delivery.organisation.slug,
                    None if refusal else rules.audience_under(handling, (), clients, grants.get(digest, ())), now,
                    countries=together(countries_in([each.pk for each in batches]).values()), only=code,
                ),
            )
        )  # fmt: skip
    return found
