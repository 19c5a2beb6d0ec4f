"""Columns of STIX texts against the forms that ids and moments have: which rows do not fit.

Nearly all columns hold what a few operations on all their characters together can vouch for. Where they cannot, the
rules look at each value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from tocsin.formats._stix2_rules import UUID, identifier, loose_id, time

Column = Sequence[Any]
ZEROS = "00000000-0000-0000-0000-000000000000"
DIGITS, HEXADECIMALS = (bytes.maketrans(some, b"0" * len(some)) for some in (b"123456789", b"123456789abcdefABCDEF"))
"""Tables that make every digit a zero: then values of one form are one text repeated."""
TYPE = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]").fullmatch
MARKING = re.compile(rf"marking-definition--{UUID}").fullmatch
DAYS = np.zeros(100, np.int16)
DAYS[1:13] = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, those of no month none; the 29th of February is looked at alone."""
MOST_LENGTHS = 12


def unlike(values: Column, form: str) -> list[int]:
    """Rows whose value is not what its form demands; those without a value are none of them."""
    surely, each = FORMS[form]
    present = [value for value in values if value is not None] if None in values else values
    if not present or surely(present):
        return []
    return [row for row, value in enumerate(values) if value is not None and not each(value)]


def unlike_lists(values: Column, form: str) -> set[int]:
    """Rows in whose list some value is not what its form demands."""
    # One marking for all is what most producers send.
    same = values[0] and values.count(values[0]) == len(values)
    words = values[0] if same else list(set(chain.from_iterable(filter(None, values))))
    bad = {words[at] for at in unlike(words, form)}
    return {row for row, some in enumerate(values) if some is not None and not bad.isdisjoint(some)} if bad else set()


def unlike_own(values: Column, kind: str) -> list[int]:
    """Rows whose value is no id of an object of this type."""
    if alike_ids(values, kind):
        return []
    own = re.compile(rf"{re.escape(kind)}--{UUID}").fullmatch
    return [row for row, value in enumerate(values) if not own(value)]


def alike_ids(values: Column, kind: str = "") -> bool:
    """Whether these are surely ids of one type, of this one if it is given.

    Each stands on a line of its own; as many lines as values means that no value holds an end of line.
    """
    kind = kind or values[0][: -len(ZEROS) - 2]
    if not TYPE(kind):
        return False
    text = "\n".join(("", *values)).encode("ascii", "replace")
    line = f"\n{kind}--{ZEROS}".encode()
    same = text.translate(HEXADECIMALS) == line.translate(HEXADECIMALS) * len(values)
    return same and text.count(f"\n{kind}--".encode()) == len(values)


def are_ids(values: Column) -> bool:
    """Whether these are surely ids, whatever their types."""
    if values[0][:8] == values[-1][:8] and alike_ids(values):
        return True
    end = f"--{ZEROS}"
    ends = "".join([value[-len(end) :] for value in values]).encode("ascii", "replace")
    return ends.translate(HEXADECIMALS) == end.encode() * len(values) and all(
        map(TYPE, {value[: -len(end)] for value in values})
    )


def are_moments(values: Column) -> bool:
    """Whether these are surely moments, each of any precision."""
    lengths = set(map(len, values))
    if len(lengths) > 1:
        some = ([value for value in values if len(value) == length] for length in lengths)
        return len(lengths) <= MOST_LENGTHS and all(map(are_moments, some))
    (length,) = lengths
    line = "0000-00-00T00:00:00Z" if length == 20 else f"0000-00-00T00:00:00.{'0' * (length - 21)}Z"
    text = "".join(values).encode("ascii", "replace")
    if length < 20 or length == 21 or text.translate(DIGITS) != line.encode() * len(values):
        return False
    digits = np.frombuffer(text, np.uint8).reshape(len(values), length)[:, :19].astype(np.int16) - 48
    month, day, hour, minute, second = (digits[:, at] * 10 + digits[:, at + 1] for at in (5, 8, 11, 14, 17))
    return bool(((day > 0) & (day <= DAYS[month]) & (hour < 24) & (minute < 60) & (second < 60)).all())


FORMS: dict[str, tuple[Callable[[Column], bool], Callable[[Any], object]]] = {
    "time": (are_moments, time),
    "id": (are_ids, identifier),
    "loose": (are_ids, loose_id),
    "marking": (lambda values: alike_ids(values, "marking-definition"), MARKING),
}
"""What vouches for a whole column, and what judges one value."""
LISTS = {"ids": "id", "looses": "loose", "markings": "marking"}
"""The form of each value in a list of this form."""
