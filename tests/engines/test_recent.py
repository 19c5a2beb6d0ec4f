"""The newest rows, page by page: against a plain reading of everything, whatever lies in which file."""

from __future__ import annotations

import polars as pl
import pytest
from tests.generated_lake import rows

from tocsin.lake.questions.recent import Place, recent
from tocsin.lake.scope import Batches, Scope, Snapshot

COUNTRIES = ("FR", "BR", "JO")
SCOPES = {
    "nothing": Scope(Batches()),
    "some batches": Scope(Batches({3, 7, 8, 40})),
    "all, victims of one country": Scope(Batches(range(1, 41)), victim_countries=frozenset({"FR"})),
    "all, own batch": Scope(Batches(range(1, 41)), own_batches=Batches({9})),
    "victim desk": Scope(Batches(range(1, 41)), all_victims=True),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, pl.DataFrame]:
    """Three files: two by batch, one mixed as a compaction leaves it, with records of several rows."""
    table = rows(3_000, COUNTRIES, seed=3).with_columns((pl.col("position") // 3).alias("position"))
    folder = tmp_path_factory.mktemp("lake")
    mixed, rest = table[:1_000], table[1_000:]
    parts = (mixed, rest.filter(pl.col("batch") <= 20), rest.filter(pl.col("batch") > 20))
    paths = []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number}.parquet")
        part.sort("kind", "value").write_parquet(paths[-1], row_group_size=200)
    return Snapshot(tuple(paths)), table


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("country", ["", "FR"])
@pytest.mark.parametrize("limit", [1, 97, 1_000])
def test_pages_together_are_the_plain_answer(
    lake: tuple[Snapshot, pl.DataFrame], scope: Scope, country: str, limit: int
) -> None:
    snapshot, table = lake
    expected = table.filter(scope.row_filter())
    if country:
        expected = expected.filter(pl.col("country") == country)
    if limit == 1:
        expected = expected.filter(pl.col("batch") >= 39)
        scope = Scope(scope.batches & Batches({39, 40}), scope.own_batches, scope.victim_countries, scope.all_victims)
    pages: list[pl.DataFrame] = []
    before: Place | None = None
    while True:
        page = recent(snapshot, scope, country=country, before=before, limit=limit)
        pages.append(page.rows)
        assert page.rows.height <= limit + 2  # A record here has three rows, which stay together.
        before = page.after
        if before is None:
            break
        assert page.rows.height >= limit
    got = pl.concat(pages)
    keys = got.select("batch", "position")
    assert keys.equals(keys.sort("batch", "position", descending=True))
    assert got.sort(pl.all()).equals(scope.shielded(expected).sort(pl.all()))
