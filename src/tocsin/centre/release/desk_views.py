"""The release desk, a delivery's release, and the simulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.intake import urgency
from tocsin.centre.intake.deliveries import deliveries_for, delivery_for, urgency_for
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.access import is_fresh, person_of, prove, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.permissions.selectors import permissions_about
from tocsin.core.errors import Conflict, NotFound, Refused
from tocsin.core.words import Tlp
from tocsin.handling import Derived, Parent, derive

from . import releasing, rules
from .desk import Group, groups_of, page_for, rows_of, sources_for, urgent_among, waiting_for
from .labels import REFUSALS
from .models import Release
from .orders import orders_in_force
from .release_forms import AudienceForm

PER_PAGE = 25


@requires("read-releases")
@require_safe
def release_desk(request: HttpRequest) -> HttpResponse:
    """What waits to leave the Centre."""
    person, now = person_of(request), timezone.now()
    source, label = request.GET.get("source", ""), request.GET.get("label", "")
    is_oldest = request.GET.get("order") == "oldest"
    chosen = waiting_for(person, now)
    if source:
        chosen = chosen.filter(organisation__slug=source)
    if label:
        chosen = chosen.filter(handling_set__tlp=label)
    page, count = page_for(person, now, chosen, request.GET.get("after", ""), PER_PAGE, is_oldest=is_oldest)
    context = {
        "page": page,
        "count": count,
        "rows": rows_of(page.rows, chosen, now),
        "sources": sources_for(person, now).values_list("slug", "name"),
        "labels": [tlp.value for tlp in Tlp],
        "source": source,
        "label": label,
        "is_oldest": is_oldest,
        "is_filtered": bool(source or label),
        "orders": orders_in_force(now).count(),
    }
    return render(request, "release/desk.html", context)


@requires("read-releases")
@require_http_methods(["GET", "HEAD", "POST"])
def release_of(request: HttpRequest, receipt: str) -> HttpResponseBase:
    """One delivery: who gets it and who does not, and the steps that this person can take."""
    person, now = person_of(request), timezone.now()
    try:
        delivery = delivery_for(person, receipt)
    except NotFound:
        raise Http404 from None
    batches = visible_batches(viewer_of(person), now).filter(delivery=delivery)
    if not batches.exists():
        raise Http404
    if request.method == "POST":
        return _act(request, delivery, batches, now)
    return _page(request, delivery, batches, now)


def _page(request: HttpRequest, delivery: Delivery, batches: Any, now: datetime) -> HttpResponse:
    person = person_of(request)
    history = delivery.releases.select_related("proposed_by", "released_by", "closed_by", "order").order_by("-pk")
    proposed = next((each for each in history if each.state == Release.State.PROPOSED), None)
    form = AudienceForm(request.GET)
    wanted = proposed.audience if proposed else form.cleaned_data["audience"] if form.is_valid() else []
    groups = groups_of(delivery, batches, wanted, now)
    waiting = _may_go(groups)
    if proposed:
        in_it = set(proposed.batches.values_list("pk", flat=True))
        chosen = [group for group in waiting if in_it & set(group.batches)]
    else:
        chosen = _chosen(waiting, request.GET.getlist("part")) or waiting
    case = releasing.case_of(delivery, proposed.proposed_by if proposed else None)
    actor = releasing.actor_of(person, is_proved=True)  # Asked for when the step is taken.
    is_untouched = urgent_among(Delivery.objects.filter(pk=delivery.pk)).exists()
    context = {
        "delivery": delivery,
        "parts": groups,
        "derived": _derived(chosen or groups, releasing.bureaus()),
        "permissions": permissions_about(delivery),
        "may_ask": may(person, "ask-source") and not delivery.organisation.is_centre,
        "waiting": waiting,
        "chosen": [group.number for group in chosen],
        "wanted": wanted,
        "form": form,
        "proposed": proposed,
        "history": history,
        "refusal": _refusal(delivery, chosen, wanted, now) if waiting and not proposed else None,
        "propose_refusal": rules.refusal_of_proposer(actor, case),
        "release_refusal": rules.refusal_of_releaser(actor, case),
        "is_unclear": not proposed and not form.is_valid(),
        "is_proposer": proposed is not None and proposed.proposed_by_id == person.pk,
        "may_propose": may(person, "propose-release"),
        "urgency": urgency_for(person, delivery) if delivery.urgent_at else "",
        "due_at": urgency.due_at(delivery) if waiting and is_untouched else None,
        "habit": urgency.habit_of(delivery.organisation, deliveries_for(person), now) if delivery.urgent_at else None,
    }
    return render(request, "release/release.html", context)


def _may_go(groups: list[Group]) -> list[Group]:
    """What waits, and what went out already and may go further; the one before the other where nothing is chosen."""
    return [group for group in groups if group.is_waiting or group.is_widened]


def _derived(groups: list[Group], clients: set[str]) -> Derived:
    """What would hold for something made of these parts, and which of them decides it."""
    parents = [
        Parent(f"{place} ({group.handling.tlp.value})", group.handling, group.grants)
        for place, group in enumerate(groups, 1)
    ]  # fmt: skip
    return derive(parents, clients)


def _chosen(waiting: list[Group], parts: list[str]) -> list[Group]:
    """The ticked parts, none where one of them does not wait any more; none ticked: all of them."""
    found = [group for group in waiting if not parts or str(group.number) in parts]
    return found if len(found) == len(set(parts)) or not parts else []


def _refusal(delivery: Delivery, chosen: list[Group], wanted: list[str], now: datetime) -> rules.Refusal | None:
    sets, grants = [group.handling for group in chosen], {group.handling.digest: group.grants for group in chosen}
    return releasing.refusal_of(sets, delivery.organisation, wanted, releasing.bureaus(), now, grants)


def _act(request: HttpRequest, delivery: Delivery, batches: Any, now: datetime) -> HttpResponseBase:
    """Propose, release, refuse or withdraw; then back to the page, which says how it stands."""
    person, said = person_of(request), request.POST
    act, reason = said.get("act", ""), said.get("reason", "")
    if act == "release" and not is_fresh(request):
        return prove(request.get_full_path())
    if act == "propose":
        form = AudienceForm(said)
        # Nobody chosen is everybody whom the label lets have it: a choice that cannot be read must not become that.
        wanted = form.cleaned_data["audience"] if form.is_valid() else None
        groups = [] if wanted is None else groups_of(delivery, batches, wanted, now)
        chosen = _chosen(_may_go(groups), said.getlist("part"))
        if wanted is None or (not chosen and said.getlist("part")):
            messages.error(
                request, _("What you chose is not there any more as you saw it. Look again, and choose anew.")
            )
            return redirect("release-of", delivery.receipt)
        numbers = [number for group in chosen for number in group.batches]
        attempt(request, _("It is proposed. Another person releases it."), lambda: releasing.propose(
            delivery, Batch.objects.filter(pk__in=numbers), audience=wanted, reason=reason, by=person, at=now
        ))  # fmt: skip
    else:
        _decide(request, _proposed(delivery, said.get("release", ""), batches), act, reason, person, now)
    return redirect("release-of", delivery.receipt)


def _proposed(delivery: Delivery, key: str, batches: Any) -> Release:
    """The release that the form is about, if all of it may be seen by who decides."""
    found = Release.objects.filter(delivery=delivery, pk=key).first() if key.isdecimal() and len(key) < 19 else None
    if found is None or found.batches.exclude(pk__in=batches.order_by().values("pk")).exists():
        raise Http404
    return found


def _decide(request: HttpRequest, found: Release, act: str, reason: str, person: Person, now: datetime) -> None:
    match act:
        case "release":
            attempt(request, _("It is released: recipients see it from now on."),
                 lambda: releasing.release(found, by=person, is_proved=is_fresh(request), at=now))  # fmt: skip
        case "refuse":
            attempt(request, _("The release is refused. The delivery goes on waiting."),
                 lambda: releasing.refuse(found, reason=reason, by=person, at=now))  # fmt: skip
        case "withdraw":
            attempt(request, _("The proposal is withdrawn. The delivery goes on waiting."),
                 lambda: releasing.withdraw(found, reason=reason, by=person, at=now))  # fmt: skip
        case _:
            raise Http404


def attempt(request: HttpRequest, done: str, act: Callable[[], object]) -> None:
    """Take the step, and say how it went."""
    try:
        act()
    except Refused as refused:
        messages.error(request, str(REFUSALS.get(refused.rule, refused.rule)))
    except Conflict:
        messages.error(request, _("Somebody else decided meanwhile. Look again."))
    else:
        messages.success(request, done)
