"""The resources of TAXII 2.1 that a partner needs to hand over objects: one API root for each organisation.

What is not one's own answers exactly as what does not exist.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.intake import services
from tocsin.centre.intake.bodies import body_chunks
from tocsin.centre.intake.models import Delivery
from tocsin.centre.members import agreements
from tocsin.centre.members.doors import Caller
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.rules import may
from tocsin.core.errors import NotFound, Refused

from .answers import MEDIA_TYPE, answer, door, is_taxii, problem
from .envelopes import LIMIT_BYTES, named_objects
from .status import status_of

INBOX = "inbox"
STIX = "application/stix+json;version=2.1"


@door("GET")
def discovery(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Where the caller's API root is."""
    root = request.build_absolute_uri(reverse("taxii-root", args=[caller.person.organisation.slug]))
    return answer({"title": settings.INSTALLATION.organisation, "default": root, "api_roots": [root]})


@door("GET")
def api_root(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    """What the root is and how much it takes at once."""
    organisation = _own(caller, slug)
    return answer({"title": organisation.name, "versions": [MEDIA_TYPE], "max_content_length": _limit()})


@door("GET")
def collections(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    """The collections that the caller may use."""
    organisation = _own(caller, slug)
    return answer({"collections": [_inbox(organisation)]} if _may_deliver(caller) else {})


@door("GET")
def collection(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """One collection."""
    return answer(_inbox(_collection(caller, slug, name)))


@door("GET")
def unreadable(request: HttpRequest, caller: Caller, slug: str, name: str, object_id: str = "") -> HttpResponse:
    """Nobody reads out of an inbox."""
    _collection(caller, slug, name)
    raise Refused("this collection takes objects and gives none out")


@door("GET", "POST")
def objects(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """Take an envelope into keeping, byte for byte; reading it happens afterwards and shows in the status."""
    organisation = _collection(caller, slug, name)
    if request.method == "GET":
        raise Refused("this collection takes objects and gives none out")
    person = caller.require("deliver", "taxii")
    if not is_taxii(request.headers.get("Content-Type", "")):
        return problem(415, _("Send the envelope as %(type)s.") % {"type": MEDIA_TYPE})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return problem(415, _("Send the envelope without a content encoding."))
    content = b"".join(body_chunks(request, _limit()))
    stated = named_objects(content)
    delivery = services.receive(
        organisation=organisation, via=Delivery.Via.TAXII, name="envelope.json", chunks=[content],
        at=timezone.now(), person=person,
    )  # fmt: skip
    return answer(status_of(delivery, stated), 202)


@door("GET")
def status(request: HttpRequest, caller: Caller, slug: str, receipt: str) -> HttpResponse:
    """What became of an envelope."""
    organisation = _own(caller, slug)
    person = caller.require("read", "taxii")
    delivery = selectors.delivery_for(person, receipt)
    if delivery.organisation_id != organisation.pk or delivery.via != Delivery.Via.TAXII:
        raise NotFound
    return answer(status_of(delivery))


@door("GET", "POST", "DELETE")
def nothing(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Any other address, in the same words as what is not one's own."""
    raise NotFound


def _own(caller: Caller, slug: str) -> Organisation:
    """The caller's organisation, when this is its root."""
    organisation = caller.person.organisation
    if organisation.slug != slug:
        raise NotFound
    return organisation


def _collection(caller: Caller, slug: str, name: str) -> Organisation:
    organisation = _own(caller, slug)
    if not _may_deliver(caller) or name not in {INBOX, inbox_id(organisation)}:
        raise NotFound
    return organisation


def _may_deliver(caller: Caller) -> bool:
    return may(caller.person, "deliver")


def inbox_id(organisation: Organisation) -> str:
    """The collection's identifier: the same for ever, in the form of a version 4 UUID as the standard has it."""
    digest = hashlib.sha256(f"taxii-collection:{organisation.slug}:{INBOX}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def _inbox(organisation: Organisation) -> dict[str, Any]:
    return {
        "id": inbox_id(organisation), "title": "Inbox", "alias": INBOX,
        "description": "Objects that the organisation hands over.",
        "can_read": False, "can_write": not agreements.refusal_of(organisation, timezone.now()), "media_types": [STIX],
    }  # fmt: skip


def _limit() -> int:
    return int(min(LIMIT_BYTES, settings.INSTALLATION.upload_limit_bytes))
