"""Answers as TAXII words them: media type, errors, moments."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

import orjson
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language_from_request, override
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from tocsin.centre import refusals
from tocsin.centre.intake import wall
from tocsin.centre.members import allowances
from tocsin.centre.members.doors import Caller, KeyEnded, ScopeLacking, note_refused
from tocsin.centre.members.limits import Kind, TooOften, spend
from tocsin.centre.members.sessions import TooManyFailures
from tocsin.centre.questions import steady
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Refused, Unavailable

from .callers import caller_of
from .media_types import MEDIA_TYPE, accepts

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Caller, P], HttpResponse]
Door = Callable[Concatenate[HttpRequest, P], HttpResponse]
STATUS_OF_REASON = {
    "too-large": 413, "no-space": 507, "agreement-expired": 403, "agreement-not-in-force": 403,
    "country-restricted": 403, "country-suspended": 403, "not-a-time": 400, "not-a-number": 400, "not-an-id": 400,
    "invalid-object": 400, "not-a-filter": 400, "said-twice": 400,
}  # fmt: skip
RETRY_SECONDS = 30
FULL_RETRY_SECONDS = 300
"""Room on a disk is made by hand."""
READING = frozenset({"GET", "HEAD"})
ALL: tuple[str, ...] = ()
"""What a door says that answers every method alike."""


def answer(body: dict[str, Any], status: int = 200) -> HttpResponse:
    """A TAXII resource."""
    return answer_of(orjson.dumps(body), status)


def answer_of(body: bytes, status: int = 200) -> HttpResponse:
    """The same of its bytes."""
    response = HttpResponse(body, content_type=MEDIA_TYPE, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def moment(at: datetime) -> str:
    """UTC with microseconds, as the standard demands."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def problem(status: int, title: str, description: str = "", code: str = "", **headers: str) -> HttpResponse:
    """The standard's error message; `code` is for programs and never changes."""
    body = {"title": title, "http_status": str(status)}
    body |= {"description": description} if description else {}
    body |= {"error_code": code} if code else {}
    response = answer(body, status)
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response


def is_spoken(request: HttpRequest) -> bool:
    """Whether this request is for the TAXII server: then what no door of ours refuses is refused in its words too."""
    return request.path.startswith("/taxii2/") or request.path == "/taxii2"


def refusal(request: HttpRequest, status: int) -> HttpResponse:
    """What is refused before or behind our doors: a host that is not ours, or a fault."""
    # Before the language was chosen, that of who asked last is still there.
    with override(get_language_from_request(request)):
        texts = {
            400: _("The request is not understood."), 403: _("You may not do this."), 404: _("There is nothing here."),
            405: _("This method is not offered here."), 500: _("Something went wrong on our side"),
        }  # fmt: skip
        return problem(status, texts[status])


def door(*methods: str) -> Callable[[View[P]], Door[P]]:
    """A view behind sign-in that speaks TAXII; what goes wrong is mapped here, once.

    Whatever gives also answers HEAD: the same, without a body.
    """

    def around(view: View[P]) -> Door[P]:
        @csrf_exempt  # Sessions do not open this door, so that no forged request can.
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            with steady() if request.method in READING else nullcontext():
                return answered(request, *args, **kwargs)

        def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                caller = caller_of(request, timezone.now())
                if caller is None:
                    raise KeyEnded
                if refused := _not_understood(request, methods):
                    return refused
                if not caller.has_scope("taxii"):
                    raise ScopeLacking("the key lacks the scope taxii")
                spend(caller.person, Kind.REQUESTS, timezone.now())
                wall.confine(caller.person, request.method)
                return _bare(request, view(request, caller, *args, **kwargs))
            except Exception as error:
                said = _mapped(error)
                if said is None:
                    raise
                if isinstance(error, Refused):
                    note_refused(request, error)
                elif isinstance(error, TooOften):
                    refusals.note(request, "too-often")
                    allowances.note(error, request, timezone.now())
                    error.tell(said)
                return said

        return cast(Door[P], guarded)

    return around


def open_door(*methods: str) -> Callable[[Door[P]], Door[P]]:
    """The same for a view that asks nobody who he is."""

    def around(view: Door[P]) -> Door[P]:
        @csrf_exempt  # There is no session to abuse.
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                return _not_understood(request, methods) or _bare(request, view(request, *args, **kwargs))
            except Exception as error:
                if (said := _mapped(error)) is None:
                    raise
                return said

        return cast(Door[P], guarded)

    return around


def _not_understood(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse | None:
    """The answer to a request in whose words or by whose method nothing is given here."""
    if not accepts(request.headers.get("Accept", "")):
        return problem(406, _("This server answers as %(type)s only.") % {"type": MEDIA_TYPE})
    offered = [*methods, *(["HEAD"] if "GET" in methods else [])]
    if methods and request.method not in offered:
        return problem(405, _("This method is not offered here."), Allow=", ".join(sorted(offered)))
    return None


def _bare(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """To HEAD the answer to GET without its body, of which it says the length."""
    if request.method == "HEAD":
        length = len(response.content)
        response.content = b""
        response["Content-Length"] = str(length)
    return response


def _mapped(error: Exception) -> HttpResponse | None:
    match error:
        case KeyEnded():
            signs = 'Basic realm="Tocsin", charset="UTF-8", Bearer realm="Tocsin"'
            return problem(401, _("Sign in with a login and password, or with a key."), WWW_Authenticate=signs)
        case NotFound():
            return problem(404, _("There is nothing here."))
        case Refused():
            return problem(403, _("You may not do this: %(rule)s.") % {"rule": error.rule})
        case InputError():
            where = " ".join(part for part in (error.position, error.field, error.excerpt[:200]) if part)
            status = STATUS_OF_REASON.get(error.reason, 422)
            wait = {"Retry_After": str(FULL_RETRY_SECONDS)} if status == 507 else {}
            return problem(status, sentence(error.reason), where, error.reason, **wait)
        case SuspiciousOperation():  # More parameters than any question has, among others.
            return problem(400, _("The request is not understood."))
        case Conflict():
            return problem(409, _("This cannot be done: %(why)s.") % {"why": str(error)})
        case TooManyFailures():
            text = _("Too many failed attempts to sign in. Wait before the next one.")
            return problem(429, text, Retry_After=str(error.minutes * 60))
        case TooOften():
            text = _("A limit was reached. Try again after the time given.")
            return problem(429, text, Retry_After=str(error.seconds))
        case Unavailable():
            return problem(503, _("Not now. Try again in a moment."), Retry_After=str(error.retry_after_seconds))
        case OperationalError():
            return problem(503, _("Not now. Try again in a moment."), Retry_After=str(RETRY_SECONDS))
    return None
