"""Where the database has no connection left, threads of the portal give theirs back after each request.

Each keeps one for a while otherwise, and with fewer connections than threads those without one would be refused for as
long as those that have nothing to do sit on theirs.
"""

from __future__ import annotations

import time

from django.core.signals import request_finished
from django.db import connection

SPARING_SECONDS = 60.0
_until = 0.0


def begin() -> None:
    """Somebody was told to come again: it may have been for want of a connection."""
    global _until
    _until = time.monotonic() + SPARING_SECONDS


def watch() -> None:
    """From now on, look at it at the end of each request."""
    request_finished.connect(_give_back, dispatch_uid="tocsin.site.sparing")


def _give_back(**_said: object) -> None:
    # A file has no bound to its connections, and the last one to be closed writes all that waits beside it.
    if connection.vendor == "postgresql" and time.monotonic() < _until and not connection.in_atomic_block:
        connection.close()
