"""Pages of permissions: ask a source, follow what was asked, answer as a source, take it back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.intake.deliveries import delivery_for
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.register import FACTS
from tocsin.centre.intake.selectors import in_seen, visible_batches, with_rows_seen
from tocsin.centre.members.access import is_fresh, person_of, prove, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.units import units_below
from tocsin.centre.pages import newest_first
from tocsin.core.errors import Conflict, NotFound, Refused

from . import passing, rules, services
from .forms import AnswerForm, AskForm, BureauForm
from .labels import REFUSALS
from .models import Permission
from .rules import State, day_of
from .selectors import answerable_by, asked_by, can_answer, parts_of, sets_named

PER_PAGE = 25


@requires("answer-permissions")
@require_safe
def permissions_asked(request: HttpRequest) -> HttpResponse:
    """What one's own organisation is asked as a source: what waits for an answer first."""
    person, today = person_of(request), day_of(timezone.now())
    found = answerable_by(person)
    page = newest_first(found, request.GET.get("after", ""), PER_PAGE)
    context = {
        "page": page,
        "rows": [(each, _ends_soon(each, today)) for each in page.rows],
        "waiting": found.filter(state=State.ASKED).count(),
    }
    return render(request, "permissions/asked_of_us.html", context)


@requires("ask-source")
@require_safe
def permission_list(request: HttpRequest) -> HttpResponse:
    """What was asked of sources, and how they answered."""
    person, now = person_of(request), timezone.now()
    found, chosen = asked_by(person, now), request.GET.get("state", "")
    if chosen in set(State):
        found = found.filter(state=chosen)
    page = newest_first(found, request.GET.get("after", ""), PER_PAGE)
    context = {
        "page": page,
        "rows": [(each, _ends_soon(each, day_of(now))) for each in page.rows],
        "states": list(State),
        "chosen": chosen,
        "is_centre": person.organisation.is_centre,
    }
    return render(request, "permissions/asked_by_us.html", context)


def _ends_soon(asked: Permission, today: Any) -> bool:
    until = asked.permitted_until
    return asked.is_in_force(today) and until is not None and until <= today + rules.ENDS_SOON


@requires("read")
@require_http_methods(["GET", "HEAD", "POST"])
def permission(request: HttpRequest, key: int) -> HttpResponseBase:
    """One request: for who asked, for the Centre that passes it on, for the source that answers."""
    person, now = person_of(request), timezone.now()
    found = answerable_by(person).filter(pk=key).select_related("source").first()
    is_source = found is not None
    found = found or asked_by(person, now).filter(pk=key).first()
    if found is None:
        raise Http404
    form = AnswerForm(request.POST if request.POST.get("act") == "grant" else None, asked=found)
    if request.method == "POST":
        act = request.POST.get("act", "")
        if act == "grant" and not is_fresh(request):
            return prove(request.get_full_path())
        if _acted(request, found, act, form, is_source, person, now):
            return redirect("permission", key)
    return _page(request, found, form, is_source, now)


def _page(request: HttpRequest, found: Permission, form: AnswerForm, is_source: bool, now: datetime) -> HttpResponse:
    person = person_of(request)
    parts = with_rows_seen(parts_of(found), viewer_of(person)).select_related("handling_set").order_by("pk")
    if not is_source:
        parts = parts.filter(in_seen(visible_batches(viewer_of(person), now), "pk"))
    is_centre = person.organisation.is_centre
    excluded = {entry for each in sets_named(found.sets) for entry in each.exclusions} if is_source else set()
    context = {
        "asked": found,
        "form": form,
        "parts": parts,
        "is_source": is_source,
        "is_centre": is_centre,
        "excluded": sorted(excluded & set(found.audience)),
        "uses": found.uses.count() if is_source or is_centre else 0,
        "can_answer": is_source and found.state == State.ASKED,
        "can_withdraw": is_source and found.state == State.GRANTED,
        "can_forward": is_centre and found.state == State.WITH_CENTRE,
        "can_cancel": not is_source and found.asked_for_id == person.organisation_id and found.state in rules.OPEN,
        "is_silent": is_centre and found.state in rules.OPEN and not can_answer(found.source),
        "ends_soon": _ends_soon(found, day_of(now)),
    }
    return render(request, "permissions/permission.html", context, status=422 if form.errors else 200)


def _acted(
    request: HttpRequest, found: Permission, act: str, form: AnswerForm, is_source: bool, person: Person, now: datetime
) -> bool:
    """Take the step; False where the form has to be filled in anew."""
    reason = request.POST.get("reason", "")
    said: dict[str, Any] = {"by": person, "at": now}
    acts: dict[str, tuple[str, Callable[[], object]]] = {
        "refuse": (_("You refused. The Centre is told why."), lambda: services.refuse(found, reason=reason, **said)),
        "withdraw": ("", lambda: _withdraw(request, found, reason, person, now)),
        "forward": (_("The source is asked."), lambda: services.forward(found, reason=reason, **said)),
        "decline": (_("It is not passed on. The bureau is told why."),
                    lambda: services.decline(found, reason=reason, **said)),
        "cancel": (_("The request is withdrawn."), lambda: services.cancel(found, **said)),
    }  # fmt: skip
    if act == "grant":
        if not form.is_valid():
            return False
        text = form.cleaned_data["text"]
        acts["grant"] = (_("You permitted it. Two people at the Centre still have to let it go."),
                         lambda: services.grant(found, form.wish(), text=text, **said))  # fmt: skip
    if act not in acts or (act in {"grant", "refuse", "withdraw"}) is not is_source:
        raise Http404
    _attempt(request, *acts[act])
    return True


