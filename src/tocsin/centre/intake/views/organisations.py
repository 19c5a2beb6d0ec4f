"""Organisations: who hands over what, how well, and under which agreement."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.members import agreements, allowances, applications
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.rules import may, side_of
from tocsin.centre.members.services import add_organisation
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp

from .. import deliveries as selectors
from .. import organisations
from ..allowance_lines import groups_of
from ..forms import OrganisationForm
from ..models import SavedProfile

SHOWN = 10


@requires("read-organisations")
@require_safe
def organisation_list(request: HttpRequest) -> HttpResponse:
    """Partners with their figures; on demand bureaus, or those whose agreement needs somebody soon."""
    show, now = request.GET.get("show"), timezone.now()
    is_centre = side_of(person_of(request).organisation) == "centre"
    with_bureaus = show == "bureaus"
    rows = organisations.partners(person_of(request), now, with_bureaus=with_bureaus)
    if with_bureaus:
        rows = sorted((row for row in rows if row.organisation.is_bureau), key=lambda row: row.organisation.name)
    elif show == "ending" and is_centre:
        ending = agreements.ending(now)
        rows = [row for row in rows if row.organisation.pk in ending]
    elif show == "applied" and is_centre:
        applied = set(applications.waiting().values_list("organisation", flat=True))
        rows = [row for row in rows if row.organisation.pk in applied]
    context = {
        "rows": rows,
        "show": show,
        "sees_agreements": is_centre,
        "can_edit": may(person_of(request), "edit-organisations"),
    }
    return render(request, "intake/organisation_list.html", context)


@requires("read-organisations")
@require_safe
def organisation(request: HttpRequest, slug: str) -> HttpResponse:
    """One organisation: agreement, figures, last deliveries, saved maps."""
    found = get_object_or_404(Organisation, slug=slug)
    person = person_of(request)
    last = selectors.deliveries_for(person).filter(organisation=found).order_by("-received_at", "-pk")[:SHOWN]
    row = organisations.partner(person, found, timezone.now())
    sees_limits = allowances.may_look(person, found)
    shows_agreement = side_of(person.organisation) == "centre" and agreements.needs_agreement(found)
    context = {
        "organisation": found,
        "row": row,
        "deliveries": last,
        "maps": SavedProfile.objects.filter(organisation=found).order_by("name"),
        "people": found.people.filter(is_active=True).count(),
        "held": agreements.held_by(found, timezone.now()) if shows_agreement else None,
        "can_edit": may(person, "edit-organisations"),
        "can_administer": may(person, "administer"),
        "sees_limits": sees_limits,
        "limits": groups_of(found, timezone.now()) if sees_limits else [],
    }
    return render(request, "intake/organisation.html", context)


@requires("edit-organisations")
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_add(request: HttpRequest) -> HttpResponse:
    """A new partner."""
    data = request.POST if request.method == "POST" else None
    form = OrganisationForm(data, language=get_language() or "en")
    if data is not None and form.is_valid():
        said = form.cleaned_data
        if Organisation.objects.filter(slug=said["slug"]).exists():
            form.add_error("slug", _("Another organisation has this short name."))
        else:
            made = add_organisation(
                slug=said["slug"], name=said["name"], class_name=said["class_name"], country=said["country"],
                contact=said["contact"], defaults={"tlp": said["tlp"]}, parent=said["parent"],
                is_bureau=said["is_bureau"], by=person_of(request).login,
                at=timezone.now(),
            )  # fmt: skip
            messages.success(request, _("The organisation was added."))
            return redirect("organisation", made.slug)
    return render(request, "intake/organisation_form.html", {"form": form, "organisation": None})


@requires("edit-organisations")
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """The facts of an agreement that may change."""
    found = get_object_or_404(Organisation, slug=slug)
    initial = {
        "name": found.name, "country": found.country, "contact": found.contact, "is_active": found.is_active,
        "tlp": found.defaults.get("tlp", Tlp.AMBER.value), "parent": found.parent,
    }  # fmt: skip
    data = request.POST if request.method == "POST" else None
    form = OrganisationForm(data, language=get_language() or "en", known=found, initial=initial)
    if data is not None and form.is_valid():
        try:
            organisations.change_organisation(found, **form.cleaned_data, by=person_of(request), at=timezone.now())
        except InputError as error:
            if error.field == "parent":
                form.add_error("parent", _("It cannot stand below itself, or below what stands below it."))
            else:
                form.add_error(None, sentence(error.reason))
        else:
            messages.success(request, _("The changes were saved."))
            return redirect("organisation", found.slug)
    context = {"form": form, "organisation": found, "has_agreement": agreements.needs_agreement(found)}
    return render(request, "intake/organisation_form.html", context)
