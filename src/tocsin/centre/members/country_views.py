"""How member countries take part: which do not as usual, and the page on which that is decided for one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.reference.countries import country

from . import countries, labels
from .access import fresh_proof, is_fresh, person_of, requires
from .models import CountryStatus, Key, Organisation, Person

CHANGES_SHOWN = 30


class StatusForm(forms.Form):
    """How a country takes part from now on, and why."""

    status = forms.ChoiceField(
        label=gettext_lazy("Status from now on"),
        choices=[(status.value, labels.COUNTRY_STATUSES[status][2]) for status in countries.SEVERITY],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=countries.LONGEST_REASON,
        help_text=gettext_lazy("It is kept with the change, for the Centre's people alone."),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto", "aria-describedby": "id_reason_helptext"}),
    )  # fmt: skip


def name_of(code: str) -> str:
    """The country in the reader's language; a code that is nobody's as it is."""
    try:
        return country(code).name(get_language() or "en")
    except KeyError:
        return code


@requires("set-country-status")
@require_safe
def memberships(request: HttpRequest) -> HttpResponse:
    """The countries that do not take part as usual, the last changes, and a way to each country."""
    if asked := request.GET.get("code", ""):
        return redirect("membership", asked)
    now = timezone.now()
    unusual = {code: word for code, word in countries.statuses_of(None, now).items() if word != "active"}
    since = {code: countries.history_of(code).filter(from_at__lte=now)[0] for code in unusual}
    codes = Organisation.objects.filter(is_bureau=True).exclude(country="").values_list("country", flat=True)
    context = {
        "rows": sorted(((name_of(code), each) for code, each in since.items()), key=lambda row: row[0]),
        "changes": CountryStatus.objects.order_by("-from_at", "-pk")[:CHANGES_SHOWN],
        "choices": sorted((name_of(code), code) for code in set(codes)),
    }
    return render(request, "members/memberships.html", context)


@requires("set-country-status")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def membership(request: HttpRequest, code: str) -> HttpResponse:
    """One country: its status, whom it binds, its history; a change is shown with its effect before it is made."""
    now = timezone.now()
    bound = countries.organisations_of(code)
    if not bound:
        raise Http404
    before = countries.status_of(code, now)
    form = StatusForm(request.POST or None, initial={"status": before})
    asked: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        if request.POST.get("confirmed") == before:
            made = countries.set_status(code, **asked, by=person_of(request).login, at=now)
            if made is not None:
                said = _("%(country)s is from now on: %(status)s.")
                status = labels.COUNTRY_STATUSES[made.status][2]
                messages.success(request, said % {"country": name_of(code), "status": status})
            return redirect("membership", code)
        if asked["status"] == before:
            form.add_error("status", _("It is so already."))
            asked = {}
    people = Person.objects.filter(organisation__in=bound, is_active=True)
    context = {
        "code": code,
        "name": name_of(code),
        "status": before,
        "effect": labels.COUNTRY_EFFECTS[before],
        "bound": bound,
        "people": people.count(),
        "keys": Key.objects.filter(person__in=people, revoked_at=None, expires_at__gt=now).count(),
        "history": countries.history_of(code),
        "form": form,
        "asked": asked,
        "asked_effect": labels.COUNTRY_EFFECTS.get(asked.get("status", ""), ""),
        "is_proved": is_fresh(request),
        "here": reverse("membership", args=[code]),
    }
    return render(request, "members/membership.html", context, status=422 if form.errors else 200)
