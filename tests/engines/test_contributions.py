"""What sources contribute: the lake's answer against a plain count over dictionaries."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.core.observations import SCHEMA
from tocsin.lake.questions import contributions as question
from tocsin.lake.questions.contributions import BATCHES, DELAY_HOURS, Contribution, contributions
from tocsin.lake.scope import Snapshot

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SPANS = (30, 365)
ROW = st.tuples(st.integers(0, 9), st.sampled_from("abcdef"), st.integers(0, 900), st.sampled_from([None, 0, 4]))
BATCH = st.tuples(st.integers(0, 4), st.integers(0, 400), st.booleans())
"""Source, days before now, whether others are compared with it."""


def plainly(rows: list[tuple[int, str, int, int | None]], batches: list[tuple[int, int, bool]]) -> dict[object, object]:
    came = [NOW - timedelta(days=days) for _, days, _ in batches]
    firsts: dict[str, dict[int, datetime]] = defaultdict(dict)
    compared: dict[str, dict[int, datetime]] = defaultdict(dict)
    for batch, value, _, _ in rows:
        if batch >= len(batches):
            continue
        source, _, is_compared = batches[batch]
        for table in (firsts, compared) if is_compared else (firsts,):
            table[value][source] = min(table[value].get(source, NOW), came[batch])
    found: dict[object, object] = {}
    for days in SPANS:
        since = NOW - timedelta(days=days)
        inside = [row for row in rows if row[0] < len(batches) and came[row[0]] >= since]
        comparing = {batches[row[0]][0] for row in inside if batches[row[0]][2]}
        for source in {batches[row[0]][0] for row in inside}:
            each = Contribution()
            for batch, _, hours, warned in inside:
                if batches[batch][0] == source:
                    each.rows += 1
                    each.rows_warned += bool(warned)
                    if hours:
                        each.rows_timed += 1
                        each.delays[sum(hours > bound for bound in DELAY_HOURS)] += 1
            for value, by_source in firsts.items():
                if by_source.get(source, datetime.min.replace(tzinfo=UTC)) < since:
                    continue
                others = [at for other, at in compared[value].items() if other != source]
                each.values_new += 1
                each.values_shared += bool(others)
                each.values_known += bool(others) and min(others) < by_source[source]
                each.values_first += bool(others) and by_source[source] < min(others)
            each.others = len(comparing - {source})
            found[source, days] = each
    return found


@settings(max_examples=40, deadline=None)
@given(
    files=st.lists(st.lists(ROW, max_size=25), min_size=1, max_size=4),
    batches=st.lists(BATCH, min_size=1, max_size=9),
)
@pytest.mark.parametrize("values_in_part", [3, 2_000_000])
def test_the_lake_counts_as_one_would_by_hand(
    files: list[list[tuple[int, str, int, int | None]]], batches: list[tuple[int, int, bool]], values_in_part: int
) -> None:
    told = pl.DataFrame(
        [(place, source, NOW - timedelta(days=days), told) for place, (source, days, told) in enumerate(batches)],
        schema=BATCHES, orient="row",
    )  # fmt: skip
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(question, "VALUES_IN_PART", values_in_part)
        paths = []
        for number, rows in enumerate(files):
            paths.append(Path(folder) / f"lake-{number}.parquet")
            received = [NOW - timedelta(days=batches[row[0]][1] if row[0] < len(batches) else 0) for row in rows]
            pl.DataFrame(
                {
                    "batch": [row[0] for row in rows], "kind": ["domain"] * len(rows),
                    "value": [row[1] for row in rows],
                    "first_at": [at - timedelta(hours=row[2]) for at, row in zip(received, rows, strict=True)],
                    "warnings": [row[3] for row in rows],
                },
                schema_overrides={name: SCHEMA[name] for name in ("batch", "kind", "value", "first_at", "warnings")},
            ).write_parquet(paths[-1])  # fmt: skip
        work = Path(folder) / "work"
        work.mkdir()
        found = contributions(Snapshot(tuple(paths)), told, spans=SPANS, now=NOW, work=work)
    assert found == plainly([row for rows in files for row in rows], batches)


def test_an_empty_lake_answers_nothing(tmp_path: Path) -> None:
    assert contributions(Snapshot(()), pl.DataFrame(schema=BATCHES), spans=SPANS, now=NOW, work=tmp_path) == {}
