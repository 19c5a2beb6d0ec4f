"""Pages: what is due for review, the term of one delivery, purges with their certificates, legal holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.audit.services import record
from tocsin.centre.certificates import signed
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.views.deliveries import of_receipt
from tocsin.centre.members.access import fresh_proof, person_of, requires
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import newest_first, page_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.handling import retention
from tocsin.reference.retention import retention as said

from . import labels, legal_holds, purging, reviewing
from .forms import HoldForm, TermForm
from .models import Purge, Review
from .selectors import purges_for, to_look_at

PER_PAGE = 25


@requires("review-terms")
@require_safe
def term_list(request: HttpRequest) -> HttpResponse:
    """Deliveries whose end comes near, the nearest first."""
    person, now = person_of(request), timezone.now()
    terms = [before.days for before in said().reminders]
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, terms) else terms[0]
    found = reviewing.ending_for(person, now, timedelta(days=days)).select_related("delivery__organisation")
    page = page_of(found, reviewing.FIRST_TO_END, request.GET.get("after", ""), PER_PAGE)
    waiting = Review.objects.filter(state=Review.State.ASKED, delivery__organisation=person.organisation)
    context = {
        "page": page,
        "rows": [_near(each, now) for each in page.rows],
        "terms": sorted(terms),
        "days": days,
        "asked": waiting.filter(delivery__ends_at__gt=now).select_related("delivery", "organisation").order_by("pk"),
        "is_centre": person.organisation.is_centre,
    }
    return render(request, "retention/term_list.html", context)


def _near(first: Batch, now: datetime) -> dict[str, Any]:
    end = first.expires_at
    before = retention.reminder_at(end, now)
    return {
        "delivery": first.delivery,
        "last_day": retention.last_day_of(end),
        "days_left": (end - now).days,
        "is_near": before is not None and before <= said().reminders[1],
    }


@requires("review-terms")
@require_http_methods(["GET", "HEAD", "POST"])
@of_receipt
def term_of(request: HttpRequest, found: Delivery) -> HttpResponse:
    """How long a delivery is kept, and the decision on it."""
    person, now = person_of(request), timezone.now()
    if not reviewing.may_review(person, found) or found.duplicate_of_id is not None:
        raise Http404
    latest = reviewing.latest_day_of(found)
    form = TermForm(request.POST or None, latest=latest)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            made = reviewing.decide(
                found, chosen["kind"], until=chosen["until"], reason=chosen["reason"], by=person, at=now
            )
        except InputError as error:
            form.add_error(error.field, sentence(error.reason))
        except Conflict:
            form.add_error(None, _("An extension waits for the source's answer."))
        else:
            if made.state == Review.State.ASKED:
                messages.success(request, _("The source was asked. Until it agrees, the term stays as it is."))
            else:
                messages.success(request, _("The term was changed."))
            return redirect("term-of", found.receipt)
    seen = visible_batches(viewer_of(person), now).filter(delivery=found).select_related("handling_set")
    context = {
        "delivery": found,
        "form": form,
        "latest": latest,
        "last_day": reviewing.last_day_of(found),
        "parts": [(each, retention.last_day_of(each.expires_at)) for each in seen.order_by("pk")],
        "reviews": [_decided(each) for each in found.reviews.select_related("organisation").order_by("-pk")],
        "asks": not reviewing.decides_alone(person, found),
        "purge_within": said().purge_within.days,
    }
    return render(request, "retention/term_of.html", context, status=422 if form.errors else 200)


def _decided(review: Review) -> dict[str, Any]:
    return {
        "review": review, "kind": labels.KINDS[review.kind], "state": labels.STATES[review.state],
        "tone": labels.TONES.get(review.state, "good" if review.state == Review.State.IN_FORCE else ""),
    }  # fmt: skip


@requires("review-terms")
@require_POST
def term_answer(request: HttpRequest, key: int) -> HttpResponse:
    """The source agrees with the Centre's extension, or does not."""
    person = person_of(request)
    asked = Review.objects.filter(pk=key, delivery__organisation=person.organisation).first()
    if asked is None:
        raise Http404
    try:
        reviewing.answer(asked, agrees=request.POST.get("answer") == "agree", by=person, at=timezone.now())
    except NotFound:
        raise Http404 from None
    except Conflict:
        messages.error(request, _("This was answered already, or its term is over."))
    else:
        messages.success(request, _("Thank you. Your answer is recorded."))
    return redirect("terms")


