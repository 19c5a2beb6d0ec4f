"""The threads that run Django, and what they make of a request."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .rules import Rules

JOINED_BYTES = 256 << 10
"""Up to here what is made piece by piece is joined by the thread that is at it."""
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(slots=True)
class Answer:
    """What a thread made: whole, or still to be asked for piece by piece."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    pieces: Iterator[bytes] | None = None
    close: Callable[[], None] = lambda: None


class Lane:
    """Some threads, and how many requests wait for one of them."""

    def __init__(self, threads: int, waiting: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = threads
        self._waiting = waiting
        self._open = 0

    @property
    def is_full(self) -> bool:
        """Whether so many wait that one more had better come again."""
        return self._open >= self._threads + self._waiting

    def run(self, task: Callable[[], Any]) -> Future[Any]:
        """Have it done; called by the loop alone."""
        self._open += 1
        return self._pool.submit(task)

    def done(self) -> None:
        """One of them was answered; called by the loop alone."""
        self._open -= 1

    def shut(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """Threads for pages, for large bodies on their way in, and for answers made piece by piece.

    They are apart so that who hands over much, or takes much away, never holds what pages need.
    """

    def __init__(self, application: Application, rules: Rules) -> None:
        self._application = application
        self.pages = Lane(rules.page_threads, rules.waiting_pages, "page")
        self.bodies = Lane(rules.body_threads, rules.waiting_bodies, "body")
        # One thread each: an answer is made by one thread from its beginning to its end, as databases demand.
        streams = [ThreadPoolExecutor(1, thread_name_prefix=f"stream-{each}") for each in range(rules.stream_threads)]
        self._streams = streams
        self._turns = itertools.cycle(streams)

    def stream(self) -> ThreadPoolExecutor:
        """The thread that shall make the pieces of one answer."""
        return next(self._turns)

    def shut(self) -> None:
        self.pages.shut()
        self.bodies.shut()
        for each in self._streams:
            each.shutdown(wait=False, cancel_futures=True)

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Ask Django; in one of its threads."""
        said: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_error: Any) -> None:
            said.append((int(status.split(" ", 1)[0]), headers))

        made: Any = self._application(environ, start_response)
        close = getattr(made, "close", lambda: None)
        status, headers = said[-1]
        if environ["REQUEST_METHOD"] == "HEAD":
            close()
            return Answer(status, headers)
        if getattr(made, "streaming", False) and not _is_short(headers):
            return Answer(status, headers, pieces=iter(made), close=close)
        try:
            return Answer(status, headers, body=b"".join(made))
        finally:
            close()


def _is_short(headers: list[tuple[str, str]]) -> bool:
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return bool(lengths) and lengths[0].isdigit() and int(lengths[0]) <= JOINED_BYTES
