"""Networks of a country: against counting every row in plain loops."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from tests.generated_lake import rows

from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.questions.networks import MOST_NETWORKS, networks
from tocsin.lake.scope import Batches, Scope, Snapshot

VICTIMS = {role.value for role in VICTIM_LIKE}
SCOPES = {
    "nothing": Scope(Batches()),
    "some batches": Scope(Batches({3, 7, 8, 40})),
    "victims of another country": Scope(Batches(range(1, 41)), victim_countries=frozenset({"BR"})),
    "own victims": Scope(Batches(range(1, 41)), victim_countries=frozenset({"FR"})),
    "own batch": Scope(Batches(range(1, 41)), own_batches=Batches({9})),
    "victim desk": Scope(Batches(range(1, 41)), all_victims=True),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, list[dict[str, Any]]]:
    """Two files; few systems, so that each has many networks, and some rows without one."""
    table = rows(4_000, ("FR", "BR", "JO"), seed=5).with_columns(
        asn=pl.when(pl.col("position") % 11 > 0).then(pl.lit(64_500, pl.UInt32) + pl.col("asn") % 5)
    )
    folder = tmp_path_factory.mktemp("lake")
    paths = (folder / "0.parquet", folder / "1.parquet")
    table[:1_500].write_parquet(paths[0])
    table[1_500:].write_parquet(paths[1])
    return Snapshot(paths), table.to_dicts()


def _sees(scope: Scope, row: dict[str, Any]) -> bool:
    if row["batch"] not in scope.batches:
        return False
    if scope.all_victims or row["role"] not in VICTIMS:
        return True
    return row["batch"] in scope.own_batches or row["country"] in scope.victim_countries


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("since", [None, datetime(2026, 11, 14, tzinfo=UTC)])
def test_agrees_with_plain_counting(
    lake: tuple[Snapshot, list[dict[str, Any]]], scope: Scope, since: datetime | None
) -> None:
    snapshot, table = lake
    seen = [
        row for row in table
        if row["country"] == "FR" and _sees(scope, row) and (since is None or row["last_at"] >= since)
    ]  # fmt: skip
    by_system: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in seen:
        by_system[row["asn"] or 0].append(row)
    found = networks(snapshot, scope, country="FR", since=since, most=50)
    assert {each.asn: each.rows for each in found} == {asn: len(listed) for asn, listed in by_system.items()}
    assert [each.rows for each in found if each.asn] == sorted((each.rows for each in found if each.asn), reverse=True)
    for each in found:
        listed = by_system[each.asn]
        assert each.values == len({(row["network"], row["value"]) for row in listed})
        assert each.networks_count == len({row["network"] for row in listed if row["network"]})
        by_network: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in listed:
            if row["network"]:
                by_network[row["network"]].append(row)
        expected = sorted(
            ((text, len(inside)) for text, inside in by_network.items()), key=lambda pair: (-pair[1], pair[0])
        )
        assert [(one.text, one.rows) for one in each.networks] == expected[:MOST_NETWORKS]
        for one in each.networks:
            assert one.newest == max((row["last_at"], row["value"]) for row in by_network[one.text])[1]


def test_the_rest_is_left_out(lake: tuple[Snapshot, list[dict[str, Any]]]) -> None:
    snapshot, _ = lake
    desk = SCOPES["victim desk"]
    every = networks(snapshot, desk, country="FR", since=None, most=50)
    assert networks(snapshot, desk, country="FR", since=None, most=2) == every[:2]
    assert every[-1].asn == 0, "rows of which no system is known stand last, however many they are"
    assert networks(snapshot, desk, country="ZZ", since=None) == []
