"""A table read in stretches, part by part, is the table read whole: rows, counts, refusals, and what is told of it."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.centre.intake import bulk
from tocsin.centre.intake.reading import Order, Outcome, outcome_json, read_delivery
from tocsin.core.profiles import Profile
from tocsin.formats import _tables, delimited, plain_list
from tocsin.lake.keys import Keys
from tocsin.reference.addresses import AddressTables, shipped

RECEIVED = datetime(2026, 11, 22, tzinfo=UTC)
PROFILE = Profile(
    format="delimited", columns={"value": 1, "kind": 2, "stated_country": 3, "count": 4, "malware": 5, "note": 6},
    delimiter=",", header=False,
)  # fmt: skip
ROW = st.tuples(
    st.sampled_from(["198.51.100.1", "198.51.100.2", "10.0.0.1", "evil.example", "https://evil.example/x", ""]),
    st.sampled_from(["ip", "", "domain", "nonsense"]),
    st.sampled_from(["FR", "BR", "nowhere at all", ""]),
    st.sampled_from(["", "2", "many"]),
    st.sampled_from(["Emotet", "QakBot", ""]),
    st.sampled_from(["", '"one, two"', '"said ""so"""', '"over\ntwo lines"', "grading: B2", "separatist movement"]),
).map(",".join)  # fmt: skip
PLAIN_FILE = [
    f"198.51.100.{number % 7},ip,{'FR' if number % 3 else 'nowhere at all'},{number % 5 or 'x'},Emotet,"
    for number in range(400)
]


@cache
def tables() -> AddressTables:
    return shipped()


def order(work: Path, lines: list[str], profile: Profile, name: str = "list.csv") -> Order:
    path = work / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    seal = Keys(((3, b"k" * 32),)).writer()
    return Order(7, path, path.name, RECEIVED, profile, work, seal=seal)


def read_in_parts(told: Order, block_bytes: int, keys_in_fold: int = 3) -> dict[str, Any]:
    """As a cluster does it, in this process; each step twice, as when one of two machines was thought dead."""

    def twice(step: str, **more: Any) -> dict[str, Any]:
        bulk.STEPS[step](told, more, tables())
        return bulk.STEPS[step](told, more, tables())

    whole = bulk.cut(told, {"block_bytes": block_bytes}, tables())
    if "whole" in whole:
        return whole
    reads = [twice("read", whole=whole, item=part) for part in whole["parts"]]
    with mock.patch.object(bulk, "KEYS_IN_FOLD", keys_in_fold):
        ranges = bulk.ranges_of(reads)
    folds = [twice("fold", keys=[each["keys"] for each in reads], item=part) for part in ranges]
    more = {"changes": [each["changes"] for each in folds if each["changes"]],
            "batches": [each["batches"] for each in reads]}  # fmt: skip
    writes = [
        twice("write", **more, item={"part": part, "rows": each["rows"], "rejections": each["rejections"]})
        for part, each in enumerate(reads)
    ]
    return bulk.gather(told, {"whole": whole, "reads": reads, "writes": writes}, tables())


def frames(work: Path, outcome: dict[str, Any]) -> pl.DataFrame:
    keys = Keys(((3, b"k" * 32),))
    found = [bulk.files.whole(bulk.files.read(work / each["path"], keys)) for each in outcome["files"]]
    return pl.concat(found) if found else pl.DataFrame()


def part_of(work: Path, outcome: dict[str, Any], kind: str) -> list[tuple[object, ...]]:
    found = [pl.read_parquet(work / name) for name in outcome["parts"].get(kind, ())]
    return sorted(pl.concat(found).rows(), key=str) if found else []


