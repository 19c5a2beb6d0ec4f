"""Pages of deliveries: receipts for those concerned, rejections to mend, column maps before anything is kept."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from tests import people
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import pending, services
from tocsin.centre.intake.models import Delivery, SavedProfile

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


TABLE = (
    b"ip,last_seen,note\n"
    b"192.0.2.7,2026-11-20T10:00:00Z,one\n"
    b"9.9.9.9,2026-11-20T11:00:00Z,two\n"
    b"=nonsense,2026-11-20,three\n"
)
ODD = b"opferadresse;gesehen;bemerkung\n9.9.9.9;12.03.2026 10:00;hallo\n9.9.9.300;12.03.2026;x\n1.1.1.1;13.03.2026;y\n"


def hand_over(login: str, body: bytes = TABLE, name: str = "seen.csv", **said: object) -> Delivery:
    person = people.call(login)
    return services.receive(
        organisation=person.organisation, via="page", name=name, chunks=[body], at=datetime.now(UTC), person=person,
        **said,  # type: ignore[arg-type]
    )  # fmt: skip


def address(page: str, delivery: Delivery) -> str:
    return reverse(page, args=[delivery.receipt])


PAGES_OF_ONE = (
    "delivery", "receipt", "delivery-rejections", "delivery-mend", "delivery-original",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES_OF_ONE)
@pytest.mark.parametrize(("login", "status"), [("pia_partner", 200), ("dana_analyst", 200), ("omar_partner", 404)])
def test_only_the_source_and_the_desk_open_a_delivery(client: Client, page: str, login: str, status: int) -> None:
    delivery = hand_over("pia_partner")
    work()
    people.let_in(client, login)
    assert client.get(address(page, delivery)).status_code == status


@pytest.mark.parametrize("page", ["delivery-rejections", "delivery-mend", "delivery-original"])
def test_a_reviewer_sees_counts_but_no_bytes(client: Client, page: str) -> None:
    delivery = hand_over("pia_partner")
    work()
    client.force_login(people.call("rui_reviewer"))
    assert b"=nonsense" not in client.get(address("delivery", delivery)).content
    assert client.get(address(page, delivery)).status_code == 404


def test_the_list_holds_what_is_ones_own(client: Client) -> None:
    hand_over("pia_partner", name="hers.csv")
    hand_over("omar_partner", name="his.csv")
    client.force_login(people.call("pia_partner"))
    shown = client.get(reverse("deliveries")).content
    assert b"hers.csv" in shown
    assert b"his.csv" not in shown
    client.force_login(people.call("dana_analyst"))
    assert b"his.csv" in client.get(reverse("deliveries")).content
    assert b"his.csv" not in client.get(reverse("deliveries"), {"organisation": "northwind"}).content


def test_paging_meets_every_delivery_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    person = people.call("pia_partner")
    for number in range(7):  # All at the same moment: the cursor must not stop there.
        services.receive(
            organisation=person.organisation, via="page", name=f"n{number}.csv", chunks=[b"%d" % number], at=at
        )
    from tocsin.centre.intake.deliveries import deliveries_for, page_of

    seen: list[str] = []
    after = ""
    for _ in range(10):
        page = page_of(deliveries_for(person), after, per_page=3)
        seen += [each.name for each in page.rows]
        after = page.next
        if not after:
            break
    assert seen == [f"n{number}.csv" for number in range(6, -1, -1)]


def test_the_receipt_says_what_became_of_every_part(client: Client) -> None:
    delivery = hand_over("pia_partner")
    client.force_login(people.call("pia_partner"))
    assert b'hx-trigger="every 2s"' in client.get(address("delivery", delivery)).content
    work()
    body = client.get(address("receipt", delivery)).json()
    assert (body["state"], body["rows"], body["rejections"]) == ("parsed", 2, 1)
    assert sum(body["rejections_by_reason"].values()) == 1
    shown = client.get(address("delivery", delivery)).content
    assert b'hx-trigger="every 2s"' not in shown
    assert b"=nonsense" in shown


def test_a_part_of_which_every_record_was_refused_is_no_part() -> None:
    """An empty part would be released, and somebody asked to acknowledge nothing."""
    told = {"time.source": "2026-11-20T10:00:00+00:00", "classification.type": "c2-server", "feed.name": "one"}
    lines = [
        {**told, "source.ip": "192.0.2.7", "tlp": "AMBER"}, {**told, "source.ip": "1.1.1.1", "tlp": "GREEN"},
        {**told, "source.ip": "not an address", "tlp": "CLEAR"},
    ]  # fmt: skip
    delivery = hand_over("pia_partner", "\n".join(map(json.dumps, lines)).encode(), "events.jsonl")
    work()
    delivery.refresh_from_db()
    found = list(delivery.batches.order_by("pk").values_list("handling_set__tlp", "rows"))
    assert (delivery.state, found) == ("parsed", [("TLP:AMBER", 1), ("TLP:GREEN", 1)])
    assert delivery.rejections == 1


def test_formulas_do_not_reach_spreadsheets(client: Client) -> None:
    delivery = hand_over("pia_partner")
    work()
    people.let_in(client, "pia_partner")
    text = client.get(address("delivery-rejections", delivery)).getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert "'=nonsense" in {row["excerpt"] for row in rows}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    assert Entry.objects.filter(action="delivery.rejections-fetched", actor="pia_partner").count() == 1


def test_nothing_turned_round_or_unseen_reaches_spreadsheets(client: Client) -> None:
    delivery = hand_over("pia_partner", "ip,note\n192.0.2.7,one\n\u202eexe.gnp,two\n".encode())
    work()
    people.let_in(client, "pia_partner")
    text = client.get(address("delivery-rejections", delivery)).getvalue().decode("utf-8-sig")
    assert "\\u202eexe.gnp" in text
    assert "\u202e" not in text


def test_refused_records_are_mended_and_handed_over_again(client: Client) -> None:
    delivery = hand_over("pia_partner")
    work()
    people.let_in(client, "pia_partner")
    given = client.get(address("delivery-mend", delivery)).content.decode()
    header, *lines = given.splitlines()
    assert header.startswith("ip,last_seen,note,")
    assert [line.split(",")[0] for line in lines] == ["=nonsense"]
    assert Entry.objects.filter(action="delivery.refused-fetched", actor="pia_partner").count() == 1
    mended = given.replace("=nonsense", "1.1.1.1").encode()
    response = client.post(address("delivery-mend", delivery), {"file": SimpleUploadedFile("m.csv", mended)})
    made = Delivery.objects.get(mends=delivery)
    assert response["Location"] == address("delivery", made)
    work()
    made.refresh_from_db()
    assert (made.state, made.rows) == ("parsed", 1)


def test_the_original_is_never_rendered_and_its_fetch_is_logged(client: Client) -> None:
    delivery = hand_over("pia_partner", b"<html><script>alert(1)</script>", "page.html")
    people.let_in(client, "pia_partner")
    response = client.get(address("delivery-original", delivery))
    assert response.getvalue() == b"<html><script>alert(1)</script>"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert Entry.objects.filter(action="delivery.original-fetched", actor="pia_partner").exists()


def test_upload_of_several_files_and_the_limit(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    files = [
        SimpleUploadedFile("a.csv", TABLE),
        SimpleUploadedFile("b.csv", TABLE),
        SimpleUploadedFile("c.csv", b"x" * ((1 << 20) + 1)),
    ]
    response = client.post(
        reverse("upload"), {"organisation": "northwind", "marking": "TLP:GREEN", "files": files},
        headers={"Accept": "application/json"},
    )  # fmt: skip
    results = response.json()["results"]
    assert [bool(each["url"]) for each in results] == [True, True, False]
    assert set(Delivery.objects.values_list("name", "state")) == {("a.csv", "received"), ("b.csv", "duplicate")}
    assert Delivery.objects.get(name="a.csv").stated_marking == "TLP:GREEN"


def test_nobody_hands_over_in_anothers_name(client: Client) -> None:
    people.call("omar_partner")
    client.force_login(people.call("pia_partner"))
    said = {"organisation": "southgate", "files": SimpleUploadedFile("a.csv", TABLE)}
    response = client.post(reverse("upload"), said, headers={"Accept": "application/json"})
    assert response.status_code == 400
    assert not Delivery.objects.exists()
    client.force_login(people.call("dana_analyst"))
    said["files"] = SimpleUploadedFile("a.csv", TABLE)
    client.post(reverse("upload"), said)
    assert Delivery.objects.get().organisation.slug == "southgate"


def look_at_columns(client: Client) -> str:
    said = {"organisation": "northwind", "files": SimpleUploadedFile("odd.csv", ODD)}
    response = client.post(reverse("map-columns"), said)
    assert response.status_code == 302
    return str(response["Location"])


MAP = {"column-1": "value", "column-2": "first_at", "column-3": "note", "default-role": "VICTIM", "day_first": "on"}


def test_a_map_is_seen_before_it_is_saved_and_then_remembered(client: Client, store: Path) -> None:
    client.force_login(people.call("pia_partner"))
    place = look_at_columns(client)
    shown = client.get(place).content.decode()
    assert "opferadresse" in shown
    preview = client.post(place, MAP, headers={"HX-Target": "preview"}).content.decode()
    assert "9.9.9.300" in preview
    assert not Delivery.objects.exists()
    assert not SavedProfile.objects.exists()
    response = client.post(place, {**MAP, "act": "save", "name": "Odd table"})
    delivery = Delivery.objects.get()
    assert response["Location"] == address("delivery", delivery)
    assert list((store / "incoming").glob("table-*")) == []
    work()
    delivery.refresh_from_db()
    assert (delivery.rows, delivery.rejections, delivery.profile_name) == (2, 1, "Odd table")
    # The next file with this header is read the same way without anybody choosing it.
    again = hand_over("pia_partner", ODD.replace(b"1.1.1.1", b"8.8.4.4"), "odd2.csv")
    work()
    again.refresh_from_db()
    assert again.rows == 2


@pytest.mark.parametrize(
    "wrong",
    [{"column-2": "value"}, {"name": " "}, {"column-1": "", "column-2": "", "column-3": ""}],
    ids=["two values", "no name", "no value"],
)
def test_a_map_that_cannot_work_is_not_saved(client: Client, wrong: dict[str, str]) -> None:
    client.force_login(people.call("pia_partner"))
    place = look_at_columns(client)
    response = client.post(place, {**MAP, "act": "save", "name": "Odd table", **wrong})
    assert response.status_code == 200
    assert not SavedProfile.objects.exists()
    assert not Delivery.objects.exists()


def test_a_table_in_which_nothing_is_recognised_is_mapped_by_hand(client: Client) -> None:
    delivery = hand_over("pia_partner", b"case;thing;who\n1;GreyHeronPerch;x\n2;HeronNest;y\n", "odd.csv")
    work()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("quarantined", "unknown-format")
    client.force_login(people.call("pia_partner"))
    place = str(client.post(reverse("map-columns-of", args=[delivery.receipt]))["Location"])
    assert "Say which column holds the value itself." in client.get(place).content.decode()
    said = {"column-1": "note", "column-2": "+mutex", "default-role": "ATTACKER_INFRA"}
    assert "GreyHeronPerch" in client.post(place, said, headers={"HX-Target": "preview"}).content.decode()
    client.post(place, {**said, "act": "save", "name": "Cases"})
    work()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.rows, delivery.profile_name) == ("parsed", 2, "Cases")


def test_a_table_belongs_to_its_session(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    place = look_at_columns(client)
    other = Client()
    other.force_login(people.call("omar_partner"))
    assert other.get(place).status_code == 404


def test_tables_that_nobody_came_back_to_are_swept(client: Client, store: Path) -> None:
    client.force_login(people.call("pia_partner"))
    look_at_columns(client)
    assert pending.sweep() == 0
    assert pending.sweep(datetime.now(UTC).timestamp() + pending.KEPT_SECONDS + 5) == 1
    assert list((store / "incoming").iterdir()) == []


def test_a_quarantined_delivery_is_mapped_and_read_again(client: Client) -> None:
    delivery = hand_over("pia_partner", ODD, "odd.csv")
    Delivery.objects.filter(pk=delivery.pk).update(state="quarantined", reason="unknown-format")
    client.force_login(people.call("pia_partner"))
    assert b"No known format was recognised" in client.get(address("delivery", delivery)).content
    place = client.post(address("map-columns-of", delivery))["Location"]
    client.post(place, {**MAP, "act": "save", "name": "Odd table"})
    assert Delivery.objects.get().state == "received"
    assert Delivery.objects.get().profile_name == "Odd table"
