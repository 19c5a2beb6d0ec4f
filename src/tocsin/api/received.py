"""What was released to the caller's organisation, and what it says of it; who has what, for the Centre's desk."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from tocsin.centre import numbers  # noqa: F401 - the converter `row`.
from tocsin.centre.ledger.models import Kind
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reach import responding, spread
from tocsin.centre.reach.headings import heading_of
from tocsin.centre.reach.received import Item, everywhere_of, found_for, items_of, page_for
from tocsin.centre.reach.spread import Reach
from tocsin.core.errors import InputError, Refused
from tocsin.lake.scope import Batches

from .callers import caller_of
from .errors import Problem
from .lists import PAGED

router = Router(tags=["received"])
reach_router = Router(tags=["reach"])
ADDRESS = "/api/v1/received"


class Received(Schema):
    """Something that was released to the caller's organisation, and how far the organisation is with it."""

    reference: str
    heading: str
    """What it is about, in the language of the request; empty where nothing in it says so."""
    observed_from: date | None
    observed_until: date | None
    """The days of what is in it; of a package, of its arrival."""
    kind: Literal["release", "package"]
    released_at: datetime
    labels: list[str]
    source: str
    rows: int
    is_urgent: bool
    acknowledge_by: datetime | None
    is_overdue: bool
    outcome_asked_at: datetime | None
    """When the Centre asked last what came of it, and nobody has said."""
    state: str
    opened_at: datetime | None
    acknowledged_at: datetime | None
    answered_at: datetime | None
    usefulness: str
    note: str
    rows_everywhere: int | None = None
    """Of one release: rows in all countries together, where they are enough to be counted."""


class Acknowledged(Schema):
    """How many were not acknowledged before."""

    acknowledged: int


class References(Schema):
    """What is acknowledged together."""

    references: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=responding.AT_ONCE)
    ]


class Said(Schema):
    """What came of it. `note` says what was done; where nothing was, it must say why."""

    outcome: Literal["acted", "no-action"]
    usefulness: Literal["useful", "not-useful", "false-positive"]
    note: Annotated[str, Field(max_length=responding.LONGEST_NOTE)] = ""


