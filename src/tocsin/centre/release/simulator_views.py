"""Who would get this? Asked of the gate for an invented rule, and for one country of what waits. Nothing is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Person
from tocsin.core.words import Tlp

from . import releasing, rules
from .by_country import answers_for
from .desk import deliveries_of, waiting_for
from .preview import preview
from .release_forms import CountryForm, SimulatorForm

DELIVERIES_ASKED = 25
"""The newest that wait."""


@requires("read-releases")
@require_safe
def release_simulator(request: HttpRequest) -> HttpResponse:
    """Both questions on one page; a delivery's own page asks for that delivery."""
    now, asks_country = timezone.now(), "country" in request.GET
    form = SimulatorForm(
        None if asks_country else request.GET or None,
        initial={"codes": ["H2"], "purposes": ["PROTECT"], "tlp": Tlp.AMBER.value},
    )
    country = CountryForm(request.GET if asks_country else None)
    context: dict[str, Any] = {"form": form, "country_form": country}
    if form.is_valid():
        context |= _of_a_rule(form, now)
    if country.is_valid():
        context |= _of_a_country(country.cleaned_data["country"], person_of(request), now)
    return render(request, "release/simulator.html", context)


def _of_a_rule(form: SimulatorForm, now: datetime) -> dict[str, Any]:
    said, clients = form.cleaned_data, releasing.bureaus()
    handling, source = said["handling"], said["source"]
    audience = rules.audience_under(handling, said["audience"], clients)
    victims = frozenset({said["victims"]}) if said["victims"] else None
    return {
        "handling": handling,
        "refusal": releasing.refusal_of([handling], source, said["audience"], clients, now),
        "preview": preview(handling, source.slug, audience, now, countries=victims),
    }


def _of_a_country(code: str, person: Person, now: datetime) -> dict[str, Any]:
    """Of the newest that wait and that the person may see."""
    waiting = waiting_for(person, now)
    deliveries = deliveries_of(waiting).order_by("-received_at", "-pk")
    asked = list(deliveries[:DELIVERIES_ASKED])
    return {"code": code, "answers": answers_for(code, asked, waiting, now), "more": deliveries.count() - len(asked)}
