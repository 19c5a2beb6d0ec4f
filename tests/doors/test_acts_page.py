"""The log of acts as people read it: found, proved, sampled, taken out, verified; searches are not everybody's."""

from __future__ import annotations

import ast
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import people, scene

from tocsin.centre.audit.models import Checkpoint, Entry
from tocsin.centre.audit.services import record
from tocsin.centre.audit.tree import keep
from tocsin.centre.jobs import worker
from tocsin.cli import main
from tocsin.site import act_log, acts
from tocsin.site.labels import ACTIONS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def auditor(client: Client) -> Client:
    people.let_in(client, "aida_auditor")
    return client


def text_of(client: Client, **asked: object) -> str:
    return client.get(reverse("acts"), asked).content.decode()


def test_acts_are_found_by_who_what_and_when(auditor: Client) -> None:
    for number in range(3):
        record("dana_analyst", "delivery.received", f"delivery:{number}", at=NOW + timedelta(days=number))
    record("rui_reviewer", "package.made", "package:FR-2026-0001", at=NOW)
    page = text_of(auditor, actor="dana_analyst", since="2026-11-23", until="2026-11-23")
    assert "delivery:1" in page
    assert "delivery:0" not in page
    assert "delivery:2" not in page
    assert "package:FR-2026-0001" in text_of(auditor, action="package.made")
    assert "No act fits" in text_of(auditor, subject="package")
    assert "Enter a valid date" in text_of(auditor, since="yesterday")


@pytest.mark.usefixtures("contexts")
def test_pages_follow_one_another(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "PER_PAGE", 2)
    for number in range(5):
        record("dana_analyst", "feed.run", f"feed:number-{number}", at=NOW)
    seen: list[str] = []
    after = ""
    for _ in range(3):
        response = auditor.get(reverse("acts"), {"actor": "dana_analyst", "after": after})
        seen += [act.entry.subject for act in response.context["acts"]]
        after = response.context["page"].next
    assert seen == [f"feed:number-{number}" for number in (4, 3, 2, 1, 0)]
    assert after == ""


def test_what_people_searched_for_is_for_auditors(client: Client) -> None:
    record("dana_analyst", "lookup", "value:domain", {"value": "sought.example", "rows": 3}, at=NOW)
    entry = Entry.objects.latest("pk")
    keep(act_log.log_of_acts(), NOW)
    for login, may_know in (("ada_administrator", False), ("aida_auditor", True), ("lena_legal", True)):
        people.let_in(client, login)
        pages = [client.get(reverse("act", args=[entry.pk])), client.get(reverse("acts"))]
        exports = [client.get(reverse("acts-export"), {"format": form}) for form in ("csv", "jsonl")]
        shown = [page.content for page in pages] + [b"".join(each.streaming_content) for each in exports]  # type: ignore[attr-defined]
        assert any(b"sought.example" in page for page in shown) is may_know
        assert client.get(reverse("act-proof", args=[entry.pk])).status_code == (200 if may_know else 404)


