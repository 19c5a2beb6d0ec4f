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
from tocsin.taxii.media_types import MEDIA_TYPE

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
    inbox = {"Authorization": f"Bearer {secret}", "Accept": MEDIA_TYPE}
    assert client.get("/taxii2/northwind/collections/inbox/", headers=inbox).json()["can_write"] is True
    assert by_page(client, 3)["received"]
    kept = sorted(path for path in store.rglob("*") if path.is_file())
    clock(NEXT_SECOND)
    assert client.get("/taxii2/northwind/collections/inbox/", headers=inbox).json()["can_write"] is False
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
    people.let_in(client, "pia_partner")
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
    shown.report.batches.update(expires_at=builders.LATER)
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


def test_the_command_lists_how_agreements_stand(northwind: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.people.setup", lambda: None)
    monkeypatch.setenv("COLUMNS", "120")
    builders.centre()
    Agreement.objects.update(ends_on=date(2020, 12, 31))
    told = CliRunner().invoke(tocsin, ["person", "organisations"]).output
    [line] = [line for line in told.splitlines() if "northwind" in line]
    assert "expired" in line
    assert "2020-12-31" in line
    assert "member" in next(line for line in told.splitlines() if "Fusion Centre" in line)


# Pages


def post_part(client: Client, agreement: Agreement, part: str, **said: Any) -> Any:
    address = reverse("agreement-part", args=[agreement.organisation.slug, agreement.pk, part])
    return client.post(address, said, follow=True)


def step(client: Client, agreement: Agreement, to: str, reason: str = "") -> str:
    agreement.refresh_from_db()
    form = {"from": agreement.state, "to": to, "reason": reason}
    address = reverse("agreement-move", args=[agreement.organisation.slug, agreement.pk])
    return str(client.post(address, form, follow=True).content.decode())


def main_of(client: Client, address: str) -> str:
    return client.get(address).content.decode().partition("<main")[2]


def test_a_partner_is_brought_in_on_the_pages_by_two(client: Client, give_key: GiveKey) -> None:
    """From the form of a new organisation to its first delivery."""
    client.force_login(people.call("paula_partnership"))
    new = {"name": "Harbour", "slug": "harbour", "class_name": "private", "country": "", "contact": "",
           "tlp": "TLP:GREEN", "is_active": "on"}  # fmt: skip
    client.post(reverse("organisation-add"), new)
    agreement = Agreement.objects.get(organisation__slug="harbour")
    assert "In preparation" in main_of(client, reverse("organisation", args=["harbour"]))
    step(client, agreement, "vetting")
    assert "The vetting must be passed, and hold today." in main_of(client, reverse("agreement", args=["harbour"]))
    assert "This step cannot be taken yet." in step(client, agreement, "negotiated")
    notes = dict.fromkeys(("ownership", "jurisdiction", "conflicts", "security", "human_rights"), "looked at")
    until = (datetime.now(UTC).date() + timedelta(days=90)).isoformat()
    wrong = post_part(client, agreement, "vetting", **notes | {"security": ""}, vetted_until=until)
    assert (wrong.status_code, "is required" in wrong.content.decode()) == (422, True)
    post_part(client, agreement, "vetting", **notes, vetted_until=until)
    step(client, agreement, "negotiated")
    today = datetime.now(UTC).date().isoformat()
    wrong = post_part(client, agreement, "terms", title="Feeds", starts_on=today, ends_on="2020-01-01")
    assert "The last day lies before the first." in wrong.content.decode()
    post_part(client, agreement, "terms", title="Feeds", starts_on=today, data_types=["indicators", "malware"])
    post_part(client, agreement, "defaults", tlp="TLP:GREEN", codes=["H1"], pap="PAP:GREEN", purposes=["PROTECT"],
              attribution="may", retention_months="6")  # fmt: skip
    post_part(client, agreement, "signatures", signed_for_centre="Ann", signed_for_centre_on=today,
              signed_for_partner="Bo", signed_for_partner_on=today)  # fmt: skip
    step(client, agreement, "signed")
    wrong = post_part(client, agreement, "security", key_fingerprint="12:34", security_contact="soc@harbour.example")
    assert "This is no fingerprint" in wrong.content.decode()
    post_part(client, agreement, "security", is_page_only="on", security_contact="soc@harbour.example")
    assert "Another person than the one who passed the vetting" in step(client, agreement, "active")
    client.force_login(people.call("ada_administrator"))
    assert "The agreement is now: Active." in step(client, agreement, "active")
    harbour = Organisation.objects.get(slug="harbour")
    assert harbour.defaults["codes"] == ["H1"]
    services.receive(organisation=harbour, via="api", name="a.csv", chunks=[table(1)], at=datetime.now(UTC))
    page = main_of(client, reverse("agreement", args=["harbour"]))
    for text in (
        "Paula_partnership",
        "Paula Stone",
        "Bo",
        "Malware and its analysis",
        "none: it hands over on the page",
    ):
        assert (text in page) is (text != "Paula_partnership"), text
    assert page.count("Took an agreement a step further") == 4


DEFAULTS: dict[str, Any] = {"tlp": "TLP:AMBER", "codes": ["H1", "H2"], "pap": "PAP:AMBER", "purposes": ["PROTECT"],
                            "attribution": "must-not", "retention_months": "12"}  # fmt: skip


def test_the_centre_alone_allows_nothing_more_than_two_sides_signed(client: Client, northwind: Organisation) -> None:
    agreement = Agreement.objects.get()
    Agreement.objects.update(basis="procedure", ends_on=None, vetted_until=date(2099, 1, 1))
    northwind.defaults = {"tlp": "TLP:AMBER", "codes": ["H2"]}
    northwind.save()
    client.force_login(people.call("paula_partnership"))
    for wider in ({"tlp": "TLP:CLEAR"}, {"codes": ["H1"]}, {"purposes": ["PROTECT", "TRAIN"]}, {"attribution": "may"}):
        said = post_part(client, agreement, "defaults", **DEFAULTS | wider)
        assert (said.status_code, REASONS["defaults-not-agreed"] in said.content.decode()) == (422, True), wider
    half = post_part(client, agreement, "defaults", **DEFAULTS | {"tlp": "TLP:CLEAR", "agreed_by": "Bo Ek"})
    assert "Say who agreed, and on which day." in half.content.decode()
    early = post_part(client, agreement, "defaults", **DEFAULTS, agreed_by="Bo Ek", agreed_on="2199-01-01")
    assert early.status_code == 422
    northwind.refresh_from_db()
    assert northwind.defaults == {"tlp": "TLP:AMBER", "codes": ["H2"]}
    assert post_part(client, agreement, "defaults", **DEFAULTS).status_code == 200, "what is stricter holds at once"
    agreed = DEFAULTS | {"tlp": "TLP:GREEN", "agreed_by": "Bo <i>Ek", "agreed_on": "2026-01-05"}
    assert post_part(client, agreement, "defaults", **agreed).status_code == 200
    northwind.refresh_from_db()
    assert (northwind.defaults["tlp"], northwind.defaults["codes"]) == ("TLP:GREEN", ["H1", "H2"])
    assert "agreed_by" not in northwind.defaults
    people.let_in(client, "pia_partner")
    page = main_of(client, reverse("own-agreement"))
    assert "Agreed for the partner by Bo &lt;i&gt;Ek" in page
    assert "Nothing more was allowed by it than before." in page
    assert "paula_partnership" not in page


def test_what_a_partner_agreed_on_has_no_side_door(client: Client, northwind: Organisation) -> None:
    """The page of its name and address says nothing of how its deliveries are treated."""
    northwind.defaults = {"tlp": "TLP:AMBER"}
    northwind.save()
    client.force_login(people.call("paula_partnership"))
    address = reverse("organisation-edit", args=["northwind"])
    page = main_of(client, address)
    assert 'name="tlp"' not in page
    assert reverse("agreement", args=["northwind"]) in page
    client.post(address, {"name": "Northwind", "country": "", "contact": "", "tlp": "TLP:CLEAR", "is_active": "on"})
    northwind.refresh_from_db()
    assert (northwind.defaults, northwind.is_active) == ({"tlp": "TLP:AMBER"}, True)


@pytest.mark.parametrize(
    ("part", "said", "text"),
    [
        ("vetting", {"vetted_until": "2020-01-01"}, REASONS["vetting-out-of-bounds"]),
        ("vetting", {"vetted_until": "2199-01-01"}, REASONS["vetting-out-of-bounds"]),
        ("vetting", {"vetted_until": "9999-12-31"}, "This day cannot be meant: check the year."),
        ("signatures", {"signed_for_partner_on": "2198-01-01"}, "This day is still to come."),
        ("terms", {"starts_on": "0001-01-01"}, "This day cannot be meant: check the year."),
        ("terms", {"starts_on": "2026-02-30"}, "Enter a valid date."),
        ("terms", {"title": "x" * 201}, "at most 200 characters"),
    ],
)
def test_days_and_texts_that_cannot_be_meant_are_told(
    client: Client, northwind: Organisation, part: str, said: dict[str, str], text: str
) -> None:
    Agreement.objects.update(state="negotiated", basis="procedure")
    agreement = Agreement.objects.get()
    rest = {
        "vetting": dict.fromkeys(("ownership", "jurisdiction", "conflicts", "security", "human_rights"), "x"),
        "signatures": {"signed_for_centre": "Ann", "signed_for_centre_on": "2026-01-01", "signed_for_partner": "Bo"},
        "terms": {"title": "Feeds"},
    }
    client.force_login(people.call("paula_partnership"))
    answer = post_part(client, agreement, part, **rest[part] | said)
    assert (answer.status_code, text in answer.content.decode()) == (422, True)


def test_who_cannot_hand_over_is_told_before_choosing_a_file(client: Client, northwind: Organisation) -> None:
    client.force_login(people.call("pia_partner"))
    assert reverse("own-agreement") not in main_of(client, reverse("upload"))
    Agreement.objects.update(ends_on=date(2020, 12, 31))
    page = main_of(client, reverse("upload"))
    assert "The agreement with this organisation has ended" in page
    assert reverse("own-agreement") in page


def test_a_step_on_a_page_that_is_out_of_date_is_not_taken(client: Client, northwind: Organisation) -> None:
    agreement = Agreement.objects.get()
    client.force_login(people.call("paula_partnership"))
    form = {"from": "active", "to": "terminated", "reason": "x"}
    Agreement.objects.update(state="suspended")
    address = reverse("agreement-move", args=["northwind", agreement.pk])
    assert "another step meanwhile" in client.post(address, form, follow=True).content.decode()
    assert client.post(address, {"from": "suspended", "to": "king"}, follow=True).status_code == 200
    assert "Say why" in step(client, agreement, "terminated")
    assert Agreement.objects.get().state == "suspended"
    for part in ("terms", "king"):
        address = reverse("agreement-part", args=["northwind", agreement.pk, part])
        client.post(address, {"title": "x", "ends_on": "2030-01-01"})
    agreement.refresh_from_db()
    assert (agreement.title, agreement.ends_on) == ("", date(2026, 12, 31)), "what was settled stays"


def test_a_partner_reads_its_own_agreement_and_nothing_of_the_vetting(client: Client, northwind: Organisation) -> None:
    soon = datetime.now(UTC).date() + timedelta(days=30)
    Agreement.objects.update(ends_on=soon, ownership="a secret owner", vetted_by="paula_partnership")
    Agreement.objects.update(
        vetted_until=date(2099, 1, 1), security_contact="soc@northwind.example", data_types=["referrals"]
    )
    Organisation.objects.filter(pk=northwind.pk).update(defaults={"tlp": "TLP:AMBER", "codes": ["H2"]})
    for login in ("pia_partner", "mona_manager"):
        client.force_login(people.call(login))
        page = main_of(client, reverse("own-agreement"))
        assert "It ends in 30 days." in page
        assert "TLP:AMBER" in page
        assert "Not passed on before the source agreed." in page
        assert "Kept for 12 months" in page, "what the house says where the agreement is silent"
        assert "Referrals of suspected offences" in page
        for secret in ("a secret owner", "paula_partnership", "Vetting"):
            assert secret not in page
        assert reverse("own-agreement") in main_of(client, reverse("home")), "the desk calls it to mind"
    client.force_login(people.call("omar_partner"))
    assert "soc@northwind.example" not in main_of(client, reverse("own-agreement"))


def test_the_desk_calls_to_mind_what_ends(client: Client, northwind: Organisation) -> None:
    builders.organisation("southgate")
    client.force_login(people.call("paula_partnership"))
    asked = reverse("organisations") + "?show=ending"
    Agreement.objects.update(ends_on=datetime.now(UTC).date() + timedelta(days=61))
    assert asked not in main_of(client, reverse("home"))
    Agreement.objects.filter(organisation=northwind).update(ends_on=datetime.now(UTC).date() + timedelta(days=60))
    assert asked in main_of(client, reverse("home"))
    page = main_of(client, asked)
    assert reverse("organisation", args=["northwind"]) in page
    assert reverse("organisation", args=["southgate"]) not in page


def test_how_a_contract_stands_is_not_for_bureaus(client: Client, northwind: Organisation) -> None:
    hugo = people.call("hugo_head")
    hugo.language = "en"
    hugo.save()
    client.force_login(hugo)
    places = [reverse("organisations"), reverse("organisations") + "?show=ending",
              reverse("organisation", args=["northwind"])]  # fmt: skip
    before = [main_of(client, place) for place in places]
    Agreement.objects.update(state="suspended", vetted_until=date(2026, 1, 1))
    assert [main_of(client, place) for place in places] == before
