"""What the loop answers by itself: files of the public site that lie at hand, without a thread and without Django.

While somebody reads them, a thread asks a few times a second whether anything was published.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tocsin.centre.alerts.shelf import SHELF, Shelf, answer
from tocsin.centre.subscribers import reading

from .environ import Headers

log = logging.getLogger(__name__)
DOOR = b"/alerts/"
SETTLED_SECONDS = 60.0
"""How often what was read is added to what the database knows."""


class AtOnce:
    """The shelf of published files, as the loop uses it."""

    def __init__(self, shelf: Shelf = SHELF) -> None:
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="published")
        self._shelf = shelf
        self._is_asking = False
        self._settled_at = time.monotonic()

    def answer(self, target: bytes, headers: Headers, date: str) -> bytes | None:
        """The whole answer to a plain GET; None: it goes the usual way."""
        if not target.startswith(DOOR):
            return None
        if self._shelf.is_due and not self._is_asking:
            self._is_asking = True
            self._asker.submit(self._ask)
        path = target[len(DOOR) :].partition(b"?")[0]
        if b"%" in path:
            return None
        said = {name.decode("ascii"): value.decode("latin-1") for name, value in headers}
        return answer(self._shelf, path.decode("ascii"), said, date)

    def _ask(self) -> None:
        """In a thread. Where the database does not answer, the shelf grows old and nothing is answered from it."""
        from django.db import DatabaseError, InterfaceError, connection

        try:
            self._shelf.check()
            if time.monotonic() - self._settled_at > SETTLED_SECONDS:
                self._settled_at = time.monotonic()
                reading.settle(self._shelf.take_counts(), self._shelf.take_hosts(), datetime.now(UTC))
        except (DatabaseError, InterfaceError) as error:
            log.warning("whether anything was published is not known: %s", type(error).__name__)
            connection.close()
        finally:
            self._is_asking = False
