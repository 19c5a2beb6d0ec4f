"""What everybody is told while the database does not answer, at each door in its words, asking nothing of it."""

from __future__ import annotations

from copy import copy

from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from tocsin.taxii.answers import problem

RETRY_SECONDS = 30


def is_lost(error: BaseException | None) -> bool:
    """Whether an error says that the database was not there, or was too slow."""
    return isinstance(error, OperationalError | InterfaceError)


def answer(request: HttpRequest) -> HttpResponse:
    """503 and when to come again."""
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
        response = render(shown, "site/error.html", {"code": 503}, status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response
