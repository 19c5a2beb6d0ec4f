"""Recalls (SM-10): hidden everywhere at once, everybody who had it told, answers kept, a certificate at the end."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.conf import settings
from django.test import Client
from django.urls import reverse
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import certificates, journal, services
from tocsin.centre.recall.models import Notice, Recall
from tocsin.centre.recall.rules import SETTLES
from tocsin.centre.release.models import Package
from tocsin.cli import main
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp
from tocsin.credentials import load_or_make, verify
from tocsin.lake.scope import Batches

pytestmark = pytest.mark.django_db
NOW = builders.NOW
CHANCE = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"|hx-headers=\'[^\']+\'')
"""What no two answers have in common."""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))


@pytest.fixture
def twelve() -> list[Person]:
    """Officers of twelve bureaus; the first has a unit of its own."""
    codes = ("FR", "JO", "BR", "KE", "JP", "SN", "PE", "CA", "IN", "DE", "EG", "AU")
    officers = [builders.person(f"officer_{code.lower()}", builders.bureau(code), "officer") for code in codes]
    builders.organisation("unit-of-fr", class_name="law-enforcement", country="FR", parent=officers[0].organisation)
    return officers


@pytest.fixture
def sent(twelve: list[Person]) -> Batch:
    """What northwind handed over: nine bureaus took it, two of them by a package."""
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(delivery, builders.handling(Tlp.AMBER))
    for officer in twelve[:7]:
        took(officer, Taking.Channel.API, [batch.pk], NOW)
    for officer in twelve[7:9]:
        took(officer, Taking.Channel.PACKAGE, [batch.pk], NOW, reference=f"{officer.organisation.country}-2026-0001")
    package(batch, "FR-2026-0001")
    package(None, "FR-2026-0002")
    return batch


def package(of: Batch | None, number: str) -> Package:
    held = Batches([of.pk] if of else [])
    return Package.objects.create(
        country="FR", number=number, arrived_from=NOW, arrived_until=NOW, language="fr", path="-", sha256="-",
        size_bytes=1, rows=1, summary={"values_new": 1, "tlp": "TLP:AMBER"}, batches=held.packed(), created_at=NOW,
    )  # fmt: skip


def recalled(batch: Batch, by: str = "pia_partner", at: datetime = NOW, action: str = "destroy") -> Recall:
    said = {"reason": "source-withdrawal", "action": action, "note": ""}
    return services.recall(batch.delivery, by=people.call(by), at=at, **said)


def answered(
    made: Recall, officer: Person, state: str = "destroyed", *, for_units: bool = True, note: str = ""
) -> None:
    notice = made.notices.get(organisation=officer.organisation)
    services.answer(notice, by=officer, state=state, for_units=for_units, note=note, at=NOW + timedelta(hours=1))


def test_w04_a_recall_reaches_twelve_and_ends_with_its_certificate(twelve: list[Person], sent: Batch) -> None:
    made = recalled(sent)
    for login in people.CAST:
        assert sent not in visible_batches(viewer_of(people.call(login)), NOW)
    states = dict(made.notices.values_list("organisation__slug", "state"))
    assert {slug for slug, state in states.items() if state == "informed"} == {
        officer.organisation.slug for officer in twelve[:9]
    }
    nothing_taken = {officer.organisation.slug for officer in twelve[9:]}
    assert nothing_taken <= {slug for slug, state in states.items() if state == "nothing-taken"}
    assert "northwind" not in states
    assert made.packages == ["FR-2026-0001"]
    assert Package.objects.get(number="FR-2026-0002").recalled_at is None

    with pytest.raises(Refused, match="without-units"):
        answered(made, twelve[0], for_units=False)
    for officer in twelve[:8]:
        answered(made, officer)
    made.refresh_from_db()
    assert made.closed_at is None

    services.tick(NOW + timedelta(hours=71))
    assert Recall.objects.get().escalated_at is None
    services.tick(NOW + timedelta(hours=72))
    services.tick(NOW + timedelta(hours=73))
    assert Entry.objects.filter(action="recall.escalated").count() == 1

    answered(made, twelve[8])
    made.refresh_from_db()
    certificate = json.loads(made.certificate)
    installation: Any = settings.INSTALLATION
    key = load_or_make(installation.home / "keys", installation.organisation)
    assert verify(certificate["body"].encode(), base64.b64decode(certificate["signature"]), key.public_pem)
    body = json.loads(certificate["body"])
    assert body["organisations"] == body["answered"] == len(states)
    assert {each["organisation"] for each in body["answers"]} == states.keys()
    assert json.loads(json.loads(certificates.for_source(made))["body"])["answers"]["destroyed"] == 9


def test_whoever_it_was_open_to_once_is_told(twelve: list[Person], sent: Batch) -> None:
    stranger = builders.organisation("observer", class_name="public-body")
    set_audience(Batch.objects.filter(pk=sent.pk), None)
    made = recalled(sent)
    assert set(made.notices.values_list("organisation__slug", flat=True)) == {
        officer.organisation.slug for officer in twelve
    }
    assert stranger.pk not in made.notices.values_list("organisation", flat=True)


def test_what_nobody_was_shown_closes_once_it_has_settled() -> None:
    delivery = builders.delivery(people.call("pia_partner").organisation)
    people.call("fleur_officer")
    batch = builders.batch(delivery, builders.handling(Tlp.AMBER), released_to=None)
    made = recalled(batch)
    services.tick(NOW + SETTLES - timedelta(seconds=1))
    assert Recall.objects.get(pk=made.pk).closed_at is None
    services.tick(NOW + SETTLES)
    assert Recall.objects.get(pk=made.pk).closed_at == NOW + SETTLES
    assert not made.notices.exists()
    with pytest.raises(Conflict):
        recalled(batch)


def test_who_was_still_taking_when_it_was_hidden_is_told_as_well(twelve: list[Person], sent: Batch) -> None:
    """An answer that had passed the gate, and whose note in the ledger came after the recall."""
    made = recalled(sent)
    late, other = twelve[10], builders.person("late_one", builders.organisation("outsider"), "manager")
    assert made.notices.get(organisation=late.organisation).state == "nothing-taken"
    took(late, Taking.Channel.API, [sent.pk], NOW + timedelta(seconds=2))
    took(other, Taking.Channel.API, [sent.pk], NOW + timedelta(seconds=3))
    services.tick(NOW + timedelta(minutes=1))
    services.tick(NOW + timedelta(minutes=2))
    assert made.notices.get(organisation=late.organisation).state == "informed"
    assert made.notices.get(organisation=other.organisation).state == "informed"
    assert Entry.objects.filter(action="recall.told").count() == 2


def test_an_objection_names_its_ground(twelve: list[Person], sent: Batch) -> None:
    made = recalled(sent)
    with pytest.raises(Refused, match="without-ground"):
        answered(made, twelve[1], "objected")
    answered(made, twelve[1], "objected", note="Court file 17")
    with pytest.raises(Conflict):
        answered(made, twelve[1])


def test_w38_a_restored_backup_recalls_again_before_anybody_is_served(twelve: list[Person], sent: Batch) -> None:
    recalled(sent)
    Recall.objects.all().delete()
    Batch.objects.update(hidden_at=None)
    Package.objects.update(recalled_at=None)
    assert services.replay(NOW + timedelta(days=1)) == 1
    assert services.replay(NOW + timedelta(days=1)) == 0
    for login in people.CAST:
        assert sent not in visible_batches(viewer_of(people.call(login)))
    assert Package.objects.get(number="FR-2026-0001").recalled_at
    assert Recall.objects.get().notices.filter(state="informed").count() == 9


def test_w38_at_the_first_request_what_was_recalled_is_out_of_reach(
    twelve: list[Person], sent: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reverse("object", args=[builders.objects(sent, [builders.indicator(1)])[0].pk])
    asked = Client()
    asked.force_login(twelve[0])
    assert asked.get(page).status_code == 200
    recalled(sent)
    Recall.objects.all().delete()
    Batch.objects.update(hidden_at=None)
    assert asked.get(page).status_code == 200, "as the backup has it"
    first: list[int] = []
    monkeypatch.setattr("tocsin.cli.serve.setup", lambda: None)
    monkeypatch.setattr("tocsin.cli.serve.run_server", lambda *port: first.append(asked.get(page).status_code))
    done = CliRunner().invoke(main, ["serve"])
    assert (done.exit_code, first) == (0, [404]), done.output
    assert "1 recalls were made again" in done.output


def test_a_recall_that_cannot_be_written_to_its_journal_does_not_happen(
    sent: Batch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "recalls.jsonl").mkdir()
    monkeypatch.setattr(journal, "places", lambda: [tmp_path / "recalls.jsonl"])
    with pytest.raises(OSError, match="directory"):
        recalled(sent)
    assert not Recall.objects.exists()
    assert Batch.objects.get(pk=sent.pk).hidden_at is None


def test_a_line_cut_off_by_a_crash_is_left_out(sent: Batch, tmp_path: Path) -> None:
    recalled(sent)
    path = journal.places()[0]
    path.write_bytes(path.read_bytes() + b'{"key": "RC-20')
    assert len(list(journal.lines())) == 1


def test_takings_grow_with_days_not_with_what_is_taken() -> None:
    officer = people.call("fleur_officer")
    for start in range(0, 100_000, 1_000):
        took(officer, Taking.Channel.API, Batches(range(start, start + 1_000)), NOW)
    took(officer, Taking.Channel.API, [7], NOW)
    took(people.call("dana_analyst"), Taking.Channel.API, [7], NOW)
    first, second = Taking.objects.order_by("block")
    assert (first.first, first.last, first.times) == (0, 65_535, 67)
    assert (second.first, second.last, second.times) == (65_536, 99_999, 35)
    assert max(len(taking.batches) for taking in (first, second)) < 100


class TestPages:
    """Through the doors."""

    def test_the_source_recalls_and_the_bureau_answers(self, client: Client, twelve: list[Person], sent: Batch) -> None:
        people.let_in(client, "pia_partner")
        ask = reverse("delivery-recall", args=[sent.delivery.receipt])
        page = client.get(ask).content.decode()
        assert "Recall this delivery" in page
        reply = client.post(ask, {"reason": "wrong-data", "action": "correct", "note": "Two addresses swapped"})
        made = Recall.objects.get()
        assert reply.headers["Location"] == reverse("recall", args=[made.number])
        mine = client.get(reverse("recall", args=[made.number])).content.decode()
        assert "NCB FR" not in mine
        assert client.get(reverse("recall-certificate", args=[made.number])).status_code == 404

        officer = twelve[0]
        client.force_login(officer)
        assert made.number in client.get(reverse("recalls")).content.decode()
        theirs = client.get(reverse("recall", args=[made.number])).content.decode()
        assert "Undo what you did" in theirs
        assert "Two addresses swapped" not in theirs
        assert "Northwind" not in theirs
        answer = reverse("recall-answer", args=[made.number])
        assert client.post(answer, {"state": "corrected"}).status_code == 422
        assert client.post(answer, {"state": "corrected", "for_units": "on"}).status_code == 302
        assert made.notices.get(organisation=officer.organisation).state == "corrected"

        people.let_in(client, "dario_duty")
        whole = client.get(reverse("recall", args=[made.number])).content.decode()
        assert "NCB FR" in whole
        assert "Two addresses swapped" in whole

    def test_whoever_took_it_is_told_under_which_reference_it_has_it(
        self, client: Client, twelve: list[Person], sent: Batch
    ) -> None:
        """Packages have numbers of their own; who took nothing is told of nothing."""
        made, receipt = recalled(sent), sent.delivery.receipt
        for officer, is_told in ((twelve[0], True), (twelve[7], False), (twelve[10], False)):
            client.force_login(officer)
            for page in (reverse("recalls"), reverse("recall", args=[made.number])):
                assert (receipt in client.get(page).content.decode()) is is_told
            [told] = client.get("/api/v1/recalls").json()["told"]
            assert told["reference"] == (receipt if is_told else "")

    def test_what_is_overdue_is_on_the_desk_of_who_may_recall(
        self, client: Client, twelve: list[Person], sent: Batch
    ) -> None:
        made = recalled(sent, at=datetime.now(UTC) - timedelta(hours=71))
        label, late = "Recalls that somebody has not answered in time", reverse("recalls") + "?state=overdue"
        people.let_in(client, "dario_duty", "en")
        assert label not in client.get("/").content.decode()
        assert made.number not in client.get(late).content.decode()
        Recall.objects.update(confirm_by=datetime.now(UTC) - timedelta(minutes=1))
        assert label in client.get("/").content.decode()
        assert made.number in client.get(late).content.decode()
        people.let_in(client, "rui_reviewer", "en")
        assert label not in client.get("/").content.decode()
        for officer in twelve[:9]:
            answered(made, officer)
        people.let_in(client, "dario_duty", "en")
        assert made.number not in client.get(late).content.decode()
        made.undos.create(organisation=twelve[0].organisation, made_at=NOW, due_at=NOW)
        Recall.objects.update(closed_at=None)
        assert made.number in client.get(late).content.decode(), "what is to be undone can be late, too"

    def test_who_can_answer_no_more_does_not_keep_it_open_for_ever(
        self, client: Client, twelve: list[Person], sent: Batch
    ) -> None:
        made = recalled(sent, at=datetime.now(UTC) - timedelta(hours=80))
        for officer in twelve[1:9]:
            answered(made, officer)
        page, close = (reverse(name, args=[made.number]) for name in ("recall", "recall-close"))
        people.let_in(client, "dana_analyst", "en")
        assert "Close it without" not in client.get(page).content.decode()
        assert client.post(close, {"reason": "x"}).status_code == 404
        people.let_in(client, "pia_partner", "en")
        assert client.post(close, {"reason": "x"}).status_code == 404, "its source does not decide on who answers"
        people.let_in(client, "dario_duty", "en")
        assert "Close it without" in client.get(page).content.decode()
        client.post(close, {"reason": " "})
        made.refresh_from_db()
        assert made.closed_at is None
        client.post(close, {"reason": "Suspended on Monday; its embassy was told"})
        made.refresh_from_db()
        body = json.loads(json.loads(made.certificate)["body"])
        assert body["closed_unanswered"] == "Suspended on Monday; its embassy was told"
        assert body["organisations"] - body["answered"] == 1
        late = [each["organisation"] for each in body["answers"] if each["state"] == "informed"]
        assert late == [twelve[0].organisation.slug]
        source = json.loads(json.loads(certificates.for_source(made))["body"])
        assert "closed_unanswered" not in source, "whose country is suspended is not for the source"
        assert source["answers"]["informed"] == "fewer than 3"
        answered(made, twelve[0])
        assert made.notices.get(organisation=twelve[0].organisation).state == "destroyed", "late is better than never"
        assert "Close it without" not in client.get(page).content.decode()

    def test_others_know_nothing_of_it(self, client: Client, twelve: list[Person], sent: Batch) -> None:
        made = recalled(sent)
        absent = made.number.replace("0001", "0002")
        people.let_in(client, "omar_partner")
        for name in ("recall", "recall-certificate"):
            numbered = [(number, client.get(reverse(name, args=[number]))) for number in (made.number, absent)]
            assert [reply.status_code for _, reply in numbered] == [404, 404]
            bodies = [CHANCE.sub(b"", reply.content.replace(number.encode(), b"")) for number, reply in numbered]
            assert bodies[0] == bodies[1]
        assert client.get(reverse("delivery-recall", args=[sent.delivery.receipt])).status_code == 404

    def test_w18_a_source_recalls_after_its_agreement_ended(self, client: Client, sent: Batch) -> None:
        source = Organisation.objects.get(slug="northwind")
        source.agreements.update(ends_on=(NOW - timedelta(days=400)).date())
        people.let_in(client, "mona_manager")
        ask = reverse("delivery-recall", args=[sent.delivery.receipt])
        reply = client.post(ask, {"reason": "source-withdrawal", "action": "destroy"})
        assert reply.status_code == 302
        assert Notice.objects.exists()

    def test_a_recalled_package_is_listed_and_not_given(
        self, client: Client, twelve: list[Person], sent: Batch
    ) -> None:
        recalled(sent)
        client.force_login(twelve[0])
        assert "Recalled" in client.get(reverse("package-list")).content.decode()
        assert client.get(reverse("package-download", args=["FR-2026-0001"])).status_code == 404


def test_a_clock_that_steps_back_and_forth_escalates_once_and_undoes_nothing(twelve: list[Person], sent: Batch) -> None:
    made = recalled(sent)
    for hours in (71.99, 10, 72.01, 5, 200, -3, 72.5):
        services.tick(NOW + timedelta(hours=hours))
    made.refresh_from_db()
    assert made.escalated_at == NOW + timedelta(hours=72.01)
    assert Entry.objects.filter(action="recall.escalated").count() == 1
    assert made.closed_at is None
    assert sent not in visible_batches(viewer_of(twelve[0]), NOW + timedelta(hours=1))
    assert made.notices.filter(state="informed").count() == 9
