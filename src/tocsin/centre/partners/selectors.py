"""Reading scorecards: one's own, and for the partnership officer those of all partners side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may

from .models import Scorecard
from .rules import SPANS
from .services import newest_day

HISTORY_MOST = 60
"""Days of the curve."""


@dataclass(frozen=True, slots=True)
class Card:
    """The last scorecard of an organisation over one span."""

    organisation: Organisation
    day: date
    span_days: int
    body: dict[str, Any]


def span_or(asked: str | None) -> int:
    """The span that was asked for, else the shortest."""
    return int(asked) if asked in {str(days) for days in SPANS} else SPANS[0]


def own_card(person: Person, span_days: int) -> Card | None:
    """The last scorecard of the person's own organisation; None before the first."""
    if not may(person, "read-own-agreement"):
        return None
    found = Scorecard.objects.filter(organisation=person.organisation, span_days=span_days)
    last = found.select_related("organisation").order_by("-day").first()
    return _card(last) if last else None


def history_of(person: Person, span_days: int) -> list[int]:
    """Rows of the last days' scorecards, the oldest first."""
    found = Scorecard.objects.filter(organisation=person.organisation, span_days=span_days).order_by("-day")
    return [each.body["rows"] for each in found[:HISTORY_MOST]][::-1]


def all_cards(person: Person, span_days: int) -> list[Card]:
    """Those of the last day, of every organisation, for who looks after partners."""
    day = newest_day()
    if day is None or not may(person, "read-scorecards"):
        return []
    found = Scorecard.objects.filter(day=day, span_days=span_days).select_related("organisation")
    return [_card(each) for each in found.order_by("organisation__name")]


def _card(row: Scorecard) -> Card:
    return Card(row.organisation, row.day, row.span_days, row.body)
