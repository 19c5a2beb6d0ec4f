"""The second wall behind the gate, on PostgreSQL: a page that forgot to ask the gate reads nothing that is not open.

Whoever is shown something is answered by a role of the database that owns none of the tables, and the tables that hold
what was asserted open to it only what lies under terms that the gate opens to the reader. Terms are told as bits, by
their numbers. What changes something, and what works without a reader, is the owner's and is not held back: the gate
alone decides there. What a rule beside the gate opens, is read aside of the wall, by name (`by_another_rule`). Nothing
asks the wall instead of the gate; it is coarser (a recall, an end, a victim's row are the gate's), and SQLite has none.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.handling import Viewer

from .register import register

log = logging.getLogger(__name__)
Piece = TypeVar("Piece")
READING = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = "tocsin_gate"
TERMS = "tocsin.terms"
_OPEN = f"""
CREATE OR REPLACE FUNCTION tocsin_opens(told bytea, terms bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT terms < 8 * octet_length(told) AND get_bit(told, least(terms, 8 * octet_length(told) - 1)) = 1 $$;
CREATE OR REPLACE FUNCTION tocsin_told() RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT decode(coalesce(nullif(current_setting('{TERMS}', true), ''), '00'), 'hex') $$;
"""
_OF_BATCH = (
    "EXISTS (SELECT 1 FROM intake_batch AS held WHERE held.id = batch_id"
    " AND tocsin_opens((SELECT tocsin_told()), held.terms_id) OFFSET 0)"
)
"""With an offset it is asked of the rows that are looked at; without, the server may first go through all batches."""
_OF_BLOCK = "EXISTS (SELECT 1 FROM knowledge_object AS held WHERE held.id >= first AND held.id < first + "


def role_of(database: str) -> str:
    """The name of the role that readers are answered by; roles belong to a server, so it names the database."""
    return f"{database[:56]}_reader"


def build(
    made: BaseDatabaseWrapper, tables: Iterable[str], blocks: str, most: int, *, written: Collection[str] = ()
) -> bool:
    """Raise the wall around these tables, or see that it stands; says whether it could be.

    `tables` have a column batch_id; `blocks` the bodies of up to `most` objects that follow one another; in those of
    `written` what was made for readers is kept as they read. A user of the database who may not make roles needs one
    made by who may: CREATE ROLE, GRANT (see the guide on PostgreSQL).
    """
    if made.vendor != "postgresql":
        return False
    role = made.ops.quote_name(role_of(str(made.settings_dict["NAME"])))
    with made.cursor() as cursor:
        if not _is_there(cursor, role_of(str(made.settings_dict["NAME"]))) and not _made(cursor, role):
            log.warning("there is no role %s: readers are kept by the gate alone", role)
            return False
        cursor.execute(_OPEN)
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO {role}")
        cursor.execute(f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {role}")
        rules = dict.fromkeys(tables, _OF_BATCH) | {blocks: f"{_OF_BLOCK}{most})"}
        for name, rule in rules.items():
            table = made.ops.quote_name(name)
            cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            cursor.execute(f"DROP POLICY IF EXISTS {POLICY} ON {table}")
            for_what = "ALL" if name in written else "SELECT"
            cursor.execute(f"CREATE POLICY {POLICY} ON {table} FOR {for_what} TO {role} USING ({rule})")
    return True


def _is_there(cursor: object, role: str) -> bool:
    cursor.execute(  # type: ignore[attr-defined]
        "SELECT 1 FROM pg_roles WHERE rolname = %s AND pg_has_role(current_user, oid, 'member')", [role]
    )
    return cursor.fetchone() is not None  # type: ignore[attr-defined]


def _made(cursor: object, role: str) -> bool:
    try:
        with transaction.atomic():
            cursor.execute(f"CREATE ROLE {role} NOLOGIN")  # type: ignore[attr-defined]
            cursor.execute(f"GRANT {role} TO current_user")  # type: ignore[attr-defined]
    except DatabaseError:
        return False
    return True


@cache
def _stands(database: str) -> bool:
    """Whether the wall stands in this database; asked once in a process."""
    with connection.cursor() as cursor:
        return _is_there(cursor, role_of(database))


def confine(person: Person, method: str | None) -> None:
    """From here on this thread's questions are answered as far as the gate opens to the person, until `leave`."""
    if connection.vendor != "postgresql" or method not in READING:
        return
    told = told_to(viewer_of(person))
    if told is not None:
        _set(told)


def told_to(viewer: Viewer) -> str | None:
    """The terms that the gate opens to the viewer, as bits in hexadecimal digits; None where there is no wall."""
    if not _stands(str(connection.settings_dict["NAME"])):
        return None
    numbers = [each.number for each in register().held_by(viewer)] if viewer.class_name else []
    flags = np.zeros(max(numbers, default=0) + 1, bool)
    flags[numbers] = True
    return np.packbits(flags, bitorder="little").tobytes().hex()


def _set(told: str) -> None:
    role = role_of(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT set_config('{TERMS}', %s, false), set_config('role', %s, false)", [told, role])
    connection.tocsin_told = told  # type: ignore[attr-defined]


def leave() -> str | None:
    """The thread's questions are the owner's again; returns what had been told. Never raises."""
    told: str | None = getattr(connection, "tocsin_told", None)
    if told is None:
        return None
    connection.tocsin_told = None  # type: ignore[attr-defined]
    if connection.connection is None:
        return told
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT set_config('role', 'none', false), set_config('{TERMS}', '', false)")
    except DatabaseError as error:  # A connection that cannot be asked is not used again.
        log.warning("the connection is given up: %s", error)
        if not connection.in_atomic_block:
            connection.close()
    return told


@contextmanager
def by_another_rule() -> Iterator[None]:
    """What a rule beside the gate opens, to who checks what the gate shows to nobody yet: read as the owner reads."""
    told = leave()
    try:
        yield
    finally:
        if told is not None:
            _set(told)


def within(told: str, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces of a long answer, each made behind the wall: between them the connection is anybody's."""
    source = iter(pieces)
    while True:
        _set(told)
        try:
            piece = next(source, None)
        finally:
            leave()
        if piece is None:
            return
        yield piece
