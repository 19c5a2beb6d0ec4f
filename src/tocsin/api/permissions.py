"""Permissions by program: what one was asked as a source, what one asked, and every step that the pages have."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.members.access import is_fresh
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.numbers import row_named
from tocsin.centre.pages import NEWEST_FIRST
from tocsin.centre.permissions import passing, services
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.rules import Wish
from tocsin.centre.permissions.selectors import answerable_by, asked_by
from tocsin.core.errors import NotFound, Refused

from .callers import caller_of
from .errors import Problem
from .lists import MOST, PAGED, Cursor, Limit, pages

router = Router(tags=["permissions"])
PROBLEMS = (403, 404, 409, 422)


class Asked(Schema):
    """A request to a source, and what was permitted. To a bureau, neither source nor delivery is named."""

    number: str
    """By which it is called here and by people."""
    state: str
    source: str
    delivery: str
    asked_for: str
    """Short name of the bureau that wants to pass it on, or of the Centre."""
    asked_at: datetime
    audience: list[str]
    purposes: list[str]
    is_standing: bool
    until: date
    reason: str
    permitted_audience: list[str]
    permitted_purposes: list[str]
    permitted_standing: bool
    permitted_until: date | None
    answer: str


class Listed(Schema):
    """The newest first."""

    of_me: list[Asked]
    """What one's own organisation is asked as a source."""
    by_me: list[Asked]


class Wanted(Schema):
    """What is asked of a source, or permitted by it."""

    audience: list[str] = []
    purposes: list[str] = []
    is_standing: bool = False
    until: date


class Question(Wanted):
    """Of a delivery (`delivery`, at the Centre), some parts of it (`parts`: their numbers; none: all that one may see),
    or, for a bureau, of one part for units of its own: `parts` holds the last word of the address under which the
    portal asks about it."""

    delivery: str = ""
    parts: list[int | Annotated[str, Field(max_length=40)]] = []
    reason: str


class Grant(Wanted):
    """The whole of what was asked, or less."""

    text: str = ""


class Why(Schema):
    reason: str = ""


class Units(Schema):
    """Units of one's own bureau, by short name, and the number of a part that it sees."""

    part: int
    units: list[str]


class Passed(Schema):
    """Which units have the part from their bureau now."""

    part: int
    units: list[str]


def _plain(each: Permission, person: Person) -> dict[str, Any]:
    names = (
        "number", "state", "asked_at", "audience", "purposes", "is_standing", "until", "permitted_audience",
        "permitted_purposes", "permitted_standing", "permitted_until", "answer",
    )  # fmt: skip
    is_bureau = not person.organisation.is_centre and each.source_id != person.organisation_id
    return {
        **{name: getattr(each, name) for name in names}, "asked_for": each.asked_for.slug,
        "source": "" if is_bureau else each.source.slug, "delivery": "" if is_bureau else each.delivery.receipt,
        "reason": each.asked_reason if is_bureau else each.reason,
    }  # fmt: skip


def _source(request: HttpRequest, *, changes: bool = True) -> Person:
    scopes = ("answer",) if changes else ("answer", "read")
    return caller_of(request).require("answer-permissions", *scopes)


def _asker(request: HttpRequest) -> Person:
    return caller_of(request).require("ask-source", "ask")


def _answerable(person: Person, number: str) -> Permission:
    found = answerable_by(person).filter(number=number).first()
    if found is None:
        raise NotFound
    return found


def _asked(person: Person, number: str) -> Permission:
    found = asked_by(person, timezone.now()).filter(number=number).first()
    if found is None:
        raise NotFound
    return found


def _wish(said: Wanted) -> Wish:
    return Wish(frozenset(said.audience), frozenset(said.purposes), said.is_standing, said.until)


@router.get("", response={200: Listed, (403, 422): Problem}, openapi_extra=PAGED)
def listed(
    request: HttpRequest, response: HttpResponse, state: Annotated[str, Query(max_length=20)] = "",
    cursor: Cursor = "", limit: Limit = MOST,
) -> dict[str, Any]:  # fmt: skip
    """What one is asked, and what one asked, the newest first; with `state`, those alone that stand so. The header Link
    names the next page while one of both lists goes on."""
    person = caller_of(request).require("read", "read", "ask", "answer")
    of_me, by_me = answerable_by(person).select_related("source", "delivery", "asked_for"), asked_by(
        person, timezone.now()
    )  # fmt: skip
    if state:
        of_me, by_me = of_me.filter(state=state), by_me.filter(state=state)
    lists = [(of_me, NEWEST_FIRST), (by_me, NEWEST_FIRST)]
    found = pages(request, response, lists, cursor=cursor, limit=limit, said={"state": state})
    return dict(zip(("of_me", "by_me"), ([_plain(each, person) for each in some] for some in found), strict=True))


