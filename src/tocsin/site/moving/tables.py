"""The tables of an installation as they are moved: columns by what may stand in them, keys, and which numbers go on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from django.apps import apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder


class Kind(Enum):
    """What may stand in a column, whatever a database calls it."""

    NUMBER = "number"
    YES_OR_NO = "yes or no"
    FRACTION = "fraction"
    TEXT = "text"
    BYTES = "bytes"
    MOMENT = "moment"
    DAY = "day"
    JSON = "JSON"


_KINDS = {
    "BooleanField": Kind.YES_OR_NO, "FloatField": Kind.FRACTION, "CharField": Kind.TEXT, "SlugField": Kind.TEXT,
    "TextField": Kind.TEXT, "BinaryField": Kind.BYTES, "DateTimeField": Kind.MOMENT, "DateField": Kind.DAY,
    "JSONField": Kind.JSON,
}  # fmt: skip
_WHOLE = {
    "SmallIntegerField": (-(2**15), 2**15 - 1), "PositiveSmallIntegerField": (0, 2**15 - 1),
    "IntegerField": (-(2**31), 2**31 - 1), "PositiveIntegerField": (0, 2**31 - 1), "AutoField": (-(2**31), 2**31 - 1),
    "BigIntegerField": (-(2**63), 2**63 - 1), "PositiveBigIntegerField": (0, 2**63 - 1),
    "BigAutoField": (-(2**63), 2**63 - 1),
}  # fmt: skip
"""Type of a field → the least and the most that PostgreSQL takes."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `longest` in signs, None where a text may have any length."""

    name: str
    kind: Kind
    longest: int | None = None
    least: int = 0
    most: int = 0

    @property
    def is_large(self) -> bool:
        """Whether one value may take much room."""
        return self.kind in {Kind.BYTES, Kind.JSON} or (self.kind is Kind.TEXT and self.longest is None)


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `key` are the places of the columns that tell its rows apart, in the order of its primary key."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    counter: str = ""
    """The column that the database numbers by itself."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(self.columns[place].name for place in self.key)

    @property
    def is_large(self) -> bool:
        """Whether a few rows may take much room."""
        return any(column.is_large for column in self.columns)


def models_of(connection: BaseDatabaseWrapper) -> list[type[models.Model]]:
    """All models that have a table, with the notes of which changes were made; each brings its links with it."""
    return [*(each for each in apps.get_models() if each._meta.can_migrate(connection)), MigrationRecorder.Migration]


def tables_of(connection: BaseDatabaseWrapper) -> list[Table]:
    """All tables, by name."""
    links = [each for each in apps.get_models(include_auto_created=True) if each._meta.auto_created]
    return sorted((_table(model) for model in [*models_of(connection), *links]), key=lambda table: table.name)


def _table(model: type[models.Model]) -> Table:
    fields = list(model._meta.local_concrete_fields)
    columns = tuple(_column(field) for field in fields)
    places = {field.name: place for place, field in enumerate(fields)}
    key = model._meta.pk_fields
    counters = [str(field.column) for field in fields if isinstance(field, models.AutoField | models.BigAutoField)]
    return Table(
        model._meta.db_table, columns, tuple(places[field.name] for field in key), counters[0] if counters else ""
    )


def _column(field: models.Field[object, object]) -> Column:
    meant = field
    while isinstance(meant, models.ForeignKey):
        meant = meant.target_field
    name, said = str(field.column), meant.get_internal_type()
    if said in _WHOLE:
        least, most = _WHOLE[said]
        return Column(name, Kind.NUMBER, least=least, most=most)
    kind = _KINDS[said]
    return Column(name, kind, longest=meant.max_length if kind is Kind.TEXT else None)
