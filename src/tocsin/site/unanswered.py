"""What everybody is told while the database or a disk fails: at each door in its words, asking neither of them."""

from __future__ import annotations

from copy import copy

from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from tocsin.core.machine_faults import Fault
from tocsin.taxii.answers import problem

RETRY_SECONDS = 30
BUSY_SECONDS = 2
"""Where two changed the same thing: the other one is done by then."""


def answer(request: HttpRequest, fault: Fault) -> HttpResponse:
    """503 and when to come again; on pages, what is the matter and what became of what was sent."""
    # Whoever comes after in this request must not ask the database who this is: each would wait for it anew. The
    # session stays what it was, or its cookie would be taken away and everybody signed out.
    request.user = AnonymousUser()
    text = _("Not now. Try again in a moment.")
    if request.path.startswith("/taxii2/"):
        response = problem(503, text)
    elif request.path.startswith("/api/"):
        response = JsonResponse({"reason": "unavailable", "text": text}, status=503)
    else:
        shown = copy(request)
        shown.session, shown._messages = SessionStore(), []  # type: ignore[attr-defined]
        response = render(shown, "site/error.html", {"code": 503, "fault": fault.value}, status=503)
    response["Retry-After"] = str(BUSY_SECONDS if fault is Fault.BUSY else RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response
