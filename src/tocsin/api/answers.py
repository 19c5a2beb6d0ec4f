"""What the Centre knows: look-ups, the newest observations, packages, feeds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from tocsin.centre.analysis import lookups, newest
from tocsin.centre.intake.catalogue import feeds_with_states
from tocsin.centre.members import limits
from tocsin.centre.members.access import is_fresh
from tocsin.centre.members.doors import require_open, while_open
from tocsin.centre.members.selectors import ceiling_of, viewer_of
from tocsin.centre.release import selectors as release
from tocsin.centre.release.models import Package
from tocsin.centre.release.services import hand_out
from tocsin.core.errors import InputError, NotFound, Refused
from tocsin.core.observations import SCHEMA
from tocsin.core.words import Tlp

from .callers import caller_of
from .deliveries import LINES
from .errors import Problem
from .lists import MOST, PAGED, Cursor, Limit, pages

router = Router()
MOST_VALUES = 100


class Source(Schema):
    """Who said it, where the source may be named, with the label that binds what it said."""

    name: str
    tlp: str
    rows: int
    last_at: datetime
    grades: list[str]
    """How it graded itself and what it says, as given: 4x4:B2."""


class Thing(Schema):
    """A knowledge object that names the value."""

    id: str
    standard: str
    type: str
    name: str
    version: str


class Warned(Schema):
    """A warning list that holds the value: it may be harmless although it was reported."""

    group: str
    list: str


class Answer(Schema):
    """What is known of a value or name, as far as the asker may see. `kind` is empty when nothing was recognised."""

    asked: str
    kind: str
    value: str
    rows: int
    sightings: int
    first_at: datetime | None
    last_at: datetime | None
    by_country: dict[str, int]
    by_role: dict[str, int]
    sources: list[Source]
    objects: list[Thing]
    warnings: list[Warned]
    name: str
    aliases: list[str]
    candidates: list[str]
    observations: list[dict[str, Any]]


class Asked(Schema):
    """Values or names to look up together."""

    values: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(min_length=1, max_length=MOST_VALUES)
    ]


@router.get("/lookup", response={200: Answer, (403, 422): Problem}, tags=["answers"])
def lookup(request: HttpRequest, q: Annotated[str, Query(min_length=1, max_length=4096)]) -> dict[str, Any]:
    """What is known of one value or name, defanged or not. Who asked for what is logged."""
    return _answers(request, [q])[0]


@router.post("/lookups", response={200: list[Answer], (403, 413, 422): Problem}, tags=["answers"])
def lookup_many(request: HttpRequest, asked: Asked) -> list[dict[str, Any]]:
    """The same for up to 100 values, answered in their order."""
    return _answers(request, asked.values)


def _answers(request: HttpRequest, values: list[str]) -> list[dict[str, Any]]:
    person = caller_of(request).require("read", "read")
    if person.through is None and not is_fresh(request) and any(map(lookups.concerns_a_person, values)):
        raise Refused("prove-first")
    limits.spend(person, limits.Kind.LOOKUPS, timezone.now(), cost=len(values))
    viewer = viewer_of(person)
    reach = lookups.reach_of(viewer)
    found = []
    for text in values:
        require_open(person)
        reply = lookups.answer(text, viewer, reach=reach, columns=tuple(SCHEMA))
        lookups.log_lookup(person.login, reply, person, "api")
        found.append(_plain(reply))
    return found


def _plain(reply: lookups.Answer) -> dict[str, Any]:
    found = reply.found
    return {
        "asked": reply.asked, "kind": reply.kind, "value": reply.value, "rows": found.total,
        "sightings": found.sightings, "first_at": found.first_at, "last_at": found.last_at,
        "by_country": found.by_country, "by_role": found.by_role, "sources": reply.sources,
        "objects": [
            {"id": each.object_id, "standard": each.standard, "type": each.type, "name": each.name,
             "version": each.version}
            for each in reply.objects
        ],
        "warnings": [{"group": each.group, "list": each.list_name} for each in reply.warning_lists],
        "name": reply.entity.name if reply.entity else "",
        "aliases": list(reply.entity.aliases) if reply.entity else [],
        "candidates": [each.name for each in reply.candidates],
        "observations": newest.rows_of(found.rows.to_dicts()),
    }  # fmt: skip


@router.get("/observations", response={200: None, (403, 422): Problem}, openapi_extra=LINES, tags=["answers"])
def observations(
    request: HttpRequest,
    country: str = "",
    since: datetime | None = None,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> HttpResponseBase:
    """Rows as lines of JSON, newest arrivals first. The header Link names the next page while there is one.

    `since` leaves out what was open to you before. After the last page, ask next time with what the header X-Next-Since
    of the first page said: then nothing is missed, whenever it arrived.
    """
    person = caller_of(request).require("read", "read")
    moment = _in_utc(since)
    page = newest.newest(person, country=country, since=moment, cursor=cursor, limit=limit, at=timezone.now())
    response = StreamingHttpResponse(_json_lines(page.rows), content_type="application/x-ndjson")
    response["Cache-Control"] = "private, no-store"
    response["X-Next-Since"] = page.until.astimezone(UTC).isoformat()
    if page.cursor:
        said = {"country": country, "since": moment.isoformat() if moment else "", "limit": limit}
        query = urlencode({**{name: value for name, value in said.items() if value}, "cursor": page.cursor})
        response["Link"] = f'</api/v1/observations?{query}>; rel="next"'
    return response


def _in_utc(since: datetime | None) -> datetime | None:
    if since is None or since.tzinfo is None:
        return since and since.replace(tzinfo=UTC)
    try:
        return since.astimezone(UTC)
    except OverflowError:  # The first and last days of all lie outside the calendar in UTC.
        raise InputError("not-a-time", field="since") from None


def _json_lines(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    for start in range(0, len(rows), 100):
        yield b"".join(
            orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z) for row in rows[start : start + 100]
        )


class CountryPackage(Schema):
    """What a country was given: the rows that concern it, as one signed archive."""

    number: str
    country: str
    arrived_from: datetime
    arrived_until: datetime
    created_at: datetime
    language: str
    tlp: str
    rows: int
    size_bytes: int
    sha256: str
    """Of the archive as made. Each copy says at its end, in the archive's comment, whose it is."""
    download_url: str


