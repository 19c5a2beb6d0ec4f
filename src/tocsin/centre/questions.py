"""Questions to the database that every request or delivery puts: what they are in SQL is worked out once.

Django makes the SQL of a query set anew each time it is asked, which costs ten times what the answer of a small indexed
question does. A question here is a query set with gaps; the answer is what the query set would have given. An act is
the same for what a query set changes.

Where the database says cheaply whether anything changed in it, as SQLite does, a thread that asks the same again before
anything did is told the same: what it was told is kept with the state that it was true of. PostgreSQL says no such
thing, and is asked each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.models import Model, QuerySet, sql
from django.db.models.base import ModelState
from django.db.models.query import FlatValuesListIterable, ModelIterable, ValuesListIterable, get_related_populators
from django.db.transaction import Atomic

Row = TypeVar("Row")
MOST_KNOWN = 2_000
"""Answers that one thread keeps."""
_State = tuple[int, int]


class _Known(threading.local):
    """What this thread was told, and the state of the database of which it is true."""

    def __init__(self) -> None:
        self.source: Any = None
        """The driver's connection: another one counts anew."""
        self.state: _State = (-1, -1)
        self.answers: dict[tuple[Any, ...], tuple[_Made, list[Any]]] = {}
        self.steady: tuple[Any, int] | None = None
        """The driver's connection and what others had committed, where one request is answered by that."""
        self.is_steady = False

    def at(self, source: Any, state: _State) -> dict[tuple[Any, ...], tuple[_Made, list[Any]]]:
        """What is known in this state."""
        if self.state != state or self.source is not source or len(self.answers) > MOST_KNOWN:
            self.answers, self.state, self.source = {}, state, source
        return self.answers


_known = _Known()


@contextmanager
def steady() -> Iterator[None]:
    """What is kept is held against what others committed once, when something is first asked within, and not again with
    each question: one answer rests on one state. What this thread writes itself counts at once, as ever."""
    _known.steady, _known.is_steady = None, True
    try:
        yield
    finally:
        _known.steady, _known.is_steady = None, False


def _state(*, is_fresh: bool = False) -> tuple[Any, _State] | None:
    """What changes whenever anything in the database does, whoever changes it; None where nothing says so cheaply.

    Within a transaction nothing is kept: it sees what it wrote itself, which may come to nothing. SQLite tells of what
    other connections committed by `data_version`, and of what this one did by its count of rows.
    """
    here = connections[DEFAULT_DB_ALIAS]
    if here.vendor != "sqlite" or here.in_atomic_block or (source := here.connection) is None:
        return None
    if not is_fresh and _known.steady is not None and _known.steady[0] is source:
        return source, (_known.steady[1], source.total_changes)
    version = source.execute("PRAGMA data_version").fetchone()[0]
    if _known.is_steady and _known.steady is None:
        _known.steady = source, version
    return source, (version, source.total_changes)


@contextmanager
def writing_only(*models: type[Model]) -> Iterator[None]:
    """What is done within writes to the tables of these models alone: answers from other tables stay true for it.

    Around a whole transaction. Whoever says it of something that writes elsewhere too makes this thread believe what
    is over.
    """
    source, state = _known.source, _known.state
    is_here = source is not None and connections[DEFAULT_DB_ALIAS].connection is source
    is_known = is_here and source.total_changes == state[1]  # This connection wrote nothing since.
    yield
    if not is_known or (after := _state(is_fresh=True)) is None:
        return
    if after[0] is source and after[1][0] == state[0]:  # Nobody else wrote since what is known was true.
        tables = {each._meta.db_table for each in models}
        _known.answers = {key: each for key, each in _known.answers.items() if not each[0].tables & tables}
        _known.state = after[1]


