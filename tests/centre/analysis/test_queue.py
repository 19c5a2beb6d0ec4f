"""Review, look-up and standing queries: decided once, asked through the gate, heard of once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from tests import builders, people
from tests.crew import work
from tests.doors.conftest import store

from tocsin.centre.analysis import reviewing, standing
from tocsin.centre.analysis.models import CountryConflict, Proposal, StandingHit, StandingQuery
from tocsin.centre.analysis.services import decide_proposals
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.knowledge.models import Document
from tocsin.core.words import Tlp

__all__ = ["store"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def hand_over(login: str, body: bytes, **said: str) -> Delivery:
    person = people.call(login)
    found = services.receive(
        organisation=person.organisation, via="page", name="seen.csv", chunks=[body], at=NOW, person=person,
        marking=said.get("marking", "TLP:GREEN"),
    )  # fmt: skip
    work()
    found.refresh_from_db()
    return found


def report() -> tuple[Batch, list[Proposal]]:
    source = people.call("pia_partner").organisation
    of = builders.delivery(source, "report.pdf")
    batch = builders.batch(of, builders.handling(Tlp.GREEN))
    text = "Seen at bad[.]example and <script>\n9[.]9[.]9[.]9 twice: 9[.]9[.]9[.]9"
    Document.objects.create(delivery=of, batch=batch, title="A report", text=text)
    pairs = (("domain", "bad.example", "bad[.]example"), ("ipv4", "9.9.9.9", "9[.]9[.]9[.]9"))
    proposals = [
        Proposal.objects.create(delivery=of, batch=batch, kind=kind, value=value, shown_as=shown, offset=place)
        for place, (kind, value, shown) in enumerate(pairs)
    ]
    return batch, proposals


def test_the_text_shows_every_value_and_runs_nothing(client: Client) -> None:
    _, proposals = report()
    client.force_login(people.call("rui_reviewer"))
    shown = client.get(reverse("review")).content.decode()
    assert shown.count("<mark") == 3
    assert f'id="found-{proposals[1].pk}"' in shown
    assert "&lt;script&gt;" in shown


def test_the_words_of_others_turn_and_hide_nothing(client: Client) -> None:
    _, (first, _) = report()
    Document.objects.update(text="see exe\u202egnp\nand\tthis")
    Proposal.objects.filter(pk=first.pk).update(context="a\u202eb")
    client.force_login(people.call("rui_reviewer"))
    shown = client.get(reverse("review")).content.decode()
    assert "see exe\\u202egnp\nand\tthis" in shown
    assert "\u202e" not in shown


def test_what_is_ticked_is_accepted_with_its_role_and_the_rest_waits(client: Client) -> None:
    batch, (first, second) = report()
    client.force_login(people.call("rui_reviewer"))
    said = {"report": batch.delivery.receipt, "act": "accept", "proposal": [second.pk], f"role-{second.pk}": "SINKHOLE"}
    client.post(reverse("decide-proposals"), said)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state, second.role) == ("open", "accepted", "SINKHOLE")
    assert second.became is not None
    work()
    second.became.refresh_from_db()
    assert (second.became.state, second.became.rows) == ("parsed", 1)
    client.post(reverse("decide-proposals"), {"report": batch.delivery.receipt, "act": "refuse-all"})
    first.refresh_from_db()
    assert first.state == "refused"


def test_what_is_accepted_keeps_the_label_of_its_own_part_of_the_delivery() -> None:
    of = builders.delivery(people.call("pia_partner").organisation, "many.zip")
    builders.batch(of, builders.handling(Tlp.CLEAR))
    own = builders.batch(of, builders.handling(Tlp.AMBER))
    found = Proposal.objects.create(delivery=of, batch=own, kind="ipv4", value="9.9.9.9", shown_as="9.9.9.9")
    rui = people.call("rui_reviewer")
    became = decide_proposals(proposals=[found], accept=True, role="UNKNOWN", by=rui, at=NOW)
    assert became is not None
    assert became.stated_marking == "TLP:AMBER"


@pytest.mark.parametrize("login", ["pia_partner", "fleur_officer", "ada_administrator"])
def test_only_reviewers_decide(client: Client, login: str) -> None:
    batch, proposals = report()
    client.force_login(people.call(login))
    said = {"report": batch.delivery.receipt, "act": "accept-all"}
    assert client.post(reverse("decide-proposals"), said).status_code == 404
    assert Proposal.objects.filter(state="open").count() == len(proposals)


def test_a_country_is_decided_once(client: Client) -> None:
    batch, _ = report()
    claims = {"stated": "FR", "geo": "DE", "registry": "DE", "example": "9.9.9.9"}
    conflict = CountryConflict.objects.create(batch=batch, kind="network", value="9.9.9.0/24", claims=claims, rows=3)
    assert reviewing.claims_of(conflict).by_country == {"FR": ["stated"], "DE": ["registry", "geo"]}
    client.force_login(people.call("rui_reviewer"))
    assert b"9.9.9.0/24" in client.get(reverse("review"), {"tab": "countries"}).content
    assert client.post(reverse("decide-country", args=[conflict.pk]), {"country": "XX"}).status_code == 404
    client.post(reverse("decide-country", args=[conflict.pk]), {"country": "DE"})
    client.post(reverse("decide-country", args=[conflict.pk]), {"country": "FR"})
    conflict.refresh_from_db()
    assert (conflict.state, conflict.country) == ("decided", "DE")


def test_a_look_up_answers_through_the_gate_and_is_recorded(client: Client) -> None:
    hand_over("pia_partner", b"ip,malware\n192.0.2.7,Emotet\n", marking="TLP:RED")
    client.force_login(people.call("pia_partner"))
    assert b"Newest rows" in client.get(reverse("lookup"), {"q": "192[.]0[.]2[.]7"}).content
    client.force_login(people.call("omar_partner"))
    assert b"Nothing is known of it here" in client.get(reverse("lookup"), {"q": "192.0.2.7"}).content
    assert Entry.objects.filter(action="lookup", actor="omar_partner").count() == 1
    assert client.get(reverse("lookup")).status_code == 200
    assert Entry.objects.filter(action="lookup").count() == 2


def test_a_standing_query_hears_of_what_arrives_later_once(client: Client) -> None:
    hand_over("omar_partner", b"ip,x\n192.0.2.7,1\n")
    client.force_login(people.call("pia_partner"))
    client.post(reverse("watch-add"), {"q": "192[.]0[.]2[.]7"})
    client.post(reverse("watch-add"), {"q": "192.0.2.7"})
    assert StandingQuery.objects.count() == 1
    delivery = hand_over("pia_partner", b"ip,x\n192.0.2.7,2\n")
    hit = StandingHit.objects.get()
    assert (hit.batch.delivery, hit.rows, hit.seen_at) == (delivery, 1, None)
    assert [rows for _, _, rows in standing.hits_in([delivery.pk])] == [1]
    assert b"New" in client.get(reverse("watches")).content
    assert not StandingHit.objects.filter(seen_at=None).exists()


@pytest.mark.usefixtures("contexts")
def test_what_was_recalled_is_counted_no_more(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    client.post(reverse("watch-add"), {"q": "192.0.2.7"})
    delivery = hand_over("pia_partner", b"ip,x\n192.0.2.7,1\n")
    assert [each.rows for each in client.get(reverse("watches")).context["queries"]] == [1]
    Batch.objects.filter(delivery=delivery).update(hidden_at=NOW)
    assert [each.rows for each in client.get(reverse("watches")).context["queries"]] == [None]


@pytest.mark.usefixtures("contexts")
def test_the_first_page_counts_hits_that_the_page_of_standing_queries_shows(client: Client) -> None:
    client.force_login(people.call("pia_partner"))
    client.post(reverse("watch-add"), {"q": "192.0.2.7"})
    recalled = hand_over("pia_partner", b"ip,x\n192.0.2.7,1\n")
    hand_over("pia_partner", b"ip,x\n192.0.2.7,2\n")

    def waiting() -> list[int]:
        return [task.count for task in client.get(reverse("home")).context["tasks"] if task.url_name == "watches"]

    assert waiting() == [2]
    Batch.objects.filter(delivery=recalled).update(hidden_at=NOW)
    assert waiting() == [1]
    assert len(client.get(reverse("watches")).context["hits"]) == 1
    assert waiting() == []
    Batch.objects.filter(delivery=recalled).update(hidden_at=None)
    assert waiting() == [1], "what was not listed is still new"


def test_a_standing_query_never_hears_of_what_its_owner_may_not_see(client: Client) -> None:
    people.call("omar_partner")
    standing.add_query(person=people.call("omar_partner"), text="192.0.2.7", reason="", at=NOW)
    hand_over("pia_partner", b"ip,x\n192.0.2.7,2\n", marking="TLP:RED")
    assert not StandingHit.objects.exists()


def test_ones_own_queries_are_ones_own(client: Client) -> None:
    query = standing.add_query(person=people.call("pia_partner"), text="192.0.2.7", reason="why", at=NOW)
    client.force_login(people.call("omar_partner"))
    assert b"192.0.2.7" not in client.get(reverse("watches")).content
    assert client.post(reverse("watch-stop", args=[query.pk])).status_code == 404
    client.force_login(people.call("pia_partner"))
    client.post(reverse("watch-stop", args=[query.pk]))
    query.refresh_from_db()
    assert not query.is_active


@pytest.mark.parametrize(
    ("asked", "name", "words"),
    [
        ("heodo", "Emotet", "Emotet Geodo emotet"),
        ("Fancy Bear", "APT28", "Sofacy APT28"),
        ("Kiesel", "Kiesel", "Kiesel"),
    ],
)
def test_a_name_is_watched_under_all_its_aliases(asked: str, name: str, words: str) -> None:
    person = people.call("pia_partner")
    query = standing.add_query(person=person, text=asked, reason="", at=NOW)
    assert (query.kind, query.value) == ("name", name)
    assert standing.add_query(person=person, text=name, reason="", at=NOW) == query
    table = "ip,malware,x\n198.51.100.9,QakBot,1\n198.51.100.9,,1\n" + "{}"
    assert hand_over("pia_partner", table.format("").encode()).state == "parsed"
    assert not StandingHit.objects.exists()
    for word in words.split():
        delivery = hand_over("pia_partner", table.format(f"192.0.2.7,{word},1\n192.0.2.8,{word},2\n").encode())
        hit = StandingHit.objects.get(batch__delivery=delivery)
        assert (hit.query, hit.rows) == (query, 2), word


def test_a_watched_name_is_kept_from_those_who_may_not_see_it() -> None:
    queries = {
        login: standing.add_query(person=people.call(login), text="Heodo", reason="", at=NOW)
        for login in ("omar_partner", "pia_partner")
    }
    hand_over("pia_partner", b"ip,malware\n192.0.2.7,Emotet\n", marking="TLP:RED")
    assert [hit.query for hit in StandingHit.objects.all()] == [queries["pia_partner"]]
