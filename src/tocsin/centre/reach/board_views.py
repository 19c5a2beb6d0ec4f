"""Pages of the Centre: the board of what was released, one line of it, the reach map."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.ledger.labels import CHANNELS, OUTCOMES, USEFULNESS
from tocsin.centre.ledger.models import Kind
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.release.selectors import countries_for
from tocsin.core.errors import Conflict, NotFound, Refused
from tocsin.lake.scope import Batches

from . import chasing, labels, spread
from .board import STATES, chases_of, line_for, page_for, sources_for
from .lines import Line
from .spread import Reach


@requires("follow")
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    """How far recipients are with what was released, the newest first."""
    person, now = person_of(request), timezone.now()
    kind = Kind.PACKAGE if request.GET.get("kind") == Kind.PACKAGE else Kind.RELEASE
    state = request.GET.get("state", "")
    state = state if state in STATES else "all"
    of = request.GET.get("of", "")[:60]
    page = page_for(person, now, kind=kind, state=state, of=of, after=request.GET.get("after", ""))
    context = {
        "page": page,
        "kind": kind.value,
        "state": state,
        "states": labels.FILTERS.items(),
        "of": of,
        "sources": sources_for(person, now).values_list("slug", "name") if kind == Kind.RELEASE else (),
        "codes": countries_for(person) if kind == Kind.PACKAGE else (),
        "is_filtered": bool(of) or state != "all",
    }
    return render(request, "reach/board.html", context)


def _line(request: HttpRequest, kind: str, number: str) -> Line:
    try:
        return line_for(person_of(request), kind, number, timezone.now())
    except NotFound:
        raise Http404 from None


@requires("follow")
@require_safe
def line(request: HttpRequest, kind: str, number: str) -> HttpResponse:
    """One release or package, organisation by organisation."""
    found = _line(request, kind, number)
    chases = [(labels.CHASES[each.step], each) for each in chases_of(found.thing)]
    slugs = {slug for _words, each in chases for slug in each.organisations}
    names = dict(Organisation.objects.filter(slug__in=slugs).values_list("slug", "name"))
    context = {
        "line": found,
        "kind": kind,
        "number": number,
        "funnel": funnel_of(found),
        "usefulness": [{"name": USEFULNESS[word], "value": count} for word, count in found.usefulness.most_common()],
        "chases": [(words, each, [names.get(slug, slug) for slug in each.organisations]) for words, each in chases],
        "is_open": any(each.step == "escalated" and each.closed_at is None for _words, each in chases),
        "may_chase": may(person_of(request), "chase"),
        "outcomes": OUTCOMES,
    }
    return render(request, "reach/line.html", context)


def funnel_of(found: Line) -> list[dict[str, Any]]:
    """How many got how far, as the bar list takes them."""
    return [
        {"name": labels.STAGES["offered"][2], "value": found.offered},
        {"name": labels.STAGES["fetched"][2], "value": found.fetched},
        {"name": labels.STAGES["opened"][2], "value": found.opened},
        {"name": labels.STAGES["acknowledged"][2], "value": found.acknowledged},
        {"name": labels.STAGES["acted"][2], "value": found.acted},
    ]


@requires("chase")
@require_POST
def chase(request: HttpRequest, kind: str, number: str) -> HttpResponse:
    """Mark it as urgent, or say what was done to get an answer."""
    person, now = person_of(request), timezone.now()
    thing, act = _line(request, kind, number).thing, request.POST.get("act", "")
    try:
        if act == "urgent":
            chasing.call_urgent(thing, by=person, at=now)
            messages.success(request, _("It is urgent now: recipients are asked to acknowledge within four hours."))
        elif act in {"note", "close"}:
            chasing.note(thing, text=request.POST.get("note", ""), closes=act == "close", by=person, at=now)
            messages.success(request, _("It is noted."))
        else:
            raise Http404
    except Conflict:
        messages.error(request, _("It is marked as urgent already."))
    except Refused:
        messages.error(request, _("Say what was done: a note is kept with this step."))
    return redirect("follow-up-line", kind, number)


@requires("follow")
@require_safe
def delivery_reach(request: HttpRequest, receipt: str) -> HttpResponse:
    """Who has some of a delivery, and who may see it and has not."""
    person = person_of(request)
    try:
        found = spread.delivery_for(person, receipt)
    except NotFound:
        raise Http404 from None
    batches = spread.parts_of(found, viewer_of(person))
    return _reach(request, batches, found.organisation_id, f"delivery:{found.pk}", {"delivery": found})


@requires("follow")
@require_safe
def object_reach(request: HttpRequest, key: int) -> HttpResponse:
    """The same of one object."""
    try:
        found = spread.object_for(person_of(request), key)
    except NotFound:
        raise Http404 from None
    facts = {"delivery": found.delivery, "thing": found}
    return _reach(request, Batches([found.batch_id]), found.delivery.organisation_id, f"object:{found.pk}", facts)


def _reach(request: HttpRequest, batches: Batches, source: int, subject: str, facts: dict[str, Any]) -> HttpResponse:
    now = timezone.now()
    reach: Reach = spread.reach_of(batches, source, now)
    if request.method == "GET":
        spread.note_read(person_of(request).login, subject, reach, now)
    context = {"reach": reach, "countries": reach.countries, "channels": CHANNELS, **facts}
    return render(request, "reach/reach.html", context)
