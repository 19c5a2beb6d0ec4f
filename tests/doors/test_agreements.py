"""Agreements at every door: accepted until the last second, refused from the next, and what is past stays readable."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people, scene
from tests.doors.conftest import GiveKey, work

from tocsin.centre.intake import services
from tocsin.centre.intake.models import Delivery
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.models import Agreement, Organisation
from tocsin.cli import main as tocsin
from tocsin.core.errors import InputError
from tocsin.core.reasons import REASONS
from tocsin.taxii.answers import MEDIA_TYPE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
LAST_SECOND = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
NEXT_SECOND = datetime(2027, 1, 1, tzinfo=UTC)
SetClock = Callable[[datetime], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets what the doors take for now."""

    def set_to(at: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: at)

    return set_to


@pytest.fixture
def northwind() -> Organisation:
    """A partner whose agreement ends with the year 2026."""
    found = builders.organisation("northwind")
    Agreement.objects.filter(organisation=found).update(starts_on=date(2026, 1, 1), ends_on=date(2026, 12, 31))
    return found


def table(number: int) -> bytes:
    return f"ip,last_seen\n192.0.2.{number},2026-11-20T10:00:00Z\n".encode()


def by_api(client: Client, secret: str, number: int, **headers: str) -> Any:
    said = {"Authorization": f"Bearer {secret}", **headers}
    return client.post("/api/v1/deliveries?name=seen.csv", table(number), content_type="text/csv", headers=said)


def by_taxii(client: Client, secret: str, number: int) -> Any:
    thing = {"type": "indicator", "id": f"indicator--00000000-0000-4000-8000-{number:012d}"}
    body = json.dumps({"objects": [thing]})
    said = {"Authorization": f"Bearer {secret}", "Accept": MEDIA_TYPE}
    return client.post(
        "/taxii2/northwind/collections/inbox/objects/", body, content_type=MEDIA_TYPE, headers=said
    )  # fmt: skip


def by_page(client: Client, number: int, organisation: str = "northwind") -> Any:
    form = {"organisation": organisation, "marking": "", "profile": "",
            "files": SimpleUploadedFile("seen.csv", table(number))}  # fmt: skip
    return client.post(reverse("upload"), form, headers={"Accept": "application/json"}).json()["results"][0]


def test_w18_the_last_second_is_accepted_and_the_next_one_refused(
    client: Client, give_key: GiveKey, clock: SetClock, northwind: Organisation, store: Path
) -> None:
    secret = give_key()
    clock(LAST_SECOND)
    client.force_login(people.call("pia_partner"))
    assert by_api(client, secret, 1).status_code == 202
    assert by_taxii(client, secret, 2).status_code == 202
    assert by_page(client, 3)["received"]
    kept = sorted(path for path in store.rglob("*") if path.is_file())
    clock(NEXT_SECOND)
    client.force_login(people.call("pia_partner"))  # A session of six weeks ago is over.
    refused = by_api(client, secret, 4)
    assert (refused.status_code, refused.json()["reason"]) == (403, "agreement-expired")
    assert refused.json()["text"] == REASONS["agreement-expired"]
    refused = by_taxii(client, secret, 5)
    assert (refused.status_code, refused.json()["error_code"]) == (403, "agreement-expired")
    assert refused.json()["http_status"] == "403"
    refused = by_page(client, 6)
    assert (refused["received"], refused["message"]) == (False, REASONS["agreement-expired"])
    assert Delivery.objects.count() == 3
    assert sorted(path for path in store.rglob("*") if path.is_file()) == kept, "not a byte is kept"


def test_w18_what_is_past_stays_readable(
    client: Client, give_key: GiveKey, clock: SetClock, northwind: Organisation
) -> None:
    secret = give_key()
    clock(LAST_SECOND)
    given = by_api(client, secret, 1, **{"Idempotency-Key": "last"}).json()
    clock(datetime(2027, 2, 1, 9, tzinfo=UTC))
    found = Delivery.objects.get()
    assert found.state == "received"
    Job.objects.update(run_at=datetime.now(UTC))  # The worker's own clock has not got there.
    work()
    found.refresh_from_db()
    assert (found.state, found.rows) == ("parsed", 1), "what came in time is read, whenever that is"
    said = {"Authorization": f"Bearer {secret}"}
    status = client.get(given["status_url"], headers=said).json()
    assert (status["receipt"], status["rows"]) == (given["receipt"], 1)
    assert by_api(client, secret, 1, **{"Idempotency-Key": "last"}).json()["receipt"] == given["receipt"]
    client.force_login(people.call("pia_partner"))
    for name, arguments in (
        ("deliveries", ()),
        ("delivery", (found.receipt,)),
        ("delivery-original", (found.receipt,)),
    ):
        assert client.get(reverse(name, args=arguments)).status_code == 200, name


