"""A look-up through the index agrees with reading every row, one by one, through the plain gate."""

from __future__ import annotations

import ipaddress
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.core.observations import SCHEMA
from tocsin.core.words import VICTIM_LIKE
from tocsin.lake import files, index
from tocsin.lake import shown as table
from tocsin.lake.keys import PLAIN, Keys
from tocsin.lake.questions import lookup as questions
from tocsin.lake.questions.lookup import Asked, Sight, asked_for, lookup
from tocsin.lake.questions.recent import recent
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.lake.shown import SHOWN

VALUES = (
    ("ipv4", "192.0.2.1"), ("ipv4", "192.0.2.9"), ("ipv4", "198.51.100.7"), ("network", "192.0.2.0/29"),
    ("network", "192.0.2.0/24"), ("network", "192.0.2.8/30"),
    ("domain", "evil.example"), ("domain", "a.evil.example"), ("url", "http://a.evil.example/x"),
    ("url", "https://192.0.2.1:8443/login"), ("sha256", "a" * 64),
)  # fmt: skip
ROLES = ("VICTIM", "UNKNOWN", "ATTACKER_INFRA")
COUNTRIES = ("FR", "DE", None)
PEERS = (None, "198.51.100.7", "evil.example")
NUMBERS = count()
"""Files never change once written: every example has its own."""
NAMES = (None, "Grey Heron", "Cinder Wharf")
KEYS = (PLAIN, Keys(((1, b"k" * 32),)))

rows = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 4),
        "thing": st.sampled_from(VALUES),
        "role": st.sampled_from(ROLES),
        "country": st.sampled_from(COUNTRIES),
        "peer": st.sampled_from(PEERS),
        "peer_role": st.sampled_from((*ROLES, None)),
        "peer_country": st.sampled_from(COUNTRIES),
        "malware": st.sampled_from(NAMES),
        "seen": st.integers(0, 5),
    }
)
scopes = st.builds(
    Scope,
    batches=st.frozensets(st.integers(1, 4)).map(Batches),
    own_batches=st.frozensets(st.integers(1, 4), max_size=2).map(Batches),
    victim_countries=st.frozensets(st.sampled_from(("FR", "DE"))),
    all_victims=st.booleans(),
)


def frame_of(drawn: list[dict[str, object]]) -> pl.DataFrame:
    records = []
    for place, row in enumerate(drawn, start=1):
        kind, value = row["thing"]  # type: ignore[misc]
        at = pl.Series([f"2026-11-0{1 + int(str(row['seen']))}"]).str.to_datetime("%Y-%m-%d", time_zone="UTC")[0]
        host = urlsplit(value).hostname if kind == "url" else value
        domain = "evil.example" if str(host).endswith("evil.example") else None
        records.append(
            {
                "batch": row["batch"], "position": place, "first_at": at, "last_at": at, "count": 1, "kind": kind,
                "value": value, "role": row["role"], "type": "other", "offence": "none", "country": row["country"],
                "ipv4": number_of(value) if kind in {"ipv4", "network"} else None, "peer": row["peer"],
                "peer_role": row["peer_role"], "peer_country": row["peer_country"],
                "peer_ipv4": number_of(row["peer"]) if str(row["peer"]).startswith("198.") else None,
                "malware": row["malware"], "domain": domain, "country_basis": "single",
            }
        )  # fmt: skip
    return pl.DataFrame(records, schema_overrides=SCHEMA, infer_schema_length=None).select(
        (pl.col(name) if name in records[0] else pl.lit(None)).cast(dtype).alias(name) for name, dtype in SCHEMA.items()
    )


def number_of(text: object) -> int:
    return int(ipaddress.ip_network(str(text))[0])


def sees(scope: Scope, row: dict[str, object]) -> bool:
    if row["batch"] not in scope.batches:
        return False
    if scope.all_victims or row["role"] not in {role.value for role in VICTIM_LIKE}:
        return True
    return row["batch"] in scope.own_batches or row["country"] in scope.victim_countries


def sees_peer(scope: Scope, row: dict[str, object]) -> bool:
    """The same for who stands on the other side; without a role it may be anybody."""
    if scope.all_victims or row["peer_role"] not in {None, *(role.value for role in VICTIM_LIKE)}:
        return True
    return row["batch"] in scope.own_batches or row["peer_country"] in scope.victim_countries


def blanked(scope: Scope, row: dict[str, object]) -> dict[str, object]:
    """The row as the asker sees it: by what is hidden on it nothing may be found."""
    return row if sees_peer(scope, row) else row | {"peer": None, "peer_ipv4": None}


