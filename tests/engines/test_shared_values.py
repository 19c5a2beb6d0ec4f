"""Values that several handed over: the counted answer against a plain one, over any rows, scopes and cuts."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.words import VICTIM_LIKE
from tocsin.lake import files
from tocsin.lake.questions import shared_values as question
from tocsin.lake.questions.shared_values import shared_values
from tocsin.lake.scope import Batches, Scope, Snapshot

AT = datetime(2026, 11, 1, tzinfo=UTC)
VALUES = ("203.0.113.1", "a.example", "b.example", "http://a.example/x")
ROWS = st.lists(
    st.fixed_dictionaries({
        "batch": st.integers(1, 6),
        "kind": st.sampled_from(("domain", "ipv4")),
        "value": st.sampled_from(VALUES),
        "role": st.sampled_from(("VICTIM", "ATTACKER_INFRA", "SINKHOLE")),
        "country": st.sampled_from(("FR", "JO", None)),
        "day": st.integers(0, 9),
    }),
    max_size=40,
)  # fmt: skip
SCOPES = st.builds(
    lambda seen, own, countries, everything: Scope(
        Batches(seen), Batches(own & seen), frozenset(countries), everything
    ),
    st.sets(st.integers(1, 6)), st.sets(st.integers(1, 6)), st.sets(st.sampled_from(("FR", "JO"))), st.booleans(),
)  # fmt: skip
SOURCES = st.dictionaries(st.integers(1, 6), st.integers(10, 13))
VICTIMS = {role.value for role in VICTIM_LIKE}


def plainly(rows: list[dict[str, Any]], scope: Scope, sources: dict[int, int]) -> dict[tuple[str, str], Any]:
    """What the question should say, row by row."""
    held: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        is_hidden = row["role"] in VICTIMS and not (
            scope.all_victims or row["batch"] in scope.own_batches or (row["country"] or "") in scope.victim_countries
        )
        if row["batch"] in scope.batches and row["batch"] in sources and not is_hidden:
            held[row["kind"], row["value"]].append(row)
    return {
        key: (
            tuple(sorted({sources[row["batch"]] for row in own})), len(own),
            min(row["day"] for row in own), max(row["day"] for row in own),
        )
        for key, own in held.items()
    }  # fmt: skip


def written(rows: list[dict[str, Any]], cut: int, folder: Path) -> Snapshot:
    frame = pl.DataFrame(
        [{**row, "first_at": AT + timedelta(days=row["day"]), "last_at": AT + timedelta(days=row["day"]), "count": 1}
         for row in rows],
        schema={"batch": pl.Int64, "kind": pl.String, "value": pl.String, "role": pl.String, "country": pl.String,
                "first_at": pl.Datetime("us", "UTC"), "last_at": pl.Datetime("us", "UTC"), "count": pl.Int64},
    )  # fmt: skip
    paths = []
    for number, part in enumerate((frame[:cut], frame[cut:])):
        if part.height:
            paths.append(folder / f"{number}.parquet")
            files.write(files.whole(part), paths[-1])
    return Snapshot(tuple(paths))


@pytest.mark.parametrize("pairs_in_part", [2, 1_000_000])
@given(rows=ROWS, scope=SCOPES, sources=SOURCES, cut=st.integers(0, 40))
def test_it_says_what_a_plain_count_says(
    tmp_path_factory: pytest.TempPathFactory, pairs_in_part: int, rows: list[dict[str, Any]], scope: Scope,
    sources: dict[int, int], cut: int,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("shared")
    (folder / "work").mkdir()
    expected = plainly(rows, scope, sources)
    with pytest.MonkeyPatch.context() as small:
        small.setattr(question, "PAIRS_IN_PART", pairs_in_part)
        frame = pl.DataFrame({"batch": list(sources), "source": list(sources.values())},
                             schema={"batch": pl.Int64, "source": pl.Int32})  # fmt: skip
        found = shared_values(written(rows, cut, folder), scope, frame, work=folder / "work")
    assert (found.rows, found.values) == (sum(told[1] for told in expected.values()), len(expected))
    assert found.by_sources == Counter(len(told[0]) for told in expected.values() if len(told[0]) > 1)
    shown = {
        (each.kind, each.value): (each.sources, each.rows, (each.first_at - AT).days, (each.last_at - AT).days)
        for each in found.most
    }
    assert shown == {key: told for key, told in expected.items() if len(told[0]) > 1}
    order = [(-len(each.sources), -each.rows, each.kind, each.value) for each in found.most]
    assert order == sorted(order)


def test_only_so_many_are_told_and_all_are_counted(tmp_path: Path) -> None:
    rows = [
        {"batch": batch, "kind": "domain", "value": f"{number}.example", "role": "SINKHOLE", "country": None, "day": 0}
        for number in range(50) for batch in range(1, 3 + number % 2)
    ]  # fmt: skip
    sources = pl.DataFrame({"batch": [1, 2, 3], "source": [1, 2, 3]}, schema={"batch": pl.Int64, "source": pl.Int32})
    found = shared_values(
        written(rows, 70, tmp_path), Scope(Batches([1, 2, 3])), sources, work=tmp_path, most=7
    )  # fmt: skip
    assert (found.shared, found.by_sources, len(found.most)) == (50, {2: 25, 3: 25}, 7)
    assert {len(each.sources) for each in found.most} == {3}
