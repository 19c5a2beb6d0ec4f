"""Taking back and correcting by program; what an organisation was told of, its answers, and what it is to undo."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.members.access import is_fresh
from tocsin.centre.members.models import Person
from tocsin.centre.pages import NEWEST_FIRST
from tocsin.centre.recall import certificates, corrections, services
from tocsin.centre.recall.models import Notice, Recall
from tocsin.centre.recall.parts import find
from tocsin.centre.recall.selectors import (
    may_recall,
    may_recall_parts,
    notices_for,
    recalled_of,
    recalls_for,
    reference_of,
)
from tocsin.centre.recall.undoing import undos_for
from tocsin.core.errors import NotFound, Refused

from .callers import caller_of
from .errors import Problem
from .lists import MOST, PAGED, Cursor, Limit, pages

router = Router(tags=["recalls"])


class CorrectionWanted(Schema):
    """What stands in the place of one part."""

    part: str
    field: str = corrections.VALUE
    became: str


class RecallWanted(Schema):
    """Why, what recipients are to do, and of what: without parts, of the delivery as a whole."""

    reason: str
    action: str = "destroy"
    note: str = ""
    parts: list[str] = []
    corrections: list[CorrectionWanted] = []


class RecallMade(Schema):
    """A recall as its source or the Centre follows it."""

    number: str
    delivery: str
    reason: str
    action: str
    asked_at: datetime
    confirm_by: datetime
    closed_at: datetime | None
    parts: int
    corrected_by: str


class Told(Schema):
    """What an organisation was told of a recall, and what it owes."""

    number: str
    reference: str
    """Of what was received and is recalled; empty where nothing was taken, or a package or circular alone."""
    action: str
    state: str
    informed_at: datetime
    confirm_by: datetime
    undo: str
    undo_until: datetime | None
    recalled: dict[str, Any] | None


class Listed(Schema):
    """Recalls that the caller may follow, and those that its organisation was told of; the newest first."""

    made: list[RecallMade]
    told: list[Told]


class AnswerGiven(Schema):
    """What was done with what was taken. `acted`: something was done on the wrong word and is not undone yet."""

    state: str
    for_units: bool = False
    acted: bool = False
    note: str = ""


class UndoGiven(Schema):
    """done, or not-applicable with the reason as note."""

    state: str
    note: str = ""


def _recaller(request: HttpRequest) -> Person:
    """Who may recall this way: a key that was given the scope, or somebody who proved lately who it is."""
    caller = caller_of(request)
    person = caller.require("recall", "recall")
    if person.through is None and not is_fresh(request):
        raise Refused("prove-first")
    return person


@router.post("/deliveries/{receipt}/recall", response={201: RecallMade, (403, 404, 409, 422): Problem})
def recall(request: HttpRequest, receipt: str, wanted: RecallWanted) -> tuple[int, dict[str, Any]]:
    """Take a delivery back, or single objects and values of it; with corrections, put what is right in their place."""
    person = _recaller(request)
    delivery = selectors.delivery_for(person, receipt)
    if not may_recall(person, delivery):
        raise NotFound
    said: dict[str, Any] = {"by": person, "reason": wanted.reason, "action": wanted.action, "note": wanted.note[:2000]}
    keys = list(dict.fromkeys([*wanted.parts, *(each.part for each in wanted.corrections)]))
    if not keys:
        return 201, _made(services.recall(delivery, at=timezone.now(), **said))
    if not may_recall_parts(person, delivery):
        raise NotFound
    right = {each.part: corrections.checked(each.field, each.became) for each in wanted.corrections}
    if right:
        said["action"] = Recall.Action.CORRECT
    right = {find(delivery, [part]).named[0].key: each for part, each in right.items()}
    return 201, _made(services.recall_parts(delivery, keys, at=timezone.now(), corrections=right, **said))


def _made(made: Recall) -> dict[str, Any]:
    names = ("number", "reason", "action", "asked_at", "confirm_by", "closed_at")
    return {
        **{name: getattr(made, name) for name in names},
        "delivery": made.delivery.receipt, "parts": made.parts.count(),
        "corrected_by": made.successor.receipt if made.successor else "",
    }  # fmt: skip


@router.get("/recalls", response={200: Listed, (403, 422): Problem}, openapi_extra=PAGED)
def recalls(request: HttpRequest, response: HttpResponse, cursor: Cursor = "", limit: Limit = MOST) -> dict[str, Any]:
    """What is to be destroyed or undone, and what became of one's own recalls, the newest first. The header Link names
    the next page while one of both lists goes on."""
    person = caller_of(request).require("read", "read")
    lists = [(recalls_for(person), NEWEST_FIRST), (notices_for(person), NEWEST_FIRST)]
    made, told = pages(request, response, lists, cursor=cursor, limit=limit)
    return {"made": [_made(each) for each in made], "told": [_told(each, person) for each in told]}


def _told(notice: Notice, person: Person) -> dict[str, Any]:
    made = notice.recall
    undo = undos_for(person).filter(recall=made).first()
    parts = services.shown_parts(made, person.organisation)
    return {
        "number": made.number, "reference": reference_of(notice), "action": made.action, "state": notice.state,
        "informed_at": notice.informed_at, "confirm_by": made.confirm_by,
        "undo": undo.state if undo else "", "undo_until": undo.due_at if undo else None,
        "recalled": recalled_of(made, parts) if parts else None,
    }  # fmt: skip


def _notice(person: Person, number: str) -> Notice:
    notice = notices_for(person).filter(recall__number=number).first()
    if notice is None:
        raise NotFound
    return notice


@router.post("/recalls/{number}/answer", response={200: Told, (403, 404, 409, 422): Problem})
def answer(request: HttpRequest, number: str, given: AnswerGiven) -> dict[str, Any]:
    """Confirm what was done with what was taken."""
    person = caller_of(request).require("read", "read")
    services.answer(
        _notice(person, number), by=person, state=given.state, for_units=given.for_units, note=given.note[:2000],
        acted=given.acted, at=timezone.now(),
    )  # fmt: skip
    return _told(_notice(person, number), person)


@router.post("/recalls/{number}/undo", response={200: Told, (403, 404, 409, 422): Problem})
def undo(request: HttpRequest, number: str, given: UndoGiven) -> dict[str, Any]:
    """Say that what was done on the wrong word is undone."""
    person = caller_of(request).require("read", "read")
    asked = undos_for(person).filter(recall__number=number).first()
    if asked is None:
        raise NotFound
    services.close_undo(asked, by=person, state=given.state, note=given.note, at=timezone.now())
    return _told(_notice(person, number), person)


@router.get(
    "/recalls/{number}/certificate", response={200: None, (403, 404): Problem},
    openapi_extra={"responses": {200: {"description": "Signed JSON", "content": {"application/json": {}}}}},
)  # fmt: skip
def certificate(request: HttpRequest, number: str) -> HttpResponse:
    """The signed end of a recall; for its source without the names of who had it."""
    person = caller_of(request).require("recall", "recall", "read")
    found = recalls_for(person).filter(number=number).exclude(certificate="").first()
    if found is None:
        raise NotFound
    body = found.certificate if person.organisation.is_centre else certificates.for_source(found)
    return HttpResponse(body, content_type="application/json")
