"""Work that may be done together: what stands next in the queue, in its order, and what becomes of it when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job, Share
from tocsin.core.errors import Conflict, Unavailable

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KIND = "test-work"


def enqueue(subject: str, owner: int = 1, **said: Any) -> None:
    payload = {jobs.TOGETHER: True} if said.pop("joins", True) else {}
    jobs.enqueue(said.pop("kind", KIND), subject, payload, at=NOW, owner=owner, **said)


def beside(most: int = 9, most_cost: int = 1 << 20, kinds: Sequence[str] = (KIND, "other")) -> list[str]:
    """Subjects of what one claim takes: the first, and those beside it."""
    first = jobs.claim("one", kinds, NOW)
    assert first is not None
    found = jobs.claim_beside(first, kinds, NOW, most=most, most_cost=most_cost)
    assert {(claim.worker, claim.attempt) for claim in found} <= {("one", 1)}
    return [claim.subject for claim in (first, *found)]


def test_it_ends_at_what_is_of_another_kind_or_has_to_be_done_alone() -> None:
    for number in range(3):
        enqueue(f"{number}", cost=10)
    enqueue("other", kind="other", cost=10)
    enqueue("behind it", cost=10)
    assert beside() == ["0", "1", "2"]
    assert beside() == ["other"], "another kind may join its own alone"
    assert beside() == ["behind it"]
    enqueue("a")
    enqueue("alone", joins=False)
    enqueue("b")
    assert [beside(), beside(), beside()] == [["a"], ["alone"], ["b"]]


def test_so_many_and_so_much_at_most() -> None:
    for number in range(6):
        enqueue(f"{number}", cost=100)
    assert beside(most=3) == ["0", "1", "2"]
    assert beside(most_cost=150) == ["3", "4"]


def test_what_was_tried_before_is_done_alone() -> None:
    enqueue("a")
    enqueue("b")
    Job.objects.filter(subject="b").update(attempts=1)
    assert beside() == ["a"]
    Job.objects.filter(subject="a").update(state=Job.State.WAITING)
    enqueue("c")
    first = jobs.claim("one", [KIND], NOW)
    assert first is not None
    assert first.attempt == 2
    assert jobs.claim_beside(first, [KIND], NOW, most=9, most_cost=1 << 20) == []


owners = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1 << 18), st.sampled_from([0, 0, 9])), max_size=14)


class TestFair(TestCase):
    @settings(max_examples=40, deadline=None)
    @given(owners, st.integers(1, 5))
    def test_nobody_gets_ahead_of_anybody_by_it(self, waiting: list[tuple[int, int, int]], most: int) -> None:
        """Taken together, the order is that in which each would be taken alone."""
        orders = []
        for at_once in (1, most):
            Job.objects.all().delete()
            Share.objects.all().delete()
            for number, (owner, cost, priority) in enumerate(waiting):
                enqueue(f"{number}", owner, cost=cost, priority=priority)
            order: list[str] = []
            while len(order) < len(waiting):
                order += beside(at_once)
            orders.append(order)
        assert orders[0] == orders[1]


class Joined:
    """A handler that fails as it is told, for all at once."""

    most_together = 9
    most_cost_together = 1 << 20

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.told: list[list[str]] = []

    def __call__(self, claim: jobs.Claim) -> None:
        self.told.append([claim.subject])
        jobs.finish(claim, NOW)

    def together(self, claims: Sequence[jobs.Claim]) -> None:
        self.told.append([claim.subject for claim in claims])
        raise self.error


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (jobs.GivenBack(), ("waiting", 0, True)),
        (Unavailable("no room"), ("waiting", 1, True)),
        (OperationalError("gone"), ("waiting", 1, True)),
        (Conflict("the lease was lost"), ("waiting", 1, True)),
        (ZeroDivisionError(), ("waiting", 0, False)),
    ],
)
def test_when_it_fails_none_of_them_is_lost(error: Exception, state: tuple[str, int, bool]) -> None:
    for number in range(3):
        enqueue(f"{number}")
    handler = Joined(error)
    assert worker.run_one("one", {KIND: handler})
    assert handler.told == [["0", "1", "2"]]
    found = Job.objects.values_list("state", "attempts", "payload")
    assert {(each, attempts, jobs.TOGETHER in said) for each, attempts, said in found} == {state}


def test_what_failed_together_is_done_alone() -> None:
    for number in range(3):
        enqueue(f"{number}")
    handler = Joined(ZeroDivisionError())
    while worker.run_one("one", {KIND: handler}):
        pass
    assert handler.told == [["0", "1", "2"], ["0"], ["1"], ["2"]]
    assert set(Job.objects.values_list("state", "attempts", "deaths")) == {("done", 1, 0)}


def test_one_lease_that_was_lost_keeps_all_from_being_finished() -> None:
    for number in range(3):
        enqueue(f"{number}")
    first = jobs.claim("one", [KIND], NOW)
    assert first is not None
    others = jobs.claim_beside(first, [KIND], NOW, most=9, most_cost=1 << 20)
    jobs.renew(first, NOW, beside=others)
    Job.objects.filter(subject="1").update(worker="two", attempts=2)
    for late in (jobs.renew, jobs.finish):
        with pytest.raises(Conflict):
            late(first, NOW, beside=others)
