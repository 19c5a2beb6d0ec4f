"""W32: a label cannot make victims' data public. The delivery is set aside and its source is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import holding, services
from tocsin.centre.intake.models import Batch, Delivery, Hold
from tocsin.core.errors import InputError, NotFound

from .conftest import work

pytestmark = pytest.mark.django_db
CUSTOMERS = (
    "ip,first_seen,customer_name,phone\n"
    "8.8.8.8,2026-11-19,Jean Dupont,+33612345678\n"
    "9.9.9.9,2026-11-19,María López,+34612345678\n"
    "1.1.1.1,2026-11-19,Omar Haddad,+962791234567\n"
).encode()


def send(marking: str = "TLP:CLEAR", content: bytes = CUSTOMERS, **said: object) -> Delivery:
    made = services.receive(
        organisation=builders.organisation("northwind"), via="api", name="hosts.csv", chunks=[content],
        at=timezone.now(), marking=marking, **said,
    )  # fmt: skip
    work()
    made.refresh_from_db()
    return made


@pytest.fixture
def held(store: Path) -> Delivery:
    builders.centre()
    people.call("pia_partner")
    return send()


def labels(delivery: Delivery) -> set[str]:
    return set(Batch.objects.filter(delivery=delivery).values_list("handling_set__tlp", flat=True))


def test_w32_customers_under_a_wide_label_are_set_aside_and_the_source_is_asked(held: Delivery, client: Client) -> None:
    assert held.state == "held"
    assert Batch.objects.count() == 0
    hold = held.holds.get()
    assert (hold.kind, hold.state) == ("personal-data", "open")
    assert {(each["kind"], each["field"]) for each in hold.finds} == {("name", "customer_name"), ("phone", "phone")}
    assert "Dupont" not in str(hold.finds)
    people.let_in(client, "pia_partner")
    page = client.get(reverse("delivery", args=[held.receipt])).content.decode()
    assert "We must ask you something" in page
    assert "customer_name" in page
    for login in ("dana_analyst", "fleur_officer", "omar_partner"):
        people.let_in(client, login)
        assert client.get(reverse("delivery", args=[held.receipt])).status_code == 404
        assert client.post(reverse("delivery-answer", args=[held.receipt]), {"answer": "withdraw"}).status_code == 404
    held.refresh_from_db()
    assert held.state == "held"


def test_w32_a_strict_label_asks_nothing(store: Path) -> None:
    builders.centre()
    assert send("TLP:AMBER").state == "parsed"


def test_w32_the_source_relabels_and_no_part_is_wider_whatever_the_file_says(held: Delivery, client: Client) -> None:
    people.let_in(client, "pia_partner")
    answer = reverse("delivery-answer", args=[held.receipt])
    for wrong in ("TLP:GREEN", "TLP:CLEAR", "", "AMBERISH"):
        client.post(answer, {"answer": "relabel", "marking": wrong})
        held.refresh_from_db()
        assert held.state == "held"
    client.post(answer, {"answer": "relabel", "marking": "TLP:AMBER+STRICT"})
    work()
    held.refresh_from_db()
    assert (held.state, held.rows) == ("parsed", 3)
    assert labels(held) == {"TLP:AMBER+STRICT"}
    assert held.holds.get().state == "cleared"
    assert Entry.objects.filter(action="hold.answered", actor="pia_partner").exists()
    client.logout()
    people.let_in(client, "omar_partner")
    assert b"hosts.csv" not in client.get("/lookup/?q=8.8.8.8").content


def test_w32_the_source_withdraws(held: Delivery, client: Client) -> None:
    people.let_in(client, "pia_partner")
    client.post(reverse("delivery-answer", args=[held.receipt]), {"answer": "withdraw"})
    held.refresh_from_db()
    assert (held.state, held.holds.get().state) == ("withdrawn", "withdrawn")
    people.let_in(client, "dana_analyst")
    assert client.get(reverse("delivery", args=[held.receipt])).status_code == 404
    again = send()
    assert again.state == "duplicate", "what was withdrawn does not come in by itself"


def test_w32_that_they_are_the_attackers_a_legal_officer_decides(held: Delivery, client: Client) -> None:
    lena, pia, now = people.call("lena_legal"), people.call("pia_partner"), timezone.now()
    hold = held.holds.get()
    with pytest.raises(InputError):
        holding.clear(hold, text="fine", by=lena, at=now)
    with pytest.raises(InputError):
        holding.answer(held, "attackers", text=" ", by=pia, at=now)
    people.let_in(client, "pia_partner")
    client.post(reverse("delivery-answer", args=[held.receipt]), {"answer": "attackers", "text": "From their forum."})
    hold.refresh_from_db()
    assert (hold.state, hold.answer) == ("open", "attackers")
    with pytest.raises(NotFound):
        holding.answer(held, "relabel", marking="TLP:AMBER", by=pia, at=now)
    people.let_in(client, "lena_legal")
    page = client.get(reverse("hold", args=[hold.pk])).content.decode()
    assert "From their forum." in page
    assert "customer_name" in page
    client.post(reverse("hold-decide", args=[hold.pk]), {"act": "clear", "text": "Names of mules, published."})
    work()
    held.refresh_from_db()
    assert (held.state, labels(held)) == ("parsed", {"TLP:CLEAR"})


def test_w32_who_cannot_be_asked_leaves_it_to_the_officer(store: Path) -> None:
    builders.centre()
    made = send()
    hold = made.holds.get()
    holding.clear(hold, text="A public list of sanctions.", by=people.call("lena_legal"), at=timezone.now())
    assert Hold.objects.get().state == "cleared"


def test_w32_a_feed_of_attackers_mail_addresses_passes(store: Path) -> None:
    builders.centre()
    rows = "".join(f"sender{number}@evil.example,2026-11-19\n" for number in range(20))
    made = send("TLP:CLEAR", f"email,first_seen\n{rows}".encode())
    assert (made.state, made.rows) == ("parsed", 20)
