"""The page on which a bureau keeps its national units: adds them, and gives and takes their authorisation."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.core.errors import InputError

from . import units
from .access import fresh_proof, is_fresh, person_of, requires
from .models import Key, Person
from .people_forms import UnitForm


@requires("manage-units")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def units_page(request: HttpRequest) -> HttpResponse:
    """The units below the reader's own organisation, and a form for another."""
    person, now = person_of(request), timezone.now()
    own = person.organisation
    form = UnitForm(request.POST or None, organisation=own, initial={"parent": own})
    if request.method == "POST" and form.is_valid():
        units.add_unit(**form.cleaned_data, by=person.login, at=now)
        messages.success(request, _("The unit was added and is authorised. Now give its people accounts."))
        return redirect("units")
    rows = []
    for unit in units.units_below(own):
        people = Person.objects.filter(organisation=unit, is_active=True)
        keys = Key.objects.filter(person__in=people, revoked_at=None, expires_at__gt=now)
        is_cut = any(each.withdrawn_at or not each.is_active for each in unit.above())
        rows.append({"unit": unit, "people": people.count(), "keys": keys.count(), "is_cut": is_cut})
    context = {"rows": rows, "form": form, "own": own, "is_proved": is_fresh(request)}
    return render(request, "members/units.html", context, status=422 if form.errors else 200)


@requires("manage-units")
@require_POST
@fresh_proof(back="units")
def unit_act(request: HttpRequest, slug: str, act: str) -> HttpResponse:
    """Take away or give back a unit's authorisation."""
    person, now = person_of(request), timezone.now()
    unit = get_object_or_404(units.units_below(person.organisation), slug=slug)
    if act == "withdraw":
        try:
            units.withdraw(unit, reason=request.POST.get("reason", ""), by=person, at=now)
        except InputError:
            messages.error(request, _("Say why: a reason is kept with this step."))
        else:
            messages.success(request, _("%(unit)s opens nothing any more.") % {"unit": unit.name})
    elif act == "authorise":
        units.authorise(unit, by=person, at=now)
        messages.success(request, _("%(unit)s is authorised again.") % {"unit": unit.name})
    else:
        raise Http404
    return redirect("units")
