"""Every question of the lake, over generated worlds: in this process and in SQL, on DuckDB, the same answers."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.engines import in_sql

from tocsin.lake import files, questions
from tocsin.lake.keys import Keys
from tocsin.lake.questions import shared_values
from tocsin.lake.scope import Batches, Scope, Snapshot

NOW = datetime(2026, 11, 22, tzinfo=UTC)
COUNTRIES = ("FR", "BR", "JO", "KE")
KEYS = Keys(((7, bytes(range(32))),))
NUMBERS = range(1, 13)
SCOPES = {
    "nothing": Scope(Batches()),
    "some batches": Scope(Batches({2, 3, 5, 7, 8})),
    "own victims": Scope(Batches(NUMBERS), victim_countries=frozenset({"FR"})),
    "own batches": Scope(Batches(NUMBERS), own_batches=Batches({5, 9})),
    "victim desk": Scope(Batches(NUMBERS), all_victims=True),
}
BUREAUS = {
    code: Scope(
        Batches([each for each in NUMBERS if each % (place + 2)]), own_batches=Batches({1} if code == "BR" else ()),
        victim_countries=frozenset({code}),
    )
    for place, code in enumerate(COUNTRIES)
}  # fmt: skip
HELPERS = {"gate", "pieces", "runs"}
"""Of the package of questions, what is none."""


@pytest.fixture(scope="module", params=[3, 4, 5])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, in_sql.World]:
    """A world in files whose rows need not lie in the file of their batch; some are sealed."""
    folder = tmp_path_factory.mktemp("world")
    table = in_sql.world(request.param, COUNTRIES, max(NUMBERS))
    paths = []
    for number in range(3):
        paths.append(folder / f"{number}.parquet")
        files.write(table[number::3], paths[-1], KEYS.writer() if number else None)
    return Snapshot(tuple(paths), KEYS), in_sql.World(table, NOW)


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("pairs_in_part", [300, 4_000_000])
def test_what_one_asks(
    told: tuple[Snapshot, in_sql.World], scope: Scope, pairs_in_part: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(shared_values, "PAIRS_IN_PART", pairs_in_part)
    in_sql.agree(*told, scope, tmp_path)


def test_what_is_asked_for_all(told: tuple[Snapshot, in_sql.World], tmp_path: Path) -> None:
    in_sql.agree_without_scope(*told, BUREAUS, tmp_path)


def test_no_question_is_left_out() -> None:
    """Whoever adds a question says it in SQL as well, and asks it of a cluster."""
    there = {path.stem for path in Path(inspect.getfile(questions)).parent.glob("[a-z]*.py")} - HELPERS
    asked = {name for name in there if f"tocsin.lake.questions.{name}" in Path(in_sql.__file__).read_text()}
    assert asked == there
