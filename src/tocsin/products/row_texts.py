"""Rows as CSV and JSON Lines, column by column: texts of few words are looked up, never written twice.

A row's text is a chain of fragments. Neighbouring columns of few distinct values become one fragment of all their
combinations, so that a million rows of forty columns are put together from a dozen texts each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from .text_safety import DECEIVING_SIGNS, FORMULA_STARTS, cell

_OLDEST = pl.CompatLevel.oldest()
_FEW = 4_096
"""Numbers within so wide a span are looked up instead of written."""
_COMBINATIONS = 16_384
_JSON_BYTE, _CSV_BYTE = 1, 2
_BYTES = np.zeros(256, np.uint8)
_BYTES[:32] = _JSON_BYTE | _CSV_BYTE
_BYTES[[0x22]] = _JSON_BYTE | _CSV_BYTE
_BYTES[0x5C] = _JSON_BYTE
# Comma, DEL, and the first bytes of the two- and three-byte forms under which C1 controls and bidi characters live.
_BYTES[[0x2C, 0x7F, 0xC2, 0xD8, 0xE2, 0xEF]] |= _CSV_BYTE
_FORMULA = np.zeros(256, bool)
_FORMULA[[ord(sign) for sign in FORMULA_STARTS]] = True
_JSON_SIGNS = {chr(code): orjson.dumps(chr(code)).decode()[1:-1] for code in (*range(32), 0x22, 0x5C)}
_CSV_SIGNS = {sign: f"\\u{ord(sign):04x}" for sign in DECEIVING_SIGNS} | {'"': '""'}
_SECONDS = pl.Series([f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(86_400)])
_Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Looked:
    """A part of the text that has few forms: which form each row has; None where all have the only one."""

    forms: list[str]
    codes: _Codes | None


@dataclass(frozen=True, slots=True)
class _Written:
    """A part of the text that differs from row to row."""

    texts: pl.Series


_Part = _Looked | _Written


def csv_text(frame: pl.DataFrame) -> memoryview:
    """Rows as CSV without a header (RFC 4180, UTF-8, line feeds), safe in a spreadsheet."""
    parts: list[_Part] = []
    for place, column in enumerate(frame):
        comma = "," if place else ""
        if column.null_count() == len(column):
            parts.append(_Looked([comma], None))
        else:
            parts += _csv_parts(column, comma)
    return _joined([*parts, _Looked(["\n"], None)], frame.height)


def json_text(frame: pl.DataFrame) -> memoryview:
    """Rows as JSON objects, one a line, without their empty fields. The first column must have no empty fields."""
    parts: list[_Part] = []
    for place, column in enumerate(frame):
        if column.null_count() < len(column):
            parts += _json_parts(column, f'{"," if place else "{"}"{column.name}":')
    return _joined([*parts, _Looked(["}\n"], None)], frame.height)


def _csv_parts(column: pl.Series, comma: str) -> Iterator[_Part]:
    few = _few(column)
    if few is not None:
        words, codes = few
        yield _Looked([comma + _csv_cell(word) for word in words] + [comma], codes)
        return
    yield _Looked([comma], None)
    if isinstance(column.dtype, pl.Datetime):
        yield from _moment(column, "", "")
    else:
        yield _Written(_csv_column(column).fill_null(""))


def _json_parts(column: pl.Series, key: str) -> Iterator[_Part]:
    few = _few(column)
    if few is not None:
        words, codes = few
        yield _Looked([key + _json_word(word) for word in words] + [""], codes)
        return
    if isinstance(column.dtype, pl.Datetime):
        yield from _moment(column, key + '"', '"')
        return
    quote = '"' if column.dtype == pl.String else ""
    present = None if not column.null_count() else column.is_null().to_numpy().astype(np.intp)
    ends = ([key + quote], [quote]) if present is None else ([key + quote, ""], [quote, ""])
    yield _Looked(ends[0], present)
    yield _Written((_json_column(column) if quote else column.cast(pl.String)).fill_null(""))
    yield _Looked(ends[1], present)


def _few(column: pl.Series) -> tuple[list[str | int], _Codes] | None:
    """The distinct words of a column that has few, and for each row the number of its word; an empty field has the
    number after the last. None for columns of many words."""
    words: Sequence[str | int]
    if isinstance(column.dtype, pl.Enum):
        words = column.dtype.categories.to_list() if len(column.dtype.categories) < _FEW else column.dtype.categories
        codes = column.to_physical().cast(pl.Int64).fill_null(len(words)).to_numpy()
    elif column.dtype.is_integer():
        low, high = column.min(), column.max()
        if not isinstance(low, int) or not isinstance(high, int) or high - low >= min(_FEW, 16 + len(column)):
            return None
        words = range(low, high + 1)
        codes = (column.cast(pl.Int64) - low).fill_null(len(words)).to_numpy()
    else:
        return None
    counts = np.bincount(codes, minlength=len(words) + 1)
    used = np.flatnonzero(counts[:-1])
    place = np.zeros(len(counts), np.intp)
    place[used] = np.arange(len(used))
    place[-1] = len(used)
    return [words[number] for number in used.tolist()], place[codes]


def _moment(column: pl.Series, before: str, after: str) -> Iterator[_Part]:
    """RFC 3339, UTC: day, second of the day and fraction are looked up each by itself."""
    microseconds = column.to_physical()
    empty = column.is_null().to_numpy() if column.null_count() else None
    whole = microseconds.fill_null(0).to_numpy()
    days = whole // 86_400_000_000
    within = whole - days * 86_400_000_000
    distinct, codes = _distinct_days(days)
    forms = [f"{before}{np.datetime64(int(day), 'D')}" for day in distinct]
    seconds = within // 1_000_000
    fractions = within - seconds * 1_000_000
    if empty is not None:
        codes = np.where(empty, len(forms), codes)
        yield _Looked([*forms, ""], codes)
        yield _Written(
            pl.select(
                pl.when(pl.lit(pl.Series(~empty))).then(pl.lit(_SECONDS.gather(seconds))).otherwise(pl.lit(""))
            ).to_series()
        )
    else:
        yield _Looked(forms, codes)
        yield _Written(_SECONDS.gather(seconds))
    if fractions.any():
        text = pl.select(
            pl.when(pl.lit(pl.Series(fractions > 0)))
            .then(pl.concat_str(pl.lit("."), pl.lit(pl.Series(fractions)).cast(pl.String).str.zfill(6)))
            .otherwise(pl.lit(""))
        ).to_series()
        yield _Written(text)
    end = f"Z{after}"
    yield _Looked([end], None) if empty is None else _Looked([end, ""], empty.astype(np.intp))


def _distinct_days(days: npt.NDArray[np.int64]) -> tuple[list[int], _Codes]:
    low, high = (
        int(days.min(initial=0 if not len(days) else days[0])),
        int(days.max(initial=days[0] if len(days) else 0)),
    )
    if high - low > _FEW:
        distinct, codes = np.unique(days, return_inverse=True)
        return distinct.tolist(), codes
    return list(range(low, high + 1)), days - low


def _joined(parts: Sequence[_Part], rows: int) -> memoryview:
    if not rows:
        return memoryview(b"")
    most = max(64, min(_COMBINATIONS, rows // 8))
    columns: list[pl.Series | pl.Expr] = []
    held: _Looked | None = None
    for part in parts:
        if isinstance(part, _Written):
            if held is not None:
                columns.append(_column(held))
                held = None
            columns.append(part.texts)
        elif held is None:
            held = part
        elif held.codes is None or part.codes is None or len(held.forms) * len(part.forms) <= most:
            held = _combined(held, part)
        else:
            columns.append(_column(held))
            held = part
    if held is not None:
        columns.append(_column(held))
    table = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(columns) if isinstance(each, pl.Series)])
    lines = [pl.col(str(place)) if isinstance(each, pl.Series) else each for place, each in enumerate(columns)]
    text = table.select(pl.concat_str(lines)).to_series().to_arrow(compat_level=_OLDEST)
    # The text buffer of the column is the file's content: no join, no copy.
    _, offsets, body = text.buffers()
    end = int(np.frombuffer(offsets, np.int64)[text.offset + len(text)])
    return memoryview(body)[:end]


def _combined(left: _Looked, right: _Looked) -> _Looked:
    forms = [first + second for first in left.forms for second in right.forms]
    if left.codes is None or right.codes is None:
        return _Looked(forms, right.codes if left.codes is None else left.codes)
    return _Looked(forms, left.codes * len(right.forms) + right.codes)


def _column(part: _Looked) -> pl.Series | pl.Expr:
    if part.codes is None:
        return pl.lit(part.forms[0])
    return pl.Series(part.forms, dtype=pl.String).gather(part.codes)


@lru_cache(maxsize=100_000)
def _csv_cell(word: str | int) -> str:
    if isinstance(word, int):
        return str(word)
    shown = cell(word).replace('"', '""')
    return f'"{shown}"' if '"' in shown or "," in shown else shown


def _json_word(word: str | int) -> str:
    return str(word) if isinstance(word, int) else orjson.dumps(word).decode()


def _csv_column(column: pl.Series) -> pl.Series:
    if column.dtype != pl.String:
        return column.cast(pl.String)
    bytes_met, starts_formula = _bytes_met(column)
    if not bytes_met & _CSV_BYTE and not starts_formula:
        return column
    text = pl.col(column.name)
    shown: pl.Expr = text
    if bytes_met & _CSV_BYTE:
        shown = shown.str.replace_many(list(_CSV_SIGNS), list(_CSV_SIGNS.values()))
    if starts_formula:
        formula = pl.any_horizontal(text.str.starts_with(sign) for sign in FORMULA_STARTS)
        shown = pl.when(formula).then(pl.concat_str(pl.lit("'"), shown)).otherwise(shown)
    if bytes_met & _CSV_BYTE:
        quoted = text.str.contains(",", literal=True) | text.str.contains('"', literal=True)
        shown = pl.when(quoted).then(pl.concat_str(pl.lit('"'), shown, pl.lit('"'))).otherwise(shown)
    return column.to_frame().select(shown).to_series()


def _json_column(column: pl.Series) -> pl.Series:
    if not _bytes_met(column)[0] & _JSON_BYTE:
        return column
    return column.str.replace_many(list(_JSON_SIGNS), list(_JSON_SIGNS.values()))


def _bytes_met(column: pl.Series) -> tuple[int, bool]:
    """Which classes of bytes a column of texts holds, and whether any text begins as a formula."""
    array = column.to_arrow(compat_level=_OLDEST)
    _, offsets, body = array.buffers()
    if body is None or not len(array):
        return 0, False
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(body, np.uint8)[: starts[-1]]
    firsts = starts[:-1][starts[:-1] < starts[1:]]
    held = np.bincount(data[starts[0] :], minlength=256) > 0
    return int(np.bitwise_or.reduce(_BYTES[held], initial=0)), bool(_FORMULA[data[firsts]].any())
