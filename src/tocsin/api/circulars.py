"""Circulars: what came from other bureaus, what one's own sent, sending one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from tocsin.centre.circulars import selectors, services
from tocsin.centre.circulars.rules import Addressees
from tocsin.centre.circulars.selectors import Found
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.core.errors import InputError, NotFound
from tocsin.handling import tlp_of

from .callers import caller_of
from .errors import Problem
from .lists import PAGED, Cursor, Limit, pages

router = Router(tags=["circulars"])
LISTED = 200


class Letter(Schema):
    """A circular to be sent. A country stands for its bureau, a region of M49 for whoever lies there now."""

    subject: str
    text: str
    tlp: str = "TLP:AMBER"
    everybody: bool = False
    countries: list[str] = []
    regions: list[str] = []
    except_countries: list[str] = []


class Line(Schema):
    """A circular in a list."""

    number: str
    sender: str
    state: str
    received_at: datetime
    sent_at: datetime | None


class Whole(Line):
    """One circular with its texts, as far as the gate shows them."""

    role: str
    texts: list[str]
    objects: list[str]
    """Identifiers."""


def _line(found: Found) -> dict[str, Any]:
    circular = found.circular
    return {
        "number": circular.number, "sender": circular.delivery.organisation.name, "sent_at": circular.sent_at,
        "state": selectors.state_of(circular), "received_at": circular.delivery.received_at,
    }  # fmt: skip


@router.get("", response={200: list[Line], (403, 422): Problem}, openapi_extra=PAGED)
def listed(
    request: HttpRequest, response: HttpResponse, cursor: Cursor = "", limit: Limit = LISTED
) -> list[dict[str, Any]]:
    """Those that came, the newest first, then those that one's own bureau sent. The header Link names the next page
    while one of both goes on."""
    person = caller_of(request).require("read", "read")
    came, sent = selectors.received_by(person), selectors.sent_by(person)
    lists = [(came, selectors.LAST_SENT), (sent, selectors.LAST_HANDED_OVER)]
    found = pages(request, response, lists, cursor=cursor, limit=limit)
    roles = ("addressee", "sender")
    return [_line(Found(each, role)) for role, some in zip(roles, found, strict=True) for each in some]


@router.post("", response={202: Line, (403, 413, 422, 507): Problem})
def send(request: HttpRequest, letter: Letter) -> tuple[int, dict[str, Any]]:
    """Send one. It goes to its addressees once it is read, unless a hold or a check stops it: follow its state."""
    person = caller_of(request).require("deliver", "deliver")
    label = tlp_of(letter.tlp)
    if label not in services.LABELS:
        raise InputError("unknown-label", field="tlp", excerpt=letter.tlp[:40])
    chosen = Addressees(
        is_everybody=letter.everybody, countries=_codes(letter.countries), regions=tuple(letter.regions),
        except_countries=_codes(letter.except_countries),
    )  # fmt: skip
    made = services.send(
        by=person, subject=letter.subject.replace("\x00", ""), text=letter.text.replace("\x00", ""), tlp=label,
        chosen=chosen, at=timezone.now(),
    )  # fmt: skip
    return 202, _line(Found(made, "sender"))


def _codes(codes: list[str]) -> tuple[str, ...]:
    return tuple(code.upper() for code in codes)


@router.get("/{number}", response={200: Whole, (403, 404): Problem})
def one(request: HttpRequest, number: str) -> dict[str, Any]:
    """One circular. That an addressee read it is noted, as on its page."""
    person = caller_of(request).require("read", "read")
    found, now = _found(person, number), timezone.now()
    if found.role == "addressee":
        with transaction.atomic():
            services.note_opened(found.circular, by=person, at=now)
            batches = selectors.batches_seen(person, found.circular)
            took(person, Taking.Channel.API, batches, now, reference=found.circular.number)
    return {
        **_line(found), "role": found.role,
        "texts": [each.text for each in selectors.texts_of(person, found)],
        "objects": [each.object_id for each in selectors.things_of(person, found.circular)[:LISTED]],
    }  # fmt: skip


@router.post("/{number}/acknowledge", response={200: Line, (403, 404, 409): Problem})
def acknowledge(request: HttpRequest, number: str) -> dict[str, Any]:
    """Say to the sender that it was received."""
    person = caller_of(request).require("read", "read")
    found = _found(person, number)
    if found.role != "addressee":
        raise NotFound
    services.acknowledge(found.circular, by=person, at=timezone.now())
    return _line(found)


def _found(person: Person, number: str) -> Found:
    """What a legal officer checks is read on its page alone, after a fresh proof."""
    found = selectors.circular_for(person, number)
    if found.role == "checker":
        raise NotFound
    return found
