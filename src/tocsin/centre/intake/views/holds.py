"""The legal officers' queue: what is held under articles 2 and 3, the questions to answer, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.audit.services import record
from tocsin.centre.members.access import fresh_proof, person_of, requires
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.handling.neutrality import CHECKLIST, GROUNDS, LONGEST_NOTE, unanswered

from .. import holding, labels
from ..models import Delivery, Hold
from .deliveries import of_receipt

P = ParamSpec("P")
PER_PAGE = 25
DECIDED_SHOWN = 25


def of_hold(
    view: Callable[Concatenate[HttpRequest, Hold, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, int, P], HttpResponseBase]:
    """A view of one hold; absent and invisible look the same."""

    @wraps(view)
    def found(request: HttpRequest, key: int, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, holding.hold_for(person_of(request), key), *args, **kwargs)
        except NotFound:
            raise Http404 from None

    return cast(Callable[Concatenate[HttpRequest, int, P], HttpResponseBase], found)


@requires("decide-legal")
@require_safe
def hold_list(request: HttpRequest) -> HttpResponse:
    """What waits, oldest first, and what was decided last."""
    person, now = person_of(request), timezone.now()
    waiting = holding.queue_for(person)
    context = {
        "waiting": [(each, _triggers(each), holding.is_late(each, now)) for each in waiting[:PER_PAGE]],
        "waiting_count": waiting.count(),
        "decided": holding.decided_for(person)[:DECIDED_SHOWN],
        "hours": int(holding.DECIDED_WITHIN.total_seconds() // 3600),
    }
    return render(request, "intake/hold_list.html", context)


@requires("decide-legal")
@require_safe
@of_hold
def hold(request: HttpRequest, found: Hold) -> HttpResponse:
    """One hold whole: what was found and where, the questions, the decision. Who opened it is recorded."""
    person, now = person_of(request), timezone.now()
    if request.method == "GET":
        with transaction.atomic():
            record(person.login, "hold.opened", f"delivery:{found.delivery_id}", {"hold": found.pk}, at=now)
    questions = [(name, *labels.CHECKLIST[name], found.checklist.get(name, "")) for name in CHECKLIST]
    context = {
        "hold": found,
        "delivery": found.delivery,
        "triggers": _triggers(found),
        "is_late": holding.is_late(found, now),
        "questions": questions,
        "left": len(unanswered(found.checklist)),
        "grounds": GROUNDS if found.kind == Hold.Kind.LEGAL else (holding.PERSONAL_GROUND, *GROUNDS),
        "can_clear": holding.may_clear(found),
        "can_decide": found.state == Hold.State.OPEN and holding.may_decide(person, found.delivery),
        "longest": LONGEST_NOTE,
    }
    return render(request, "intake/hold.html", context)


def _triggers(found: Hold) -> list[tuple[str, list[dict[str, str]]]]:
    """Trigger → its places, in the order of the list of triggers."""
    named = [name for name in labels.TRIGGERS if any(each.get("trigger") == name for each in found.finds)]
    return [(name, [each for each in found.finds if each.get("trigger") == name]) for name in named]


@requires("decide-legal")
@require_POST
@of_hold
def hold_note(request: HttpRequest, found: Hold) -> HttpResponse:
    """Keep the notes on the questions."""
    notes = {name: request.POST.get(name, "").replace("\x00", "") for name in CHECKLIST}
    try:
        holding.note(found, notes, by=person_of(request), at=timezone.now())
    except Conflict:
        messages.error(request, _("Another officer decided on this meanwhile."))
    else:
        messages.success(request, _("Your notes are kept."))
    return redirect("hold", found.pk)


@requires("decide-legal")
@require_POST
@fresh_proof(back="holds")
@of_hold
def hold_decide(request: HttpRequest, found: Hold) -> HttpResponse:
    """Clear or refuse."""
    person, now = person_of(request), timezone.now()
    text = request.POST.get("text", "").replace("\x00", "")
    try:
        if request.POST.get("act") == "clear":
            holding.clear(found, text=text, by=person, at=now)
            messages.success(request, _("Cleared. The delivery is being read and can then be used."))
        else:
            holding.refuse(found, ground=request.POST.get("ground", ""), text=text, by=person, at=now)
            messages.success(request, _("Refused. Its source sees the reason; nothing of it is used."))
    except Conflict:
        messages.error(request, _("Another officer decided on this meanwhile."))
    except InputError as error:
        messages.error(request, _missing(error.field))
        return redirect("hold", found.pk)
    return redirect("holds")


@requires("deliver")
@require_POST
@of_receipt
def delivery_answer(request: HttpRequest, found: Delivery) -> HttpResponse:
    """What the source says about people's data in a delivery of its own."""
    said = {name: request.POST.get(name, "").replace("\x00", "") for name in ("answer", "marking", "text")}
    try:
        holding.answer(
            found, said["answer"], marking=said["marking"], text=said["text"], by=person_of(request), at=timezone.now()
        )
    except InputError as error:
        messages.error(request, _missing(error.field))
    else:
        messages.success(request, _("Thank you. Your answer is kept."))
    return redirect("delivery", found.receipt)


def _missing(field: str) -> str:
    if field == "marking":
        return _("Choose a label: TLP:AMBER or stricter.")
    if field == "answer":
        return _("Its source was asked and has not answered yet.")
    if field == "ground":
        return _("Choose the ground of the refusal.")
    if field == "text":
        return _("Give the reason in a sentence.")
    return _("Answer every question before you decide.")
