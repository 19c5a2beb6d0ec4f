"""Who asks much at once waits behind themselves: nobody else's page or delivery stands behind a flood (decision 52)."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.faults.test_wire import LATEST, _request, _started

from tocsin.centre.refusals import ASKER
from tocsin.site.serving import lanes, state
from tocsin.site.serving.askers import Askers
from tocsin.site.serving.lanes import BodyLane, Lane
from tocsin.site.serving.rules import Rules
from tocsin.site.serving.turns import Turns

NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(events=st.lists(st.one_of(NAMES, st.none()), max_size=120))
def test_of_two_that_both_wait_neither_gets_ahead_by_more_than_one(events: list[str | None]) -> None:
    """Whatever comes and goes: as long as both have something waiting, their counts differ by one at most."""
    turns, waiting, taken = Turns[int](1_000), Counter[str](), list[str]()
    since: dict[str, int] = {}
    for number, name in enumerate(events):
        if name is not None:
            assert turns.add(name, number) is None
            since.setdefault(name, len(taken))
            waiting[name] += 1
        elif (found := turns.next(lambda _: True)) is not None:
            taken.append(found[0])
            waiting[found[0]] -= 1
            if not waiting[found[0]]:
                del since[found[0]]
        else:
            assert not +waiting
        for one in since:
            for other in since:
                both = taken[max(since[one], since[other]) :]
                assert abs(both.count(one) - both.count(other)) <= 1
    assert len(turns) == sum(waiting.values())


@given(names=st.lists(NAMES, max_size=60))
def test_each_asker_is_served_in_the_order_of_asking_and_nothing_is_lost(names: list[str]) -> None:
    turns = Turns[int](1_000)
    for number, name in enumerate(names):
        turns.add(name, number)
    taken = []
    while (found := turns.next(lambda _: True)) is not None:
        taken.append(found)
    for name in set(names):
        assert [number for asker, number in taken if asker == name] == [
            n for n, each in enumerate(names) if each == name
        ]
    assert len(taken) == len(names)


def test_where_too_much_waits_the_longest_line_gives_way() -> None:
    turns = Turns[str](4)
    assert [turns.add("flood", f"flood {number}") for number in range(5)] == [None] * 4 + ["flood 4"]
    assert turns.add("other", "other 0") == "flood 3"
    assert turns.add("other", "other 1") == "flood 2"
    assert turns.add("other", "other 2") == "other 2"  # Two lines of the same length: who is new comes again.
    found = [turns.next(lambda _: True) for _ in range(4)]
    assert [item for _, item in filter(None, found)] == ["flood 0", "other 0", "flood 1", "other 1"]


class Held:
    """Work for a lane that goes on until it is told to end."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.begun: list[str] = []

    def task(self, name: str) -> Callable[[], None]:
        def run() -> None:
            self.begun.append(name)
            assert self.end.wait(LATEST)

        return run

    def until(self, number: int) -> list[str]:
        until = time.monotonic() + LATEST
        while len(self.begun) < number:
            assert time.monotonic() < until, self.begun
            time.sleep(0.005)
        time.sleep(0.05)  # For one too many.
        return sorted(self.begun)


@pytest.fixture
def held() -> Any:
    made = Held()
    yield made
    made.end.set()


def test_one_asker_never_has_all_threads(held: Held) -> None:
    lane = Lane(4, 100, "page")
    for _ in range(9):
        lane.run(held.task("flood"), "flood")
    assert held.until(3) == ["flood"] * 3
    lane.run(held.task("other"), "other")
    assert held.until(4) == ["flood"] * 3 + ["other"]
    lane.shut()


def test_programs_have_half_of_their_threads_while_pages_are_asked_for(held: Held) -> None:
    pages = Lane(2, 100, "page")
    programs = Lane(4, 100, "program", behind=pages)
    page = Held()
    asked = pages.run(page.task("page"), "officer")
    for _ in range(3):
        programs.run(held.task("call"), "organisation:0")
    assert held.until(1) == ["call"]  # Nor has one organisation both of them.
    programs.run(held.task("other"), "organisation:1")
    assert held.until(2) == ["call", "other"]
    page.end.set()
    asked.result(LATEST)
    pages.done(asked)
    assert held.until(4) == ["call", "call", "call", "other"]
    for lane in (pages, programs):
        lane.shut()


def test_large_bodies_begin_two_at_a_time(held: Held) -> None:
    """However many come at once: who begins to wait for its client lets the next one begin."""
    lane = BodyLane(10, 100, "body", Lane(2, 10, "page"), beginning=2)
    tasks: list[Future[Any]] = [lane.run(held.task("body"), f"organisation:{number}") for number in range(6)]
    assert held.until(2) == ["body"] * 2
    lane.reads_on(tasks[0])
    lane.reads_on(tasks[0])
    assert held.until(3) == ["body"] * 3
    lane.shut()


