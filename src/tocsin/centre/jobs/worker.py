"""The loop of a worker: claim, do, say how it went; stop gently when told."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from django.db import DatabaseError, close_old_connections, connection

from tocsin.core.errors import Conflict, Unavailable
from tocsin.core.machine_faults import SENTENCES, fault_of

from . import services

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
TICK_SECONDS = 20.0
STOP_SECONDS = 15.0
"""After the word to stop, for what cannot be left undone; what can is given back at once."""
LONG = 64 << 20
"""Work of more than so many bytes is long: where there are several workers, one takes none."""
PATIENT_EVERY = 8
"""Of so many pieces of work, one is what has waited long."""
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


@runtime_checkable
class Stops(Protocol):
    """A handler that can leave its work undone: it looks at `told` and raises `services.GivenBack`."""

    told: threading.Event


@runtime_checkable
class Joins(Protocol):
    """A handler that does several pieces of work at once, where they are such that it can (`services.TOGETHER`)."""

    most_together: int
    most_cost_together: int

    def together(self, claims: Sequence[services.Claim]) -> None:
        """Do them as the handler does each, or part them (`services.part`)."""


Tick = Callable[[datetime], object]
"""Puts timed work that is due into the queue. Every worker calls it, so it must do no harm when called often."""


def worker_name() -> str:
    """Unique for this run of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"[:80]


@dataclass(slots=True)
class Hands:
    """What one worker holds, and what it takes."""

    name: str
    kinds: Sequence[str] = ()
    most_cost: int | None = None
    """Of what it takes: who takes nothing long stays free for what is short."""
    claims: int = 0
    held: list[services.Claim] = field(default_factory=list)
    unsaid: list[services.Claim] = field(default_factory=list)
    """What a lost database kept it from saying."""
    waiting: dict[int, str] = field(default_factory=dict)
    """Pieces of work that it left to wait for the machine, and what that lacked."""

    def claim(self) -> services.Claim | None:
        """The next piece of work; now and then one that has waited long."""
        is_patient = self.claims % PATIENT_EVERY == PATIENT_EVERY - 1
        now = datetime.now(UTC)
        found = services.claim(self.name, self.kinds, now, most_cost=self.most_cost, is_patient=is_patient)
        self.claims += found is not None
        self.held = [] if found is None else [found]
        return found

    def claim_beside(self, handler: Joins) -> list[services.Claim]:
        """All that is held, with what can be done together with it."""
        self.held += services.claim_beside(
            self.held[0],
            self.kinds,
            datetime.now(UTC),
            most=handler.most_together,
            most_cost=handler.most_cost_together,
        )
        return self.held


def run_one(name: str, handlers: Mapping[str, Handler], hands: Hands | None = None) -> bool:
    """Do the next piece of work; False when there was none."""
    hands = hands or Hands(name)
    hands.kinds = list(handlers)
    claimed = hands.claim()
    if claimed is None:
        return False
    try:
        _do(claimed, handlers[claimed.kind], hands)
    finally:
        hands.held = []
    return True


def _why(error: Exception) -> str:
    """What the machine lacks, for people."""
    fault = fault_of(error)
    return str(error) if fault is None else SENTENCES[fault]


def _do(claimed: services.Claim, handler: Handler, hands: Hands) -> None:
    joins: object = handler
    hands.waiting.pop(claimed.job, None)
    try:
        if claimed.is_deadly:
            _give_up(handler, claimed)
        elif isinstance(joins, Joins) and len(held := hands.claim_beside(joins)) > 1:
            joins.together(held)
        else:
            handler(claimed)
    except services.GivenBack:
        for each in hands.held:
            services.release(each, datetime.now(UTC))
    except Conflict as error:
        log.warning("job %s: %s", claimed.job, error)
        for each in hands.held:
            services.excuse(each, datetime.now(UTC), str(error))
    except Exception as error:
        if isinstance(error, Unavailable) or fault_of(error) is not None:
            log.warning("job %s waits: %s", claimed.job, error)
            hands.waiting.update((each.job, _why(error)) for each in hands.held)
            # A full disk or a lost database is no fault of the work: it waits for as long as that lasts.
            _say_when_possible(str(error), hands)
            return
        log.exception("job %s of kind %s failed", claimed.job, claimed.kind)
        if len(hands.held) > 1:  # Whichever it was: each alone is told apart.
            services.part(hands.held, datetime.now(UTC))
        else:
            services.fail(claimed, datetime.now(UTC), f"{type(error).__name__}: {error}")