def require_alike(
    lines: list[str], block_bytes: int, profile: Profile = PROFILE, name: str = "list.csv", keys_in_fold: int = 3
) -> int:
    """Both ways agree; says in how many files the second left its rows. Each range of keys asks each part: with many
    of both, few ranges of more keys say the same."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        with (
            mock.patch.object(delimited.read, "__defaults__", (block_bytes,)),
            mock.patch.object(plain_list.read, "__defaults__", (block_bytes,)),
        ):
            whole: Outcome = read_delivery(order(Path(one), lines, profile, name), tables())
        expected = outcome_json(whole)
        found = read_in_parts(order(Path(other), lines, profile, name), block_bytes, keys_in_fold)
        if "whole" in found:
            return 0
        assert {**found, "files": [], "parts": {}} == {**expected, "files": [], "parts": {}}
        assert frames(Path(other), found).equals(frames(Path(one), expected))
        for kind in ("rejections", "tallies", "names", "conflicts"):
            assert part_of(Path(other), found, kind) == part_of(Path(one), expected, kind), kind
        for number, each in enumerate(found["files"]):
            assert each["path"] == f"7-{number}.parquet"
            assert each["digest"] == bulk.files.file_digest(Path(other) / each["path"])
        return len(found["files"])


@settings(max_examples=20, deadline=None)
@given(st.lists(ROW, min_size=8, max_size=60), st.integers(60, 400))
def test_parts_are_the_whole(lines: list[str], block_bytes: int) -> None:
    require_alike(lines, block_bytes)


def test_many_parts_with_repeats_across_all_of_them() -> None:
    assert require_alike(PLAIN_FILE, 700) > 0
    again = [*PLAIN_FILE, *reversed(PLAIN_FILE), *PLAIN_FILE]
    assert require_alike([*again, "192.0.2.55,ip,FR,1,Mirai,"], 700, keys_in_fold=40) >= 2


def test_a_header_and_a_guessed_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "READ_BYTES", 200)
    assert require_alike(["ip,type,country,count,malware,comment", *PLAIN_FILE], 900, Profile(), keys_in_fold=40) > 0


@pytest.mark.parametrize("lines", [
    ["198.51.100.1,ip,FR,1,Emotet,5\" of it", *PLAIN_FILE],
    PLAIN_FILE[:3],
    ["198.51.100.1,ip,FR,1,Emotet," + "x" * 5_000, *PLAIN_FILE],
])  # fmt: skip
def test_what_cannot_be_told_apart_is_read_whole(lines: list[str], tmp_path: Path) -> None:
    assert "whole" in bulk.cut(order(tmp_path, lines, PROFILE), {"block_bytes": 700}, tables())


LISTED = st.one_of(
    st.sampled_from(["198.51.100.1", "198.51.100.2", "192.0.2.7:443", "203.0.113.0/24", "evil.example", "AS64500"]),
    st.sampled_from(["198.51.100.9 # Emotet", "198.51.100.9\t12", "10.0.0.1", "# a remark", "", "  ", "abc.example;"]),
    st.integers(1, 40).map(lambda number: f"203.0.113.{number}"),
)  # fmt: skip
RECORD = st.fixed_dictionaries(
    {"ip": st.integers(1, 9).map(lambda number: f"198.51.100.{number}")},
    optional={
        "timestamp": st.sampled_from(["2026-11-20T10:00:00Z", "later"]),
        "malware": st.sampled_from(["Emotet", "Mirai"]),
        "country": st.sampled_from(["FR", "nowhere"]), "port": st.sampled_from([443, 70_000]),
    },
).map(json.dumps)  # fmt: skip
EVENT = st.builds(
    lambda number, type_: json.dumps(
        {"source.ip": f"198.51.100.{number}", "classification.type": type_, "feed.name": "x",
         "time.source": "2026-11-20T10:00:00+00:00"}
    ),
    st.integers(1, 9), st.sampled_from(["infected-system", "scanner"]),
)  # fmt: skip
BROKEN = st.sampled_from(['{"ip": "198.51.100.1"', "[1]", "not json", "", '{"ip": 7} {"ip": 8}'])


@settings(max_examples=12, deadline=None)
@given(st.lists(LISTED, min_size=8, max_size=60), st.integers(60, 300))
def test_parts_of_a_list_are_the_whole(lines: list[str], block_bytes: int) -> None:
    require_alike(["192.0.2.1", "192.0.2.2", *lines], block_bytes, Profile(), "list.txt")


@settings(max_examples=12, deadline=None)
@given(st.lists(st.one_of(RECORD, RECORD, RECORD, BROKEN), min_size=8, max_size=40), st.integers(120, 600))
def test_parts_of_a_record_a_line_are_the_whole(lines: list[str], block_bytes: int) -> None:
    first = '{"ip": "192.0.2.1", "timestamp": "2026-11-20T10:00:00Z", "malware": "Emotet"}'
    require_alike([first, first.replace("2.1", "2.2"), *lines], block_bytes, Profile(), "rows.jsonl")


@settings(max_examples=6, deadline=None)
@given(st.lists(EVENT, min_size=12, max_size=40), st.integers(200, 600))
def test_parts_of_a_known_format_are_the_whole(lines: list[str], block_bytes: int) -> None:
    require_alike(lines, block_bytes, Profile(), "events.jsonl")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("list.txt", [f"203.0.113.{number % 250}" for number in range(400)]),
        ("rows.jsonl", [json.dumps({"ip": f"203.0.113.{number % 250}", "port": number}) for number in range(400)]),
        ("marked.jsonl", [json.dumps({"ip": f"203.0.113.{number % 250}", "port": number, "tlp": "green"})
                          for number in range(400)]),
        ("events.jsonl", [json.dumps({"source.ip": f"203.0.113.{number % 250}", "classification.type": "scanner",
                                      "feed.name": "x", "time.source": "2026-11-20T10:00:00+00:00"})
                          for number in range(400)]),
    ],
)  # fmt: skip
def test_what_has_a_record_a_line_is_read_in_many_parts(name: str, lines: list[str]) -> None:
    assert require_alike(lines, 800, Profile(), name, keys_in_fold=40) > 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("one.json", json.dumps([{"ip": f"203.0.113.{number}"} for number in range(200)])),
        ("pretty.json", json.dumps([{"ip": f"203.0.113.{number}"} for number in range(200)], indent=1)),
        ("inside.json", json.dumps({"data": [{"ip": f"203.0.113.{number}"} for number in range(200)]}, indent=1)),
        ("row.json", " ".join(json.dumps({"ip": f"203.0.113.{number}"}) for number in range(200))),
        ("told.txt", "\n".join(["# Reference: https://x.example", *(f"203.0.113.{n}" for n in range(200))])),
    ],
)  # fmt: skip
def test_what_is_one_document_is_read_whole(name: str, text: str, tmp_path: Path) -> None:
    assert "whole" in bulk.cut(order(tmp_path, [text], Profile(), name), {"block_bytes": 300}, tables())


def test_another_machines_tables_are_refused(tmp_path: Path) -> None:
    told = order(tmp_path, PLAIN_FILE, PROFILE)
    whole = bulk.cut(told, {"block_bytes": 700}, tables())
    with pytest.raises(ValueError, match="address tables"):
        bulk.read(told, {"whole": {**whole, "tables": "2001-01-01"}, "item": whole["parts"][0]}, tables())
