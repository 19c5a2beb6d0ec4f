"""The log of acts: what was signed cannot be changed without being found out (W25)."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.db.models import F

from tocsin.centre.audit import tree
from tocsin.centre.audit.models import Checkpoint, Entry
from tocsin.centre.audit.selectors import found
from tocsin.centre.audit.services import record
from tocsin.credentials import SigningKey, log_tree, notes

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path: Path) -> tree.Log:
    second = tmp_path / "second"
    second.mkdir()
    return tree.Log(tmp_path / "store", SigningKey("centre.example", bytes(range(32))), second)


def act(count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        record("ines", "lookup.made", f"value:{number}", {"number": number}, at=NOW + timedelta(seconds=number))


def test_what_was_done_is_proved(kept: tree.Log) -> None:
    act(300)
    made = tree.keep(kept, NOW)
    assert made is not None
    assert made.size == 300
    act(20, start=300)
    entry = Entry.objects.get(subject="value:299")
    proof = tree.proof_of(kept, entry)
    assert proof is not None
    point = notes.checkpoint_of(notes.opened(str(proof["checkpoint"]), str(proof["public_key"])))
    leaf = log_tree.leaf_hash(str(proof["entry"]).encode())
    hashes = [bytes.fromhex(each) for each in proof["hashes"]]  # type: ignore[attr-defined]
    assert log_tree.root_from_inclusion(leaf, 299, point.size, hashes) == point.root
    assert tree.proof_of(kept, Entry.objects.get(subject="value:319")) is None
    assert tree.keep(kept, NOW) is not None
    assert tree.proof_of(kept, Entry.objects.get(subject="value:319")) is not None
    verdict = tree.verify(kept)
    assert (verdict.entries, verdict.waiting, verdict.checkpoints, verdict.witnessed) == (320, 0, 2, 2)
    assert not verdict.faults


def test_an_act_that_was_undone_left_no_place(kept: tree.Log) -> None:
    act(3)
    with transaction.atomic():
        act(1, start=3)
        transaction.set_rollback(True)
    act(2, start=4)
    assert tree.keep(kept, NOW)
    assert list(Entry.objects.order_by("place").values_list("place", flat=True)) == [0, 1, 2, 3, 4]
    assert tree.keep(kept, NOW) is None, "nothing new, nothing signed"


def test_w25_a_deleted_entry_and_a_rebuilt_tree_are_found(kept: tree.Log) -> None:
    act(400)
    witnessed = tree.keep(kept, NOW)
    assert witnessed is not None
    act(100, start=400)
    # Somebody with the whole database and even the key takes one entry out and makes everything anew.
    Entry.objects.get(subject="value:123").delete()
    Entry.objects.update(place=None)
    Checkpoint.objects.all().delete()
    shutil.rmtree(kept.store)
    forged = tree.keep(kept, NOW)
    assert forged is not None
    assert forged.size == 499
    verdict = tree.verify(kept)
    assert verdict.faults == ["The first 400 entries are not those that a checkpoint in the second place signed."]
    proof = log_tree.consistency_proof(kept.rows, 400, 499)
    assert not log_tree.is_consistent(400, bytes(witnessed.root), 499, bytes(forged.root), proof)


def _changed_with_its_hash(kept: tree.Log) -> None:
    entry = Entry.objects.get(subject="value:7")
    entry.actor = "somebody-else"
    entry.leaf = log_tree.leaf_hash(tree.body_of(entry))
    entry.save()


def _taken_out(kept: tree.Log) -> None:
    Entry.objects.get(subject="value:7").delete()
    Entry.objects.filter(place__gt=7).order_by("place").update(place=-F("place"))
    Entry.objects.filter(place__lt=0).update(place=-F("place") - 1)


def _swapped(kept: tree.Log) -> None:
    one, other = Entry.objects.get(subject="value:7"), Entry.objects.get(subject="value:8")
    Entry.objects.filter(pk=one.pk).update(place=None)
    Entry.objects.filter(pk=other.pk).update(place=7)
    Entry.objects.filter(pk=one.pk).update(place=8)


def _put_in_between(kept: tree.Log) -> None:
    Entry.objects.filter(place__gte=7).update(place=-F("place") - 1)
    Entry.objects.filter(place__lt=0).update(place=-F("place"))
    record("ines", "lookup.made", "value:forged", at=NOW)
    Entry.objects.filter(subject="value:forged").update(place=7)


def _cut_off(kept: tree.Log) -> None:
    Entry.objects.filter(place__gte=20).delete()


def _cut_off_with_checkpoints(kept: tree.Log) -> None:
    _cut_off(kept)
    Checkpoint.objects.all().delete()
    tree.keep(kept, NOW)


def _rebuilt_with_new_checkpoints(kept: tree.Log) -> None:
    Entry.objects.get(subject="value:7").delete()
    Entry.objects.update(place=None)
    Checkpoint.objects.all().delete()
    tree.keep(kept, NOW)


def _checkpoint_overwritten(kept: tree.Log) -> None:
    _changed_with_its_hash(kept)
    kept.rows.clear()
    point = notes.Checkpoint(kept.origin, 30, bytes(32))
    Checkpoint.objects.update(root=bytes(32), note=notes.signed(point.text, SigningKey("x", bytes(32))))


@pytest.mark.parametrize(
    "rewrite",
    [
        _changed_with_its_hash, _taken_out, _swapped, _put_in_between, _cut_off, _cut_off_with_checkpoints,
        _rebuilt_with_new_checkpoints, _checkpoint_overwritten,
    ],
)  # fmt: skip
def test_w25_whoever_rewrites_the_tables_alone_is_found_without_a_second_place(
    kept: tree.Log, rewrite: Callable[[tree.Log], None]
) -> None:
    """With the database in hand and no file: neither key, nor the store's own checkpoints."""
    kept = dataclasses.replace(kept, second_place=None)
    act(30)
    assert tree.keep(kept, NOW)
    assert not tree.verify(kept).faults
    rewrite(kept)
    assert tree.verify(kept).faults
    act(5, start=30)
    tree.keep(kept, NOW + timedelta(minutes=2))
    assert tree.verify(kept).faults, "what is signed later does not heal it"