def test_large_bodies_begin_one_by_one_with_rests_while_pages_are_read(held: Held) -> None:
    """Between two pages of one reader the threads for pages have nothing to do, and are wanted again at once."""
    pages, waits = Lane(2, 10, "page"), list[tuple[float, Callable[[], None]]]()
    lane = BodyLane(10, 100, "body", pages, beginning=2, later=lambda seconds, task: waits.append((seconds, task)))
    asked = pages.run(lambda: None, "officer")
    asked.result(LATEST)
    pages.done(asked)
    assert not pages.is_busy
    tasks: list[Future[Any]] = [lane.run(held.task("body"), f"organisation:{number}") for number in range(4)]
    assert held.until(1) == ["body"]
    lane.reads_on(tasks[0])
    assert held.until(1) == ["body"], "it rests"
    [(seconds, go_on)] = waits
    assert 0 < seconds <= lanes.REST_SECONDS
    time.sleep(seconds)
    go_on()
    assert held.until(2) == ["body"] * 2
    pages.asked_at -= lanes.LATELY_SECONDS
    lane.reads_on(tasks[1])
    assert held.until(4) == ["body"] * 4, "nobody reads pages any more"
    lane.shut()


def test_words_that_are_made_up_open_no_second_line() -> None:
    askers, flood = Askers(), {"REMOTE_ADDR": "192.0.2.7"}
    assert {askers.of({**flood, "HTTP_AUTHORIZATION": f"Bearer toc_{n}"}) for n in range(9)} == {"address:192.0.2.7"}
    said: dict[str, Any] = {**flood, "HTTP_AUTHORIZATION": "Bearer toc_good"}
    askers.learn({**said, ASKER: "organisation:4"})
    assert askers.of(said) == "organisation:4"
    assert askers.of({**said, "REMOTE_ADDR": "198.51.100.9"}) == "organisation:4"
    askers.learn(said)  # Revoked: Django names nobody any more.
    assert askers.of(said) == "address:192.0.2.7"
    six = {askers.of({"REMOTE_ADDR": f"2001:db8:0:1::{number}"}) for number in range(1, 9)}
    assert six == {"address:2001:db8:0:1::"}


def test_somebody_elses_page_does_not_wait_behind_a_flood(tmp_path: Path) -> None:
    """Sixty requests of one address, of a third of a second each, before two threads; then one of another address."""
    with _started(tmp_path, page_threads=2) as server:
        flood = [server.line() for _ in range(60)]
        for line in flood:
            line.sendall(_request("/wait?0.3"))
        time.sleep(0.3)
        with server.line(source="127.0.0.2") as line:
            line.sendall(_request("/page"))
            assert line.recv(100).startswith(b"HTTP/1.1 200 ")
        for line in flood:
            line.setblocking(False)
        assert sum(_is_answered(line) for line in flood) < 30
        for line in flood:
            line.close()


def _is_answered(line: Any) -> bool:
    try:
        return bool(line.recv(1))
    except BlockingIOError:
        return False


class Waits:
    """A connection of which only the round knows."""

    unsent_bytes = 0
    is_closed = False
    mark_at = 0.0

    def __init__(self) -> None:
        self.looked, self.ended = 0, 0

    def look(self, now: float) -> None:
        self.looked += 1

    def give_up(self) -> None:
        self.ended += 1

    abort = give_up


def test_the_round_over_ten_thousand_connections_lets_others_go_first() -> None:
    """It looks at each, in parts, and at nobody who went on meanwhile."""
    made = state.State(None, Rules(head_seconds=1))  # type: ignore[arg-type]
    heads, busy = [Waits() for _ in range(5_000)], [Waits() for _ in range(5_000)]
    for each in heads:
        made.join(each)  # type: ignore[arg-type]
    for each in busy:
        made.join(each)  # type: ignore[arg-type]
        made.asked(each)  # type: ignore[arg-type]
    looked, parts = list[int](), 0
    for _ in made.look(time.monotonic() + 2):
        parts += 1
        looked.append(sum(each.ended + each.looked for each in heads + busy))
        if parts == 1:
            for each in (heads[-1], busy[-1]):
                made.is_gone(each)  # type: ignore[arg-type]
    assert parts >= 49
    assert max(after - before for before, after in itertools.pairwise([0, *looked])) <= state.LOOKED_AT_ONCE
    assert [each.ended for each in heads] == [1] * 4_999 + [0]
    assert [each.looked for each in busy] == [1] * 4_999 + [0]
