"""Which grade rows and objects bear themselves: by their tags, by a column of a table, by an extension of STIX.

Runs in the sandbox. A grade is given back as it was written; one whose scheme is not said (`B2`) stays so, and the
agreement's usual scheme decides when the batch is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import orjson
import polars as pl

from tocsin.core.errors import InputError
from tocsin.core.grading import EXTENSION, TAG_MARKS, Scheme, grade_in_stix, grade_in_tags, grade_of
from tocsin.core.reading import Rows

GRADES_IN_DELIVERY = 100
"""So many different grades of one delivery are kept apart; what bears another has the delivery's own."""
_CELL = r'"\s*:\s*"([^"\\]{1,12})"'
_COLUMNS = {
    "admiralty": rf'(?i)"admiralty(?:[ _-]?(?:code|grade|scale|rating|system))?{_CELL}',
    "4x4": rf'(?i)"4x4(?:[ _-]?(?:code|grade|evaluation))?{_CELL}',
    "3x5x2": rf'(?i)"3x5x2(?:[ _-]?(?:code|grade|evaluation))?{_CELL}',
    "5x5x5": rf'(?i)"5x5x5(?:[ _-]?(?:code|grade|evaluation))?{_CELL}',
    "": rf'(?i)"(?:grade|grading|evaluation|evaluation[ _-]code){_CELL}',
}
"""Scheme → what its column holds, in the JSON of a row's further columns; empty: the scheme is not said."""
_SOURCE_COLUMN = rf'(?i)"(?:source[ _-]reliability){_CELL}'
_INFORMATION_COLUMN = rf'(?i)"(?:information[ _-](?:credibility|reliability)|credibility){_CELL}'
_MARKS = ("admiralty", "4x4", "3x5x2", "5x5x5", "grad", "evaluation", "credibility", "reliability")


def parts_by_grade(rows: Rows) -> Iterator[tuple[Rows, str]]:
    """The rows, parted by the grade that they bear themselves; empty where they bear none."""
    grades = _grades_of_rows(rows)
    if grades is None:
        yield rows, ""
        return
    for grade in grades.unique(maintain_order=True):
        yield replace(rows, frame=rows.frame.filter(grades == grade)), grade


def _grades_of_rows(rows: Rows) -> pl.Series | None:
    """A text for each row; None where no row bears a grade."""
    frame, names = rows.frame, rows.extra_names
    found: list[pl.Series] = []
    if "tags" in frame.columns and frame.schema["tags"] == pl.String:
        found += _looked_up(frame["tags"], list(TAG_MARKS), _in_tags)
    may_name = names is None or any(mark in name.lower() for name in names for mark in _MARKS)
    if may_name and "extra" in frame.columns and frame.schema["extra"] == pl.String:
        found += _looked_up(frame["extra"], list(_MARKS), _in_columns)
    if not found:
        return None
    return found[0] if len(found) == 1 else found[0].zip_with(found[0] != "", found[1])


def _looked_up(texts: pl.Series, marks: list[str], read: Callable[[str], str]) -> list[pl.Series]:
    """What `read` makes of each different text that holds a mark; nothing where none of them is a grade."""
    # Further columns differ in every row: what bears no mark is left out before texts are compared.
    told = texts.filter(texts.str.contains_any(marks, ascii_case_insensitive=True)).unique()
    known = {text: grade for text in told if (grade := read(text))}
    if not known:
        return []
    made = texts.replace_strict(list(known), list(known.values()), default="", return_dtype=pl.String)
    return [made.fill_null("")]


def _in_tags(text: str) -> str:
    grade = grade_in_tags(text)
    return str(grade) if grade else ""


def _in_columns(text: str) -> str:
    """Of the further columns of a row: one that names its scheme first."""
    for scheme, pattern in _COLUMNS.items():
        if match := re.search(pattern, text):
            return _written(f"{scheme}:{match[1]}" if scheme else match[1])
    source, information = re.search(_SOURCE_COLUMN, text), re.search(_INFORMATION_COLUMN, text)
    return _written(source[1].strip() + information[1].strip()) if source and information else ""


def _written(text: str) -> str:
    """The text where it is a grade; without its scheme where that is not said."""
    with suppress(InputError):
        return str(grade_of(text))
    try:
        return grade_of(text, Scheme.FOUR).short
    except InputError:
        return ""


def grades_of_things(frame: pl.DataFrame) -> list[str]:
    """A text for each object, empty where it bears none: by its labels, else by the extension of its STIX."""
    labels = _looked_up(frame["labels"], list(TAG_MARKS), _in_tags)
    grades = labels[0].to_list() if labels else [""] * frame.height
    extended = frame["raw"].bin.contains(EXTENSION.encode()).fill_null(False)
    for place in extended.arg_true():
        with suppress(ValueError):
            grade = grade_in_stix(orjson.loads(frame["raw"][place]))
            grades[place] = str(grade) if grade else grades[place]
    return grades