@router.post("", response={201: Asked, PROBLEMS: Problem})
def ask(request: HttpRequest, question: Question) -> tuple[int, dict[str, Any]]:
    """Ask a source. What a bureau asks, the Centre passes on in words of its own."""
    person, now = _asker(request), timezone.now()
    seen = visible_batches(viewer_of(person), now).select_related("handling_set", "delivery__organisation")
    if person.organisation.is_centre:
        seen = seen.filter(delivery=selectors.delivery_for(person, question.delivery))
        parts = {each for each in question.parts if isinstance(each, int)}
        some = list(seen.filter(pk__in=parts) if question.parts else seen)
    else:
        parts = {row_named(each) for each in question.parts if isinstance(each, str)}
        some = list(seen.filter(pk__in=parts)) if len(question.parts) == 1 else []
    if not some or (question.parts and len(some) != len(set(question.parts))):
        raise NotFound
    made = services.ask(some[0].delivery, some, _wish(question), reason=question.reason, by=person, at=now)
    return 201, _plain(made, person)


@router.post("/pass-on", response={200: Passed, PROBLEMS: Problem})
def pass_on(request: HttpRequest, said: Units) -> dict[str, Any]:
    """A bureau passes a part on to units of its own, as its label lets it; else it asks, as above."""
    person, part = _part(request, said.part)
    passing.pass_on(part.pk, said.units, by=person, at=timezone.now())
    return _passed(person, part.pk)


@router.post("/take-back", response={200: Passed, PROBLEMS: Problem})
def take_back(request: HttpRequest, said: Units) -> dict[str, Any]:
    """These units see it no longer. What they took before, they have."""
    person, part = _part(request, said.part)
    passing.take_back(part.pk, said.units, by=person, at=timezone.now())
    return _passed(person, part.pk)


def _part(request: HttpRequest, number: int) -> tuple[Person, Batch]:
    person = _asker(request)
    found = visible_batches(viewer_of(person), timezone.now()).filter(pk=number).first()
    if found is None or person.organisation.is_centre:
        raise NotFound
    return person, found


def _passed(person: Person, number: int) -> dict[str, Any]:
    part = Batch.objects.select_related("terms__permitted").get(pk=number)
    return {"part": number, "units": [each.unit.slug for each in passing.passed_on(part, person.organisation)]}


@router.post("/{number}/grant", response={200: Asked, PROBLEMS: Problem})
def grant(request: HttpRequest, number: str, said: Grant) -> dict[str, Any]:
    """Permit the whole of it or less. Two people at the Centre still let it go."""
    person = _source(request)
    if person.through is None and not is_fresh(request):
        raise Refused("prove-first")
    found = services.grant(_answerable(person, number), _wish(said), text=said.text, by=person, at=timezone.now())
    return _plain(found, person)


@router.post("/{number}/refuse", response={200: Asked, PROBLEMS: Problem})
def refuse(request: HttpRequest, number: str, said: Why) -> dict[str, Any]:
    """Say no, and why."""
    person = _source(request)
    return _plain(
        services.refuse(_answerable(person, number), reason=said.reason, by=person, at=timezone.now()), person
    )


@router.post("/{number}/withdraw", response={200: Asked, PROBLEMS: Problem})
def withdraw(request: HttpRequest, number: str, said: Why) -> dict[str, Any]:
    """Take a permission back: nobody sees anything on its strength any more."""
    person = _source(request)
    services.withdraw(_answerable(person, number), reason=said.reason, by=person, at=timezone.now())
    return _plain(_answerable(person, number), person)


@router.post("/{number}/cancel", response={200: Asked, PROBLEMS: Problem})
def cancel(request: HttpRequest, number: str) -> dict[str, Any]:
    """What one asked is wanted no longer."""
    person = _asker(request)
    return _plain(services.cancel(_asked(person, number), by=person, at=timezone.now()), person)


@router.post("/{number}/forward", response={200: Asked, PROBLEMS: Problem})
def forward(request: HttpRequest, number: str, said: Why) -> dict[str, Any]:
    """The Centre passes a bureau's request on, in words of its own."""
    person = _asker(request)
    return _plain(services.forward(_asked(person, number), reason=said.reason, by=person, at=timezone.now()), person)


@router.post("/{number}/decline", response={200: Asked, PROBLEMS: Problem})
def decline(request: HttpRequest, number: str, said: Why) -> dict[str, Any]:
    """The Centre does not pass a bureau's request on, and says why."""
    person = _asker(request)
    return _plain(services.decline(_asked(person, number), reason=said.reason, by=person, at=timezone.now()), person)
