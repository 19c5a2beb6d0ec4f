"""The short way of programs: who shows a key has no session, no form and no page, and needs none of what these need."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers

from .serving.rules import MACHINE_DOORS

_Next = Callable[[HttpRequest], HttpResponseBase]
_begun = threading.local()
"""Chains are made from their end: `Together` says here where the short way joins, and `ShortWay` takes it from here."""


def is_program(request: HttpRequest) -> bool:
    """Whether a program asks at a door for programs, and shows who it is. With a cookie it may be a browser, whose
    session counts beside."""
    said = request.META
    return "HTTP_AUTHORIZATION" in said and "HTTP_COOKIE" not in said and request.path.startswith(MACHINE_DOORS)


class ShortWay:
    """Takes programs past all that lies between here and `Together`.

    Of what lies there three things are for them too: the host must be ours, the words are in the language that is asked
    for, and an answer says how long it is.
    """

    def __init__(self, get_response: _Next) -> None:
        self._long = get_response
        self._short: _Next = _begun.__dict__.pop("together", get_response)
        self._common = CommonMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_program(request):
            return self._long(request)
        # As LocaleMiddleware, but for languages that stand in a path: at these doors none does.
        translation.activate(translation.get_language_from_request(request))
        request.LANGUAGE_CODE = translation.get_language()
        request.user = AnonymousUser()
        elsewhere = self._common.process_request(request)
        response = elsewhere or self._common.process_response(request, self._short(request))
        patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", translation.get_language())
        return response


class Together:
    """Where the short way and the long one meet again."""

    def __init__(self, get_response: _Next) -> None:
        self.get_response = _begun.together = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)