class Brief:
    """`transaction.atomic()`, for a few plain statements that each page writes: what Django does around a transaction
    costs more than the statements. Within another transaction, and on other databases than SQLite, it is that."""

    def __enter__(self) -> None:
        here = connections[DEFAULT_DB_ALIAS]
        is_plain = here.vendor == "sqlite" and not here.in_atomic_block and here.autocommit
        if not is_plain or here.connection is None or here.execute_wrappers or here.queries_logged:
            self._atomic: Atomic | None = transaction.atomic()
            self._atomic.__enter__()
            return
        self._atomic, self._here = None, here
        with here.wrap_database_errors:
            here.connection.execute("BEGIN IMMEDIATE")
        here.autocommit, here.in_atomic_block, here.commit_on_exit, here.needs_rollback = False, True, True, False

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._atomic is not None:
            self._atomic.__exit__(kind, error, trace)
            return
        here = self._here
        is_kept = error is None and not here.needs_rollback
        here.in_atomic_block, here.needs_rollback, here.autocommit = False, False, True
        if here.closed_in_transaction:  # The database has rolled it back by itself.
            here.connection, here.run_on_commit = None, []
            return
        try:
            with here.wrap_database_errors:
                here.connection.execute("COMMIT" if is_kept else "ROLLBACK")
        except DatabaseError:
            here.run_on_commit = []
            here.close()  # What is left of it goes with the connection.
            raise
        if is_kept:
            here.run_and_clear_commit_hooks()
        else:
            here.run_on_commit = []


class _Said:
    """Words of SQL, and which of their parameters stand for what is asked with."""

    def __init__(self, compiler: Any, examples: Sequence[Any]) -> None:
        self.sql, parameters = compiler.as_sql()
        known = {_prepared(example): place for place, example in enumerate(examples)}
        if len(known) < len(examples):
            raise ValueError("examples must differ")
        self._parameters = list(parameters)
        self._gaps = [(at, known[value]) for at, value in enumerate(parameters) if value in known]
        if {place for _, place in self._gaps} != set(range(len(examples))):
            raise ValueError("the question does not ask for each of its examples")

    def filled(self, said: Sequence[Any]) -> list[Any]:
        """The parameters, with these values in their gaps."""
        parameters, values = self._parameters.copy(), [_prepared(each) for each in said]
        for at, place in self._gaps:
            parameters[at] = values[place]
        return parameters


class _Made(_Said):
    """A question as one kind of database understands it."""

    def __init__(self, asked: Any, examples: Sequence[Any]) -> None:
        compiler = asked.query.get_compiler(connection=connections[connection.alias])
        super().__init__(compiler, examples)
        converters = compiler.get_converters([each[0] for each in compiler.select])
        self._converted = partial(compiler.apply_converters, converters=converters) if converters else iter
        kinds: dict[Any, Any] = {
            ModelIterable: self._objects,
            ValuesListIterable: self._tuples,
            FlatValuesListIterable: self._firsts,
        }
        self.rows: Callable[[Any], list[Any]] = kinds[asked._iterable_class]
        """What the rows of the database are to who asks."""
        self.tables = frozenset(each.table_name for each in asked.query.alias_map.values())
        """From which they come."""
        self.is_of_objects = self.rows == self._objects
        if self.is_of_objects:
            told, selected = compiler.klass_info, compiler.select
            begin, end = told["select_fields"][0], told["select_fields"][-1] + 1
            self._own = slice(begin, end)
            self._names = [each[0].target.attname for each in selected[begin:end]]
            self._model, self._alias = told["model"], connection.alias
            self._others = get_related_populators(told, selected, connection.alias)  # type: ignore[call-arg]

    def _objects(self, found: Any) -> list[Any]:
        made = []
        for row in self._converted(found):
            made.append(thing := self._model.from_db(self._alias, self._names, row[self._own]))
            for other in self._others:
                other.populate(row, thing)
        return made

    def _tuples(self, found: Any) -> list[Any]:
        return list(map(tuple, self._converted(found)))

    def _firsts(self, found: Any) -> list[Any]:
        return [row[0] for row in self._converted(found)]


