"""Deliveries read together come out as if each had been read alone: rows, objects, sums, refusals, and what is said."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.centre.intake import together
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY, Order, outcome_json, parts_of, read_delivery
from tocsin.core.profiles import Profile
from tocsin.lake.objects import bodies_in
from tocsin.reference.addresses import AddressTables, shipped

RECEIVED = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHARED = ("things", "blocks", "mentions", "tallies", "names", "conflicts")
AT = "2026-05-01T00:00:00.000Z"
GREEN, RED = (
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
)
PATTERNS = (
    "[ipv4-addr:value = '192.0.2.7']", "[ipv4-addr:value = '8.8.8.8'] OR [domain-name:value = 'h.example']",
    "[url:value = 'http://h.example/a.php']", "[ipv4-addr:value = '8.8.8.8']", "[ipv4-addr:value = '10.0.0.1']",
    "[file:hashes.'SHA-256' = '" + "ab" * 32 + "']", "[ipv4-addr:value = '999.0.2.7']", "[no pattern",
    "[domain-name:value = 'h.example' AND network-traffic:dst_port = 80] WITHIN 5 SECONDS",
)  # fmt: skip


@cache
def tables() -> AddressTables:
    return shipped()


def _named(kind: str, number: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{number:012d}"


def _indicator(number: int, pattern: str, more: dict[str, Any]) -> dict[str, Any]:
    own = {"name": "family-1", "pattern": pattern, "pattern_type": "stix", "valid_from": AT}
    return _object("indicator", number) | own | more


def _object(kind: str, number: int) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": _named(kind, number), "created": AT, "modified": AT}


THREE_TIMES = json.dumps({"objects": [_indicator(1, PATTERNS[0], {}) for _ in range(3)]}).encode()
numbers = st.integers(1, 6)
more = st.fixed_dictionaries(
    {},
    optional={
        "object_marking_refs": st.sampled_from([[GREEN], [RED]]),
        "valid_from": st.sampled_from([AT, "2027-01-01T00:00:00Z", "2026-11-23T06:00:00Z", "1970-01-01T00:00:00Z"]),
        "confidence": st.sampled_from([0, 70, 101]), "labels": st.sampled_from([["mirai"], ["botnet", "tlp:amber"]]),
        "indicator_types": st.sampled_from([["malicious-activity"], ["compromised"]]),
        "description": st.sampled_from(["Plain words.", "Spreading false information", "caf\u00e9", "zero \x00 here"]),
        "spec_version": st.sampled_from(["2.1", "3.0"]),
    },
)  # fmt: skip
bodies = st.one_of(
    st.builds(_indicator, numbers, st.sampled_from(PATTERNS), more),
    numbers.map(lambda n: _object("malware", n) | {"name": "mirai", "is_family": True}),
    numbers.map(
        lambda n: {"type": "ipv4-addr", "spec_version": "2.1", "id": _named("ipv4-addr", n), "value": "8.8.4.4"}
    ),
    numbers.map(
        lambda n: (
            _object("relationship", n)
            | {
                "relationship_type": "indicates",
                "source_ref": _named("indicator", n),
                "target_ref": _named("malware", 1),
            }
        )
    ),
    numbers.map(lambda n: _object("threat-actor", n) | {"name": "A bear", "aliases": ["b", "c"]}),
    st.sampled_from([{"type": "indicator"}, {"id": 7}, {"type": "sector"}, [], 7]),
)
envelopes = st.one_of(
    st.lists(bodies, max_size=8).map(lambda some: json.dumps({"objects": some}).encode()),
    st.sampled_from([b'{"objects":[{"type":"indicator","id', b"a,b\n1,2\n", b'{"objects":[]}']),
)


def _orders(contents: Sequence[bytes], folder: Path, profiles: Sequence[Profile]) -> list[Order]:
    made = []
    for number, content in enumerate(contents, start=3):
        work = folder / f"{number}"
        work.mkdir(parents=True)
        (work / "original").write_bytes(content)
        at = RECEIVED + timedelta(hours=number)
        made.append(Order(number, work / "original", "envelope.json", at, profiles[number % len(profiles)], work))
    return made


def _sorted(frame: pl.DataFrame) -> list[Any]:
    return sorted(frame.rows(), key=repr)


def _rows(outcome: dict[str, Any], work: Path) -> pl.DataFrame | None:
    frames = [pl.read_parquet(work / each["path"]) for each in outcome["files"]]
    return pl.concat(frames).drop("batch").with_columns(batch=pl.concat(frames)["batch"]) if frames else None


def _of(delivery: int, column: str = "batch") -> pl.Expr:
    return pl.col(column) // BATCHES_IN_DELIVERY == delivery


def _objects(outcome: dict[str, Any], work: Path, delivery: int) -> list[Any]:
    """Row, body and keys of each object of a delivery, in its order."""
    found: list[Any] = []
    for things, blocks, mentions in zip(
        *(parts_of(outcome, kind, work) for kind in ("things", "blocks", "mentions")), strict=True
    ):
        places = things.with_row_index().filter(_of(delivery))["index"].to_list()
        kept: dict[int, Any] = {}
        for first, body in blocks.iter_rows():
            kept |= dict(enumerate(bodies_in(body), start=first))
        keys = mentions.group_by("thing").agg(pl.col("key").sort()).rows()
        by_thing = dict(keys)
        found += [(things.row(place), kept[place], by_thing.get(place)) for place in places]
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(envelopes, min_size=1, max_size=5),
    st.sampled_from([(Profile(),), (Profile(), Profile(day_first=True)), (Profile(defaults={"role": "VICTIM"}),)]),
)
@example([THREE_TIMES, THREE_TIMES], (Profile(),))
def test_what_is_read_together_is_what_is_read_alone(contents: list[bytes], profiles: tuple[Profile, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        orders = _orders(contents, Path(folder) / "together", profiles)
        told = together.read_together(orders, tables())
        joint, work = told["joint"], orders[0].work
        rows = _rows(joint, work)
        read = set()
        for order, member in zip(_orders(contents, Path(folder) / "alone", profiles), told["members"], strict=True):
            alone = outcome_json(read_delivery(order, tables()))
            if member is None:
                continue
            read.add(order.delivery)
            said = {name: value for name, value in member.items() if name not in {"roles", "kinds", "files", "parts"}}
            assert said == {name: value for name, value in alone.items() if name in said}
            mine = _rows(alone, order.work)
            assert (mine is None) == (not member["rows"])
            if mine is not None:
                assert rows is not None
                assert rows.filter(_of(order.delivery)).equals(mine)
            assert _objects(joint, work, order.delivery) == _objects(alone, order.work, order.delivery)
            for kind in ("tallies", "names", "conflicts"):
                ours = [
                    row for part in parts_of(joint, kind, work) for row in _sorted(part.filter(_of(order.delivery)))
                ]
                assert ours == [row for part in parts_of(alone, kind, order.work) for row in _sorted(part)]
            its = orders[order.delivery - 3].work
            refused = [row for part in parts_of(member, "rejections", its) for row in _sorted(part)]
            assert refused == [row for part in parts_of(alone, "rejections", order.work) for row in _sorted(part)]
            assert set(member["parts"]) <= {"rejections"}
            assert set(member["roles"]) == (set() if mine is None else set(mine["role"]))
            assert set(member["kinds"]) == {row[0][1] for row in _objects(alone, order.work, order.delivery)}
        assert set(joint["parts"]) <= set(SHARED)
        assert rows is None or set(rows["batch"] // BATCHES_IN_DELIVERY) <= read, "what is left alone leaves nothing"
        assert [made["number"] // BATCHES_IN_DELIVERY in read for made in joint["batches"]] == [True] * len(
            joint["batches"]
        )


def test_plain_ones_are_gathered_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is odd about one of them, or found in it, leaves the others where they are; and all come out alike."""
    many = [_indicator(n, PATTERNS[n % 4], {"labels": ["mirai"]}) for n in range(70)]
    seen = [{"type": "ipv4-addr", "spec_version": "2.1", "id": _named("ipv4-addr", n), "value": f"8.8.4.{n}"}
            for n in range(1, 9)]  # fmt: skip
    odd = [_indicator(1, PATTERNS[0], {}), {"type": "indicator"}, _indicator(2, PATTERNS[7], {})]
    told = [_object("malware", 1) | {"name": "mirai", "is_family": True},
            _object("relationship", 2) | {"relationship_type": "indicates", "source_ref": _named("indicator", 1),
                                          "target_ref": _named("malware", 1)},
            _indicator(1, PATTERNS[0], {})]  # fmt: skip
    found = [_indicator(3, PATTERNS[0], {"description": "Spreading false information"})]
    contents = [json.dumps({"objects": each}).encode() for each in (many, odd, seen + many[:3], told, seen[::-1])]
    gathered: list[int] = []
    gather = together.Member.gather

    def noted(member: together.Member) -> None:
        gathered.append(member.order.delivery)
        gather(member)

    monkeypatch.setattr(together.Member, "gather", noted)
    test_what_is_read_together_is_what_is_read_alone.hypothesis.inner_test(contents, (Profile(),))
    assert sorted(gathered) == [6]
    gathered.clear()
    test_what_is_read_together_is_what_is_read_alone.hypothesis.inner_test(
        [*contents, json.dumps({"objects": found}).encode()], (Profile(),)
    )
    assert sorted(gathered) == [6]


