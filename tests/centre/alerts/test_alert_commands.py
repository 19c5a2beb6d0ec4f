"""The life of an alert from a shell, and what programs of bureaus and partners may do with alerts."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.test import Client
from django.utils import timezone
from pdfminer.high_level import extract_text
from tests import alert_life, alerts_at_desk, people
from tests.crew import work
from tests.found_alerts import C2, OTHER, VICTIM, begun, hand_over
from tests.pure.test_rewriting import document, saved

from tocsin.centre.alerts import publishing
from tocsin.centre.alerts.models import Ground, Proposal, PublicFile, Version
from tocsin.centre.alerts.rules import State
from tocsin.centre.alerts.selectors import alerts_for, content_of
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Tally
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.services import add_key
from tocsin.cli import main
from tocsin.cli.readers import reader
from tocsin.core.words import Offence
from tocsin.products.alerts.draft import Named, Texts, to_json

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("public_site")]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands find the installation of the test, where nobody comes in from outside."""
    monkeypatch.setattr("tocsin.cli.alert_acts.setup", lambda: None)
    monkeypatch.setattr("tocsin.cli.alert_acts.reader", lambda *told: None)


def tell(*words: str, fails: bool = False) -> str:
    found = CliRunner().invoke(main, ["alert", *words])
    assert (found.exit_code != 0) == fails, found.output
    return found.output


def said(*words: str) -> Any:
    return json.loads(tell(*words, "--json"))


