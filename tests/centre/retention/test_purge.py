"""Purges (W05): what is over is deleted everywhere, certified, also after a crash and on a restored backup."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from tests import builders, crew, people, scene
from tests.centre.retention.test_terms import STIX, TABLE

from tocsin.centre.audit.models import Entry
from tocsin.centre.audit.tree import keep, verify
from tocsin.centre.intake import lake, originals
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery, LakeFile, NameTally, Tally
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.jobs.models import Job
from tocsin.centre.knowledge.models import Block, Document, Mention, Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.ledger.models import Kind, Response
from tocsin.centre.ledger.services import answered
from tocsin.centre.permissions.models import Permission
from tocsin.centre.recall import services as recall
from tocsin.centre.recall.models import Recall
from tocsin.centre.release.models import Package, Release
from tocsin.centre.retention import ending, erasing, journal, legal_holds, purging, reviewing, sealed_copies
from tocsin.centre.retention.models import Purge, Reminder, SealedCopy
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.credentials import load_or_make
from tocsin.credentials import verify as is_signed
from tocsin.handling import retention
from tocsin.handling.personal import BLANK
from tocsin.lake.scope import Batches
from tocsin.site.act_log import log_of_acts

pytestmark = pytest.mark.django_db(transaction=True)
RECEIVED = datetime(2026, 1, 31, 15, 0, tzinfo=UTC)
OVER = datetime(2027, 2, 1, tzinfo=UTC)
"""24:00 UTC of 2027-01-31, twelve months after the receipt."""
DUE = OVER + timedelta(days=14)
SETTLED = DUE + purging.SETTLES
VALUES = (b"c2.northwind-test.example", b"198.51.100.9", b"indicator--11111111", b"andromeda", b"Ada Smith")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal, keys and a store of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))
    cache.clear()
    return tmp_path


def sent(content: bytes, name: str, at: datetime = RECEIVED) -> Delivery:
    source = builders.organisation("northwind")
    made = intake.receive(organisation=source, via="api", name=name, chunks=[content], at=at)
    crew.work()
    made.refresh_from_db()
    assert made.state == "parsed"
    return made


def original(of: Delivery) -> Path:
    return delivery_path(intake.store_folder(), of.sha256)


@pytest.fixture
def old() -> list[Delivery]:
    """A table and a bundle whose term is over on 2027-01-31, with a package that holds some of the table."""
    table = sent(TABLE + b"other.example,yesterday,mirai\n", "Ada Smith.csv")
    bundle = sent(STIX, "bundle.json")
    package("FR-2026-0001", [table.batches.get().pk])
    package("FR-2026-0002", [])
    return [table, bundle]


@pytest.fixture
def young() -> Delivery:
    """What is alive, in the same files of the lake once these are joined."""
    return sent(b"domain,seen\nalive.example,2026-11-20T10:00:00Z\n", "young.csv", builders.NOW)


def package(number: str, batches: list[int]) -> Package:
    path = intake.store_folder() / f"packages/FR/{number}.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PK c2.northwind-test.example")
    return Package.objects.create(
        country="FR", number=number, arrived_from=RECEIVED, arrived_until=RECEIVED, language="fr",
        path=f"packages/FR/{number}.zip", sha256="0" * 64, size_bytes=1, rows=1, created_at=RECEIVED,
        summary={"values_new": 1, "tlp": "TLP:GREEN"}, batches=Batches(batches).packed(),
    )  # fmt: skip


def anywhere(home: Path, text: bytes) -> list[str]:
    """Files below the folder, the database among them, in which a text stands; Parquet is opened."""
    found = [path for path in home.rglob("*") if path.is_file() and text in path.read_bytes()]
    for path in home.rglob("*.parquet"):
        if any(text.decode() in str(row) for row in builders.rows_in(path).rows()):
            found.append(path)
    return sorted({path.relative_to(home).as_posix() for path in found})


def in_database(text: str) -> list[str]:
    """Tables in which a text stands."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # Our own tables.
            if any(
                text in str(bytes(cell) if isinstance(cell, memoryview) else cell) for row in cursor for cell in row
            ):
                found.append(table)
    return found


