"""Every country's share: the pass over the files agrees with a plain filter, and no foreign victim gets through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.generated_lake import rows, write_lake

from tocsin.core.observations import SCHEMA
from tocsin.lake.questions import shares
from tocsin.lake.questions.shares import COLUMNS, deal_shares, joined_shares, write_shares
from tocsin.lake.scope import Batches, Scope, Snapshot

COUNTRIES = ("FR", "BR", "AE", "KE")
HIDDEN_PEER = ("peer", "peer_role", "peer_port", "peer_asn", "peer_network")


def reference(table: list[dict[str, Any]], code: str, scope: Scope) -> list[dict[str, Any]]:
    """The same rule, one row at a time."""
    found = []
    for row in table:
        if code not in {row["country"], row["target_country"]} or row["batch"] not in scope.batches:
            continue
        free = scope.all_victims or row["batch"] in scope.own_batches
        home = row["country"] == code
        own_victims = code in scope.victim_countries
        if row["role"] in {"VICTIM", "UNKNOWN"} and not free and not (home and own_victims):
            continue
        shown = {name: row[name] for name in COLUMNS}
        peer_role = row["peer_role"] or "UNKNOWN"
        peer_free = free or (row["peer_country"] == code and own_victims)
        hide_peer = row["peer"] is not None and peer_role in {"VICTIM", "UNKNOWN"} and not peer_free
        if hide_peer:
            shown |= dict.fromkeys((*HIDDEN_PEER, "extra", "note"))
        if not home and not free:
            shown |= dict.fromkeys(("hostname", "extra", "note"))
        found.append(shown)
    return sorted(found, key=lambda row: (row["kind"], row["value"], row["batch"], row["position"]))


def share_of(folder: Path, table: pl.DataFrame, scopes: Mapping[str, Scope]) -> dict[str, list[dict[str, Any]]]:
    folder.mkdir(parents=True, exist_ok=True)
    half = table.height // 2
    files = []
    for name, part in (("a", table[:half]), ("b", table[half:])):
        files.append(folder / f"{name}.parquet")
        part.write_parquet(files[-1], row_group_size=100)
    made = write_shares(Snapshot(tuple(files)), scopes, list(scopes), folder / "shares")
    assert set(made) == set(scopes)
    return {code: pl.read_parquet(path).to_dicts() for code, path in made.items()}


def scopes_for(batches: range) -> dict[str, Scope]:
    return {
        code: Scope(
            batches=Batches([batch for batch in batches if batch % (place + 2)]),
            own_batches=Batches({1} if code == "BR" else ()),
            victim_countries=frozenset({code}),
        )
        for place, code in enumerate(COUNTRIES)
    }


def test_agrees_with_a_plain_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "CHUNK_ROWS", 700)
    table = rows(4_000, (*COUNTRIES, "XA"), batches=12)
    scopes = scopes_for(range(1, 13))
    made = share_of(tmp_path, table, scopes)
    for code in COUNTRIES:
        assert made[code] == reference(table.to_dicts(), code, scopes[code])
        assert made[code]


def test_a_share_larger_than_memory_is_sorted_in_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "CHUNK_ROWS", 300)
    monkeypatch.setattr(shares, "PIECE_ROWS", 150)
    table = rows(3_000, ("FR", "BR"), batches=3)
    scope = Scope(Batches({1, 2, 3}), victim_countries=frozenset({"FR"}))
    made = share_of(tmp_path, table, {"FR": scope})
    assert made["FR"] == reference(table.to_dicts(), "FR", scope)


@pytest.mark.parametrize("piece_rows", [150, 250_000])
def test_shares_dealt_apart_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_rows: int) -> None:
    """Two passes meet the words in different orders; the first has never heard of some of them."""
    monkeypatch.setattr(shares, "PIECE_ROWS", piece_rows)
    table = rows(3_000, ("FR", "BR"), batches=3).with_row_index("row")
    late = pl.when(pl.col("row") >= 1_500).then(pl.lit("Zephyr")).otherwise("malware")
    table = table.with_columns(malware=late).drop("row")
    halves = []
    for name, part in (("a", table[:1_500]), ("b", table[1_500:].reverse())):
        part.write_parquet(tmp_path / f"{name}.parquet")
        halves.append(Snapshot((tmp_path / f"{name}.parquet",)))
    scopes = scopes_for(range(1, 4))
    dealt = [deal_shares(each, scopes, COUNTRIES, tmp_path / str(n)) for n, each in enumerate(halves)]
    for code, share in joined_shares(dealt, tmp_path).items():
        found = pl.read_parquet(share.write_parquet(tmp_path / f"{code}.parquet"))
        expected = reference(table.to_dicts(), code, scopes[code])
        assert found.to_dicts() == expected
        assert share.rows == len(expected)
        assert share.batches == {row["batch"] for row in expected}


@pytest.mark.parametrize("piece_rows", [150, 250_000])
def test_words_without_end_are_not_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_rows: int) -> None:
    """A family in each row, as where a column was mistaken for another: those that got no number travel as texts."""
    monkeypatch.setattr(shares, "PIECE_ROWS", piece_rows)
    monkeypatch.setattr(shares, "MOST_WORDS", 40)
    monkeypatch.setattr(shares, "CHUNK_ROWS", 500)
    table = rows(2_000, ("FR", "BR"), batches=3).with_row_index("row")
    family = pl.when(pl.col("row") % 3 > 0).then(pl.format("family-{}", pl.col("row") // 2))
    table = table.with_columns(malware=family).drop("row")
    halves = []
    for name, part in (("a", table[:900]), ("b", table[900:])):
        part.write_parquet(tmp_path / f"{name}.parquet", row_group_size=300)
        halves.append(Snapshot((tmp_path / f"{name}.parquet",)))
    scopes = scopes_for(range(1, 4))
    dealt = [deal_shares(each, scopes, COUNTRIES, tmp_path / str(n)) for n, each in enumerate(halves)]
    assert all(len(pl.read_ipc(each["FR"].words)["malware"][0]) == 40 for each in dealt)
    for code, share in joined_shares(dealt, tmp_path).items():
        found = pl.read_parquet(share.write_parquet(tmp_path / f"{code}.parquet"))
        assert found.to_dicts() == reference(table.to_dicts(), code, scopes[code])
        assert {piece.schema["malware"] for piece in share.pieces()} == {pl.String()}


def test_a_country_without_rows_gets_an_empty_share(tmp_path: Path) -> None:
    files = write_lake(tmp_path, 50, ("FR",))
    made = write_shares(Snapshot(files), Scope(Batches(range(50))), ("TV",), tmp_path / "shares")
    assert pl.read_parquet(made["TV"]).height == 0
    assert tuple(pl.read_parquet(made["TV"]).columns) == COLUMNS


def test_a_territory_joins_the_package_of_its_member(tmp_path: Path) -> None:
    table = rows(600, ("FR", "RE", "BR"), batches=2)
    scope = Scope(Batches({1, 2}), victim_countries=frozenset({"FR"}))
    found = share_of(tmp_path, table, {"FR": scope})["FR"]
    as_one = table.with_columns(
        pl.col(name).replace("RE", "FR") for name in ("country", "target_country", "peer_country")
    )
    expected = reference(as_one.to_dicts(), "FR", scope)
    places = {"country", "target_country", "peer_country"}
    assert [{k: v for k, v in row.items() if k not in places} for row in found] == [
        {k: v for k, v in row.items() if k not in places} for row in expected
    ]
    assert {row["country"] for row in found} >= {"FR", "RE"}


CODES = st.sampled_from(("FR", "BR", None))
ROLES = st.sampled_from(("VICTIM", "UNKNOWN", "ATTACKER_INFRA", None))
ROW = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 3),
        "role": st.sampled_from(("VICTIM", "UNKNOWN", "ATTACKER_INFRA", "SINKHOLE")),
        "country": CODES,
        "target_country": CODES,
        "peer": st.sampled_from(("198.51.100.9", None)),
        "peer_role": ROLES,
        "peer_country": CODES,
        "note": st.sampled_from(("victim: 198.51.100.9", None)),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, min_size=1, max_size=12))
def test_victims_of_another_country_never_appear(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]]
) -> None:
    full = [{"kind": "ipv4", "value": f"192.0.2.{place}", "position": place, **row} for place, row in enumerate(drawn)]
    table = pl.DataFrame(full, schema_overrides={"batch": pl.Int64}).select(
        (pl.col(name) if name in full[0] else pl.lit(None)).cast(dtype).alias(name) for name, dtype in SCHEMA.items()
    )
    scopes = {code: Scope(Batches({1, 2}), victim_countries=frozenset({code})) for code in ("FR", "BR")}
    made = share_of(tmp_path_factory.mktemp("lake"), table, scopes)
    for code, found in made.items():
        assert found == reference(table.to_dicts(), code, scopes[code])
        for row in found:
            assert row["role"] not in {"VICTIM", "UNKNOWN"} or row["country"] == code
            if row["peer"] is not None and (row["peer_role"] or "UNKNOWN") in {"VICTIM", "UNKNOWN"}:
                assert row["peer_country"] == code
            assert row["batch"] != 3