def test_w18_a_clock_that_goes_back_is_asked_anew_each_time(
    client: Client, give_key: GiveKey, clock: SetClock, northwind: Organisation
) -> None:
    secret = give_key()
    got = []
    moments = [LAST_SECOND, NEXT_SECOND, LAST_SECOND, NEXT_SECOND + timedelta(days=40), LAST_SECOND - timedelta(days=1)]
    for number, moment in enumerate(moments):
        clock(moment)
        got.append(by_api(client, secret, number).status_code)
    assert got == [202, 403, 202, 403, 202]


def test_w18_nothing_has_to_run_for_the_end(northwind: Organisation) -> None:
    before = Agreement.objects.values().get()
    services.receive(organisation=northwind, via="api", name="a.csv", chunks=[table(1)], at=LAST_SECOND)
    with pytest.raises(InputError, match="agreement-expired"):
        services.receive(organisation=northwind, via="api", name="b.csv", chunks=[table(2)], at=NEXT_SECOND)
    assert Agreement.objects.values().get() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "suspended"}, "agreement-not-in-force"),
        ({"state": "terminated"}, "agreement-not-in-force"),
        ({"state": "signed"}, "agreement-not-in-force"),
        ({"starts_on": date(2026, 12, 25)}, "agreement-not-in-force"),
        ({"vetted_until": date(2026, 12, 1)}, "agreement-not-in-force"),
        ({"ends_on": date(2026, 12, 1)}, "agreement-expired"),
    ],
)
def test_whatever_holds_an_agreement_up_acts_at_once(
    client: Client, give_key: GiveKey, clock: SetClock, northwind: Organisation, change: dict[str, Any], reason: str
) -> None:
    secret = give_key()
    clock(datetime(2026, 12, 20, 12, tzinfo=UTC))
    assert by_api(client, secret, 1).status_code == 202
    Agreement.objects.update(**change)
    said = by_api(client, secret, 2)
    assert (said.status_code, said.json()["reason"]) == (403, reason)


def test_a_partner_without_any_agreement_hands_nothing_over_and_members_need_none(northwind: Organisation) -> None:
    Agreement.objects.all().delete()
    with pytest.raises(InputError, match="agreement-not-in-force"):
        services.receive(organisation=northwind, via="api", name="a.csv", chunks=[table(1)], at=LAST_SECOND)
    unit = builders.organisation("unit", class_name="law-enforcement", parent=builders.bureau("FR"))
    for number, member in enumerate((builders.centre(), builders.bureau("FR"), unit)):
        services.receive(organisation=member, via="api", name="a.csv", chunks=[table(number)], at=NEXT_SECOND)
    assert Delivery.objects.count() == 3


def test_a_suspension_while_the_bytes_come_holds(northwind: Organisation) -> None:
    def chunks() -> Any:
        yield table(1)
        Agreement.objects.update(state="suspended")
        yield b"192.0.2.9,2026-11-20T10:00:00Z\n"

    with pytest.raises(InputError, match="agreement-not-in-force"):
        services.receive(organisation=northwind, via="api", name="a.csv", chunks=chunks(), at=LAST_SECOND)
    assert not Delivery.objects.exists()


def test_the_centre_hands_nothing_over_in_the_name_of_an_expired_partner_and_mends_nothing(
    client: Client, clock: SetClock, northwind: Organisation
) -> None:
    shown = scene.make()
    clock(NEXT_SECOND)
    client.force_login(people.call("dana_analyst"))
    assert by_page(client, 7)["message"] == REASONS["agreement-expired"]
    assert by_page(client, 8, "centre")["received"]
    file = {"file": SimpleUploadedFile("mended.csv", table(9))}
    answer = client.post(reverse("delivery-mend", args=[shown.delivery.receipt]), file, follow=True)
    assert REASONS["agreement-expired"].replace("'", "&#x27;") in answer.content.decode()
    assert not Delivery.objects.filter(mends=shown.delivery).exists()


def test_what_was_received_in_time_is_still_decided(client: Client, clock: SetClock, northwind: Organisation) -> None:
    """Proposals found in a report of then become a delivery that the Centre draws from it: no intake."""
    shown = scene.make()
    clock(NEXT_SECOND)
    client.force_login(people.call("dana_analyst"))
    keys = list(shown.report.proposals.values_list("pk", flat=True))
    form = {"report": shown.report.receipt, "proposal": keys, "act": "accept", "role": "ATTACKER_INFRA"}
    client.post(reverse("decide-proposals"), form)
    assert Delivery.objects.filter(name=f"proposals-of-{shown.report.pk}.csv").exists()


def test_the_command_says_why_and_what_to_do(
    northwind: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.cli.ingest.setup", lambda: None)
    Agreement.objects.update(state="suspended")
    path = tmp_path / "seen.csv"
    path.write_bytes(table(1))
    result = CliRunner().invoke(tocsin, ["ingest", str(path), "--from", "northwind"])
    assert result.exit_code == 1
    assert REASONS["agreement-not-in-force"] in result.output
    assert not Delivery.objects.exists()
