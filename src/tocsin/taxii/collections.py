"""The collections of an API root: `inbox` takes and gives back, `released`, its parts and `recalls` give.

`released`, `alerts` and `recalls` exist for everybody who may read at all, so that it says nothing that they exist
(W27); other parts of `released` exist for whoever has something of them.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

import orjson
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone

from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.services import record
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members import agreements
from tocsin.centre.members.doors import Caller
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.questions import Brief, writing_only
from tocsin.centre.recall import given_back
from tocsin.centre.release import given
from tocsin.centre.release.given import Given, Item, Wanted
from tocsin.centre.release.given_items import Items
from tocsin.core.errors import InputError, NotFound, Refused

from . import cursors
from .answers import answer, answer_of, moment
from .filters import NO_VERSION, Asked
from .media_types import FORMER_STIX, STIX
from .selections import ALERTS, Selection, aliases, part_named, parts_for

INBOX, RELEASED, RECALLS = "inbox", "released", "recalls"
TAKEN_BY = "TAXII"
"""How the ledger names what was taken here, among what programs took."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Gives(Protocol):
    """Pages of a collection."""

    def __call__(
        self, person: Person, *, wanted: Wanted, after: datetime | None, cursor: str, limit: int, now: datetime
    ) -> Given: ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """A collection; `page` where it gives something out."""

    alias: str
    title: str
    description: str
    page: Gives


TAKES = Listed(
    INBOX,
    "Inbox",
    "Objects that the organisation hands over, and reads as it handed them over.",
    partial(given.page, part=given.OWN),
)
GIVE = (
    Listed(
        RELEASED, "Released", "Objects that were released to the organisation, each with when it opened to it.",
        given.page,
    ),
    Listed(ALERTS.alias, ALERTS.title, ALERTS.description, ALERTS.page),
    Listed(
        RECALLS, "Recalls", "What was taken back: notices, and last versions that are revoked. Read it as often.",
        given_back.page,
    ),
)  # fmt: skip


class Access(NamedTuple):
    """What a caller may do with a collection."""

    can_read: bool
    can_write: bool


class Page(NamedTuple):
    """What a question to a collection brought."""

    found: Given
    since: datetime
    """From when to ask the next time, where nothing was found."""


def collections_of(caller: Caller) -> Iterator[Listed]:
    """The collections that exist for the caller: what everybody has first."""
    yield from _for_everybody(caller)
    if may(caller.person, "read") and _may_read(caller):
        yield from map(_listed, parts_for(caller.person, timezone.now()))


def _for_everybody(caller: Caller) -> Iterator[Listed]:
    """Those that say nothing by being there."""
    if may(caller.person, "deliver"):
        yield TAKES
    if may(caller.person, "read"):
        yield from GIVE


def _listed(part: Selection) -> Listed:
    return Listed(part.alias, part.title, part.description, part.page)


def access(caller: Caller, organisation: Organisation, one: Listed) -> Access:
    """What the caller may do with it at this moment: exactly that the other addresses let it do."""
    is_open = not agreements.refusal_of(organisation, timezone.now())
    return Access(_may_read(caller), one is TAKES and is_open)


def _may_read(caller: Caller) -> bool:
    try:
        caller.require("read", "read")
    except (Refused, InputError):
        return False
    return True


def described(caller: Caller, organisation: Organisation, one: Listed) -> dict[str, Any]:
    """The collection's resource."""
    may_do = access(caller, organisation, one)
    return {
        "id": collection_id(organisation, one.alias), "title": one.title, "description": one.description,
        "alias": one.alias, "can_read": may_do.can_read, "can_write": may_do.can_write,
        "media_types": [STIX, FORMER_STIX] if one is TAKES else [STIX],
    }  # fmt: skip


def collection_named(caller: Caller, organisation: Organisation, name: str) -> Listed:
    """The collection, by its alias or identifier. Raises NotFound for what does not exist for the caller."""
    name = name.lower()
    for each in _for_everybody(caller):
        if name in {each.alias, collection_id(organisation, each.alias)}:
            return each
        if name == _former_id(organisation, each.alias):
            return each
    if may(caller.person, "read") and _may_read(caller):
        for alias in aliases(caller.person):
            if name in {alias, collection_id(organisation, alias)}:
                part = part_named(caller.person, alias, timezone.now())
                if part is not None:
                    return _listed(part)
    raise NotFound


def collection_id(organisation: Organisation, name: str) -> str:
    """The identifier: the same for ever here, and another in every installation, as a version 4 UUID."""
    return _identified(f"taxii-collection:{settings.SECRET_KEY}", f"{organisation.slug}:{name}")


@lru_cache(maxsize=4_096)
def _identified(key: str, said: str) -> str:
    return str(uuid.UUID(bytes=hmac.digest(key.encode(), said.encode(), "sha256")[:16], version=4))


