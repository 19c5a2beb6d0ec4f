"""What was released, at the recipient's pages and door; the board and the reach map in the browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people
from tests.doors.conftest import GiveKey

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.ledger.models import Chase, Response, Taking
from tocsin.centre.reach import chasing
from tocsin.centre.release.models import Release
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
API = "/api/v1/received"


@pytest.fixture
def released() -> Release:
    """To all bureaus, an hour ago, from a source that does not want to be named."""
    people.call("fleur_officer")
    people.call("khalil_officer")
    source = people.call("pia_partner").organisation
    under = builders.handling(Tlp.AMBER, attribution="must-not")
    made = builders.delivery(source, "northwind-secret.csv", rows=31, title="Northwind's own words")
    builders.tallies(
        batch := builders.batch(made, under), [(builders.NOW.date(), "FR", "c2-server", "ATTACKER_INFRA", 31)]
    )
    return builders.release(batch, at=timezone.now() - timedelta(hours=1))


def browser(login: str) -> Client:
    client = Client()
    people.let_in(client, login, "en")
    return client


def text_of(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status
    return re.sub(r"\s+", " ", response.content.decode())


def test_rows_are_counted_as_far_as_the_reader_may_read_them(client: Client, give_key: GiveKey) -> None:
    """Victims of other countries are neither counted for a bureau nor offered to it (DOMAIN 4.9)."""
    for login in ("fleur_officer", "khalil_officer"):
        people.call(login)
    made = builders.delivery(people.call("pia_partner").organisation, "hit.csv", rows=9_876)
    batch = builders.batch(made, builders.handling(Tlp.AMBER))
    builders.tallies(batch, [
        (builders.NOW.date(), "FR", "infected-system", "VICTIM", 1_234),
        (builders.NOW.date(), "ES", "infected-system", "VICTIM", 8_642),
    ])  # fmt: skip
    builders.release(batch, at=timezone.now() - timedelta(hours=1))
    fleur = browser("fleur_officer")
    for page in (reverse("received-list"), reverse("received", args=[made.receipt])):
        assert "1,234" in text_of(fleur, page)
        assert "9,876" not in text_of(fleur, page)
    key = {"Authorization": f"Bearer {give_key('fleur_officer')}"}
    assert [each["rows"] for each in client.get(API, headers=key).json()] == [1_234]
    khalil = browser("khalil_officer")
    assert made.receipt not in text_of(khalil, reverse("received-list") + "?state=all")
    text_of(khalil, reverse("received", args=[made.receipt]), 404)
    board = text_of(browser("dario_duty"), reverse("follow-up"))
    assert re.search(r'data-label="Offered">1<', board), "to the bureau alone whose country is concerned"


def test_an_officer_opens_acknowledges_and_answers(released: Release) -> None:
    fleur, receipt = browser("fleur_officer"), released.delivery.receipt
    assert "waiting for your acknowledgement" in text_of(fleur, "/")
    listed = text_of(fleur, reverse("received-list"))
    assert receipt in listed
    page = text_of(fleur, reverse("received", args=[receipt]))
    assert "We have it" in page
    for word in ("Northwind", "northwind-secret", f"R-{released.created_at.year}"):
        assert word not in listed + page, "the source does not want to be named, and numbers of the house stay there"
    assert Response.objects.get().step == "opened"
    assert Taking.objects.get().channel == "page"
    address = reverse("received-answer", args=[receipt])
    assert fleur.post(address, {"act": "acknowledge"}).status_code == 302
    refused = fleur.post(address, {"outcome": "no-action", "usefulness": "not-useful", "note": ""})
    assert refused.status_code == 422
    assert "Say why nothing was done" in refused.content.decode()
    fleur.post(address, {"outcome": "acted", "usefulness": "useful", "note": "Three providers warned"})
    assert "Three providers warned" in text_of(fleur, reverse("received", args=[receipt]))
    steps = Response.objects.order_by("pk").values_list("step", flat=True)
    assert list(steps) == ["opened", "acknowledged", "acted"]
    assert receipt not in text_of(fleur, reverse("received-list"))
    assert receipt in text_of(fleur, reverse("received-list") + "?state=answered")
    assert "waiting for your acknowledgement" not in text_of(fleur, "/")


def test_it_is_headed_by_what_it_is_about_and_found_by_its_reference(
    released: Release, give_key: GiveKey, client: Client
) -> None:
    fleur, receipt = browser("fleur_officer"), released.delivery.receipt
    heading = "Command-and-control servers, France: 31"
    page = text_of(fleur, reverse("received", args=[receipt]))
    assert re.search(rf"<title>\s*{heading} · Tocsin</title>", page)
    assert re.search(rf"<h1[^>]*>\s*<bdi dir=\"auto\">{heading}</bdi>\s*</h1>", page)
    assert receipt in page
    listed = text_of(fleur, reverse("received-list"))
    assert heading in listed
    assert receipt in listed
    fleur.post(reverse("received-answer", args=[receipt]), {"outcome": "acted", "usefulness": "useful", "note": ""})
    assert heading not in text_of(fleur, reverse("received-list"))
    assert heading in text_of(fleur, reverse("received-list", query={"q": receipt[3:12].upper()})), "in any state"
    assert heading not in text_of(fleur, reverse("received-list", query={"q": "0" * 16}))
    for odd in ("%", "_", "'\"", "x" * 900):
        text_of(fleur, reverse("received-list", query={"q": odd}))
    headers = {"Authorization": f"Bearer {give_key('fleur_officer', ['read', 'respond'])}"}
    [told] = client.get(API, headers=headers).json()
    day = builders.NOW.date().isoformat()
    assert (told["heading"], told["observed_from"], told["observed_until"]) == (heading, day, day)
    assert client.get(f"{API}/{receipt}", headers=headers).json()["heading"] == heading
    assert client.get(f"{API}?state=asked", headers=headers).json() == [], "nobody was asked what came of it"


def test_everything_that_is_ticked_is_acknowledged_in_one_act(released: Release) -> None:
    source = released.delivery.organisation
    more = [builders.release(builders.batch(builders.delivery(source), builders.handling())) for _ in range(3)]
    fleur = browser("fleur_officer")
    receipts = [each.delivery.receipt for each in (released, *more)]
    fleur.post(reverse("received-acknowledge"), {"reference": receipts[:3]})
    assert Response.objects.count() == 1
    assert Entry.objects.filter(action="received.acknowledged").count() == 1
    assert receipts[3] in text_of(fleur, reverse("received-list"))
    other = builders.release(builders.batch(builders.delivery(source), builders.handling(), released_to=["ncb-jo"]))
    gone = fleur.post(reverse("received-acknowledge"), {"reference": [receipts[3], other.delivery.receipt]})
    assert gone.status_code == 404
    assert Response.objects.count() == 1, "all of them or none"


def test_the_absent_and_what_is_for_others_answer_alike(released: Release, give_key: GiveKey, client: Client) -> None:
    set_audience(Batch.objects.filter(delivery=released.delivery), ["ncb-jo"])
    fleur = browser("fleur_officer")
    for address in (reverse("received", args=[released.delivery.receipt]), reverse("received", args=["0" * 16])):
        assert fleur.get(address).status_code == 404
        assert fleur.post(address + "answer/", {"act": "acknowledge"}).status_code == 404
    headers = {"Authorization": f"Bearer {give_key('fleur_officer', ['read', 'respond'])}"}
    answers = [client.get(f"{API}/{each}", headers=headers) for each in (released.delivery.receipt, "0" * 16)]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert client.get(API, headers=headers).json() == []


def test_programs_acknowledge_and_answer(released: Release, give_key: GiveKey, client: Client) -> None:
    receipt = released.delivery.receipt
    headers = {"Authorization": f"Bearer {give_key('fleur_officer', ['respond'])}"}
    listed = client.get(f"{API}?state=waiting", headers=headers).json()
    assert [(each["reference"], each["source"], each["rows"], each["labels"]) for each in listed] == [
        (receipt, "", 31, ["TLP:AMBER"])
    ]
    assert listed[0]["acknowledge_by"]

    def post(path: str, body: dict[str, object]) -> tuple[int, dict[str, object]]:
        response = client.post(f"{API}/{path}", body, content_type="application/json", headers=headers)
        return response.status_code, response.json()

    assert post("acknowledgements", {"references": [receipt]}) == (200, {"acknowledged": 1})
    assert post("acknowledgements", {"references": [receipt, receipt]}) == (200, {"acknowledged": 0})
    status, said = post(f"{receipt}/answer", {"outcome": "no-action", "usefulness": "false-positive"})
    assert (status, said["reason"]) == (422, "answer-without-reason")
    assert post(f"{receipt}/answer", {"outcome": "burnt", "usefulness": "useful"})[0] == 422
    status, said = post(f"{receipt}/answer", {"outcome": "no-action", "usefulness": "false-positive", "note": "ours"})
    assert (status, said["state"], said["usefulness"]) == (200, "no-action", "false-positive")
    reading = {"Authorization": f"Bearer {give_key('fleur_officer', ['read'])}"}
    assert client.get(f"{API}/{receipt}", headers=reading).status_code == 200
    refused = client.post(f"{API}/{receipt}/answer", {"outcome": "acted", "usefulness": "useful"},
                          content_type="application/json", headers=reading)  # fmt: skip
    assert refused.status_code == 403, "a key that only reads says nothing"
    assert Response.objects.filter(step="opened").count() == 0, "who answered has opened it"


def test_a_list_goes_on_where_its_link_says(released: Release, give_key: GiveKey, client: Client) -> None:
    source = released.delivery.organisation
    for _ in range(4):
        builders.release(builders.batch(builders.delivery(source), builders.handling()))
    headers, address, seen = {"Authorization": f"Bearer {give_key('fleur_officer', ['read'])}"}, f"{API}?limit=2", []
    while address:
        response = client.get(address, headers=headers)
        seen += [each["reference"] for each in response.json()]
        link = re.match(r"<(.+)>", response.get("Link", ""))
        address = link.group(1) if link else ""
    assert len(seen) == len(set(seen)) == 5


def test_the_board_and_the_chase(released: Release) -> None:
    Release.objects.update(released_at=timezone.now() - timedelta(hours=73))
    dario, dana = browser("dario_duty"), browser("dana_analyst")
    chasing.tick(timezone.now())
    assert "not acknowledged in time" in text_of(dario, "/")
    listed = text_of(dario, reverse("follow-up") + "?state=overdue")
    assert released.number in listed
    address = reverse("follow-up-line", args=["release", released.pk])
    page = text_of(dario, address)
    for word in ("NCB FR", "NCB JO", "Overdue", "Reminded"):
        assert word in page
    chase = reverse("follow-up-chase", args=["release", released.pk])
    assert dana.post(chase, {"act": "urgent"}).status_code == 404
    dario.post(chase, {"act": "note", "note": ""})
    assert not Chase.objects.filter(step="noted").exists()
    dario.post(chase, {"act": "urgent"})
    dario.post(chase, {"act": "urgent"})
    assert dario.post(chase, {"act": "burn"}).status_code == 404
    dario.post(chase, {"act": "close", "note": "Both called"})
    assert Chase.objects.filter(step="urgent").count() == 1
    assert "Both called" in text_of(dana, address)
    assert "not acknowledged in time" not in text_of(dario, "/")
    assert "Nothing of this sort" in text_of(dario, reverse("follow-up") + "?state=overdue")


def test_the_reach_map_names_who_has_it(released: Release, give_key: GiveKey, client: Client) -> None:
    browser("fleur_officer").get(reverse("received", args=[released.delivery.receipt]))
    page = text_of(browser("dana_analyst"), reverse("delivery-reach", args=[released.delivery.receipt]))
    assert "Shown on a page" in page
    assert "France: has some of it" in page
    assert "Jordan: may see it" in page
    headers = {"Authorization": f"Bearer {give_key('dana_analyst', ['read'])}"}
    said = client.get(f"/api/v1/reach/deliveries/{released.delivery.receipt}", headers=headers).json()
    assert [each["organisation"] for each in said["holders"]] == ["ncb-fr"]
    assert said["open_to"] == ["ncb-jo"]
    headers = {"Authorization": f"Bearer {give_key('pia_partner', ['read'])}"}
    assert client.get(f"/api/v1/reach/deliveries/{released.delivery.receipt}", headers=headers).status_code == 403
    assert Batch.objects.count() == 1
