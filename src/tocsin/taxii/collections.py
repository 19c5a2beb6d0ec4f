"""The collections of an API root: `inbox` takes, `released` and `recalls` give.

`released` and `recalls` exist for everybody who may read at all, so that it says nothing that they exist (W27).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members import agreements
from tocsin.centre.members.doors import Caller
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.recall import given_back
from tocsin.centre.release import given
from tocsin.centre.release.given import Given, Item, Wanted
from tocsin.core.errors import InputError, NotFound, Refused

from .answers import answer, moment

STIX = "application/stix+json;version=2.1"
INBOX, RELEASED, RECALLS = "inbox", "released", "recalls"
READABLE = {RELEASED: given.page, RECALLS: given_back.page}
TITLES = {
    INBOX: ("Inbox", "Objects that the organisation hands over."),
    RELEASED: ("Released", "Objects that were released to the organisation, each with when it opened to it."),
    RECALLS: ("Recalls", "What was taken back: notices, and last versions that are revoked. Read it as often."),
}
MOST = 1_000
"""Objects in one answer."""
MATCHES = frozenset({"id", "type", "version", "spec_version"})
TAKEN_BY = "TAXII"
"""How the ledger names what was taken here, among what programs took."""


def collections_of(caller: Caller) -> list[str]:
    """Names of the collections that exist for the caller."""
    person = caller.person
    return [*([INBOX] if may(person, "deliver") else []), *(READABLE if may(person, "read") else [])]


def described(caller: Caller, organisation: Organisation, name: str) -> dict[str, Any]:
    """The collection's resource."""
    title, description = TITLES[name]
    return {
        "id": collection_id(organisation, name), "title": title, "alias": name, "description": description,
        "can_read": name in READABLE and caller.has_scope("read"),
        "can_write": name == INBOX and not agreements.refusal_of(organisation, timezone.now()),
        "media_types": [STIX],
    }  # fmt: skip


def collection_named(caller: Caller, organisation: Organisation, name: str) -> str:
    """The collection's own name, by its alias or identifier. Raises NotFound for what does not exist for the caller."""
    for each in collections_of(caller):
        if name in {each, collection_id(organisation, each)}:
            return each
    raise NotFound


def collection_id(organisation: Organisation, name: str) -> str:
    """The identifier: the same for ever, in the form of a version 4 UUID as the standard has it."""
    digest = hashlib.sha256(f"taxii-collection:{organisation.slug}:{name}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request filters by."""

    wanted: Wanted
    after: datetime | None
    cursor: str
    limit: int


def asked(request: HttpRequest, object_id: str = "", *, every_version: bool = False) -> Asked:
    """The filters of a request. Raises InputError for one that is not understood."""
    said = request.GET
    matches: dict[str, frozenset[str]] = {}
    for name in said:
        if name.startswith("match["):
            field = name.removeprefix("match[").removesuffix("]")
            if field not in MATCHES:
                raise InputError("invalid-object", field=name)
            matches[field] = frozenset(part.strip() for part in said[name].split(",") if part.strip())
    after = _moment(said["added_after"]) if "added_after" in said else None
    wanted = Wanted(
        ids=frozenset({object_id}) if object_id else matches.get("id", frozenset()),
        types=matches.get("type", frozenset()),
        versions=frozenset({"all"}) if every_version else matches.get("version") or Wanted().versions,
        spec_versions=matches.get("spec_version", frozenset()),
    )
    return Asked(wanted, after, said.get("next", ""), _limit(said.get("limit", "")))


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InputError("not-a-time", field="added_after", excerpt=text[:40]) from None


def _limit(text: str) -> int:
    if not text:
        return MOST
    if not text.isascii() or not text.isdecimal() or int(text[:9]) == 0:
        raise InputError("not-a-number", field="limit", excerpt=text[:40])
    return min(MOST, int(text[:9]))


def read(caller: Caller, name: str, filters: Asked) -> Given:
    """A page of the collection."""
    if name not in READABLE:
        raise Refused("this collection takes objects and gives none out")
    person = caller.require("read", "read")
    return READABLE[name](
        person, wanted=filters.wanted, after=filters.after, cursor=filters.cursor, limit=filters.limit,
        now=timezone.now(),
    )  # fmt: skip


def read_one(caller: Caller, name: str, filters: Asked) -> Given:
    """The same of one object. Raises NotFound where it is nothing to the caller, whatever the other filters are."""
    found = read(caller, name, filters)
    if not found.items:
        bare = Asked(Wanted(ids=filters.wanted.ids, versions=frozenset({"all"})), None, "", 1)
        if not read(caller, name, bare).items:
            raise NotFound
    return found


def note_taken(person: Person, name: str, items: Iterable[Item], at: datetime) -> None:
    """Write down what leaves: in the ledger by batch, in the log by number."""
    listed = [each for each in items if not each.is_shared]
    if not listed:
        return
    with transaction.atomic():
        if name == RELEASED:
            took(person, Taking.Channel.API, {each.batch for each in listed}, at, reference=TAKEN_BY)
        else:
            given_back.note_seen(person, {each.batch for each in listed}, at)
        record(person.login, "taxii.read", f"collection:{name}", {"objects": len(listed)}, at=at)


def envelope(found: Given) -> HttpResponse:
    """The objects of a page."""
    return _paged(found, {"objects": orjson.Fragment(b"[%b]" % b",".join(each.raw for each in found.items))})


def manifest(found: Given) -> HttpResponse:
    """What is in a page, without the objects."""
    entries = [
        {"id": each.id, "date_added": moment(each.added_at), "version": each.version, "media_type": STIX}
        for each in found.items
    ]
    return _paged(found, {"objects": entries})


def versions(found: Given) -> HttpResponse:
    """The versions of one object."""
    return _paged(found, {"versions": list(dict.fromkeys(each.version for each in found.items))})


def _paged(found: Given, listed: dict[str, Any]) -> HttpResponse:
    """Empty lists are not written: a page with nothing on it is an empty object."""
    more = {"more": True, "next": found.cursor} if found.cursor else {}
    response = answer({**more, **listed} if found.items else {})
    if found.items:
        response["X-TAXII-Date-Added-First"] = moment(found.items[0].added_at)
        response["X-TAXII-Date-Added-Last"] = moment(found.items[-1].added_at)
    return response
