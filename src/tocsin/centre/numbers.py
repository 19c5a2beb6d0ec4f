"""Numbers that people and programs are told, made so that they count nothing.

Whoever is shown two numbers that follow one another, or do not, knows how many there were in between that are kept from
it (DOMAIN 0, rule 3).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from django.conf import settings
from django.urls import register_converter


def drawn_number(prefix: str, at: datetime) -> str:
    """By which people refer to something: RC-2026-4F07A2C19B."""
    return f"{prefix}-{at.year}-{secrets.token_hex(5).upper()}"


NAME_LENGTH = 22
"""Of what stands in an address for a row."""


class RowConverter:
    """`<row:key>` in an address: the number of a row under this installation's secret, the same each time."""

    regex = "[A-Za-z0-9_-]{22}"

    def to_python(self, value: str) -> int:
        """Raises ValueError for what was never given out, which is an address of nothing."""
        block = _cipher().decryptor().update(base64.urlsafe_b64decode(f"{value}=="))
        if any(block[:8]):
            raise ValueError(value)
        return int.from_bytes(block[8:])

    def to_url(self, value: int) -> str:
        block = _cipher().encryptor().update(int(value).to_bytes(16))
        return base64.urlsafe_b64encode(block).decode().rstrip("=")


def row_named(name: str) -> int:
    """The row that a program means by what stands for it in an address; -1 for what was never given out."""
    try:
        return RowConverter().to_python(name) if len(name) == NAME_LENGTH else -1
    except ValueError:
        return -1


def _cipher() -> Cipher[ECB]:
    secret = hashlib.sha256(f"row:{settings.SECRET_KEY}".encode()).digest()
    return Cipher(AES(secret), ECB())  # noqa: S305 - one block alone, and no two numbers are to look alike.


register_converter(RowConverter, "row")
