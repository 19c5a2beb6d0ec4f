"""Pages of standing orders: all of them, one to read, sign and stop, a new one."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.intake.secondees import known_to
from tocsin.centre.members.access import fresh_proof, is_fresh, person_of, prove, requires
from tocsin.centre.permissions.rules import day_of
from tocsin.core.errors import Refused
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet

from . import orders, releasing, rules
from .desk_views import attempt
from .labels import REFUSALS
from .models import StandingOrder
from .preview import Preview, preview
from .release_forms import OrderForm, first_days
from .releasing import actor_of

LISTED = 200
RELEASES_LISTED = 20
ORDER = ("half-signed", "in-force", "to-come", "stopped", "ended")


@requires("read-releases")
@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """Those that wait for a signature first, then those in force, then what is over."""
    today = day_of(timezone.now())
    found = StandingOrder.objects.select_related("organisation", "first_by", "second_by").order_by("-pk")[:LISTED]
    listed = sorted(((each, each.standing(today)) for each in found), key=lambda pair: ORDER.index(pair[1]))
    return render(request, "release/order_list.html", {"orders": listed})


@requires("read-releases")
@require_http_methods(["GET", "HEAD", "POST"])
def order(request: HttpRequest, key: int) -> HttpResponseBase:
    """One order with what left under it; the second signature; the stop button."""
    person, now = person_of(request), timezone.now()
    wanted = StandingOrder.objects.select_related("organisation", "first_by", "second_by", "stopped_by")
    found = get_object_or_404(wanted, pk=key)
    if request.method == "POST":
        match request.POST.get("act"):
            case "sign" if not is_fresh(request):
                return prove(request.get_full_path())
            case "sign":
                attempt(request, _("The order is signed: what it covers leaves from now on by itself."),
                        lambda: orders.sign(found, by=person, is_proved=is_fresh(request), at=now))  # fmt: skip
            case "stop":
                reason = request.POST.get("reason", "")
                attempt(request, _("The order is stopped: nothing more leaves under it."),
                        lambda: orders.stop(found, reason=reason, by=person, at=now))  # fmt: skip
            case _:
                raise Http404
        return redirect("order", key)
    signers = {each.login for each in (found.first_by, found.second_by) if each is not None}
    released = known_to(person, found.releases.select_related("delivery").order_by("-pk"))
    context = {
        "order": found,
        "standing": found.standing(day_of(now)),
        "sign_refusal": rules.refusal_of_signer(actor_of(person, is_proved=True), orders.case_of(found)),
        "may_stop": rules.may_stop(actor_of(person), signers),
        "reached": _reached(found, now),
        "released": released[:RELEASES_LISTED],
        "count": released.count(),
    }
    return render(request, "release/order.html", context)


def _reached(found: StandingOrder, now: datetime) -> list[tuple[Tlp, rules.Refusal | None, Preview]]:
    """Who would see what leaves under it: for each label up to its ceiling, without codes and exclusions."""
    answers = []
    source, clients = found.terms.source, releasing.bureaus()
    for label in (each for each in rules.CEILINGS if each.rank <= found.terms.ceiling.rank):
        handling = HandlingSet(tlp=label, codes=(), purposes=tuple(found.purposes))
        refusal = rules.refusal_of_content([handling])
        audience = None if refusal else rules.audience_under(handling, found.audience, clients)
        answers.append((label, refusal, preview(handling, source, audience, now)))
    return answers


@requires("sign-orders")
@fresh_proof()
@require_http_methods(["GET", "HEAD", "POST"])
def order_new(request: HttpRequest) -> HttpResponse:
    """Draw an order up and sign it first. Proof comes before the form, so that nothing typed is lost."""
    now = timezone.now()
    form = OrderForm(request.POST or None, initial=first_days(day_of(now)))
    if form.is_valid():
        try:
            made = orders.draw_up(**form.cleaned_data, by=person_of(request), is_proved=is_fresh(request), at=now)
        except Refused as refused:
            form.add_error(None, str(REFUSALS.get(refused.rule, refused.rule)))
        else:
            messages.success(request, _("You signed first. It holds once another person signed too."))
            return redirect("order", made.pk)
    return render(request, "release/order_new.html", {"form": form}, status=422 if form.errors else 200)
