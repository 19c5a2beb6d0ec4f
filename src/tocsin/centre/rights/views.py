"""The public form, and the pages of the commission. For everybody else they do not exist."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.members.access import fresh_proof, person_of, requires
from tocsin.centre.members.sessions import TooManyFailures
from tocsin.centre.pages import page_of
from tocsin.centre.reasons import sentence
from tocsin.centre.recall.parts import lines_of
from tocsin.core.errors import Conflict, InputError, NotFound

from . import labels, sealed, services
from .forms import AnswerForm, EnteredForm, RequestForm
from .letters import letter
from .models import SubjectRequest

PER_PAGE = 25
_NUMBER = "subject-request"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The form for everybody; it says nothing but that the request was received."""
    number = request.session.pop(_NUMBER, "") if request.method == "GET" else ""
    form = RequestForm(request.POST or None)
    status = 422 if form.errors else 200
    if request.method == "POST" and form.is_valid():
        try:
            made = services.take(
                form.asked(), kind=form.cleaned_data["kind"], language=(get_language() or "en")[:2],
                by=services.PERSON, at=timezone.now(), address=request.META.get("REMOTE_ADDR", "?"),
            )  # fmt: skip
        except TooManyFailures as limit:
            status = 429
            text = ngettext(
                "Too many requests came from your network. Try again in %(minutes)s minute.",
                "Too many requests came from your network. Try again in %(minutes)s minutes.",
                limit.minutes,
            )
            form.add_error(None, text % {"minutes": limit.minutes})
        else:
            request.session[_NUMBER] = made.number
            return redirect(reverse("your-data"))
    return render(request, "rights/ask.html", {"form": form, "number": number}, status=status)


@requires("decide-rights")
@never_cache
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """Every request, those that wait first."""
    now = timezone.now()
    found = services.requests_for(person_of(request))
    page = page_of(found, services.ORDER, request.GET.get("after", ""), PER_PAGE)
    rows = [_shown(each, now) for each in page.rows]
    return render(request, "rights/request_list.html", {"page": page, "rows": rows})


def _shown(each: SubjectRequest, now: datetime) -> dict[str, Any]:
    until = services.answer_by(each)
    return {
        "request": each, "name": services.said_in(each)["name"], "kind": labels.KINDS[each.kind],
        "state": labels.STATES[each.state], "tone": labels.TONES[each.state], "until": until,
        "is_late": each.answered_at is None and now > until,
    }  # fmt: skip


@requires("decide-rights")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def request_enter(request: HttpRequest) -> HttpResponse:
    """Enter what came by letter."""
    form = EnteredForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = services.take(
            form.asked(), kind=form.cleaned_data["kind"], language=form.cleaned_data["language"],
            by=person_of(request).login, at=timezone.now(),
        )  # fmt: skip
        return redirect("rights-request", made.number)
    return render(request, "rights/request_enter.html", {"form": form}, status=422 if form.errors else 200)


def _of_number(request: HttpRequest, number: str) -> SubjectRequest:
    found = services.requests_for(person_of(request)).filter(number=number).first()
    if found is None:
        raise Http404
    return found


@requires("decide-rights")
@never_cache
@require_safe
def request_page(request: HttpRequest, number: str) -> HttpResponse:
    """One request: what was said, found, ordered, answered."""
    return _page(request, _of_number(request, number))


def _page(request: HttpRequest, found: SubjectRequest, form: AnswerForm | None = None) -> HttpResponse:
    kept = services.found_in(found)
    ordered: dict[str, Any] = {}
    parts: dict[str, list[tuple[Any, str]]] = {}
    for receipt, what, _at, *alone in kept.get("ordered", []):
        word = labels.ACTS[f"ordered-{what}"]
        if alone and alone[0]:
            parts.setdefault(receipt, []).extend((word, key) for key in alone[0])
        else:
            ordered[receipt] = word
    results = [
        {"receipt": each["receipt"], "source": each["source"], "ordered": ordered.get(each["receipt"]),
         "parts": parts.get(each["receipt"], []),
         "counts": [(labels.FINDS[name], each[name]) for name in labels.FINDS if each.get(name)]}
        for each in kept.get("found", [])
    ]  # fmt: skip
    acts = [
        {**each, "what": labels.ACTS[each["action"]], "at": datetime.fromisoformat(each["at"])}
        for each in sealed.acts_of(found)
    ]
    context = {
        **_shown(found, timezone.now()), "said": services.said_in(found), "results": results,
        "was_searched": "found" in kept, "acts": acts, "form": form or AnswerForm(),
        "answer": labels.ANSWERS.get(found.answer, ""), "request_": found,
    }  # fmt: skip
    context["case"] = context.pop("request")  # The name `request` is the page's own.
    return render(request, "rights/request.html", context, status=422 if form else 200)


@requires("decide-rights")
@never_cache
@require_safe
def request_letter(request: HttpRequest, number: str) -> HttpResponse:
    """The letter as it stands now, as a file."""
    found = _of_number(request, number)
    if request.method == "GET":
        sealed.note(found, person_of(request).login, "letter", {}, at=timezone.now())
    response = HttpResponse(letter(found), content_type="text/plain; charset=utf-8")
    response["Content-Language"] = found.language
    response["Content-Disposition"] = f'attachment; filename="{found.number}.txt"'
    return response


def _parts(request: HttpRequest) -> list[str]:
    """The single values and objects, one on each line. Raises InputError where they were left out by mistake."""
    if request.POST.get("alone") != "yes":
        return []
    found = lines_of(request.POST.get("parts", ""))
    if not found:
        raise InputError("missing-field", field="parts")
    return found


@requires("decide-rights")
@fresh_proof(back="rights")
@require_POST
def request_act(request: HttpRequest, number: str, act: str) -> HttpResponse:
    """identify, search, order or answer."""
    person, now, found = person_of(request), timezone.now(), _of_number(request, number)
    form = AnswerForm(request.POST) if act == "answer" else None
    if form is not None and not form.is_valid():
        return _page(request, found, form)
    try:
        if act == "identify":
            services.complete(found, by=person, at=now)
        elif act == "search":
            services.search(found, by=person, at=now)
        elif act == "order":
            receipt, what = request.POST.get("receipt", ""), request.POST.get("what", "")
            services.order(found, receipt, what, by=person, at=now, parts=_parts(request))
        elif form is not None:
            services.answer(found, **form.cleaned_data, by=person, at=now)
        else:
            raise Http404
    except NotFound:
        raise Http404 from None
    except Conflict:
        messages.error(request, _("This cannot be done now: identity is not proved yet, or it was done already."))
    except InputError as error:
        if act == "order" and error.field == "parts":
            messages.error(request, f"{sentence(error.reason)} {error.excerpt}".strip())
            return redirect("rights-request", number)
        if form is None:
            raise Http404 from None
        form.add_error("text", sentence(error.reason))
        return _page(request, found, form)
    return redirect("rights-request", number)
