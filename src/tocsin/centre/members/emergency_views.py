"""The page of emergency accesses: all there were, asking for one, approving, ending."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.core.errors import Conflict, Refused

from . import emergency, second_look
from .access import fresh_proof, is_fresh, person_of, requires
from .emergency_states import HOURS_MOST, Standing, standing
from .models import EmergencyAccess, Organisation, Person
from .rules import may

SHOWN = 100
WHY_NOT = {
    "second-person": gettext_lazy("Another person than the one who asks must approve."),
    "settled-account": gettext_lazy(
        "The one who asks has lately made or changed your account: somebody else must approve."
    ),
}
"""Why somebody whose role approves cannot approve this one."""


def _lengths() -> list[tuple[int, str]]:
    return [(n, ngettext("%(hours)s hour", "%(hours)s hours", n) % {"hours": n}) for n in range(1, HOURS_MOST + 1)]


class AskForm(forms.Form):
    """What must be opened, why, and for how long."""

    receipt = forms.RegexField(
        r"^[\w-]{8,60}$", label=gettext_lazy("Receipt of the delivery"), required=False, strip=True,
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false", "autocomplete": "off"}),
    )  # fmt: skip
    organisation = forms.ModelChoiceField(
        Organisation.objects.none(), label=gettext_lazy("Or all deliveries of an organisation"), required=False,
        to_field_name="slug", empty_label="–",
    )  # fmt: skip
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=emergency.LONGEST_REASON,
        help_text=gettext_lazy("What happened, what you must know, and whom you could not reach. It stays in the log."),
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )  # fmt: skip
    hours = forms.TypedChoiceField(label=gettext_lazy("For how long"), coerce=int, choices=_lengths)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Organisation.objects.filter(is_centre=False)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not self.errors and bool(said.get("receipt")) == bool(said.get("organisation")):
            self.add_error("receipt", _("Name either one delivery or one organisation."))
        return said


@requires("read-emergencies")
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def emergencies(request: HttpRequest) -> HttpResponse:
    """All emergency accesses, and the form for one."""
    person, now = person_of(request), timezone.now()
    may_ask = may(person, "ask-emergency")
    if request.method == "POST" and not may_ask:
        raise Http404
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = emergency.ask(person=person, at=now, **form.cleaned_data)
        except Conflict:
            form.add_error(
                None, _("Three of your requests wait or are open already. End one before you ask for another.")
            )
        else:
            messages.warning(
                request, _("Your request stands on every page of the Centre. Another person must approve it.")
            )
            return redirect("emergency", made.pk)
    may_look = may(person, "approve-emergency")
    held = [(each, WHY_NOT.get(second_look.missing(each, person, now), "")) for each in second_look.waiting()]
    listed = [(each, standing(each.facts, now)) for each in emergency.all_of()[:SHOWN]]
    providers = [(each, WHY_NOT.get(second_look.missing(each, person, now), ""))
                 for each in second_look.waiting_providers()]  # fmt: skip
    context = {"accesses": listed, "form": form, "may_ask": may_ask, "is_proved": is_fresh(request),
               "held": held if may_look else [], "providers": providers if may_look else []}  # fmt: skip
    return render(request, "members/emergencies.html", context)


def facts_for(request: HttpRequest, access: EmergencyAccess) -> dict[str, Any]:
    """What the page of one access offers to its reader."""
    person, now = person_of(request), timezone.now()
    word = standing(access.facts, now)
    missing = emergency.missing(access, person, now)
    return {
        "access": access, "standing": word, "is_proved": is_fresh(request), "may_approve": not missing,
        "why_not": WHY_NOT.get(missing, ""),
        "may_end": word in {Standing.ASKED, Standing.OPEN} and emergency.may_end(access, person),
    }  # fmt: skip


@requires("approve-emergency")
@require_POST
@fresh_proof(back="emergencies")
def emergency_approve(request: HttpRequest, key: int) -> HttpResponse:
    """The second person opens it."""
    access = get_object_or_404(EmergencyAccess, pk=key)
    try:
        emergency.approve(access=access, by=person_of(request), at=timezone.now())
    except (Refused, Conflict):
        messages.error(request, _("It cannot be approved by you, or not any more."))
    else:
        messages.warning(request, _("The emergency access is open. Every page of the Centre says so."))
    return redirect("emergency", access.pk)


@requires("approve-emergency")
@require_POST
@fresh_proof(back="emergencies")
def account_open(request: HttpRequest, key: int) -> HttpResponse:
    """The second person made sure whose account it is."""
    found = get_object_or_404(second_look.waiting(), pk=key)
    try:
        second_look.open_account(found, by=person_of(request), at=timezone.now())
    except (Refused, Conflict):
        messages.error(request, _("It cannot be opened by you, or not any more."))
    else:
        messages.success(request, _("%(name)s may come in now.") % {"name": found.name})
    return redirect("emergencies")


@requires("approve-emergency")
@require_POST
@fresh_proof(back="emergencies")
def provider_open(request: HttpRequest, slug: str) -> HttpResponse:
    """The second person made sure that the provider is the organisation's own, as it was shown."""
    found = get_object_or_404(second_look.waiting_providers(), organisation__slug=slug)
    try:
        if request.POST.get("held_at") != found.held_at.isoformat():  # type: ignore[union-attr]
            raise Conflict("it was changed meanwhile")
        second_look.open_provider(found, by=person_of(request), at=timezone.now())
    except (Refused, Conflict):
        messages.error(request, _("It cannot be opened by you, or it was changed meanwhile. Look at it again."))
    else:
        name = found.organisation.name
        messages.success(request, _("The people of %(name)s may come in by it now.") % {"name": name})
    return redirect("emergencies")


@requires("read-emergencies")
@require_POST
def emergency_end(request: HttpRequest, key: int) -> HttpResponse:
    """End it at once; nobody has to prove anything for that."""
    person: Person = person_of(request)
    access = get_object_or_404(EmergencyAccess, pk=key)
    try:
        emergency.end(access=access, by=person, at=timezone.now())
    except Refused:
        raise Http404 from None
    messages.success(request, _("The emergency access was ended."))
    return redirect("emergency", access.pk)
