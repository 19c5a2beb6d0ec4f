"""Pages of relabelling: choose what, say under what, see what will happen; the second person's word."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.views.deliveries import of_receipt
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.access import fresh_proof, is_fresh, person_of, prove, requires
from tocsin.centre.members.models import Person
from tocsin.centre.permissions.labels import FIELDS as FIELD_NAMES
from tocsin.centre.reasons import sentence
from tocsin.centre.release.labels import REFUSALS
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.handling import HandlingSet

from . import relabelling
from .models import Relabelling
from .parts import lines_of
from .relabel_forms import ChooseForm, RelabelForm, require_known
from .relabelling import Chosen, becoming, chosen_of, known_clients, may_relabel, refusal_of, wider_in
from .selectors import contents_of


@requires("recall")
@fresh_proof()
@require_http_methods(["GET", "HEAD", "POST"])
@of_receipt
def delivery_relabel(request: HttpRequest, found: Delivery) -> HttpResponse:
    """Choose what, lay down its handling anew, see what that does, do it."""
    person = person_of(request)
    if not may_relabel(person, found):
        raise Http404
    context: dict[str, Any] = {"delivery": found, "query": request.GET.get("q", "").strip()[:200]}
    if refusal := refusal_of(found):
        return render(request, "recall/relabel.html", {**context, "refusal": sentence(refusal)})
    typed = [*request.POST.getlist("part"), request.POST.get("parts", "")]
    keys = lines_of("\n".join(typed)) or _from_object(request, found)
    try:
        chosen = chosen_of(found, keys)
    except Conflict:
        raise Http404 from None
    except InputError as error:
        return _choosing(request, context, keys, f"{sentence(error.reason)} {error.excerpt}".strip())
    step = request.POST.get("step", "choose" if keys else "")
    if not step:
        return _choosing(request, context, keys, "")
    form = RelabelForm(
        request.POST if step in {"look", "relabel"} else None, person=person, sets=list(chosen.sets.values())
    )
    context |= {"form": form, "chosen": chosen, "parts": "\n".join(chosen.keys), "sets": list(chosen.sets.values())}
    if form.is_bound and form.is_valid():
        reply = _said(request, context, chosen, form, step)
        if reply is not None:
            return reply
    return render(request, "recall/relabel.html", context, status=422 if form.errors else 200)


def _from_object(request: HttpRequest, found: Delivery) -> list[str]:
    number = request.GET.get("object", "")
    if not number.isascii() or not number.isdigit():
        return []
    thing = Object.objects.filter(pk=int(number), delivery=found, batch__hidden_at=None).first()
    return [thing.object_id] if thing is not None else []


def _choosing(request: HttpRequest, context: dict[str, Any], keys: list[str], fault: str) -> HttpResponse:
    form = ChooseForm({"parts": "\n".join(keys)} if fault else None)
    if fault:
        form.add_error("parts", fault)
    context |= {"choose": form, "offered": contents_of(person_of(request), context["delivery"], context["query"])}
    return render(request, "recall/relabel.html", context, status=422 if fault else 200)


def _said(
    request: HttpRequest, context: dict[str, Any], chosen: Chosen, form: RelabelForm, step: str
) -> HttpResponse | None:
    """The page that follows; None where the form is to be filled in otherwise."""
    person, found, changes = person_of(request), chosen.delivery, form.changes()
    try:
        require_known(changes, person, chosen.sets.values())
        made = becoming(chosen, changes)
        if step == "look":
            return _looked(request, context, made, changes)
        done = relabelling.relabel(
            found, chosen.keys, changes, seen=request.POST.get("seen", ""), by=person, at=timezone.now(),
            note=form.cleaned_data["note"],
        )  # fmt: skip
    except Conflict:
        messages.error(request, _("Somebody else changed its handling meanwhile. Nothing was done: look again."))
        return redirect("delivery-relabel", found.receipt)
    except InputError as error:
        form.add_error(error.field if error.field in form.fields else None, sentence(error.reason))
        return None
    except Refused as error:
        form.add_error(None, sentence(error.rule))
        return None
    if done.state == Relabelling.State.WAITING:
        messages.success(request, _("It waits for a second person at the Centre, since more would have it."))
        return redirect("relabelling", done.pk)
    if done.recall is not None:
        messages.success(request, _("It is done, and whoever may no longer have it has been told."))
        return redirect("recall", done.recall.number)
    messages.success(request, _("It is done."))
    return redirect("delivery", found.receipt)


def _looked(
    request: HttpRequest, context: dict[str, Any], made: dict[str, HandlingSet], changes: dict[str, Any]
) -> HttpResponse:
    chosen: Chosen = context["chosen"]
    wider = wider_in(chosen, made, known_clients())
    context |= {
        "look": True,
        "made": list({each.digest: each for each in made.values()}.values()),
        "changed": [FIELD_NAMES[name] for name in changes],
        "wider": [FIELD_NAMES[name] for name in wider],
        "waits": bool(wider) and chosen.is_out,
    }
    return render(request, "recall/relabel.html", context)


@requires("read")
@require_http_methods(["GET", "HEAD", "POST"])
def relabelling_page(request: HttpRequest, key: int) -> HttpResponseBase:
    """One change of handling that needs a second person: for its source, and for whoever releases."""
    person = person_of(request)
    asked = _for(person, key)
    if asked is None:
        raise Http404
    is_source = person.organisation_id == asked.delivery.organisation_id
    if request.method == "POST":
        act = request.POST.get("act", "")
        if act == "confirm" and not is_fresh(request):
            return prove(request.get_full_path())
        _decided(request, asked, act, person)
        return redirect("relabelling", key)
    is_waiting = asked.state == Relabelling.State.WAITING
    context: dict[str, Any] = {
        "asked": asked,
        "is_source": is_source,
        "is_waiting": is_waiting,
        "wider": [FIELD_NAMES[name] for name in asked.wider],
        "pairs": _pairs(asked) if is_waiting else [],
        "can_decide": is_waiting and not is_source,
    }
    return render(request, "recall/relabelling.html", context)


def _for(person: Person, key: int) -> Relabelling | None:
    """What waits, for who decides on it; for the source also how it ended."""
    waiting = relabelling.waiting_for(person).filter(pk=key).first()
    if waiting is not None or person.organisation.is_centre:
        return waiting
    asked = Relabelling.objects.select_related("delivery", "organisation", "recall").filter(pk=key).first()
    return asked if asked is not None and may_relabel(person, asked.delivery) else None


def _pairs(asked: Relabelling) -> list[tuple[HandlingSet, HandlingSet]]:
    """Each set as it stands, and what follows it; none where it changed meanwhile."""
    try:
        chosen = chosen_of(asked.delivery, asked.keys)
        made = becoming(chosen, asked.changes)
    except (Conflict, InputError):
        return []
    return [(old, made[digest]) for digest, old in chosen.sets.items()] if chosen.mark == asked.seen else []


def _decided(request: HttpRequest, asked: Relabelling, act: str, person: Person) -> None:
    said: dict[str, Any] = {"by": person, "at": timezone.now()}
    try:
        if act == "confirm":
            relabelling.confirm(asked, is_proved=is_fresh(request), **said)
            messages.success(request, _("It is done."))
        elif act == "refuse":
            relabelling.refuse(asked, reason=request.POST.get("reason", ""), **said)
            messages.success(request, _("It is refused. Its source reads why."))
        elif act == "withdraw":
            relabelling.withdraw(asked, **said)
            messages.success(request, _("It is taken back: everything stays as it was."))
        else:
            raise Http404
    except NotFound:
        raise Http404 from None
    except Conflict:
        messages.error(request, _("Somebody else changed its handling meanwhile. Nothing was done: look again."))
    except InputError as error:
        messages.error(request, sentence(error.reason))
    except Refused as error:
        messages.error(request, str(REFUSALS.get(error.rule, error.rule)))
