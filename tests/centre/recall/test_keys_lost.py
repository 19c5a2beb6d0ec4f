"""The journal of recalls without the key that opens it: nothing is served, and nothing of it comes back (W38)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.test import Client
from tests import people
from tests.centre.recall.conftest import handed_over, known_of

from tocsin import cli
from tocsin.centre.audit import keys
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import vault
from tocsin.centre.intake.models import Batch, Delivery, SealKey
from tocsin.centre.members.models import Person
from tocsin.centre.recall import journal, services
from tocsin.centre.recall.models import Recall
from tocsin.centre.subscribers import sending
from tocsin.core.errors import Unavailable
from tocsin.credentials import alert_signatures, content_keys, sealing, web_push
from tocsin.credentials.content_keys import KeyMissing
from tocsin.site import own_keys

pytestmark = pytest.mark.django_db
GONE, KEPT = "198.51.100.9", "203.0.113.7"


@pytest.fixture
def sent(officers: list[Person], own_store: Path, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """A delivery that lost a part, in a database that has forgotten it: a restored backup."""
    own_keys.require("Tocsin", datetime.now(UTC))
    sent = handed_over(f"ip,malware,port\n{GONE},Emotet,443\n{KEPT},Emotet,443\n".encode(), "rows.csv")
    services.recall_parts(
        sent, [GONE], by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="",
        at=datetime.now(UTC),
    )  # fmt: skip
    Recall.objects.all().delete()
    Batch.objects.exclude(parted_from=None).update(hidden_at=None)
    for name in ("cli.serve.setup", "cli.seal.setup"):
        monkeypatch.setattr(f"tocsin.{name}", lambda: None)
    monkeypatch.setattr("tocsin.cli.serve._require_current", lambda: None)
    monkeypatch.setattr("tocsin.cli.serve.run_server", lambda *told: pytest.fail("it was served"))
    return sent


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.main, words)
    return done.exit_code, done.output


@pytest.mark.parametrize("name", [sealing.FILE, content_keys.FILE])
def test_a_file_that_is_lost_stops_the_start_and_is_given_up_on_word_alone(
    name: str, sent: Delivery, officers: list[Person], own_store: Path
) -> None:
    path = own_store / "keys" / name
    assert run("seal", "give-up", name, "--yes")[0] == 1, "what is right is not given up"
    right = path.read_bytes()
    path.unlink()
    vault._remembered.clear()
    for word in ("serve", "work"):
        code, said = run(word)
        assert code == 1
        assert f"{path} is missing: restore it from the backup" in said
    assert (path.exists(), Recall.objects.exists()) == (False, False)
    path.write_bytes(right)
    assert own_keys.faults() == {}
    path.unlink()
    code, said = run("seal", "give-up", name, "--yes")
    assert (code, own_keys.faults()) == (0, {}), said
    assert Entry.objects.get(action=keys.GIVEN_UP).subject == f"keys:{name}"
    if name == sealing.FILE:
        assert services.replay(datetime.now(UTC)) == 1
        assert [known_of(value, officers[0])[0] for value in (GONE, KEPT)] == [0, 0], "nobody knows which part it was"
        assert services.replay(datetime.now(UTC)) == 0
    else:
        assert not SealKey.objects.filter(about__startswith="original").exists()
        handed_over(b"ip\n203.0.113.11\n", "next.csv")  # Work goes on.


def test_a_journal_of_another_installation_is_named_with_what_to_do(sent: Delivery, own_store: Path) -> None:
    path = own_store / "keys" / sealing.FILE
    path.unlink()
    sealing.sealing_key(path.parent)
    Entry.objects.filter(action=keys.ADOPTED).delete()  # As if this database had been made with it.
    with pytest.raises(KeyMissing) as told:
        services.replay(datetime.now(UTC))
    wanted = (str(path), str(own_store / "recalls.jsonl"), sent.receipt, "installation that wrote this journal")
    assert all(each in str(told.value) for each in wanted)
    assert run("serve")[0] == 1
    assert not Recall.objects.exists()


def test_the_key_of_alerts_is_never_made_anew_beside_a_lost_one(sent: Delivery, own_store: Path) -> None:
    at, path = datetime.now(UTC), own_store / "keys" / alert_signatures.FILE
    assert own_keys.faults() == {}, "an installation that never signed an alert has none"
    first = keys.alert_key(at)
    assert keys.alert_key(at).fingerprint == first.fingerprint
    assert Entry.objects.filter(action=keys.ADOPTED, subject=f"keys:{alert_signatures.FILE}").count() == 1
    assert run("seal", "give-up", alert_signatures.FILE, "--yes")[0] == 1
    path.unlink()
    with pytest.raises(KeyMissing, match="is missing: restore it"):
        keys.alert_key(at)
    assert f"{path} is missing" in run("serve")[1]
    code, said = run("seal", "give-up", alert_signatures.FILE, "--yes")
    assert (code, own_keys.faults()) == (0, {}), said
    second = keys.alert_key(at)
    assert second.fingerprint != first.fingerprint
    former = path.parent / "former" / f"alert-certificate-{first.fingerprint[:16]}.pem"
    assert former.read_bytes() == first.certificate_pem, "readers still verify what it signed"


def test_the_key_that_browsers_know_is_never_made_anew_beside_a_lost_one(sent: Delivery, own_store: Path) -> None:
    at, path = datetime.now(UTC), own_store / "keys" / web_push.FILE
    assert own_keys.faults() == {}, "an installation in which no browser subscribed has none"
    first = sending.push_key(at).public
    assert sending.push_key(at).public == first
    assert Entry.objects.filter(action=keys.ADOPTED, subject=f"keys:{web_push.FILE}").count() == 1
    right = path.read_bytes()
    path.unlink()
    with pytest.raises(Unavailable, match="is missing: restore it"):
        sending.push_key(at)
    page = Client().get("/alert-service/push/en/")
    assert (page.status_code, path.exists()) == (503, False), "nobody subscribes to a key that will not last"
    assert f"{path} is missing" in run("serve")[1]
    web_push.load_or_make(path.parent)
    assert f"{path} is not the one" in own_keys.faults()[web_push.FILE], "another installation's"
    path.write_bytes(right)
    assert (own_keys.faults(), sending.push_key(at).public) == ({}, first)
    path.unlink()
    code, said = run("seal", "give-up", web_push.FILE, "--yes")
    assert (code, own_keys.faults()) == (0, {}), said
    assert sending.push_key(at).public != first


def test_half_a_line_swallows_no_whole_one(sent: Delivery) -> None:
    path = journal.places()[0]
    path.write_bytes(path.read_bytes() + b'{"key": "RC-20')
    journal.write({"key": "next"})
    assert len(list(journal.lines())) == 2