def test_a_proof_is_checked_offline_and_a_forged_one_is_not(auditor: Client, tmp_path: Path) -> None:
    for number in range(20):
        record("dana_analyst", "feed.run", f"feed:{number}", at=NOW)
    entry = scene.signed_act()
    proof, key = tmp_path / "act.json", tmp_path / "log.pub"
    proof.write_bytes(auditor.get(reverse("act-proof", args=[entry.pk])).content)
    key.write_bytes(auditor.get(reverse("acts-key")).content)
    run = CliRunner().invoke(main, ["audit", "check", str(proof), "--key", str(key)])
    assert run.exit_code == 0, run.output
    assert "delivery.received" in run.output
    told = json.loads(proof.read_text())
    for forged in (
        told | {"entry": told["entry"].replace("dana_analyst", "someone_else")},
        told | {"index": told["index"] - 1},
        told | {"hashes": told["hashes"][:-1]},
        told | {"hashes": "none"},
        {"entry": told["entry"]},
        told | {"checkpoint": told["checkpoint"].replace("\n21\n", "\n22\n")},
    ):
        proof.write_text(json.dumps(forged))
        run = CliRunner().invoke(main, ["audit", "check", str(proof), "--key", str(key)])
        assert run.exit_code == 1
        assert "does not hold" in run.output
    proof.write_text("not a proof")
    assert "This is not a proof" in CliRunner().invoke(main, ["audit", "check", str(proof)]).output


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xfe\x00", b"[]", b"7", b"null", b"[" * 100_000, b'{"entry": 1}', b'{"index": 1e400, "entry": "x"}',
        b'{"entry": "x", "index": 99999999999999999999, "hashes": [], "checkpoint": "a", "public_key": "a+b+c"}',
        b'{"entry": "x", "index": 0, "hashes": ["zz"], "checkpoint": 5, "public_key": 7}',
        b'{"entry": "\\ud800", "index": 0, "hashes": [], "checkpoint": "a", "public_key": "a+00000000+AAAA"}',
    ],
)  # fmt: skip
def test_what_is_no_proof_is_told_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "proof").write_bytes(content)
    good = tmp_path / "good"
    good.write_bytes(b"{}")
    for arguments in (("proof",), ("good", "--key", "proof")):
        paths = [each if each == "--key" else str(tmp_path / each) for each in arguments]
        done = CliRunner().invoke(main, ["audit", "check", *paths])
        assert isinstance(done.exception, SystemExit), done.exception
        assert (done.exit_code, done.output.count("Error: ")) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--after", "99999999999999999999"), 2),
        (("--after", "-2"), 2),
        (("--state", "binary"), 1),
        (("--state", "long"), 1),
        (("--state", "no-such-folder/state"), 1),
    ],
)
def test_where_to_go_on_is_a_place_in_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, str], status: int
) -> None:
    monkeypatch.setattr("tocsin.cli.audit.setup", lambda: None)
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"\xff\xfe")
    Path("long").write_text("9" * 30)
    done = CliRunner().invoke(main, ["audit", "export", *arguments])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == status, done.output
    assert not Entry.objects.filter(action="log.exported").exists(), "nothing was taken out"


