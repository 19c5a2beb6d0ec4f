"""The lake's registry: housekeeping joins files under readers, and a decided country moves rows and every figure."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from django.conf import settings
from tests import builders
from tests.crew import work
from tests.faults.house import receive
from tests.faults.installation import facts

from tocsin.centre.analysis import lookups
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import lake, services, vault
from tocsin.centre.intake.lake_keys import all_keys
from tocsin.centre.intake.models import Batch, Delivery, LakeFile, NameTally, SealKey, Tally
from tocsin.centre.jobs.models import Job
from tocsin.core.errors import Conflict, Unavailable
from tocsin.core.observations import SCHEMA
from tocsin.core.words import Basis
from tocsin.credentials import content_keys
from tocsin.credentials.content_keys import KeyMissing
from tocsin.lake import files, index
from tocsin.lake.compaction import Joining, Recast, join
from tocsin.lake.files import move_into, write
from tocsin.reference.addresses import shipped
from tocsin.site import wiring

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of another test lies in the store."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(tmp_path)))


def table(*rows: tuple[str, str, str]) -> bytes:
    head = b"timestamp,ip,port,malware,country\n"
    lines = [f"2026-11-0{n}T10:00:00Z,{ip},443,{name},{country}" for n, (ip, name, country) in enumerate(rows, 1)]
    return head + "\n".join(lines).encode() + b"\n"


def test_a_round_joins_files_and_changes_no_fact() -> None:
    for number in range(4):
        receive(table((f"8.8.8.{number}", "Emotet", "US"), (f"9.9.9.{number}", "QakBot", "US")), f"{number}.csv")
    work()
    before = facts()
    old = [services.store_folder() / path for path in LakeFile.objects.values_list("path", flat=True)]
    assert len(old) == 4
    wiring.tick(datetime.now(UTC))
    wiring.tick(datetime.now(UTC))
    assert Job.objects.filter(kind=lake.HOUSEKEEPING).count() == 1
    work()
    after = facts()
    assert LakeFile.objects.filter(retired_at=None).count() == 1
    same = ("rows", "rows digest", "batches", "tallies", "names", "left in work")
    assert [after[each] for each in same] == [before[each] for each in same]
    assert after["files as registered"] == [True]
    assert all(path.exists() for path in old)  # A reader may hold them still.
    assert json.loads(Entry.objects.get(action="lake.compacted").detail) == {"joined": 4, "swept": 0}
    joined = json.loads(Entry.objects.get(action="lake.joined").detail)
    assert [services.store_folder() / path for path in joined["from"]] == sorted(
        old, key=lambda path: int(path.name.split("-")[0])
    )
    assert joined["to"] == LakeFile.objects.get(retired_at=None).path
    assert lake.sweep(datetime.now(UTC) + lake.KEPT_AFTER + timedelta(seconds=1)) == 4
    assert not any(path.exists() for path in old)
    assert lake.verify() == []


def test_a_round_makes_indexes_of_another_version_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    receive(table(("8.8.8.8", "Emotet", "US")), "old.csv")
    work()
    path = services.store_folder() / LakeFile.objects.get().path
    with monkeypatch.context() as older:
        older.setattr(index, "VERSION", b"0 of long ago")
        files.index_anew(path, all_keys())
    assert index.opened(path, all_keys()) is None
    assert lake.reindex() == 1
    assert index.opened(path, all_keys()) is not None
    assert lake.reindex() == 0
    path.unlink()
    index.index_path(path).unlink()
    assert lake.reindex() == 0, "what is lost is for the verification to tell"


def test_rounds_recur_by_the_clock() -> None:
    wiring.tick(builders.NOW)
    Job.objects.update(state=Job.State.DONE, finished_at=builders.NOW)
    wiring.tick(builders.NOW + lake.ROUND_EVERY / 2)
    assert Job.objects.filter(kind=lake.HOUSEKEEPING).count() == 1
    wiring.tick(builders.NOW + lake.ROUND_EVERY + timedelta(minutes=1))  # Time goes on from the first round.
    assert Job.objects.filter(kind=lake.HOUSEKEEPING).count() == 2


def figures() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    kinds: Counter[str] = Counter()
    for country, rows in Tally.objects.values_list("country", "rows"):
        kinds[country] += rows
    names: Counter[tuple[str, str]] = Counter()
    for country, malware, rows in NameTally.objects.values_list("country", "malware", "rows"):
        names[country, malware] += rows
    return kinds, names


def unsettled_address() -> str:
    """One that the network registry and the geolocation table put into different countries."""
    numbers = np.arange(5 << 24, 90 << 24, 4096, dtype=np.uint32)
    found = shipped().lookup_v4(numbers)
    differ = (found.registry_country != found.geo_country) & (found.registry_country > 0) & (found.geo_country > 0)
    return str(ip_address(int(numbers[differ][0]) + 1))


def test_a_decided_country_moves_rows_tallies_and_names() -> None:
    address = unsettled_address()
    receive(table((address, "Emotet", ""), (address, "QakBot", ""), ("8.8.4.4", "Emotet", "US")))
    work()
    assert Delivery.objects.get().state == Delivery.State.PARSED
    rows = builders.rows_in(services.store_folder() / LakeFile.objects.get().path)
    unsettled = rows.filter(pl.col("country_basis") == Basis.CONFLICT.value)
    assert unsettled["value"].to_list() == [address, address]
    kinds, names = figures()
    assert kinds == {"": 2, "US": 1}
    assert sorted(country for country, _ in names) == ["", "", "US"]
    change = Recast(unsettled["batch"][0], unsettled["network"][0], is_network=True, country="FR")
    at = datetime.now(UTC)
    assert lake.recast(change, at, subject="conflict:1") == 2
    assert Batch.objects.get(pk=change.batch).recast_at is not None  # Figures that were kept hold no longer.
    kinds, names = figures()
    assert kinds == {"FR": 2, "US": 1}
    assert set(names.values()) == {1}
    assert sorted(country for country, _ in names) == ["FR", "FR", "US"]
    assert lake.recast(change, datetime.now(UTC), subject="conflict:1") == 0  # Said twice, done once.
    assert figures() == (kinds, names)


def test_what_a_long_reading_leaves_is_not_swept_before_it_is_registered(tmp_path: Path) -> None:
    written = write(pl.DataFrame(schema=SCHEMA), tmp_path / "rows.parquet")
    long_ago = (datetime.now(UTC) - 3 * lake.KEPT_AFTER).timestamp()
    os.utime(written.path, (long_ago, long_ago))
    move_into(written, services.store_folder(), "observations/day=2026-11-20/7-0.parquet")
    lake.sweep(datetime.now(UTC))
    assert (services.store_folder() / "observations/day=2026-11-20/7-0.parquet").exists()
    assert lake.sweep(datetime.now(UTC) + lake.KEPT_AFTER + timedelta(seconds=5)) == 1


def test_what_killed_processes_left_goes_after_a_day() -> None:
    store = services.store_folder()
    left = [store / "incoming" / "0123abcd", store / "incoming" / "feed-x" / "fetched", store / "work" / "lake-1.index",
            store / "observations" / "day=2026-11-20" / "7-0.index-12-34"]  # fmt: skip
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    (store / "incoming" / "gone").symlink_to(store / "nowhere")  # Renamed between the list and the look.
    lake.sweep(datetime.now(UTC))
    assert all(path.exists() for path in left), "somebody may still be writing"
    lake.sweep(datetime.now(UTC) + timedelta(days=1, seconds=5))
    assert not any(path.exists() for path in left)
    assert not (store / "incoming" / "feed-x").exists()


def test_two_hands_that_join_the_same_files_write_over_nothing_of_each_other() -> None:
    for number in range(3):
        receive(table((f"8.8.8.{number}", "Emotet", "US")), f"{number}.csv")
    work()
    at = datetime.now(UTC)
    slow = list(LakeFile.objects.filter(retired_at=None).order_by("pk"))
    middle = slow[1]
    middle.retired_at = at  # A decided country replaced it, after the slow hand had looked.
    middle.save()
    assert lake.compact(at) == 2
    store = services.store_folder()
    written = join(Joining(tuple(store / each.path for each in slow), store / "work", lake.PREFIX), all_keys())
    with pytest.raises(Conflict):
        lake._take_joined(slow, written, at)
    assert lake.verify() == []


def test_a_cluster_that_does_not_answer_holds_up_no_sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        receive(table((f"8.8.8.{number}", "Emotet", "US")), f"{number}.csv")
    work()
    at = datetime.now(UTC)
    LakeFile.objects.filter(pk=LakeFile.objects.first().pk).update(retired_at=at - timedelta(days=2))  # type: ignore[union-attr]

    def silent(*_: object) -> int:
        raise Unavailable("the engine of the lake: nobody answers")

    with monkeypatch.context() as patch:
        patch.setattr(lake, "compact", silent)
        lake.tick(at)
        work()
    assert LakeFile.objects.count() == 1, "what was replaced long ago is gone all the same"
    assert not Job.objects.filter(kind=lake.HOUSEKEEPING).exclude(state=Job.State.DONE).exists()


def test_each_file_with_a_decided_country_has_its_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    address = unsettled_address()
    receive(table((address, "Emotet", ""), (address, "QakBot", "")))
    work()
    file = LakeFile.objects.get()
    rows = builders.rows_in(services.store_folder() / file.path)
    change = Recast(rows["batch"][0], rows["network"][0], is_network=True, country="FR")
    with monkeypatch.context() as patch:
        patch.setattr(lake, "record", _no_log)
        with pytest.raises(OSError, match="log"):
            lake.recast(change, datetime.now(UTC), subject="conflict:7")
    assert figures()[0] == {"": 2}, "what the log does not hold was not done"
    assert lake.recast(change, datetime.now(UTC), subject="conflict:7") == 2
    entry = Entry.objects.get(action="country.recast")
    new = LakeFile.objects.get(retired_at=None).path
    assert (entry.subject, json.loads(entry.detail)) == ("conflict:7", {"rows": 2, "from": file.path, "to": new})


def _no_log(*_: object, **__: object) -> None:
    raise OSError("the log cannot be written")


def plain_files(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Deliveries of before there were seals."""
    with monkeypatch.context() as before:
        before.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, seal_observations=False))
        for address in addresses:
            receive(table((address, "Emotet", "US")), f"{address}.csv")
        work()
        assert lake.seal_plain(datetime.now(UTC)) == 0, "whoever has them in the clear wants them so"
    assert lake.in_the_clear().count() == len(addresses)


