"""What a database says of its own move, in a table that no model knows: it must be read before anything is believed.

`source`: this database is being moved away, or was. `target`: it is being filled; used only once it says `proved`.
`table:…`: how far that table has come, written with its rows in one transaction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE: Final = "tocsin_move"
_MAKE = f"CREATE TABLE IF NOT EXISTS {TABLE} (name varchar(80) PRIMARY KEY, body text NOT NULL)"
_WRITE = (
    f"INSERT INTO {TABLE} (name, body) VALUES (%s, %s) "  # noqa: S608 - a name of our own.
    "ON CONFLICT (name) DO UPDATE SET body = excluded.body"
)
_READ = f"SELECT body FROM {TABLE} WHERE name = %s"  # noqa: S608 - a name of our own.
_FORGET = f"DELETE FROM {TABLE} WHERE name LIKE %s"  # noqa: S608 - a name of our own.
SOURCE, TARGET, LATER = "source", "target", "later"
MOVING, MOVED, FILLING, PROVED = "moving", "moved", "filling", "proved"


@dataclass(slots=True)
class Note:
    """What stands at one end of a move; `other` is the address of the other end, without its password."""

    move: str
    phase: str
    other: str
    at: str
    facts: dict[str, Any] = field(default_factory=dict)


def is_there(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database has ever been an end of a move."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (TABLE,))
        else:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = %s)", (TABLE,))
        return bool(cursor.fetchone()[0])


def make(connection: BaseDatabaseWrapper) -> None:
    """The table, where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_MAKE)


def read(connection: BaseDatabaseWrapper, name: str) -> Any:
    """What stands under a name; None where nothing does."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, (name,))
        row = cursor.fetchone()
    return None if row is None else orjson.loads(row[0])


def write(connection: BaseDatabaseWrapper, name: str, body: Any) -> None:
    """Put it there; joins the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, (name, orjson.dumps(body).decode()))


def forget(connection: BaseDatabaseWrapper, like: str) -> None:
    """Take away what stands under such names."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, (like,))


def end(connection: BaseDatabaseWrapper, name: str) -> Note | None:
    """What this database says as one end of a move; None where it never was one."""
    said = read(connection, name) if is_there(connection) else None
    return None if said is None else Note(**said)


def say(connection: BaseDatabaseWrapper, name: str, note: Note) -> None:
    """Let the database say so of itself."""
    make(connection)
    write(connection, name, asdict(note))
