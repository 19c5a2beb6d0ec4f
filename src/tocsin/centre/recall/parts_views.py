"""Pages of single parts: choose, see what goes with them, recall or correct them; undo; packages made anew."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import BaseFormSet, formset_factory
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.views.deliveries import of_receipt
from tocsin.centre.ledger.rules import FEW, told_to_source
from tocsin.centre.members.access import fresh_proof, is_fresh, person_of, prove, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, Refused

from . import corrections, labels, remaking, services, undoing
from .forms import CorrectionForm, PartsForm, UndoForm
from .models import Recall, Remake
from .parts import Found, find, lines_of
from .reach import reach_of, within
from .selectors import contents_of, may_recall_parts, notices_for, recalled_of, recalls_for

MOST_CORRECTED = 100
"""Corrections that are typed on one page; more come as new versions of their objects, or by program."""


@requires("recall")
@fresh_proof()
@require_http_methods(["GET", "HEAD", "POST"])
@of_receipt
def delivery_recall_parts(request: HttpRequest, found: Delivery) -> HttpResponse:
    """Choose, see what goes with it, and take it back; the same form comes twice, the second time with the choice."""
    person = person_of(request)
    if not may_recall_parts(person, found):
        raise Http404
    typed = request.POST.copy()
    typed["parts"] = "\n".join(lines_of("\n".join([*request.POST.getlist("part"), request.POST.get("parts", "")])))
    form = PartsForm(typed if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form, "delivery": found, "query": request.GET.get("q", "").strip()[:200]}
    if request.method != "POST":
        return _asked(request, context)
    if not form.is_valid():
        return _asked(request, context, 422)
    keys = lines_of(form.cleaned_data["parts"])
    try:
        parts = find(found, keys)
    except InputError as error:
        form.add_error("parts", f"{sentence(error.reason)} {error.excerpt}".strip())
        return _asked(request, context, 422)
    is_correcting = form.cleaned_data["action"] == Recall.Action.CORRECT and len(parts.named) <= MOST_CORRECTED
    formset = _corrections(request, parts) if is_correcting else None
    if request.POST.get("step") == "recall" and (formset is None or formset.is_valid()):
        reply = _recalled(request, found, person, form, parts, formset)
        if reply is not None:
            return reply
    return _previewed(request, context, person, parts, formset)


def _asked(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    context["offered"] = contents_of(person_of(request), context["delivery"], context["query"])
    return render(request, "recall/delivery_recall_parts.html", context, status=status)


def _corrections(request: HttpRequest, parts: Found) -> BaseFormSet[Any]:
    made = formset_factory(CorrectionForm, extra=len(parts.named), max_num=MOST_CORRECTED)
    return made(request.POST if request.POST.get("step") == "recall" else None, prefix="corrections")


def _previewed(
    request: HttpRequest, context: dict[str, Any], person: Person, parts: Found, formset: BaseFormSet[Any] | None
) -> HttpResponse:
    reach = reach_of(context["delivery"], within(parts.origins, parts.row_values))
    is_centre = person.organisation.is_centre
    asked_for = {thing.pk for each in parts.named for thing in each.things}
    own = list(formset) if formset is not None else [None] * len(parts.named)
    context |= {
        "rows": [(each, labels.KINDS[each.kind], own[place]) for place, each in enumerate(parts.named)],
        "formset": formset, "parts": parts, "reach": reach, "is_centre": is_centre, "few": FEW,
        "took": reach.took if is_centre else told_to_source(reach.took),
        "with_it": [thing for thing in parts.things if thing.pk not in asked_for],
    }  # fmt: skip
    status = 422 if context["form"].errors or (formset is not None and formset.is_bound) else 200
    return render(request, "recall/delivery_recall_parts_preview.html", context, status=status)


def _recalled(
    request: HttpRequest, found: Delivery, person: Person, form: PartsForm, parts: Found,
    formset: BaseFormSet[Any] | None,
) -> HttpResponse | None:  # fmt: skip
    said = {name: value for name, value in form.cleaned_data.items() if name != "parts"}
    try:
        wanted = {}
        for each, own in zip(parts.named, formset or (), strict=False):
            typed = own.cleaned_data
            if typed.get("field"):
                wanted[each.key] = corrections.checked(typed["field"], typed.get("became", ""))
        keys = [each.key for each in parts.named]
        made = services.recall_parts(found, keys, by=person, at=timezone.now(), corrections=wanted, **said)
    except Conflict:
        messages.error(request, _("Somebody else recalled some of it meanwhile. Look again at what is left."))
        return redirect("delivery-recall-parts", found.receipt)
    except (InputError, Refused) as error:
        form.add_error(None, sentence(error.rule if isinstance(error, Refused) else error.reason))
        return None
    messages.success(request, _("It is hidden from everybody, and whoever had it has been told."))
    return redirect("recall", made.number)


@requires("read")
@require_POST
def recall_undo(request: HttpRequest, number: str) -> HttpResponse:
    """Say that something was undone."""
    person = person_of(request)
    undo = undoing.undos_for(person).filter(recall__number=number).first()
    if undo is None:
        raise Http404
    form = UndoForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose what was done."))
        return redirect("recall", number)
    try:
        services.close_undo(undo, by=person, at=timezone.now(), **form.cleaned_data)
    except Conflict:
        messages.error(request, _("This task was answered already."))
    except (Refused, InputError) as error:
        messages.error(request, sentence(error.rule if isinstance(error, Refused) else error.reason))
    else:
        messages.success(request, _("Thank you. Your answer is recorded."))
    return redirect("recall", number)


@requires("package")
@require_POST
def recall_remake(request: HttpRequest, number: str) -> HttpResponse:
    """Put the packages that a recall reopened into the queue again: their making failed, or the country was closed."""
    person = person_of(request)
    made = recalls_for(person).filter(number=number).first() if person.organisation.is_centre else None
    if made is None:
        raise Http404
    count = remaking.ask_again(made, by=person, at=timezone.now())
    if count:
        messages.success(request, _("The packages are being made."))
    return redirect("recall", number)


@requires("read")
@require_safe
def recall_recalled(request: HttpRequest, number: str) -> HttpResponseBase:
    """What was recalled, for programs: values, and STIX objects as revoked versions. Only for who may have had it."""
    person = person_of(request)
    found = recalls_for(person).filter(number=number).first()
    if found is not None:
        parts = list(found.parts.order_by("pk"))
    else:
        notice = notices_for(person).filter(recall__number=number).first()
        parts = services.shown_parts(notice.recall, person.organisation) if notice is not None else []
        found = notice.recall if notice is not None else None
    if found is None or not parts:
        raise Http404
    if not is_fresh(request):
        return prove(request.get_full_path())
    if request.method == "GET":
        record(person.login, "recall.parts-fetched", f"recall:{found.number}", {"parts": len(parts)}, at=timezone.now())
    response = JsonResponse(recalled_of(found, parts))
    response["Content-Disposition"] = f'attachment; filename="tocsin-{found.number}-recalled.json"'
    response["Cache-Control"] = "private, no-store"
    return response


def shown_of(made: Recall, person: Person, *, follows: bool) -> dict[str, Any]:
    """What the page of a recall shows of parts, tasks and packages, to this person."""
    undo = undoing.undos_for(person).filter(recall=made).first()
    is_centre = follows and person.organisation.is_centre
    remakes = made.remakes.select_related("old", "new").order_by("pk") if is_centre else Remake.objects.none()
    undos = made.undos.select_related("organisation").order_by("organisation__name") if is_centre else []
    return {
        "parts": [
            (part, labels.KINDS[part.kind])
            for part in (made.parts.order_by("pk") if follows else services.shown_parts(made, person.organisation))
        ],
        "undo": undo,
        "undo_state": labels.UNDO_STATES[undo.state] if undo else "",
        "undo_form": UndoForm() if undo and undo.state == "open" else None,
        "undos": [(each, labels.UNDO_STATES[each.state]) for each in undos],
        "undone": sum(each.state != "open" for each in undos),
        "remakes": [(each, labels.REMAKES[each.state]) for each in remakes],
        "can_remake": is_centre and may(person, "package") and any(each.state == "open" for each in remakes),
    }
