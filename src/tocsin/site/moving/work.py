"""The move itself, step by step. Every step can be broken off and is taken up by calling it again.

Order at the end: the former database says that it was left, then the store names the new one, then the new one says
that it is proved, then the settings name it. Whatever is missing of these is done by the next call.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction

from tocsin.centre.audit import tree
from tocsin.centre.audit.services import record
from tocsin.site import lake_bucket, own_keys, second_wall, store_mark
from tocsin.site.act_log import log_of_acts

from . import notes, places
from .notes import Note
from .reading import Source, Unreadable
from .tables import Table, tables_of
from .values import Faults, Row, Sum, Unfit, look_through
from .writing import Target

MOVED: Final = "installation.moved"
SUBJECT: Final = "site:database"
PORTION_ROWS = 20_000
PORTION_BYTES = 16 << 20
FAULTS_SHOWN = 100


class Stopped(Exception):  # noqa: N818 - named as the answers of `core.errors` are.
    """The move cannot go on; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: `done` of `whole` rows, statements or files of one step."""

    name: str
    about: str
    done: int
    whole: int


Told = Callable[[Step], None]


@dataclass(slots=True)
class Sums:
    """Table → how many rows, and their digest."""

    of: dict[str, Sum] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.of.values())

    def facts(self) -> dict[str, dict[str, Any]]:
        """As JSON says it."""
        return {name: {"rows": each.rows, "digest": each.digest} for name, each in self.of.items()}


def looked_through(source: Source, tables: Sequence[Table], told: Told) -> Sums:
    """Count and digest all rows, and find what the other database would refuse. Raises Stopped with every fault."""
    told(Step("check", "", 0, 0))
    found, sums, count = source.faults(), Sums(), 0
    for table in tables:
        faults, total = Faults(), Sum()
        for rows in source.rows(table):
            look_through(table, rows, faults)
            if not faults.count:
                total.add(table, rows)
            told(Step("check", table.name, total.rows, 0))
        found, count, sums.of[table.name] = found + faults.said, count + faults.count, total
    if found:
        shown = "\n".join(f"  {each}" for each in found[:FAULTS_SHOWN])
        raise Stopped(
            f"{max(count, len(found))} values of the present database cannot be moved. Nothing was written.\n{shown}\n"
            "Put them right where they come from, or ask for help with this list."
        )
    return sums


def copied(source: Source, target: Target, tables: Sequence[Table], sums: Sums, told: Told) -> None:
    """Bring over what is not there yet, a portion of a table in each transaction."""
    for table in tables:
        far = notes.read(target.connection, f"table:{table.name}") or {"after": None, "rows": 0, "whole": False}
        if far["whole"]:
            continue
        done, whole = int(far["rows"]), sums.of[table.name].rows
        for rows in _portions(table, source, far["after"]):
            done += len(rows)
            last = [rows[-1][place] for place in table.key]
            target.write(table, rows, {"after": last, "rows": done, "whole": False})
            told(Step("copy", table.name, done, whole))
        target.write(table, (), {"after": None, "rows": done, "whole": True})


def _portions(table: Table, source: Source, after: Sequence[Any] | None) -> Any:
    portion: list[Row] = []
    size = 0
    for rows in source.rows(table, after):
        portion += rows
        if table.is_large:
            size += sum(len(value) for row in rows for value in row if isinstance(value, str | bytes))
        if len(portion) >= PORTION_ROWS or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def prove(target: Source, tables: Sequence[Table], sums: Sums, told: Told) -> None:
    """Read the other database back. Raises Stopped where a table is not what it was."""
    wrong = []
    for table in tables:
        wanted, found = sums.of[table.name], Sum()
        for rows in target.rows(table):
            with suppress(Unfit):
                found.add(table, rows)
            told(Step("prove", table.name, found.rows, wanted.rows))
        if found.rows != wanted.rows:
            wrong.append(f"{table.name}: {found.rows:,} rows, where there were {wanted.rows:,}")
        elif found.digest != wanted.digest:
            wrong.append(f"{table.name}: the same number of rows, but not the same rows")
    if wrong:
        shown = "\n".join(f"  {each}" for each in wrong)
        raise Stopped(
            f"The new database is not equal to the present one, which stays in use:\n{shown}\n"
            "Somebody wrote to one of them meanwhile, or a row was changed on the way. Empty the new database (drop "
            "and create it) and begin again."
        )


def settle(source_note: Note, target: Target, sums: Sums, at: datetime) -> None:
    """Let the new database be believed; the former one says already that it was left."""
    left = places.told(places.present())
    facts = {"tables": sums.facts(), "rows": sums.rows}
    with target.as_our_own(), transaction.atomic():
        notes.forget(connection, "table:%")
        notes.forget(connection, notes.LATER)
        notes.forget(connection, notes.SOURCE)
        notes.say(connection, notes.TARGET, Note(source_note.move, notes.PROVED, left, at.isoformat(), facts))
        told = {"from": left, "to": source_note.other, "rows": sums.rows, "tables": len(sums.of)}
        record("command", MOVED, SUBJECT, told, at=at)


def faults_of_the_whole(target: Target, told: Told) -> list[str]:
    """What no table shows alone: keys, the log of acts, indexes and references."""
    found = target.faults()
    with target.as_our_own():
        told(Step("keys", "", 0, 0))
        found += own_keys.faults().values()
        told(Step("log", "", 0, 0))
        found += tree.verify(log_of_acts(), lambda done: told(Step("log", "", done, 0))).faults
    return found


def require_files(told: Told, *, digests: bool) -> None:
    """Raises Stopped where a file that the present database names is not in the store."""
    found = places.files_that_are_wrong(lambda done, whole: told(Step("files", "", done, whole)), digests=digests)
    if found:
        shown = "\n".join(f"  {each}" for each in found)
        raise Stopped(
            f"The store is not whole, before anything is moved:\n{shown}\nRestore these files from a backup; or move "
            "the database as it is: --whatever-files"
        )


def begun(target: Target, source_note: Note | None, to: str, at: datetime) -> Note:
    """The note of this move: a new one, or that of the one that is to be gone on with. Raises Stopped."""
    there = notes.end(target.connection, notes.TARGET)
    if source_note is not None and source_note.other != to:
        if source_note.phase == notes.MOVED:
            raise Stopped(f"This database was moved to {source_note.other} already, at {source_note.at}.")
        raise Stopped(
            f"A move to {source_note.other} was begun at {source_note.at} and not ended. Go on with it by naming that "
            "address, or leave it: tocsin move --give-up"
        )
    if there is None:
        if source_note is not None and source_note.phase == notes.MOVED:
            raise Stopped(f"This database was moved to {to}, which is empty now: restore its backup there.")
        return source_note or Note(secrets.token_hex(8), notes.MOVING, to, at.isoformat())
    if source_note is None or there.move != source_note.move:
        raise Stopped(
            "The database holds another move, or an installation: "
            f"{'it was moved there' if there.phase == notes.PROVED else 'begun'} from {there.other} at {there.at}. "
            "Name a new or empty one."
        )
    return source_note


@dataclass(slots=True)
class Move:
    """One move: from the installation's present database, which `read` opens, to `target`, which `read_back` opens."""

    read: Callable[[], Source]
    target: Target
    to: str
    """The new address, without its password."""
    read_back: Callable[[], Source]
    told: Told
    digests: bool = False
    """Whether every file of the store is read."""
    whatever_files: bool = False
    """Whether the move goes on where files are missing from the store."""

    def check(self) -> Sums:
        """All that can be known before anything is written. Raises Stopped or Unusable."""
        self.target.look()
        begun(self.target, notes.end(connection, notes.SOURCE), self.to, datetime.now(UTC))
        source = self._opened()
        try:
            return looked_through(source, tables_of(connection), self.told)
        finally:
            source.close()

    def run(self) -> int:
        """All of it, or what is left of it; gives the number of rows. Raises Stopped or Unusable."""
        self.target.look()
        at = datetime.now(UTC)
        former = notes.end(connection, notes.SOURCE)
        note = begun(self.target, former, self.to, at)
        there = notes.end(self.target.connection, notes.TARGET)
        if there is not None and there.phase == notes.PROVED:
            self._mark_store()
            return int(there.facts["rows"])
        if former is None:
            notes.say(connection, notes.SOURCE, note)
        try:
            source = self._opened()
        except Stopped:
            self._stay(is_new=there is None)
            raise
        try:
            sums = self._brought_over(source, note, is_new=there is None)
        finally:
            source.close()
        notes.say(connection, notes.SOURCE, Note(note.move, notes.MOVED, note.other, at.isoformat()))
        settle(note, self.target, sums, datetime.now(UTC))
        self._mark_store()
        return sums.rows

    def _opened(self) -> Source:
        if not self.whatever_files:
            require_files(self.told, digests=self.digests)
        connection.close()  # Else this would be somebody who has it open.
        source = self.read()
        if who := source.others():
            source.close()
            raise Stopped(f"Somebody has the present database open: {who}. Stop the portal and every worker first.")
        return source

    def _brought_over(self, source: Source, note: Note, *, is_new: bool) -> Sums:
        tables = tables_of(connection)
        try:
            sums = looked_through(source, tables, self.told)
        except (Stopped, Unreadable):
            self._stay(is_new=is_new)
            raise
        if is_new:
            left = places.told(places.present())
            self.target.make_tables(Note(note.move, notes.FILLING, left, note.at))
        copied(source, self.target, tables, sums, self.told)
        self.target.finish(lambda done, whole: self.told(Step("indexes", "", done, whole)))
        self.target.count_on(source.counters(tables), tables)
        with self.target.as_our_own():
            second_wall.build(self.target.connection)
        back = self.read_back()
        try:
            prove(back, tables, sums, self.told)
        finally:
            back.close()
        if found := faults_of_the_whole(self.target, self.told):
            raise Stopped("\n".join(["All rows are there, but:", *(f"  {each}" for each in found[:FAULTS_SHOWN])]))
        connection.close()
        if source.changed():
            raise Stopped("Somebody wrote to the present database meanwhile. Stop whoever it is, and begin anew.")
        return sums

    def _stay(self, *, is_new: bool) -> None:
        """Nothing was written yet: the present database is used as before."""
        if is_new:
            give_up()

    def _mark_store(self) -> None:
        with self.target.as_our_own():
            if not store_mark.is_ours():
                store_mark.adopt(datetime.now(UTC))
            if not lake_bucket.is_ours():
                lake_bucket.adopt(datetime.now(UTC))


def give_up() -> Note | None:
    """Take away that this database is being left, or was; gives what stood there."""
    note = notes.end(connection, notes.SOURCE)
    if note is not None:
        notes.forget(connection, notes.SOURCE)
    return note
