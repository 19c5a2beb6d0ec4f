"""The form on which a citizen reports, for everybody; and a bureau's list of what came to it."""

from __future__ import annotations

from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.numbers import drawn_number
from tocsin.centre.pages import page_of
from tocsin.centre.subscribers import door
from tocsin.core.errors import Conflict, InputError, NotFound, Refused, Unavailable
from tocsin.products.alerts import addresses

from . import selectors, services
from .models import Referral
from .services import Report

PER_PAGE = 25
NEXT_STEPS = 4
FIELDS = ("facts", "country", "when", "loss", "victims", "contact")


def _form(language: str, alert: str, request: HttpRequest, status: int = 200, error: str = "") -> HttpResponse:
    said, at = request.POST, timezone.now()
    open_to = services.open_bureaus(at)
    chosen = said.get("country") or request.GET.get("country")
    facts = {
        "alert": alert, "error": error, "stamp": door.stamp(), "today": at.date().isoformat(),
        "megabytes": services.MOST_FILE_BYTES >> 20, "most_facts": services.LONGEST_FACTS,
        "countries": [(code, name, code == chosen) for code, name in door.countries(language)
                      if code in open_to],
        "kinds": [(each, f"report.kind.{each}", each == said.get("about", "hit")) for each in Referral.About.values],
        "said": {name: said.get(name, "") for name in FIELDS},
        "has_evidence": said.get("evidence") == "yes", "may_name": said.get("may_name") == "yes",
    }  # fmt: skip
    return door.page("referrals/report.html", language, status, **facts)


@door.open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest, number: str = "", language: str = "") -> HttpResponseBase:
    """Tell a bureau that one was hit by what an alert is about, or ask it something."""
    language = door.language_of(request, language)
    alert = number or request.GET.get("alert", "") or request.POST.get("alert", "")
    alert = alert if addresses.is_number(alert) else ""
    if request.method != "POST":
        return _form(language, alert, request)
    say = door.say_in(language)
    try:
        if not door.require_person(request):  # A program hears what a person would.
            return _thanked(language, drawn_number("R", timezone.now()))
        made = services.take(
            _said(request, alert, language), file=_file(request), network=door.address_of(request), at=timezone.now()
        )
    except door.TooQuick:
        return _form(language, alert, request, 422, say("service.too_quick"))
    except (Refused, Unavailable):
        return _form(language, alert, request, 422, say("report.not_scanned"))
    except InputError as error:
        name = "report.too_long" if error.reason == "too-large" else "report.missing"
        return _form(language, alert, request, 422, say(name))
    return _thanked(language, made.number)


def _thanked(language: str, number: str) -> HttpResponse:
    steps = [f"report.next.{place}" for place in range(1, NEXT_STEPS + 1)]
    return door.page("referrals/sent.html", language, number=number, steps=steps)


def _said(request: HttpRequest, alert: str, language: str) -> Report:
    """Raises InputError."""
    said = request.POST
    try:
        happened_on = date.fromisoformat(said["when"]) if said.get("when") else None
    except ValueError as error:
        raise InputError("invalid-object", field="when") from error
    return Report(
        about=said.get("about", ""), facts=said.get("facts", ""), country=said.get("country", ""), alert=alert,
        language=language, happened_on=happened_on, loss=said.get("loss", ""), victims=said.get("victims", ""),
        has_evidence=said.get("evidence") == "yes", may_name=said.get("may_name") == "yes",
        contact=said.get("contact", ""),
    )  # fmt: skip


def _file(request: HttpRequest) -> tuple[str, bytes] | None:
    file = request.FILES.get("file")
    if file is None or not file.size:
        return None
    if file.size > services.MOST_FILE_BYTES:
        raise InputError("too-large", field="file")
    return file.name or "", file.read()


@requires("read-referrals")
@require_safe
def referral_list(request: HttpRequest) -> HttpResponse:
    """What citizens reported to one's own bureau."""
    person = person_of(request)
    found = page_of(
        selectors.referrals_for(person), selectors.LAST_RECEIVED, request.GET.get("after", ""), PER_PAGE
    )  # fmt: skip
    return render(request, "referrals/referral_list.html", {"page": found})


@requires("read-referrals")
@require_safe
def referral(request: HttpRequest, number: str) -> HttpResponse:
    """One of them, with what was written."""
    person = person_of(request)
    try:
        found = selectors.referral_for(person, number)
    except NotFound:
        raise Http404 from None
    services.note_opened(found, by=person, at=timezone.now())
    texts = selectors.texts_of(person, found)
    context = {"referral": found, "texts": [each.text.splitlines() for each in texts]}
    return render(request, "referrals/referral.html", context)


@requires("read-referrals")
@require_POST
def referral_close(request: HttpRequest, number: str) -> HttpResponse:
    """The bureau has dealt with it."""
    person = person_of(request)
    try:
        services.close(selectors.referral_for(person, number), by=person, at=timezone.now())
    except NotFound:
        raise Http404 from None
    except Conflict:
        messages.warning(request, _("It was closed already."))
    return redirect("referral", number)
