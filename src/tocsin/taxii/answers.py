"""Answers as TAXII words them: media type, errors, moments."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

import orjson
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from tocsin.centre import refusals
from tocsin.centre.intake import wall
from tocsin.centre.members.doors import Caller, KeyEnded, ScopeLacking, note_refused
from tocsin.centre.members.limits import Kind, TooOften, spend
from tocsin.centre.members.sessions import TooManyFailures
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Refused, Unavailable

from .callers import caller_of

MEDIA_TYPE = "application/taxii+json;version=2.1"
P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Caller, P], HttpResponse]
Door = Callable[Concatenate[HttpRequest, P], HttpResponse]
STATUS_OF_REASON = {
    "too-large": 413, "no-space": 507, "agreement-expired": 403, "agreement-not-in-force": 403,
    "country-restricted": 403, "country-suspended": 403, "not-a-time": 400, "not-a-number": 400, "not-an-id": 400,
    "invalid-object": 400,
}  # fmt: skip
RETRY_SECONDS = 30


def answer(body: dict[str, Any], status: int = 200) -> HttpResponse:
    """A TAXII resource."""
    response = HttpResponse(orjson.dumps(body), content_type=MEDIA_TYPE, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


def moment(at: datetime) -> str:
    """UTC with microseconds, as the standard demands."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def problem(status: int, title: str, description: str = "", code: str = "", **headers: str) -> HttpResponse:
    """The standard's error message; `code` is for programs and never changes."""
    body = {"title": title, "http_status": str(status)}
    body |= {"description": description} if description else {}
    body |= {"error_code": code} if code else {}
    response = answer(body, status)
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response


def door(*methods: str) -> Callable[[View[P]], Door[P]]:
    """A view behind sign-in that speaks TAXII; what goes wrong is mapped here, once."""

    def around(view: View[P]) -> Door[P]:
        @csrf_exempt  # Sessions do not open this door, so that no forged request can.
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                caller = caller_of(request, timezone.now())
                if caller is None:
                    raise KeyEnded
                if not accepts(request.headers.get("Accept", "")):
                    return problem(406, _("This server answers as %(type)s only.") % {"type": MEDIA_TYPE})
                if request.method not in methods:
                    return problem(405, _("This method is not offered here."), Allow=", ".join(methods))
                if not caller.has_scope("taxii"):
                    raise ScopeLacking("the key lacks the scope taxii")
                spend(caller.person, Kind.REQUESTS, timezone.now())
                wall.confine(caller.person, request.method)
                return view(request, caller, *args, **kwargs)
            except Exception as error:
                said = _mapped(error)
                if said is None:
                    raise
                if isinstance(error, Refused):
                    note_refused(request, error)
                elif isinstance(error, TooOften):
                    refusals.note(request, "too-often")
                return said

        return cast(Door[P], guarded)

    return around


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
            return problem(STATUS_OF_REASON.get(error.reason, 422), sentence(error.reason), where, error.reason)
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


def accepts(header: str) -> bool:
    """Whether the reader takes our media type; one that names none takes what there is."""
    ranges = [_media_type(part) for part in header.split(",") if part.strip()]
    return not ranges or any(
        kind in {"*/*", "application/*"} or (kind == "application/taxii+json" and said.get("version", "2.1") == "2.1")
        for kind, said in ranges
        if not re.fullmatch(r"0(\.0*)?", said.get("q", "1"))
    )


def is_taxii(content_type: str) -> bool:
    """Whether a body is declared as TAXII 2.1, with or without the version, quoted or not."""
    kind, said = _media_type(content_type)
    return kind == "application/taxii+json" and said.get("version", "2.1") == "2.1"


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    kind, *parameters = (part.strip() for part in text.split(";"))
    pairs = (each.partition("=") for each in parameters)
    return kind.lower(), {name.strip().lower(): value.strip().strip('"') for name, _sign, value in pairs}