def test_many_checkpoints_outside_are_gone_on_with_from_the_last(
    kept: tree.Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They grow for years: only the end is read, also where the end was broken off."""
    monkeypatch.setattr(tree, "_TAIL_BYTES", 300)
    for number in range(5):
        act(3, start=3 * number)
        assert tree.keep(kept, NOW)
    path = kept.witnesses[0][1]
    assert path.read_text(encoding="utf-8").count("centre.example/log\n") == 5
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + "x" * 400)
    act(3, start=15)
    assert tree.keep(kept, NOW)
    verdict = tree.verify(kept)
    assert (verdict.checkpoints, verdict.witnessed, verdict.faults) == (6, 6, [])


def test_a_changed_entry_is_found_and_nothing_more_is_signed_over_it(kept: tree.Log) -> None:
    act(50)
    assert tree.keep(kept, NOW)
    Entry.objects.filter(subject="value:7").update(actor="somebody-else")
    faults = tree.verify(kept).faults
    assert any("Entry 7 " in fault for fault in faults)
    assert any("first 50 entries" in fault for fault in faults)


def test_a_tree_that_does_not_continue_is_not_signed(kept: tree.Log, caplog: pytest.LogCaptureFixture) -> None:
    act(50)
    assert tree.keep(kept, NOW)
    shutil.rmtree(kept.store)
    changed = Entry.objects.get(subject="value:7")
    changed.actor = "somebody-else"
    changed.leaf = log_tree.leaf_hash(tree.body_of(changed))
    changed.save()
    act(10, start=50)
    assert tree.keep(kept, NOW) is None
    assert "tocsin audit verify" in caplog.text
    assert Checkpoint.objects.count() == 1


def test_damaged_files_are_made_again_from_the_entries(kept: tree.Log, caplog: pytest.LogCaptureFixture) -> None:
    act(600)
    assert tree.keep(kept, NOW)
    for number in range(2):  # After a power cut there may be anything in files that were never synced.
        for path in (kept.store / "log").glob("row-*.hashes"):
            path.write_bytes(bytes(path.stat().st_size))
        act(10, start=600 + 10 * number)
        made = tree.keep(kept, NOW)
        assert made is not None
        assert "made again" in caplog.text
    assert not tree.verify(kept).faults
    proof = tree.proof_of(kept, Entry.objects.get(subject="value:3"))
    assert proof is not None
    hashes = [bytes.fromhex(each) for each in proof["hashes"]]  # type: ignore[attr-defined]
    leaf = log_tree.leaf_hash(str(proof["entry"]).encode())
    assert log_tree.root_from_inclusion(leaf, 3, made.size, hashes) == bytes(made.root)


def test_files_are_made_again_once_for_a_log_that_was_changed(
    kept: tree.Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    act(50)
    assert tree.keep(kept, NOW)
    Entry.objects.filter(subject="value:7").update(leaf=bytes(32))
    (kept.store / "log" / "row-0.hashes").write_bytes(bytes(50 * 32))
    cleared: list[int] = []
    clear = log_tree.HashRows.clear
    monkeypatch.setattr(log_tree.HashRows, "clear", lambda rows: (cleared.append(rows.size), clear(rows)))
    for _ in range(3):
        assert tree.keep(kept, NOW) is None
    assert cleared == [50]
    assert caplog.text.count("tocsin audit verify") == 3


def test_entries_that_are_gone_are_found(kept: tree.Log) -> None:
    act(30)
    assert tree.keep(kept, NOW)
    Entry.objects.filter(place__gte=20).delete()
    assert "checkpoint 30 signed 30 entries; there are 20." in tree.verify(kept).faults
    act(12, start=30)
    assert tree.keep(kept, NOW)
    assert Entry.objects.get(subject="value:30").place == 30, "what was signed keeps its place, though it is gone"
    assert "Entry 20 of the log is missing." in tree.verify(kept).faults
    Entry.objects.get(place=4).delete()
    assert "Entry 4 of the log is missing." in tree.verify(kept).faults


def test_a_checkpoint_of_another_key_is_found(kept: tree.Log) -> None:
    act(5)
    other = tree.Log(kept.store, SigningKey("centre.example", bytes(32)), kept.second_place)
    assert tree.keep(other, NOW)
    faults = tree.verify(kept).faults
    assert len(faults) == 3, "in the database, in the store and in the second place"
    assert all("was not signed by this installation" in fault for fault in faults)


def test_lost_files_and_a_broken_second_place_are_made_good(kept: tree.Log) -> None:
    act(600)
    assert tree.keep(kept, NOW)
    shutil.rmtree(kept.store)
    assert kept.second_place is not None
    path = kept.second_place / "checkpoints.txt"
    path.write_text(path.read_text(encoding="utf-8") + "\ncentre.example/log\n60", encoding="utf-8")
    act(10, start=600)
    assert tree.keep(kept, NOW)
    verdict = tree.verify(kept)
    assert (verdict.entries, verdict.checkpoints, verdict.witnessed) == (610, 2, 2)
    assert not verdict.faults


def test_checkpoints_wait_for_a_second_place_that_is_away(kept: tree.Log) -> None:
    assert kept.second_place is not None
    kept.second_place.rmdir()
    act(5)
    assert tree.keep(kept, NOW)
    kept.second_place.mkdir()
    assert tree.keep(kept, NOW) is None
    assert tree.verify(kept).witnessed == 1


def test_the_clock_signs_once_a_minute(kept: tree.Log) -> None:
    for second in (0, 20, 40, 61):
        act(1, start=second)
        tree.tick(kept, NOW + timedelta(seconds=second))
    assert list(Checkpoint.objects.order_by("size").values_list("size", flat=True)) == [1, 4]


def test_entries_are_found_by_what_they_say() -> None:
    act(3)
    record("youssef", "package.fetched", "package:FR-2026-0001", at=NOW)
    record("youssef", "package.made", "package:FR-2026-0001", at=NOW + timedelta(hours=1))
    assert [entry.action for entry in found(action="package.")] == ["package.made", "package.fetched"]
    assert found(actor="ines").count() == 3
    assert found(subject="package:FR-2026-0001", since=NOW + timedelta(minutes=1)).count() == 1
    assert found(action="package").count() == 0
    assert found(until=NOW).count() == 0
