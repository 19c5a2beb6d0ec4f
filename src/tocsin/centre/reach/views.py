"""Pages of recipients: what was released to them, what they say of it."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.intake.deliveries import countries_of
from tocsin.centre.intake.views.restrictions import to_read_first
from tocsin.centre.knowledge.models import Object
from tocsin.centre.ledger.models import Kind, Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reasons import sentence
from tocsin.centre.release.models import Release
from tocsin.core.errors import InputError, NotFound, Refused
from tocsin.reference.countries import country

from . import labels, responding
from .forms import AnswerForm
from .received import (
    STATES,
    about_all,
    everywhere_of,
    found_for,
    items_of,
    page_for,
    seen_of,
    unit_stages,
    waiting_count,
)
from .things import Thing

THINGS_SHOWN = 25
COUNTRIES_SHOWN = 8


@requires("respond")
@require_safe
def received_list(request: HttpRequest) -> HttpResponse:
    """What the Centre released to the person's organisation, and how far that is with it."""
    person, now = person_of(request), timezone.now()
    if person.organisation.is_centre:
        raise Http404
    asked = request.GET.get("q", "").strip()[:64]
    # What was answered long ago is looked for by its reference, too.
    usual = "all" if asked else "waiting"
    state = request.GET.get("state", usual)
    state = state if state in STATES else usual
    kind = Kind.PACKAGE if request.GET.get("kind") == Kind.PACKAGE and may(person, "package") else Kind.RELEASE
    context = {
        "page": page_for(person, kind, state, request.GET.get("after", ""), now, asked=asked),
        "asked": asked,
        "kind": kind.value,
        "state": state,
        "states": labels.STATES.items(),
        "waiting": waiting_count(person, now),
        "has_packages": may(person, "package"),
    }
    return render(request, "reach/received_list.html", context)


@requires("respond")
@require_safe
def received(request: HttpRequest, reference: str) -> HttpResponse:
    """One delivery or package: what is in it for the reader, and the answer."""
    return _page(request, reference)


def _page(request: HttpRequest, reference: str, form: AnswerForm | None = None) -> HttpResponse:
    person, now = person_of(request), timezone.now()
    found = _found(person, reference)
    if (first := to_read_first(request, seen_of(person, found, now).select_related("handling_set"))) is not None:
        return first
    if request.method == "GET":
        responding.note_opened(person, found, now)
    items = items_of(person, found, now)
    latest = items[0]
    context = {
        "reference": reference,
        "items": items,
        "item": latest,
        "about": latest.about if len(items) == 1 else about_all(person, found, now),
        "is_package": latest.thing.kind == Kind.PACKAGE,
        "is_acknowledged": all(item.progress.acknowledged_at for item in items),
        "units": unit_stages(person, found),
        "form": form or AnswerForm(),
    }
    if isinstance(latest.thing.of, Release):
        context |= _contents(request, person, found)
    return render(request, "reach/received.html", context, status=422 if form else 200)


def _found(person: Person, reference: str) -> list[Thing]:
    try:
        return found_for(person, reference, timezone.now())
    except NotFound:
        raise Http404 from None


def _contents(request: HttpRequest, person: Person, found: list[Thing]) -> dict[str, object]:
    """What the person may see of a delivery. It is shown, and so written down as taken."""
    now, of = timezone.now(), found[0].of
    assert isinstance(of, Release)
    seen = seen_of(person, found, now).select_related("handling_set")
    batches = list(seen)
    language = get_language() or "en"
    countries = [(code, rows) for code, rows in countries_of(of.delivery, viewer_of(person)) if code]
    if request.method == "GET":
        took(person, Taking.Channel.PAGE, [batch.pk for batch in batches], now)
    return {
        "batches": batches,
        "sets": list({batch.handling_set_id: batch.handling_set.body for batch in batches}.values()),
        "can_ask": may(person, "ask-source"),
        "everywhere": everywhere_of(person, found, now),
        "countries": [
            {"name": country(code).name(language), "value": rows} for code, rows in countries[:COUNTRIES_SHOWN]
        ],
        "things": Object.objects.filter(delivery=of.delivery_id, batch__in=batches).order_by("pk")[:THINGS_SHOWN],
        "documents": of.delivery.documents.filter(batch__in=batches).defer("text"),
    }


@requires("respond")
@require_POST
def received_acknowledge(request: HttpRequest) -> HttpResponse:
    """Acknowledge all that was ticked."""
    person, now = person_of(request), timezone.now()
    if person.organisation.is_centre:
        raise Http404
    found: list[Thing] = []
    for reference in dict.fromkeys(request.POST.getlist("reference")[: responding.AT_ONCE]):
        found += _found(person, reference)
    count = responding.acknowledge(person, found, now)
    if count:
        said = ngettext("%(count)s acknowledged.", "%(count)s acknowledged.", count) % {"count": count}
        messages.success(request, said)
    else:
        messages.error(request, _("Nothing was ticked that was not acknowledged before."))
    kind = Kind.PACKAGE if request.POST.get("kind") == Kind.PACKAGE else Kind.RELEASE
    response = redirect("received-list")
    if kind == Kind.PACKAGE:
        response["Location"] += f"?kind={kind}"
    return response


@requires("respond")
@require_POST
def received_answer(request: HttpRequest, reference: str) -> HttpResponse:
    """Acknowledge one, or say what came of it."""
    person, now = person_of(request), timezone.now()
    found = _found(person, reference)
    if request.POST.get("act") == "acknowledge":
        responding.acknowledge(person, found, now)
        messages.success(request, _("Thank you. The Centre knows that you have it."))
        return redirect("received", reference)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _page(request, reference, form)
    try:
        responding.answer(person, found, at=now, **form.cleaned_data)
    except (Refused, InputError) as error:
        form.add_error(None, sentence(error.rule if isinstance(error, Refused) else error.reason))
        return _page(request, reference, form)
    messages.success(request, _("Thank you. Your answer is recorded."))
    return redirect("received", reference)
