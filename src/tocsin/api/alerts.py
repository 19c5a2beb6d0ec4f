"""Alerts: the police editions that came, and proposals of new ones. Only the Centre issues."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from tocsin.centre.alerts import police_forms, proposing, received
from tocsin.centre.alerts.models import Proposal, Version
from tocsin.centre.alerts.selectors import proposals_for
from tocsin.centre.audit.services import record
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.pages import NEWEST_FIRST
from tocsin.core.errors import NotFound, Refused

from .callers import caller_of
from .errors import Problem
from .lists import PAGED, Cursor, Limit, pages

router = Router(tags=["alerts"])
LISTED = 200


class AlertLine(Schema):
    """A police edition in a list."""

    number: str
    version: int
    type: str
    state: str
    exercise: bool
    sent: datetime | None
    expires: datetime | None


class Suggested(Schema):
    """A proposal: the fields of a draft, as far as the proposer knows them."""

    content: dict[str, Any]
    note: str = ""


class Answered(Schema):
    """A proposal and what became of it."""

    reference: str
    at: datetime
    state: str
    alert: str
    """Number of the alert that it became, once that is published."""
    answer: str


def _line(version: Version) -> dict[str, Any]:
    return {
        "number": str(version.alert), "version": version.number, "type": version.alert.type, "state": version.state,
        "exercise": version.alert.is_exercise, "sent": version.police_at, "expires": version.expires_at,
    }  # fmt: skip


@router.get("/alerts", response={200: list[AlertLine], (403, 422): Problem}, openapi_extra=PAGED)
def listed(
    request: HttpRequest, response: HttpResponse, cursor: Cursor = "", limit: Limit = LISTED
) -> list[dict[str, Any]]:
    """The police editions that the organisation may read, each version, the newest first. The header Link names the
    next page while there is one."""
    person = caller_of(request).require("read", "read")
    rows = received.received_by(person, timezone.now())
    [found] = pages(request, response, [(rows, NEWEST_FIRST)], cursor=cursor, limit=limit)
    return [_line(each) for each in found]


@router.get("/alerts/{alert}", response={200: dict[str, Any], (403, 404): Problem})
def one(request: HttpRequest, alert: str, language: str = "") -> dict[str, Any]:
    """The newest version of one alert, in this language where it stands in it, else as it was written."""
    person = caller_of(request).require("read", "read")
    now = timezone.now()
    version = received.received(person, alert, now)
    found = received.read_by(person, version, language or person.language, now)
    with transaction.atomic():
        took(person, Taking.Channel.API, received.numbers_of(person, version, now), now, reference=alert)
    return received.as_json(found)


@router.post("/alerts/{alert}/publish", response={(403, 404): Problem})
def publish(request: HttpRequest, alert: str) -> None:
    """Refused to everybody, and noted: an alert is published by four people of the Centre at the desk."""
    caller = caller_of(request)
    facts = {"organisation": caller.person.organisation.slug}
    record(caller.person.login, "alert.publish-refused", "alert:api", facts, at=timezone.now())
    del alert
    raise Refused("alert-centre-only")


@router.get("/alerts/{alert}/{form}", response={(403, 404): Problem})
def downloaded(request: HttpRequest, alert: str, form: str) -> HttpResponse:
    """The newest version as `stix`, `misp`, `csv` or `pdf`: the last one without the persons, whom the page names."""
    person = caller_of(request).require("read", "read")
    now = timezone.now()
    version = received.received(person, alert, now)
    read = received.read_by(person, version, person.language, now)
    file = police_forms.taken(read, form, person.organisation.name)
    if file is None:
        raise NotFound
    with transaction.atomic():
        took(person, Taking.Channel.API, received.numbers_of(person, version, now), now, reference=alert)
    return HttpResponse(
        file.body, content_type=file.media_type,
        headers={"Content-Disposition": f'attachment; filename="{file.name}"'},
    )  # fmt: skip


@router.get("/alert-proposals", response={200: list[Answered], (403, 422): Problem}, openapi_extra=PAGED)
def proposals(
    request: HttpRequest, response: HttpResponse, cursor: Cursor = "", limit: Limit = LISTED
) -> list[dict[str, Any]]:
    """What one's own organisation proposed, the newest first; the Centre reads those of all."""
    person = caller_of(request).require("read", "read")
    [found] = pages(request, response, [(proposals_for(person), NEWEST_FIRST)], cursor=cursor, limit=limit)
    return [_answered(each) for each in found]


@router.post("/alert-proposals", response={201: Answered, (403, 422): Problem})
def propose(request: HttpRequest, said: Suggested) -> tuple[int, dict[str, Any]]:
    """Propose an alert. Somebody of the Centre reads it and answers; follow its state."""
    person = caller_of(request).require("propose-alerts", "deliver")
    return 201, _answered(proposing.propose(by=person, content=said.content, note=said.note, at=timezone.now()))


@router.get("/alert-proposals/{proposal}", response={200: Answered, (403, 404): Problem})
def proposal(request: HttpRequest, proposal: str) -> dict[str, Any]:
    """One proposal and what became of it."""
    person = caller_of(request).require("read", "read")
    return _answered(proposing.proposal_for(person, proposal))


def _answered(made: Proposal) -> dict[str, Any]:
    alert = made.alert.number or "" if made.alert is not None else ""
    return {"reference": made.reference, "at": made.at, "state": made.state, "alert": alert, "answer": made.answer}
