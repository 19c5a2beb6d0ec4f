"""Who calls: login with password or key (Basic), or a key alone (Bearer)."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from django.http import HttpRequest

from tocsin.centre.members.doors import Caller, by_key, by_login


def caller_of(request: HttpRequest, at: datetime) -> Caller | None:
    """The one who stands at the door; None when nobody says a valid word. Raises sessions.TooManyFailures."""
    scheme, _space, said = request.headers.get("Authorization", "").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return by_key(request, said.strip(), at)
        case "basic":
            try:
                login, colon, secret = base64.b64decode(said.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return by_login(request, login, secret, at) if colon and login else None
    return None
