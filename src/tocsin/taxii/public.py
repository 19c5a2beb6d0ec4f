"""The API root for everybody, asked without a key: what was let go to the public.

The gate shows nothing to whoever is not signed in, so that its collection is empty until alerts have a public edition.
"""

from __future__ import annotations

import hmac
import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tocsin.centre.release.given import Given
from tocsin.core.errors import InputError, NotFound

from . import collections as reading
from .answers import ALL, answer, open_door
from .filters import Asked, asked
from .media_types import MEDIA_TYPE, STIX

SLUG = "public-alerts"
"""No organisation is called so (`members.services`)."""
ALIAS = "alerts"
SMALLEST = 1
"""Nothing is taken here, and the standard wants a length above zero."""


@open_door("GET")
def api_root(request: HttpRequest) -> HttpResponse:
    """What the root is."""
    title = f"{settings.INSTALLATION.organisation}: public alerts"
    return answer({"title": title, "versions": [MEDIA_TYPE], "max_content_length": SMALLEST})


@open_door("GET")
def collections(request: HttpRequest) -> HttpResponse:
    """Its one collection."""
    return answer({"collections": [_described()]})


@open_door("GET")
def collection(request: HttpRequest, name: str) -> HttpResponse:
    """The collection."""
    _require(name)
    return answer(_described())


@open_door("GET")
def objects(request: HttpRequest, name: str) -> HttpResponse:
    """A page of it, of objects or of their manifest: what the gate shows to nobody in particular."""
    _require(name)
    found = _asked(request)
    return reading.dated(reading.envelope(Given()), reading.Page(Given(), found.after or reading.EPOCH))


@open_door(*ALL)
def nothing(request: HttpRequest) -> HttpResponse:
    """Any other address, and any object."""
    raise NotFound


def _asked(request: HttpRequest) -> Asked:
    """The filters, which are judged here as everywhere. No `next` was ever given out."""
    found = asked(request)
    if found.cursor:
        raise InputError("not-an-id", field="next")
    return found


def _require(name: str) -> None:
    if name.lower() not in {ALIAS, _identifier()}:
        raise NotFound


def _identifier() -> str:
    key = f"taxii-collection:{settings.SECRET_KEY}".encode()
    return str(uuid.UUID(bytes=hmac.digest(key, b"/public", "sha256")[:16], version=4))


def _described() -> dict[str, object]:
    return {
        "id": _identifier(), "title": "Public alerts", "description": "Alerts that were made for the public.",
        "alias": ALIAS, "can_read": True, "can_write": False, "media_types": [STIX],
    }  # fmt: skip
