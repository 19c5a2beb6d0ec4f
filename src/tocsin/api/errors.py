"""What can go wrong, as answers: one shape for all, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from tocsin.centre import refusals
from tocsin.centre.members import allowances
from tocsin.centre.members.doors import KeyEnded, note_refused
from tocsin.centre.members.limits import TooOften
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Refused, Unavailable

STATUS_OF_REASON = {
    "too-large": 413, "no-space": 507, "agreement-expired": 403, "agreement-not-in-force": 403,
    "country-restricted": 403, "country-suspended": 403,
}  # fmt: skip
RETRY_SECONDS = 30


class Problem(Schema):
    """Why a request was not served. `reason` is for programs and never changes; `text` is for people."""

    reason: str
    text: str
    position: str = ""
    field: str = ""
    excerpt: str = ""


def _refusals(answer: Callable[..., HttpResponse]) -> dict[type[Exception], Any]:
    """What a rule refuses: answered, and told to whoever watches of which kind it was."""

    def too_often(request: HttpRequest, limit: TooOften) -> HttpResponse:
        refusals.note(request, "too-often")
        allowances.note(limit, request, timezone.now())
        response = answer(request, 429, "too-often", _("A limit was reached. Try again after the time given."))
        limit.tell(response)
        return response

    def refused(request: HttpRequest, error: Refused) -> HttpResponse:
        note_refused(request, error)
        return answer(request, 403, "refused", _("You may not do this: %(rule)s.") % {"rule": error.rule})

    def not_understood(request: HttpRequest, error: HttpError) -> HttpResponse:
        if error.status_code == 403:  # Ninja's own check of a session's token.
            refusals.note(request, "forged")
        return answer(request, error.status_code, "not-understood", error.message)

    return {Refused: refused, TooOften: too_often, HttpError: not_understood}


def install(api: NinjaAPI) -> None:
    """Every class of error, mapped once."""

    def answer(request: HttpRequest, status: int, reason: str, text: str, **more: str) -> HttpResponse:
        body = {"reason": reason, "text": text, "position": "", "field": "", "excerpt": "", **more}
        return api.create_response(request, body, status=status)

    def refused_input(request: HttpRequest, error: InputError) -> HttpResponse:
        where = {"position": error.position, "field": error.field, "excerpt": error.excerpt[:200]}
        status = STATUS_OF_REASON.get(error.reason, 422)
        response = answer(request, status, error.reason, sentence(error.reason), **where)
        if status == 507:
            response["Retry-After"] = str(RETRY_SECONDS)
        return response

    def unavailable(request: HttpRequest, seconds: int) -> HttpResponse:
        response = answer(request, 503, "unavailable", _("Not now. Try again in a moment."))
        response["Retry-After"] = str(seconds)
        return response

    def not_signed_in(request: HttpRequest, _error: Exception) -> HttpResponse:
        response = answer(request, 401, "not-signed-in", _("Send a valid key: Authorization: Bearer toc_…"))
        response["WWW-Authenticate"] = 'Bearer realm="Tocsin"'
        return response

    def wrong_parameters(request: HttpRequest, error: ValidationError) -> HttpResponse:
        first: dict[str, Any] = error.errors[0] if error.errors else {}
        reason = "missing-field" if first.get("type") == "missing" else "wrong-type"
        field = ".".join(str(part) for part in first.get("loc", ())[1:])
        return answer(request, 422, reason, sentence(reason), field=field)

    handlers: dict[type[Exception], Any] = {
        InputError: refused_input,
        NotFound: lambda request, _error: answer(request, 404, "not-found", _("There is nothing here.")),
        Conflict: lambda request, error: answer(
            request, 409, "conflict", _("This cannot be done: %(why)s.") % {"why": str(error)}
        ),
        Unavailable: lambda request, error: unavailable(request, error.retry_after_seconds),
        OperationalError: lambda request, _error: unavailable(request, RETRY_SECONDS),
        AuthenticationError: not_signed_in,
        KeyEnded: not_signed_in,
        ValidationError: wrong_parameters,
        RequestDataTooBig: lambda request, _error: refused_input(request, InputError("too-large")),
        SuspiciousOperation: lambda request, _error: refused_input(request, InputError("not-an-object")),
        MultiPartParserError: lambda request, _error: refused_input(request, InputError("truncated")),
        UnreadablePostError: lambda request, _error: refused_input(request, InputError("truncated")),
    }
    for kind, handler in (handlers | _refusals(answer)).items():
        api.add_exception_handler(kind, handler)
