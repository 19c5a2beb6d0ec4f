"""A share that is read back in pieces: sorted as a whole would be, holding so many rows at a time whatever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.core.observations import SCHEMA
from tocsin.lake.questions import pieces
from tocsin.lake.questions.pieces import in_order
from tocsin.lake.questions.runs import CODED, COLUMNS, KEYS, Part, Words, coded, words_in, write_words, written

KINDS = ("url", "domain", "ipv4")
"""Not in the order of the alphabet, as words are numbered as they are met."""
TYPES = (pl.UInt8, SCHEMA["value"], SCHEMA["batch"], SCHEMA["position"])
ROW = st.tuples(
    st.integers(0, len(KINDS) - 1), st.sampled_from(("a.example", "b.example", "é.example", "")), st.integers(1, 3),
    st.integers(0, 3),
)  # fmt: skip
ROWS = st.one_of(st.lists(ROW, min_size=1, max_size=60), st.builds(lambda row, count: [row] * count, ROW,
                                                                    st.integers(1, 60)))  # fmt: skip


def words(folder: Path) -> Words:
    told = {name: KINDS if name == "kind" else ("x",) for name in CODED}
    return words_in(write_words(folder / "words.arrow", told, ()))


def runs(rows: list[tuple[int, str, int, int]], cut: int, folder: Path) -> list[Part]:
    """The rows in record batches of so many, numbered by `port` as they came."""
    frame = pl.DataFrame(rows, schema=dict(zip(KEYS, TYPES, strict=True)),
                         orient="row").with_columns(port=pl.int_range(pl.len(), dtype=pl.UInt16))  # fmt: skip
    groups = np.arange(frame.height) // cut
    return [part for _, part in written(folder / "run.arrow", frame, groups)]


def expected(rows: list[tuple[int, str, int, int]]) -> list[tuple[str, str, int, int, int]]:
    told = [(KINDS[kind], value, batch, position, number) for number, (kind, value, batch, position) in enumerate(rows)]
    return sorted(told, key=lambda row: row[:4])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("ranges", [2, 3, 512])
@given(rows=ROWS, cut=st.integers(1, 20), size=st.integers(1, 40))
def test_it_is_what_sorting_the_whole_gives(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, ranges: int,
    rows: list[tuple[int, str, int, int]], cut: int, size: int,
) -> None:  # fmt: skip
    """Also where all keys are equal: such rows come as they came."""
    monkeypatch.setattr(pieces, "RANGES", ranges)
    monkeypatch.setattr(pieces, "_SAMPLED", 2)
    folder = tmp_path_factory.mktemp("share")
    known = words(folder)
    read = list(in_order(runs(rows, cut, folder), size, known, folder / "pieces"))
    found = pl.concat(read)
    assert found.select(*KEYS, "port").rows() == expected(rows)
    assert found.columns == list(COLUMNS)
    assert all(0 < piece.height <= size for piece in read)
    assert sorted(path.name for path in folder.iterdir()) == ["run.arrow", "words.arrow"]


@pytest.mark.parametrize("are_equal", [False, True])
def test_so_many_rows_are_held_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, are_equal: bool
) -> None:
    """Each is read a bounded number of times: its keys and itself once for each parting, and once at the end."""
    held: list[int] = []

    def noted(parts: list[Part], columns: tuple[str, ...] = COLUMNS) -> pl.DataFrame:
        held.append(sum(part.rows for part in parts))
        return coded(parts, columns)

    monkeypatch.setattr(pieces, "coded", noted)
    monkeypatch.setattr(pieces, "RANGES", 16)
    size, cut, partings = 40, 25, 2
    chance = np.random.default_rng(5)
    rows = [(0, "a.example", 1, 1) if are_equal else (0, f"{chance.integers(1 << 40)}.example", 1, number)
            for number in range(12_000)]  # fmt: skip
    found = [piece.height for piece in in_order(runs(rows, cut, tmp_path), size, words(tmp_path), tmp_path / "pieces")]
    assert sum(found) == len(rows)
    assert len(rows) > size * pieces.HELD_PIECES * 16  # More than one parting does for.
    assert max(held) <= size * pieces.HELD_PIECES
    assert sum(held) <= len(rows) * (2 * partings + 1 + 1)  # A range in some hundred is parted once more.


def test_who_wants_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    rows = [(0, f"{number}.example", 1, number) for number in range(500)]
    parts, known = runs(rows, 50, tmp_path), words(tmp_path)
    read = in_order(parts, 20, known, tmp_path / "pieces")
    next(read)
    assert (tmp_path / "pieces").is_dir()
    read.close()
    assert not (tmp_path / "pieces").exists()
    opened = {path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    assert not [path for path in opened if path.is_relative_to(tmp_path / "pieces")]
