"""The page of an organisation's limits: what they are, what is used of them, and the form that sets them."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from tocsin.centre.members import allowances
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.rules import may

from ..allowance_lines import groups_of
from ..forms import LimitsForm


@requires()
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_limits(request: HttpRequest, slug: str) -> HttpResponse:
    """For the organisation's own people, and for the Centre's administrator, who sets them."""
    person, found = person_of(request), get_object_or_404(Organisation, slug=slug)
    if not allowances.may_look(person, found):
        raise Http404
    may_change = may(person, "administer")
    if request.method == "POST" and not may_change:
        raise Http404
    form = LimitsForm(request.POST if request.method == "POST" else None, organisation=found) if may_change else None
    if form is not None and form.is_bound and form.is_valid():
        if allowances.change(found, form.cleaned_data, by=person, at=timezone.now()):
            messages.success(request, _("The limits were saved. They hold from the next request on."))
        return redirect("organisation-limits", found.slug)
    groups = groups_of(found, timezone.now())
    context = {
        "organisation": found,
        "limits": groups,
        "form": form,
        "is_own": found.pk == person.organisation_id,
        "reads_page": may(person, "read-organisations"),
    }
    return render(request, "intake/organisation_limits.html", context, status=422 if form and form.errors else 200)
