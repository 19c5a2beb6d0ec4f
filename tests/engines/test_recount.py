"""However a delivery is cut into chunks and files, the counts of its rows are those of the whole."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.centre.intake.reading import Order, Outcome, read_delivery
from tocsin.core.profiles import Profile
from tocsin.formats._tables import Feed
from tocsin.lake import files, repeats
from tocsin.reference.addresses import AddressTables, shipped

RECEIVED = datetime(2026, 11, 22, tzinfo=UTC)
LINES = st.tuples(st.integers(1, 9), st.integers(0, 3)).map(
    lambda pair: f"198.51.100.{pair[0]}" + (f"\t{pair[1]}" if pair[1] else "")
)


@cache
def tables() -> AddressTables:
    return shipped()


def read(lines: list[str], work: Path, block_bytes: int, rows_in_file: int, held_bytes: int) -> Outcome:
    path = work / "list.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole_block = Feed.block
    with (
        mock.patch.object(Feed, "block", lambda self, size_bytes: whole_block(self, block_bytes)),
        mock.patch.object(files, "ROWS_IN_FILE", rows_in_file),
        mock.patch.object(repeats, "NOTES_IN_MEMORY", 3),
        mock.patch.object(repeats, "KEYS_IN_PART", 4),
        mock.patch.object(repeats, "HELD_BYTES", held_bytes),
    ):
        order = Order(1, path, path.name, RECEIVED, Profile(format="plain-list"), work)
        return read_delivery(order, tables())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(LINES, min_size=1, max_size=40), st.integers(20, 120), st.integers(1, 12),
    st.sampled_from([0, 3_000, 1 << 30]),
)  # fmt: skip
def test_counts_are_those_of_the_whole(lines: list[str], block_bytes: int, rows_in_file: int, held_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        outcome = read(lines, work, block_bytes, rows_in_file, held_bytes)
        frames = [pl.read_parquet(work / each["path"]) for each in outcome.files]
        for each in outcome.files:
            assert each["digest"] == files.file_digest(work / each["path"])
            assert each["rows"] == pl.read_parquet(work / each["path"]).height
        tallies = pl.concat([pl.read_parquet(work / name) for name in outcome.parts["tallies"]])
        assert not [*work.glob("*.keys"), *work.glob("*.arrow"), *work.glob("*.npy")]
    expected: Counter[tuple[str, int]] = Counter()
    for line in lines:
        value, _, stated = line.partition("\t")
        expected[value, int(stated or 0)] += int(stated or 1)
    rows = pl.concat(frames)
    assert outcome.rows == rows.height == len(expected)
    assert outcome.repeats == len(lines) - len(expected)
    assert sorted(rows["count"].to_list()) == sorted(expected.values())
    assert rows["count"].sum() == expected.total() == tallies["sightings"].sum()
    assert tallies["rows"].sum() == len(expected)
    by_value = dict(rows.group_by("value").agg(pl.col("count").sum()).iter_rows())
    assert by_value == {value: sum(many for (each, _), many in expected.items() if each == value) for value in by_value}


def test_what_waits_makes_room_for_the_keys_that_are_remembered(tmp_path: Path) -> None:
    frames = [pl.DataFrame({"count": [1, 1], "value": [f"{n}-a", f"{n}-b"]}) for n in range(4)]
    keys = [pl.DataFrame({"key": [2 * n, 2 * n + 1], "row": [0, 1]}, schema=repeats.KEY_COLUMNS) for n in range(4)]
    size = int(frames[0].estimated_size() + keys[0].estimated_size())
    recount = repeats.Recount(tmp_path)
    with mock.patch.object(repeats, "HELD_BYTES", 3 * size):
        for number, taken in enumerate((0, 0, 2 * size, 2 * size)):
            recount.hold(frames[number], keys[number], taken)
            on_disk = sorted(path.name for path in tmp_path.glob("*.arrow"))
            expected = [[], [], ["held-0.arrow", "held-2.arrow"], ["held-0.arrow", "held-2.arrow", "held-3.arrow"]]
            assert on_disk == expected[number]
    recount.note(pl.DataFrame({"key": [1, 4], "count": [5, 7]}, schema=repeats.COUNT_COLUMNS))
    settled = [frame.rows() for frame in recount.settled(None, None)]
    assert settled == [[(1, "0-a"), (6, "0-b")], [(1, "1-a"), (1, "1-b")], [(8, "2-a"), (1, "2-b")],
                       [(1, "3-a"), (1, "3-b")]]  # fmt: skip
    assert not [*tmp_path.glob("held-*")]


def test_keys_of_a_very_large_delivery_take_no_more_than_was_allowed() -> None:
    seen = repeats.Seen()
    with mock.patch.object(repeats, "MOST_REMEMBERED", 100), mock.patch.object(repeats, "KEYS_IN_PART", 40):
        for start in range(0, 1_000, 20):
            assert seen.are_new(np.arange(start, start + 20, dtype=np.uint64)).all()
            assert seen.held_bytes <= 100 * 8
    assert not seen.are_new(np.array([999], dtype=np.uint64)).any()