def is_about(row: dict[str, object], kind: str, asked: str) -> bool:
    """The plain reading of what a look-up must find."""
    texts = {row["value"], row["peer"], row["domain"]}
    if row["kind"] == "url":
        texts.add(urlsplit(str(row["value"])).hostname)
    if asked in texts:
        return True
    if kind in {"ipv4", "network"}:
        sought = ipaddress.ip_network(asked)
        held = [str(row["value"])] if row["kind"] in {"ipv4", "network"} else []
        held += [str(row["peer"])] if row["peer_ipv4"] is not None else []
        around = any(sought.overlaps(ipaddress.ip_network(text)) for text in held)
        return around and (kind == "network" or row["kind"] == "network")
    return kind == "url" and urlsplit(asked).hostname in texts


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(rows, min_size=1, max_size=30), scopes, st.sampled_from(VALUES), st.integers(1, 3), st.sampled_from(KEYS)
)
def test_agrees_with_reading_every_row(
    tmp_path: Path, drawn: list[dict[str, object]], scope: Scope, asked: tuple[str, str], parts: int, keys: Keys
) -> None:
    frame = frame_of(drawn)
    index.load.cache_clear()
    paths = []
    for number in range(parts):
        share = frame.filter(pl.col("position") % parts == number)
        if share.height:
            path = tmp_path / f"{next(NUMBERS)}.parquet"
            files.write(share, path, keys.writer())
            paths.append(path)
    kind, value = asked
    expected = [row for row in frame.to_dicts() if sees(scope, row) and is_about(blanked(scope, row), kind, value)]
    snapshot = Snapshot(tuple(paths), keys)
    found = lookup(snapshot, Sight(scope), asked_for(kind, value), most_rows=100)
    assert found.total == found.sightings == len(expected)
    assert found.last_at == max((row["last_at"] for row in expected), default=None)
    assert sum(found.by_country.values()) == len(expected)
    assert sorted(found.rows["position"]) == sorted(row["position"] for row in expected)
    peers = {row["position"]: row["peer"] if sees_peer(scope, row) else None for row in expected}
    assert {row["position"]: row["peer"] for row in found.rows.to_dicts()} == peers
    shown = lookup(snapshot, Sight(scope), asked_for(kind, value), most_rows=100, columns=SHOWN)
    assert shown.rows.columns == [name for name in SCHEMA if name in SHOWN]
    assert sorted(shown.rows.rows(), key=str) == sorted(found.rows.select(shown.rows.columns).rows(), key=str)
    named = [row for row in frame.to_dicts() if sees(scope, row) and row["malware"] == "Grey Heron"]
    assert lookup(snapshot, Sight(scope), Asked(names=("grey heron",))).total == len(named)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(rows, min_size=12, max_size=30),
    scopes,
    st.sampled_from(VALUES),
    st.sampled_from([3, 1024]),
    st.sampled_from([0, 2]),
    st.sampled_from(KEYS),
)
def test_texts_with_very_many_rows_are_counted_beforehand_and_agree(
    tmp_path: Path,
    drawn: list[dict[str, object]],
    scope: Scope,
    asked: tuple[str, str],
    frequent: int,
    single: int,
    keys: Keys,
) -> None:
    with pytest.MonkeyPatch.context() as smaller:
        smaller.setattr(index, "FREQUENT_ROWS", frequent)
        smaller.setattr(questions, "FIRST_LOOK", 2)
        smaller.setattr(questions, "SPARSE", 0)
        smaller.setattr(questions, "MOST_SINGLE", single)
        smaller.setattr(index, "PAGE", 4)
        smaller.setattr(table, "SAMPLE_ROWS", 4)
        test_agrees_with_reading_every_row.hypothesis.inner_test(tmp_path, drawn, scope, asked, 2, keys)


def test_many_files_and_a_value_in_all_of_them(tmp_path: Path) -> None:
    paths = []
    for number in range(60):
        row = {"batch": 1 + number % 2, "thing": VALUES[0], "role": ROLES[number % 3], "country": "FR", "peer": None,
               "peer_role": None, "peer_country": None, "malware": None, "seen": number % 6}  # fmt: skip
        paths.append(tmp_path / f"{number}.parquet")
        files.write(frame_of([row] * 40), paths[-1])
    asked = asked_for("ipv4", "192.0.2.1")
    found = lookup(Snapshot(tuple(paths)), Sight(Scope(Batches({1}))), asked, columns=SHOWN)
    assert found.total == 40 * sum(1 for number in range(0, 60, 2) if number % 3 == 2)
    assert found.rows.height == 25
    assert found.rows["last_at"].min() == found.last_at
    hidden = lookup(Snapshot(tuple(paths)), Sight(Scope(Batches({9}))), asked, columns=SHOWN)
    absent = lookup(Snapshot(()), Sight(Scope(Batches({9}))), asked, columns=SHOWN)
    assert (hidden.total, hidden.by_batch, hidden.rows.rows()) == (absent.total, absent.by_batch, absent.rows.rows())