def test_files_of_before_are_sealed_and_a_kill_in_the_middle_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain_files(monkeypatch, "8.8.8.1", "8.8.8.2")
    before = facts()
    old = [services.store_folder() / path for path in LakeFile.objects.values_list("path", flat=True)]
    with monkeypatch.context() as killed:
        honest, times = lake.swap, iter([1])

        def swap(*said: Any, **named: Any) -> None:
            if next(times, None) is None:
                raise KeyboardInterrupt  # Written and moved, not registered.
            honest(*said, **named)

        killed.setattr(lake, "swap", swap)
        with pytest.raises(KeyboardInterrupt):
            lake.seal_plain(datetime.now(UTC))
    assert lake.in_the_clear().count() == 1
    assert facts()["rows digest"] == before["rows digest"], "sealed and open files are read side by side"
    assert lake.seal_plain(datetime.now(UTC)) == 1
    assert lake.seal_plain(datetime.now(UTC)) == 0
    after = facts()
    same = ("rows", "rows digest", "batches", "tallies", "names", "left in work")
    assert [after[each] for each in same] == [before[each] for each in same]
    assert Entry.objects.filter(action="lake.sealed").count() == 2
    assert all(path.exists() for path in old)  # A reader may hold them still.
    assert lake.sweep(datetime.now(UTC) + lake.KEPT_AFTER + timedelta(seconds=1)) == 3
    live = sorted(LakeFile.objects.values_list("path", flat=True))
    left = (services.store_folder() / "observations").rglob("*.parquet")
    assert sorted(str(path.relative_to(services.store_folder())) for path in left) == live
    assert lake.verify() == []


