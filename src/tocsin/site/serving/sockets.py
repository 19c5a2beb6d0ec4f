"""What a connection says of itself, and how several pieces leave it by one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

Piece = bytes | memoryview
MOST_PIECES = 64
"""Of one call; any system takes so many."""


def sent_together(descriptor: int, pieces: Sequence[Piece]) -> list[Piece]:
    """Give the system what it takes at once of these, as one stream of bytes; gives what is left of them.

    Whatever is the matter with the connection, who writes the rest will be told.
    """
    try:
        sent = os.writev(descriptor, pieces[:MOST_PIECES])
    except OSError:
        return list(pieces)
    left: list[Piece] = []
    for piece in pieces:
        if sent < len(piece):
            left.append(memoryview(piece)[sent:] if sent else piece)
        sent = max(0, sent - len(piece))
    return left


def pair_of(address: Any) -> tuple[str, int]:
    """Address and port; of a socket in the file system, neither."""
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else ("", 0)
