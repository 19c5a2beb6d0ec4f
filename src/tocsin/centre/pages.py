"""Lists that are read page by page, each from where the last one ended."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache, reduce
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db.models import Model, Q, QuerySet

from tocsin.core.errors import InputError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A keyset page: `first` when it is not the first one, `next` and `previous` the cursors of its neighbours."""

    rows: list[Row]
    first: bool = False
    next: str = ""
    previous: str = ""
    name: str = "after"
    """Of the value in the address that holds the cursor: a page with two lists has two."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a list: which rows, and what they are sorted by.

    The last is what no two rows share, and none is ever empty: databases do not agree where in an order nothing stands,
    so what has no such moment yet is a part of its own.
    """

    by: tuple[str, ...]
    among: Q = field(default_factory=Q)


NEWEST_FIRST = (Part(("-pk",)),)
"""Rows by their numbers."""


class _Place(NamedTuple):
    """Where a page begins: behind, or before, the row that stands there in its part."""

    is_backwards: bool
    part: int
    values: tuple[Any, ...]


def page_of(
    found: QuerySet[Any], parts: Sequence[Part], cursor: str, size: int, *, name: str = "after"
) -> Page[Any]:  # fmt: skip
    """The page of the list that the cursor names; one that is not ours, or another list's, begins anew.

    However far down, it costs what the first page costs, where an index is sorted as each part is. What comes and goes
    meanwhile moves nothing: a row that keeps its place is on exactly one page of those that follow one another.
    """
    purpose = _purpose(found.model, parts)
    place = _place_in(cursor, purpose) if cursor else None
    if place is not None and place.is_backwards:
        entries = _taken(found, parts, place, size + 1)
        if len(entries) > size:
            entries = entries[:size][::-1]
            following, before = cursor_of(parts, *entries[-1]), cursor_of(parts, *entries[0], is_backwards=True)
            return Page([row for _, row in entries], True, following, before, name)
        place = None  # So little lies before it that this is the first page.
    entries = _taken(found, parts, place, size + 1)
    more, entries = len(entries) > size, entries[:size]
    following = cursor_of(parts, *entries[-1]) if more else ""
    before = cursor_of(parts, *entries[0], is_backwards=True) if place is not None and entries else ""
    return Page([row for _, row in entries], place is not None, following, before, name)


def is_cursor(found: QuerySet[Any], parts: Sequence[Part], cursor: str) -> bool:
    """Whether it was given out for such a list."""
    return unseal(cursor, _purpose(found.model, parts)) is not None


def cursor_of(parts: Sequence[Part], number: int, row: Model, *, is_backwards: bool = False) -> str:
    """Where the page begins that comes behind, or before, this row of the part with that number."""
    values = [_plain(_value_of(row, name.lstrip("-"))) for name in parts[number].by]
    return seal(orjson.dumps([is_backwards, number, values]).decode(), _purpose(type(row), parts))


def _purpose(model: type[Model], parts: Sequence[Part]) -> str:
    return f"page of {model._meta.label}: {[part.by for part in parts]}"


def newest_first(found: QuerySet[Any], cursor: str, size: int, *, name: str = "after") -> Page[Any]:
    """The page of a list whose rows stand by their numbers, the highest first."""
    return page_of(found, NEWEST_FIRST, cursor, size, name=name)


def _taken(found: QuerySet[Any], parts: Sequence[Part], place: _Place | None, most: int) -> list[tuple[int, Any]]:
    """So many rows from the place on, or from there back, each with the number of its part."""
    is_backwards = place is not None and place.is_backwards
    taken: list[tuple[int, Any]] = []
    for number in reversed(range(len(parts))) if is_backwards else range(len(parts)):
        part = parts[number]
        if place is not None and (number > place.part if is_backwards else number < place.part):
            continue
        inner = found.filter(part.among)
        order = [_turned(name) for name in part.by] if is_backwards else list(part.by)
        steps = _steps(order, place.values) if place is not None and number == place.part else iter([Q()])
        for step in steps:
            rows = inner.filter(step).order_by(*order)[: most - len(taken)]
            taken += [(number, row) for row in rows]
            if len(taken) == most:
                return taken
    return taken


def _steps(order: Sequence[str], values: Sequence[Any]) -> Iterator[Q]:
    """What comes behind these values, nearest first: the same in all but the last, then the same in all but the last
    two, and so on. Each is one stretch of an index, however many rows are equal in the first, whichever way it runs."""
    names = [name.lstrip("-") for name in order]
    for depth in reversed(range(len(order))):
        same = reduce(Q.__and__, (Q((names[at], values[at])) for at in range(depth)), Q())
        comparison = "lt" if order[depth].startswith("-") else "gt"
        yield same & Q((f"{names[depth]}__{comparison}", values[depth]))


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _value_of(row: Any, path: str) -> Any:
    return reduce(getattr, path.split("__"), row)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"at": value.isoformat()}
    return {"on": value.isoformat()} if isinstance(value, date) else value


def _place_in(cursor: str, purpose: str) -> _Place | None:
    text = unseal(cursor, purpose)
    if text is None:
        return None
    is_backwards, part, values = orjson.loads(text)
    return _Place(is_backwards, part, tuple(map(_lively, values)))


def _lively(value: Any) -> Any:
    if isinstance(value, dict):
        return datetime.fromisoformat(value["at"]) if "at" in value else date.fromisoformat(value["on"])
    return value


_SEALED = b"\x01"
"""How a cursor begins; those of before, which are Fernet's, begin with 0x80."""
_NONCE_BYTES = 12


def seal(place: str, purpose: str = "cursor") -> str:
    """A cursor that tells its reader nothing: numbers of rows would say how much there is that he may not see."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    said = _SEALED + nonce + _seal(purpose).encrypt(nonce, place.encode(), None)
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def unseal(cursor: str, purpose: str = "cursor") -> str | None:
    """What `seal` was given; None where it is not ours, or was given out for something else."""
    if cursor.startswith(_FORMER):
        return _unseal_former(cursor, purpose)
    try:
        said = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if said[:1] != _SEALED:
            return None
        nonce, body = said[1 : 1 + _NONCE_BYTES], said[1 + _NONCE_BYTES :]
        return _seal(purpose).decrypt(nonce, body, None).decode()
    except (ValueError, InvalidTag):
        return None


_FORMER = "gAAAA"


def _unseal_former(cursor: str, purpose: str) -> str | None:
    """The same of one that a program keeps from before: it goes on where it was."""
    try:
        return Fernet(base64.urlsafe_b64encode(_secret(purpose))).decrypt(cursor.encode()).decode()
    except InvalidToken:
        return None


def sealed_cursor(purpose: str, numbers: Sequence[int]) -> str:
    """A place in a list, as programs are given it."""
    return seal(".".join(map(str, numbers)), purpose)


def opened_cursor(purpose: str, cursor: str) -> list[int]:
    """The numbers of the place. Raises InputError for what was not given out for this purpose."""
    place = unseal(cursor, purpose)
    if place is None:
        raise InputError("not-an-id", field="cursor")
    return [int(number) for number in place.split(".")]


def _secret(purpose: str) -> bytes:
    return hashlib.sha256(f"{purpose}:{settings.SECRET_KEY}".encode()).digest()


def _seal(purpose: str) -> AESGCM:
    return _seal_of(purpose, settings.SECRET_KEY)


@lru_cache(maxsize=64)
def _seal_of(purpose: str, secret: str) -> AESGCM:
    # Not the former key: one key is for one cipher.
    return AESGCM(hashlib.sha256(f"cursor of {purpose}:{secret}".encode()).digest())
