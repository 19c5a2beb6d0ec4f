"""What the portal acknowledged is there once, whatever was killed meanwhile; and the checker finds what is not."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.faults.history import DOORS, LEAST_BLOWS, LEAST_WRITES, House, Write, faults_of, play

SECONDS = float(os.environ.get("TOCSIN_HISTORY_SECONDS", "12"))
SEED = int(os.environ.get("TOCSIN_HISTORY_SEED", "4"))
CONTENT = b"domain\na.example\n"
KEPT = Write("partner-0", "api", "1", CONTENT, 1, {"r1"}, is_called_urgent=True)
LOST = Write("partner-0", "api", "2", b"domain\nb.example\n", 1)
FIRST = {
    "receipt": "r1", "source": "partner-0", "sha256": KEPT.sha256, "state": "parsed", "rows": 1, "in_lake": 1,
    "first": "", "is_kept": True, "is_urgent": True,
    "acts": ["delivery.called-urgent", "delivery.parsed", "delivery.received"],
}  # fmt: skip
AGAIN = {**FIRST, "receipt": "r2", "state": "duplicate", "first": "r1", "acts": ["delivery.duplicate"]}
GOOD: dict[str, Any] = {"deliveries": [FIRST, AGAIN], "jobs": [], "left in work": []}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """Of its own: processes do not see what a test has not committed. Empty: SQLite."""
    server = os.environ.get("TOCSIN_TEST_DATABASE", "")
    if not server:
        yield ""
        return
    name = f"history_{os.getpid()}"
    parts = urlsplit(server)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield parts._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.slow
@pytest.mark.django_db
def test_every_acknowledged_write_is_there_once(database: str, tmp_path: Path) -> None:
    """Doors, workers and the whole are killed, or told to stop, while clients hand over and try again."""
    house = House(tmp_path / "home", database)
    try:
        history, told, blows = play(house, SECONDS, SEED)
    finally:
        if house.process is not None:
            house.kill()
    assert faults_of(history, told) == []
    assert sum(blows.values()) >= LEAST_BLOWS
    acknowledged = [each for each in history if each.receipts]
    assert {each.door for each in acknowledged} == set(DOORS)
    assert len(acknowledged) >= LEAST_WRITES


def test_the_checker_finds_nothing_where_all_is_kept() -> None:
    assert faults_of([KEPT, LOST], GOOD) == []


def _without_row(told: dict[str, Any]) -> None:
    del told["deliveries"][0]


def _twice(told: dict[str, Any]) -> None:
    told["deliveries"].append({**FIRST, "receipt": "r3"})


def _unread(told: dict[str, Any]) -> None:
    told["deliveries"][0] |= {"state": "received"}


def _no_bytes(told: dict[str, Any]) -> None:
    told["deliveries"][0] |= {"is_kept": False}


def _rows_twice(told: dict[str, Any]) -> None:
    told["deliveries"][0] |= {"in_lake": 2}


def _act_lost(told: dict[str, Any]) -> None:
    told["deliveries"][0]["acts"].remove("delivery.received")


def _act_twice(told: dict[str, Any]) -> None:
    told["deliveries"][0]["acts"].append("delivery.parsed")


def _not_urgent(told: dict[str, Any]) -> None:
    told["deliveries"][0]["acts"].remove("delivery.called-urgent")
    told["deliveries"][0]["is_urgent"] = False


def _of_another(told: dict[str, Any]) -> None:
    told["deliveries"][0] |= {"source": "partner-1"}


def _never_sent(told: dict[str, Any]) -> None:
    told["deliveries"].append({**FIRST, "receipt": "r3", "sha256": "0" * 64})


def _duplicate_of_nothing(told: dict[str, Any]) -> None:
    told["deliveries"][1]["first"] = "r9"


def _job_left(told: dict[str, Any]) -> None:
    told["jobs"].append(["delivery:1", "failed", "-"])


BREAKS = (
    _without_row, _twice, _unread, _no_bytes, _rows_twice, _act_lost, _act_twice, _not_urgent, _of_another, _never_sent,
    _duplicate_of_nothing, _job_left,
)  # fmt: skip


@pytest.mark.parametrize("spoil", BREAKS)
def test_the_checker_finds_what_is_not_kept(spoil: Callable[[dict[str, Any]], None]) -> None:
    told = copy.deepcopy(GOOD)
    spoil(told)
    assert faults_of([KEPT, LOST], told)


def test_the_checker_finds_two_receipts_of_one_key() -> None:
    assert faults_of([Write("partner-0", "api", "1", CONTENT, 1, {"r1", "r2"})], GOOD)
