"""Identifiers made of what they name, and moments as text: called millions of times, hence without detours."""

from __future__ import annotations

import hashlib
from datetime import datetime

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def uuid5_text(namespace: bytes, name: str) -> str:
    """UUID version 5 (RFC 9562 section 5.5) as text; the same as `uuid.uuid5`, at a third of its cost."""
    digest = hashlib.sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


def moment_text(moment: object) -> str:
    """RFC 3339 with milliseconds. The moment must be in UTC, as all of the lake's are."""
    assert isinstance(moment, datetime)
    return moment.isoformat("T", "milliseconds")[:23] + "Z"
