"""Processes that help one: what each does first. They know no database."""

from __future__ import annotations

import gc
import multiprocessing
import os
from multiprocessing import connection
from threading import Thread

from . import buckets

_OBJECTS_BETWEEN_SEARCHES = 200_000


def begin(mounts: tuple[buckets.Mount, ...] = ()) -> None:
    """End when the process does that started this one, know its buckets, and do not look for circles all the time."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()
    buckets.mount(*mounts)
    # Thousands of small objects for each package, none of them in a circle: looking for circles is in vain.
    gc.set_threshold(_OBJECTS_BETWEEN_SEARCHES)


def _end_after(sentinel: int) -> None:
    """Nobody would fetch what is made here, and the folder that it is made in may be swept."""
    connection.wait([sentinel])
    os._exit(1)