def test_looking_through_the_log_on_the_command_line_is_an_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what people searched for before there were seals is shown to nobody there."""
    monkeypatch.setattr("tocsin.cli.audit.setup", lambda: None)
    record("dana_analyst", "lookup", "value:ipv4", {"value": "192.0.2.77", "rows": 3}, at=NOW)
    done = CliRunner().invoke(main, ["audit", "search", "--actor", "dana_analyst", "--json"])
    line = json.loads(done.output)
    assert (line["pk"], line["action"], line["withheld"]) == (Entry.objects.first().pk, "lookup", ["rows", "value"])
    assert "192.0.2.77" not in done.output
    CliRunner().invoke(main, ["audit", "search", "--subject", "x" * 100_000])
    noted = Entry.objects.filter(action="log.searched", actor="command").order_by("pk").values_list("detail", flat=True)
    assert json.loads(noted[0]) == {"asked": {"actor": "dana_analyst"}}
    assert len(noted[1]) < 200


def test_an_act_that_no_checkpoint_covers_waits(auditor: Client) -> None:
    record("dana_analyst", "feed.run", "feed:x", at=NOW)
    entry = Entry.objects.latest("pk")
    assert "Waits for its checkpoint" in auditor.get(reverse("act", args=[entry.pk])).content.decode()
    assert auditor.get(reverse("act-proof", args=[entry.pk])).status_code == 404


@pytest.mark.usefixtures("contexts")
def test_a_sample_is_the_same_for_whoever_draws_it(auditor: Client) -> None:
    for number in range(60):
        record("dana_analyst", "lookup", "value:domain", {"value": f"{number}.example"}, at=NOW)
    drawn = [
        [act.entry.pk for act in auditor.get(reverse("acts"), {"action": "lookup", "sample": 10}).context["acts"]]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 10
    assert drawn[0] != [entry.pk for entry in Entry.objects.filter(action="lookup").order_by("-pk")[:10]]


def test_taking_entries_out_is_an_act_and_harmless_in_a_spreadsheet(auditor: Client) -> None:
    record("=cmd|' /C calc'!A0", "sign-in.failed", "person:-", {"address": "192.0.2.1"}, at=NOW)
    export = auditor.get(reverse("acts-export"), {"action": "sign-in.failed"})
    lines = b"".join(export.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "number,place,at,actor,action,subject,detail"
    assert "'=cmd" in lines[1]
    assert len(lines) == 2
    noted = Entry.objects.get(action="log.exported")
    assert noted.actor == "aida_auditor"
    assert json.loads(noted.detail) == {"asked": {"action": "sign-in.failed"}, "until": noted.pk - 1}
    assert auditor.get(reverse("acts-export"), {"since": "yesterday"}).status_code == 404


def test_who_looks_through_the_log_leaves_an_entry_too(auditor: Client) -> None:
    auditor.get(reverse("acts"))
    assert not Entry.objects.filter(action="log.searched").exists()
    auditor.get(reverse("acts"), {"actor": "dana_analyst"})
    auditor.get(reverse("acts"), {"action": "lookup", "sample": 10})
    noted = [json.loads(entry.detail) for entry in Entry.objects.filter(action="log.searched").order_by("pk")]
    assert noted == [{"asked": {"actor": "dana_analyst"}}, {"asked": {"action": "lookup"}, "sample": 10}]


def test_a_verification_says_what_it_found(auditor: Client) -> None:
    for number in range(5):
        record("dana_analyst", "feed.run", f"feed:{number}", at=NOW)
    keep(act_log.log_of_acts(), NOW)
    handlers = {act_log.VERIFY: act_log.verify}
    assert auditor.post(reverse("acts-verify")).status_code == 302
    assert Entry.objects.get(action="log.verification-asked").actor == "aida_auditor"
    assert "A worker hashes every entry again." in text_of(auditor)
    assert worker.run_one("one", handlers)
    assert "all as signed" in text_of(auditor)
    Entry.objects.filter(subject="feed:3").update(actor="somebody_else")
    auditor.post(reverse("acts-verify"))
    assert worker.run_one("one", handlers)
    page = text_of(auditor)
    assert "The log is not what was signed." in page
    assert "is not what was written" in page


def test_w25_a_tree_that_was_rebuilt_sets_off_the_alarm_of_the_next_verification(
    auditor: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, second_place=str(elsewhere)))
    for number in range(5):
        record("dana_analyst", "lookup", f"value:{number}", at=NOW)
    keep(act_log.log_of_acts(), NOW)
    Entry.objects.get(subject="value:3").delete()
    Entry.objects.update(place=None)
    Checkpoint.objects.all().delete()
    shutil.rmtree(act_log.log_of_acts().store / "log")
    assert keep(act_log.log_of_acts(), NOW) is not None, "who holds the machine can sign a tree anew"
    act_log.tick(timezone.now() - timedelta(seconds=1))
    assert worker.run_one("one", {act_log.VERIFY: act_log.verify})
    assert "The log of acts is not what was signed" in caplog.text
    assert "a checkpoint in the second place" in auditor.get(reverse("home")).content.decode(), (
        "an auditor's first page"
    )
    officer = Client()
    people.let_in(officer, "lena_legal")
    assert "Faults found in the log of acts" in officer.get(reverse("home")).content.decode()


def test_what_is_not_signed_any_more_is_verified_within_the_hour(auditor: Client) -> None:
    """Where the entries do not continue the last checkpoint, the alarm does not wait for the next day."""
    begin = timezone.now() - timedelta(hours=5)
    handlers = {act_log.VERIFY: act_log.verify}
    for number in range(5):
        record("dana_analyst", "feed.run", f"feed:{number}", at=begin)
    act_log.tick(begin)
    while worker.run_one("one", handlers):
        pass
    log = act_log.log_of_acts()
    Entry.objects.filter(subject="feed:3").update(leaf=bytes(32))
    log.rows.clear()
    record("dana_analyst", "feed.run", "feed:later", at=begin + timedelta(minutes=2))
    for minutes in (3, 40, 100):
        act_log.tick(begin + timedelta(minutes=minutes))
        while worker.run_one("one", handlers):
            pass
    assert act_log.faults_found()
    assert "no worker signs one" in text_of(auditor)


def test_every_day_the_log_is_verified_by_itself() -> None:
    first = timezone.now() - timedelta(days=2)
    for hours in (0, 5, 23, 25):
        act_log.tick(first + timedelta(hours=hours))
        while worker.run_one("one", {act_log.VERIFY: act_log.verify}):
            pass
    assert Entry.objects.filter(action="log.verified").count() == 2


def test_a_log_that_nobody_signs_is_said(auditor: Client) -> None:
    record("dana_analyst", "feed.run", "feed:x", at=timezone.now() - timedelta(hours=1))
    assert "no worker signs one" in text_of(auditor)
    keep(act_log.log_of_acts(), timezone.now())
    assert Checkpoint.objects.exists()
    assert "no worker signs one" not in text_of(auditor)


def test_every_action_of_the_code_has_a_name() -> None:
    named = set()
    for path in Path("src/tocsin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "record" and len(node.args) >= 3:
                named |= {
                    each.value
                    for each in ast.walk(node.args[1])
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
    assert len(named) > 30
    parts = {name for name in named if name.endswith(".") or name.startswith("-")}  # Of names put together.
    assert named - parts - set(ACTIONS) == set()
