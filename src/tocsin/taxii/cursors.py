"""`next`: a place in one collection, for one reader, under one question (TAXII 2.1, 3.5 and appendix B).

Whoever hands out the place knows what it is; here it is bound to who asked for what, so that it opens nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import orjson
from django.conf import settings

from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import ceiling_of
from tocsin.core.errors import InputError

from .filters import Asked

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """From where a page goes on."""

    inner: str
    """What the collection gave out."""
    after: datetime | None
    """The `added_after` of the question: programs leave it out from the second page on."""
    last: datetime
    """When the last object of the page before was added."""


def bound(person: Person, collection: str, asked: Asked, inner: str, last: datetime) -> str:
    """The text of `next`."""
    said = f"{_number(asked.after)}.{_number(last)}.{inner}"
    return f"{_tag(person, collection, asked, said)}.{said}"


def opened(person: Person, collection: str, asked: Asked) -> Place:
    """What `next` says. Raises InputError unless this reader was given it for this question to this collection."""
    tag, _dot, said = asked.cursor[:LONGEST].partition(".")
    if not any(
        hmac.compare_digest(tag.encode(), made(person, collection, asked, said).encode())
        for made in (_tag, _former_tag)
    ):
        raise InputError("not-an-id", field="next")
    after, last, inner = said.split(".", 2)
    place = Place(inner, _moment(after) if after else None, _moment(last))
    if asked.after is not None and asked.after != place.after:
        raise InputError("not-an-id", field="next")
    return place


def at(asked: Asked, place: Place) -> Asked:
    """The question, to be gone on with at that place."""
    return replace(asked, after=place.after, cursor=place.inner)


def behind(asked: Asked, place: Place) -> Asked:
    """The question for what was added since the page before."""
    return replace(asked, after=place.last, cursor="")


def _tag(person: Person, collection: str, asked: Asked, said: str) -> str:
    return blake2b(
        orjson.dumps(_question(person, collection, asked, said)), key=_key(settings.SECRET_KEY), digest_size=16
    ).hexdigest()


def _former_tag(person: Person, collection: str, asked: Asked, said: str) -> str:
    """The same of places that programs keep from before."""
    key = f"taxii-next:{settings.SECRET_KEY}".encode()
    said_then = json.dumps(_question(person, collection, asked, said)).encode()
    return hmac.digest(key, said_then, "sha256")[:16].hex()


def _question(person: Person, collection: str, asked: Asked, said: str) -> list[object]:
    ceiling, wanted = ceiling_of(person), asked.wanted
    named = [wanted.ids, wanted.types, wanted.versions, wanted.spec_versions]
    return [person.pk, ceiling.value if ceiling else "", collection, *(sorted(each) for each in named), said]


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hashlib.sha256(f"taxii-next-2:{secret}".encode()).digest()


def _number(at: datetime | None) -> str:
    return "" if at is None else str((at - _EPOCH) // _MICROSECOND)


def _moment(number: str) -> datetime:
    return _EPOCH + int(number) * _MICROSECOND
