"""Rows of the database that is left, as plain values, in one unchanging view and in the order of their keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql

from . import values
from .tables import Kind, Table
from .values import Row

AT_ONCE = 10_000
LARGE_AT_ONCE = 200
"""Rows read at once of a table whose rows may be large."""


class Unreadable(Exception):  # noqa: N818 - named as the answers of `core.errors` are.
    """The database cannot be read, or not be relied on; says what is wrong and what to do."""


class Source(Protocol):
    """The database that is left. Nothing is written through it."""

    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Iterator[list[Row]]:
        """All rows, or those after a key, some at once."""

    def others(self) -> str:
        """Who else has it open, as far as the database knows; empty: nobody."""

    def faults(self) -> list[str]:
        """What is wrong with it as a whole: damage, references that lead nowhere."""

    def counters(self, tables: Sequence[Table]) -> dict[str, int]:
        """Table → the highest number that was ever given in it: none is given twice, even after rows went."""

    def changed(self) -> bool:
        """Whether somebody has written to it since it was opened."""

    def close(self) -> None:
        """Let go of it."""


class SQLiteSource:
    """An SQLite file, in one view."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA query_only = ON")
        self._version = self._data_version()
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Iterator[list[Row]]:
        """See Source."""
        key = ", ".join(f'"{name}"' for name in table.key_names)
        where = "" if after is None else f" WHERE ({key}) > ({', '.join('?' * len(table.key))})"
        names = ", ".join(f'"{name}"' for name in table.names)
        question = f'SELECT {names} FROM "{table.name}"{where} ORDER BY {key}'  # noqa: S608 - names of the models.
        cursor = self._connection.execute(question, tuple(after or ()))
        try:
            while rows := cursor.fetchmany(LARGE_AT_ONCE if table.is_large else AT_ONCE):
                yield rows
        except sqlite3.OperationalError as error:
            if "decode" in str(error):
                raise Unreadable(f"{table.name}: a text is not in UTF-8. {error!s:.200}") from error
            raise
        except sqlite3.DatabaseError as error:
            raise Unreadable(f"{table.name}: the file is damaged ({error}). Restore a backup.") from error

    def others(self) -> str:
        """Nobody can be asked: see `occupancy`."""
        return ""

    def faults(self) -> list[str]:
        """See Source."""
        try:
            sound = [said for (said,) in self._connection.execute("PRAGMA quick_check(20)")]
        except sqlite3.DatabaseError as error:
            return [f"The file is damaged: {error}"]
        found = [] if sound == ["ok"] else [f"The file is damaged: {said}" for said in sound]
        lost = self._connection.execute("PRAGMA foreign_key_check").fetchmany(20)
        return found + [
            f"{table}, row {row}: it refers to a row of {parent} that is not there" for table, row, parent, _ in lost
        ]

    def counters(self, tables: Sequence[Table]) -> dict[str, int]:
        """See Source."""
        given = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence"))
        return {table.name: int(given.get(table.name, 0)) for table in tables if table.counter}

    def changed(self) -> bool:
        """See Source."""
        with suppress(sqlite3.Error):
            self._connection.execute("COMMIT")
        return self._data_version() != self._version

    def close(self) -> None:
        """See Source."""
        self._connection.close()


_SPELLED = {
    Kind.MOMENT: "({} AT TIME ZONE 'UTC')::text", Kind.JSON: "{}::text", Kind.DAY: "{}::text",
    Kind.YES_OR_NO: "{}::int",
}  # fmt: skip
"""How PostgreSQL is asked to spell what it keeps in ways of its own."""


class PostgresSource:
    """A PostgreSQL database, in one view."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._connection = psycopg.connect(**facts)
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        self._connection.execute("SET datestyle TO 'ISO, YMD'")

    def rows(self, table: Table, after: Sequence[Any] | None = None) -> Iterator[list[Row]]:
        """See Source."""
        columns = sql.SQL(", ").join(
            sql.SQL(_SPELLED.get(column.kind, "{}")).format(sql.Identifier(column.name)) for column in table.columns
        )
        key = sql.SQL(", ").join(map(sql.Identifier, table.key_names))
        question = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(table.name))
        if after is not None:
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(table.key))
            question += sql.SQL(" WHERE ({}) > ({})").format(key, marks)
        question += sql.SQL(" ORDER BY {}").format(key)
        with self._connection.cursor(name="rows", binary=True) as cursor:
            cursor.execute(question, tuple(after or ()))
            while rows := cursor.fetchmany(LARGE_AT_ONCE if table.is_large else AT_ONCE):
                yield _plain(table, rows)

    def others(self) -> str:
        """See Source."""
        found = self._connection.execute(
            "SELECT count(*), string_agg(DISTINCT coalesce(client_addr::text, 'this machine'), ', ')"
            " FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()"
        ).fetchone()
        return f"{found[0]} connections from {found[1]}" if found and found[0] else ""

    def faults(self) -> list[str]:
        """PostgreSQL keeps its own house."""
        return []

    def counters(self, tables: Sequence[Table]) -> dict[str, int]:
        """See Source."""
        found = {}
        for table in tables:
            if not table.counter:
                continue
            asked = self._connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (table.name, table.counter))
            (named,) = asked.fetchone() or (None,)
            if named is None:
                continue
            name = sql.Identifier(*named.replace('"', "").split("."))
            last = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}").format(name)
            (found[table.name],) = self._connection.execute(last).fetchone() or (0,)
        return found

    def changed(self) -> bool:
        """Whoever could write to it is a connection."""
        self._connection.rollback()
        return bool(self.others())

    def close(self) -> None:
        """See Source."""
        self._connection.close()


def _plain(table: Table, rows: list[Any]) -> list[Row]:
    """Moments as SQLite keeps them; PostgreSQL leaves noughts at their ends away."""
    places = [place for place, column in enumerate(table.columns) if column.kind is Kind.MOMENT]
    if not places:
        return rows
    columns = list(zip(*rows))
    for place in places:
        columns[place] = tuple(None if said is None else _whole(said) for said in columns[place])
    return list(zip(*columns))


def _whole(said: str) -> str:
    head, dot, fraction = said.partition(".")
    return values.moment(f"{head}.{fraction:0<6}") if dot else values.moment(said)
