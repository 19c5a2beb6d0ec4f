"""Who is next: each who asks has a line of their own, and a flood stands in its own (decision 52)."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
KNOWN_MOST = 20_000
"""Askers whose last turn is remembered though nothing of theirs waits."""


class Turns(Generic[Item]):
    """What waits, in the order in which its turn comes.

    The clock shows the turn of what was taken last. What comes in gets the turn after the last one of its asker, but
    never one that has passed: who asks one thing beside a flood is next, and who was away has saved nothing up.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: dict[str, deque[tuple[int, Item]]] = {}
        self._heads: list[tuple[int, int, str]] = []
        self._last: dict[str, int] = {}
        self._clock = 0
        self._numbers = itertools.count()
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def add(self, asker: str, item: Item) -> Item | None:
        """Put it in its asker's line. Where too much waits, the last of the longest line goes, and comes back."""
        out: Item | None = None
        if self._waiting >= self._most:
            longest = max(self._lines, key=lambda each: len(self._lines[each]), default=asker)
            if len(self._lines.get(longest, ())) <= len(self._lines.get(asker, ())) + 1:
                return item
            out = self._drop_last_of(longest)
        turn = max(self._clock, self._last.get(asker, 0))
        self._remember(asker, turn + 1)
        line = self._lines.setdefault(asker, deque())
        line.append((turn, item))
        self._waiting += 1
        if len(line) == 1:
            self._queue(asker, turn)
        return out

    def next(self, may: Callable[[str], bool]) -> tuple[str, Item] | None:
        """The next one of an asker who may have another; None where there is none."""
        aside: list[tuple[int, int, str]] = []
        found: tuple[str, Item] | None = None
        while self._heads and found is None:
            head = heapq.heappop(self._heads)
            asker = head[2]
            if not may(asker):
                aside.append(head)
                continue
            turn, item = self._lines[asker].popleft()
            self._clock, found = max(self._clock, turn), (asker, item)
            self._waiting -= 1
            if self._lines[asker]:
                self._queue(asker, self._lines[asker][0][0])
            else:
                del self._lines[asker]
        for head in aside:
            heapq.heappush(self._heads, head)
        return found

    def _queue(self, asker: str, turn: int) -> None:
        heapq.heappush(self._heads, (turn, next(self._numbers), asker))

    def _drop_last_of(self, asker: str) -> Item:
        # It is the longest of several lines, so that its head stays.
        turn, item = self._lines[asker].pop()
        self._last[asker] = turn
        self._waiting -= 1
        return item

    def _remember(self, asker: str, turn: int) -> None:
        self._last[asker] = turn
        if len(self._last) > KNOWN_MOST:
            self._last = {each: last for each, last in self._last.items() if last > self._clock}