def test_w05_a_term_that_is_over(old: list[Delivery], young: Delivery, own_home: Path, client: Client) -> None:
    table, bundle = old
    assert {each.ends_at for each in old} == {OVER}
    said = "Victim name: Ada Smith\nWrite to ada@victim.example, +33 6 12 34 56 78. The campaign began in spring."
    recall.recall(
        bundle, by=people.call("pia_partner"), at=builders.NOW, reason="wrong-data", action="destroy",
        note=said,
    )  # fmt: skip
    Permission.objects.filter(pk=scene.permission(bundle).pk).update(reason=said)
    released = builders.release(bundle.batches.get(), reason=said)
    answered(people.call("fleur_officer"), Kind.RELEASE, [released.pk], "acted", builders.NOW, usefulness="useful",
             note=said)  # fmt: skip
    for days in (180, 30, 7):
        ending.remind(OVER - timedelta(days=days))
    assert Reminder.objects.filter(delivery=table).count() == 3
    keep(log_of_acts(), builders.NOW)

    assert purging.due(DUE - timedelta(seconds=1)) == []
    assert purging.do(DUE) == 2
    for each in old:
        each.refresh_from_db()
        assert (each.state, each.name, each.title, each.reason_where) == ("purged", each.receipt, "", "")
        assert not original(each).exists()
        assert not (intake.store_folder() / "rejections" / str(each.pk)).exists()
    assert [model.objects.count() for model in (Object, Block, Mention, Document)] == [0] * 4
    assert set(Tally.objects.values_list("batch", flat=True)) == {young.batches.get().pk}
    assert not NameTally.objects.exists()
    assert Package.objects.get(number="FR-2026-0001").recalled_at is not None
    assert not (intake.store_folder() / "packages/FR/FR-2026-0001.zip").exists()
    assert (intake.store_folder() / "packages/FR/FR-2026-0002.zip").exists()

    texts = [model.objects.get().note for model in (Recall, Response)]
    texts += [model.objects.get().reason for model in (Permission, Release)]
    assert set(texts) == {f"Victim name: {BLANK}\nWrite to {BLANK}, {BLANK}. The campaign began in spring."}
    people.let_in(client, "dana_analyst")
    page = client.get(reverse("purges")).content.decode()
    flagged = Purge.objects.get(delivery=bundle)
    assert reverse("purge-looked", args=[flagged.number]) in page
    assert client.post(reverse("purge-looked", args=[flagged.number])).status_code == 302
    assert client.post(reverse("purge-looked", args=[flagged.number])).status_code == 404

    assert not Purge.objects.exclude(certificate="").exists()
    purging.do(SETTLED)
    assert {each.done_at for each in Purge.objects.all()} == {SETTLED}
    assert OVER + timedelta(days=30) > SETTLED
    for value in VALUES:
        if value != b"Ada Smith":
            assert anywhere(intake.store_folder(), value) == (
                ["packages/FR/FR-2026-0002.zip"] if value == VALUES[0] else []
            )
            assert in_database(value.decode()) == []
    left = [builders.rows_in(intake.store_folder() / each.path) for each in LakeFile.objects.all()]
    assert "alive.example" in str([rows.rows() for rows in left])
    assert original(young).exists()

    keep(log_of_acts(), SETTLED)
    assert verify(log_of_acts()).faults == []
    assert Entry.objects.filter(subject=f"delivery:{table.pk}", action="delivery.received").exists()


def test_the_certificate_is_signed_and_holds_no_content(
    old: list[Delivery], own_home: Path, client: Client
) -> None:  # fmt: skip
    purging.do(DUE)
    purging.do(SETTLED)
    made = Purge.objects.get(delivery=old[0])
    certificate = json.loads(made.certificate)
    installation: Any = settings.INSTALLATION
    key = load_or_make(installation.home / "keys", installation.organisation)
    assert is_signed(certificate["body"].encode(), base64.b64decode(certificate["signature"]), key.public_pem)
    body = json.loads(certificate["body"])
    assert (body["rule"], body["delivery"], body["sha256"]) == ("term", old[0].receipt, old[0].sha256)
    assert body["deleted"]["lake"]["observations"] == 1
    assert body["deleted"]["packages"]["packages"] == [["FR-2026-0001", "0" * 64]]
    assert body["deleted"]["files"]["original"] == "deleted"
    assert not any(value.decode() in made.certificate for value in VALUES)

    address = reverse("purge-certificate", args=[made.number])
    people.let_in(client, "pia_partner")
    assert "FR-2026-0001" not in client.get(address).content.decode()
    for login, status in (("dana_analyst", 200), ("omar_partner", 404), ("fleur_officer", 404), ("rui_reviewer", 404)):
        people.let_in(client, login)
        assert client.get(address).status_code == status


