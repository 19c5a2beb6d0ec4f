"""The figures of a share: gathered frame by frame they are those of the whole, and what is held does not grow."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.observations import SCHEMA
from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.questions.shares import COLUMNS
from tocsin.products import changes as changed
from tocsin.products import packed_rows
from tocsin.products.changes import Changes
from tocsin.products.values import Figures

AT = datetime(2026, 11, 1, tzinfo=UTC)
VICTIMS = {role.value for role in VICTIM_LIKE}
HOSTILE = {"ATTACKER_INFRA", "COMPROMISED_THIRD_PARTY"}
ROWS = st.lists(
    st.fixed_dictionaries({
        "kind": st.sampled_from(("domain", "ipv4", "url")),
        "value": st.sampled_from(("a.example", "b.example", "c.example", "é.example")),
        "role": st.sampled_from(("VICTIM", "ATTACKER_INFRA", "SINKHOLE")),
        "country": st.sampled_from(("FR", "BR")),
        "count": st.integers(1, 3),
        "day": st.integers(0, 2),
        "malware": st.sampled_from(("A", "B", None)),
        "batch": st.integers(1, 3),
    }),
    max_size=30,
)  # fmt: skip
Row = dict[str, Any]
Key = tuple[str, str, str]


def share(rows: list[Row]) -> pl.DataFrame:
    """The rows in a share's order."""
    rows = sorted(rows, key=lambda row: (row["kind"], row["value"], row["batch"]))
    moments = [AT + timedelta(days=row["day"]) for row in rows]
    known = {name: [row[name] for row in rows] for name in rows[0] if name != "day"} if rows else {}
    columns: dict[str, Any] = {**known, "first_at": moments, "last_at": moments}
    return pl.DataFrame({
        name: pl.Series(columns.get(name, [None] * len(rows)), dtype=SCHEMA[name], strict=False) for name in COLUMNS
    })  # fmt: skip


def by_key(rows: list[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["kind"], row["value"], row["role"]].append(row)
    return found


def sightings(rows: list[Row]) -> int:
    return sum(row["count"] for row in rows)


def listed(keys: dict[Key, list[Row]], cap: int) -> dict[str, Any]:
    """The most seen, of equals the first by kind and value."""
    told = sorted(keys, key=lambda key: (-sightings(keys[key]), key))
    shown = [{**dict(zip(changed.KEY, key, strict=True)), "sightings": sightings(keys[key])} for key in told[:cap]]
    return {"values": shown, "left_out": len(told) - len(shown)}


@settings(max_examples=80, deadline=None)
@given(now=ROWS, before=st.one_of(st.none(), ROWS), cap=st.integers(1, 5), size=st.integers(1, 12))
def test_they_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, now: list[Row], before: list[Row] | None, cap: int, size: int
) -> None:
    previous = None
    if before is not None:
        previous = tmp_path_factory.mktemp("before") / "observations.parquet"
        share(before).write_parquet(previous)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(packed_rows, "CHUNK_ROWS", size)
        compared = Changes(previous and previous.open("rb"), cap)
        figures = Figures("FR", cap, changes=compared)
        for frame in share(now).iter_slices(size):
            figures.add(frame)
        values, summary, told = figures.values(), figures.summary(), compared.told()
    keys, keys_before = by_key(now), by_key(before or [])

    assert values.total == len(keys)
    newest = sorted(
        keys, key=lambda key: (-max(row["day"] for row in keys[key]), -sightings(keys[key]), key)
    )[:cap]  # fmt: skip
    assert [(each["kind"], each["value"], each["role"]) for each in values.shown] == newest
    for each, key in zip(values.shown, newest, strict=True):
        own = keys[key]
        assert (each["sightings"], each["rows"]) == (sightings(own), len(own))
        assert each["malware"] == sorted({row["malware"] for row in own if row["malware"]})
        days = [row["day"] for row in own]
        spans = [f"{AT + timedelta(days=day):%Y-%m-%dT%H:%M:%S.%f}" for day in (min(days), max(days))]
        assert [each["first_at"], each["last_at"]] == spans
    at_home = [row for row in now if row["country"] == "FR"]
    assert (summary["values"], summary["affected"], summary["hostile"]) == (
        len({key[:2] for key in keys}),
        len({(row["kind"], row["value"]) for row in at_home if row["role"] in VICTIMS}),
        len({(row["kind"], row["value"]) for row in at_home if row["role"] in HOSTILE}),
    )

    new = {key: own for key, own in keys.items() if key not in keys_before}
    gone = {key: own for key, own in keys_before.items() if key not in keys}
    kept = {key: own for key, own in keys.items() if key in keys_before}
    assert told["counts"] == {"new": len(new), "gone": len(gone), "continuing": len(kept)}
    assert told["new"] == listed(new, cap)
    assert told["continuing"] == listed(kept, cap)
    seen: Any = told["gone"]
    assert Counter(each["sightings"] for each in seen["values"]) == Counter(
        each["sightings"] for each in listed(gone, cap)["values"]
    )


def test_what_is_held_does_not_grow_with_the_rows() -> None:
    """Neither with the values, nor with families that nobody heard of before."""
    figures, most = Figures("FR", 5, changes=Changes(None, 5)), []
    with pytest.MonkeyPatch.context() as small:
        small.setattr("tocsin.products.values._MOST_WORDS", 50)
        for at in range(0, 4_000, 100):
            figures.add(share([
                {"kind": "domain", "value": f"{at + number:06d}.example", "role": "VICTIM", "country": "FR",
                 "count": 1, "day": 0, "malware": f"family-{at + number}" if number % 2 else "common", "batch": 1}
                for number in range(100)
            ]))  # fmt: skip
            most.append(figures.held)
    assert max(most[20:]) <= max(most[:20])
    assert figures.values().total == 4_000
    by_malware: Any = figures.summary()["by_malware"]
    assert by_malware[0] == {"malware": "common", "rows": 2_000, "sightings": 2_000}


def test_rows_in_another_order_are_refused() -> None:
    rows = [{"kind": "domain", "value": value, "role": "VICTIM", "country": "FR", "count": 1, "day": 0,
             "malware": None, "batch": 1} for value in ("b.example", "a.example")]  # fmt: skip
    figures = Figures("FR", 5)
    figures.add(share(rows[:1]))
    with pytest.raises(ValueError, match="by kind and value"):
        figures.add(share(rows[1:]))


def test_a_value_whose_rows_fill_many_frames_is_counted_once() -> None:
    row = {"kind": "domain", "value": "a.example", "role": "VICTIM", "country": "FR", "count": 2, "day": 0,
           "malware": "A", "batch": 1}  # fmt: skip
    others = [{**row, "value": f"b{number}.example", "count": 9} for number in range(3)]
    figures = Figures("FR", 1)
    for frame in share([row] * 100 + others).iter_slices(7):
        figures.add(frame)
    values = figures.values()
    assert values.total == 4
    assert [(each["value"], each["rows"], each["sightings"]) for each in values.shown] == [("a.example", 100, 200)]
