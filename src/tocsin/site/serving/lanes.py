"""The threads that run Django, and what they make of a request."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from .askers import Askers
from .hands import Hands
from .rules import MACHINE_DOORS, Rules
from .turns import Turns

JOINED_BYTES = 256 << 10
"""Up to here what is made piece by piece is joined by the thread that is at it."""
LATELY_SECONDS = 1.0
"""Who asked for a page so short a time ago reads it, and is about to ask for the next."""
REST_SECONDS = 0.05
"""At most between two beginnings of large bodies, while pages are asked for."""
Later = Callable[[float, Callable[[], None]], object]
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
    """Some threads, and the requests that wait for one of them; called by the loop alone.

    One asker has at most three quarters of them at once. A lane that is `behind` others has half of its
    threads while those have work: the interpreter runs one thread at a time, and the more there are that compute, the
    longer each of them waits.
    """

    def __init__(self, threads: int, waiting: int, name: str, behind: Lane | None = None) -> None:
        self._pool = Hands(threads, name)
        self._threads = threads
        self._turns: Turns[tuple[Future[Any], Callable[[], Any]]] = Turns(waiting)
        self._held: dict[Future[Any], str] = {}
        self._by_asker = Counter[str]()
        self._behind, self._followers = behind, list[Lane]()
        self.asked_at = float("-inf")
        """When something was last asked for here."""
        if behind is not None:
            behind._followers.append(self)

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered here, or waits for it."""
        return bool(self._held or len(self._turns))

    def run(self, task: Callable[[], Any], asker: str) -> Future[Any]:
        """Have it done in its turn; cancelled, where so much waits that it had better come again."""
        self.asked_at = time.monotonic()
        waits: Future[Any] = Future()
        out = self._turns.add(asker, (waits, task))
        self._go_on()
        if out is not None:
            out[0].cancel()
        return waits

    def done(self, ended: Future[Any]) -> None:
        """It was answered, or cancelled."""
        asker = self._held.pop(ended, None)
        if asker is None:
            return
        self._by_asker[asker] -= 1
        if not self._by_asker[asker]:
            del self._by_asker[asker]
        self._go_on()
        if not self.is_busy:
            for each in self._followers:
                each._go_on()

    def reads_on(self, task: Future[Any] | None) -> None:
        """A thread here has begun to wait for its client, and computes no more for now."""

    def shut(self) -> None:
        """No more is begun."""
        self._pool.end()

    @property
    def _most(self) -> int:
        """How many may be answered at once, as things stand."""
        is_second = self._behind is not None and self._behind.is_busy
        return max(1, self._threads // 2) if is_second else self._threads

    @property
    def _may_go_on(self) -> bool:
        return len(self._held) < self._most

    def _may_have_another(self, asker: str) -> bool:
        return self._by_asker[asker] < max(1, self._most * 3 // 4)

    def _go_on(self) -> None:
        while self._may_go_on and (found := self._turns.next(self._may_have_another)) is not None:
            asker, (waits, task) = found
            self._held[waits] = asker
            self._by_asker[asker] += 1
            self._begin(waits)
            self._pool.do(partial(_into, waits, task))

    def _begin(self, task: Future[Any]) -> None:
        """Note what is about to be begun."""


class BodyLane(Lane):
    """Threads that read large bodies: most of the time they wait for their clients.

    Before the first byte is read it is asked who sends and whether there is room, and that computes: so few are let to
    it at once that pages do not wait for them. While somebody reads pages it is one, and then for twice as long none:
    clients that come by the hundred and send nothing would have a thread compute beside each page that is made.
    """

    def __init__(
        self, threads: int, waiting: int, name: str, behind: Lane, beginning: int, later: Later | None = None
    ) -> None:
        super().__init__(threads, waiting, name, behind)
        self._most_beginning = beginning
        self._beginning: dict[Future[Any], float] = {}
        self._rests_until = float("-inf")
        self._later = later or _on_the_loop
        self._is_told = False

    def done(self, ended: Future[Any]) -> None:
        self._has_begun(ended)
        super().done(ended)

    def reads_on(self, task: Future[Any] | None) -> None:
        if task is not None and self._has_begun(task):
            self._go_on()

    def _has_begun(self, task: Future[Any]) -> bool:
        since = self._beginning.pop(task, None)
        if since is None:
            return False
        now = time.monotonic()
        self._rests_until = now + min(REST_SECONDS, 2 * (now - since))
        return True

    @property
    def _most(self) -> int:
        return self._threads

    @property
    def _may_go_on(self) -> bool:
        if len(self._held) >= self._threads:
            return False
        pages, now = self._behind, time.monotonic()
        if pages is None or not (pages.is_busy or now - pages.asked_at < LATELY_SECONDS):
            return len(self._beginning) < self._most_beginning
        if self._beginning:
            return False
        if now < self._rests_until:
            self._go_on_after(self._rests_until - now)
            return False
        return True

    def _go_on_after(self, seconds: float) -> None:
        if len(self._turns) and not self._is_told:
            self._is_told = True
            self._later(seconds, self._go_on_now)

    def _go_on_now(self) -> None:
        self._is_told = False
        self._go_on()

    def _begin(self, task: Future[Any]) -> None:
        self._beginning[task] = time.monotonic()


def _on_the_loop(seconds: float, task: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, task)


def _into(waits: Future[Any], task: Callable[[], Any]) -> Callable[[], None]:
    """Do it, in a thread; gives how to say what came of it."""
    if not waits.set_running_or_notify_cancel():
        return _nothing
    try:
        return partial(waits.set_result, task())
    except BaseException as error:  # As an executor does: whoever waits is told.
        return partial(waits.set_exception, error)


def _nothing() -> None:
    """It was cancelled, and that was told."""


class Lanes:
    """Threads for people's pages, for programs, for large bodies on their way in, and for answers made piece by piece.

    They are apart so that who hands over much, or takes much away, never holds what pages need.
    """

    def __init__(self, application: Application, rules: Rules) -> None:
        self._application = application
        self.askers = Askers()
        self.pages = Lane(rules.page_threads, rules.waiting_pages, "page")
        self.programs = Lane(rules.program_threads, rules.waiting_pages, "program", behind=self.pages)
        self.bodies = BodyLane(rules.body_threads, rules.waiting_bodies, "body", self.pages, rules.beginning_bodies)
        # One thread each: an answer is made by one thread from its beginning to its end, as databases demand.
        streams = [ThreadPoolExecutor(1, thread_name_prefix=f"stream-{each}") for each in range(rules.stream_threads)]
        self._streams = streams
        self._turns = itertools.cycle(streams)

    def of(self, path: str) -> Lane:
        """Where a request without a large body is answered."""
        return self.programs if path.startswith(MACHINE_DOORS) else self.pages

    def stream(self) -> ThreadPoolExecutor:
        """The thread that shall make the pieces of one answer."""
        return next(self._turns)

    def shut(self) -> None:
        for lane in (self.pages, self.programs, self.bodies):
            lane.shut()
        for each in self._streams:
            each.shutdown(wait=False, cancel_futures=True)

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Ask Django; in one of its threads."""
        said: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_error: Any) -> None:
            said.append((int(status.split(" ", 1)[0]), headers))

        made: Any = self._application(environ, start_response)
        self.askers.learn(environ)
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