class PowerCutError(BaseException):
    """Nobody catches it."""


def done_twice() -> None:
    purging.do(DUE)
    purging.do(SETTLED)


@pytest.mark.parametrize("name", [*erasing.STEPS, "strip", "a file of the lake", "unlink", "settle"])
def test_a_crash_between_steps_is_gone_on_with(
    name: str, old: list[Delivery], young: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is shown in between, and the certificate tells of all in the end."""

    def broken_after(step: Any) -> Any:
        def broken(*arguments: Any, **said: Any) -> Any:
            step(*arguments, **said)
            raise PowerCutError

        return broken

    with monkeypatch.context() as patch:
        if name in erasing.STEPS:
            patch.setitem(erasing.STEPS, name, broken_after(erasing.STEPS[name]))
        elif name == "strip":
            patch.setattr(erasing, "strip", broken_after(erasing.strip))
        elif name == "a file of the lake":
            patch.setattr(erasing.lake, "swap", broken_after(erasing.lake.swap))
        elif name == "unlink":
            patch.setattr(erasing, "original_out", broken_after(erasing.original_out))
        else:
            patch.setattr(purging, "signed", broken_after(purging.signed))
        with pytest.raises(PowerCutError):
            done_twice()
    seen = {each.state for each in Delivery.objects.filter(pk__in=[each.pk for each in old])}
    assert seen <= {"expired", "purged"}
    purging.do(SETTLED)
    purging.do(SETTLED + purging.SETTLES)
    made = Purge.objects.get(delivery=old[0])
    body = json.loads(json.loads(made.certificate)["body"])
    assert body["deleted"]["lake"]["observations"] == 1
    assert body["deleted"]["files"]["original"] == "deleted"
    assert body["deleted"]["packages"]["packages"] == [["FR-2026-0001", "0" * 64]]
    assert in_database("c2.northwind-test.example") == []
    assert anywhere(intake.store_folder() / "observations", b"c2.northwind-test.example") == []
    assert not original(old[0]).exists()
    assert original(young).exists()
    assert Purge.objects.count() == 2


def test_what_is_alive_of_a_delivery_stays(own_home: Path) -> None:
    """Two labels in one bundle: the objects of the one that is over go, byte for byte, the others stay."""
    made = sent(STIX, "bundle.json")
    first = made.batches.get()
    second = builders.batch(made, builders.handling(retention_months=60), pk=first.pk + 7)
    thing = Object.objects.get()
    other = Object.objects.create(pk=thing.pk + 1, standard="stix-2.1", type="tool", object_id="tool--9", delivery=made,
                                  batch=second, name="Netcat")  # fmt: skip
    block = Block.objects.get()
    held = erasing.knowledge
    from tocsin.lake.objects import _DECODE, _ENCODE, zstandard

    opened = _DECODE(zstandard.ZstdDecompressor().decompress(bytes(block.body)))
    for column in (opened.labels, opened.pattern, opened.valid_from, opened.valid_until):
        column.append("kept")
    opened.raw.append(b'{"type": "tool"}')
    opened.position.append(2)
    opened.ends.append(len(opened.relations) + 1)
    opened.relations.append("uses")
    opened.targets.append("malware--1")
    Block.objects.update(body=zstandard.compress(_ENCODE(opened)))
    counts = held.take_out(made, [first.pk])
    assert counts["objects"] == 1
    assert list(Object.objects.values_list("pk", flat=True)) == [other.pk]
    body = body_of(other)
    assert (body.raw, body.pattern, body.refs) == (b'{"type": "tool"}', "kept", (("uses", "malware--1"),))
    assert b"198.51.100.9" not in zstandard.decompress(bytes(Block.objects.get().body))


def test_of_a_joined_file_only_the_rows_that_are_over_go() -> None:
    """And they were in it: the file is written anew, and the old one is swept."""
    gone, left = sent(TABLE, "gone.csv"), sent(b"domain,seen\nalive.example,2025-11-20T10:00:00Z\n", "left.csv")
    reviewing.decide(left, "extend", until=date(2030, 1, 1), reason="Goes on", by=people.call("pia_partner"),
                     at=builders.NOW)  # fmt: skip
    assert lake.compact(builders.NOW) == 2
    assert LakeFile.objects.get(retired_at=None).rows == 2
    purging.do(DUE)
    live = LakeFile.objects.get(retired_at=None)
    rows = builders.rows_in(intake.store_folder() / live.path)
    assert rows["value"].to_list() == ["alive.example"]
    assert set(rows["batch"]) == {left.batches.get().pk}
    purging.do(SETTLED)
    assert Purge.objects.get(delivery=gone).done_at == SETTLED
    assert LakeFile.objects.count() == 1
    assert anywhere(intake.store_folder() / "observations", b"c2.northwind-test.example") == []
    assert lake.verify() == []


def test_the_original_stays_while_another_delivery_needs_it() -> None:
    mine = sent(TABLE, "mine.csv")
    other = intake.receive(organisation=builders.organisation("southgate"), via="api", name="theirs.csv",
                           chunks=[TABLE], at=builders.NOW)  # fmt: skip
    crew.work()
    purging.do(DUE)
    assert original(other).exists()
    facts = Purge.objects.get(delivery=mine).steps["files"]
    assert facts["original"] == "kept for another delivery"


def test_bytes_that_came_a_moment_ago_are_left_alone(old: list[Delivery]) -> None:
    """Whoever sent them anew has written them and not yet its row."""
    path = original(old[0])
    Delivery.objects.filter(pk=old[0].pk).update(state="purged")
    with pytest.raises(Conflict):
        erasing.original_out(old[0].sha256, datetime.now(UTC))
    assert path.exists()
    assert erasing.original_out(old[0].sha256, DUE) == "deleted"


def test_what_was_never_read_is_purged_too() -> None:
    made = builders.delivery(builders.organisation("northwind"), state="quarantined", at=RECEIVED, ends_at=OVER)
    path = original(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"odd")
    purging.do(DUE)
    made.refresh_from_db()
    assert made.state == "purged"
    assert not path.exists()


def test_a_restored_backup_purges_again_before_anybody_is_served(old: list[Delivery], young: Delivery) -> None:
    """The backup knows nothing of the end, which was brought forward after it was made."""
    reviewing.decide(old[1], "shorten", until=builders.NOW.date(), reason="Not needed",
                     by=people.call("pia_partner"), at=builders.NOW)  # fmt: skip
    purging.order(old[0], by="lena_legal", at=builders.NOW)
    lines = list(journal.lines())
    assert len(lines) == 2
    Purge.objects.all().delete()
    old[1].reviews.all().delete()
    Batch.objects.update(expires_at=OVER, purged_at=None)
    Delivery.objects.filter(pk__in=[each.pk for each in old]).update(ends_at=OVER, state="parsed", name="Ada Smith.csv")
    at = builders.NOW + timedelta(days=3)
    assert purging.replay(at) == 2
    assert purging.replay(at) == 0
    for each in old:
        each.refresh_from_db()
        assert each.ends_at <= at
    assert Purge.objects.get().delivery == old[0]
    assert (old[0].state, old[0].name) == ("purged", old[0].receipt)
    assert anywhere(intake.store_folder() / "deliveries", b"c2.northwind-test.example") == []
    assert original(young).exists()


def test_files_that_a_copy_of_the_store_brings_back_go_again(old: list[Delivery]) -> None:
    """A copy is added to day by day; it still has what was purged meanwhile."""
    content = original(old[0]).read_bytes()
    purging.do(DUE)
    purging.do(SETTLED)
    original(old[0]).write_bytes(content)
    assert purging.replay(SETTLED) == 1
    assert not original(old[0]).exists()
    assert purging.replay(SETTLED) == 0


def test_a_purge_that_cannot_be_written_to_its_journal_does_not_begin(
    old: list[Delivery], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr(journal, "places", lambda: [tmp_path / "closed"])
    with pytest.raises(OSError, match="directory"):
        purging.do(DUE)
    assert not Purge.objects.exists()


class TestLegalHold:
    """It ends for everybody, and a sealed copy stays until the hold is lifted."""

    def placed(self, on: Delivery, **said: Any) -> Any:
        facts = {"authority": "Court of X, 17/2026", "reason": "Trial", "until": None, **said}
        return legal_holds.place(on.receipt, **facts, by=people.call("lena_legal"), at=builders.NOW)

    def test_a_sealed_copy_only(self, old: list[Delivery], own_home: Path) -> None:
        table, bundle = old
        content = originals.read(original(table))
        held = self.placed(table)
        other = self.placed(table)
        purging.do(DUE)
        purging.do(SETTLED)
        assert not original(table).exists()
        assert anywhere(intake.store_folder(), b"c2.northwind-test.example") == ["packages/FR/FR-2026-0002.zip"]
        copy = SealedCopy.objects.get()
        assert b"".join(sealed_copies.pieces_of(copy)) == content
        assert Purge.objects.get(delivery=table).steps["files"] == {"original": "deleted", "sealed_copy": True}
        assert not SealedCopy.objects.filter(delivery=bundle).exists()

        legal_holds.lift(held, reason="Final", by=people.call("lena_legal"), at=SETTLED)
        purging.do(SETTLED)
        assert (intake.store_folder() / copy.path).exists()
        legal_holds.lift(other, reason="Final", by=people.call("lena_legal"), at=SETTLED)
        purging.do(SETTLED + timedelta(hours=1))
        assert not (intake.store_folder() / copy.path).exists()
        copy.refresh_from_db()
        assert json.loads(json.loads(copy.certificate)["body"])["sha256"] == table.sha256
        with pytest.raises(Conflict):
            legal_holds.lift(held, reason="Again", by=people.call("lena_legal"), at=SETTLED)

    def test_a_hold_whose_day_is_over_keeps_nothing(self, old: list[Delivery]) -> None:
        self.placed(old[0], until=retention.last_day_of(DUE))
        purging.do(DUE)
        assert not SealedCopy.objects.exists()

    def test_bad_input_and_strangers(self, old: list[Delivery]) -> None:
        for said in ({"authority": " "}, {"reason": ""}, {"until": builders.NOW.date() - timedelta(days=1)}):
            with pytest.raises(InputError):
                self.placed(old[0], **said)
        for login in ("dana_analyst", "ada_administrator", "pia_partner"):
            with pytest.raises(NotFound):
                legal_holds.place(old[0].receipt, authority="x", reason="x", until=None, by=people.call(login),
                                  at=builders.NOW)  # fmt: skip
        purging.do(DUE)
        with pytest.raises(Conflict):
            self.placed(old[0])

    def test_on_its_page(self, client: Client, old: list[Delivery]) -> None:
        people.let_in(client, "lena_legal")
        address = reverse("legal-holds")
        assert "Nothing is under a legal hold" in client.get(address).content.decode()
        said = {"receipt": "no-such", "authority": "Court of X", "reason": "Trial"}
        assert client.post(address, said).status_code == 422
        assert client.post(address, {**said, "receipt": old[0].receipt}).status_code == 302
        assert "Court of X" in client.get(address).content.decode()
        held = old[0].legal_holds.get()
        client.post(reverse("legal-hold-lift", args=[held.pk]), {"reason": ""})
        held.refresh_from_db()
        assert held.lifted_at is None
        client.post(reverse("legal-hold-lift", args=[held.pk]), {"reason": "Final"})
        held.refresh_from_db()
        assert held.lifted_by == "lena_legal"
        assert client.post(reverse("purge-order"), {"receipt": old[1].receipt}).status_code == 302
        old[1].refresh_from_db()
        assert old[1].state == "expired"
        assert Purge.objects.get().rule == "order"


def test_the_clock_sets_it_off(old: list[Delivery]) -> None:
    ending.tick(OVER)
    assert set(Delivery.objects.filter(pk__in=[each.pk for each in old]).values_list("state", flat=True)) == {"expired"}
    ending.tick(OVER + timedelta(minutes=1))
    assert Job.objects.filter(kind=ending.ROUND).count() == 1
    Job.objects.update(run_at=builders.NOW - timedelta(days=1))
    twice = old[0].batches.get()
    for batch in (twice, builders.batch(builders.delivery(old[0].organisation), builders.handling())):
        builders.objects(batch, [builders.indicator(1)])
    Batch.objects.filter(pk=twice.pk).update(expires_at=datetime.now(UTC))
    crew.work()
    twice.refresh_from_db()
    assert twice.moved_at >= twice.expires_at, "programs are told by the same round"
    assert Job.objects.get(kind=ending.ROUND).state == "done"
