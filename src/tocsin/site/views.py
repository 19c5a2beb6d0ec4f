"""Home, settings, help, health and errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from tocsin import __version__
from tocsin.centre import refusals
from tocsin.centre.analysis import selectors as figures
from tocsin.centre.clock import services as clock
from tocsin.centre.intake.deliveries import deliveries_for
from tocsin.centre.members.models import Person
from tocsin.centre.members.people_views import people_page
from tocsin.centre.members.rules import may, side_of
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.machine_faults import fault_of
from tocsin.formats import all_formats
from tocsin.reference.countries import country
from tocsin.taxii import answers as taxii

from . import desk, state, unanswered
from .access import person_of, requires
from .acts import acts


def spans() -> list[tuple[str, str]]:
    """Spans with their labels."""
    return [("24h", _("24 hours")), ("7d", _("7 days")), ("90d", _("90 days")), ("all", _("All"))]


def sides() -> list[tuple[str, str]]:
    """What the map counts, with labels."""
    return [("all", _("All roles")), ("victims", _("Victims")), ("hosting", _("Hosting"))]


@requires()
def home(request: HttpRequest) -> HttpResponseBase:
    """The first page: what is new, what waits, what came of it; who reads no content looks at its own work."""
    person = person_of(request)
    if not may(person, "read"):
        return _without_content(person)(request)
    now = timezone.now()
    viewer = viewer_of(person)
    asked = request.GET.get("span", "")
    span, side = figures.span_or(asked), request.GET.get("side", "all")
    side = side if side in figures.SIDES else "all"
    found = figures.home_figures(viewer, now, span, side)
    if not found.rows and not asked:  # Nothing new, but perhaps something older: show that rather than a blank page.
        span = "all"
        found = figures.home_figures(viewer, now, span, side)
    context = {
        "figures": found,
        "span": span,
        "side": side,
        "spans": spans(),
        "sides": sides(),
        "tasks": [task for task in desk.tasks_for(person, now) if task.count],
        "malware": [
            {"name": each.name, "value": each.rows, "url": f"{reverse('lookup')}?{urlencode({'q': each.name})}"}
            for each in figures.top_malware(viewer, now, span)
        ],
        "top": _top(found, span),
        "deliveries": deliveries_for(person).order_by("-received_at", "-pk")[:7],
        "sums": desk.delivery_sums(person, _since(now, span)),
        "side_of": side_of(person.organisation),
        "shows_all_deliveries": may(person, "read-all-deliveries"),
        "may_deliver": may(person, "deliver"),
        "feeds": desk.feed_health(now) if may(person, "read-feeds") else None,
    }
    if request.headers.get("HX-Target") == "world":
        return render(request, "site/world.html", context)
    if person.organisation.country and context["side_of"] == "bureau":
        context |= _own_country(person, now, span)
    return render(request, "site/home.html", context)


def _without_content(person: Person) -> Callable[[HttpRequest], HttpResponseBase]:
    """The first page of who reads no content: the first of these that its roles open."""
    pages = {"administer": settings_page, "read-audit": acts, "manage-people": people_page}
    return next((page for ability, page in pages.items() if may(person, ability)), help_formats)


def _since(now: datetime, span: str) -> datetime | None:
    days = figures.SPANS[span]
    return None if days is None else now - timedelta(days=days)


def _top(found: figures.Figures, span: str) -> list[dict[str, object]]:
    """The countries with most rows, as the bar list takes them."""
    most = sorted(found.by_country.items(), key=lambda each: (-each[1], each[0]))[:8]
    language = get_language() or "en"
    return [
        {"name": _name_of(code, language), "value": rows, "url": f"{reverse('country', args=[code])}?span={span}"}
        for code, rows in most
    ]


def _own_country(person: Person, now: datetime, span: str) -> dict[str, object]:
    viewer = viewer_of(person)
    code = person.organisation.country
    own = figures.country_figures(viewer, now, span, code)
    types, roles = figures.parts_of_country(viewer, now, span, code)
    return {"own_code": code, "own": own, "own_types": types[:6], "own_roles": roles}


@requires("administer")
def settings_page(request: HttpRequest) -> HttpResponse:
    """Facts of the installation."""
    context = {
        "facts": state.facts(),
        "jobs": state.jobs(timezone.now()),
        "clock": clock.standing(timezone.now()),
        "workers": state.workers(settings.INSTALLATION.workers_file),
    }
    return render(request, "site/settings.html", context)


@requires()
def help_formats(request: HttpRequest) -> HttpResponse:
    """What may be handed over, from the list of formats itself."""
    return render(request, "site/help_formats.html", {"formats": all_formats()})


@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """For a balancer or a watch: whether the portal and its database answer. Says nothing else."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:  # Whatever is wrong with the database, the answer is the same.
        return JsonResponse({"status": "database does not answer"}, status=503)
    return JsonResponse({"status": "ok", "version": __version__})


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: what Django itself refuses, such as a host that is not ours."""
    if taxii.is_spoken(request):
        return taxii.refusal(request, 400)
    text = _("The request is not understood.")
    if isinstance(exception, DisallowedHost):
        text = _(
            "The portal does not have the name that stands in the address. Ask your administrator which one it has."
        )
    if request.path.startswith("/api/"):
        return JsonResponse({"reason": "not-understood", "text": text}, status=400)
    return render(request, "site/error.html", {"code": 400, "text": text}, status=400)


def forbidden(request: HttpRequest, exception: Exception | None = None, reason: str = "") -> HttpResponse:
    """403: a form that was not ours, or too old."""
    if taxii.is_spoken(request):
        return taxii.refusal(request, 403)
    return render(request, "site/error.html", {"code": 403}, status=403)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form lacks the token of our page."""
    refusals.note(request, "forged")
    return forbidden(request, reason=reason)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: absent or not visible, in the same words."""
    if taxii.is_spoken(request):
        return taxii.refusal(request, 404)
    return render(request, "site/error.html", {"code": 404}, status=404)


def failed(request: HttpRequest) -> HttpResponse:
    """500: our fault; 503 where the database or a disk does not do its part, in words that ask nothing of it."""
    fault = fault_of(sys.exc_info()[1])
    if fault is not None:
        return unanswered.answer(request, fault)
    if taxii.is_spoken(request):
        return taxii.refusal(request, 500)
    return render(request, "site/error.html", {"code": 500}, status=500)


def _name_of(code: str, language: str) -> str:
    try:
        return country(code).name(language)
    except KeyError:
        return code
