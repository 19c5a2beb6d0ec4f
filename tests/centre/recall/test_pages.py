"""Single parts, corrections and tasks to undo, through the doors: pages and programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.centre.recall.conftest import bundle, handed_over, indicator, known_of
from tests.crew import work

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Delivery
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.services import add_key
from tocsin.centre.recall.models import Recall, Undo

pytestmark = pytest.mark.django_db
IDS = [f"indicator--00000000-0000-4000-8000-{n:012x}" for n in (1, 2)]


@pytest.fixture
def sent(officers: list[Person]) -> Delivery:
    """Two indicators that NCB FR took."""
    made = handed_over(bundle(indicator(1, "198.51.100.9"), indicator(2, "203.0.113.7")), "iocs.json")
    took(officers[0], Taking.Channel.API, list(made.batches.values_list("pk", flat=True)), datetime.now(UTC))
    return made


def test_chosen_seen_and_recalled(client: Client, officers: list[Person], sent: Delivery) -> None:
    people.let_in(client, "pia_partner")
    address = reverse("delivery-recall-parts", args=[sent.receipt])
    assert address in client.get(reverse("delivery-recall", args=[sent.receipt])).content.decode()
    page = client.get(address).content.decode()
    assert IDS[0] in page
    assert IDS[0] not in client.get(address, {"q": "203.0.113"}).content.decode()
    said = {"reason": "wrong-data", "action": "correct", "note": ""}
    unknown = client.post(address, {**said, "step": "look", "parts": "192.0.2.200"})
    assert unknown.status_code == 422
    assert "192.0.2.200" in unknown.content.decode()
    assert not Recall.objects.exists()
    seen = client.post(address, {**said, "step": "look", "part": [IDS[0]], "parts": ""})
    assert seen.status_code == 200
    assert not Recall.objects.exists()
    empty = {"corrections-TOTAL_FORMS": "1", "corrections-INITIAL_FORMS": "0"}
    wrong = {**empty, "corrections-0-field": "value", "corrections-0-became": ""}
    assert client.post(address, {**said, "step": "recall", "parts": IDS[0], **wrong}).status_code == 422
    right = {**empty, "corrections-0-field": "value", "corrections-0-became": "198.51.100.6"}
    reply = client.post(address, {**said, "step": "recall", "parts": IDS[0], **right})
    made = Recall.objects.get()
    assert reply.headers["Location"] == reverse("recall", args=[made.number])
    work()
    assert [known_of(each, officers[0])[0] for each in ("198.51.100.9", "198.51.100.6", "203.0.113.7")] == [0, 1, 1]
    mine = client.get(reverse("recall", args=[made.number])).content.decode()
    assert "198.51.100.6" in mine
    assert "NCB FR" not in mine

    client.force_login(officers[0])
    theirs = client.get(reverse("recall", args=[made.number])).content.decode()
    assert IDS[0] in theirs
    people.proves(client)
    taken = client.get(reverse("recall-recalled", args=[made.number])).json()
    assert Entry.objects.filter(action="recall.parts-fetched", actor=officers[0].login).count() == 1
    assert [(each["id"], each["revoked"]) for each in taken["stix"]] == [(IDS[0], True)]
    answer = {"state": "corrected", "acted": "on", "for_units": "on"}
    client.post(reverse("recall-answer", args=[made.number]), answer)
    undo = Undo.objects.get()
    assert (undo.organisation, undo.state) == (officers[0].organisation, "open")
    assert "What you did on a wrong word, to undo" in client.get(reverse("home")).content.decode()
    client.post(reverse("recall-undo", args=[made.number]), {"state": "not-applicable", "note": ""})
    undo.refresh_from_db()
    assert undo.state == "open"
    client.post(reverse("recall-undo", args=[made.number]), {"state": "done", "note": ""})
    undo.refresh_from_db()
    assert undo.state == "done"

    # Who never took any of it learns that there was something, and not what.
    client.force_login(officers[1])
    other = client.get(reverse("recall", args=[made.number])).content.decode()
    assert IDS[0] not in other
    assert "198.51.100" not in other
    assert client.get(reverse("recall-recalled", args=[made.number])).status_code == 404
    assert client.post(reverse("recall-undo", args=[made.number]), {"state": "done"}).status_code == 404


def test_by_program(client: Client, officers: list[Person], sent: Delivery) -> None:
    def ask(person: Person, scope: str, method: str, path: str, body: object = None) -> tuple[int, dict]:  # type: ignore[type-arg]
        now = timezone.now()
        _, secret = add_key(
            person=person,
            name=f"{scope} {path}",
            scopes=(scope,),
            expires_at=now + timedelta(days=9),
            by="test",
            at=now,
        )
        reply = client.generic(
            method, f"/api/v1{path}", json.dumps(body or {}), content_type="application/json",
            headers={"authorization": f"Bearer {secret}"},
        )  # fmt: skip
        return reply.status_code, reply.json()

    pia, fleur = people.call("pia_partner"), officers[0]
    wanted = {"reason": "wrong-data", "corrections": [{"part": "198[.]51.100.9", "became": "198.51.100.6"}]}
    path = f"/deliveries/{sent.receipt}/recall"
    assert ask(pia, "deliver", "POST", path, wanted)[0] == 403
    assert ask(people.call("omar_partner"), "recall", "POST", path, wanted)[0] == 404
    assert ask(pia, "recall", "POST", path, {**wanted, "reason": "mood"})[0] == 422
    status, made = ask(pia, "recall", "POST", path, wanted)
    assert (status, made["parts"], made["action"]) == (201, 1, "correct")
    assert ask(pia, "recall", "POST", path, wanted)[0] == 422
    work()
    told = ask(fleur, "read", "GET", "/recalls")[1]["told"][0]
    assert told["recalled"]["parts"] == [{"key": "198.51.100.9", "values": ["198.51.100.9"], "value": "198.51.100.6"}]
    other = ask(officers[1], "read", "GET", "/recalls")[1]["told"][0]
    assert (other["state"], other["recalled"]) == ("nothing-taken", None)
    answer = {"state": "corrected", "acted": True, "for_units": True}
    told = ask(fleur, "read", "POST", f"/recalls/{made['number']}/answer", answer)[1]
    assert told["undo"] == "open"
    assert ask(fleur, "read", "POST", f"/recalls/{made['number']}/answer", answer)[0] == 409
    assert ask(fleur, "read", "POST", f"/recalls/{made['number']}/undo", {"state": "done"})[1]["undo"] == "done"
    mine = ask(pia, "read", "GET", "/recalls")[1]["made"][0]
    assert mine["corrected_by"] == Recall.objects.get().successor.receipt  # type: ignore[union-attr]
    assert ask(fleur, "read", "GET", f"/recalls/{made['number']}/certificate")[0] in {403, 404}


def test_a_session_proves_itself_before_it_recalls_by_program(client: Client, sent: Delivery) -> None:
    client.force_login(people.call("pia_partner"))
    body = json.dumps({"reason": "wrong-data", "parts": [IDS[0]]})
    reply = client.post(f"/api/v1/deliveries/{sent.receipt}/recall", body, content_type="application/json")
    assert reply.status_code == 403
    assert not Recall.objects.exists()
    people.let_in(client, "pia_partner")
    reply = client.post(f"/api/v1/deliveries/{sent.receipt}/recall", body, content_type="application/json")
    assert reply.status_code == 201


def test_a_reopened_package_is_made_anew(client: Client, officers: list[Person], sent: Delivery) -> None:
    from tocsin.centre.jobs.models import Job
    from tocsin.centre.recall import remaking
    from tocsin.centre.release.models import Package

    package = Package.objects.create(
        country="FR", number="FR-2026-0001", arrived_from=builders.NOW, arrived_until=builders.NOW + timedelta(days=1),
        language="fr", path="-", sha256="-", size_bytes=1, rows=1, summary={"values_new": 1, "tlp": "TLP:AMBER"},
        created_at=builders.NOW,
    )  # fmt: skip
    made = Recall.objects.create(
        number="RC-2026-0001", delivery=sent, batches=b"", reason="legal", action="destroy", asked_by="lena_legal",
        organisation=builders.centre(), asked_at=builders.NOW, confirm_by=builders.NOW,
    )  # fmt: skip
    made.remakes.create(old=package)
    people.let_in(client, "dora_dissemination")
    assert "made anew" in client.get(reverse("recall", args=[made.number])).content.decode()
    assert "reopened" in client.get(reverse("home")).content.decode()
    assert client.post(reverse("recall-remake", args=[made.number])).status_code == 302
    assert Job.objects.filter(kind=remaking.REMAKE).count() == 1
    people.let_in(client, "fleur_officer")
    assert client.post(reverse("recall-remake", args=[made.number])).status_code == 404