def test_a_round_seals_what_it_finds_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    plain_files(monkeypatch, "8.8.8.1")
    wiring.tick(datetime.now(UTC))
    work()
    assert lake.in_the_clear().count() == 0
    assert LakeFile.objects.get(retired_at=None).sealed_by == SealKey.objects.get(about="lake").number


def test_without_the_key_no_question_is_answered_by_a_part_and_giving_up_goes_on_with_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    receive(table(("8.8.8.1", "Emotet", "US")), "1.csv")
    work()
    file = LakeFile.objects.get()
    (tmp_path / "keys" / content_keys.FILE).unlink()
    vault._remembered.clear()  # As in a process that starts.
    for ask in (lookups.snapshot, all_keys):
        with pytest.raises(KeyMissing, match="restore it from the backup"):
            ask()
    assert "content-keys is missing" in vault.fault()
    vault.give_up(datetime.now(UTC))
    assert lookups.snapshot().files == ()
    receive(table(("8.8.8.2", "Emotet", "US")), "2.csv")
    work()
    assert [path.name.split("-")[0] for path in lookups.snapshot().files] == [str(Delivery.objects.latest("pk").pk)]
    lake.sweep(datetime.now(UTC) + lake.KEPT_AFTER + timedelta(seconds=5))
    assert (tmp_path / "store" / file.path).exists(), "a copy of the database from before may open it"
