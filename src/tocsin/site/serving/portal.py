"""The process of the portal: listens, answers, and drains when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .lanes import Application, Lanes
from .rules import Rules
from .state import State
from .wire import Wire

if TYPE_CHECKING:
    from .at_once import AtOnce

log = logging.getLogger(__name__)
BACKLOG = 4_096
"""Connections that may wait to be taken in."""
TAKEN_AT_ONCE = 16
"""Of these, so many are taken in before those that are there already are looked at again."""
LOOK_SECONDS = 0.5
OTHER_FILES = 1_000
"""Of all files that the process may open, what is left for the database, the store and the lake."""
SWITCH_SECONDS = 0.001
"""How long a thread that computes keeps the loop waiting."""


def rules_here(rules: Rules) -> Rules:
    """As many connections as this process may open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = rules.connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        return replace(rules, connections=max(100, min(rules.connections, soft - OTHER_FILES)))
    return rules


async def serve(application: Application, host: str, port: int, rules: Rules, public: AtOnce | None = None) -> None:
    """Until SIGTERM, and then until what is under way is answered or the time for that is over."""
    loop = asyncio.get_running_loop()
    state = State(Lanes(application, rules), rules)
    state.public = public
    listening = await loop.create_server(lambda: Wire(state), host, port, backlog=TAKEN_AT_ONCE)
    for each in listening.sockets:  # The loop takes in as many at once as it says may wait: here these are two numbers.
        with socket.socket(fileno=os.dup(each.fileno())) as same:
            same.listen(BACKLOG)
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, lambda: os._exit(1) if told.is_set() else told.set())
    parent = os.getppid()
    while not told.is_set():
        await _look(state)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), LOOK_SECONDS)
        if os.getppid() != parent:  # Who started it was killed: nobody else would ever stop it.
            told.set()
    listening.close()
    state.stop()
    await _drained(state, rules)


async def _look(state: State) -> None:
    """Whatever one connection does, the others are served on."""
    try:
        for _ in state.look(time.monotonic()):
            await asyncio.sleep(0)
    except Exception:
        log.exception("the round over all connections failed")


async def _drained(state: State, rules: Rules) -> None:
    until = time.monotonic() + rules.drain_seconds
    while not state.is_quiet and time.monotonic() < until:
        await _look(state)
        await asyncio.sleep(0.05)
    state.cut()
    until = time.monotonic() + 1  # For the answers that say so.
    while not state.is_quiet and time.monotonic() < until:
        await asyncio.sleep(0.05)


def run(application: Application, host: str, port: int, rules: Rules, public: AtOnce | None = None) -> None:
    """Serve in this process."""
    # A terminal tells the whole group, and the command that started this tells it as well: only the latter counts.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_SECONDS)
    status = 1
    try:
        asyncio.run(serve(application, host, port, rules_here(rules), public))
        status = 0
    except OSError as error:
        log.error("the portal cannot listen at %s:%s: %s", host, port, error.strerror)
    except Exception:
        log.exception("the portal ends")
    finally:
        sys.stderr.flush()
        # Threads that still compute hold nothing that would be lost: what was not committed has no receipt.
        os._exit(status)