@router.get("", response={200: list[Received], (403, 422): Problem}, openapi_extra=PAGED)
def listed(
    request: HttpRequest,
    response: HttpResponse,
    kind: Literal["release", "package"] = "release",
    state: Literal["waiting", "acknowledged", "asked", "answered", "all"] = "all",
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> list[dict[str, Any]]:
    """What was released, newest first. The header Link names the next page while there is one."""
    person = _recipient(request, "read", "respond")
    if kind == "package" and not may(person, "package"):
        return []
    page = page_for(person, Kind(kind), state, cursor, timezone.now(), limit)
    if page.next:
        query = f"kind={kind}&state={state}&limit={limit}&cursor={page.next}"
        response["Link"] = f'<{ADDRESS}?{query}>; rel="next"'
    return [_plain(item) for item in page.rows]


@router.post("/acknowledgements", response={200: Acknowledged, (403, 404, 422): Problem})
def acknowledge(request: HttpRequest, said: References) -> dict[str, int]:
    """We have these: all of them or, where one is not known to you, none."""
    person, now = _recipient(request, "respond"), timezone.now()
    found = [thing for each in dict.fromkeys(said.references) for thing in found_for(person, each, now)]
    return {"acknowledged": responding.acknowledge(person, found, now)}


@router.get("/{reference}", response={200: Received, (403, 404): Problem})
def one(request: HttpRequest, reference: str) -> dict[str, Any]:
    """One of them. That it was opened is recorded."""
    person, now = _recipient(request, "read", "respond"), timezone.now()
    found = found_for(person, reference, now)
    responding.note_opened(person, found, now)
    return {**_plain(items_of(person, found, now)[0]), "rows_everywhere": everywhere_of(person, found, now)}


@router.post("/{reference}/answer", response={200: Received, (403, 404, 422): Problem})
def answer(request: HttpRequest, reference: str, said: Said) -> dict[str, Any]:
    """What came of it, which acknowledges it too. Sent again, the last answer holds."""
    person, now = _recipient(request, "respond"), timezone.now()
    found = found_for(person, reference, now)
    try:
        responding.answer(person, found, outcome=said.outcome, usefulness=said.usefulness, note=said.note, at=now)
    except Refused as refused:
        raise InputError(refused.rule, field="note") from None
    return _plain(items_of(person, found, now)[0])


def _recipient(request: HttpRequest, *scopes: str) -> Person:
    return caller_of(request).require("respond", *scopes)


def _plain(item: Item) -> dict[str, Any]:
    progress = item.progress
    return {
        "reference": item.reference, "heading": heading_of(item.about), "observed_from": item.about.first_on,
        "observed_until": item.about.last_on, "kind": item.thing.kind.value, "released_at": item.thing.offered_at,
        "labels": list(item.labels), "source": item.source, "rows": item.rows, "is_urgent": item.is_urgent,
        "acknowledge_by": item.due_at, "is_overdue": item.is_overdue, "outcome_asked_at": item.outcome_asked_at,
        "state": item.stage.value,
        "opened_at": progress.opened_at, "acknowledged_at": progress.acknowledged_at,
        "answered_at": progress.answered_at, "usefulness": progress.usefulness, "note": progress.note,
    }  # fmt: skip


class Way(Schema):
    """One way by which it reached an organisation."""

    channel: str
    reference: str
    first_at: datetime
    last_at: datetime


class Holder(Schema):
    """An organisation that has some of it."""

    organisation: str
    name: str
    country: str
    first_at: datetime
    last_at: datetime
    may_see_now: bool
    ways: list[Way]


class ReachMap(Schema):
    """Who has some of it, who may see it and took nothing, and the packages that hold some of it."""

    holders: list[Holder]
    open_to: list[str]
    packages: list[str]


@reach_router.get("/deliveries/{receipt}", response={200: ReachMap, (403, 404): Problem})
def reach_of_delivery(request: HttpRequest, receipt: str) -> dict[str, Any]:
    """Of a delivery, recalled ones too. Who looked is recorded."""
    person = _follower(request)
    found = spread.delivery_for(person, receipt)
    batches = spread.parts_of(found, viewer_of(person))
    return _reach(person, batches, found.organisation_id, f"delivery:{found.pk}")


@reach_router.get("/objects/{row:key}", response={200: ReachMap, (403, 404): Problem})
def reach_of_object(request: HttpRequest, key: int) -> dict[str, Any]:
    """Of the part of a delivery in which an object lies."""
    person = _follower(request)
    found = spread.object_for(person, key)
    return _reach(person, Batches([found.batch_id]), found.delivery.organisation_id, f"object:{found.pk}")


def _follower(request: HttpRequest) -> Person:
    return caller_of(request).require("follow", "read")


def _reach(person: Person, batches: Batches, source: int, subject: str) -> dict[str, Any]:
    now = timezone.now()
    reach = spread.reach_of(batches, source, now)
    spread.note_read(person.login, subject, reach, now)
    return plain_reach(reach)


def plain_reach(reach: Reach) -> dict[str, Any]:
    """The map as plain values."""
    return {
        "holders": [
            {
                "organisation": each.organisation.slug, "name": each.organisation.name,
                "country": each.organisation.country, "first_at": each.first_at, "last_at": each.last_at,
                "may_see_now": each.is_open,
                "ways": [
                    {"channel": way.channel, "reference": way.reference, "first_at": way.first_at,
                     "last_at": way.last_at}
                    for way in each.ways
                ],
            }
            for each in reach.holders
        ],
        "open_to": [each.slug for each in reach.open_to],
        "packages": [each.number for each in reach.packages],
    }  # fmt: skip
