"""Keys of what is sealed: lost, wrong, new and destroyed ones, and crashes between a key and what it seals."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import transaction
from tests import builders, people
from tests.crew import work
from tests.dumps import database_dump, files_below, where

from tocsin.centre.intake import lake, originals, services, vault
from tocsin.centre.intake.models import Batch, Delivery, Hold, SealKey
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.knowledge import sealing
from tocsin.centre.knowledge.models import Block, Document, Mention, Object
from tocsin.centre.knowledge.selectors import body_of, named
from tocsin.core.words import Tlp
from tocsin.credentials import content_keys
from tocsin.credentials.content_keys import KeyMissing, installation_keys

from .test_sealed_dump import RED, TLP_RED, home, report, send, stix, table

__all__ = ["home"]
pytestmark = pytest.mark.django_db
WORD = RED[0]


def original_of(delivery: Delivery) -> Path:
    return delivery_path(services.store_folder(), delivery.sha256)


def change_key(home: Path) -> bytes:
    """Another installation's file in place of the right one, which is given back."""
    path = home / "keys" / content_keys.FILE
    right = path.read_bytes()
    path.unlink()
    content_keys.make_installation_key(home / "keys")
    vault._remembered.clear()  # As in a process that starts.
    return right


@pytest.mark.parametrize("lost", ["missing", "another"])
def test_without_its_key_nothing_is_shown_nothing_is_lost_and_it_is_said(
    home: Path, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent = send(stix(WORD, TLP_RED), "zephyrquill.json")
    text = send(report(RED[3]), "umberlatch.html", marking="TLP:AMBER")
    path = home / "keys" / content_keys.FILE
    right = change_key(home)
    if lost == "missing":
        path.unlink()
    assert str(path) in vault.fault()
    crew = Object.objects.get(type="intrusion-set")
    assert (crew.name, crew.object_id) == ("", "")
    assert str(path) in caplog.text
    with pytest.raises(KeyMissing, match="restore it from the backup"):
        body_of(crew)
    with pytest.raises(KeyMissing):
        originals.pieces(original_of(sent))
    document = Document.objects.get()
    assert (document.text, Delivery.objects.get(pk=sent.pk).name) == ("", "")
    document.save()  # Whoever saves a row that he could not read leaves it as it was.
    Delivery.objects.get(pk=text.pk).save()
    with pytest.raises(KeyMissing):  # Nothing new is sealed with a key that opens a part alone.
        services.receive(organisation=sent.organisation, via="api", name="x", chunks=[b"y"], at=sent.received_at)
    assert not path.exists() or lost == "another"
    path.write_bytes(right)
    assert vault.fault() == ""
    assert Object.objects.get(type="intrusion-set").name == f"{WORD} Heron"
    assert RED[3] in Document.objects.get().text
    assert Delivery.objects.get(pk=sent.pk).name == "zephyrquill.json"
    assert originals.read(original_of(sent)) == stix(WORD, TLP_RED)


def test_a_new_key_wraps_data_keys_alone(home: Path) -> None:
    sent = send(stix(WORD, TLP_RED), "zephyrquill.json")
    blocks, file = list(Block.objects.values_list("body", flat=True)), original_of(sent).read_bytes()
    former = installation_keys(home / "keys")
    assert vault.rotate() == SealKey.objects.count() > 3
    now = installation_keys(home / "keys")
    assert len(now) == 1
    assert not now.keys() & former.keys()
    vault._remembered.clear()
    assert Object.objects.get(type="malware").name == f"{WORD}ware"
    assert originals.read(original_of(sent)) == stix(WORD, TLP_RED)
    assert (list(Block.objects.values_list("body", flat=True)), original_of(sent).read_bytes()) == (blocks, file)
    wrapped = SealKey.objects.first()
    assert wrapped is not None
    with pytest.raises(KeyMissing):  # A copy of the database from before is all that the former key opens.
        next(iter(former.values())).unwrapped(wrapped.number, bytes(wrapped.wrapped))


@pytest.mark.parametrize("step", [0, 1])
def test_a_rotation_that_was_stopped_loses_nothing_and_is_ended_by_the_next(
    home: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = send(stix(WORD, TLP_RED), "zephyrquill.json")
    monkeypatch.setattr(vault, "WRAPPED_AT_ONCE", 2)
    real, calls = vault._wrap_some, []

    def stopped(*said: object) -> int:
        if len(calls) == step:
            raise KeyboardInterrupt
        calls.append(1)
        return real(*said)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(vault, "_wrap_some", stopped)
        with pytest.raises(KeyboardInterrupt):
            vault.rotate()
    vault._remembered.clear()
    assert len(installation_keys(home / "keys")) == 2
    assert vault.fault() == ""
    assert originals.read(original_of(sent)) == stix(WORD, TLP_RED)
    send(report(RED[3]), "umberlatch.html", marking="TLP:RED")  # Work goes on meanwhile.
    assert vault.rotate() > 0
    vault._remembered.clear()
    assert len(installation_keys(home / "keys")) == 1
    assert originals.read(original_of(sent)) == stix(WORD, TLP_RED)
    assert RED[3] in Document.objects.get().text


def test_what_is_forgotten_is_never_read_again() -> None:
    sent = send(stix(WORD, TLP_RED), "zephyrquill.json")
    kept = send(stix("Plainsong", TLP_RED), "plainsong.json")
    batch = Batch.objects.get(delivery=sent)
    copy, path = original_of(sent).read_bytes(), original_of(sent)
    assert body_of(Object.objects.get(delivery=sent, type="malware"))
    assert vault.forget_batch(batch.pk) == 1
    gone = Object.objects.get(delivery=sent, type="malware")
    assert gone.name == ""
    with pytest.raises(KeyMissing, match="destroyed"):
        body_of(gone)
    originals.forget(path)
    assert not path.exists()
    path.write_bytes(copy)  # From a backup of the store.
    with pytest.raises(KeyMissing, match="destroyed"):
        originals.read(path)
    assert body_of(Object.objects.get(delivery=kept, type="malware"))
    assert originals.read(original_of(kept)) == stix("Plainsong", TLP_RED)


def test_a_crash_between_the_key_and_the_file_leaves_a_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    northwind, at = builders.organisation("northwind"), datetime(2026, 11, 20, tzinfo=UTC)
    content = stix(WORD, TLP_RED)
    with monkeypatch.context() as patched:
        patched.setattr(originals.store, "keep", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            services.receive(organisation=northwind, via="api", name="x", chunks=[content], at=at)
    assert SealKey.objects.filter(about__startswith="original:").count() == 1
    with transaction.atomic():  # The key goes with what the caller takes back.
        services.receive(organisation=northwind, via="api", name="x", chunks=[content], at=at)
        transaction.set_rollback(True)
    sent = services.receive(organisation=northwind, via="api", name="x", chunks=[content], at=at)
    assert originals.read(original_of(sent)) == content
    again = services.receive(organisation=northwind, via="api", name="y", chunks=[content], at=at)
    assert again.state == "duplicate"
    other = services.receive(organisation=builders.organisation("z"), via="api", name="y", chunks=[content], at=at)
    assert originals.read(original_of(other)) == content
    assert SealKey.objects.filter(about__startswith="original:").count() == 2
    work()
    other.refresh_from_db()
    assert other.state == "parsed"


def test_no_original_and_no_refused_record_lies_open(home: Path) -> None:
    sent = send(table("Birchwhistle", "8.8.4.77"), "infected.csv", role="VICTIM", marking="TLP:AMBER")
    assert where(["Birchwhistle"], files_below(home)) == {}
    assert sent.rejections == 1
    people.call("dana_analyst")
    assert list((services.store_folder() / "work").iterdir()) == []


def test_what_came_before_there_were_seals_is_sealed_and_goes_on_working(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = send(stix(WORD, ""), "zephyrquill.json", marking="TLP:AMBER")
    send(table(RED[2], "9.9.9.44"), "quartzmarten.csv", role="ATTACKER_INFRA", marking="TLP:AMBER")
    plain = stix(WORD, "")
    original_of(sent).write_bytes(plain)
    held = builders.delivery(builders.organisation("northwind"), "held.csv", state="held")
    hold = Hold.objects.create(delivery=held, kind="legal", held_at=builders.NOW, finds=[{"excerpt": "said"}])
    with monkeypatch.context() as before:
        before.setattr("tocsin.centre.intake.sealed_fields.SealedJSONField.pre_save", lambda f, row, add: row.finds)
        Hold.objects.get(pk=hold.pk).save(update_fields=["finds"])
    assert where(["said"], {"x": database_dump()["intake_hold"]})
    body = body_of(Object.objects.get(type="malware"))
    Batch.objects.update(handling_set=builders.handling(Tlp.RED))
    assert where([WORD, RED[2]], database_dump()) != {}
    assert sealing.unsealed().count() == 2
    batches, rows = sealing.seal_all()
    assert (batches, rows) == (2, 1)
    assert originals.seal_all(services.store_folder()) == 1
    assert sealing.seal_all() == (0, 0)
    assert originals.seal_all(services.store_folder()) == 0
    assert where([WORD, RED[2], "said"], database_dump()) == {}
    assert body_of(Object.objects.get(type="malware")) == body
    assert [each.name for each in named(Object.objects.all(), f"{WORD}WARE")] == [f"{WORD}ware"]
    assert Hold.objects.get(pk=hold.pk).finds == [{"excerpt": "said"}]
    assert originals.read(original_of(sent)) == plain
    assert Mention.objects.count() > 3


def test_what_becomes_red_is_sealed_by_the_next_round() -> None:
    send(stix(WORD, ""), "zephyrquill.json", marking="TLP:AMBER")
    Batch.objects.update(handling_set=builders.handling(Tlp.RED))
    sealing.tick(datetime.now(UTC))
    work()
    assert where([WORD], database_dump()) == {}
    assert sealing.unsealed().count() == 0
    assert lake.verify() == []