@router.get(
    "/countries/{code}/packages", response={200: list[CountryPackage], (403, 404, 422): Problem}, tags=["packages"],
    openapi_extra=PAGED,
)  # fmt: skip
def packages(
    request: HttpRequest, response: HttpResponse, code: str, cursor: Cursor = "", limit: Limit = MOST
) -> list[dict[str, Any]]:
    """A country's packages, newest first: a bureau's own, any for the desk. The header Link names the next page
    while there is one."""
    person = caller_of(request).require("package", "packages")
    if code.upper() not in release.countries_for(person):
        raise NotFound
    of_country = release.packages_for(person).filter(country=code.upper())
    [found] = pages(request, response, [(of_country, release.NEWEST_FIRST)], cursor=cursor, limit=limit)
    return [_package(each) for each in found]


def _package(each: Package) -> dict[str, Any]:
    names = (
        "number",
        "country",
        "arrived_from",
        "arrived_until",
        "created_at",
        "language",
        "rows",
        "size_bytes",
        "sha256",
    )
    address = f"/api/v1/countries/{each.country}/packages/{each.number}"
    return {
        **{name: getattr(each, name) for name in names},
        "tlp": each.summary.get("tlp", ""),
        "download_url": address,
    }


@router.get(
    "/countries/{code}/packages/{number}",
    response={200: None, (403, 404): Problem},
    openapi_extra={"responses": {200: {"description": "The archive", "content": {"application/zip": {}}}}},
    tags=["packages"],
)
def package_download(request: HttpRequest, code: str, number: str) -> HttpResponseBase:
    """The archive itself. Who took it is recorded before the first byte leaves."""
    person = caller_of(request).require("package", "packages")
    package = release.package_for(person, number, timezone.now())
    if package.country != code.upper() or not release.file_of(package).is_file():
        raise NotFound
    if person.through is None and not is_fresh(request):
        raise Refused("prove-first")
    limits.spend(person, limits.Kind.DOWNLOADS, timezone.now())
    copy = hand_out(package, person, "api", timezone.now())

    def still() -> None:
        release.package_for(person, number, timezone.now())

    response = StreamingHttpResponse(while_open(person, copy.pieces, still), content_type="application/zip")
    response["Content-Length"] = str(copy.size_bytes)
    response["Content-Disposition"] = f'attachment; filename="{copy.name}"'
    response["Cache-Control"] = "private, no-store"
    return response


class FeedLine(Schema):
    """A public source and how it does here."""

    slug: str
    title: str
    provider: str
    address: str
    licence: str
    every_minutes: int
    enabled: bool
    run_at: datetime | None
    ok_at: datetime | None
    rows: int
    failures: int
    error: str


@router.get("/feeds", response={200: list[FeedLine], 403: Problem}, tags=["feeds"])
def feeds(request: HttpRequest) -> list[dict[str, Any]]:
    """The catalogue of public feeds with the state of each."""
    ceiling = ceiling_of(caller_of(request).require("read-feeds", "read"))
    lines = []
    for each in feeds_with_states():
        label = Tlp(each.feed.profile.marking or Tlp.CLEAR)
        if ceiling is not None and label.rank > ceiling.rank:
            continue
        facts = {name: getattr(each.feed, name) for name in ("slug", "title", "provider", "address", "licence")}
        state = {name: getattr(each.state, name, None) for name in ("run_at", "ok_at")}
        counts = {name: getattr(each.state, name, 0) for name in ("rows", "failures")}
        lines.append(
            {
                **facts, **state, **counts, "every_minutes": each.feed.every_minutes,
                "enabled": bool(each.state and each.state.enabled), "error": each.state.error if each.state else "",
            }
        )  # fmt: skip
    return lines
