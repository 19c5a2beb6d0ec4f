"""One finished output of an alert: where it lies below the root of the public site, and its bytes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class File:
    path: str
    media_type: str
    body: bytes = field(repr=False)
    language: str = ""
    """The language that it is in; empty: none, or all."""
