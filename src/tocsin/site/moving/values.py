"""One spelling of a row for both databases, its digest, and what one of them would refuse.

Rows are plain: numbers (yes is 1), texts, bytes, fractions. Moments are spelled as SQLite keeps them, in UTC.
"""

from __future__ import annotations

import hashlib
import json
import marshal
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from itertools import chain
from typing import Any

from .tables import Column, Kind, Table

Row = Sequence[Any]
MOST_FAULTS = 5
"""So many are shown of each column; all are counted."""
_BITS = 256
_WIDE = Context(prec=100_000, Emax=10**9, Emin=-(10**9))
_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_PLAIN_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{6})?")


class Unfit(ValueError):  # noqa: N818 - named as the answers of `core.errors` are.
    """A value that the other database does not take, or that stands for none of its kind; says why."""


@dataclass(slots=True)
class Sum:
    """How many rows there are, and a digest of them that does not depend on their order."""

    rows: int = 0
    total: int = 0

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Take in some more rows. Raises Unfit for a value that has no spelling."""
        columns = list(zip(*rows))
        for place, column in enumerate(table.columns):
            if column.kind in _SPELLED:
                spell = _SPELLED[column.kind]
                columns[place] = tuple(None if value is None else spell(value) for value in columns[place])
        digest, number, written = hashlib.sha256, int.from_bytes, marshal.dumps
        # Format 2 knows no references: equal rows have equal bytes, and other rows have others.
        self.total += sum(number(digest(written(row, 2)).digest(), "big") for row in zip(*columns))
        self.rows += len(rows)

    @property
    def digest(self) -> str:
        """The digest, as 64 signs."""
        return f"{self.total % (1 << _BITS):064x}"


@dataclass(slots=True)
class Faults:
    """What was found wrong in a table: sentences, and how many there are in all."""

    said: list[str] = field(default_factory=list)
    count: int = 0
    _columns: dict[str, int] = field(default_factory=dict)

    def add(self, table: Table, column: str, row: Row, why: str) -> None:
        """Note what is wrong with one row."""
        self.count += 1
        shown = self._columns[column] = self._columns.get(column, 0) + 1
        if shown <= MOST_FAULTS:
            where = ", ".join(f"{name} {row[place]!s:.60}" for name, place in zip(table.key_names, table.key))
            self.said.append(f"{table.name}.{column}, row with {where}: {why}")


def look_through(table: Table, rows: Sequence[Row], faults: Faults) -> None:
    """Find what PostgreSQL would refuse, or SQLite has taken for something else than it says."""
    for place, (column, values) in enumerate(zip(table.columns, zip(*rows))):
        check = _CHECKS[column.kind]
        if check.is_fine(column, values):
            continue
        for row in rows:
            if row[place] is not None and (why := check.why(column, row[place])):
                faults.add(table, column.name, row, why)


def moment(said: str) -> str:
    """A moment in UTC as SQLite keeps it: microseconds only where there are some."""
    if not _PLAIN_MOMENT.fullmatch(said):
        try:
            found = datetime.fromisoformat(said)
        except ValueError as error:
            raise Unfit("no moment") from error
        said = str((found if found.tzinfo is None else found.astimezone(UTC)).replace(tzinfo=None))
    return said[:19] if said.endswith(".000000") else said


def json_text(said: str) -> str:
    """A text of JSON in one spelling: keys in order, numbers by what they are worth."""
    return json.dumps(_in_order(_json(said)), ensure_ascii=False, separators=(",", ":"))


def _json(said: str) -> Any:
    return json.loads(said, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant)


def _in_order(value: Any) -> Any:
    """Objects and numbers are tagged, so that no two values of JSON have one spelling."""
    if isinstance(value, dict):
        return {"d": [[key, _in_order(value[key])] for key in sorted(value)]}
    if isinstance(value, list):
        return [_in_order(each) for each in value]
    if isinstance(value, Decimal):
        return {"n": str(value.normalize(_WIDE) if value else Decimal(0))}
    return value


def _no_constant(said: str) -> object:
    raise ValueError(f"{said} is no number of JSON")


_SPELLED: dict[Kind, Callable[[Any], Any]] = {
    Kind.MOMENT: moment,
    Kind.JSON: json_text,
    Kind.FRACTION: lambda value: float(value) + 0.0,
}


@dataclass(frozen=True, slots=True)
class _Check:
    """A quick look at a whole column, and a slow one at each value: why it is unfit, or nothing."""

    is_fine: Callable[[Column, Sequence[Any]], bool]
    why: Callable[[Column, Any], str]


def _types(values: Iterable[Any]) -> set[type]:
    return set(map(type, values)) - {type(None)}


def _there(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _number_is_fine(column: Column, values: Sequence[Any]) -> bool:
    there = _there(values)
    return _types(there) <= {int} and (not there or (min(there) >= column.least and max(there) <= column.most))


def _why_number(column: Column, value: Any) -> str:
    if not isinstance(value, int):
        return f"{value!r:.60} is no whole number"
    if not column.least <= value <= column.most:
        return f"{value} lies outside of {column.least} to {column.most}"
    return ""


def _text_is_fine(column: Column, values: Sequence[Any]) -> bool:
    there = _there(values)
    if not _types(there) <= {str}:
        return False
    if "\x00" in "".join(there):
        return False
    return column.longest is None or max(map(len, there), default=0) <= column.longest


def _why_text(column: Column, value: Any) -> str:
    if not isinstance(value, str):
        return f"{value!r:.60} is no text"
    if "\x00" in value:
        return f"the sign NUL at place {value.index(chr(0)) + 1}, which PostgreSQL keeps in no text"
    if column.longest is not None and len(value) > column.longest:
        return f"{len(value)} signs, where {column.longest} are the most"
    return ""


def _why_json(column: Column, value: Any) -> str:
    if not isinstance(value, str):
        return f"{value!r:.60} is no text of JSON"
    try:
        found = _json(value)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error!s:.80}"
    if not _ESCAPE.search(value):
        return ""
    for text in _texts(found):
        if "\x00" in text:
            return "the sign NUL in a text, which PostgreSQL does not take"
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            return "half a pair of UTF-16 in a text, which PostgreSQL does not take"
    return ""


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return chain.from_iterable(map(_texts, value))
    if isinstance(value, dict):
        return chain(value, chain.from_iterable(map(_texts, value.values())))
    return ()


def _why_moment(column: Column, value: Any) -> str:
    if not isinstance(value, str):
        return f"{value!r:.60} is no moment"
    try:
        datetime.fromisoformat(moment(value))
    except ValueError:
        return f"{value!r:.60} is no moment"
    return ""


def _why_day(column: Column, value: Any) -> str:
    try:
        is_day = len(value) == len("2026-11-22") and date.fromisoformat(value) is not None
    except (TypeError, ValueError):
        is_day = False
    return "" if is_day else f"{value!r:.60} is no day"


def _one_by_one(why: Callable[[Column, Any], str]) -> _Check:
    return _Check(lambda column, values: not any(why(column, value) for value in _there(values)), why)


_CHECKS = {
    Kind.NUMBER: _Check(_number_is_fine, _why_number),
    Kind.YES_OR_NO: _Check(
        lambda column, values: set(_there(values)) <= {0, 1} and _types(values) <= {int, bool},
        lambda column, value: "" if value in (0, 1) and isinstance(value, int) else f"{value!r:.60} is not 0 or 1",
    ),
    Kind.FRACTION: _Check(
        lambda column, values: _types(values) <= {float, int},
        lambda column, value: "" if isinstance(value, float | int) else f"{value!r:.60} is no number",
    ),
    Kind.TEXT: _Check(_text_is_fine, _why_text),
    Kind.BYTES: _Check(
        lambda column, values: _types(values) <= {bytes},
        lambda column, value: "" if isinstance(value, bytes) else f"{value!r:.60} is no row of bytes",
    ),
    Kind.MOMENT: _one_by_one(_why_moment),
    Kind.DAY: _one_by_one(_why_day),
    Kind.JSON: _one_by_one(_why_json),
}
