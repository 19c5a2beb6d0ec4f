"""Pages of agreements: of a partner for the Centre, part by part; and a partner's own, to read."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tocsin.centre.audit import selectors as log
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, Refused

from . import agreements, labels
from .access import person_of, requires
from .agreement_forms import FORMS, initial_of
from .agreement_states import EDITABLE, State
from .models import Agreement, Organisation, Person
from .rules import may, side_of

ACTS_SHOWN = 30
CHANGES_SHOWN = 10


def _partner(request: HttpRequest, slug: str) -> Organisation:
    """An organisation that has agreements, for people of the Centre; for others it does not exist."""
    found = get_object_or_404(Organisation, slug=slug)
    if side_of(person_of(request).organisation) != "centre" or not agreements.needs_agreement(found):
        raise Http404
    return found


@requires("read-organisations")
@require_safe
def agreement(request: HttpRequest, slug: str, key: int | None = None) -> HttpResponse:
    """One agreement whole: how it stands, what is missing, who passed what; and its parts to fill in."""
    found = _partner(request, slug)
    chosen = agreements.agreements_of(found)
    if key is not None:
        return _page(request, found, get_object_or_404(chosen, pk=key))
    held = agreements.held_by(found, timezone.now())
    first = held.prepared or held.current
    return _page(request, found, first.agreement if first else None)


def _page(
    request: HttpRequest,
    organisation: Organisation,
    chosen: Agreement | None,
    bound: dict[str, forms.Form] | None = None,
) -> HttpResponse:
    person, now = person_of(request), timezone.now()
    can_edit = may(person, "edit-organisations")
    acts = log.found(subject=f"organisation:{organisation.pk}")[:ACTS_SHOWN]
    shown = agreements.shown(chosen, now, person.login if can_edit else "") if chosen else None
    context = {
        "organisation": organisation,
        "each": shown,
        "held": agreements.held_by(organisation, now),
        "forms": _forms(chosen, bound or {}) if can_edit and chosen else {},
        "wanted": _wanted(shown) if can_edit and shown else frozenset(),
        "can_edit": can_edit,
        "acts": [_told(entry) for entry in acts],
        "vetter": _name_of(chosen.vetted_by) if chosen else "",
        "vetting": [(name, getattr(chosen, name)) for name in agreements.VETTING_NOTES] if chosen else [],
    }
    return render(request, "members/agreement.html", context, status=422 if bound else 200)


def _forms(chosen: Agreement, bound: dict[str, forms.Form]) -> dict[str, forms.Form]:
    """The parts that may be filled in as the agreement stands."""
    state = State(chosen.state)
    parts = [part for part in FORMS if state in EDITABLE.get(part, frozenset(State))]
    found = {}
    for part in parts:
        found[part] = bound.get(part) or FORMS[part](initial=initial_of(part, chosen), auto_id=f"id_{part}_%s")
    return found


PART_OF = {
    "vetting": "vetting", "term": "terms", "signature-centre": "signatures", "signature-partner": "signatures",
    "key-ceremony": "security", "security-contact": "security",
}  # fmt: skip
"""What is missing → the part that is to be filled in for it."""


def _wanted(shown: agreements.Shown) -> frozenset[str]:
    """The parts that the next step waits for."""
    return frozenset(PART_OF[name] for step in shown.steps for name in step.missing if name in PART_OF)


def _name_of(login: str) -> str:
    return Person.objects.filter(login=login).values_list("name", flat=True).first() or login


def _told(entry: Any) -> dict[str, Any]:
    detail = json.loads(entry.detail)
    return {"entry": entry, "detail": detail if isinstance(detail, dict) else {}}


@requires("edit-organisations")
@require_POST
def agreement_part(request: HttpRequest, slug: str, key: int, part: str) -> HttpResponse:
    """Keep one part of it."""
    organisation = _partner(request, slug)
    found = get_object_or_404(agreements.agreements_of(organisation), pk=key)
    if part not in FORMS:
        raise Http404
    form = FORMS[part](request.POST, auto_id=f"id_{part}_%s")
    if not form.is_valid():
        return _page(request, organisation, found, {part: form})
    try:
        _keep(found, part, form.cleaned_data, person_of(request).login, timezone.now())
    except InputError as error:
        form.add_error(error.field if error.field in form.fields else None, sentence(error.reason))
        return _page(request, organisation, found, {part: form})
    except Conflict:
        messages.error(request, _("Somebody took another step meanwhile. Look again."))
    else:
        messages.success(request, _("The changes were saved."))
    return redirect("agreement-of", slug, key)


def _keep(found: Agreement, part: str, said: dict[str, Any], by: str, at: datetime) -> None:
    match part:
        case "terms":
            agreements.change_terms(found, **said, by=by, at=at)
        case "vetting":
            until = said.pop("vetted_until")
            agreements.pass_vetting(found, notes=said, until=until, by=by, at=at)
        case "signatures":
            agreements.note_signatures(
                found, for_centre=said["signed_for_centre"], for_centre_on=said["signed_for_centre_on"],
                for_partner=said["signed_for_partner"], for_partner_on=said["signed_for_partner_on"], by=by, at=at,
            )  # fmt: skip
        case "security":
            agreements.note_security(
                found, key_fingerprint=said["key_fingerprint"], contact=said["security_contact"], by=by, at=at
            )
        case "defaults":
            agreed = {"agreed_by": said.pop("agreed_by"), "agreed_on": said.pop("agreed_on")}
            agreements.change_defaults(found.organisation, said, **agreed, by=by, at=at)


@requires("edit-organisations")
@require_POST
def agreement_move(request: HttpRequest, slug: str, key: int) -> HttpResponse:
    """Take it one step further."""
    found = get_object_or_404(agreements.agreements_of(_partner(request, slug)), pk=key)
    said = request.POST
    if said.get("to") not in set(State) or said.get("from") != found.state:
        messages.error(request, _("Somebody took another step meanwhile. Look again."))
        return redirect("agreement-of", slug, key)
    to = State(said["to"])
    try:
        agreements.move(
            found, to, reason=said.get("reason", ""), by=person_of(request).login, at=timezone.now()
        )  # fmt: skip
    except Refused as refused:
        lacking = refused.remedy.split()
        texts = " ".join(str(labels.MISSING[name]) for name in lacking if name in labels.MISSING)
        messages.error(request, _("This step cannot be taken yet. Missing: %(missing)s") % {"missing": texts})
    except InputError:
        messages.error(request, _("Say why: a reason is kept with this step."))
    except Conflict:
        messages.error(request, _("Somebody took another step meanwhile. Look again."))
    else:
        messages.success(request, _("The agreement is now: %(state)s.") % {"state": labels.STATES[to]})
    return redirect("agreement-of", slug, key)


@requires("edit-organisations")
@require_POST
def agreement_prepare(request: HttpRequest, slug: str) -> HttpResponse:
    """Begin a new one beside the one that runs."""
    organisation = _partner(request, slug)
    try:
        made = agreements.prepare(organisation, by=person_of(request).login, at=timezone.now())
    except Conflict:
        messages.error(request, _("An agreement is being prepared already."))
        return redirect("agreement", slug)
    return redirect("agreement-of", slug, made.pk)


@requires("read-own-agreement")
@require_safe
def own_agreement(request: HttpRequest) -> HttpResponse:
    """What the reader's own organisation agreed on, and what holds for what it hands over without a label."""
    organisation = person_of(request).organisation
    held = agreements.held_by(organisation, timezone.now())
    changes = log.found(action=agreements.DEFAULTS_CHANGED, subject=f"organisation:{organisation.pk}")[:CHANGES_SHOWN]
    context = {"organisation": organisation, "held": held, "changes": [_told(entry) for entry in changes]}
    return render(request, "members/own_agreement.html", context)
