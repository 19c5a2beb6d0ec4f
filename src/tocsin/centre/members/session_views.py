"""The page of a person's own sessions."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from . import browsers
from .access import fresh_proof, is_fresh, person_of, requires
from .provider_labels import WAYS

SESSIONS_SHOWN = 50


@requires()
@never_cache
@require_safe
def sessions_page(request: HttpRequest) -> HttpResponse:
    """Where the person is signed in."""
    here = request.session.session_key
    listed = [
        (each, each.session_key == here, [WAYS[word] for word in each.proved_by.split(",") if word in WAYS])
        for each in browsers.open_sessions(person_of(request), timezone.now())[:SESSIONS_SHOWN]
    ]
    context = {"sessions": listed, "is_proved": is_fresh(request), "has_others": len(listed) > 1}
    return render(request, "members/sessions.html", context)


@requires()
@require_POST
@fresh_proof(back="sessions")
def session_end(request: HttpRequest, session: int) -> HttpResponse:
    """End one of the person's own sessions at once."""
    person, now = person_of(request), timezone.now()
    found = get_object_or_404(browsers.open_sessions(person, now), pk=session)
    browsers.end(session=found, by=person.login, at=now)
    messages.success(request, _("The session was ended."))
    return redirect("sessions")


@requires()
@require_POST
@fresh_proof(back="sessions")
def others_end(request: HttpRequest) -> HttpResponse:
    """End all of the person's sessions but this one."""
    ended = browsers.end_rest(request, person=person_of(request), at=timezone.now())
    said = ngettext("%(sessions)s session was ended.", "%(sessions)s sessions were ended.", ended)
    messages.success(request, said % {"sessions": ended})
    return redirect("sessions")
