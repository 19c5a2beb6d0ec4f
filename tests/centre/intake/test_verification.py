"""Real damage to the store is found, told and mended; what is sound is left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from tests import builders, people
from tests.centre.intake.test_lake import unsettled_address
from tests.crew import handlers, work
from tests.faults import house
from tests.faults.house import receive
from tests.generated_lake import rows as generated

from tocsin.centre.analysis import lookups
from tocsin.centre.analysis.models import CountryConflict
from tocsin.centre.analysis.services import recasts_of
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import lake, parting, rebuilding, services, verification
from tocsin.centre.intake.lake_keys import all_keys
from tocsin.centre.intake.lake_state import state
from tocsin.centre.intake.models import Batch, Delivery, LakeFile, SealKey, StoreFault
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.intake.verification import Extent, Fault, Found, verify
from tocsin.centre.jobs.models import Job
from tocsin.cli.lake import lake as command
from tocsin.handling import Viewer
from tocsin.lake import files, index, parquet
from tocsin.lake.compaction import Recast
from tocsin.lake.keys import Keys, Writer
from tocsin.site import wiring

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
VIEWER = Viewer(organisation="centre", class_name="law-enforcement", is_centre=True, is_victim_desk=True)


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of another test lies in the store."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(tmp_path)))
    return tmp_path


@pytest.fixture
def held(own_store: Path) -> list[Delivery]:
    """Three deliveries, read: two of rows and a report, with a file for each of the first two."""
    found = [receive(house.table(700, seed=1), "a.csv"), receive(house.table(400, seed=2), "b.csv"),
             receive(house.bundle(30), "c.json")]  # fmt: skip
    work()
    assert Delivery.objects.filter(state="parsed").count() == 3
    return found


def file_of(delivery: Delivery) -> LakeFile:
    return LakeFile.objects.get(
        retired_at=None, first_batch__gte=delivery.pk * 1000, last_batch__lt=(delivery.pk + 1) * 1000
    )


def path_of(file: LakeFile) -> Path:
    return services.store_folder() / file.path


def original_of(delivery: Delivery) -> Path:
    return delivery_path(services.store_folder(), delivery.sha256)


def all_rows() -> pl.DataFrame:
    frames = [builders.rows_in(path_of(each)) for each in LakeFile.objects.filter(retired_at=None)]
    return pl.concat(frames).sort("batch", "position", "value", "role")


def flip(path: Path, at: float = 0.5) -> None:
    body = bytearray(path.read_bytes())
    body[int(len(body) * at)] ^= 1
    path.write_bytes(bytes(body))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_what_is_sound_is_told_so_and_the_run_is_an_act(held: list[Delivery]) -> None:
    verdict = verify(Extent(), NOW)
    assert (verdict.files, verdict.originals, verdict.found) == (LakeFile.objects.count(), 3, [])
    facts = json.loads(Entry.objects.get(action="lake.verified").detail)
    assert (facts["whole"], facts["faults"], facts["files"]) == (True, 0, verdict.files)
    assert set(LakeFile.objects.values_list("verified_at", flat=True)) == {NOW}
    assert set(Delivery.objects.values_list("verified_at", flat=True)) == {NOW}


@pytest.mark.parametrize(
    ("damage", "fault"), [(flip, Fault.CHANGED), (cut, Fault.CHANGED), (Path.unlink, Fault.MISSING)]
)
def test_a_damaged_file_is_found_and_made_again_from_its_delivery(
    held: list[Delivery], damage: Callable[[Path], None], fault: Fault
) -> None:
    before, file = all_rows(), file_of(held[0])
    damage(path_of(file))
    (found,) = verify(Extent(), NOW).found
    assert found == Found("observations", file.path, fault)
    assert [each.fault for each in StoreFault.objects.all()] == [fault.value]
    done = rebuilding.mend(NOW, recasts_of)
    assert (done.paths, done.rows, done.hindered) == ([file.path], file.rows, [])
    assert all_rows().equals(before)
    assert not StoreFault.objects.exists()
    assert verify(Extent(), NOW).found == []
    assert json.loads(Entry.objects.get(action="lake.mended").detail)["rows"] == file.rows


def test_a_damaged_joined_file_is_made_again_from_all_its_deliveries(held: list[Delivery]) -> None:
    lake.compact(NOW)
    before = all_rows()
    (file,) = LakeFile.objects.filter(retired_at=None)
    flip(path_of(file), 0.3)
    assert [each.fault for each in verify(Extent(), NOW).found] == [Fault.CHANGED]
    assert rebuilding.mend(NOW, recasts_of).hindered == []
    assert all_rows().equals(before)
    assert verify(Extent(), NOW).found == []


def test_rows_that_lie_in_a_sound_file_as_well_are_not_doubled(held: list[Delivery]) -> None:
    before, file = all_rows(), file_of(held[0])
    rows = builders.rows_in(path_of(file))
    lake.put_anew(file, rows.head(300), NOW)
    other = file_of(held[0])
    lake.put_anew(file_of(held[1]), pl.concat([builders.rows_in(path_of(file_of(held[1]))), rows.tail(-300)]), NOW)
    assert all_rows().equals(before)
    cut(path_of(other))
    verify(Extent(), NOW)
    assert rebuilding.mend(NOW, recasts_of).rows == 300
    assert all_rows().equals(before)


def test_what_reads_differently_today_is_not_put_in_place(
    held: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of(held[0])
    path_of(file).unlink()
    verify(Extent(), NOW)
    Batch.objects.filter(delivery=held[0]).order_by("pk")[0].tallies.order_by("pk")[:1].get().delete()
    done = rebuilding.mend(NOW, recasts_of)
    ((path, why),) = done.hindered
    assert path == file.path
    assert "reads differently today" in why
    assert LakeFile.objects.get(path=file.path).retired_at is None
    assert StoreFault.objects.get().fault == Fault.MISSING.value
    assert not list(services.store_folder().glob("observations/*/mended-*"))


def test_without_its_original_a_file_is_not_made_again_and_both_are_told(held: list[Delivery]) -> None:
    path_of(file_of(held[0])).unlink()
    original_of(held[0]).unlink()
    found = {(each.kind, each.fault) for each in verify(Extent(), NOW).found}
    assert found == {("observations", Fault.MISSING), ("original", Fault.MISSING)}
    assert "missing or damaged as well" in rebuilding.mend(NOW, recasts_of).hindered[0][1]


@pytest.mark.parametrize("name", [".index", ".facts"])
@pytest.mark.parametrize("damage", [flip, cut, Path.unlink])
def test_an_index_that_does_not_belong_is_made_anew_and_look_ups_find_all(
    held: list[Delivery], name: str, damage: Callable[[Path], None]
) -> None:
    file = file_of(held[0])
    value = builders.rows_in(path_of(file))["value"][0]
    damage(index.index_path(path_of(file)).with_suffix(name))
    (found,) = verify(Extent(), NOW).found
    assert found == Found("index", file.path, Fault.INDEX, is_mended=True)
    again = file_of(held[0])
    assert again.path != file.path  # Whoever has the old index mapped goes over to the new one.
    assert index.is_of(builders.rows_in(path_of(again)), path_of(again), all_keys())
    assert verify(Extent(), NOW).found == []
    assert value in set(all_rows()["value"])
    assert len(lookups.answer(value, VIEWER).found.rows) > 0


@pytest.mark.parametrize("seal", [None, Keys(((1, bytes(range(32))),)).writer()], ids=["plain", "sealed"])
def test_an_index_is_compared_by_what_it_says(tmp_path: Path, seal: Writer | None) -> None:
    """A text that was taken out of a column may lie covered in its place: that is no fault of the file."""
    frame = generated(3_000, ["FR", "JO"], seed=5, batches=4)
    hidden = frame.with_columns(pl.when(pl.col("role") == "VICTIM").then("peer").alias("peer"))
    path = tmp_path / "rows.parquet"
    files.write(hidden, path, seal)
    keys = Keys(((1, bytes(range(32))),))
    rows = parquet.read(path, keys)
    assert index.is_of(rows, path, keys)
    changes = {"value": pl.col("value") + "x", "peer": pl.lit("203.0.113.9"), "count": pl.col("count") + 1,
               "last_at": pl.col("last_at") + timedelta(hours=1)}  # fmt: skip
    for name, change in changes.items():
        other = rows.with_columns(pl.when(pl.int_range(pl.len()) == 7).then(change).otherwise(name).alias(name))
        assert not index.is_of(other, path, keys), name


def test_another_files_index_is_noticed(held: list[Delivery]) -> None:
    one, other = index.index_path(path_of(file_of(held[0]))), index.index_path(path_of(file_of(held[1])))
    for suffix in (".index", ".facts"):
        one.with_suffix(suffix).write_bytes(other.with_suffix(suffix).read_bytes())
    assert [each.fault for each in verify(Extent(), NOW).found] == [Fault.INDEX]


def test_a_file_of_another_installation_is_told(held: list[Delivery]) -> None:
    file, other = file_of(held[0]), file_of(held[1])
    path_of(file).write_bytes(path_of(other).read_bytes())
    assert [each.fault for each in verify(Extent(), NOW).found] == [Fault.CHANGED]
    SealKey.objects.filter(number=other.sealed_by).delete()
    LakeFile.objects.filter(pk=other.pk).update(sealed_by=None)
    faults = {each.path: each.fault for each in verify(Extent(with_indexes=False), NOW).found}
    assert faults[other.path] is Fault.UNOPENABLE


@pytest.mark.parametrize("damage", [flip, cut])
def test_a_damaged_original_steps_aside_and_the_same_bytes_heal_it(
    held: list[Delivery], damage: Callable[[Path], None]
) -> None:
    damage(original_of(held[1]))
    (found,) = verify(Extent(), NOW).found
    assert (found.kind, found.fault, found.receipt) == ("original", Fault.CHANGED, held[1].receipt)
    assert rebuilding.mend(NOW, recasts_of).set_aside == [found.path]
    assert len(list((services.store_folder() / "damaged").iterdir())) == 1
    assert [each.fault for each in verify(Extent(), NOW).found] == [Fault.MISSING]
    assert receive(house.table(400, seed=2), "b.csv").state == Delivery.State.DUPLICATE
    assert verify(Extent(), NOW).found == []
    assert not StoreFault.objects.exists()


def test_files_that_nobody_knows_and_rows_counted_twice_are_told(held: list[Delivery], own_store: Path) -> None:
    file = file_of(held[0])
    stray, unknown = path_of(file).with_name("stray.parquet"), own_store / "deliveries" / "ab" / ("ab" + "0" * 62)
    unknown.parent.mkdir(parents=True, exist_ok=True)
    for path in (stray, unknown):
        path.write_bytes(b"nobody's")
    assert verify(Extent(), NOW).found == []  # Somebody may be writing them just now.
    for path in (stray, unknown):
        os.utime(path, (0, 0))
    assert {(each.kind, each.fault) for each in verify(Extent(), NOW).found} == {
        ("observations", Fault.UNREGISTERED), ("original", Fault.UNREGISTERED),
    }  # fmt: skip
    for path in (stray, unknown):
        path.unlink()
    copy = path_of(file).with_name("copy.parquet")
    copy.write_bytes(path_of(file).read_bytes())
    for suffix in (".index", ".facts"):
        copy.with_suffix(suffix).write_bytes(path_of(file).with_suffix(suffix).read_bytes())
    LakeFile.objects.create(
        path=str(copy.relative_to(own_store)), day=file.day, rows=file.rows, size_bytes=file.size_bytes,
        digest=file.digest, first_batch=file.first_batch, last_batch=file.last_batch, sealed_by=file.sealed_by,
        created_at=NOW,
    )  # fmt: skip
    assert {each.fault for each in verify(Extent(), NOW).found} == {Fault.TWICE, Fault.ROWS}
    LakeFile.objects.filter(path=str(copy.relative_to(own_store))).delete()
    copy.unlink()
    assert verify(Extent(), NOW).found == []
    assert not StoreFault.objects.exists()


def test_a_run_that_was_stopped_goes_on_where_it_stood(held: list[Delivery], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "NOTED_EVERY", 1)
    looked: list[int] = []

    def stop(done: int, total: int) -> None:
        looked.append(done)
        if len(looked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(Extent(), NOW, stop)
    rest = verify(Extent(resume_at=NOW + timedelta(minutes=1)), NOW + timedelta(minutes=1))
    assert rest.files + rest.originals == LakeFile.objects.count() + 3 - 2


def test_a_part_is_chosen_by_moment_or_by_chance(held: list[Delivery]) -> None:
    assert verify(Extent(since=NOW + timedelta(days=1)), NOW).files == 0
    assert verify(Extent(sample=1e-12), NOW).originals == 0


def test_all_is_verified_within_a_month_of_days(held: list[Delivery]) -> None:
    assert state(NOW).verified.verified_originals == 0
    for day in range(verification.SHARES):
        verify(Extent(share=verification.SHARES), NOW + timedelta(days=day))
    found = state(NOW + timedelta(days=verification.SHARES)).verified
    assert (found.verified_files, found.verified_originals) == (found.files, found.originals)


def test_the_daily_share_is_a_job_of_the_worker(held: list[Delivery]) -> None:
    wiring.tick(NOW)
    wiring.tick(NOW)
    assert Job.objects.filter(kind=verification.VERIFY).count() == 1
    work()
    assert Job.objects.get(kind=verification.VERIFY).state == "done"
    assert Entry.objects.filter(action="lake.verified").count() == 1
    assert verification.VERIFY in handlers()


def test_the_command_ends_with_one_where_something_is_wrong(
    held: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.cli.lake.setup", lambda: None)
    run = CliRunner().invoke(command, ["verify"])
    assert run.exit_code == 0, run.output
    assert "All are as they were registered" in run.output
    flip(path_of(file_of(held[0])))
    run = CliRunner().invoke(command, ["verify", "--json"])
    assert run.exit_code == 1
    told = json.loads(run.stdout)
    assert (told["faults"], told["found"][0]["fault"]) == (1, "changed")
    status = json.loads(CliRunner().invoke(command, ["status", "--json"]).stdout)
    assert status["verified"]["faults"][0]["fault"] == "changed"
    assert "1 faults" in CliRunner().invoke(command, ["status"]).output
    assert CliRunner().invoke(command, ["mend"]).exit_code == 0
    assert CliRunner().invoke(command, ["verify", "--quick", "--resume", "--since", "2020-01-01"]).exit_code == 0


def test_the_page_says_what_is_wrong_and_what_to_do(held: list[Delivery], client: Client) -> None:
    people.let_in(client, "ada_administrator")
    assert "Not as registered" not in client.get("/store/").content.decode()
    path_of(file_of(held[0])).unlink()
    flip(original_of(held[1]))
    verify(Extent(), NOW)
    page = client.get("/store/").content.decode()
    assert "Not as registered" in page
    assert "tocsin lake mend" in page
    assert held[1].receipt in page
    assert "Not as registered" in client.get("/settings/").content.decode()


def test_growth_says_until_when_there_is_room(held: list[Delivery], monkeypatch: pytest.MonkeyPatch) -> None:
    now = house.AT + timedelta(days=2)
    found = state(now)
    assert sum(day.rows for day in found.days) == sum(Delivery.objects.values_list("rows", flat=True))
    assert found.files.live == LakeFile.objects.count() == found.files.to_join
    assert found.files.index_bytes > 0
    daily = found.room.bytes_a_day
    assert daily == pytest.approx((sum(each.size_bytes for each in Delivery.objects.all())
                                   + found.files.size_bytes + found.files.index_bytes) / 3, rel=0.01)  # fmt: skip

    class Usage:
        total, free = 10**12, rebuilt_free(daily)

    monkeypatch.setattr("tocsin.centre.intake.lake_state.shutil.disk_usage", lambda path: Usage)
    assert state(now).room.full_on == now.date() + timedelta(days=30)
    assert state(now).room.is_short
    assert state(now).lag.waiting == 0


def test_lag_is_counted_from_receipt_and_an_exercise_says_nothing_of_it(held: list[Delivery]) -> None:
    now = house.AT + timedelta(hours=1)
    Delivery.objects.update(received_at=house.AT, finished_at=house.AT + timedelta(seconds=8))
    lag = state(now).lag
    assert (lag.read, lag.median_seconds, lag.has_made_up) == (len(held), 8.0, False)
    played = builders.organisation("played", is_exercise=True)
    builders.delivery(played, at=house.AT - timedelta(hours=20), finished_at=house.AT)
    builders.delivery(played, at=house.AT - timedelta(days=80), state="received")
    lag = state(now).lag
    assert (lag.read, lag.p95_seconds, lag.has_made_up) == (len(held), 8.0, True)
    assert (lag.waiting, lag.oldest_at) == (1, None)


def rebuilt_free(daily: float) -> int:
    """As much room as thirty days and a bit need."""
    return int(daily * 30.5) + (256 << 20)


def test_too_full_a_disk_leaves_a_file_as_it_was(held: list[Delivery], monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_of(held[0])
    index.index_path(path_of(file)).unlink()

    def full(*told: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("tocsin.lake.files.write", full)
        assert [each.is_mended for each in verify(Extent(), NOW).found] == [False]
    assert file_of(held[0]).path == file.path
    assert StoreFault.objects.get().kind == "index"
    verify(Extent(), NOW)
    assert not StoreFault.objects.exists()


def test_a_country_that_was_decided_is_in_the_file_that_is_made_again() -> None:
    address = unsettled_address()
    head = b"timestamp,ip,port,malware,country\n"
    delivery = receive(head + f"2026-11-01T10:00:00Z,{address},443,Emotet,\n".encode(), "unsettled.csv")
    work()
    conflict = CountryConflict.objects.get(batch__delivery=delivery)
    CountryConflict.objects.filter(pk=conflict.pk).update(state="decided", country="FR", decided_at=NOW)
    change = Recast(conflict.batch_id, conflict.value, conflict.kind == "network", "FR")
    assert lake.recast(change, NOW, subject="conflict:1") == 1
    before = all_rows()
    assert before["country"].to_list() == ["FR"]
    path_of(file_of(delivery)).unlink()
    verify(Extent(), NOW)
    assert rebuilding.mend(NOW, recasts_of).hindered == []
    assert all_rows().equals(before)


def test_where_parts_were_taken_out_a_file_is_not_made_again(held: list[Delivery]) -> None:
    batch = Batch.objects.get(delivery=held[0]).pk
    chosen = parting.Chosen(values=frozenset({builders.rows_in(path_of(file_of(held[0])))["value"][0]}))
    parting.commit(held[0], parting.prepare(held[0], [batch], chosen), {batch}, NOW)
    assert verify(Extent(), NOW).found == []  # Rows that moved to another batch are counted there.
    path_of(file_of(held[0])).unlink()
    verify(Extent(), NOW)
    ((_, why),) = rebuilding.mend(NOW, recasts_of).hindered
    assert "recalled or relabelled alone" in why
