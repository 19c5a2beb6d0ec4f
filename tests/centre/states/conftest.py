"""A store of its own for each machine."""

from __future__ import annotations

from tests.doors.conftest import store

__all__ = ["store"]
