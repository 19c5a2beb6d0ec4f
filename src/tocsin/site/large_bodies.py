"""Who may send a page something large: a form comes in whole before any rule of ours is asked, or it would fill a disk.

Machine doors ask who calls before they read, and need none of this.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from tocsin.centre import refusals
from tocsin.centre.intake import pressure
from tocsin.centre.members import allowances
from tocsin.centre.members.limits import TooOften
from tocsin.centre.members.models import Person
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Unavailable

from .security import too_often
from .serving.rules import MACHINE_DOORS

FORM_BYTES = 1 << 20
"""What beside its files a form may hold."""
OPEN_BYTES = {"/alert-service/report/": 6 << 20}
"""Address → how much anybody may send there: a report to the police with a picture."""


class LargeBodies:
    """Lets nobody send much who is not signed in, nor more than one delivery may hold, nor where there is no room."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = _length(request)
        if length <= FORM_BYTES or request.path.startswith(MACHINE_DOORS):
            return self.get_response(request)
        if length <= next((most for path, most in OPEN_BYTES.items() if request.path.startswith(path)), 0):
            return self._from_anybody(request, length)
        person = request.user
        if not isinstance(person, Person) or length > settings.INSTALLATION.upload_limit_bytes + FORM_BYTES:
            return _refused(request, 413, sentence("too-large"))
        try:
            pressure.require_means(length)
            with pressure.under_way(person.organisation):
                return self.get_response(request)
        except TooOften as limit:
            if not _wants_json(request):
                return too_often(request, limit)
            refusals.note(request, "too-often")
            allowances.note(limit, request, timezone.now())
            text = _("A limit was reached. Try again after the time given.")
            response = _refused(request, 429, text)
            limit.tell(response)
            return response
        except Unavailable as short:
            return _refused(request, 503, _("Not now. Try again in a moment."), short.retry_after_seconds)

    def _from_anybody(self, request: HttpRequest, length: int) -> HttpResponse:
        try:
            pressure.require_means(length)
        except Unavailable as short:
            return _refused(request, 503, _("Not now. Try again in a moment."), short.retry_after_seconds)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _refused(request: HttpRequest, status: int, text: str, seconds: int = 0) -> HttpResponse:
    if _wants_json(request):
        response: HttpResponse = JsonResponse({"errors": [text], "results": []}, status=status)
    else:
        response = render(request, "site/error.html", {"code": status, "text": text}, status=status)
    if seconds:
        response["Retry-After"] = str(seconds)
    return response