class Question(Generic[Row]):
    """`ask` makes the query set of as many values as there are examples; these differ from one another and from
    whatever else it asks for, and are of the types that will be asked with. None is no value here. Answers that are
    large are not kept (`is_kept`)."""

    def __init__(
        self, ask: Callable[..., QuerySet[Any, Row]], *examples: str | int | bytes | date, is_kept: bool = True
    ) -> None:
        self._ask = ask
        self._examples = examples
        self._is_kept = is_kept
        self._made: dict[str, _Made] = {}
        self._lock = threading.Lock()

    def __call__(self, *said: Any) -> list[Row]:
        """What the query set of these values holds at this moment."""
        if not self._is_kept or (now := _state()) is None:
            return self._asked(*said)[1]
        answers, key = _known.at(*now), (self, *said)
        if (known := answers.get(key)) is None:
            answers[key] = known = self._asked(*said)
        made, rows = known
        return [_once_more(each) for each in rows] if made.is_of_objects else list(rows)

    def _asked(self, *said: Any) -> tuple[_Made, list[Row]]:
        made = self._made.get(connection.vendor) or self._make()
        with connection.cursor() as cursor:
            cursor.execute(made.sql, made.filled(said))
            found = cursor.fetchall()
        return made, made.rows(found)

    def first(self, *said: Any) -> Row | None:
        """The first of them; the query set says how many it gives at most."""
        return next(iter(self(*said)), None)

    def _make(self) -> _Made:
        with self._lock:
            made = self._made.get(connection.vendor)
            if made is None:
                try:
                    made = _Made(self._ask(*self._examples), self._examples)
                except EmptyResultSet:
                    raise ValueError("the question has no answer, whatever is asked") from None
                self._made[connection.vendor] = made
        return made


class Act:
    """`ask` makes, of as many values as there are examples, the query set and what of it is changed to what."""

    def __init__(
        self, ask: Callable[..., tuple[QuerySet[Any, Any], Mapping[str, Any]]], *examples: str | int | bytes | date
    ) -> None:
        self._ask = ask
        self._examples = examples
        self._made: dict[str, _Said] = {}
        self._lock = threading.Lock()

    def __call__(self, *said: Any) -> int:
        """Change it, and say how many rows were."""
        made = self._made.get(connection.vendor) or self._make()
        with connection.cursor() as cursor:
            cursor.execute(made.sql, made.filled(said))
            return int(cursor.rowcount)

    def each(self, rows: Iterable[Sequence[Any]]) -> None:
        """The same with the values of each row."""
        made = self._made.get(connection.vendor) or self._make()
        with connection.cursor() as cursor:
            cursor.executemany(made.sql, [made.filled(said) for said in rows])

    def _make(self) -> _Said:
        with self._lock:
            made = self._made.get(connection.vendor)
            if made is None:
                asked, values = self._ask(*self._examples)
                query: Any = asked.query.chain(sql.UpdateQuery)
                query.add_update_values(values)
                made = _Said(query.get_compiler(connection=connections[connection.alias]), self._examples)
                self._made[connection.vendor] = made
        return made


def _once_more(thing: Any) -> Any:
    """The same object, as if it had been read again: whoever changes it changes nobody else's."""
    made = thing.__class__.__new__(thing.__class__)
    facts = made.__dict__
    for name, value in thing.__dict__.items():
        facts[name] = _copied(value) if type(value) in _CHANGEABLE else value
    facts["_state"] = state = ModelState()
    state.db, state.adding = thing._state.db, False
    others = thing._state.__dict__.get("fields_cache")
    if others:
        state.fields_cache = {name: other and _once_more(other) for name, other in others.items()}
    return made


_CHANGEABLE = frozenset({list, dict})
"""What JSON is read as."""


def _copied(value: Any) -> Any:
    match value:
        case list():
            return [_copied(each) for each in value]
        case dict():
            return {name: _copied(each) for name, each in value.items()}
    return value


def _prepared(value: Any) -> Any:
    """As parameters have it."""
    match value:
        case datetime():
            return connection.ops.adapt_datetimefield_value(value)
        case date():
            return connection.ops.adapt_datefield_value(value)
    return value
