"""How a partner's part compares, as far as it may know."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from tocsin.centre.partners import selectors
from tocsin.centre.partners.rules import SPANS
from tocsin.core.errors import InputError, NotFound

from .callers import caller_of
from .errors import Problem

router = Router(tags=["partnership"])


class Measure(Schema):
    """A share in percent, and on how many records it rests. Without a share, `why` says: too-few-others, too-few."""

    percent: float | None
    rests_on: int
    why: str


class Scorecard(Schema):
    """The last scorecard of the caller's own organisation."""

    day: date
    span_days: int
    deliveries: int
    rows: int
    values_new: int
    half_within_hours: int | None
    """Half of the rows with a time of their own arrived within so many hours of it; 0: later than 30 days."""
    delays: list[int]
    """Those rows by delay: up to 1, 6, 24, 72, 168, 720 hours, later."""
    measures: dict[str, Measure]


@router.get("/scorecard", response={200: Scorecard, 404: Problem, 422: Problem})
def scorecard(request: HttpRequest, days: int = SPANS[0]) -> dict[str, Any]:
    """One's own, over the last 30, 90 or 365 days. It is worked out once a day."""
    person = caller_of(request).require("read", "read")
    if days not in SPANS:
        raise InputError("not-a-number", field="days", excerpt=str(days))
    card = selectors.own_card(person, days)
    if card is None:
        raise NotFound
    return {"day": card.day, "span_days": card.span_days, **card.body}
