"""W16: what concerns articles 2 and 3 is neither indexed nor matched before a legal officer decides, and none know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.analysis.models import StandingQuery
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import holding, services
from tocsin.centre.intake.models import Batch, Delivery, Hold, LakeFile, Tally
from tocsin.centre.jobs.models import Job
from tocsin.core.errors import Conflict
from tocsin.handling.neutrality import CHECKLIST

from .conftest import GiveKey, work

pytestmark = pytest.mark.django_db
NEWS = b"domain,first_seen,country,offence\nnews.example,2026-11-19T10:00:00Z,FR,spreading false information\n"
OUTSIDERS = (
    "dana_analyst", "rui_reviewer", "dario_duty", "vera_victim_desk", "paula_partnership", "fleur_officer",
    "omar_partner",
)  # fmt: skip


def send(content: bytes = NEWS, slug: str = "northwind", name: str = "sites.csv", **said: object) -> Delivery:
    """Hand over and have it read, as a worker would."""
    made = services.receive(
        organisation=builders.organisation(slug), via="api", name=name, chunks=[content], at=timezone.now(), **said
    )  # type: ignore[arg-type]
    work()
    made.refresh_from_db()
    return made


@pytest.fixture
def held(store: Path) -> Delivery:
    builders.centre()
    people.call("pia_partner")
    return send()


def noted(delivery: Delivery) -> Hold:
    hold = delivery.holds.get()
    holding.note(hold, dict.fromkeys(CHECKLIST, "looked at"), by=people.call("lena_legal"), at=timezone.now())
    hold.refresh_from_db()
    return hold


def body(response: object) -> bytes:
    """The answer less what differs from one asking to the next."""
    content = b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]
    for volatile in (rb'name="csrfmiddlewaretoken" value="\w+"', rb'"X-CSRFToken": "\w+"'):
        content = re.sub(volatile, b"", content)
    return content


def test_w16_nothing_of_it_is_used(held: Delivery) -> None:
    assert held.state == "held"
    assert (held.rows, held.reason, held.title, held.format) == (0, "", "", "")
    for model in (Batch, LakeFile, Tally):
        assert model.objects.count() == 0
    assert not Job.objects.filter(kind="standing-queries").exists()
    assert list(services.store_folder().glob("observations/**/*.*")) == []
    assert list(services.store_folder().glob("work/*")) == []
    find = held.holds.get().finds[0]
    assert (find["trigger"], find["field"]) == ("speech", "offence")
    assert "spreading false information" in find["excerpt"]
    assert Entry.objects.filter(action="delivery.held", subject=f"delivery:{held.pk}").exists()


@pytest.mark.parametrize("login", OUTSIDERS)
def test_w16_for_others_it_is_as_if_it_did_not_exist(
    login: str, held: Delivery, client: Client, give_key: GiveKey
) -> None:
    again = send()  # The same bytes once more: a repeat of what is held is as hidden.
    assert again.state == "duplicate"
    people.let_in(client, login)
    for receipt in (held.receipt, again.receipt):
        absent = "A" * len(receipt)
        for name in ("delivery", "receipt", "delivery-original", "delivery-rejections", "delivery-mend"):
            told = client.get(reverse(name, args=[receipt]))
            asked = client.get(reverse(name, args=[absent]))
            assert told.status_code == asked.status_code == 404
            assert body(told).replace(receipt.encode(), b"") == body(asked).replace(absent.encode(), b"")
        headers = {"Authorization": f"Bearer {give_key(login, ('read',))}"}
        told = client.get(f"/api/v1/deliveries/{receipt}", headers=headers)
        asked = client.get(f"/api/v1/deliveries/{absent}", headers=headers)
        assert (told.status_code, body(told)) == (asked.status_code, body(asked))
    listed = client.get(reverse("deliveries"))
    assert b"sites.csv" not in listed.content
    assert held.receipt.encode() not in listed.content
    assert client.get(reverse("holds")).status_code == 404
    assert client.get(reverse("hold", args=[held.holds.get().pk])).status_code == 404


def test_w16_counts_do_not_move(store: Path, client: Client) -> None:
    builders.centre()
    for login in ("pia_partner", "dana_analyst", "ada_administrator", "fleur_officer"):
        people.call(login)
    addresses = {
        "dana_analyst": [
            "/", "/deliveries/", "/organisations/", "/organisations/northwind/", "/review/", "/lookup/?q=news.example",
        ],
        "ada_administrator": ["/settings/", "/organisations/"],
        "fleur_officer": ["/", "/countries/FR/", "/lookup/?q=news.example"],
    }  # fmt: skip
    before = {}
    for login, paths in addresses.items():
        people.let_in(client, login)
        before[login] = [body(client.get(path)) for path in paths]
    assert send().state == "held"
    Job.objects.all().delete()
    for login, paths in addresses.items():
        people.let_in(client, login)
        for path, told in zip(paths, before[login], strict=True):
            assert _still(body(client.get(path))) == _still(told), (login, path)


def _still(content: bytes) -> bytes:
    """Without moments, which pass."""
    return re.sub(rb'<time[^>]*>[^<]*</time>|\d+ (?:seconds?|minutes?) ago|datetime="[^"]*"', b"", content)


def test_w16_its_source_sees_that_it_is_under_review_and_no_reason(
    held: Delivery, client: Client, give_key: GiveKey
) -> None:
    people.let_in(client, "pia_partner")
    page = client.get(reverse("delivery", args=[held.receipt]))
    assert page.status_code == 200
    assert b"Under review" in page.content
    for told in (b"false information", b"speech", b"rticle", b"egal"):
        assert told not in page.content.replace(b"sites.csv", b"")
    assert client.get(reverse("delivery-original", args=[held.receipt])).status_code == 404
    secret = give_key("pia_partner", ("read",))
    said = client.get(f"/api/v1/deliveries/{held.receipt}", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (said["state"], said["reason"], said["text"], said["format"]) == ("held", "", "", "")


def test_w16_standing_queries_find_nothing_before_and_everything_after(held: Delivery, client: Client) -> None:
    officer = people.call("fleur_officer")
    StandingQuery.objects.create(
        person=officer,
        organisation=officer.organisation,
        kind="domain",
        value="news.example",
        created_at=timezone.now(),
    )
    people.let_in(client, "dana_analyst")
    assert b"sites.csv" not in client.get("/lookup/?q=news.example").content
    hold = noted(held)
    holding.clear(hold, text="an ordinary fraud", by=people.call("lena_legal"), at=timezone.now())
    work()
    held.refresh_from_db()
    assert (held.state, held.rows) == ("parsed", 1)
    assert Tally.objects.count() == 1
    assert Job.objects.filter(kind="standing-queries", state="done").exists()
    assert client.get(reverse("delivery", args=[held.receipt])).status_code == 200


def test_w16_the_officer_decides_on_the_page(held: Delivery, client: Client) -> None:
    hold = held.holds.get()
    people.let_in(client, "lena_legal")
    queue = client.get(reverse("holds")).content.decode()
    assert "sites.csv" in queue
    assert "Offence of speech" in queue
    page = client.get(reverse("hold", args=[hold.pk])).content.decode()
    assert "spreading false information" in page
    decide = reverse("hold-decide", args=[hold.pk])
    client.post(decide, {"act": "refuse", "ground": "legal-political", "text": "No."})
    hold.refresh_from_db()
    assert hold.state == "open", "no decision before every question has its note"
    client.post(reverse("hold-note", args=[hold.pk]), dict.fromkeys(CHECKLIST, "a note"))
    for wrong in ({"text": "No."}, {"ground": "because", "text": "No."}, {"ground": "legal-political", "text": " "}):
        client.post(decide, {"act": "refuse", **wrong})
        hold.refresh_from_db()
        assert hold.state == "open"
    client.post(decide, {"act": "refuse", "ground": "legal-political", "text": "It is about opinion."})
    hold.refresh_from_db()
    held.refresh_from_db()
    assert (hold.state, held.state, held.reason) == ("refused", "refused", "legal-political")
    assert {"hold.opened", "hold.noted", "hold.refused"} <= set(Entry.objects.values_list("action", flat=True))
    # Nobody reads it any more, and for others it still does not exist.
    assert client.get(reverse("delivery-original", args=[held.receipt])).status_code == 404
    people.let_in(client, "dana_analyst")
    assert client.get(reverse("delivery", args=[held.receipt])).status_code == 404
    people.let_in(client, "pia_partner")
    shown = client.get(reverse("delivery", args=[held.receipt])).content.decode()
    assert "political side outweighs" in shown
    assert "It is about opinion." in shown


def test_w16_a_decision_needs_a_fresh_proof(held: Delivery, client: Client) -> None:
    hold = noted(held)
    client.force_login(people.call("lena_legal"))
    answer = client.post(
        reverse("hold-decide", args=[hold.pk]), {"act": "refuse", "ground": "legal-political", "text": "No."}
    )
    assert answer["Location"].startswith(reverse("prove"))
    hold.refresh_from_db()
    assert hold.state == "open"


def _insider(delivery: Delivery) -> str:
    builders.person("nora_legal", builders.organisation("northwind"), "legal")
    return "nora_legal"


def _sender(delivery: Delivery) -> str:
    Delivery.objects.filter(pk=delivery.pk).update(person=people.call("lena_legal"))
    return "lena_legal"


@pytest.mark.parametrize(
    "who", [_insider, _sender, lambda delivery: "dana_analyst", lambda delivery: "ada_administrator"]
)
def test_w16_nobody_else_decides(who: Callable[[Delivery], str], held: Delivery, client: Client) -> None:
    hold = noted(held)
    people.let_in(client, who(held))
    for act in ("clear", "refuse"):
        answer = client.post(
            reverse("hold-decide", args=[hold.pk]), {"act": act, "ground": "legal-political", "text": "x"}
        )
        assert answer.status_code == 404
    hold.refresh_from_db()
    assert hold.state == "open"


def test_w16_of_two_officers_one_decides(held: Delivery) -> None:
    hold = noted(held)
    builders.person("leo_legal", builders.centre(), "legal")
    holding.refuse(hold, ground="legal-political", text="No.", by=people.call("lena_legal"), at=timezone.now())
    with pytest.raises(Conflict):
        holding.clear(hold, text="Yes.", by=builders.Person.objects.get(login="leo_legal"), at=timezone.now())
    held.refresh_from_db()
    assert held.state == "refused"


def test_w16_reading_again_is_no_way_round(held: Delivery, client: Client) -> None:
    people.let_in(client, "dana_analyst")
    assert client.post(reverse("delivery-read-again", args=[held.receipt])).status_code == 404
    with pytest.raises(Conflict):
        services.read_again(held, by=people.call("dana_analyst"), profile=None, at=timezone.now())
    work()
    held.refresh_from_db()
    assert held.state == "held"


def test_w16_what_mends_another_does_not_show_there(held: Delivery, client: Client) -> None:
    plain = send(b"ip\n192.0.2.7\n8.8.8.8\n", name="plain.csv")
    Delivery.objects.filter(pk=held.pk).update(mends=plain)
    people.let_in(client, "dana_analyst")
    assert held.receipt not in client.get(reverse("delivery", args=[plain.receipt])).content.decode()
    people.let_in(client, "pia_partner")
    assert held.receipt in client.get(reverse("delivery", args=[plain.receipt])).content.decode()


def test_w16_the_status_of_an_envelope_is_pending_then_failed(store: Path, client: Client, give_key: GiveKey) -> None:
    indicator = {
        "type": "indicator", "spec_version": "2.1", "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-11-18T00:00:00.000Z", "modified": "2026-11-18T00:00:01.000Z", "name": "a news site",
        "description": "Spreading false information", "pattern": "[domain-name:value = 'news.example']",
        "pattern_type": "stix", "valid_from": "2026-11-18T00:00:00Z",
    }  # fmt: skip
    builders.centre()
    secret = give_key("pia_partner")
    media = "application/taxii+json;version=2.1"
    headers = {"Authorization": f"Bearer {secret}", "Accept": media}
    content = json.dumps({"objects": [indicator]})
    posted = client.post("/taxii2/northwind/collections/inbox/objects/", content, content_type=media, headers=headers)
    assert posted.status_code == 202
    work()
    made = Delivery.objects.get()
    assert made.state == "held"
    status = f"/taxii2/northwind/status/{made.receipt}/"
    said = client.get(status, headers=headers).json()
    assert (said["status"], said["pending_count"]) == ("pending", 1)
    holding.refuse(noted(made), ground="legal-political", text="No.", by=people.call("lena_legal"), at=timezone.now())
    said = client.get(status, headers=headers).json()
    assert (said["status"], said["failure_count"]) == ("complete", 1)


def test_w16_what_the_centre_draws_from_a_cleared_report_is_not_asked_again(held: Delivery) -> None:
    drawn = services.receive(
        organisation=held.organisation, via="api", name="drawn.csv", chunks=[NEWS + b"\n"], at=timezone.now(),
        drawn_from=held,
    )  # fmt: skip
    work()
    drawn.refresh_from_db()
    assert drawn.state == "parsed"
