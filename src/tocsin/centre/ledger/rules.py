"""What a source may read of who has what. Pure."""

from __future__ import annotations

FEW = 3
"""A source is not told of fewer than this: who it was could be guessed (W10)."""


def told_to_source(count: int) -> int | None:
    """A number as a source may read it; None: fewer than three."""
    return count if count >= FEW else None