def test_a_fault_of_the_common_reading_leaves_each_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    contents = [json.dumps({"objects": [_indicator(n, PATTERNS[0], {})]}).encode() for n in (1, 2)]
    monkeypatch.setattr(together.stix2, "read_several", failing)
    test_what_is_read_together_is_what_is_read_alone.hypothesis.inner_test(contents, (Profile(),))


def test_what_is_odd_is_left_to_be_read_alone() -> None:
    plain = json.dumps({"objects": [_indicator(1, PATTERNS[1], {})]}).encode()
    held = json.dumps(
        {"objects": [_indicator(1, PATTERNS[1], {"description": "Spreading false information"})]}
    ).encode()
    under_two = [_indicator(1, PATTERNS[1], {}), _indicator(2, PATTERNS[1], {"object_marking_refs": [RED]})]
    contents = [
        plain, held, b'{"objects":[{"type', b"a,b\n1,2\n", json.dumps({"objects": under_two}).encode(),
        json.dumps({"objects": [_object("campaign", 1) | {"name": "x"}, 7]}).encode(),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        told = together.read_together(_orders(contents, Path(folder), (Profile(),)), tables())
    assert [member is not None for member in told["members"]] == [True, False, False, False, False, True]
    assert told["members"][5]["rejections"] == 1
