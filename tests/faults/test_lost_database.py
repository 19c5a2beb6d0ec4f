"""The connection to PostgreSQL breaks in the middle of the work: nothing is lost, nothing twice, no worker dies."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from tests import builders
from tests.faults.house import bundle, receive, rows_of, table, zipped

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery, LakeFile
from tocsin.centre.intake.process import Reader
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job
from tocsin.centre.knowledge.models import Object
from tocsin.site import wiring

NEEDS_SERVER = pytest.mark.skipif(
    not os.environ.get("TOCSIN_TEST_DATABASE"), reason="SQLite has no connection to lose: in the pass on PostgreSQL"
)
pytestmark = [pytest.mark.django_db(transaction=True), NEEDS_SERVER]
DELIVERY = zipped({"a.csv": table(20_000, seed=5), "b.json": bundle(60, seed=4)})


def cut() -> None:
    """End every connection to the test database but the one that says so."""
    own = connection.settings_dict
    facts = {"dbname": own["NAME"], "user": own["USER"], "host": own["HOST"], "port": own["PORT"] or None}
    with psycopg.connect(**facts, autocommit=True) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


def once(act: Callable[[], None]) -> Callable[..., None]:
    """Does it the first time it is called, whatever it is called with."""
    left = [act]
    return lambda *_: left.pop()() if left else None


@pytest.fixture
def readers() -> Iterator[Callable[..., Reader]]:
    made: list[Reader] = []

    def make(*arguments: Any) -> Reader:
        made.append(Reader(*arguments))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def worked(reader: Reader) -> None:
    """As a worker does it that ends when nothing is due."""
    worker.work({services.READ: reader}, threading.Event(), until_idle=True)


@pytest.mark.parametrize("moment", ["while reading", "in the commit"])
def test_cut_in_the_middle(moment: str, readers: Callable[..., Reader]) -> None:
    delivery = receive(DELIVERY, "both.zip")
    if moment == "while reading":
        reader = readers(wiring.KEEPERS, once(cut))
    else:
        reader = readers((*wiring.KEEPERS, once(cut)))
    worked(reader)
    delivery.refresh_from_db()
    assert delivery.state == Delivery.State.RECEIVED
    assert not LakeFile.objects.exists()
    assert not Object.objects.exists()
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    assert Job.objects.get().state in {Job.State.RUNNING, Job.State.WAITING}
    Job.objects.update(lease_until=long_ago, run_at=long_ago)
    worked(reader)
    delivery.refresh_from_db()
    assert delivery.state == Delivery.State.PARSED
    assert delivery.rows == rows_of(delivery).height > 15_000
    assert Object.objects.count() == delivery.objects_count == 180
    assert Entry.objects.filter(action="delivery.parsed").count() == 1
    assert not list((services.store_folder() / "work").glob(f"{delivery.pk}-*"))


def test_receiving_again_after_a_cut() -> None:
    builders.organisation("kestrel")
    cut()
    with pytest.raises(Exception, match=r"terminat|closed|lost"):
        receive(b"8.8.8.8\n")
    connection.close()
    delivery = receive(b"8.8.8.8\n")
    assert Path(services.store_folder()).is_dir()
    assert Delivery.objects.get() == delivery


def test_a_page_after_a_cut(client: Client) -> None:
    assert client.get("/sign-in/", follow=True).status_code == 200
    connection.ensure_connection()
    cut()
    # The server asks for the health of a connection at the start of each request.
    connection.health_check_done = False
    connection.close_if_health_check_failed()
    assert client.get("/sign-in/", follow=True).status_code == 200
