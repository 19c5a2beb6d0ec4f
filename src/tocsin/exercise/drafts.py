"""A delivery before it has a number: what every writer of files hands to the generator."""

from __future__ import annotations

from dataclasses import dataclass, field

from .plan import Expected


@dataclass(frozen=True, slots=True)
class Draft:
    """A file of one partner with its moment and what should become of it."""

    organisation: str
    name: str
    format: str
    content: bytes
    day: int
    hour: int = 9
    minute: int = 0
    expected: Expected = field(default_factory=Expected)
    profile: str = ""
    story: str = ""
    key: str = ""
    """Idempotency key of the sender; empty: one is made."""
    repeats: str = ""
    """Name of the earlier file of the same partner that this one repeats."""
