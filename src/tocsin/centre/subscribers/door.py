"""What all forms for the public share: no session, no cookie, no script; a language, and a stamp against programs.

A form for the public needs no token against forgery: nobody is signed in, so that nobody's name can be misused. What
keeps programs out is a stamp that is neither too young nor too old, a field that people do not see, and limits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from babel.core import Locale
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.translation import get_language_from_request
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from tocsin.centre.alerts.editions import issuer
from tocsin.centre.members.sessions import TooManyFailures
from tocsin.products.alerts.record import LANGUAGES
from tocsin.products.alerts.words import Words, words
from tocsin.reference.countries import all_countries

STAMP_SALT = "tocsin.alert-service"
YOUNGEST_SECONDS = 2.0
OLDEST_SECONDS = 12 * 3600
TRAP = "website"
"""A field that people do not see and programs fill in."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")
_STAMPS = signing.TimestampSigner(salt=STAMP_SALT)


class TooQuick(Exception):  # noqa: N818 - named as the other answers of `core.errors` are.
    """The form was sent sooner than anybody reads it, or so late that nobody knows it any more."""


def open_to_all(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page without a session, kept by no cache; who asks too much hears when to come again."""

    @never_cache
    @csrf_exempt
    @wraps(view)
    def opened(request: HttpRequest, *args: Any, **said: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **said)
        except TooManyFailures as limit:
            language = language_of(request, str(said.get("language", "")))
            say = words(language)
            text = say("service.wait_text", minutes=limit.minutes)
            response = page("subscribers/told.html", language, 429, title=say("service.wait"), text=text)
            response["Retry-After"] = str(limit.minutes * 60)
        # Links carry what opens somebody's own page: no other site is told of them.
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response

    return opened


def language_of(request: HttpRequest, named: str = "") -> str:
    """The one that the address names, or the form, else what the browser asks for."""
    for each in (named, request.POST.get("language", ""), request.GET.get("language", "")):
        if each and _LANGUAGE.fullmatch(each):
            return each
    return get_language_from_request(request) or "en"


def page(template: str, language: str, status: int = 200, **facts: Any) -> HttpResponse:
    """A page in this language."""
    say, who = words(language), issuer()
    shown = {
        "words": say, "language": language, "direction": say.direction, "site": who.origin,
        "issuer": who.name(language), "trap": TRAP, **facts,
    }  # fmt: skip
    response = HttpResponse(render_to_string(template, shown), status=status)
    response["Content-Language"] = language
    return response


def told(language: str, name: str, status: int = 200, text: str = "", **facts: Any) -> HttpResponse:
    """A page that only says something: `name` is that of its title, `name_text` that of its text."""
    say = words(language)
    shown = {"title": say(name), "text": text or say(f"{name}_text"), **facts}
    return page("subscribers/told.html", language, status, **shown)


def stamp() -> str:
    """What a form carries from the moment on that it is shown."""
    return _STAMPS.sign("form")


def require_person(request: HttpRequest) -> bool:
    """Raises TooQuick for a form that was sent too soon or too late; False where a program filled in its trap."""
    said = request.POST.get("stamp", "")
    try:
        _STAMPS.unsign(said, max_age=OLDEST_SECONDS)
    except signing.BadSignature as error:
        raise TooQuick from error
    age = _age(said)
    if age < YOUNGEST_SECONDS:
        raise TooQuick
    return not request.POST.get(TRAP, "").strip()


def _age(said: str) -> float:
    _, _, rest = said.partition(":")
    return time.time() - signing.b62_decode(rest.split(":")[0])


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def countries(language: str) -> list[tuple[str, str]]:
    """Code and name of each, in the order of the names."""
    known = language if language in LANGUAGES else "en"
    return sorted(((each.code, each.name(known)) for each in all_countries()), key=lambda pair: pair[1])


def languages() -> list[tuple[str, str]]:
    """Code of each language, and how it calls itself."""
    return [(each, str(Locale.parse(each).get_display_name(each) or each).capitalize()) for each in LANGUAGES]


def say_in(language: str) -> Words:
    return words(language)
