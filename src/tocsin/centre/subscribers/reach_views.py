"""The desk's page of how far alerts to the public came."""

from __future__ import annotations

from typing import Any

from babel import Locale, UnknownLocaleError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from tocsin.centre.alerts.selectors import alert_for
from tocsin.centre.members.access import person_of, requires
from tocsin.core.errors import NotFound

from . import figures, reading
from .labels import KINDS, OUTPUTS

ABILITY = "read-alerts"


def _bars(rows: list[tuple[str, int | None]], labels: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": labels.get(name, name), "value": number} for name, number in rows if number is not None]


def _languages(rows: list[tuple[str, int | None]]) -> dict[str, Any]:
    """Names of languages, in the reader's own."""
    found = {}
    for name, _ in rows:
        try:
            found[name] = Locale.parse(name, sep="-").get_display_name(get_language() or "en") or name
        except (UnknownLocaleError, ValueError):
            found[name] = name
    return found


def context_of(number: str) -> dict[str, Any]:
    """What the drawing needs, on this page and wherever it is included (`subscribers/_reach.html`)."""
    today = timezone.now().date()
    found = figures.reach_of(number, today)
    return {
        "reach": found, "outputs": _bars(found.by_output, OUTPUTS),
        "read_in": _bars(found.by_language, _languages(found.by_language)),
        "told": [(KINDS[kind], sent, failed) for kind, sent, failed in found.told],
        "least": reading.LEAST,
        "has_days": any(value for _, value in found.by_day),
    }  # fmt: skip


@requires(ABILITY)
@require_safe
def reach(request: HttpRequest) -> HttpResponse:
    """Of the whole public site, with who is subscribed and who shows the widget."""
    if not person_of(request).organisation.is_centre:
        raise Http404
    kinds, spoken = figures.subscribers()
    context = {
        "number": "", "kinds": _bars(kinds, KINDS), "spoken": _bars(spoken, _languages(spoken)),
        "embedders": figures.embedders(timezone.now().date()), "least_from_host": reading.LEAST_FROM_HOST,
        "resting": figures.resting_bureaus(), "resting_readers": figures.resting_readers(),
        **context_of(""),
    }  # fmt: skip
    return render(request, "subscribers/reach.html", context)


@requires(ABILITY)
@require_safe
def reach_of_alert(request: HttpRequest, number: str) -> HttpResponse:
    """Of one alert."""
    try:
        alert = alert_for(person_of(request), number)
    except NotFound:
        raise Http404 from None
    context = {"number": alert.number or alert.reference, "alert": alert, **context_of(alert.number or "-")}
    return render(request, "subscribers/reach.html", context)
