"""The table queue: one owner at a time, later tries later, and a lost lease commits nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

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
    assert Job.objects.get().state == Job.State.WAITING
    assert not worker.run_one("one", {KIND: full})


def test_a_worker_that_is_told_to_stop_costs_no_attempt() -> None:
    jobs.enqueue(KIND, at=NOW)
    jobs.release(claimed("one"), NOW)
    assert claimed("two").attempt == 1
