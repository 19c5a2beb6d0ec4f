"""Who calls: a key in the Authorization header, or the session of somebody who is signed in on the portal."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import AuthenticationError
from ninja.security import APIKeyCookie, HttpBearer

from tocsin.centre.intake import wall
from tocsin.centre.members.access import must_first
from tocsin.centre.members.doors import Caller, by_key
from tocsin.centre.members.limits import Kind, spend
from tocsin.centre.members.models import Person


class KeyAuth(HttpBearer):
    """`Authorization: Bearer toc_...`. A wrong key is refused even beside a good session."""

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        caller = by_key(request, token.strip(), timezone.now())
        if caller is None:
            raise AuthenticationError
        spend(caller.person, Kind.REQUESTS, timezone.now())
        wall.confine(caller.person, request.method)
        return caller


class SessionAuth(APIKeyCookie):
    """The portal's own session; what changes something needs the token against forged requests as well."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller | None:
        person = request.user
        if not isinstance(person, Person) or not person.is_active:
            return None
        # Who has still to change a first password or to set up a second factor gets at that page, and nothing else.
        if must_first(request, person):
            return None
        spend(person, Kind.REQUESTS, timezone.now())
        return Caller(person)


def caller_of(request: HttpRequest) -> Caller:
    """Who passed one of the two above."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]
