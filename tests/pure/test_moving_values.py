"""What a move compares: rows in one spelling, their digest, and what PostgreSQL would refuse."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tocsin.site.moving.tables import Column, Kind, Table
from tocsin.site.moving.values import Faults, Sum, Unfit, json_text, look_through, moment

TABLE = Table(
    "t",
    (
        Column("id", Kind.NUMBER, least=-(2**63), most=2**63 - 1), Column("at", Kind.MOMENT),
        Column("name", Kind.TEXT, longest=5), Column("body", Kind.JSON), Column("raw", Kind.BYTES),
        Column("on", Kind.YES_OR_NO), Column("share", Kind.FRACTION), Column("day", Kind.DAY),
    ),
    key=(0,),
)  # fmt: skip
PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
TEXTS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5)
MOMENTS = some.datetimes(min_value=datetime(1000, 1, 1)).map(str)
ROWS = some.lists(
    some.tuples(
        some.integers(-(2**63), 2**63 - 1), MOMENTS, some.none() | TEXTS, PLAIN.map(json.dumps),
        some.binary(max_size=9), some.integers(0, 1),
        some.floats(allow_nan=False).map(lambda share: share + 0.0), some.dates().map(str),
    ),
    max_size=6, unique_by=lambda row: row[0],
)  # fmt: skip


def digest(rows: list[Any]) -> tuple[int, str]:
    total = Sum()
    for start in range(0, len(rows), 2):
        total.add(TABLE, rows[start : start + 2])
    return total.rows, total.digest


@given(ROWS, some.randoms(use_true_random=False))
def test_the_order_of_rows_says_nothing(rows: list[Any], chance: random.Random) -> None:
    assert digest(chance.sample(rows, len(rows))) == digest(rows)


@given(ROWS.filter(bool), some.data())
def test_any_other_value_says_something(rows: list[Any], data: some.DataObject) -> None:
    place, column = data.draw(some.integers(0, len(rows) - 1)), data.draw(some.sampled_from([0, 1, 2, 4, 5, 6, 7]))
    other = data.draw(ROWS.filter(bool))[0][column]
    changed = [list(row) for row in rows]
    changed[place][column] = other
    spelled = moment if column == 1 else repr
    is_same = spelled(other) == spelled(rows[place][column]) if other is not None else rows[place][column] is None
    assert (digest(changed) == digest(rows)) is is_same


@given(PLAIN)
def test_json_has_one_spelling(value: Any) -> None:
    said = json_text(json.dumps(value))
    assert json_text(json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1)) == said
    assert json_text(json.dumps([value])) != said


@pytest.mark.parametrize(
    ("one", "other"),
    [("1e2", "100"), ("1.50", "1.5"), ("-0.0", "0"), ('{"a":1,"b":2}', '{"b": 2.0, "a": 1}'), ('"\\u00e9"', '"é"'),
     ("1e300", "1" + "0" * 300), ("12345678901234567890.5", "12345678901234567890.50")],
)  # fmt: skip
def test_what_postgresql_spells_otherwise_is_the_same(one: str, other: str) -> None:
    assert json_text(one) == json_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", '"1"'), ("1", '{"n": "1"}'), ("[]", "{}"), ('{"a": 1}', '{"a": 1.0000000000000000001}'), ("null", "0"),
     ("true", "1"), ('{"d": []}', "{}")],
)  # fmt: skip
def test_other_json_is_other(one: str, other: str) -> None:
    assert json_text(one) != json_text(other)


@pytest.mark.parametrize(
    ("said", "spelled"),
    [("2026-11-22 09:30:00", "2026-11-22 09:30:00"), ("2026-11-22 09:30:00.000000", "2026-11-22 09:30:00"),
     ("2026-11-22 09:30:00.120000", "2026-11-22 09:30:00.120000"), ("2026-11-22T09:30:00Z", "2026-11-22 09:30:00"),
     ("2026-11-22 10:30:00+01:00", "2026-11-22 09:30:00")],
)  # fmt: skip
def test_moments_have_one_spelling(said: str, spelled: str) -> None:
    assert moment(said) == spelled


def test_what_is_no_moment() -> None:
    with pytest.raises(Unfit):
        moment("yesterday")


@given(ROWS)
def test_what_is_as_it_should_be_is_let_through(rows: list[Any]) -> None:
    faults = Faults()
    kept = [row for row in rows if "\\u0000" not in row[3] and "\\ud" not in row[3].lower()]
    look_through(TABLE, kept, faults)
    assert faults.said == []


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(0, 2**63, "lies outside"), (0, "x", "no whole number"), (1, "2026-13-01 00:00:00", "no moment"),
     (2, "abcdef", "6 signs, where 5"), (2, "a\x00", "NUL at place 2"), (2, b"a", "no text"), (3, "{", "no JSON"),
     (3, "NaN", "no JSON"), (3, '["\\u0000"]', "NUL in a text"), (3, '{"\\u0000": 1}', "NUL in a text"),
     (3, '"\\udc00"', "half a pair"), (4, "text", "no row of bytes"), (5, 2, "not 0 or 1"), (6, "x", "no number"),
     (7, "2026-02-30", "no day"), (7, 5, "no day")],
)  # fmt: skip
def test_what_is_not(place: int, value: Any, words: str) -> None:
    row: list[Any] = [7, str(datetime.now(UTC).replace(tzinfo=None)), "name", "{}", b"", 1, 0.5, "2026-11-22"]
    faults = Faults()
    look_through(TABLE, [row], faults)
    assert faults.count == 0
    row[place] = value
    look_through(TABLE, [row], faults)
    assert faults.count == 1
    assert words in faults.said[0]
    assert "row with id" in faults.said[0]


def test_a_pair_of_halves_is_a_sign() -> None:
    faults = Faults()
    row = [1, "2026-11-22 09:30:00", "a", '["\\ud83d\\ude00"]', b"", 0, 0.0, "2026-11-22"]
    look_through(TABLE, [row], faults)
    assert faults.said == []
