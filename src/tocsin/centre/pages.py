"""Lists that are read page by page, each from where the last one ended."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A keyset page: `first` when it is not the first one, `next` the cursor of the following one."""

    rows: list[Row]
    first: bool = False
    next: str = ""


def seal(place: str) -> str:
    """A cursor that tells its reader nothing: numbers of rows would say how much there is that he may not see."""
    return _seal().encrypt(place.encode()).decode()


def unseal(cursor: str) -> str | None:
    """What `seal` was given; None where it is not ours."""
    try:
        return _seal().decrypt(cursor.encode()).decode()
    except InvalidToken:
        return None


def _seal() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"cursor:{settings.SECRET_KEY}".encode()).digest()))