def _withdraw(request: HttpRequest, found: Permission, reason: str, person: Person, now: datetime) -> None:
    used = services.withdraw(found, reason=reason, by=person, at=now)
    if used:
        messages.warning(request, _(
            "It is closed from now on. Whoever took it before still has it: to call that back, recall the delivery."
        ))  # fmt: skip
    else:
        messages.success(request, _("It is taken back. Nothing had gone out on it."))


def _attempt(request: HttpRequest, done: str, act: Callable[[], object]) -> bool:
    try:
        act()
    except Refused as refused:
        messages.error(request, str(REFUSALS.get(refused.rule, refused.rule)))
        return False
    except Conflict:
        messages.error(request, _("Somebody else decided meanwhile. Look again."))
        return False
    if done:
        messages.success(request, done)
    return True


@requires("ask-source")
@require_http_methods(["GET", "HEAD", "POST"])
def permission_ask(request: HttpRequest, receipt: str) -> HttpResponseBase:
    """The Centre asks the source of a delivery about the parts that it may see, or some of them."""
    person, now = person_of(request), timezone.now()
    if not person.organisation.is_centre:
        raise Http404
    try:
        delivery = delivery_for(person, receipt)
    except NotFound:
        raise Http404 from None
    parts = visible_batches(viewer_of(person), now).filter(delivery=delivery).select_related("handling_set")
    if not parts.exists():
        raise Http404
    agreed = [set(each.handling_set.body["purposes"]) for each in parts]
    form = AskForm(
        request.POST or None, purposes=set.intersection(*agreed), today=day_of(now),
        initial={"audience": request.GET.getlist("audience")},
    )  # fmt: skip
    chosen = request.POST.getlist("part") or request.GET.getlist("part")
    return _ask(request, delivery, parts, chosen, form, now)


@requires("ask-source")
@require_http_methods(["GET", "HEAD", "POST"])
def permission_ask_part(request: HttpRequest, number: int) -> HttpResponseBase:
    """A bureau passes something that it sees on to units of its own, or asks whether they may have it where its label
    keeps it with the bureau. It does not learn whose it is."""
    person, now = person_of(request), timezone.now()
    parts = visible_batches(viewer_of(person), now).filter(pk=number).select_related("handling_set", "delivery")
    part = parts.select_related(*(f"terms__{name}" for name in FACTS)).first()
    if part is None or person.organisation.is_centre:
        raise Http404
    if passing.is_passable(part, person, now):
        return _pass(request, part, now)
    units = list(units_below(person.organisation).filter(is_active=True).values_list("slug", "name"))
    form = BureauForm(request.POST or None, units=units, today=day_of(now))
    return _ask(request, part.delivery, parts, [], form, now, units=units)


def _pass(request: HttpRequest, part: Batch, now: datetime) -> HttpResponse:
    """The label lets the bureau pass it on: nobody is asked."""
    person = person_of(request)
    if request.method == "POST":
        chosen, act = request.POST.getlist("unit"), request.POST.get("act")
        said: dict[str, Any] = {"by": person, "at": now}
        acts: dict[str, tuple[str, Callable[[], object]]] = {
            "pass": (_("It is passed on: they see it from now on."), lambda: passing.pass_on(part.pk, chosen, **said)),
            "take-back": (_("They see it no longer. What they took before, they have."),
                          lambda: passing.take_back(part.pk, chosen, **said)),
        }  # fmt: skip
        if act not in acts:
            raise Http404
        _attempt(request, *acts[act])
        return redirect("permission-ask-part", part.pk)
    held = passing.passed_on(part, person.organisation)
    units = passing.units_of(person.organisation)
    context = {
        "parts": with_rows_seen(Batch.objects.filter(pk=part.pk), viewer_of(person)).select_related("handling_set"),
        "held": held,
        "units": units.exclude(pk__in=[each.unit_id for each in held]),
        "has_units": units.exists(),
    }
    return render(request, "permissions/pass_on.html", context)


def _ask(
    request: HttpRequest, delivery: Delivery, parts: QuerySet[Batch], chosen: list[str], form: AskForm | BureauForm,
    now: datetime, units: list[tuple[str, str]] | None = None,
) -> HttpResponse:  # fmt: skip
    person = person_of(request)
    listed = list(with_rows_seen(parts, viewer_of(person)).order_by("pk"))
    # Nothing chosen is all of it: what was chosen and is gone must not become that.
    some = [each for each in listed if not chosen or str(each.pk) in chosen]
    if request.method == "POST" and form.is_valid():
        try:
            if chosen and len(some) != len(set(chosen)):
                raise Refused(rules.Refusal.NOTHING_CHOSEN)
            made = services.ask(delivery, some, form.wish(), reason=form.cleaned_data["reason"], by=person, at=now)
        except Refused as refused:
            form.add_error(None, str(REFUSALS.get(refused.rule, refused.rule)))
        else:
            is_centre = person.organisation.is_centre
            messages.success(request, _("The source is asked.") if is_centre else _("The Centre has your request."))
            return redirect("permission", made.pk)
    asked = Permission.objects.filter(Q(delivery=delivery), state__in=rules.OPEN)
    context = {
        "form": form,
        "delivery": delivery,
        "parts": listed,
        "chosen": [each.pk for each in some],
        "units": units,
        "open": asked_by(person, now).filter(pk__in=asked.values("pk")),
        "is_silent": person.organisation.is_centre and not can_answer(delivery.organisation),
    }
    return render(request, "permissions/ask.html", context, status=422 if form.errors else 200)
