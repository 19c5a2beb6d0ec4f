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
from .answers import ALL, answer, door, problem
from .envelopes import LIMIT_BYTES, named_objects
from .filters import asked, is_id
from .media_types import MEDIA_TYPE, is_taxii
from .status import receipt_of, status_of


@door("GET")
def discovery(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Where the caller's API root is, and that for everybody."""
    own = _absolute(request, reverse("taxii-root", args=[caller.person.organisation.slug]))
    roots = [own, _absolute(request, reverse("taxii-public-root"))]
    return answer({"title": settings.INSTALLATION.organisation, "default": own, "api_roots": roots})


def _absolute(request: HttpRequest, path: str) -> str:
    """The address under which people come in, whatever the request calls this host.

    A trial without https is asked at many ports: there the host that was asked, one of the allowed, says it.
    """
    origin: str = settings.INSTALLATION.public_origin
    return origin.rstrip("/") + path if origin.startswith("https:") else request.build_absolute_uri(path)


@door("GET")
def api_root(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    """What the root is and how much it takes at once."""
    organisation = _own(caller, slug)
    return answer({"title": organisation.name, "versions": [MEDIA_TYPE], "max_content_length": _limit()})


@door("GET")
def collections(request: HttpRequest, caller: Caller, slug: str) -> HttpResponse:
    """The collections that the caller may use."""
    organisation = _own(caller, slug)
    found = [reading.described(caller, organisation, each) for each in reading.collections_of(caller)]
    return answer({"collections": found} if found else {})


@door("GET")
def collection(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """One collection."""
    organisation = _own(caller, slug)
    return answer(reading.described(caller, organisation, reading.collection_named(caller, organisation, name)))


@door("GET")
def manifest(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """What a collection holds for the caller, since when, without the objects."""
    organisation = _own(caller, slug)
    one = reading.collection_named(caller, organisation, name)
    page = reading.read(caller, organisation, one, asked(request))
    return reading.dated(reading.manifest(page.found), page)


@door("GET", "DELETE")
def one_object(request: HttpRequest, caller: Caller, slug: str, name: str, object_id: str) -> HttpResponse:
    """One object, in its last version unless another is asked for."""
    organisation = _own(caller, slug)
    one = reading.collection_named(caller, organisation, name)
    if request.method == "DELETE":
        return _not_deleted(caller, organisation, one)
    page = _one(request, caller, organisation, one, object_id)
    _note_taken(request, caller, one, page)
    return reading.dated(reading.envelope(page.found), page)


@door("GET")
def versions(request: HttpRequest, caller: Caller, slug: str, name: str, object_id: str) -> HttpResponse:
    """The versions of one object that the collection holds for the caller."""
    organisation = _own(caller, slug)
    one = reading.collection_named(caller, organisation, name)
    page = _one(request, caller, organisation, one, object_id, every_version=True)
    return reading.dated(reading.versions(page.found), page)


def _one(
    request: HttpRequest, caller: Caller, organisation: Organisation, one: reading.Listed, object_id: str,
    *, every_version: bool = False,
) -> reading.Page:  # fmt: skip
    filters = asked(request, object_id, every_version=every_version)
    if not is_id(object_id) and reading.access(caller, organisation, one).can_read:
        raise NotFound  # What has no form of an identifier is none of anybody's.
    return reading.read_one(caller, organisation, one, filters)


def _note_taken(request: HttpRequest, caller: Caller, one: reading.Listed, page: reading.Page) -> None:
    """HEAD takes nothing away."""
    if request.method == "GET":
        reading.note_taken(caller.person, one.alias, page.found.items, timezone.now())


def _not_deleted(caller: Caller, organisation: Organisation, one: reading.Listed) -> HttpResponse:
    """Nothing is deleted here: whoever follows a collection would never hear of it. What the standard answers (5.7)."""
    if not any(reading.access(caller, organisation, one)):
        raise NotFound
    raise Refused("objects are never deleted; what was taken back is in the collection recalls")


@door("GET", "POST")
def objects(request: HttpRequest, caller: Caller, slug: str, name: str) -> HttpResponse:
    """Give a page of the collection, or take an envelope into the inbox."""
    organisation = _own(caller, slug)
    one = reading.collection_named(caller, organisation, name)
    if request.method == "POST":
        return _received(request, caller, organisation, one)
    page = reading.read(caller, organisation, one, asked(request))
    _note_taken(request, caller, one, page)
    return reading.dated(reading.envelope(page.found), page)


def _received(request: HttpRequest, caller: Caller, organisation: Organisation, one: reading.Listed) -> HttpResponse:
    """Take an envelope into keeping, byte for byte; reading it happens afterwards and shows in the status."""
    if one is not reading.TAKES:
        raise Refused("this collection gives objects out and takes none")
    person = caller.require("deliver", "taxii")
    if not is_taxii(request.headers.get("Content-Type", "")):
        return problem(415, _("Send the envelope as %(type)s.") % {"type": MEDIA_TYPE})
    if not _is_plain(request.headers.get("Content-Encoding", "")):
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
    delivery = selectors.delivery_for(person, receipt_of(receipt))
    if delivery.organisation_id != organisation.pk or delivery.via != Delivery.Via.TAXII:
        raise NotFound
    return answer(status_of(delivery))


@door(*ALL)
def nothing(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Any other address, in the same words as what is not one's own."""
    raise NotFound


def _is_plain(encoding: str) -> bool:
    return {each.strip().lower() for each in encoding.split(",")} <= {"", "identity"}


def _own(caller: Caller, slug: str) -> Organisation:
    """The caller's organisation, when this is its root."""
    organisation = caller.person.organisation
    if organisation.slug != slug:
        raise NotFound
    return organisation


def _limit() -> int:
    return int(min(LIMIT_BYTES, settings.INSTALLATION.upload_limit_bytes))
