"""A delivery that takes one worker after another with it is set aside; the others go on, and a person may try again."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import people
from tests.faults.house import receive, table, work
from tests.faults.installation import made
from tests.faults.test_killed import NO_SERVER

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job
from tocsin.centre.jobs.worker import Handler

DEATHS = "select deaths from jobs_job where subject = 'delivery:1'"
HELD = "select count(*) from jobs_job where subject = 'delivery:1' and state = 'running' and lease_until > '2001-01-01'"


@NO_SERVER
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_five_workers_that_are_killed_at_the_same_delivery(tmp_path: Path) -> None:
    installation = made(tmp_path / "deadly")
    installation.sql("update jobs_job set priority = 9 where subject = 'delivery:1'")
    for number in range(jobs.DEATHS_ALLOWED):
        installation.let_leases_run_out()
        assert installation.sql(DEATHS) == [(max(0, number - 1),)]
        process = installation.worker()
        until = time.monotonic() + 60
        while not installation.sql(HELD)[0][0]:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        os.killpg(process.pid, 9)
        process.wait()
    installation.finish()
    told = installation.told()
    states = {row[0]: tuple(row[1:4]) for row in told["deliveries"]}
    assert states["large.csv"] == ("quarantined", "reader-failed", "the worker ended 5 times while doing this")
    assert states["small.csv"][0] == states["middle.csv"][0] == "parsed"
    assert told["left in work"] == []
    assert installation.open_jobs() == 0


@pytest.mark.django_db(transaction=True)
def test_what_was_set_aside_so_is_read_when_a_person_says_so(handlers: Mapping[str, Handler]) -> None:
    delivery = receive(table(50, seed=1), "rows.csv")
    at = datetime.now(UTC) - timedelta(days=1)
    Job.objects.update(run_at=at)
    for _ in range(jobs.DEATHS_ALLOWED):
        assert jobs.claim("dead", [services.READ], at) is not None
        at += jobs.LEASE + timedelta(seconds=1)
    assert worker.run_one("alive", handlers)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("quarantined", "reader-failed")
    assert "5 times" in delivery.reason_where
    assert Entry.objects.filter(action="delivery.quarantined", subject=f"delivery:{delivery.pk}").count() == 1
    services.read_again(delivery, by=people.call("dana_analyst"), profile=None, at=datetime.now(UTC))
    work(handlers)
    delivery.refresh_from_db()
    assert delivery.state == "parsed"
    assert delivery.rows > 40
