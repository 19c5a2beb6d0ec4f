"""The database that is filled: looked at before anything is written, given its tables, rows, indexes and counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from . import notes
from .tables import Table, models_of
from .values import Row

ALIAS = "moved-to"
LEAST_VERSION = 15
LOCK = 0x746F6373696E
"""Two moves into one database would fill it twice."""
INDEX_MEMORY = "256MB"
LIKE_SQLITE = ("C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic")
"""Orders of texts that are SQLite's: by code points. Under any other, lists would stand in another order afterwards."""


class Unusable(Exception):  # noqa: N818 - named as the answers of `core.errors` are.
    """Nothing can be moved into this database; says why and what to do."""


class Target:
    """The database that is filled, by Django's own connection: what writes rows here writes them there, too."""

    def __init__(self, settings: dict[str, Any]) -> None:
        connections.databases[ALIAS] = connections.configure_settings({"default": {}, ALIAS: settings})[ALIAS]
        self.connection: BaseDatabaseWrapper = connections[ALIAS]

    @property
    def is_postgres(self) -> bool:
        return self.connection.vendor == "postgresql"

    def look(self) -> None:
        """Raises Unusable where something would fail later on, after hours."""
        if self.is_postgres:
            _look_at_server(self.connection)
        if notes.end(self.connection, notes.TARGET) is not None:
            return
        if found := set(self.connection.introspection.table_names()) - {notes.TABLE}:
            shown = ", ".join(sorted(found)[:5])
            raise Unusable(
                f"The database is not empty: it has {len(found)} tables ({shown}, …). Name a new or empty one"
                + ("." if self.is_postgres else f"; a former file must be moved away first: {self._file}")
            )

    @property
    def _file(self) -> str:
        return str(self.connection.settings_dict["NAME"])

    def make_tables(self, note: notes.Note) -> None:
        """All tables without indexes and references, which come when all rows are there; all of it or nothing."""
        with self._writing():
            for statement in self._statements(is_first=True):
                self._execute(statement)
            notes.make(self.connection)
            notes.write(self.connection, notes.LATER, [*self._statements(is_first=False)])
            notes.say(self.connection, notes.TARGET, note)

    def _statements(self, *, is_first: bool) -> Iterator[str]:
        with self.connection.schema_editor(collect_sql=True, atomic=False) as editor:
            for model in models_of(self.connection):
                editor.create_model(model)
        for statement in editor.collected_sql:
            if statement.startswith("CREATE TABLE") is is_first:
                yield statement

    def write(self, table: Table, rows: Sequence[Row], far: dict[str, Any]) -> None:
        """Put rows in, and note how far the table has come: both or neither."""
        with self._writing(), self.connection.cursor() as cursor:
            if rows:
                _put(cursor, self.connection, table, rows)
            notes.write(self.connection, f"table:{table.name}", far)

    def finish(self, told: Callable[[int, int], None]) -> None:
        """Indexes, references and what else was left for later, each once."""
        later = notes.read(self.connection, notes.LATER) or []
        for place, statement in enumerate(later):
            told(place, len(later))
            with self._writing():
                if self.is_postgres:
                    self._execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'")
                self._execute(statement)
                notes.write(self.connection, notes.LATER, later[place + 1 :])

    def count_on(self, given: dict[str, int], tables: Sequence[Table]) -> None:
        """Let each table number its rows from where the other database was."""
        with self._writing(), self.connection.cursor() as cursor:
            for table in tables:
                if not table.counter:
                    continue
                last = given.get(table.name, 0)
                if not self.is_postgres:
                    cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", (table.name,))
                    cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", (table.name, last))
                    continue
                name = self.connection.ops.quote_name(table.name)
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), greatest(%s, 1), %s)",
                    (name, table.counter, last, last > 0),
                )
        with self.connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def faults(self) -> list[str]:
        """What PostgreSQL itself holds for unfinished, or SQLite for a reference that leads nowhere."""
        with self.connection.cursor() as cursor:
            if not self.is_postgres:
                cursor.execute("PRAGMA foreign_key_check")
                return [f"{table}: a reference to {parent} leads nowhere" for table, _, parent, _ in cursor.fetchall()]
            cursor.execute(
                "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT (indisvalid AND indisready)"
                " AND indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace)"
            )
            found = [f"The index {name} is not valid" for (name,) in cursor.fetchall()]
            cursor.execute(
                "SELECT conname FROM pg_constraint"
                " WHERE NOT convalidated AND connamespace = current_schema()::regnamespace"
            )
            return found + [f"The constraint {name} was not validated" for (name,) in cursor.fetchall()]

    def close(self) -> None:
        """Let go of it."""
        self.connection.close()

    @contextmanager
    def as_our_own(self) -> Iterator[None]:
        """While it lasts, all of the installation's code asks this database."""
        former = connections["default"]
        connections["default"] = self.connection
        try:
            yield
        finally:
            connections["default"] = former

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self.is_postgres:
            # Parents come after children, and each portion is a transaction of its own.
            self.connection.disable_constraint_checking()
        with transaction.atomic(using=ALIAS):
            yield

    def _execute(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)


def _put(cursor: Any, connection: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    name = connection.ops.quote_name(table.name)
    names = ", ".join(map(connection.ops.quote_name, table.names))
    if connection.vendor == "postgresql":
        with cursor.copy(f"COPY {name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(table.names))
    # Straight to the driver: Django's cursor would look at every value.
    cursor.cursor.connection.executemany(f"INSERT INTO {name} ({names}) VALUES ({marks})", rows)  # noqa: S608


def _look_at_server(connection: BaseDatabaseWrapper) -> None:
    facts = connection.settings_dict
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
        number, version = cursor.fetchone()
        if number < LEAST_VERSION * 10_000:
            raise Unusable(f"The server is PostgreSQL {version}. Version {LEAST_VERSION} or later is needed.")
        cursor.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, datlocprovider FROM pg_database"
            " WHERE datname = current_database()"
        )
        encoding, order, provider = cursor.fetchone()
        made = (
            f"CREATE DATABASE {facts['NAME']} OWNER {facts['USER'] or 'tocsin'} TEMPLATE template0 ENCODING 'UTF8' "
            "LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';"
        )
        if encoding != "UTF8":
            raise Unusable(
                f"The database keeps texts in {encoding}; names need UTF8. Make it anew, empty as it is: {made}"
            )
        if provider == "i" or order not in LIKE_SQLITE:
            raise Unusable(
                f"The database sorts texts as in {order}; lists would stand in another order than before, and a new "
                f"version of the system's library could make its indexes wrong. Make it anew, empty as it is: {made}"
            )
        cursor.execute("SELECT current_schema(), pg_is_in_recovery()")
        schema, is_copy = cursor.fetchone()
        if is_copy:
            raise Unusable("This server is a standby of another: name the one that takes writes.")
        cursor.execute("SELECT has_schema_privilege(coalesce(current_schema(), 'public'), 'CREATE')")
        if schema is None or not cursor.fetchone()[0]:
            raise Unusable(
                f"{facts['USER'] or 'The user'} may make no tables there. As administrator of the server, in that "
                f"database: GRANT CREATE, USAGE ON SCHEMA public TO {facts['USER'] or 'tocsin'};"
            )
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        if not cursor.fetchone()[0]:
            raise Unusable("Another move into this database runs now.")
