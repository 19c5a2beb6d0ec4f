"""Pages on partners' part: a partner's own, and all scorecards for the Centre's partnership officer."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tocsin.centre.intake import deliveries as intake
from tocsin.centre.intake.outlook import outlooks_of
from tocsin.centre.members import agreements
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Person
from tocsin.centre.permissions.selectors import answerable_by
from tocsin.products.text_safety import cell

from . import labels, selectors
from .rules import SPANS, cells_of, measure_of

DELIVERIES_SHOWN = 6
REQUESTS_SHOWN = 5


@requires("read-own-agreement")
@require_safe
def partnership(request: HttpRequest) -> HttpResponse:
    """All that concerns a partner's part on one page."""
    person, now = person_of(request), timezone.now()
    days = selectors.span_or(request.GET.get("days"))
    card = selectors.own_card(person, days)
    context = {
        "organisation": person.organisation,
        "held": agreements.held_by(person.organisation, now),
        "lines": _lines(person),
        "asked": answerable_by(person).select_related("delivery")[:REQUESTS_SHOWN],
        "card": card,
        "measured": _measured(card.body) if card else [],
        "delays": _delays(card.body) if card else [],
        "history": selectors.history_of(person, days),
        "days": days,
        "spans": SPANS,
    }
    return render(request, "partners/partnership.html", context)


def _lines(person: Person) -> list[dict[str, Any]]:
    """Its newest deliveries, each with where it stands."""
    page = intake.page_of(intake.deliveries_for(person), "", DELIVERIES_SHOWN)
    outlooks = outlooks_of(page.rows, timezone.now())
    return [{"delivery": each, "outlook": outlooks[each.pk]} for each in page.rows]


def _measured(body: dict[str, Any]) -> list[tuple[object, list[dict[str, Any]]]]:
    return [
        (heading, [{"name": labels.MEASURES[name][0], "meaning": labels.MEASURES[name][1], **measure_of(body, name),
                    "why": labels.WHY.get(measure_of(body, name)["why"], "")} for name in names])
        for heading, names in labels.GROUPS
    ]  # fmt: skip


def _delays(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns of the chart; nothing where no row is timed."""
    if not any(body["delays"]):
        return []
    return [{"name": name, "value": rows} for name, rows in zip(labels.DELAYS, body["delays"], strict=True)]


@requires("read-own-agreement")
@require_safe
def scorecard_csv(request: HttpRequest) -> HttpResponse:
    """One's own scorecards, of all spans."""
    person = person_of(request)
    cards = [card for days in SPANS if (card := selectors.own_card(person, days)) is not None]
    return _table(cards, "scorecard.csv")


@requires("read-scorecards")
@require_safe
def scorecards(request: HttpRequest) -> HttpResponse:
    """Every source's scorecard side by side."""
    person = person_of(request)
    days = selectors.span_or(request.GET.get("days"))
    names = [name for _heading, listed in labels.GROUPS for name in listed]
    rows = [
        {"card": card, "cells": [(labels.MEASURES[name][0], measure_of(card.body, name)) for name in names]}
        for card in selectors.all_cards(person, days)
    ]
    context = {"rows": rows, "measures": [labels.MEASURES[name] for name in names], "days": days, "spans": SPANS}
    return render(request, "partners/scorecards.html", context)


@requires("read-scorecards")
@require_safe
def scorecards_csv(request: HttpRequest) -> HttpResponse:
    """The same as a table, of all spans."""
    person = person_of(request)
    return _table([card for days in SPANS for card in selectors.all_cards(person, days)], "scorecards.csv")


def _table(cards: list[selectors.Card], name: str) -> HttpResponse:
    written = io.StringIO("")
    writer = csv.writer(written)
    writer.writerow(("organisation", "day", "span_days", "figure", "value", "rests_on"))
    for card in cards:
        for row in cells_of(card.body):
            writer.writerow(map(cell, (card.organisation.slug, card.day.isoformat(), str(card.span_days), *row)))
    response = HttpResponse("\ufeff" + written.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
