"""Rows as CSV and JSON Lines, column by column: texts of few words are looked up, never written twice.

A row's text is a chain of fragments. Neighbouring columns of few distinct values become one fragment of all their
combinations, so that a million rows of forty columns are put together from a dozen texts each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from .text_safety import DECEIVING_SIGNS, FORMULA_STARTS, cell

_FEW = 4_096
"""Numbers within so wide a span are looked up instead of written."""
_SAMPLE = 1_000
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
_Codes = npt.NDArray[np.uint32]


@cache
def _seconds() -> pl.Series:
    """Every second of a day as it is written, by its number."""
    return pl.Series([f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(86_400)])


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


@dataclass(frozen=True, slots=True)
class _Moments:
    days: list[str]
    day_codes: _Codes
    times: pl.Series
    empty: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class _Texts:
    column: pl.Series
    bytes_met: int
    starts_formula: bool


@dataclass(frozen=True, slots=True)
class Few:
    """A column of few words: for each row the number of its word; an empty field has the number after the last."""

    words: list[str | int]
    codes: _Codes


Prepared = list[tuple[str, "Few | _Moments | _Texts | None"]]
"""Columns as all forms need them; None for a column without a value."""


def prepared(frame: pl.DataFrame) -> Prepared:
    """Look at each column once: what is few is numbered, what is many is searched for signs that need care."""
    return [(column.name, _prepared(column) if column.null_count() < len(column) else None) for column in frame]


def some(columns: Prepared, start: int, stop: int) -> Prepared:
    """The rows [start, stop) of prepared columns, nothing copied."""
    return [(name, None if column is None else _some(column, slice(start, stop))) for name, column in columns]


def _some(column: Few | _Moments | _Texts, rows: slice) -> Few | _Moments | _Texts:
    match column:
        case Few():
            return Few(column.words, column.codes[rows])
        case _Moments():
            empty = None if column.empty is None else column.empty[rows]
            return _Moments(column.days, column.day_codes[rows], column.times[rows], empty)
        case _Texts():
            return _Texts(column.column[rows], column.bytes_met, column.starts_formula)


def _prepared(column: pl.Series) -> Few | _Moments | _Texts:
    if isinstance(column.dtype, pl.Datetime):
        return _moments(column)
    few = _few(column)
    if few is not None:
        return few
    if column.dtype != pl.String:
        return _Texts(column.cast(pl.String), 0, False)
    return _Texts(column, *_bytes_met(column))


def csv_text(columns: Prepared, rows: int) -> memoryview:
    """Rows as CSV without a header (RFC 4180, UTF-8, line feeds), safe in a spreadsheet."""
    parts: list[_Part] = []
    for place, (_, column) in enumerate(columns):
        comma = "," if place else ""
        match column:
            case None:
                parts.append(_Looked([comma], None))
            case Few():
                parts.append(_Looked([comma + _csv_cell(word) for word in column.words] + [comma], column.codes))
            case _Moments():
                parts += [_Looked([comma], None), *_moment_parts(column, "", "")]
            case _Texts():
                parts += [_Looked([comma], None), _Written(_csv_column(column).fill_null(""))]
    return _joined([*parts, _Looked(["\n"], None)], rows)


def json_text(columns: Prepared, rows: int, numbers: frozenset[str]) -> memoryview:
    """Rows as JSON objects, one a line, without their empty fields. The first column must have no empty fields.

    `numbers` are the columns that are written without quotes.
    """
    parts: list[_Part] = []
    for place, (name, column) in enumerate(columns):
        key = f'{"," if place else "{"}"{name}":'
        match column:
            case None:
                continue
            case Few():
                parts.append(_Looked([key + _json_word(word) for word in column.words] + [""], column.codes))
            case _Moments():
                parts += _moment_parts(column, key + '"', '"')
            case _Texts():
                quote = "" if name in numbers else '"'
                text = column.column
                present = text.is_null().to_numpy().astype(np.uint32) if text.null_count() else None
                parts += [
                    _Looked([key + quote] if present is None else [key + quote, ""], present),
                    _Written((_json_column(column) if quote else text).fill_null("")),
                    _Looked([quote] if present is None else [quote, ""], present),
                ]
    return _joined([*parts, _Looked(["}\n"], None)], rows)


def _few(column: pl.Series) -> Few | None:
    """The distinct words of a column that has few, and for each row the number of its word; an empty field has the
    number after the last. None for columns of many words."""
    words: Sequence[str | int]
    if column.dtype == pl.String:
        sample = column.head(_SAMPLE)
        if len(column) < 2 * _SAMPLE or sample.n_unique() > _SAMPLE // 8:
            return None
        coded = column.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        if len(coded.dictionary) > _FEW:
            return None
        words = coded.dictionary.to_pylist()
        return Few(list(words), coded.indices.fill_null(len(words)).to_numpy().view(np.uint32))
    elif isinstance(column.dtype, pl.Enum):
        words = column.dtype.categories.to_list()
        codes = column.to_physical().cast(pl.UInt32).fill_null(len(words)).to_numpy()
    elif column.dtype.is_integer():
        low, high = column.min(), column.max()
        if not isinstance(low, int) or not isinstance(high, int) or high - low >= min(_FEW, 16 + len(column)):
            return None
        words = range(low, high + 1)
        codes = (column.cast(pl.Int64) - low).cast(pl.UInt32).fill_null(len(words)).to_numpy()
    else:
        return None
    counts = np.bincount(codes, minlength=len(words) + 1)
    used = np.flatnonzero(counts[:-1])
    place = np.zeros(len(counts), np.uint32)
    place[used] = np.arange(len(used), dtype=np.uint32)
    place[-1] = len(used)
    return Few([words[number] for number in used.tolist()], place[codes])


def _moments(column: pl.Series) -> _Moments:
    """RFC 3339, UTC: day and second of the day are looked up, each by itself."""
    empty = column.is_null().to_numpy() if column.null_count() else None
    whole = column.to_physical().fill_null(0).to_numpy()
    days = whole // 86_400_000_000
    within = whole - days * 86_400_000_000
    seconds = within // 1_000_000
    fractions = within - seconds * 1_000_000
    distinct, codes = _distinct_days(days)
    times = _seconds().gather(seconds)
    if fractions.any():
        written = pl.concat_str("times", pl.lit("."), pl.col("fraction").cast(pl.String).str.zfill(6))
        chosen = pl.when(pl.col("fraction") > 0).then(written).otherwise("times")
        times = pl.DataFrame({"times": times, "fraction": fractions}).select(chosen).to_series()
    if empty is not None:
        codes = np.where(empty, np.uint32(len(distinct)), codes)
        shown = pl.when(~pl.col("empty")).then("times").otherwise(pl.lit(""))
        times = pl.DataFrame({"times": times, "empty": empty}).select(shown).to_series()
    return _Moments([str(np.datetime64(day, "D")) for day in distinct], codes, times, empty)


def _moment_parts(moments: _Moments, before: str, after: str) -> list[_Part]:
    days = [before + day for day in moments.days]
    end = f"Z{after}"
    if moments.empty is None:
        return [_Looked(days, moments.day_codes), _Written(moments.times), _Looked([end], None)]
    return [
        _Looked([*days, ""], moments.day_codes),
        _Written(moments.times),
        _Looked([end, ""], moments.empty.astype(np.uint32)),
    ]


def _distinct_days(days: npt.NDArray[np.int64]) -> tuple[list[int], _Codes]:
    low, high = int(days.min()), int(days.max())
    if high - low > _FEW:
        distinct, codes = np.unique(days, return_inverse=True)
        return distinct.tolist(), codes.astype(np.uint32)
    return list(range(low, high + 1)), (days - low).astype(np.uint32)


def _joined(parts: Sequence[_Part], rows: int) -> memoryview:
    if not rows:
        return memoryview(b"")
    most = max(64, min(_COMBINATIONS, rows // 8))
    chain: list[_Part] = []
    for part in parts:
        held = chain[-1] if chain else None
        if isinstance(part, _Looked) and isinstance(held, _Looked) and _fit(held, part, most):
            chain[-1] = _combined(held, part)
        else:
            chain.append(part)
    # All fragments stand in one array; a row is a run of their numbers, and the rows are taken out one after another.
    numbers = np.empty((rows, len(chain)), np.uint32)
    fragments: list[pa.Array] = []
    start = 0
    for place, part in enumerate(chain):
        if isinstance(part, _Written):
            found = part.texts.to_arrow(compat_level=pl.CompatLevel.oldest())
            numbers[:, place] = np.arange(start, start + rows, dtype=np.uint32)
        else:
            found = pa.array(part.forms, pa.large_string())
            numbers[:, place] = start if part.codes is None else part.codes + np.uint32(start)
        fragments.append(found)
        start += len(found)
    text = pa.concat_arrays(fragments).take(pa.array(numbers.reshape(-1)))
    # The text buffer of the array is the file's content: no join, no copy.
    _, offsets, body = text.buffers()
    return memoryview(body)[: int(np.frombuffer(offsets, np.int64)[len(text)])]


def _fit(left: _Looked, right: _Looked, most: int) -> bool:
    """Whether their combinations are few enough to be one fragment."""
    return left.codes is None or right.codes is None or len(left.forms) * len(right.forms) <= most


def _combined(left: _Looked, right: _Looked) -> _Looked:
    forms = [first + second for first in left.forms for second in right.forms]
    if left.codes is None or right.codes is None:
        return _Looked(forms, right.codes if left.codes is None else left.codes)
    return _Looked(forms, left.codes * np.uint32(len(right.forms)) + right.codes)


@lru_cache(maxsize=100_000)
def _csv_cell(word: str | int) -> str:
    if isinstance(word, int):
        return str(word)
    shown = cell(word).replace('"', '""')
    return f'"{shown}"' if '"' in shown or "," in shown else shown


def _json_word(word: str | int) -> str:
    return str(word) if isinstance(word, int) else orjson.dumps(word).decode()


def _csv_column(texts: _Texts) -> pl.Series:
    column = texts.column
    if not texts.bytes_met & _CSV_BYTE and not texts.starts_formula:
        return column
    text = pl.col(column.name)
    shown: pl.Expr = text
    if texts.bytes_met & _CSV_BYTE:
        shown = shown.str.replace_many(list(_CSV_SIGNS), list(_CSV_SIGNS.values()))
    if texts.starts_formula:
        formula = pl.any_horizontal(text.str.starts_with(sign) for sign in FORMULA_STARTS)
        shown = pl.when(formula).then(pl.concat_str(pl.lit("'"), shown)).otherwise(shown)
    if texts.bytes_met & _CSV_BYTE:
        quoted = text.str.contains(",", literal=True) | text.str.contains('"', literal=True)
        shown = pl.when(quoted).then(pl.concat_str(pl.lit('"'), shown, pl.lit('"'))).otherwise(shown)
    return column.to_frame().select(shown).to_series()


def _json_column(texts: _Texts) -> pl.Series:
    if not texts.bytes_met & _JSON_BYTE:
        return texts.column
    return texts.column.str.replace_many(list(_JSON_SIGNS), list(_JSON_SIGNS.values()))


def _bytes_met(column: pl.Series) -> tuple[int, bool]:
    """Which classes of bytes a column of texts holds, and whether any text begins as a formula."""
    array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, body = array.buffers()
    if body is None or not len(array):
        return 0, False
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(body, np.uint8)[: starts[-1]]
    firsts = starts[:-1][starts[:-1] < starts[1:]]
    held = np.bincount(data[starts[0] :], minlength=256) > 0
    return int(np.bitwise_or.reduce(_BYTES[held], initial=0)), bool(_FORMULA[data[firsts]].any())