@pytest.mark.parametrize("columns", [SHOWN, tuple(SCHEMA)], ids=["shown", "all"])
def test_victims_on_the_other_side_are_shown_as_on_this_one(tmp_path: Path, columns: tuple[str, ...]) -> None:
    sides = [("VICTIM", "FR"), ("VICTIM", "DE"), (None, "DE"), ("ATTACKER_INFRA", "DE")]
    drawn: list[dict[str, object]] = [
        {"batch": batch, "thing": VALUES[0], "role": "ATTACKER_INFRA", "country": "DE", "peer": PEERS[1],
         "peer_role": role, "peer_country": country, "malware": None, "seen": 1}
        for batch in (1, 2) for role, country in sides
    ]  # fmt: skip
    frame = frame_of(drawn).with_columns(note=pl.lit("who was hit"))
    files.write(frame, tmp_path / "peers.parquet")
    snapshot, asked = Snapshot((tmp_path / "peers.parquet",)), asked_for("ipv4", "192.0.2.1")
    whole = Batches({1, 2})
    for scope in (Scope(whole), Scope(whole, whole), Scope(whole, Batches({1}), frozenset({"FR"})),
                  Scope(whole, all_victims=True)):  # fmt: skip
        found = lookup(snapshot, Sight(scope), asked, columns=columns).rows
        assert found.columns == [name for name in SCHEMA if name in columns]
        expected = [row["peer"] if sees_peer(scope, row) else None for row in frame.to_dicts()]
        assert sorted(map(str, found["peer"])) == sorted(map(str, expected))
        newest = recent(snapshot, scope).rows
        assert sorted(map(str, newest["peer"])) == sorted(map(str, expected))
        assert newest["note"].null_count() == newest["peer"].null_count() == expected.count(None)


@pytest.mark.parametrize("sought", [("ipv4", "198.51.100.7"), ("network", "198.51.100.0/24"), ("ipv4", "192.0.2.1")])
@pytest.mark.parametrize("frequent_rows", [1, 1_024])
def test_a_victim_abroad_on_the_other_side_is_as_if_it_were_absent(
    tmp_path: Path, sought: tuple[str, str], frequent_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "FREQUENT_ROWS", frequent_rows)
    sides = [("VICTIM", "FR"), ("VICTIM", "DE"), (None, "DE"), ("UNKNOWN", None), ("ATTACKER_INFRA", "DE")]
    drawn: list[dict[str, object]] = [
        {"batch": batch, "thing": VALUES[0], "role": "ATTACKER_INFRA", "country": "DE", "peer": PEERS[1],
         "peer_role": role, "peer_country": country, "malware": None, "seen": 1}
        for batch in (1, 2) for role, country in sides
    ]  # fmt: skip
    frame = frame_of(drawn)
    whole = Batches({1, 2})
    for number, scope in enumerate(
        (Scope(whole), Scope(whole, Batches({1})), Scope(whole, victim_countries=frozenset({"FR"})),
         Scope(whole, all_victims=True))
    ):  # fmt: skip
        found = []
        for name, held in (("all", frame), ("shown", scope.shielded(frame).with_columns(
            peer_ipv4=pl.when(pl.col("peer").is_not_null()).then("peer_ipv4")))):  # fmt: skip
            files.write(held, tmp_path / f"{number}-{name}.parquet")
            found.append(lookup(Snapshot((tmp_path / f"{number}-{name}.parquet",)), Sight(scope), asked_for(*sought)))
        hidden, absent = found
        expected = [row for row in frame.to_dicts() if is_about(blanked(scope, row), *sought)]
        assert hidden.total == absent.total == len(expected) > 0
        assert (hidden.sightings, hidden.by_batch) == (absent.sightings, absent.by_batch)
        assert (hidden.by_role, hidden.by_country) == (absent.by_role, absent.by_country)
        assert sorted(hidden.rows["position"]) == sorted(absent.rows["position"])


def test_an_index_that_is_made_anew_leaves_its_readers_undisturbed(tmp_path: Path) -> None:
    row = {"batch": 1, "thing": VALUES[0], "role": ROLES[2], "country": "FR", "peer": None, "peer_role": None,
           "peer_country": None, "malware": None, "seen": 0}  # fmt: skip
    path = tmp_path / "held.parquet"
    files.write(frame_of([row] * 20), path)
    held, index_path = index.opened(path), index.index_path(path)
    assert held is not None
    before, places = held.hashes.tolist(), [each.stat().st_ino for each in tmp_path.iterdir()]
    index.write(frame_of([row]), index_path)  # As another process does that met an older version.
    assert index_path.stat().st_ino not in places
    assert index_path.with_suffix(".facts").stat().st_ino not in places
    assert held.hashes.tolist() == before
    assert sorted(each.suffix for each in tmp_path.iterdir()) == [".facts", ".index", ".parquet"]


def test_an_index_of_another_version_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"batch": 1, "thing": VALUES[0], "role": ROLES[2], "country": "FR", "peer": None, "peer_role": None,
           "peer_country": None, "malware": None, "seen": 0}  # fmt: skip
    path = tmp_path / "one.parquet"
    with monkeypatch.context() as older:
        older.setattr(index, "VERSION", b"0 of long ago")
        files.write(frame_of([row]), path)
    index.load.cache_clear()
    assert index.load(path) is None
    found = lookup(Snapshot((path,)), Sight(Scope(Batches({1}))), Asked(("192.0.2.1",)))
    assert found.total == 1
    assert index.load(path) is not None
