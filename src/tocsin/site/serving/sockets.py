"""What a connection says of itself, and how its socket is told to gather packets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any


def cork_of(connection: Any) -> Callable[[int, int, int], None] | None:
    """How the socket is told to gather packets, where its system can."""
    is_one = hasattr(socket, "TCP_CORK") and connection.family in (socket.AF_INET, socket.AF_INET6)
    return connection.setsockopt if is_one else None


def pair_of(address: Any) -> tuple[str, int]:
    """Address and port; of a socket in the file system, neither."""
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else ("", 0)
