"""The page of a person's keys for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from . import selectors, services
from .access import fresh_proof, is_fresh, person_of, requires
from .key_forms import REFUSALS, SCOPE_NAMES, KeyForm
from .models import Key, Person

KEYS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """A key as its owner sees it."""

    key: Key
    is_in_force: bool
    is_ending: bool
    scopes: list[str | Promise]
    has_moved: bool
    is_certificate_over: bool
    refused: str | Promise
    """Why it opened nothing when it was refused last; empty: it never was."""


@requires("read")
@sensitive_post_parameters("certificate")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_proof(only_post=True)
def keys(request: HttpRequest) -> HttpResponse:
    """The person's keys for programs, and a form for another. The secret of a new one stands in this answer alone."""
    person, now = person_of(request), timezone.now()
    form = KeyForm(person, now, request.POST or None)
    secret = ""
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        _key, secret = services.add_key(
            person=person, name=said["name"], scopes=sorted(said["scopes"]), expires_at=now + form.lifetime,
            ceiling=said["ceiling"], ranges=said["ranges"], certificate=said["certificate"], by=person.login, at=now,
        )  # fmt: skip
        form = KeyForm(person, now)
    context = {
        "form": form, "secret": secret, "keys": _listed(person, now), "origin": settings.INSTALLATION.public_origin,
        "is_proved": is_fresh(request), "ending": selectors.keys_ending(person, now),
    }  # fmt: skip
    return render(request, "members/keys.html", context)


def _listed(person: Person, now: datetime) -> list[Shown]:
    in_force = set(selectors.keys_in_force(person, now).values_list("pk", flat=True))
    ending = set(selectors.keys_ending(person, now).values_list("pk", flat=True))
    return [
        Shown(
            key, key.pk in in_force, key.pk in ending, [SCOPE_NAMES.get(scope, scope) for scope in key.scopes],
            has_moved=key.organisation_id != person.organisation_id,
            is_certificate_over=key.ends_at <= now < key.expires_at,
            refused=REFUSALS.get(key.refused_for, key.refused_for),
        )
        for key in selectors.keys_of(person)[:KEYS_SHOWN]
    ]  # fmt: skip


@requires("read")
@require_POST
def key_revoke(request: HttpRequest, key: int) -> HttpResponse:
    """End one of the person's own keys at once."""
    person = person_of(request)
    found = get_object_or_404(selectors.keys_of(person), pk=key)
    services.revoke_key(key=found, by=person.login, at=timezone.now())
    messages.success(request, _("The key %(name)s opens nothing any more.") % {"name": found.name})
    return redirect("keys")
