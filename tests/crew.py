"""One worker's handlers for all tests of a process: starting the reading process costs more than most tests."""

from __future__ import annotations

import atexit
import threading
from functools import cache

from tocsin.centre.jobs.worker import Handler, Stops, run_one
from tocsin.site import wiring


@cache
def handlers() -> dict[str, Handler]:
    """The handlers, with the reading process that they start. Whatever it needs to know comes with each order."""
    made = wiring.handlers()
    atexit.register(wiring.close, made)
    return made


def work() -> None:
    """Do all that is due, as a worker would."""
    for handler in handlers().values():
        if isinstance(handler, Stops):
            handler.told = threading.Event()  # A test that ran a worker with them left its word to stop.
    while run_one("tests", handlers()):
        pass
