"""Pages on which managers look after the accounts of their people, and confirm them once a year."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.centre.audit import selectors as log
from tocsin.core.errors import Conflict, InputError

from . import admission, people
from .access import fresh_proof, is_fresh, person_of, requires
from .models import Person
from .people_forms import AboutForm, PersonForm, initial_of
from .rules import may

ACTS_SHOWN = 30


def _row(reach: people.Reach, each: Person, now: datetime) -> dict[str, Any]:
    review = people.review_state(each, now)
    return {
        "person": each,
        "refusal": admission.refusal_of(each, now),
        "review": "new" if review == "fresh" and each.confirmed_at is None else review,
        "due_at": admission.due_at(each),
        "can_change": reach.can_change(each),
    }


@requires("manage-people")
@never_cache
@require_safe
def people_page(request: HttpRequest) -> HttpResponse:
    """Everybody whom the reader manages or may know of, with how the yearly confirmation stands."""
    manager, now = person_of(request), timezone.now()
    reach = people.reach_of(manager)
    rows = [_row(reach, each, now) for each in reach.people()]
    show = request.GET.get("show", "")
    waiting = [row for row in rows if row["person"].is_active and row["can_change"] and row["review"] != "fresh"]
    if show == "due":
        rows = waiting
    elif show == "closed":
        rows = [row for row in rows if not row["person"].is_active]
    else:
        rows = [row for row in rows if row["person"].is_active]
    context = {
        "rows": rows,
        "show": show,
        "waiting": len(waiting),
        "overdue": people.overdue_by_organisation(now) if may(manager, "appoint") else [],
        "is_proved": is_fresh(request),
    }
    return render(request, "members/people.html", context)


@requires("manage-people")
@require_POST
@fresh_proof(back="people")
def people_confirm(request: HttpRequest) -> HttpResponse:
    """Confirm the access of everybody who is ticked."""
    manager, now = person_of(request), timezone.now()
    reach = people.reach_of(manager)
    ticked = set(request.POST.getlist("person"))
    chosen = [each for each in reach.people() if str(each.pk) in ticked and each.is_active and reach.can_change(each)]
    for each in chosen:
        people.confirm(each, manager=manager, at=now)
    said = ngettext(
        "The access of %(people)s person was confirmed.", "The access of %(people)s people was confirmed.", len(chosen)
    )
    messages.success(request, said % {"people": len(chosen)})
    return redirect(reverse("people", query={"show": "due"}))


@requires("manage-people")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def person_add(request: HttpRequest) -> HttpResponse:
    """A new account: first where, then who. Its first password stands in this answer alone."""
    manager, now = person_of(request), timezone.now()
    reach = people.reach_of(manager)
    offered = reach.organisations()
    asked = request.POST.get("organisation") or request.GET.get("organisation") or ""
    chosen = offered.filter(slug=asked).first() if asked else None
    if chosen is None and (asked or len(reach.keys) > 1):
        return render(request, "members/person_where.html", {"organisations": offered}, status=404 if asked else 200)
    organisation = chosen or offered[0]
    form = PersonForm(request.POST or None, organisation=organisation, given=reach.gives(organisation))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            made, password = people.add(
                login=said["login"], name=said["name"], organisation=organisation, about=form.about(),
                language=manager.language, manager=manager, at=now,
            )  # fmt: skip
        except Conflict:
            form.add_error("login", _("This login is taken."))
        except InputError as error:
            form.add_error(error.field if error.field in form.fields else None, _("Choose what you may give."))
        else:
            return _first_password(request, made, password)
    context = {"form": form, "organisation": organisation, "is_proved": is_fresh(request)}
    return render(request, "members/person_add.html", context, status=422 if form.errors else 200)


def _first_password(request: HttpRequest, person: Person, password: str) -> HttpResponse:
    return render(request, "members/first_password.html", {"person": person, "password": password})


def _known(request: HttpRequest, key: int) -> tuple[people.Reach, Person]:
    """The person, if the reader may know of it; for others it does not exist."""
    reach = people.reach_of(person_of(request))
    found = next((each for each in reach.people() if each.pk == key), None)
    if found is None:
        raise Http404
    return reach, found


@requires("manage-people")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def person_page(request: HttpRequest, key: int) -> HttpResponse:
    """One person: what it may, when it was here, what it did; and what the reader may change about it."""
    reach, found = _known(request, key)
    row = _row(reach, found, timezone.now())
    form = None
    if row["can_change"]:
        form = AboutForm(
            request.POST or None, initial=initial_of(found), organisation=found.organisation,
            given=reach.gives(found.organisation),
        )  # fmt: skip
    if request.method == "POST" and form is None:
        raise Http404
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            people.change(found, form.about(), manager=reach.manager, at=timezone.now())
        except InputError as error:
            form.add_error(error.field if error.field in form.fields else None, _("Choose what you may give."))
        else:
            messages.success(request, _("The changes were saved."))
            return redirect("person", found.pk)
    context = {
        **row,
        "form": form,
        "ends_at": admission.ends_at(found),
        "acts": log.found(actor=found.login)[:ACTS_SHOWN],
        "is_proved": is_fresh(request),
    }
    return render(request, "members/person.html", context, status=422 if form is not None and form.errors else 200)


def _act_confirm(request: HttpRequest, manager: Person, found: Person, at: datetime) -> None:
    people.confirm(found, manager=manager, at=at)
    messages.success(request, _("The access of %(name)s is confirmed for a year.") % {"name": found.name})


def _act_close(request: HttpRequest, manager: Person, found: Person, at: datetime) -> None:
    people.close(found, manager=manager, reason=request.POST.get("reason", ""), at=at)
    messages.success(request, _("The access of %(name)s ended, with all sessions and keys.") % {"name": found.name})


def _act_reopen(request: HttpRequest, manager: Person, found: Person, at: datetime) -> None:
    people.reopen(found, manager=manager, at=at)
    messages.success(request, _("%(name)s may come in again.") % {"name": found.name})


ACTS: dict[str, Callable[[HttpRequest, Person, Person, datetime], None]] = {
    "confirm": _act_confirm, "close": _act_close, "reopen": _act_reopen,
}  # fmt: skip


@requires("manage-people")
@never_cache
@require_POST
@fresh_proof(back="people")
def person_act(request: HttpRequest, key: int, act: str) -> HttpResponse:
    """Confirm, end or give back the access of a person, or give it a new first password."""
    reach, found = _known(request, key)
    if not reach.can_change(found):
        raise Http404
    if act == "password":
        password = people.reset_password(found, manager=reach.manager, at=timezone.now())
        return _first_password(request, found, password)
    if act not in ACTS:
        raise Http404
    ACTS[act](request, reach.manager, found, timezone.now())
    return redirect("person", found.pk)
