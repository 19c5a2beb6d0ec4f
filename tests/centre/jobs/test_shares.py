"""Fair shares: a flood lines up behind itself, nobody starves, and no worker is taken by long work alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job, Share
from tocsin.centre.jobs.shares import LEAST_COST

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KIND = "test-work"
GIGABYTE = 1 << 30


def enqueue(subject: str, owner: int, *, cost: int = 0, priority: int = 0, at: datetime = NOW) -> None:
    assert jobs.enqueue(KIND, subject, at=at, owner=owner, cost=cost, priority=priority) is not None


def order(number: int, at: datetime = NOW, **said: object) -> list[str]:
    """What the next claims get."""
    found = []
    for _ in range(number):
        claim = jobs.claim("one", [KIND], at, **said)  # type: ignore[arg-type]
        if claim is None:
            break
        found.append(claim.subject)
    return found


def test_a_flood_of_small_deliveries_delays_nobody_else() -> None:
    for number in range(300):
        enqueue(f"flood {number}", 1, cost=1_000)
    assert order(20) == [f"flood {number}" for number in range(20)]
    enqueue("other", 2, cost=50_000)
    enqueue("third", 3, cost=50_000)
    enqueue("urgent", 3, cost=50_000, priority=9)
    assert order(1) == ["urgent"]
    assert {"other", "third"} <= set(order(4))
    assert Job.objects.filter(state="waiting").count() == 300 - 22


def test_ten_huge_deliveries_delay_nobody_else() -> None:
    for number in range(10):
        enqueue(f"huge {number}", 1, cost=5 * GIGABYTE)
    assert order(1) == ["huge 0"]
    for number in range(200):
        enqueue(f"small {number}", 2, cost=1_000_000)
    # Two hundred of a megabyte are less than one of five gigabytes.
    assert order(201) == [*(f"small {number}" for number in range(200)), "huge 1"]


def test_who_was_idle_has_saved_nothing_up_and_owes_nothing() -> None:
    """Long ago one did much while nobody else was there: now both begin alike."""
    for number in range(50):
        enqueue(f"early {number}", 1, cost=GIGABYTE)
    assert len(order(50)) == 50
    for number in range(10):
        enqueue(f"b {number}", 2, cost=1_000)
        enqueue(f"a {number}", 1, cost=1_000)
    first = order(10)
    assert 4 <= sum(subject.startswith("b") for subject in first) <= 6


def test_what_the_centre_does_for_itself_goes_ahead() -> None:
    for number in range(20):
        enqueue(f"partner {number}", 1, cost=1_000)
    assert order(5) == [f"partner {number}" for number in range(5)]
    enqueue("own", 0)
    assert "own" in order(2)


def test_what_has_waited_long_has_its_turn_below_a_flood_of_what_is_pressing() -> None:
    enqueue("ordinary", 1)
    late = NOW + jobs.PATIENCE + timedelta(minutes=1)
    for number in range(30):
        enqueue(f"urgent {number}", 2, priority=9, at=late)
    hands, found = worker.Hands("one", kinds=[KIND]), []
    for _ in range(worker.PATIENT_EVERY):
        claim = jobs.claim("one", [KIND], late, is_patient=hands.claims % 8 == 7)
        assert claim is not None
        hands.claims += 1
        found.append(claim.subject)
    assert found[:-1] == [f"urgent {number}" for number in range(worker.PATIENT_EVERY - 1)]
    assert found[-1] == "ordinary"


def test_a_worker_of_several_stays_free_for_what_is_short() -> None:
    for number in range(3):
        enqueue(f"huge {number}", 1, cost=5 * GIGABYTE)
    assert order(1) == ["huge 0"]
    assert order(1, most_cost=worker.LONG) == []
    enqueue("urgent", 2, cost=1_000, priority=9)
    assert order(1, most_cost=worker.LONG) == ["urgent"]
    assert order(2) == ["huge 1", "huge 2"]


def test_what_is_brought_forward_takes_a_place_of_its_new_priority() -> None:
    for number in range(5):
        enqueue(f"urgent {number}", 1, priority=9, cost=1_000)
    enqueue("later urgent", 2, cost=1_000)
    assert order(2) == ["urgent 0", "urgent 1"]
    jobs.bring_forward("later urgent", 9)
    assert "later urgent" in order(2)


def test_what_was_left_by_a_dead_worker_keeps_its_place() -> None:
    enqueue("first", 1, cost=1_000)
    enqueue("second", 2, cost=1_000)
    assert order(1) == ["first"]
    assert order(2, NOW + jobs.LEASE + timedelta(seconds=1)) == ["first", "second"]


def test_a_claim_reads_what_waits_in_the_order_of_an_index() -> None:
    """Ten thousand that wait cost a claim no more than ten."""
    enqueue("one", 1)
    waiting = Job.objects.filter(kind__in=[KIND], state="waiting", run_at__lte=NOW)
    plan = str(waiting.order_by("-priority", "turn", "run_at", "pk")[:1].explain())
    if connection.vendor == "sqlite":
        assert "job_turns" in plan
        assert "TEMP B-TREE" not in plan


_numbers = count(1)
ACT = st.one_of(
    st.tuples(st.integers(1, 3), st.sampled_from([0, 1_000, LEAST_COST, 40 * LEAST_COST])), st.just("claim")
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACT, max_size=60))
def test_of_two_that_both_wait_neither_gets_ahead_by_more_than_a_piece_of_each(
    acts: list[tuple[int, int] | str],
) -> None:
    """The bound of start-time fair queueing, for every two owners over every span in which both have work waiting."""
    Job.objects.all().delete()
    Share.objects.all().delete()
    waiting: dict[int, list[tuple[str, int]]] = {1: [], 2: [], 3: []}
    served = {1: 0, 2: 0, 3: 0}
    since = {pair: dict(served) for pair in ((1, 2), (1, 3), (2, 3))}
    largest = 41 * LEAST_COST
    for act in [*acts, *["claim"] * 20]:
        if isinstance(act, tuple):
            owner, cost = act
            subject = str(next(_numbers))
            enqueue(subject, owner, cost=cost)
            waiting[owner].append((subject, cost + LEAST_COST))
        else:
            claim = jobs.claim("one", [KIND], NOW)
            assert (claim is None) == (not any(waiting.values()))
            if claim is not None:
                [owner] = [each for each, jobs_ in waiting.items() if jobs_ and jobs_[0][0] == claim.subject]
                served[owner] += waiting[owner].pop(0)[1]  # Each owner's own work keeps its order.
        for (one, other), began in since.items():
            if not (waiting[one] and waiting[other]):
                since[one, other] = dict(served)
                continue
            ahead = (served[one] - began[one]) - (served[other] - began[other])
            assert abs(ahead) <= 2 * largest