def _give_up(handler: object, claimed: services.Claim) -> None:
    why = f"the worker ended {claimed.deaths} times while doing this"
    log.error("job %s of kind %s is given up: %s", claimed.job, claimed.kind, why)
    if isinstance(handler, GivesUp):
        handler.give_up(claimed, why)
    else:
        services.fail(claimed, datetime.now(UTC), why, permanent=True)


def _say_when_possible(why: str, hands: Hands) -> None:
    unsaid = list(hands.held)
    try:
        while unsaid:
            services.fail(unsaid[0], datetime.now(UTC), why, forever=True)
            unsaid.pop(0)
    except DatabaseError:
        hands.unsaid += unsaid
        raise


def work(
    handlers: Mapping[str, Handler], stop: threading.Event, *, until_idle: bool = False, tick: Tick | None = None,
    is_spare: bool = False, is_process: bool = False, rest: Callable[[], None] | None = None,
) -> list[str]:  # fmt: skip
    """Work until told to stop, or, with `until_idle`, until nothing is left that is due; of what waits for the machine
    then, says piece by piece what is lacking.

    `tick` is called now and then by a worker that goes on: it may put timed work into the queue. A spare worker takes
    nothing long. A worker that is the whole process ends with it, a while after it was told to stop, whatever it does.
    `rest` is called by one that has had nothing to do for a while.
    """
    hands = Hands(worker_name(), most_cost=LONG if is_spare else None)
    for handler in handlers.values():
        _let_know(handler, stop)
    if is_process:
        threading.Thread(target=_end_late, args=(stop, hands), daemon=True).start()
    tries, ticked, worked = 0, -TICK_SECONDS, time.monotonic()
    while not stop.is_set():
        try:
            close_old_connections()
            while hands.unsaid:  # Before anything is claimed, or a lost database would count as the death of a worker.
                services.excuse(hands.unsaid[-1], datetime.now(UTC), "the database was lost")
                hands.unsaid.pop()
            if tick is not None and not until_idle and time.monotonic() - ticked > TICK_SECONDS:
                ticked = time.monotonic()
                tick(datetime.now(UTC))
            if run_one(hands.name, handlers, hands):
                tries, worked = 0, time.monotonic()
                continue
            if rest is not None and time.monotonic() - worked > REST_SECONDS:
                worked = time.monotonic()
                rest()
        except Exception as error:
            if fault_of(error) is None:
                raise
            # A database that is away, full or read-only, or a full disk: who waits is there when it is over.
            log.warning("the worker waits: %s", error)
            connection.close()
            tries += 1
            if until_idle and tries < TRIES_UNTIL_IDLE:
                stop.wait(IDLE_SECONDS)
                continue
            if until_idle:
                return [*hands.waiting.values(), _why(error)]
        if until_idle:
            return list(hands.waiting.values())
        stop.wait(IDLE_SECONDS)
    return []


def _let_know(handler: object, stop: threading.Event) -> None:
    if isinstance(handler, Stops):
        handler.told = stop


def _end_late(stop: threading.Event, hands: Hands) -> None:
    """What takes too long to finish is given back, and the process ends: its transaction is undone by that."""
    stop.wait()
    time.sleep(STOP_SECONDS)
    try:
        for held in list(hands.held):
            log.warning("job %s of kind %s is given back undone", held.job, held.kind)
            services.release(held, datetime.now(UTC))
    finally:
        os._exit(0)
