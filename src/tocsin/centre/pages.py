"""Lists that are read page by page, each from where the last one ended."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from tocsin.core.errors import InputError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A keyset page: `first` when it is not the first one, `next` the cursor of the following one."""

    rows: list[Row]
    first: bool = False
    next: str = ""


def sealed_cursor(purpose: str, numbers: Sequence[int]) -> str:
    """A place in a list, as programs are given it: batch numbers would tell how much there is that they may not see."""
    return _seal(purpose).encrypt(".".join(map(str, numbers)).encode()).decode()


def opened_cursor(purpose: str, cursor: str) -> list[int]:
    """The numbers of the place. Raises InputError for what was not given out for this purpose."""
    try:
        return [int(number) for number in _seal(purpose).decrypt(cursor.encode()).decode().split(".")]
    except InvalidToken:
        raise InputError("not-an-id", field="cursor") from None


def _seal(purpose: str) -> Fernet:
    secret = hashlib.sha256(f"{purpose}:{settings.SECRET_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(secret))
