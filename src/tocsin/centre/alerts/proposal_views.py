"""Proposals for alerts: what bureaus and partners hand in and hear of it, and the desk that answers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.rules import may
from tocsin.centre.pages import NEWEST_FIRST, page_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, NotFound, Refused
from tocsin.products.alerts.draft import Draft, draft_of
from tocsin.products.alerts.record import AlertType

from . import labels, proposing
from .desk_views import explained
from .models import Proposal
from .proposal_form import ProposalForm, proposed_rows
from .review_views import facts_of_draft, passages_of
from .selectors import proposals_for

PER_PAGE = 25


@requires("propose-alerts")
@require_safe
def proposals(request: HttpRequest) -> HttpResponse:
    """What one's own organisation proposed, and what the Centre answered."""
    return _list(request, "alerts/proposals.html")


@requires("write-alerts")
@require_safe
def proposals_desk(request: HttpRequest) -> HttpResponse:
    """What all of them proposed; what waits for an answer first."""
    return _list(request, "alerts/proposals_desk.html")


def _list(request: HttpRequest, template: str) -> HttpResponse:
    show = request.GET.get("show", "")
    found = proposals_for(person_of(request)).order_by()
    if show in Proposal.State.values:
        found = found.filter(state=show)
    page = page_of(found, NEWEST_FIRST, request.GET.get("after", ""), PER_PAGE)
    rows = [
        (each, each.content.get("texts", {}).get("title", ""), labels.PROPOSALS[each.state],
         labels.word("type", each.content.get("type", "")))
        for each in page.rows
    ]  # fmt: skip
    tabs = [("", _("All")), *((name, label) for name, (_icon, _tone, label) in labels.PROPOSALS.items())]
    return render(request, template, {"rows": rows, "page": page, "show": show, "tabs": tabs})


@requires("propose-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: HttpRequest) -> HttpResponseBase:
    """Propose an alert to the Centre."""
    form = ProposalForm(request.POST or None, initial={"type": "METHOD", "language": person_of(request).language})
    rows = proposed_rows(request.POST or None)
    if form.is_bound and form.is_valid() and rows.is_valid():
        try:
            made = proposing.propose(
                by=person_of(request), content=form.content(rows), note=form.cleaned_data["note"], at=timezone.now()
            )
        except InputError as error:
            form.add_error(next((part for part in error.field.split(".") if part in form.fields), None),
                           explained(error))  # fmt: skip
        except Refused as error:
            form.add_error(None, sentence(error.rule))
        else:
            messages.success(request, _("Handed to the Centre. Its answer stands here."))
            return redirect("alert-proposal", made.reference)
    context = {"form": form, "rows": rows}
    return render(request, "alerts/propose.html", context, status=422 if form.is_bound else 200)


@requires("propose-alerts")
@require_safe
def proposal(request: HttpRequest, reference: str) -> HttpResponse:
    """One proposal of one's own organisation, with the Centre's answer."""
    return render(request, "alerts/proposal.html", _proposal(request, reference))


def _found(request: HttpRequest, reference: str) -> Proposal:
    try:
        return proposing.proposal_for(person_of(request), reference)
    except NotFound:
        raise Http404 from None


def _proposal(request: HttpRequest, reference: str) -> dict[str, Any]:
    found = _found(request, reference)
    draft: Draft = draft_of(found.content)
    return {
        "proposal": found, "draft": draft, "state": labels.PROPOSALS[found.state],
        "type_name": labels.word("type", draft.type.value), "passages": passages_of(draft),
        "facts_shown": facts_of_draft(draft), "type_colour": labels.TYPES[AlertType(draft.type).value][1],
        "may_answer": may(person_of(request), "write-alerts") and found.state == Proposal.State.OPEN,
    }  # fmt: skip


@requires("propose-alerts")
@require_POST
def publish(request: HttpRequest, reference: str) -> HttpResponse:
    """Nobody outside of the Centre publishes: whoever tries is told so, and it is noted."""
    found = _found(request, reference)
    try:
        proposing.refuse_publishing(found, by=person_of(request), at=timezone.now())
    except Refused as error:
        messages.error(request, sentence(error.rule))
    return render(request, "alerts/proposal.html", _proposal(request, reference), status=403)


@requires("write-alerts")
@require_http_methods(["GET", "HEAD", "POST"])
def proposal_desk(request: HttpRequest, reference: str) -> HttpResponseBase:
    """Read it; take it up as an alert, or refuse it with an answer."""
    found, person, now = _found(request, reference), person_of(request), timezone.now()
    if request.method == "POST":
        answer = request.POST.get("answer", "")
        try:
            if request.POST.get("act") == "take":
                made = proposing.take(found, by=person, answer=answer, at=now)
                messages.success(request, _("Taken up. This is its draft, and you are its author."))
                return redirect("alert-write", made.alert.reference)
            proposing.refuse(found, answer=answer, by=person, at=now)
        except (InputError, Refused) as error:
            messages.error(request, sentence(error.reason if isinstance(error, InputError) else error.rule))
            return redirect("alert-proposal-desk", reference)
        messages.success(request, _("Refused. Who proposed it reads your answer."))
        return redirect("alert-proposals-desk")
    return render(request, "alerts/proposal_desk.html", _proposal(request, reference))
