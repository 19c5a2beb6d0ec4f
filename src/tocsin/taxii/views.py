"""The resources of TAXII 2.1: one API root for each organisation.

What is not one's own answers exactly as what does not exist.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.intake import pressure, services, urgency
from tocsin.centre.intake.bodies import body_chunks
from tocsin.centre.intake.models import Delivery
from tocsin.centre.members.doors import Caller
from tocsin.centre.members.models import Organisation
from tocsin.core.errors import NotFound, Refused

from . import collections as reading
from .answers import MEDIA_TYPE, answer, door, is_taxii, problem
from .envelopes import LIMIT_BYTES, named_objects
from .status import status_of


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
    found = [reading.described(caller, organisation, name) for name in reading.collections_of(caller)]
    return answer({"collections": found} if found else {})


@door("GET")
def collection(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """One collection."""
    organisation = _own(caller, slug)
    return answer(reading.described(caller, organisation, reading.collection_named(caller, organisation, name)))


@door("GET")
def manifest(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """What a collection holds for the caller, since when, without the objects."""
    name = reading.collection_named(caller, _own(caller, slug), name)
    return reading.manifest(reading.read(caller, name, reading.asked(request)))


@door("GET")
def one_object(request: HttpRequest, caller: Caller, slug: str, name: str, object_id: str) -> HttpResponse:
    """One object, in its last version unless another is asked for."""
    name = reading.collection_named(caller, _own(caller, slug), name)
    found = reading.read_one(caller, name, reading.asked(request, object_id))
    reading.note_taken(caller.person, name, found.items, timezone.now())
    return reading.envelope(found)


@door("GET")
def versions(request: HttpRequest, caller: Caller, slug: str, name: str, object_id: str) -> HttpResponse:
    """The versions of one object that the collection holds for the caller."""
    name = reading.collection_named(caller, _own(caller, slug), name)
    return reading.versions(reading.read_one(caller, name, reading.asked(request, object_id, every_version=True)))


@door("GET", "POST")
def objects(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """Give a page of the collection, or take an envelope into the inbox."""
    organisation = _own(caller, slug)
    name = reading.collection_named(caller, organisation, name)
    if request.method == "POST":
        return _received(request, caller, organisation, name)
    found = reading.read(caller, name, reading.asked(request))
    reading.note_taken(caller.person, name, found.items, timezone.now())
    return reading.envelope(found)


def _received(request: HttpRequest, caller: Caller, organisation: Organisation, name: str) -> HttpResponse:
    """Take an envelope into keeping, byte for byte; reading it happens afterwards and shows in the status."""
    if name != reading.INBOX:
        raise Refused("this collection gives objects out and takes none")
    person = caller.require("deliver", "taxii")
    if not is_taxii(request.headers.get("Content-Type", "")):
        return problem(415, _("Send the envelope as %(type)s.") % {"type": MEDIA_TYPE})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return problem(415, _("Send the envelope without a content encoding."))
    pressure.admit(person.organisation, timezone.now())
    content = b"".join(body_chunks(request, _limit()))
    stated = named_objects(content)
    delivery = services.receive(
        organisation=organisation, via=Delivery.Via.TAXII, name="envelope.json", chunks=[content],
        at=timezone.now(), person=person, urgent=urgency.from_header(request.headers.get("Tocsin-Urgent", "")),
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


def _limit() -> int:
    return int(min(LIMIT_BYTES, settings.INSTALLATION.upload_limit_bytes))
