"""What holds for every address: what none may contain, and what a browser may load and do with the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from tocsin.centre import refusals
from tocsin.centre.members import admission, allowances, browsers, limits
from tocsin.centre.members.labels import NOT_ADMITTED
from tocsin.centre.members.models import Person
from tocsin.core.errors import Unavailable
from tocsin.credentials.certificates import fingerprint_in_header
from tocsin.taxii import answers as taxii

from . import sparing
from .serving.askers import forwarded_address, is_from_proxy
from .serving.rules import MACHINE_DOORS

log = logging.getLogger(__name__)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "object-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
ENCRYPTED = "max-age=31536000; includeSubDomains"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()"


class Watched:
    """Tells whoever watches the installation of each request that was refused. Outermost: it sees what all decided."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        refusals.tell(request, response.status_code)
        if response.status_code == 503:
            sparing.begin()
        return response


class EveryAnswer:
    """What holds for every answer, files and errors too: what a browser may do with it, and that it comes by https."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        if settings.INSTALLATION.public_origin.startswith("https:"):
            response.headers.setdefault("Strict-Transport-Security", ENCRYPTED)
        return response


class BehindProxy:
    """Where people come over https, a proxy on this machine takes them in: what it says of them holds, and only it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        said = request.META
        is_proxy = is_from_proxy(said)
        _take_certificate(said, is_proxy)
        if is_proxy:
            said["REMOTE_ADDR"] = forwarded_address(said) or said["REMOTE_ADDR"]
            if said.get("HTTP_X_FORWARDED_PROTO") == "https":
                said["wsgi.url_scheme"] = "https"
        return self.get_response(request)


def _take_certificate(said: dict[str, Any], is_proxy: bool) -> None:
    """The client certificate that the proxy names in its header; from anybody else the header says nothing.

    It is taken only where the installation names the header: then its proxy sets or empties it in every request.
    """
    name = settings.INSTALLATION.client_certificate_header
    value = said.pop(f"HTTP_{name.upper().replace('-', '_')}", "") if name else ""
    if not value:
        return
    fingerprint = fingerprint_in_header(value) if is_proxy else ""
    if fingerprint:
        said["tocsin.certificate"] = fingerprint
    elif is_proxy:
        log.warning("The proxy sent a header %s that holds no certificate.", name)
    else:
        log.warning("%s sent a header %s, which is for the proxy alone.", said.get("REMOTE_ADDR", ""), name)


class NotTaken:
    """Refuses what no page takes: TRACE, and the character zero in an address, which PostgreSQL takes for a fault."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "TRACE":
            return taxii.refusal(request, 405) if taxii.is_spoken(request) else HttpResponseNotAllowed(["GET", "POST"])
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return taxii.refusal(request, 400) if taxii.is_spoken(request) else HttpResponseBadRequest()
        return self.get_response(request)


class SessionsEnd:
    """Notes who is here from where, and ends sessions that have been open or idle for too long, or of somebody who may
    not come in any more."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person, now = request.user, timezone.now()
        if isinstance(person, Person):
            refusal = admission.refusal_of(person, now)
            if refusal or not browsers.is_open(request, person=person, at=now):
                browsers.forget(request)
                logout(request)
            if refusal:
                messages.error(request, str(NOT_ADMITTED[refusal]))
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, said: object) -> HttpResponse | None:
        """While something long came in, the session may have been ended: then nothing of it is taken."""
        if not isinstance(request.user, Person) or request.content_type != "multipart/form-data":
            return None
        session = browsers.session_of(request)
        request.POST  # noqa: B018 - from here on all of it is there.
        if browsers.is_still_open(session, timezone.now()):
            return None
        logout(request)
        return redirect("sign-in")


class Enough:
    """Counts what the people of the portal ask for; who asks too much hears when to come again.

    Machine doors count by themselves: there a key may stand for a person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = request.user
        if isinstance(person, Person):
            refusals.name_asker(request, f"person:{person.pk}")
        is_counted = not request.path.startswith(MACHINE_DOORS) and request.path != reverse("sign-out")
        if isinstance(person, Person) and is_counted:
            try:
                limits.spend(person, limits.Kind.REQUESTS, timezone.now())
            except limits.TooOften as limit:
                return too_often(request, limit)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        match exception:
            case limits.TooOften():
                return too_often(request, exception)
            case Unavailable():
                return not_now(request, exception)
        return None


def not_now(request: HttpRequest, why: Unavailable) -> HttpResponse:
    """503: what the page needs does not answer, as an engine on other machines. The reason is for the log."""
    log.error("%s: %s", request.resolver_match.view_name if request.resolver_match else "", why)
    response = render(request, "site/error.html", {"code": 503}, status=503)
    response["Retry-After"] = str(why.retry_after_seconds)
    return response


def too_often(request: HttpRequest, limit: limits.TooOften) -> HttpResponse:
    """429, in the reader's language, with the moment to come again."""
    refusals.note(request, "too-often")
    allowances.note(limit, request, timezone.now())
    response = render(request, "site/error.html", {"code": 429, "minutes": limit.minutes}, status=429)
    limit.tell(response)
    return response


class NotKept:
    """Keeps what people were shown out of every cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response
