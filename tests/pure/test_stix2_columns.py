"""Columns of STIX texts: the quick way never vouches for what the rules refuse one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.formats._stix2_columns import (
    MARKING,
    alike_ids,
    are_ids,
    are_moments,
    unlike,
    unlike_lists,
    unlike_own,
)
from tocsin.formats._stix2_rules import identifier, loose_id, time

UUIDS = st.uuids().map(str) | st.uuids().map(str).map(str.upper)
KINDS = st.sampled_from(["tool", "indicator", "x-a-b", "marking-definition"])
IDS = st.builds("{}--{}".format, KINDS, UUIDS)
MOMENTS = st.builds(
    "{}{}Z".format,
    st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}".rjust(19, "0")),
    st.sampled_from(["", ".0", ".000", ".123456", "."]),
)
CHANGES = st.sampled_from(["", "\n", "-", "--", "0", "9", "6", "2", "a", "G", "F", "?", "é", "٣", "Z", "T", ":", "."])
RULES: dict[str, Callable[[str], object]] = {
    "time": time,
    "id": identifier,
    "loose": loose_id,
    "marking": lambda value: MARKING(value),
}


@st.composite
def columns(draw: st.DrawFn, values: st.SearchStrategy[str]) -> list[str]:
    """Good values, often of one kind, some of them changed at one place; or two that lend each other a piece."""
    found = draw(st.lists(values, min_size=1, max_size=6))
    if draw(st.booleans()):
        found = [found[0]] * len(found)
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.integers(0, len(found) - 1))
        at, width = draw(st.integers(0, len(found[row]))), draw(st.integers(0, 2))
        found[row] = found[row][:at] + draw(CHANGES) + found[row][at + width :]
    if len(found) > 1 and draw(st.booleans()):
        at = draw(st.integers(0, len(found[1])))
        found[0], found[1] = found[0] + found[1][:at], found[1][at:]
    return found


@given(st.sampled_from(sorted(RULES)), st.data())
@settings(max_examples=500, deadline=None)
def test_a_column_is_judged_as_each_of_its_values(form: str, data: st.DataObject) -> None:
    values = data.draw(columns(MOMENTS if form == "time" else IDS))
    bad = {row for row, value in enumerate(values) if not RULES[form](value)}
    assert set(unlike(values, form)) == bad
    assert set(unlike([None, *values, None], form)) == {row + 1 for row in bad}
    lists = [values, None, values[:1]]
    assert unlike_lists(lists, form) == ({0} if bad else set()) | ({2} if 0 in bad else set())


@given(columns(IDS), KINDS)
@settings(max_examples=300, deadline=None)
def test_own_ids_are_of_the_own_type(values: list[str], kind: str) -> None:
    bad = [row for row, one in enumerate(values) if not identifier(one) or one[:-38] != kind]
    assert unlike_own(values, kind) == bad


@pytest.mark.parametrize(
    "second",
    ["2026-02-28T23:59:59.000Z", "2026-12-31T00:00:00.999Z", "2026-01-01T00:00:00Z", "1999-04-30T10:00:00.123456789Z"],
)
def test_plain_columns_need_no_second_look(second: str) -> None:
    assert are_moments(["2026-01-01T00:00:00.000Z", second])
    name = "00000000-0000-4000-8000-0000000000fF"
    assert alike_ids([f"tool--{name}", f"tool--{name}"])
    assert are_ids([f"tool--{name}", f"x-y--{name}"])


@pytest.mark.parametrize(
    "wrong",
    [
        "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "",
    ],
)  # fmt: skip
def test_wrong_moments_are_found(wrong: str) -> None:
    assert unlike(["2026-01-01T00:00:00Z", wrong], "time") == [1]
    assert unlike([wrong] * 3, "time") == [0, 1, 2]
