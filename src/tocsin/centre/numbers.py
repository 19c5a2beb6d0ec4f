"""Numbers by which people refer to what not everybody may know of."""

from __future__ import annotations

import secrets
from datetime import datetime


def drawn_number(prefix: str, at: datetime) -> str:
    """As RC-2026-4F07A2C19B: a number that counts nothing. Whoever was told of two that follow one another, or do not,
    would know how many there were in between that were kept from it (DOMAIN 0, rule 3)."""
    return f"{prefix}-{at.year}-{secrets.token_hex(5).upper()}"
