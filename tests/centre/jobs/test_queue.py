"""The table queue: one owner at a time, later tries later, and a lost lease commits nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job
from tocsin.core.errors import Conflict, Unavailable

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KIND = "test-work"


def claimed(by: str, at: datetime = NOW) -> jobs.Claim:
    claim = jobs.claim(by, [KIND], at)
    assert claim is not None
    return claim


def test_only_one_gets_it_until_the_lease_runs_out() -> None:
    jobs.enqueue(KIND, "a", at=NOW)
    first = claimed("one")
    assert jobs.claim("two", [KIND], NOW + jobs.LEASE) is None
    second = claimed("two", NOW + jobs.LEASE + timedelta(seconds=1))
    assert (second.job, second.attempt) == (first.job, 2)
    for late in (jobs.renew, jobs.finish):
        with pytest.raises(Conflict):
            late(first, NOW)
    jobs.fail(first, NOW, "too late")
    assert Job.objects.get().state == Job.State.RUNNING
    jobs.finish(second, NOW)
    assert Job.objects.get().state == Job.State.DONE
    with pytest.raises(Conflict):
        jobs.finish(second, NOW)


def test_a_renewed_lease_holds() -> None:
    jobs.enqueue(KIND, at=NOW)
    claim = claimed("one")
    jobs.renew(claim, NOW + jobs.LEASE, done=7)
    assert jobs.claim("two", [KIND], NOW + jobs.LEASE * 2) is None
    assert Job.objects.get().done_units == 7


def test_one_open_job_for_each_subject() -> None:
    assert jobs.enqueue(KIND, "a", at=NOW) is not None
    assert jobs.enqueue(KIND, "a", at=NOW) is None
    jobs.finish(claimed("one"), NOW)
    assert jobs.enqueue(KIND, "a", at=NOW) is not None
    assert jobs.waiting_count([KIND]) == 1


def test_order_and_kinds() -> None:
    jobs.enqueue(KIND, "late", at=NOW, run_at=NOW + timedelta(hours=1))
    jobs.enqueue(KIND, "plain", at=NOW)
    jobs.enqueue(KIND, "urgent", at=NOW, priority=5)
    assert jobs.claim("one", ["other"], NOW) is None
    assert [claimed("one").subject, claimed("one").subject] == ["urgent", "plain"]
    assert jobs.claim("one", [KIND], NOW) is None


def test_each_try_waits_longer_and_the_last_is_given_up() -> None:
    jobs.enqueue(KIND, at=NOW)
    at, waits = NOW, []
    for number in range(1, 6):
        claim = claimed("one", at)
        assert claim.is_last is (number == 5)
        assert jobs.fail(claim, at, "no") is (number == 5)
        waits.append(Job.objects.get().run_at - at)
        at = Job.objects.get().run_at
    assert waits == sorted(waits)
    assert Job.objects.get().state == Job.State.FAILED
    assert jobs.claim("one", [KIND], at + timedelta(days=9)) is None


def test_what_the_machine_lacks_is_waited_for_without_end() -> None:
    jobs.enqueue(KIND, at=NOW)

    def full(_: jobs.Claim) -> None:
        raise Unavailable("no-space")

    for _ in range(8):
        Job.objects.update(run_at=NOW)
        assert worker.run_one("one", {KIND: full})
    job = Job.objects.get()
    assert (job.state, job.deaths) == (Job.State.WAITING, 0), "what is reported is no death of a worker"
    assert not worker.run_one("one", {KIND: full})


def test_a_worker_that_is_told_to_stop_costs_no_attempt() -> None:
    jobs.enqueue(KIND, at=NOW)
    jobs.release(claimed("one"), NOW)
    assert claimed("two").attempt == 1


def _die(times: int, at: datetime = NOW) -> datetime:
    """So many workers in a row take it and are never heard of again."""
    for number in range(times):
        assert jobs.claim(f"dead-{number}", [KIND], at) is not None
        at += jobs.LEASE + timedelta(seconds=1)
    return at


def test_work_that_ends_one_worker_after_another_is_given_up() -> None:
    jobs.enqueue(KIND, "a", at=NOW)
    done: list[int] = []
    _die(jobs.DEATHS_ALLOWED)
    assert worker.run_one("alive", {KIND: lambda claim: done.append(claim.attempt)})
    job = Job.objects.get()
    assert (job.state, job.error, job.deaths) == ("failed", "the worker ended 5 times while doing this", 5)
    assert done == []
    assert not worker.run_one("alive", {KIND: lambda claim: done.append(claim.attempt)})
    assert jobs.enqueue(KIND, "a", at=NOW) is not None, "whoever wants may try again"


def test_four_deaths_are_not_enough() -> None:
    jobs.enqueue(KIND, at=NOW)
    at = _die(jobs.DEATHS_ALLOWED - 1)
    last = claimed("alive", at)
    assert (last.deaths, last.is_deadly) == (4, False)


def test_who_lost_the_lease_but_lives_takes_the_death_back() -> None:
    jobs.enqueue(KIND, at=NOW)
    slow = claimed("slow")
    second = claimed("two", NOW + jobs.LEASE * 2)
    assert second.deaths == 1
    jobs.excuse(slow, NOW, "the lease was lost")
    assert (Job.objects.get().deaths, Job.objects.get().worker) == (0, "two")
    jobs.excuse(second, NOW, "the database was lost")
    assert (Job.objects.get().state, Job.objects.get().deaths) == ("waiting", 0)


def test_a_lost_database_is_no_death(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.enqueue(KIND, at=NOW)
    outages: list[str] = []
    attempts: list[tuple[int, int]] = []
    stop = threading.Event()

    def lost(claim: jobs.Claim) -> None:
        attempts.append((claim.attempt, claim.deaths))
        if len(attempts) > jobs.DEATHS_ALLOWED + 1:
            jobs.finish(claim, datetime.now(UTC))
            stop.set()
            return
        raise OperationalError("the connection is lost")

    def unheard(claim: jobs.Claim, now: datetime, error: str, **how: bool) -> bool:
        outages.append(error)
        Job.objects.update(lease_until=NOW)  # As if the outage had outlasted the lease.
        raise OperationalError("the connection is lost")

    heard = jobs.excuse

    def back(*said: Any) -> None:
        with monkeypatch.context() as again:
            again.setattr(jobs, "fail", fail)
            heard(*said)

    fail = jobs.fail
    monkeypatch.setattr(jobs, "BACK_OFF", (timedelta(0),))
    monkeypatch.setattr(jobs, "excuse", back)
    monkeypatch.setattr(jobs, "fail", unheard)
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    worker.work({KIND: lost}, stop)
    assert len(outages) == jobs.DEATHS_ALLOWED + 1
    assert {deaths for _, deaths in attempts} == {0}
    assert Job.objects.get().state == Job.State.DONE
