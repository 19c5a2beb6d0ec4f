"""Pages of recalls: make one, follow it to its certificate, answer one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.views.deliveries import of_receipt
from tocsin.centre.ledger.labels import CHANNELS
from tocsin.centre.ledger.rules import FEW, told_to_source
from tocsin.centre.members.access import fresh_proof, person_of, requires
from tocsin.centre.pages import newest_first
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, Refused

from . import certificates, labels, parts_views, services, undoing
from .forms import AnswerForm, RecallForm
from .models import Notice, Recall
from .reach import reach_of
from .relabelling import waiting_for
from .rules import is_overdue
from .selectors import may_recall, may_recall_parts, notices_for, overdue_for, recalls_for, reference_of

PER_PAGE = 25


@requires("read")
@require_safe
def recall_list(request: HttpRequest) -> HttpResponse:
    """Recalls that the person may follow, and those that its organisation was told of."""
    person, now = person_of(request), timezone.now()
    notices = notices_for(person)
    is_late = request.GET.get("state") == "overdue"
    followed = overdue_for(person, now) if is_late else recalls_for(person)
    page = newest_first(followed, request.GET.get("after", ""), PER_PAGE)
    told = newest_first(notices, request.GET.get("told", ""), PER_PAGE, name="told")
    context = {
        "page": page,
        "rows": [_shown(each, now) for each in page.rows],
        "told": told,
        "is_late": is_late,
        "notices": [_notice(each, now) for each in told.rows],
        "is_centre": person.organisation.is_centre,
        "undos": undoing.undos_for(person).filter(state="open"),
        "relabellings": waiting_for(person),
        "now": now,
    }
    return render(request, "recall/recall_list.html", context)


@requires("read")
@require_safe
def recall_page(request: HttpRequest, number: str) -> HttpResponse:
    """One recall: for the Centre with every organisation, for the source with sums, for who was told with its part."""
    return _page(request, number)


def _page(request: HttpRequest, number: str, form: AnswerForm | None = None) -> HttpResponse:
    person, now = person_of(request), timezone.now()
    found = recalls_for(person).filter(number=number).first()
    notice = notices_for(person).filter(recall__number=number).first()
    if found is None and notice is None:
        raise Http404
    if notice is not None and notice.seen_at is None:
        Notice.objects.filter(pk=notice.pk).update(seen_at=now)
    made: Recall = found if found is not None else notice.recall  # type: ignore[union-attr]
    is_centre = person.organisation.is_centre
    everybody = (
        found.notices.select_related("organisation").order_by("organisation__name") if found and is_centre else []
    )
    rows = [_notice(each, now) for each in everybody]
    context: dict[str, Any] = {
        "recall": made,
        "follows": _shown(found, now) if found else None,
        "is_centre": is_centre,
        "is_closable": is_centre and services.is_late(made, now),
        "takers": [row for row in rows if row["notice"].state != Notice.State.NOTHING_TAKEN],
        "others": [row for row in rows if row["notice"].state == Notice.State.NOTHING_TAKEN],
        "notice": _notice(notice, now) if notice else None,
        "form": form or (AnswerForm(action=made.action) if notice and notice.state == Notice.State.INFORMED else None),
        "reason": labels.SHOWN_REASONS[made.reason],
        "action": labels.ACTIONS[made.action],
        **parts_views.shown_of(made, person, follows=found is not None),
    }
    return render(request, "recall/recall.html", context, status=422 if form else 200)


def _shown(made: Recall, now: datetime) -> dict[str, Any]:
    total, left = made.told, made.open  # type: ignore[attr-defined]
    return {
        "recall": made,
        "told": total,
        "answered": total - left,
        "is_late": bool(left) and now >= made.confirm_by,
        "undos": made.asked_undos,  # type: ignore[attr-defined]
        "undos_open": made.open_undos,  # type: ignore[attr-defined]
        "reason": labels.SHOWN_REASONS[made.reason],
    }


def _notice(notice: Notice, now: datetime) -> dict[str, Any]:
    late = is_overdue(notice.state, notice.recall.confirm_by, now)
    return {
        "notice": notice,
        "state": labels.STATES[notice.state],
        "tone": labels.TONES.get(notice.state, "good"),
        "is_late": late,
        "reference": reference_of(notice),
        "taken": [(CHANNELS.get(channel, channel), name, day) for channel, name, day in notice.taken],
    }


@requires("recall")
@fresh_proof(only_post=True)
@require_http_methods(["GET", "HEAD", "POST"])
@of_receipt
def delivery_recall(request: HttpRequest, found: Delivery) -> HttpResponse:
    """Say why, see what will happen, and take the delivery back."""
    person = person_of(request)
    if not may_recall(person, found):
        raise Http404
    form = RecallForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.recall(found, by=person, at=timezone.now(), **form.cleaned_data)
        except Conflict:
            messages.error(request, _("Nothing of this delivery is left to recall."))
            return redirect("delivery", found.receipt)
        messages.success(request, _("It is hidden from everybody, and whoever had it has been told."))
        return redirect("recall", made.number)
    reach = reach_of(found)
    is_centre = person.organisation.is_centre
    took = reach.took if is_centre else told_to_source(reach.took)
    context = {"form": form, "delivery": found, "reach": reach, "took": took, "few": FEW, "is_centre": is_centre}
    context["may_choose"] = may_recall_parts(person, found)
    return render(request, "recall/delivery_recall.html", context, status=422 if form.is_bound else 200)


@requires("read")
@require_POST
def recall_answer(request: HttpRequest, number: str) -> HttpResponse:
    """Confirm what was done with what was taken."""
    person = person_of(request)
    notice = notices_for(person).filter(recall__number=number).first()
    if notice is None:
        raise Http404
    form = AnswerForm(request.POST, action=notice.recall.action)
    if not form.is_valid():
        return _page(request, number, form)
    said = form.cleaned_data
    try:
        services.answer(
            notice, by=person, state=said["state"], for_units=said["for_units"], note=said["note"], at=timezone.now(),
            acted=said.get("acted"),
        )  # fmt: skip
    except Conflict:
        messages.error(request, _("This recall was answered already."))
    except (Refused, InputError) as error:
        form.add_error(None, sentence(error.rule if isinstance(error, Refused) else error.reason))
        return _page(request, number, form)
    else:
        messages.success(request, _("Thank you. Your answer is recorded."))
    return redirect("recall", number)


@requires("recall")
@fresh_proof(back="recalls")
@require_POST
def recall_close(request: HttpRequest, number: str) -> HttpResponse:
    """End it without the answers that are late."""
    person = person_of(request)
    found = recalls_for(person).filter(number=number).first() if person.organisation.is_centre else None
    if found is None:
        raise Http404
    try:
        services.close_unanswered(found, reason=request.POST.get("reason", ""), by=person, at=timezone.now())
    except InputError as error:
        messages.error(request, sentence(error.reason))
    except Conflict:
        messages.error(request, _("It is closed, or nobody is late any more. Look again."))
    else:
        messages.success(request, _("It is closed. The certificate says who has not answered, and why it was closed."))
    return redirect("recall", number)


@requires("recall")
@require_safe
def recall_certificate(request: HttpRequest, number: str) -> HttpResponse:
    """The signed end of a recall; for the source without the names of who had it."""
    person = person_of(request)
    found = recalls_for(person).filter(number=number).exclude(certificate="").first()
    if found is None:
        raise Http404
    body = found.certificate if person.organisation.is_centre else certificates.for_source(found)
    response = HttpResponse(body, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="tocsin-{found.number}.json"'
    response["Cache-Control"] = "private, no-store"
    return response
