"""Many rows into one table at once: COPY on PostgreSQL, one prepared statement on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models, transaction


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert plain values (already as the database wants them), all or none; joins the caller's transaction.

    No signals, no `save`, no returned objects: for hundreds of thousands of rows.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    fields = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = ", ".join(connection.ops.quote_name(fields[column]) for column in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["?"] * len(columns))
        # Straight to the driver: Django's cursor would rewrite the placeholders of every call.
        cursor.cursor.connection.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - names come from the model alone.
            rows,
        )