def _former_id(organisation: Organisation, name: str) -> str:
    """What programs were set up with before identifiers differed from one installation to the next."""
    digest = hashlib.sha256(f"taxii-collection:{organisation.slug}:{name}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def read(caller: Caller, organisation: Organisation, one: Listed, asked: Asked) -> Page:
    """A page of the collection. Raises Refused where the caller may not read, InputError for a foreign `next`."""
    person, collection = caller.require("read", "read"), collection_id(organisation, one.alias)
    if not asked.cursor:
        found = _given(person, one.page, asked)
        return _bound(person, collection, asked, found, asked.after or EPOCH)
    place = cursors.opened(person, collection, asked)
    asked = cursors.at(asked, place)
    found = _given(person, one.page, asked)
    if not found.items and not found.cursor:
        # What was left of the pass is gone. A program that keeps its place until something comes would wait for ever.
        asked = cursors.behind(asked, place)
        found = _given(person, one.page, asked)
    return _bound(person, collection, replace(asked, after=place.after), found, place.last)


def _given(person: Person, page: Gives, asked: Asked) -> Given:
    if asked.is_nothing:
        return Given()
    return page(
        person, wanted=asked.wanted, after=asked.after, cursor=asked.cursor, limit=asked.limit, now=timezone.now()
    )


def _bound(person: Person, collection: str, asked: Asked, found: Given, since: datetime) -> Page:
    """The page, with a `next` that only this reader can use, for this question alone."""
    if found.cursor:
        last = found.reached or found.items[-1].added_at
        if not found.items:
            since = last  # Who goes on by date passes what was looked through, too.
        found = replace(found, cursor=cursors.bound(person, collection, asked, found.cursor, last))
    return Page(found, since)


def read_one(caller: Caller, organisation: Organisation, one: Listed, asked: Asked) -> Page:
    """The same of one object. Raises NotFound where it is nothing to the caller, whatever the other filters are."""
    page = read(caller, organisation, one, asked)
    if not page.found.items:
        bare = Asked(Wanted(ids=asked.wanted.ids, versions=frozenset({"all"})), limit=1)
        if not read(caller, organisation, one, bare).found.items:
            raise NotFound
    return page


def note_taken(person: Person, name: str, items: Sequence[Item], at: datetime) -> None:
    """Write down what leaves: in the ledger by batch, in the log by number. What is one's own nobody is asked back."""
    batches, count = Items.of(items).taken()
    if not count:
        return
    said = (person.login, "taxii.read", f"collection:{name}", {"objects": count})
    if name == RECALLS:
        with transaction.atomic():
            given_back.note_seen(person, batches, at)
            record(*said, at=at)
        return
    with writing_only(Taking, Entry), Brief():
        if name != INBOX:
            took(person, Taking.Channel.API, batches, at, reference=TAKEN_BY)
        record(*said, at=at)


def envelope(found: Given) -> HttpResponse:
    """The objects of a page."""
    if not found.items:
        return _paged(found, {})
    head, _end, tail = orjson.dumps({**_more(found), "objects": []}).rpartition(b"]")
    return _dated_by(found, answer_of(b"".join([head, *Items.of(found.items).pieces(), _end, tail])))


def manifest(found: Given) -> HttpResponse:
    """What is in a page, without the objects."""
    entries = [
        {"id": each.id, "date_added": moment(each.added_at), "version": _version(each), "media_type": STIX}
        for each in found.items
    ]
    return _paged(found, {"objects": entries})


def versions(found: Given) -> HttpResponse:
    """The versions of one object."""
    return _paged(found, {"versions": list(dict.fromkeys(map(_version, found.items)))})


def _version(item: Item) -> str:
    """Its version, as filters take it; what has none is named by its moment otherwise, which differs by reader."""
    return item.said or NO_VERSION


def _paged(found: Given, listed: dict[str, Any]) -> HttpResponse:
    """Empty lists are not written: a page with nothing on it is an empty object."""
    return _dated_by(found, answer({**_more(found), **(listed if found.items else {})}))


def _more(found: Given) -> dict[str, Any]:
    return {"more": True, "next": found.cursor} if found.cursor else {}


def _dated_by(found: Given, response: HttpResponse) -> HttpResponse:
    if found.items:
        response["X-TAXII-Date-Added-First"] = moment(found.items[0].added_at)
        response["X-TAXII-Date-Added-Last"] = moment(found.items[-1].added_at)
    return response


def dated(response: HttpResponse, page: Page) -> HttpResponse:
    """With both dates, which the standard demands of empty pages too: there they say from when to ask again.

    Where they are missing, programs take their own clock, and miss what was added while it ran ahead.
    """
    for name in ("X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"):
        if name not in response.headers:
            response[name] = moment(page.since)
    return response