def in_file(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.write_text(json.dumps(content, default=str, ensure_ascii=False), encoding="utf-8")
    return str(path)


def test_from_a_finding_to_everybody_and_back_by_commands(tmp_path: Path) -> None:
    people.call("fleur_officer")
    for login in (alert_life.AUTHOR, alert_life.REVIEWER, alert_life.LEGAL, alert_life.RELEASER, alert_life.CHECKER):
        people.call(login)
    ground = hand_over()
    made = said("start", f"delivery:{ground.receipt}", "--as", alert_life.AUTHOR)
    name = made["reference"]
    content = {**Version.objects.get().content, "texts": to_json(alert_life.texts()), "offence": Offence.FRAUD.value}
    written = in_file(tmp_path, "draft.json", content)
    tell("write", name, written, "--base", "1", "--as", alert_life.AUTHOR)
    assert "meanwhile" in tell("write", name, written, "--base", "7", "--as", alert_life.AUTHOR, fails=True)
    tell("submit", name, "--as", alert_life.AUTHOR)
    tell("return", name, "--reason", "Shorter", "--as", alert_life.REVIEWER)
    tell("submit", name, "--as", alert_life.AUTHOR)
    assert "Your role" in tell("pass", name, "--as", alert_life.AUTHOR, fails=True)
    tell("pass", name, "--as", alert_life.REVIEWER)
    tell("pass", name, "--as", alert_life.LEGAL)
    for language in ("fr", "es", "ar"):
        words = in_file(tmp_path, f"{language}.json", to_json(alert_life.texts(language)))
        tell("translate", name, language, words, "--as", alert_life.AUTHOR)
        tell("check", name, language, "--as", alert_life.CHECKER)
    tell("approve", name, "--as", alert_life.RELEASER)
    work()
    tell("publish", name, "--as", alert_life.RELEASER)
    shown = said("show", name, "--as", alert_life.RELEASER)
    assert shown["state"] == State.PUBLIC
    assert [each["act"] for each in shown["steps"]][-1] == "publish-public"
    number = shown["alert"]
    assert PublicFile.objects.filter(path=f"ar/{number}/").exists()
    assert [each["alert"] for each in said("list", "--as", "fleur_officer")] == [number]
    police = json.loads(tell("show", number, "--as", "fleur_officer"))
    assert [each["value"] for each in police["indicators"]] == [C2]
    reasons = [part for language, text in alert_life.REASONS.items() for part in ("--reason", f"{language}={text}")]
    tell("cancel", number, *reasons, "--as", alert_life.AUTHOR)
    tell("cancel", number, "--confirm", "--as", alert_life.RELEASER)
    assert PublicFile.objects.get(path=f"ar/{number}/").is_gone


def test_who_may_not_is_told_why() -> None:
    people.call("pia_partner")
    ground = hand_over()
    assert "Only the Centre" in tell("start", f"delivery:{ground.receipt}", "--as", "pia_partner", fails=True)
    assert "--as LOGIN" in tell("list", fails=True)
    people.call("dana_analyst")
    assert "no such alert" in tell("show", "A-2026-NOTHING", "--as", "dana_analyst", fails=True)


def test_a_proposal_by_command_and_by_program(tmp_path: Path, client: Client) -> None:
    people.call("pia_partner")
    wanted = to_json(Texts(title="Parcels", happening="They ask for money."))
    path = in_file(tmp_path, "wish.json", {"texts": wanted})
    made = json.loads(tell("propose", path, "--as", "pia_partner", "--json"))
    assert made["state"] == "open"
    client.force_login(people.call("pia_partner"))
    answer = client.post("/api/v1/alert-proposals", json.dumps({"content": {"texts": wanted}, "note": "Soon"}),
                         content_type="application/json")  # fmt: skip
    assert answer.status_code == 201, answer.content
    listed = client.get("/api/v1/alert-proposals").json()
    assert {each["reference"] for each in listed} == {made["reference"], answer.json()["reference"]}
    one = client.get(f"/api/v1/alert-proposals/{made['reference']}")
    assert one.json()["state"] == Proposal.State.OPEN
    client.force_login(people.call("omar_partner"))
    assert client.get("/api/v1/alert-proposals").json() == []
    assert client.get(f"/api/v1/alert-proposals/{made['reference']}").status_code == 404


def test_a_bureau_reads_by_program_and_publishes_nothing(client: Client) -> None:
    version = alert_life.with_police(begun())
    number = version.alert.number
    client.force_login(people.call("fleur_officer"))
    assert [each["number"] for each in client.get("/api/v1/alerts").json()] == [number]
    body = client.get(f"/api/v1/alerts/{number}?language=fr").json()
    assert (body["language"], body["is_fallback"]) == ("fr", False)
    assert body["title"] == alert_life.TITLES["fr"]
    assert body["own_country"] == "FR"
    assert VICTIM not in json.dumps(body)
    version.translations.filter(language="fr").update(source_digest="old")
    body = client.get(f"/api/v1/alerts/{number}?language=fr").json()
    assert (body["language"], body["is_fallback"]) == ("en", True), "W22"
    for form in ("stix", "misp", "csv"):
        assert client.get(f"/api/v1/alerts/{number}/{form}").status_code == 200
    assert Taking.objects.filter(reference=number, organisation__slug="ncb-fr").exists()
    answer = client.post(f"/api/v1/alerts/{number}/publish")
    assert answer.status_code == 403
    assert Entry.objects.filter(action="alert.publish-refused", actor="fleur_officer").exists()
    client.force_login(people.call("pia_partner"))
    assert client.get("/api/v1/alerts").json() == []
    assert client.get(f"/api/v1/alerts/{number}").status_code == 404


def test_one_action_begins_an_alert_on_a_page(client: Client) -> None:
    ground = hand_over()
    client.force_login(people.call("dana_analyst"))
    assert b"Start an alert" in client.get(f"/deliveries/{ground.receipt}/").content
    answer = client.post("/alert-desk/begin/", {"from": f"delivery:{ground.receipt}"})
    made = Version.objects.get()
    assert answer["Location"] == f"/alert-desk/{made.alert.reference}/write/"
    assert made.alert.begun_from == f"delivery:{ground.receipt}"
    client.post("/alert-desk/begin/", {"from": f"value:{C2}"})
    assert Version.objects.latest("pk").alert.begun_from == "value"
    for odd in ("delivery:nothing", "object:x", "batch:99", "hit:1", "family::Nothing", "alert:A-2026-X"):
        assert client.post("/alert-desk/begin/", {"from": odd}).status_code == 404, odd
    client.force_login(people.call("fleur_officer"))
    assert client.post("/alert-desk/begin/", {"from": f"delivery:{ground.receipt}"}).status_code in {403, 404}


def test_an_alert_begins_from_a_family_seen_in_a_country(client: Client) -> None:
    hand_over(body=b"time,ip,event type,role,malware,country\n"
                   b"2026-11-20T10:00:00Z,198.51.100.9,c2-server,ATTACKER_INFRA,Emotet,FR\n")  # fmt: skip
    client.force_login(people.call("dana_analyst"))
    assert b'value="family:FR:Emotet"' in client.get("/countries/FR/").content
    client.post("/alert-desk/begin/", {"from": "family:FR:Emotet"})
    made = Version.objects.get()
    assert (made.alert.begun_from, made.grounds.exists()) == ("family:FR:Emotet", True)
    client.force_login(people.call("fleur_officer"))
    assert b"family:FR" not in client.get("/countries/FR/").content


def test_the_document_tells_a_bureau_the_share_of_its_own_country(client: Client) -> None:
    ground = hand_over()
    version = alert_life.with_police(begun(ground))
    Tally.objects.filter(batch__delivery=ground, role="VICTIM").update(country="FR", rows=1_234_567)
    for login, wanted in (("fleur_officer", True), ("khalil_officer", False)):
        client.force_login(people.call(login))
        document = client.get(f"/police-alerts/{version.alert.number}/pdf/")
        figures = "".join(filter(str.isdecimal, extract_text(io.BytesIO(document.content))))
        assert ("1234567" in figures) is wanted, login
    assert Taking.objects.filter(reference=version.alert.number, organisation__slug="ncb-fr").exists()


def test_a_translator_works_on_an_alert_from_a_finding_and_reads_nothing_that_it_rests_on(client: Client) -> None:
    open_to_all, closed = hand_over(), hand_over("TLP:RED", body=OTHER)
    alert = begun(open_to_all).alert
    translator = alerts_at_desk.translator()
    assert list(alerts_for(translator)) == [alert]
    client.force_login(translator)
    page = client.get(f"/alert-desk/{alert.reference}/review/").content.decode()
    assert open_to_all.receipt not in page
    assert client.get(f"/deliveries/{open_to_all.receipt}/").status_code in {403, 404}
    Ground.objects.create(version=alert.versions.get(), batch=closed.batches.first())
    assert not alerts_for(translator).exists(), "its readers are named, and a translator is none of them"


def test_the_desk_leads_to_what_it_published(client: Client) -> None:
    version = alert_life.with_police(alert_life.begun())
    address = f"/alert-desk/{version.alert.reference}/"
    client.force_login(people.call("dana_analyst"))
    before = client.get(address).content.decode()
    assert f"/deliveries/{version.delivery.receipt}/" in before
    assert "/alerts/en/" not in before, "nobody is led to a page that is not there"
    publishing.publish_public(version, by=people.call(alert_life.RELEASER), at=timezone.now())
    [link] = re.findall(r'href="(/alerts/[^"]+)"', client.get(address).content.decode())
    assert client.get(link).status_code == 200
    alert_life.cancelled(alert_life.fresh(version))
    assert link not in client.get(address).content.decode()


def test_a_bureau_reads_its_page_and_the_desk_sees_who_did(client: Client) -> None:
    named = alert_life.begun(persons=(Named(name="Zora Quellwasser", status="suspect"),), is_public=False)
    version = alert_life.with_police(named)
    number = version.alert.number
    client.force_login(people.call("fleur_officer"))
    assert alert_life.TITLES["fr"].encode() in client.get("/police-alerts/").content
    page = client.get(f"/police-alerts/{number}/")
    assert b"Zora Quellwasser" in page.content
    for form in ("stix", "misp", "csv"):
        file = client.get(f"/police-alerts/{number}/{form}/")
        assert file.status_code == 200
        assert b"Zora" not in file.content
    document = client.get(f"/police-alerts/{number}/pdf/")
    assert document["Content-Type"] == "application/pdf"
    shown = " ".join(extract_text(io.BytesIO(document.content)).split())
    for words in ("Zora Quellwasser", alert_life.TITLES["fr"], f"/received/{version.delivery.receipt}/"):
        assert words in shown
    by_program = extract_text(io.BytesIO(client.get(f"/api/v1/alerts/{number}/pdf").content))
    assert number in by_program
    assert "Zora" not in by_program, "programs get nobody's name"
    assert client.get(f"/police-alerts/{number}/exe/").status_code == 404
    client.force_login(people.call("pia_partner"))
    assert client.get(f"/police-alerts/{number}/").status_code == 404
    client.force_login(people.call("dana_analyst"))
    shown = client.get(f"/alert-desk/{version.alert.reference}/effect/")
    assert b"NCB FR" in shown.content


def a_key(login: str, *scopes: str) -> str:
    at = timezone.now()
    said = {"name": "test", "scopes": scopes, "expires_at": at + timedelta(days=30), "by": "test", "at": at}
    return add_key(person=people.call(login), **said)[1]  # type: ignore[arg-type]


def test_a_key_writes_with_its_own_scope_and_lets_nothing_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where people come in, the command line is a door for programs."""
    monkeypatch.setattr("tocsin.cli.alert_acts.reader", reader)
    made = begun()
    secret = a_key(alert_life.AUTHOR, "deliver", "read")
    monkeypatch.setenv("TOCSIN_KEY", secret)
    assert "lacks the scope alerts" in tell("submit", made.alert.reference, fails=True)
    secret = a_key(alert_life.AUTHOR, "alerts")
    monkeypatch.setenv("TOCSIN_KEY", secret)
    tell("submit", made.alert.reference)
    version = alert_life.ready(made)
    secret = a_key(alert_life.RELEASER, "alerts")
    monkeypatch.setenv("TOCSIN_KEY", secret)
    assert "A person does it at the desk" in tell("approve", version.alert.reference, fails=True)
    version = alert_life.with_police(version)
    by = people.call(alert_life.AUTHOR)
    publishing.ask_cancel(version, alert_life.REASONS, by=by, at=timezone.now())
    for act in (("publish",), ("cancel", "--confirm")):
        assert "A person does it at the desk" in tell(act[0], str(version.alert), *act[1:], fails=True)
    assert alert_life.fresh(version).state == State.POLICE
    assert not PublicFile.objects.exists()


def test_a_document_is_attached_by_command(tmp_path: Path) -> None:
    version = alert_life.begun()
    path = tmp_path / "letter.pdf"
    path.write_bytes(saved(document()))
    told = ("--title", "A sample", "--base", str(version.revision), "--as", alert_life.AUTHOR)
    tell("attach", version.alert.reference, str(path), "--public", *told)
    [annex] = content_of(alert_life.fresh(version)).annexes
    assert (annex.is_public, annex.pages) == (True, 1)
    path.write_bytes(b"<svg/>")
    again = (*told[:3], str(alert_life.fresh(version).revision), *told[4:])
    assert "no PDF" in tell("attach", version.alert.reference, str(path), *again, fails=True)
