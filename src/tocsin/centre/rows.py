"""Many rows into one table at once: COPY on PostgreSQL, statements of many rows each on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson
import polars as pl
from django.db import connection, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import RawSQL

VALUES_IN_STATEMENT = 900
"""Every SQLite takes 999. Rows that share a statement cost a third of what they cost one by one."""
COPIED_AT_ONCE = 50_000


class Numbers(RawSQL):
    """Many numbers as one parameter, for `field__in`: thousands of parameters cost more than the question."""

    contains_aggregate = False

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers = list(numbers)
        super().__init__("", (), models.BigIntegerField())

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        if connection.vendor == "postgresql":
            return "(SELECT unnest(%s::bigint[]))", (self.numbers,)
        return "(SELECT value FROM json_each(%s))", (orjson.dumps(self.numbers).decode(),)


class InTurn(models.Exists):
    """Whether there is such a row, asked of each row of a list when it is its turn. PostgreSQL would else see fit to
    gather all such rows first, and to sort the list after; where there is an offset, it does not."""

    template = "EXISTS(%(subquery)s OFFSET 0)"


class Unindexed(models.Func):
    """A column by which SQLite is not to look for rows: without statistics it takes an index that nearly all rows pass,
    and then sorts them all. PostgreSQL counts for itself."""

    arity = 1
    template = "+%(expressions)s"

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        return compiler.compile(self.get_source_expressions()[0])


def insert(model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert plain values (already as the database wants them), all or none; joins the caller's transaction.

    No signals, no `save`, no returned objects: for hundreds of thousands of rows.
    """
    if not rows:
        return
    table = connection.ops.quote_name(model._meta.db_table)
    fields = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = ", ".join(connection.ops.quote_name(fields[column]) for column in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        most = max(1, VALUES_IN_STATEMENT // len(columns))
        whole = len(rows) // most * most
        groups = (tuple(chain.from_iterable(rows[at : at + most])) for at in range(0, whole, most))
        # Straight to the driver: Django's cursor would rewrite the placeholders of every call.
        driver = cursor.cursor.connection
        driver.executemany(_statement(table, names, len(columns), most), groups)
        if whole < len(rows):
            rest = tuple(chain.from_iterable(rows[whole:]))
            driver.execute(_statement(table, names, len(columns), len(rows) - whole), rest)


def insert_frame(model: type[models.Model], frame: pl.DataFrame) -> None:
    """The same for a frame whose columns are named as the model's fields. No row becomes an object of Python on its way
    to PostgreSQL: that costs more than all that the server does with it."""
    if connection.vendor != "postgresql" or not all(map(_is_plain, frame.dtypes)):
        if all(kind.is_integer() for kind in frame.dtypes) and not any(frame.null_count().row(0)):
            _insert_numbers(model, frame)
            return
        insert(model, frame.columns, frame.rows())
        return
    if not len(frame):
        return
    table = connection.ops.quote_name(model._meta.db_table)
    fields = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = ", ".join(connection.ops.quote_name(fields[column]) for column in frame.columns)
    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for portion in frame.iter_slices(COPIED_AT_ONCE):
            copy.write(copy_text(portion))


def _insert_numbers(model: type[models.Model], frame: pl.DataFrame) -> None:
    """Rows of numbers alone, which become no tuples: half of what Python pays for them."""
    table = connection.ops.quote_name(model._meta.db_table)
    fields = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = ", ".join(connection.ops.quote_name(fields[column]) for column in frame.columns)
    width = frame.width
    values = np.stack([column.to_numpy() for column in frame], axis=1).ravel().tolist()
    most = VALUES_IN_STATEMENT // width * width
    whole = len(values) // most * most
    with transaction.atomic(), connection.cursor() as cursor:
        driver = cursor.cursor.connection
        groups = (values[at : at + most] for at in range(0, whole, most))
        driver.executemany(_statement(table, names, width, most // width), groups)
        if whole < len(values):
            driver.execute(_statement(table, names, width, (len(values) - whole) // width), values[whole:])


def insert_missing(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert plain values but where the row is there already; joins the caller's transaction."""
    quote = connection.ops.quote_name
    fields = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = ", ".join(quote(fields[column]) for column in columns)
    marks = ", ".join(["%s"] * len(columns))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(sql, list(rows))


def copy_text(frame: pl.DataFrame) -> bytes:
    """The frame as COPY reads it: tabs between columns, `\\N` for what is not there."""
    escaped = pl.col(pl.String).str.replace_many(["\\", "\t", "\n", "\r"], ["\\\\", "\\t", "\\n", "\\r"])
    binary = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    hexed = [(pl.lit("\\\\x") + pl.col(name).bin.encode("hex")).alias(name) for name in binary]
    ready = frame.with_columns(escaped, *hexed)
    return ready.write_csv(include_header=False, separator="\t", null_value="\\N", quote_style="never").encode()


def update(model: type[models.Model], names: Sequence[str], changed: Sequence[models.Model]) -> None:
    """Write these fields of these rows, as `save` of each would, in one statement of SQL for all of them."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    key: Any = model._meta.pk
    columns = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    sql = f"UPDATE {quote(model._meta.db_table)} SET {columns} WHERE {quote(str(key.column))} = %s"  # noqa: S608
    told = [
        (*(field.get_db_prep_save(field.pre_save(each, False), connection) for field in fields), each.pk)
        for each in changed
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(sql, told)


def _is_plain(kind: pl.DataType) -> bool:
    return kind.is_integer() or kind in (pl.String, pl.Binary, pl.Boolean, pl.Date)


def _statement(table: str, names: str, columns: int, rows: int) -> str:
    marks = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([marks] * rows)}"  # noqa: S608 - names of the model.
