"""`tocsin move`: an installation goes from SQLite to PostgreSQL and back, whatever happens on the way."""

from __future__ import annotations

import fcntl
import signal
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from tests.faults.installation import Installation
from tests.faults.movable import Server, name_of, program, step, told
from tests.faults.test_lost_database import NEEDS_SERVER

pytestmark = [pytest.mark.django_db, NEEDS_SERVER]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.drop()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with a row in nearly every table; tests work on copies of it."""
    made = Installation(tmp_path_factory.mktemp("move") / "home")
    step(made, "make")
    return made


@pytest.fixture
def own(first: Installation, tmp_path: Path) -> Installation:
    return first.copy(tmp_path / "home")


def settings_of(installation: Installation) -> dict[str, Any]:
    return tomllib.loads((installation.home / "tocsin.toml").read_text())


def test_there_and_back(own: Installation, server: Server) -> None:
    before, address = step(own, "tell"), server.database()
    assert sum(rows > 0 for rows, _ in before.values()) > 45
    said = settings_of(own)
    assert "Nothing stands in the way" in told(own, "move", address, "--check")
    assert server.say("SELECT count(*) FROM pg_class WHERE relname LIKE 'audit%'", name_of(address)) == [(0,)]
    old = (own.home / "tocsin.sqlite3").read_bytes()
    assert "proved equal" in told(own, "move", address)
    assert settings_of(own) == {**said, "database": address}
    assert step(own, "tell") == before
    walled = "SELECT tablename FROM pg_policies ORDER BY 1"
    assert server.say(walled, name_of(address)) == server.say(walled, str(connection.settings_dict["NAME"])) != []
    # Both say who is used now: the former database and, by the settings, the new one.
    for words in (("lake", "state"), ("work", "--until-idle"), ("init",)):
        assert "was moved to" in told(own, *words, status=1, TOCSIN_DATABASE="sqlite:")
    told(own, "work", "--until-idle")
    assert "are what" in told(own, "audit", "verify")
    assert step(own, "next-job") == 4, "a number that was given once is not given again"
    assert len(old) > 100_000
    assert "must be moved away first" in told(own, "move", "sqlite:", status=1)
    (own.home / "tocsin.sqlite3").rename(own.home / "former.sqlite3")
    there, other = step(own, "tell"), server.database()
    told(own, "move", other)  # From one server to another.
    assert step(own, "tell") == there
    told(own, "move", "sqlite:")
    assert step(own, "tell") == there
    assert step(own, "next-job") == 5
    assert settings_of(own) == {**said, "database": "sqlite:"}


WAY = (
    ("tocsin.site.moving.work.looked_through", 1), ("tocsin.site.moving.writing.Target.make_tables", 1),
    ("tocsin.site.moving.writing.Target._execute", 40), ("tocsin.site.moving.writing.Target.write", 1),
    ("tocsin.site.moving.notes.write", 33), ("tocsin.site.moving.writing.Target.write", 60),
    ("tocsin.site.moving.writing.Target._execute", 30), ("tocsin.site.moving.notes.write", 40),
    ("tocsin.site.moving.writing.Target.count_on", 1), ("tocsin.site.moving.work.prove", 1),
    ("tocsin.site.moving.work.faults_of_the_whole", 1), ("tocsin.site.moving.work.settle", 1),
    ("tocsin.site.moving.work.record", 1), ("tocsin.site.store_mark.adopt", 1),
    ("tocsin.site.settings_file.set_line", 1),
)  # fmt: skip
"""Where it is killed, one after the other: function and which call of it."""


@pytest.mark.slow
def test_killed_at_every_step_and_called_again(own: Installation, server: Server) -> None:
    before, address = step(own, "tell"), server.database()
    for where, call in WAY:
        done = program(own, "killed", where, str(call), address)
        assert done.returncode == -signal.SIGKILL, f"{where} {call}: {done.stdout}{done.stderr[-2000:]}"
        if where.endswith((".prove", ".settle", ".set_line")):  # Neither is used meanwhile.
            assert "moved to" in told(own, "lake", "state", status=1)
        if where.endswith((".prove", ".settle")):
            assert "not proved equal" in told(own, "lake", "state", status=1, TOCSIN_DATABASE=address)
    told(own, "move", address)
    assert step(own, "tell") == before
    told(own, "work", "--until-idle")


def test_left_unfinished_and_given_up(own: Installation, server: Server) -> None:
    before, address = step(own, "tell"), server.database()
    assert program(own, "killed", "tocsin.site.moving.work.prove", "1", address).returncode == -signal.SIGKILL
    assert "Go on with it by naming that" in told(own, "move", server.database(), status=1)
    assert "is used again" in told(own, "move", "--give-up")
    assert step(own, "tell") == before
    told(own, "work", "--until-idle")
    assert "not proved equal" in told(own, "lake", "state", status=1, TOCSIN_DATABASE=address)
    assert "holds another move" in told(own, "move", address, status=1)
    told(own, "move", server.database())


def test_gone_back_to_after_all(own: Installation, server: Server) -> None:
    """The new server burns: the former database is used again, and the store is its own once somebody says so."""
    address = server.database()
    told(own, "move", address)
    words = {"TOCSIN_DATABASE": "sqlite:"}
    told(own, "move", "--give-up", "--yes", **words)
    assert "tocsin lake take" in told(own, "work", "--until-idle", status=1, **words)
    told(own, "lake", "take", "--yes", **words)
    told(own, "work", "--until-idle", **words)
    assert "belongs to a" in told(own, "work", "--until-idle", status=1), "both at once would spoil the store"


def test_what_is_no_place_to_go_to(own: Installation, server: Server) -> None:
    full = server.database()
    server.say("CREATE TABLE kept (n int)", name_of(full))
    assert "not empty: it has 1 tables (kept" in told(own, "move", full, status=1)
    latin = server.database("ENCODING 'LATIN1' LOCALE 'C'")
    assert "names need UTF8" in told(own, "move", latin, status=1)
    sorted_otherwise = server.database("ENCODING 'UTF8' LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR'")
    assert "another order" in told(own, "move", sorted_otherwise, status=1)
    assert "There is no such database" in told(own, "move", server.address("nowhere"), status=1)
    assert "There is no such user" in told(own, "move", server.address("postgres", "nobody_here"), status=1)
    assert "No server answers" in told(own, "move", "postgresql://tocsin@127.0.0.1:9/x", status=1)
    assert "is no address" in told(own, "move", "mysql://x", status=2)
    assert "sqlite: already" in told(own, "move", "sqlite:", status=1)
    told(own, "work", "--until-idle")  # None of these left a mark.


def test_a_user_who_may_make_no_tables(own: Installation, server: Server) -> None:
    address = server.database()
    role = f"reader_{name_of(address)}"
    server.say(f"CREATE ROLE {role} LOGIN")
    try:
        said = told(own, "move", server.address(name_of(address), role), status=1)
    finally:
        server.say(f"DROP ROLE {role}")
    assert f"GRANT CREATE, USAGE ON SCHEMA public TO {role};" in said


def is_held(path: Path) -> bool:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_somebody_has_it_open(own: Installation, server: Server) -> None:
    address = server.database()
    worker = subprocess.Popen([sys.executable, "-m", "tocsin.site.crew"], env=own.environment)
    try:
        while not is_held(own.home / "tocsin.lock"):
            assert worker.poll() is None
        said = told(own, "move", address, status=1)
    finally:
        worker.terminate()
        worker.wait()
    assert "has this installation open" in said
    told(own, "move", address)


SPOILT = (
    ("UPDATE members_person SET name = 'a' || char(0) || 'b'", "members_person.name, row with id"),
    ("UPDATE members_person SET login = hex(randomblob(90)) || id", " signs, where 120 are the most"),
    ("UPDATE members_person SET time_zone = x'c328'", "is no text"),
    ("UPDATE members_person SET is_active = 7", "7 is not 0 or 1"),
    ("UPDATE members_person SET organisation_id = 999999", "that is not there"),
    ("UPDATE jobs_job SET attempts = 70000", "70000 lies outside of 0 to 32767"),
    ("UPDATE jobs_job SET done_units = 'many'", "'many' is no whole number"),
    ("UPDATE jobs_job SET payload = '{\"a\": \"\\u0000\"}' WHERE id = 1", "the sign NUL in a text, which"),
    ("UPDATE jobs_job SET payload = '[\"\\ud83d\"]' WHERE id = 2", "half a pair of UTF-16"),
    ("UPDATE members_handlingset SET body = '{nothing'", "no JSON"),
    ("UPDATE jobs_job SET run_at = 'yesterday'", "'yesterday' is no moment"),
    ("UPDATE retention_review SET until = '2026-13-01'", "is no day"),
)  # fmt: skip


def test_found_before_anything_is_written(own: Installation, server: Server) -> None:
    for statement, _ in SPOILT:
        spoil(own, statement)
    address = server.database()
    said = told(own, "move", address, status=1)
    assert [words for _, words in SPOILT if words not in said] == []
    spoil(own, "UPDATE members_person SET name = CAST(x'c328' AS TEXT)")
    assert "members_person: a text is not in UTF-8" in told(own, "move", address, status=1)
    assert server.say("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name_of(address)) == [(0,)]
    assert "is neither being moved" in told(own, "move", "--give-up", status=1)


def spoil(own: Installation, statement: str) -> None:
    connection = sqlite3.connect(own.home / "tocsin.sqlite3")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(statement)
    connection.commit()
    connection.close()


CHANGED = (
    ("UPDATE audit_entry SET detail = detail || ' ' WHERE id = 700", "audit_entry: the same number of rows"),
    ("DELETE FROM knowledge_mention WHERE key = (SELECT min(key) FROM knowledge_mention)", "knowledge_mention: "),
    ("UPDATE jobs_job SET run_at = run_at + interval '1 microsecond'", "jobs_job: the same number"),
    ("UPDATE knowledge_block SET body = body || '\\x00'", "knowledge_block: the same number"),
    ("UPDATE members_handlingset SET body = jsonb_set(body, '{new}', '2') WHERE id = 1", "members_handlingset: the"),
    ("UPDATE members_person SET is_active = NOT is_active WHERE id = 1", "members_person: the same"),
)  # fmt: skip


def test_not_believed_where_it_is_not_equal(own: Installation, server: Server) -> None:
    address = server.database()
    assert program(own, "killed", "tocsin.site.moving.work.prove", "1", address).returncode == -signal.SIGKILL
    for statement, _ in CHANGED:
        server.say(statement, name_of(address))
    said = told(own, "move", address, status=1)
    assert [words for _, words in CHANGED if words not in said] == []
    assert "not proved equal" in told(own, "lake", "state", status=1, TOCSIN_DATABASE=address)


def test_a_file_of_the_store_is_missing(own: Installation, server: Server) -> None:
    address = server.database()
    lost = next(path for path in (own.home / "store" / "deliveries").rglob("*") if path.is_file())
    lost.unlink()
    assert f"{lost} is missing" in told(own, "move", address, status=1)
    told(own, "work", "--until-idle")
    told(own, "move", address, "--whatever-files")


def test_two_installations_on_one_store(first: Installation, tmp_path: Path) -> None:
    one, other = first.copy(tmp_path / "one"), first.copy(tmp_path / "other")
    told(one, "work", "--until-idle")
    told(other, "work", "--until-idle")  # A copy of the whole, with its own store, is an installation of its own.
    for installation, store in ((other, one.home / "store"),):
        toml = installation.home / "tocsin.toml"
        toml.write_text(f'store = "{store}"\n{toml.read_text()}')
    said = told(other, "work", "--until-idle", status=1)
    assert str(one.home / "tocsin.sqlite3") in said
    assert "tocsin lake take" in said
    fresh = Installation(tmp_path / "fresh")
    fresh.home.mkdir()
    (fresh.home / "tocsin.toml").write_text(f'store = "{one.home / "store"}"\nsecret = "{"s" * 43}"\n')
    assert "belongs to another database" in told(fresh, "init", status=1)
    told(one, "work", "--until-idle")
