"""What the connections of one server share: who waits for what, and how much is held."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from email.utils import formatdate
from enum import Enum
from typing import TYPE_CHECKING, Any

from .environ import Headers
from .lanes import Lanes
from .rules import Rules

if TYPE_CHECKING:
    from .at_once import AtOnce
    from .wire import Wire

LOOKED_AT_ONCE = 200
"""Connections, before others go on."""


class Stage(Enum):
    """What is waited for."""

    HEAD = "the head of a request"
    BODY = "the rest of a small body"
    ANSWER = "the answer"
    LEAVING = "the client, to read its answer"


class State:
    """All connections by what they wait for; each set in the order in which its members joined it."""

    def __init__(self, lanes: Lanes, rules: Rules) -> None:
        self.lanes = lanes
        self.rules = rules
        self.public: AtOnce | None = None
        """The public site, where this server has one."""
        self.is_stopping = False
        self.small_bytes = 0
        """Announced of small bodies that are not whole yet."""
        self._date = (0, "")
        self._idle: OrderedDict[Wire, float] = OrderedDict()
        self._heads: OrderedDict[Wire, float] = OrderedDict()
        self._leaving: OrderedDict[Wire, float] = OrderedDict()
        self._busy: set[Wire] = set()
        self._holding: set[Wire] = set()
        """Those who may have something that was written and not taken."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def at_once(self, target: bytes, headers: Headers) -> bytes | None:
        """A whole answer that the loop gives by itself; None: a thread sees to it."""
        return None if self.public is None else self.public.answer(target, headers, self.date())

    def join(self, wire: Wire) -> bool:
        """A new connection; False: there is no room, even after closing one that waits for nothing."""
        if self.is_stopping:
            return False
        self._heads[wire] = time.monotonic()
        if self._count() <= self.rules.connections:
            return True
        for waiting in (self._leaving, self._idle, self._heads):
            oldest = next(iter(waiting), None)
            if oldest is not None and oldest is not wire:
                waiting.pop(oldest)
                oldest.abort()
                return True
        return False

    def _count(self) -> int:
        return len(self._idle) + len(self._heads) + len(self._leaving) + len(self._busy)

    def begins(self, wire: Wire) -> None:
        """The first byte of a request came."""
        if wire in self._idle:
            del self._idle[wire]
            self._heads[wire] = time.monotonic()

    def asked(self, wire: Wire) -> None:
        """Its head is whole."""
        self._heads.pop(wire, None)
        self._idle.pop(wire, None)
        self._busy.add(wire)

    def idles(self, wire: Wire) -> None:
        """It was answered and may ask again."""
        self._busy.discard(wire)
        self._idle[wire] = time.monotonic()

    def leaves(self, wire: Wire) -> None:
        """It was answered, and is to go."""
        self.leave(wire)
        if not wire.is_closed:
            self._leaving[wire] = time.monotonic()

    def leave(self, wire: Wire) -> None:
        """It is gone."""
        for waiting in (self._idle, self._heads, self._leaving):
            waiting.pop(wire, None)
        self._busy.discard(wire)

    def is_gone(self, wire: Wire) -> None:
        """Its connection is closed."""
        self.leave(wire)
        self._holding.discard(wire)

    def may_take(self, length: int) -> bool:
        """Whether so much more may be held of small bodies."""
        return self.small_bytes + length <= self.rules.small_total_bytes

    def date(self) -> str:
        """The header, made once a second."""
        second = int(time.time())
        if second != self._date[0]:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Let an answer that is under way live until it ends."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def look(self, now: float) -> Iterator[None]:
        """The round: whose time is over, and who holds too much. After so many it lets others go first: of ten thousand
        that are over at once, nobody else waits for all."""
        rules, count = self.rules, itertools.count(1)
        waiting: tuple[tuple[OrderedDict[Wire, float], float, Callable[[Wire], None]], ...] = (
            (self._heads, now - rules.head_seconds, lambda wire: wire.give_up()),
            (self._idle, now - rules.idle_seconds, lambda wire: wire.abort()),
            (self._leaving, now - rules.linger_seconds,
             lambda wire: wire.look(now) if wire.unsent_bytes else wire.abort()),
        )  # fmt: skip
        for those, before, act in waiting:
            for wire in _since(those, before):
                if those.get(wire, now) <= before:  # It may have gone on meanwhile.
                    act(wire)
                if next(count) % LOOKED_AT_ONCE == 0:
                    yield
        for wire in list(self._busy):
            if wire in self._busy:
                wire.look(now)
            if next(count) % LOOKED_AT_ONCE == 0:
                yield
        self._free()

    def holds(self, wire: Wire) -> None:
        """Its client has not taken all that was written."""
        self._holding.add(wire)

    def _free(self) -> None:
        """Where answers that nobody takes hold too much, give up those whose clients have waited longest."""
        self._holding = {each for each in self._holding if each.unsent_bytes}
        held = sum(each.unsent_bytes for each in self._holding)
        if held <= self.rules.answers_total_bytes:
            return
        for wire in sorted(self._holding, key=lambda each: each.mark_at):
            if held <= self.rules.answers_total_bytes:
                return
            held -= wire.unsent_bytes
            wire.abort()

    def stop(self) -> None:
        """Take no more requests."""
        self.is_stopping = True
        for wire in [*self._idle, *self._heads, *self._busy]:
            wire.stop()

    def cut(self) -> None:
        """Refuse what is still coming in."""
        for wire in list(self._busy):
            wire.cut()

    @property
    def is_quiet(self) -> bool:
        """Whether every request was answered."""
        return not any(wire.is_under_way for wire in (*self._busy, *self._leaving))


def _since(waiting: OrderedDict[Wire, float], before: float) -> list[Wire]:
    """Those who have waited since before that moment."""
    found = []
    for wire, since in waiting.items():
        if since > before:
            break
        found.append(wire)
    return found
