"""A database or a disk that does not do its part: told in plain words at every door, and waited for by the workers."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl
import psycopg.errors
import pytest
from django.db import DatabaseError, InternalError, OperationalError, ProgrammingError, connection, transaction
from django.test import Client
from tests import builders
from tests.faults.house import AT
from tests.faults.installation import Installation

from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs import worker
from tocsin.centre.jobs.models import Job
from tocsin.core.machine_faults import SENTENCES, Fault, fault_of
from tocsin.site import sparing

FULL = Path("/dev/full")
KIND = "something"


def _raised(kind: type[Exception], cause: BaseException) -> Exception:
    """As Django raises it."""
    try:
        raise kind(str(cause)) from cause
    except kind as error:
        return error


def _of_sqlite(folder: Path, what: str) -> Exception:
    """An error that SQLite really raises."""
    path = folder / "a.sqlite3"
    if what == "no database":
        path.write_bytes(b"nothing of the kind " * 300)
    mode = "?mode=ro" if what == "read-only" else ""
    first = sqlite3.connect(path) if what != "no database" else None
    if first is not None:
        first.execute("create table a (b)")
        first.commit()
    second = sqlite3.connect(f"file:{path}{mode}", uri=True, timeout=0)
    if what == "locked" and first is not None:
        first.execute("begin exclusive")
    try:
        if what == "full":
            second.execute("pragma max_page_count = 3")
        second.execute("insert into a values (zeroblob(100000))")
    except sqlite3.Error as error:
        return error
    finally:
        second.close()
        if first is not None:
            first.close()
    raise AssertionError(what)


@pytest.mark.parametrize(
    ("what", "fault"),
    [("full", Fault.FULL), ("read-only", Fault.READ_ONLY), ("locked", Fault.BUSY), ("no database", Fault.DAMAGED)],
)
def test_what_sqlite_lacks(what: str, fault: Fault, tmp_path: Path) -> None:
    assert fault_of(_raised(DatabaseError, _of_sqlite(tmp_path, what))) is fault


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("53100", Fault.FULL), ("25006", Fault.READ_ONLY), ("53300", Fault.CROWDED), ("40P01", Fault.BUSY),
        ("40001", Fault.BUSY), ("57014", Fault.SLOW), ("57P01", Fault.AWAY), ("08006", Fault.AWAY),
        ("XX001", Fault.DAMAGED), ("42703", None), ("23505", None),
    ],
)  # fmt: skip
def test_what_postgresql_lacks(state: str, fault: Fault | None) -> None:
    assert fault_of(_raised(InternalError, psycopg.errors.lookup(state)("so it says"))) is fault


def test_a_server_that_refuses_a_connection_says_it_in_words_alone() -> None:
    for words, fault in (
        ("FATAL:  sorry, too many clients already", Fault.CROWDED),
        ("FATAL:  could not write init file", Fault.FULL),
        ("Connection refused", Fault.AWAY),
    ):
        assert fault_of(_raised(OperationalError, psycopg.OperationalError(words))) is fault
    assert fault_of(_raised(ProgrammingError, ValueError("no such thing"))) is None
    assert fault_of(ValueError("53100")) is None


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("who", ["python", "polars", "arrow"])
def test_a_full_disk_whoever_writes(who: str) -> None:
    frame = pl.DataFrame({"a": range(100_000)})
    write: dict[str, Callable[[IO[bytes]], object]] = {
        "python": lambda stream: stream.write(b"a"),
        "polars": lambda stream: frame.write_parquet(stream),
        "arrow": lambda stream: frame.write_parquet(stream, use_pyarrow=True),
    }
    # Opened here: by its name, some of them would remove the device.
    with FULL.open("wb", buffering=0) as stream, pytest.raises(Exception, match="space") as raised:
        write[who](stream)
    assert fault_of(raised.value) is Fault.NO_ROOM


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EMFILE, errno.ENOMEM])
def test_every_fault_has_its_sentence(number: int) -> None:
    assert fault_of(OSError(number, os.strerror(number))) in {Fault.DISK, Fault.SHORT}
    assert set(SENTENCES) == set(Fault)


LACKING = {
    "a full disk": OSError(errno.ENOSPC, "No space left on device"),
    "a disk that became read-only": OSError(errno.EROFS, "Read-only file system"),
    "a standby": _raised(InternalError, psycopg.errors.lookup("25006")("cannot execute UPDATE")),
    "a deadlock": _raised(OperationalError, psycopg.errors.lookup("40P01")("deadlock detected")),
}


@pytest.mark.django_db
@pytest.mark.any_database
@pytest.mark.parametrize("what", LACKING)
def test_work_of_every_kind_waits_for_what_the_machine_lacks(what: str) -> None:
    """Joining files, packages, recalls: nothing is given up because a disk was full for a day."""
    jobs.enqueue(KIND, at=AT)

    def lacking(_: jobs.Claim) -> None:
        raise LACKING[what]

    for _ in range(jobs.DEATHS_ALLOWED + 3):
        Job.objects.update(run_at=AT)
        assert worker.run_one("one", {KIND: lacking})
    assert [(job.state, job.deaths) for job in Job.objects.all()] == [(Job.State.WAITING, 0)]
    Job.objects.update(run_at=AT)
    assert worker.run_one("one", {KIND: lambda claim: jobs.finish(claim, AT)})
    assert Job.objects.get().state == Job.State.DONE


@contextmanager
def _no_changes() -> Iterator[None]:
    """The database takes none."""
    with connection.cursor() as cursor, transaction.atomic():
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = ON")
            try:
                yield
            finally:
                cursor.execute("PRAGMA query_only = OFF")
        else:
            cursor.execute("SET LOCAL transaction_read_only = on")
            yield
            transaction.set_rollback(True)  # With it the setting goes.


@pytest.mark.django_db
def test_pages_and_programs_of_a_database_that_takes_no_changes(client: Client) -> None:
    """As on a standby: what is there is shown, and what would change something says that nothing was saved."""
    person = builders.person("pia", builders.organisation("kestrel"), "analyst")
    client.force_login(person)
    assert client.get("/").status_code == 200
    client.raise_request_exception = False
    with _no_changes():
        page = client.post("/sign-out/")
        told = client.post("/api/v1/deliveries", b"8.8.8.8\n", content_type="text/csv")
    assert (page.status_code, page["Retry-After"]) == (503, "30")
    assert "Nothing can be changed at present" in page.content.decode()
    assert told.status_code in {403, 503}


def test_the_command_line_says_it_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "tocsin.toml").write_text(f'secret = "{"s" * 43}"\n')
    program = (sys.executable, "-c", "from tocsin.cli import main; main(prog_name='tocsin')", "person", "list")
    nowhere = {"TOCSIN_DATABASE": "postgresql://tocsin@127.0.0.1:9/tocsin"}
    made = Installation(tmp_path / "home")
    ran = subprocess.run(program, env={**made.environment, **nowhere}, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Error: The database does not answer." in ran.stderr
    assert "Traceback" not in ran.stderr
    (tmp_path / "home" / "tocsin.sqlite3").write_bytes(b"nothing of the kind " * 300)
    ran = subprocess.run(program, env=made.environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Error: The database cannot be read" in ran.stderr


@pytest.mark.django_db(transaction=True)
def test_for_want_of_connections_each_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server, whose connections are few; a file is kept open."""
    monkeypatch.setattr(sparing, "_until", 0.0)
    for is_short in (False, True):
        connection.ensure_connection()
        if is_short:
            sparing.begin()
        sparing._give_back()
        is_kept = connection.connection is not None
        assert is_kept is (not is_short or connection.vendor == "sqlite")


FOREIGN_CLOCK = re.compile(
    r"CURRENT_TIMESTAMP|clock_timestamp|statement_timestamp|db_default|functions import .*\bNow\b|(?<![\w.])now\(\)",
    re.I,
)


def test_no_moment_is_taken_from_the_server_of_the_database() -> None:
    """Its clock may be another's: what lies in the database was judged by one clock, this machine's."""
    files = sorted((Path(__file__).parents[2] / "src" / "tocsin").rglob("*.py"))
    assert len(files) > 300
    assert [path.name for path in files if FOREIGN_CLOCK.search(path.read_text(encoding="utf-8"))] == []
