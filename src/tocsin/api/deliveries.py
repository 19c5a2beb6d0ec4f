"""Handing over deliveries, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone, translation
from ninja import Router, Schema

from tocsin.centre.audit.services import record
from tocsin.centre.intake import deliveries as selectors
from tocsin.centre.intake import profiles, services, urgency
from tocsin.centre.intake.bodies import body_chunks
from tocsin.centre.intake.holding import is_sealed, refusal_text
from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.outlook import is_told, outlook_of
from tocsin.centre.members.access import is_fresh
from tocsin.centre.members.doors import while_open
from tocsin.centre.members.limits import Kind, spend
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, Refused
from tocsin.core.profiles import Profile
from tocsin.handling import tlp_of

from .callers import caller_of
from .errors import Problem

router = Router(tags=["deliveries"])
LONGEST_KEY = 100
ADDRESS = "/api/v1/deliveries/"
PARAMETERS = [
    ("name", "query", "The file's name; helps to recognise its format. Also as header Tocsin-Name."),
    ("marking", "query", "TLP label of what bears none itself. Also as header Tocsin-Marking."),
    (
        "grade",
        "query",
        "Grade of what bears none itself: 4x4:B2, Admiralty:B2, 3x5x2:1AP. Also as header Tocsin-Grade.",
    ),
    (
        "urgent",
        "query",
        "Why somebody at the Centre must take it up within 30 minutes; without it, it is not urgent. Also as header "
        "Tocsin-Urgent, in UTF-8.",
    ),
    ("profile", "query", "Name of a saved column map. Also as header Tocsin-Profile."),
    ("Idempotency-Key", "header", "Sending again under the same key gives the first receipt back, and nothing twice."),
]
BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "parameters": [
        {"name": name, "in": place, "required": False, "description": text, "schema": {"type": "string"}}
        for name, place, text in PARAMETERS
    ],
    "requestBody": {
        "required": True,
        "description": "The file itself, up to the installation's limit, or a form with one file.",
        "content": {
            "application/octet-stream": BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object", "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    },
}  # fmt: skip
LINES = {"responses": {200: {"description": "JSON lines", "content": {"application/x-ndjson": BINARY}}}}


class Receipt(Schema):
    """Proof that every byte is kept. It is given once bytes and row are durable."""

    receipt: str
    state: str
    status_url: str
    sha256: str
    size_bytes: int


class Status(Receipt):
    """A delivery and what became of it."""

    name: str
    received_at: datetime
    finished_at: datetime | None
    reason: str
    text: str
    where: str
    format: str
    title: str
    duplicate_of: str
    mends: str
    rows: int
    repeats: int
    objects: int
    proposals: int
    rejections: int
    conflicts: int
    countries: int
    defaults_applied: list[str]
    outlook: dict[str, Any] | None
    """For its source: whether it waits, was released (to which class of recipients) or recalled; when it expires."""
    rejections_url: str
    is_urgent: bool
    urgency: str
    """Why, for its source and for whom the gate shows all of it."""
    take_up_by: datetime | None
    """Of what is urgent: when the Centre is to have taken it up."""


class Urgency(Schema):
    """Why somebody must take it up at once."""

    reason: str


@router.post("", response={202: Receipt, (403, 409, 413, 422, 507): Problem}, openapi_extra=BODY)
def deliver(request: HttpRequest, response: HttpResponse) -> tuple[int, dict[str, Any]]:
    """Hand over one file. The receipt is given once its bytes are safe; reading it happens afterwards."""
    person = caller_of(request).require("deliver", "deliver")
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > LONGEST_KEY:
        raise InputError("too-long", field="Idempotency-Key")
    marking = _marking(_said(request, "marking"))
    profile = _profile(_said(request, "profile"), person.organisation)
    chunks, file_name = _content(request)
    key = key and f"api:{key}"
    made = key and services.sent_before(organisation=person.organisation, idempotency_key=key, chunks=chunks)
    made = made or services.receive(
        organisation=person.organisation, via=Delivery.Via.API, name=_said(request, "name") or file_name,
        chunks=chunks, at=timezone.now(), person=person, profile=profile, marking=marking,
        grade=_said(request, "grade"), idempotency_key=key or None, urgent=_urgent(request),
    )  # fmt: skip
    body = receipt_of(made)
    response["Location"] = body["status_url"]
    return 202, body


def _said(request: HttpRequest, name: str) -> str:
    return request.GET.get(name) or request.headers.get(f"Tocsin-{name.title()}", "")


def _urgent(request: HttpRequest) -> str:
    return request.GET.get("urgent") or urgency.from_header(request.headers.get("Tocsin-Urgent", ""))


def _marking(text: str) -> str:
    if not text:
        return ""
    label = tlp_of(text)
    if label is None:
        raise InputError("unknown-label", field="marking", excerpt=text[:40])
    return label.value


def _profile(name: str, organisation: Organisation) -> Profile | None:
    if not name:
        return None
    profile = profiles.named(name, organisation)
    if profile is None:
        raise InputError("unknown-profile", field="profile", excerpt=name[:80])
    return profile


def _content(request: HttpRequest) -> tuple[Iterable[bytes], str]:
    """The bytes to keep, not read yet, and the name that came with them."""
    limit = settings.INSTALLATION.upload_limit_bytes
    if request.content_type != "multipart/form-data":
        return body_chunks(request, limit), ""
    if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
        raise InputError("too-large")
    files = [file for name in request.FILES for file in request.FILES.getlist(name)]
    if len(files) != 1:
        raise InputError("missing-field", field="file")
    if not files[0].size:
        raise InputError("empty-file")
    return files[0].chunks(), files[0].name or ""


def receipt_of(delivery: Delivery) -> dict[str, Any]:
    """What the sender keeps."""
    return {
        "receipt": delivery.receipt, "state": delivery.state, "status_url": ADDRESS + delivery.receipt,
        "sha256": delivery.sha256, "size_bytes": delivery.size_bytes,
    }  # fmt: skip


def _text_of(delivery: Delivery) -> str:
    """Why it was set aside or refused; of a refusal, what the officer wrote as well."""
    return f"{sentence(delivery.reason)} {refusal_text(delivery)}".strip() if delivery.reason else ""


def _found(request: HttpRequest, receipt: str) -> Delivery:
    return selectors.delivery_for(caller_of(request).require("read", "read", "deliver"), receipt)


def _receipt_of(person: Person, other: Delivery | None) -> str:
    return other.receipt if other is not None and selectors.is_within_ceiling(person, other) else ""


@router.get("/{receipt}", response={200: Status, 404: Problem})
def status(request: HttpRequest, receipt: str) -> dict[str, Any]:
    """What became of a delivery: of one's own organisation, or of any for the Centre's desk."""
    return _status(caller_of(request).person, _found(request, receipt))


def _status(person: Person, found: Delivery) -> dict[str, Any]:
    counts = ("rows", "repeats", "rejections", "conflicts", "countries")
    reads_contents = selectors.may_read_contents(person, found)
    return {
        **receipt_of(found),
        **{name: getattr(found, name) for name in counts},
        "name": found.name, "received_at": found.received_at, "finished_at": found.finished_at,
        "reason": found.reason, "text": _text_of(found), "where": found.reason_where if reads_contents else "",
        "format": found.format, "title": selectors.title_for(person, found),
        "duplicate_of": _receipt_of(person, found.duplicate_of),
        "mends": _receipt_of(person, None if found.mends and is_sealed(found.mends) else found.mends),
        "objects": found.objects_count, "proposals": found.proposals_count,
        "outlook": outlook_of(found, timezone.now()).as_json() if is_told(person, found) else None,
        "is_urgent": found.urgent_at is not None, "take_up_by": urgency.due_at(found),
        "urgency": selectors.urgency_for(person, found) if found.urgent_at else "",
        "defaults_applied": found.defaults_applied, "rejections_url": f"{ADDRESS}{found.receipt}/rejections",
    }  # fmt: skip


@router.post("/{receipt}/urgent", response={200: Status, (404, 409, 422): Problem})
def call_urgent(request: HttpRequest, receipt: str, said: Urgency) -> dict[str, Any]:
    """It turned out to be urgent: the Centre takes it up within 30 minutes from now."""
    person = caller_of(request).require("deliver", "deliver")
    found = selectors.delivery_for(person, receipt)
    urgency.call_urgent(found, reason=said.reason, by=person, at=timezone.now())
    return _status(person, selectors.delivery_for(person, receipt))


@router.get("/{receipt}/rejections", response={200: None, (403, 404): Problem}, openapi_extra=LINES)
def rejections(request: HttpRequest, receipt: str) -> HttpResponseBase:
    """Each refused record as a line of JSON: where it stood, why it was refused, and what to do."""
    found = _found(request, receipt)
    person = caller_of(request).person
    shows_excerpts = selectors.may_read_contents(person, found)
    if shows_excerpts and person.through is None and not is_fresh(request):
        raise Refused("prove-first")
    facts = {"excerpts": shows_excerpts}
    spend(person, Kind.DOWNLOADS, timezone.now())
    record(person.login, "delivery.rejections-fetched", f"delivery:{found.pk}", facts, at=timezone.now())
    lines = _lines(found, shows_excerpts, translation.get_language() or "en")
    response = StreamingHttpResponse(while_open(person, lines), content_type="application/x-ndjson")
    response["Cache-Control"] = "private, no-store"
    return response


def _lines(found: Delivery, shows_excerpts: bool, language: str) -> Iterator[bytes]:
    sentences: dict[str, str] = {}
    for frame in selectors.rejection_frames(found.duplicate_of or found):
        piece = []
        for row in frame.iter_rows(named=True):
            if row["reason"] not in sentences:
                # The answer is sent after the request's own language was put away.
                with translation.override(language):
                    sentences[row["reason"]] = sentence(row["reason"])
            if not shows_excerpts:
                row.pop("excerpt", None)
            piece.append(orjson.dumps({**row, "text": sentences[row["reason"]]}, option=orjson.OPT_APPEND_NEWLINE))
        yield b"".join(piece)
