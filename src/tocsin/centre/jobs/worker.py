"""The loop of a worker: claim, do, say how it went; stop gently when told."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from tocsin.core.errors import Conflict, Unavailable

from . import services

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
TICK_SECONDS = 20.0
REST_SECONDS = 60.0
"""After so long without work a worker gives back what the work has left in memory."""
TRIES_UNTIL_IDLE = 20
"""How often a worker that ends when idle asks for a database that is not there."""
Handler = Callable[[services.Claim], None]
"""Does the work and calls `services.finish` in its transaction; raises when it could not."""


@runtime_checkable
class GivesUp(Protocol):
    """A handler that has more to do than to fail when its work is given up."""

    def give_up(self, claim: services.Claim, why: str) -> None:
        """End it for good, with `services.finish` or `services.fail`."""


Tick = Callable[[datetime], object]
"""Puts timed work that is due into the queue. Every worker calls it, so it must do no harm when called often."""


def worker_name() -> str:
    """Unique for this run of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"[:80]


def run_one(name: str, handlers: Mapping[str, Handler], unsaid: list[services.Claim] | None = None) -> bool:
    """Do the next piece of work; False when there was none. What a lost database kept from saying joins `unsaid`."""
    claimed = services.claim(name, list(handlers), datetime.now(UTC))
    if claimed is None:
        return False
    try:
        if claimed.is_deadly:
            _give_up(handlers[claimed.kind], claimed)
        else:
            handlers[claimed.kind](claimed)
    except Conflict as error:
        log.warning("job %s: %s", claimed.job, error)
        services.excuse(claimed, datetime.now(UTC), str(error))
    except (Unavailable, OperationalError, InterfaceError) as error:
        log.warning("job %s waits: %s", claimed.job, error)
        # A full disk or a lost database is no fault of the work: it waits for as long as that lasts.
        _say_when_possible(claimed, str(error), unsaid)
    except Exception as error:
        log.exception("job %s of kind %s failed", claimed.job, claimed.kind)
        services.fail(claimed, datetime.now(UTC), f"{type(error).__name__}: {error}")
    return True


def _give_up(handler: object, claimed: services.Claim) -> None:
    why = f"the worker ended {claimed.deaths} times while doing this"
    log.error("job %s of kind %s is given up: %s", claimed.job, claimed.kind, why)
    if isinstance(handler, GivesUp):
        handler.give_up(claimed, why)
    else:
        services.fail(claimed, datetime.now(UTC), why, permanent=True)


def _say_when_possible(claimed: services.Claim, why: str, unsaid: list[services.Claim] | None) -> None:
    try:
        services.fail(claimed, datetime.now(UTC), why, forever=True)
    except (OperationalError, InterfaceError):
        if unsaid is not None:
            unsaid.append(claimed)
        raise


def work(
    handlers: Mapping[str, Handler], stop: threading.Event, *, until_idle: bool = False, tick: Tick | None = None,
    rest: Callable[[], None] | None = None,
) -> None:  # fmt: skip
    """Work until told to stop, or, with `until_idle`, until nothing is left that is due.

    `tick` is called now and then by a worker that goes on: it may put timed work into the queue. `rest` is called by
    one that has had nothing to do for a while.
    """
    name = worker_name()
    tries, ticked, worked = 0, -TICK_SECONDS, time.monotonic()
    unsaid: list[services.Claim] = []
    while not stop.is_set():
        try:
            close_old_connections()
            while unsaid:  # Before anything is claimed, or a lost database would count as the death of a worker.
                services.excuse(unsaid[-1], datetime.now(UTC), "the database was lost")
                unsaid.pop()
            if tick is not None and not until_idle and time.monotonic() - ticked > TICK_SECONDS:
                ticked = time.monotonic()
                tick(datetime.now(UTC))
            if run_one(name, handlers, unsaid):
                tries, worked = 0, time.monotonic()
                continue
            if rest is not None and time.monotonic() - worked > REST_SECONDS:
                worked = time.monotonic()
                rest()
        except (OperationalError, InterfaceError) as error:
            log.warning("the database is not there: %s", error)
            connection.close()
            tries += 1
            if until_idle and tries < TRIES_UNTIL_IDLE:
                stop.wait(IDLE_SECONDS)
                continue
        if until_idle:
            return
        stop.wait(IDLE_SECONDS)
