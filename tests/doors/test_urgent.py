"""What a source calls urgent: said at every door, first in every queue, and told how often it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import GiveKey, work
from tests.doors.test_taxii import GOOD, INBOX

from tocsin import cli
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import holding, services, urgency
from tocsin.centre.intake.models import Delivery, Hold
from tocsin.centre.jobs.models import Job
from tocsin.centre.partners import services as partners
from tocsin.centre.partners.models import Scorecard
from tocsin.centre.release import desk, releasing
from tocsin.centre.retention import ending
from tocsin.core.errors import Conflict, InputError, NotFound
from tocsin.core.words import Tlp
from tocsin.site.desk import tasks_for
from tocsin.taxii.media_types import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
TABLE = b"ip,last_seen\n192.0.2.7,2026-11-20T10:00:00Z\n"
WHY = "Die Anlage steht still – sie löschen gerade"
DELIVERIES = "/api/v1/deliveries"


def by_page(client: Client, give_key: GiveKey) -> None:
    people.let_in(client, "pia_partner", "en")
    said = {"organisation": "northwind", "files": SimpleUploadedFile("a.csv", TABLE), "urgent": WHY}
    assert client.post(reverse("upload"), said).status_code == 200


def by_program(client: Client, give_key: GiveKey) -> None:
    headers = {"Authorization": f"Bearer {give_key()}", "Tocsin-Urgent": WHY.encode().decode("latin-1")}
    answer = client.post(DELIVERIES, TABLE, content_type="application/octet-stream", headers=headers)
    assert answer.status_code == 202


def by_envelope(client: Client, give_key: GiveKey) -> None:
    headers = {
        "Authorization": f"Bearer {give_key()}", "Accept": MEDIA_TYPE,
        "Tocsin-Urgent": WHY.encode().decode("latin-1"),
    }  # fmt: skip
    answer = client.post(f"{INBOX}objects/", json.dumps(GOOD), content_type=MEDIA_TYPE, headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize("hand_over", [by_page, by_program, by_envelope])
def test_it_is_said_with_its_reason_when_handing_over(
    client: Client, give_key: GiveKey, hand_over: Callable[[Client, GiveKey], None]
) -> None:
    people.call("pia_partner")
    hand_over(client, give_key)
    made = Delivery.objects.get()
    assert (made.urgent_at, made.urgency) == (made.received_at, WHY)
    assert Job.objects.get(kind="read-delivery").priority == urgency.PRIORITY
    assert json.loads(Entry.objects.get(action="delivery.received").detail)["urgent"] is True
    with connection.cursor() as cursor:
        cursor.execute("SELECT urgency FROM intake_delivery")
        assert cursor.fetchone()[0].startswith("sealed:"), "it may tell what is in it"


def test_it_is_said_on_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    people.call("pia_partner")
    monkeypatch.setattr("tocsin.cli.ingest.setup", lambda: None)
    monkeypatch.setattr("tocsin.cli.ingest.work_through", lambda *said, **options: None)
    (tmp_path / "a.csv").write_bytes(TABLE)
    done = CliRunner().invoke(cli.main, ["ingest", str(tmp_path / "a.csv"), "--from", "northwind", "--urgent", WHY])
    assert done.exit_code == 0, done.output
    assert Delivery.objects.get().urgency == WHY


def waiting(name: str, received_at: datetime, urgent_at: datetime | None = None) -> Delivery:
    pia = people.call("pia_partner")
    made = builders.delivery(
        pia.organisation, name, received_at, person=pia, urgent_at=urgent_at, urgency=WHY if urgent_at else ""
    )
    builders.batch(made, builders.handling(Tlp.GREEN, codes=("H1",)), released_to=None)
    return made


@pytest.mark.usefixtures("contexts")
def test_the_desk_puts_it_first_and_says_by_when(client: Client) -> None:
    people.call("fleur_officer")  # Somebody to whom it can go.
    now = timezone.now()
    minutes = timedelta(minutes=1)
    waiting("calm-old.csv", now - 90 * minutes)
    urgent = waiting("urgent.csv", now - 20 * minutes, now - 20 * minutes)
    late = waiting("urgent-late.csv", now - 50 * minutes, now - 31 * minutes)
    waiting("calm-new.csv", now - 1 * minutes)
    builders.delivery(
        late.organisation, "held.csv", now, state="held", urgent_at=now
    )  # Of which the desk knows nothing.
    people.let_in(client, "dana_analyst", "en")
    for order, calm in (("newest", ["calm-new.csv", "calm-old.csv"]), ("oldest", ["calm-old.csv", "calm-new.csv"])):
        shown = client.get(reverse("release-desk"), {"order": order})
        names = [row.delivery.name for row in shown.context["rows"]]
        assert names == ["urgent-late.csv", "urgent.csv", *calm], "what is due first comes first"
    rows = {row.delivery.name: row for row in shown.context["rows"]}
    assert rows["urgent.csv"].due_at == urgent.urgent_at + timedelta(minutes=30)  # type: ignore[operator]
    assert [name for name, row in rows.items() if row.is_late] == ["urgent-late.csv"]
    assert "To be taken up by" in shown.content.decode()
    tasks = {str(task.label): task.count for task in tasks_for(people.call("dana_analyst"), now)}
    assert tasks["Urgent deliveries that nobody took up yet: they are due within 30 minutes"] == 2
    assert tasks["Deliveries that nobody took up within four hours, or 30 minutes where they are urgent"] == 1
    releasing.propose(late, late.batches.all(), audience=(), reason="", by=people.call("dana_analyst"), at=now)
    assert not desk.late_among(Delivery.objects.all(), now).exists(), "somebody took it up"
    page = client.get(reverse("release-of", args=[urgent.receipt])).content.decode()
    assert WHY in page
    assert "in 90 days: 4, called urgent: 2 (50 %)" in page


def test_it_is_late_half_an_hour_after_it_was_called_so() -> None:
    now = timezone.now()
    made = waiting("later.csv", now - timedelta(hours=2))
    urgency.call_urgent(made, reason=WHY, by=people.call("pia_partner"), at=now)
    every = Delivery.objects.all()
    half = timedelta(minutes=30)
    assert not desk.late_among(every, now + half - timedelta(microseconds=1)).exists()
    assert desk.late_among(every, now + half).get() == made


def test_who_calls_what_urgent(client: Client) -> None:
    """Its source, and whoever hands over for others; nobody else learns that there is anything."""
    made, now = waiting("a.csv", timezone.now()), timezone.now()
    for login in ("omar_partner", "fleur_officer", "lena_legal"):
        with pytest.raises(NotFound):
            urgency.call_urgent(made, reason=WHY, by=people.call(login), at=now)
    people.let_in(client, "omar_partner", "en")
    address = reverse("delivery-urgent", args=[made.receipt])
    assert client.post(address, {"reason": WHY}).status_code == 404
    people.let_in(client, "pia_partner", "en")
    assert address in client.get(reverse("delivery", args=[made.receipt])).content.decode()
    client.post(address, {"reason": " "})
    assert Delivery.objects.get().urgent_at is None
    shown = client.post(address, {"reason": WHY}, follow=True).content.decode()
    assert WHY in shown
    assert address not in shown, "it is urgent already"
    with pytest.raises(Conflict):
        urgency.call_urgent(made, reason="again", by=people.call("pia_partner"), at=now)
    assert Delivery.objects.get().urgency == WHY
    assert Entry.objects.get(action="delivery.called-urgent").actor == "pia_partner"


def test_what_waits_for_nobody_is_not_urgent(client: Client) -> None:
    people.call("fleur_officer")  # Somebody to whom it can go.
    pia, now = people.call("pia_partner"), timezone.now()
    made = waiting("a.csv", now)
    with pytest.raises(InputError, match="too-long"):
        urgency.call_urgent(made, reason="x" * 501, by=pia, at=now)
    proposed = releasing.propose(
        made, made.batches.all(), audience=(), reason="", by=people.call("dana_analyst"), at=now
    )
    releasing.release(proposed, by=people.call("dora_dissemination"), is_proved=True, at=now)
    with pytest.raises(Conflict):
        urgency.call_urgent(made, reason=WHY, by=pia, at=now)
    for state in ("refused", "withdrawn", "duplicate", "expired", "purged"):
        Delivery.objects.filter(pk=made.pk).update(state=state)
        with pytest.raises(Conflict):
            urgency.call_urgent(made, reason=WHY, by=pia, at=now)
    Delivery.objects.filter(pk=made.pk).update(state="quarantined")
    urgency.call_urgent(made, reason=WHY, by=pia, at=now)
    stuck = [task for task in tasks_for(people.call("dana_analyst"), now) if "could not be read" in str(task.label)]
    assert [task.count for task in stuck] == [1]


def test_by_program_it_is_called_urgent_later_and_read(client: Client, give_key: GiveKey) -> None:
    headers = {"Authorization": f"Bearer {give_key()}"}
    sent = client.post(DELIVERIES, TABLE, content_type="application/octet-stream", headers=headers).json()
    address = f"{DELIVERIES}/{sent['receipt']}/urgent"
    empty = client.post(address, {"reason": ""}, content_type="application/json", headers=headers)
    assert (empty.status_code, empty.json()["reason"]) == (422, "missing-field")
    said = client.post(address, {"reason": WHY}, content_type="application/json", headers=headers).json()
    assert (said["is_urgent"], said["urgency"]) == (True, WHY)
    due = datetime.fromisoformat(said["take_up_by"]) - Delivery.objects.get().urgent_at  # type: ignore[operator]
    assert abs(due - timedelta(minutes=30)) < timedelta(seconds=1)
    again = client.post(address, {"reason": WHY}, content_type="application/json", headers=headers)
    assert again.status_code == 409


def test_the_same_bytes_sent_again_as_urgent_make_the_first_urgent(client: Client, give_key: GiveKey) -> None:
    headers = {"Authorization": f"Bearer {give_key()}"}
    for query in ("", "?urgent=Lives+are+at+stake", "?urgent=once+more"):
        client.post(f"{DELIVERIES}{query}", TABLE, content_type="application/octet-stream", headers=headers)
    first = Delivery.objects.get(duplicate_of=None)
    assert first.urgency == "Lives are at stake"
    assert Job.objects.get(kind="read-delivery").priority == urgency.PRIORITY


def test_the_legal_queue_puts_it_first() -> None:
    pia, now = people.call("pia_partner"), timezone.now()
    held = []
    for place, urgent_at in enumerate((None, now, None)):
        made = builders.delivery(pia.organisation, at=now, state="held", urgent_at=urgent_at)
        hold = Hold.objects.create(delivery=made, kind="legal", held_at=now + timedelta(seconds=place))
        held.append(hold.pk)
    queue = holding.queue_for(people.call("lena_legal")).values_list("pk", flat=True)
    assert list(queue) == [held[1], held[0], held[2]]


def test_why_is_read_by_its_source_and_by_whom_the_gate_shows_it(client: Client) -> None:
    now = timezone.now()
    made = waiting("red.csv", now, now)
    red = builders.handling(Tlp.RED, audience=("person:lena_legal",), codes=("H1",))
    made.batches.update(handling_set=red)
    for login, is_told in (("pia_partner", True), ("dana_analyst", False)):
        people.let_in(client, login, "en")
        page = client.get(reverse("delivery", args=[made.receipt])).content.decode()
        assert "calls it urgent" in page
        assert (WHY in page) is is_told


def test_how_often_a_source_says_so_stands_on_its_scorecard() -> None:
    now = timezone.now()
    for place in range(4):
        waiting(f"{place}.csv", now - timedelta(days=1), now - timedelta(days=1) if place < 3 else None)
    partners.compute(now)
    card = Scorecard.objects.get(organisation__slug="northwind", span_days=30)
    assert card.body["measures"]["urgent"] == {"percent": 75.0, "rests_on": 4, "why": ""}


def test_scorecards_of_before_are_shown_without_it(client: Client) -> None:
    waiting("a.csv", timezone.now())
    partners.compute(timezone.now())
    for card in Scorecard.objects.all():
        del card.body["measures"]["urgent"]
        card.save()
    people.let_in(client, "pia_partner", "en")
    assert client.get(reverse("partnership")).status_code == 200


def test_its_reason_ends_with_its_term() -> None:
    now = timezone.now()
    made = waiting("a.csv", now - timedelta(days=3), now - timedelta(days=3))
    Delivery.objects.filter(pk=made.pk).update(ends_at=now - timedelta(seconds=1))
    ending.end(now)
    made.refresh_from_db()
    assert (made.state, made.urgency) == ("expired", "")


@pytest.mark.django_db(transaction=True)
def test_it_stays_urgent_when_it_was_read(client: Client, give_key: GiveKey) -> None:
    by_program(client, give_key)
    work()
    made = Delivery.objects.get()
    assert (made.state, made.urgency) == ("parsed", WHY)
    assert desk.urgent_among(desk.deliveries_of(releasing.waiting_batches())).get() == made
    assert services.end_of(made) is not None