@requires("read-purges")
@require_safe
def purge_list(request: HttpRequest) -> HttpResponse:
    """What was purged, by which rule, and what is under way."""
    person, now = person_of(request), timezone.now()
    page = newest_first(purges_for(person), request.GET.get("after", ""), PER_PAGE)
    flagged = set(to_look_at(person).values_list("pk", flat=True))
    rows = [
        {"purge": each, "rule": labels.RULES[each.rule], "is_late": purging.is_late(each, now),
         "blanked": len(each.steps["texts"]["blanked"]) if each.pk in flagged else 0}
        for each in page.rows
    ]  # fmt: skip
    context = {
        "page": page, "rows": rows, "is_centre": person.organisation.is_centre,
        "may_review": may(person, "review-terms"),
    }  # fmt: skip
    return render(request, "retention/purge_list.html", context)


@requires("read-purges")
@require_safe
def purge_certificate(request: HttpRequest, number: str) -> HttpResponse:
    """The signed certificate; for the source without the packages that held some of it."""
    person = person_of(request)
    found = purges_for(person).filter(number=number).exclude(certificate="").first()
    if found is None:
        raise Http404
    is_centre = person.organisation.is_centre
    body = found.certificate if is_centre else signed(purging.facts_of(found, for_source=True))
    return _file(body, found.number)


def _file(body: str, name: str) -> HttpResponse:
    response = HttpResponse(body, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="tocsin-{name}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


@requires("review-terms")
@require_POST
def purge_looked(request: HttpRequest, number: str) -> HttpResponse:
    """Somebody at the Centre looked at the texts that were blanked."""
    person, now = person_of(request), timezone.now()
    if not to_look_at(person).filter(number=number).update(looked_at=now, looked_by=person.login):
        raise Http404
    record(person.login, "purge.looked-at", f"purge:{number}", {}, at=now)
    return redirect("purges")


@requires("hold-legally")
@fresh_proof(only_post=True)
@require_http_methods(["GET", "HEAD", "POST"])
def hold_list(request: HttpRequest) -> HttpResponse:
    """Every legal hold, and the form for another."""
    person, now = person_of(request), timezone.now()
    form = HoldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            legal_holds.place(**form.cleaned_data, by=person, at=now)
        except NotFound:
            form.add_error("receipt", _("No delivery has this receipt."))
        except Conflict:
            form.add_error("receipt", _("It was purged: nothing of it is left."))
        except InputError as error:
            form.add_error(error.field, sentence(error.reason))
        else:
            messages.success(request, _("The hold is in force. The delivery ends for everybody as ever."))
            return redirect("legal-holds")
    page = page_of(legal_holds.holds_for(person), legal_holds.IN_FORCE_FIRST, request.GET.get("after", ""), PER_PAGE)
    rows = [
        {"hold": each, "is_over": each.until is not None and retention.end_of(each.until) <= now,
         "copy": getattr(each.delivery, "sealed_copy", None)}
        for each in page.rows
    ]  # fmt: skip
    context = {"page": page, "rows": rows, "form": form}
    return render(request, "retention/hold_list.html", context, status=422 if form.errors else 200)


@requires("hold-legally")
@fresh_proof(back="legal-holds")
@require_POST
def hold_lift(request: HttpRequest, key: int) -> HttpResponse:
    """End a hold."""
    person = person_of(request)
    found = legal_holds.holds_for(person).filter(pk=key).first()
    if found is None:
        raise Http404
    try:
        legal_holds.lift(found, reason=request.POST.get("reason", ""), by=person, at=timezone.now())
    except Conflict:
        messages.error(request, _("It was lifted already."))
    except InputError as error:
        messages.error(request, sentence(error.reason))
    else:
        messages.success(request, _("The hold is lifted. A sealed copy that nothing else keeps is destroyed."))
    return redirect("legal-holds")


@requires("hold-legally")
@fresh_proof(back="legal-holds")
@require_POST
def purge_order(request: HttpRequest) -> HttpResponse:
    """Purge a delivery before its term, on an order that binds the Centre."""
    person = person_of(request)
    found = Delivery.objects.filter(receipt=request.POST.get("receipt", "").strip(), duplicate_of=None).first()
    if found is None:
        messages.error(request, _("No delivery has this receipt."))
        return redirect("legal-holds")
    try:
        made: Purge = purging.order(found, by=person.login, at=timezone.now())
    except Conflict:
        messages.error(request, _("It was purged, or its purge is under way."))
    else:
        messages.success(request, _("%(number)s is under way. Nobody sees it any more.") % {"number": made.number})
    return redirect("legal-holds")


@requires("hold-legally")
@require_safe
def copy_certificate(request: HttpRequest, key: int) -> HttpResponse:
    """The certificate that a sealed copy was destroyed."""
    found = legal_holds.holds_for(person_of(request)).filter(pk=key).first()
    copy = getattr(found.delivery, "sealed_copy", None) if found is not None else None
    if copy is None or not copy.certificate:
        raise Http404
    return _file(copy.certificate, f"sealed-copy-{key}")
