"""Lists that are read page by page, each from where the last one ended."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db.models import Model, QuerySet

from tocsin.core.errors import InputError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A keyset page: `first` when it is not the first one, `next` the cursor of the following one."""

    rows: list[Row]
    first: bool = False
    next: str = ""


def newest_first(found: QuerySet[Model], cursor: str, size: int) -> Page[Any]:
    """The page of a list that begins after the cursor: rows by their numbers, the highest first. However far down, it
    costs what the first page costs; a cursor that is not ours begins anew."""
    place = unseal(cursor) if cursor else None
    if place is not None and place.isdecimal():
        found = found.filter(pk__lt=int(place))
    rows = list(found.order_by("-pk")[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(rows, place is not None, seal(str(rows[-1].pk)) if more else "")


def seal(place: str, purpose: str = "cursor") -> str:
    """A cursor that tells its reader nothing: numbers of rows would say how much there is that he may not see."""
    return _seal(purpose).encrypt(place.encode()).decode()


def unseal(cursor: str, purpose: str = "cursor") -> str | None:
    """What `seal` was given; None where it is not ours, or was given out for something else."""
    try:
        return _seal(purpose).decrypt(cursor.encode()).decode()
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


def _seal(purpose: str) -> Fernet:
    return _seal_of(f"{purpose}:{settings.SECRET_KEY}")


@lru_cache(maxsize=64)
def _seal_of(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))
