"""What waits for a person: proposals from reports, countries whose claims differ, deliveries that were set aside."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre import pages
from tocsin.centre.intake.deliveries import deliveries_for, may_read_contents, page_of
from tocsin.centre.intake.models import Delivery, SavedProfile
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError
from tocsin.core.words import Role
from tocsin.handling import Viewer
from tocsin.reference import countries
from tocsin.reference.addresses import shipped
from tocsin.reference.members import members

from .. import reviewing, services
from ..models import Proposal

DECIDED_PER_PAGE = 30
ACCEPTABLE = tuple(role.value for role in Role)
CLAIMS = {
    "stated": gettext_lazy("what the source states"),
    "registry": gettext_lazy("the network registry"),
    "geo": gettext_lazy("the geolocation table"),
    "tld": gettext_lazy("the country code of the name or number"),
}
"""Claims as a bulk decision names them."""


@requires("review")
@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """The queue, one tab at a time."""
    viewer = viewer_of(person_of(request))
    quarantined = deliveries_for(person_of(request)).filter(state=Delivery.State.QUARANTINED)
    counts = {
        "proposals": reviewing.open_proposals(viewer).count(),
        "countries": reviewing.open_conflicts(viewer).count(),
        "quarantined": quarantined.count(),
    }
    asked = request.GET.get("tab", "")
    tab = asked if asked in counts else next((name for name, count in counts.items() if count), "proposals")
    context: dict[str, Any] = {"tab": tab, "counts": counts}
    if tab == "proposals":
        context |= _proposals(request, viewer)
    elif tab == "countries":
        context |= _countries(viewer, request.GET.get("after", ""))
    else:
        context |= _quarantined(request)
    return render(request, "analysis/review.html", context)


def _proposals(request: HttpRequest, viewer: Viewer) -> dict[str, Any]:
    reports = list(reviewing.reports_with_proposals(viewer)[:50])
    chosen = next((each for each in reports if each.receipt == request.GET.get("report")), next(iter(reports), None))
    if chosen is None:
        return {"reports": []}
    page = reviewing.proposals_page(chosen, viewer, request.GET.get("after", ""))
    text = reviewing.text_of(chosen, viewer)
    return {
        "reports": reports,
        "chosen": chosen,
        "page": page,
        "proposals": reviewing.marked(page.rows, text),
        "open_count": reviewing.proposals_of(chosen, viewer).count(),
        "text": reviewing.highlighted(text, page.rows),
        "roles": ACCEPTABLE,
        "can_open": may_read_contents(person_of(request), chosen),
    }


def _countries(viewer: Viewer, after: str) -> dict[str, Any]:
    page = reviewing.conflicts_page(viewer, after)
    return {
        "page": page,
        "conflicts": [reviewing.claims_of(each) for each in page.rows],
        "claims": [(name, CLAIMS[name]) for name in reviewing.CLAIM_NAMES],
        "rows_waiting": reviewing.rows_waiting(viewer),
        "tables_on": shipped().date,
    }


def _quarantined(request: HttpRequest) -> dict[str, Any]:
    person = person_of(request)
    found = deliveries_for(person).filter(state=Delivery.State.QUARANTINED)
    page = page_of(found, request.GET.get("after", ""), 25)
    maps: dict[int, list[SavedProfile]] = defaultdict(list)
    sources = {each.organisation_id for each in page.rows}
    for saved in SavedProfile.objects.filter(organisation__in=sources).order_by("name"):
        maps[saved.organisation_id].append(saved)
    return {
        "page": page,
        "set_aside": [(each, maps[each.organisation_id], may_read_contents(person, each)) for each in page.rows],
        "can_map": may(person, "map-columns"),
    }


@requires("review")
@require_POST
def decide_proposals(request: HttpRequest) -> HttpResponse:
    """Accept or refuse what was ticked, or everything open in the report, on whichever page it stands."""
    person = person_of(request)
    viewer = viewer_of(person)
    report = deliveries_for(person).filter(receipt=request.POST.get("report", "").replace("\x00", "")).first()
    act, _mark, scope = request.POST.get("act", "").partition("-")
    if report is None or act not in {"accept", "refuse"}:
        raise Http404
    waiting = reviewing.proposals_of(report, viewer)
    chosen = list(waiting if scope == "all" else waiting.filter(pk__in=_ticked(request, "proposal")))
    if not chosen:
        messages.warning(request, _("Tick at least one value first."))
        return _back(report)
    by_role: dict[str, list[Proposal]] = defaultdict(list)
    for each in chosen:
        role = request.POST.get(f"role-{each.pk}") or request.POST.get("role", "")
        by_role[role if act == "accept" and role in ACCEPTABLE else ""].append(each)
    try:
        with transaction.atomic():
            for role, proposals in by_role.items():
                services.decide_proposals(
                    proposals=proposals, accept=act == "accept", role=role or (Role.UNKNOWN if act == "accept" else ""),
                    by=person, at=timezone.now(),
                )  # fmt: skip
    except Conflict:
        messages.error(request, _("Another reviewer decided some of these meanwhile. Look again and decide anew."))
        return _back(report)
    if act == "accept":
        text = ngettext(
            "%(count)d value was accepted and is being read into the records.",
            "%(count)d values were accepted and are being read into the records.",
            len(chosen),
        )
    else:
        text = ngettext("%(count)d value was refused.", "%(count)d values were refused.", len(chosen))
    messages.success(request, text % {"count": len(chosen)})
    return _back(report)


def _ticked(request: HttpRequest, name: str) -> list[int]:
    return [int(key) for key in request.POST.getlist(name) if key.isascii() and key.isdigit() and len(key) <= 18]


def _back(report: Delivery) -> HttpResponse:
    return redirect(f"{reverse('review')}?{urlencode({'tab': 'proposals', 'report': report.receipt})}")


@requires("review")
@require_POST
def decide_country(request: HttpRequest, key: int) -> HttpResponse:
    """Say whose the rows of one network or value are."""
    person = person_of(request)
    conflict = reviewing.open_conflicts(viewer_of(person)).filter(pk=key).first()
    code = request.POST.get("country", "").upper()
    try:
        name = countries.country(code).name(get_language() or "en")
    except KeyError:
        raise Http404 from None
    back = f"{reverse('review')}?tab=countries"
    if conflict is None:
        messages.error(request, _("Another reviewer decided this meanwhile."))
        return redirect(back)
    try:
        services.decide_country(conflict=conflict, country=code, by=person, at=timezone.now())
    except Conflict:
        messages.error(request, _("Another reviewer decided this meanwhile."))
        return redirect(back)
    shown = {"value": conflict.value, "country": name}
    messages.success(request, _("%(value)s was given to %(country)s.") % shown)
    return redirect(back)


@requires("review")
@require_POST
def decide_countries(request: HttpRequest) -> HttpResponse:
    """Follow one sort of claim for all that were ticked; what has no such claim keeps waiting."""
    person = person_of(request)
    claim = request.POST.get("follow", "")
    if claim not in reviewing.CLAIM_NAMES:
        raise Http404
    chosen = reviewing.open_conflicts(viewer_of(person)).filter(pk__in=_ticked(request, "conflict"))
    decided = without = 0
    for conflict in list(chosen):
        code = conflict.claims.get(claim, "")
        if not code:
            without += 1
            continue
        try:
            services.decide_country(conflict=conflict, country=code, by=person, at=timezone.now())
        except Conflict:  # Somebody was faster: theirs stands.
            continue
        decided += 1
    if decided:
        text = ngettext("%(count)d conflict was decided.", "%(count)d conflicts were decided.", decided)
        messages.success(request, text % {"count": decided})
    if without:
        text = ngettext(
            "%(count)d conflict has no such claim and keeps waiting.",
            "%(count)d conflicts have no such claim and keep waiting.",
            without,
        )
        messages.warning(request, text % {"count": without})
    if not decided and not without:
        messages.warning(request, _("Tick at least one value first."))
    return redirect(f"{reverse('review')}?tab=countries")


@requires("review")
@require_safe
def decided_countries(request: HttpRequest) -> HttpResponse:
    """What was decided, to correct what was decided wrongly."""
    found = reviewing.decided_conflicts(viewer_of(person_of(request)))
    page = pages.page_of(found, reviewing.DECIDED_LAST, request.GET.get("after", ""), DECIDED_PER_PAGE)
    language = get_language() or "en"
    lands = sorted((countries.country(each.code) for each in members(timezone.now().date())),
                   key=lambda each: each.name(language))  # fmt: skip
    context = {
        "page": page,
        "decided": [reviewing.claims_of(each) for each in page.rows],
        "lands": [(each.code, each.name(language)) for each in lands],
    }
    return render(request, "analysis/decided.html", context)


@requires("review")
@require_POST
def correct_country(request: HttpRequest, key: int) -> HttpResponse:
    """The rows were another country's: they move there, and are recalled from the first."""
    person = person_of(request)
    conflict = reviewing.decided_conflicts(viewer_of(person)).filter(pk=key).first()
    code = request.POST.get("country", "").upper()
    try:
        name = countries.country(code).name(get_language() or "en")
    except KeyError:
        raise Http404 from None
    if conflict is None:
        raise Http404
    try:
        if conflict.country != request.POST.get("was", ""):
            raise Conflict
        services.correct_country(conflict=conflict, country=code, by=person, at=timezone.now())
    except Conflict:
        messages.error(request, _("Another reviewer decided this meanwhile."))
    except InputError as error:
        messages.error(request, sentence(error.reason))
    else:
        text = _("%(value)s is moved to %(country)s. Whoever had it wrongly is told to destroy it.")
        messages.success(request, text % {"value": conflict.value, "country": name})
    return redirect("decided-countries")
