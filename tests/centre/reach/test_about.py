"""What a received item is called: by what its reader may see of it, and by nothing else."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import translation
from tests import builders, people

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.knowledge.models import Document
from tocsin.centre.members.models import Person
from tocsin.centre.reach import received
from tocsin.centre.reach.about import About, about_package
from tocsin.centre.reach.headings import heading_of, under_heading
from tocsin.centre.release.models import Package
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db
NOW = builders.NOW
DAY = NOW.date()


@pytest.fixture
def fleur() -> Person:
    return people.call("fleur_officer")


@pytest.fixture
def made() -> Delivery:
    return builders.delivery(people.call("pia_partner").organisation, "northwind-secret.csv", title="Their own words")


def let_go(batch: Batch) -> Batch:
    builders.release(batch)
    return batch


def about(person: Person, of: Delivery) -> About:
    found = received.found_for(person, of.receipt, NOW)
    whole = received.about_all(person, found, NOW)
    if len(found) == 1:
        assert [each.about for each in received.items_of(person, found, NOW)] == [whole]
    return whole


def infected(of: Delivery, country: str = "FR", rows: int = 214, family: str = "Emotet") -> Batch:
    batch = builders.batch(of, builders.handling(Tlp.AMBER), rows=rows)
    builders.tallies(batch, [
        (DAY, country, "infected-system", "VICTIM", rows - 1),
        (DAY - timedelta(days=3), country, "infected-system", "VICTIM", 1),
    ])  # fmt: skip
    builders.names(batch, [(country, family, rows - 10, DAY), (country, "Other", 10, DAY)])
    return let_go(batch)


def test_sort_country_number_family_and_days(fleur: Person, made: Delivery) -> None:
    infected(made)
    found = about(fleur, made)
    assert heading_of(found) == "Infected hosts, France: 214 · Emotet"
    assert under_heading(found) == "Nov 18 – 21, 2026".replace(" – ", "\u2009–\u2009")
    with translation.override("es"):
        assert "Francia" in heading_of(found), "in the reader's language"


def test_what_is_hidden_moves_nothing(fleur: Person, made: Delivery) -> None:
    """Excluded equals absent: neither victims elsewhere, nor a part that is for others, nor what is said there."""
    batch = infected(made)
    said = about(fleur, made), heading_of(about(fleur, made))
    builders.tallies(batch, [(DAY - timedelta(days=9), "ES", "vulnerable-system", "VICTIM", 90_000)])
    builders.names(batch, [("ES", "Qakbot", 90_000, DAY), ("FR", "", 0, DAY)])
    Batch.objects.filter(pk=batch.pk).update(rows=90_214)
    other = builders.batch(made, builders.handling(Tlp.AMBER, exclusions=("ncb-fr",)), rows=7)
    builders.tallies(other, [(DAY + timedelta(days=1), "FR", "phishing", "ATTACKER_INFRA", 7)])
    builders.names(other, [("FR", "Redline", 7, DAY)])
    builders.objects(other, [{"type": "report", "id": "report--1", "name": "Not for France"}])
    Document.objects.create(delivery=made, batch=other, title="Nor this", text="-")
    let_go(other)
    assert (about(fleur, made), heading_of(about(fleur, made))) == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("FR", "c2-server", "ATTACKER_INFRA", 6), ("JO", "c2-server", "ATTACKER_INFRA", 5)],
         "Command-and-control servers, 2 countries: 11"),
        ([("FR", "phishing", "ATTACKER_INFRA", 6), ("", "phishing", "ATTACKER_INFRA", 5)], "Phishing: 11"),
        ([("FR", "phishing", "ATTACKER_INFRA", 6), ("FR", "spam", "ATTACKER_INFRA", 5)],
         "Phishing and others, France: 11"),
        ([("FR", "blacklist", "COMPROMISED_THIRD_PARTY", 3)], "Hacked sites and hosts, France: 3"),
        ([("FR", "spam", "SINKHOLE", 1), ("FR", "ddos", "HONEYPOT", 1), ("FR", "c2-server", "ATTACKER_INFRA", 1)],
         "Observations, France: 3"),
    ],
)  # fmt: skip
def test_of_several_sorts_and_places(
    rows: list[tuple[str, str, str, int]], said: str, fleur: Person, made: Delivery
) -> None:
    """A word stands for all of it only where it fits half of it."""
    batch = builders.batch(made, builders.handling(Tlp.AMBER), rows=sum(each[3] for each in rows))
    builders.tallies(batch, [(DAY, *each) for each in rows])
    builders.names(batch, [("FR", "Emotet", 1, DAY)])
    let_go(batch)
    assert heading_of(about(fleur, made)) == said


def test_a_title_that_the_source_gave_goes_first(fleur: Person, made: Delivery) -> None:
    batch = infected(made)
    builders.objects(batch, [
        {"type": "malware", "id": "malware--1", "name": "Emotet"},
        {"type": "report", "id": "report--1", "name": "Loader\n  campaign"},
    ])  # fmt: skip
    found = about(fleur, made)
    assert heading_of(found) == "Loader campaign"
    assert under_heading(found).startswith("Infected hosts, France: 214 · Objects: 2 · Emotet · ")
    Document.objects.create(delivery=made, batch=batch, title="What was seen " + "long " * 60, text="-")
    said = heading_of(about(fleur, made))
    assert said.startswith("What was seen long")
    assert said.endswith("long…, and 1 more")


def test_objects_without_a_title_are_called_by_what_they_are_about(fleur: Person, made: Delivery) -> None:
    batch = builders.batch(made, builders.handling(Tlp.AMBER), rows=0)
    names = ["Emotet", "", "Emotet", "TrickBot", "Ryuk"]
    builders.objects(batch, [
        builders.indicator(1), *({"type": "malware", "id": f"malware--{n}", "name": n_} for n, n_ in enumerate(names)),
    ])  # fmt: skip
    let_go(batch)
    assert heading_of(about(fleur, made)) == "Objects: 6 · Emotet · TrickBot"


def test_an_object_that_lies_alone_is_its_own_title(fleur: Person, made: Delivery) -> None:
    batch = builders.batch(made, builders.handling(Tlp.AMBER), rows=0)
    builders.objects(batch, [builders.indicator(1)])
    let_go(batch)
    assert heading_of(about(fleur, made)) == "address 1"
    builders.objects(batch, [builders.indicator(2)])
    assert heading_of(about(fleur, made)) == "Objects: 2"


def test_a_text_without_a_title_is_counted(fleur: Person, made: Delivery) -> None:
    batch = let_go(builders.batch(made, builders.handling(Tlp.AMBER), rows=0))
    Document.objects.create(delivery=made, batch=batch, title=" ", text="-")
    assert heading_of(about(fleur, made)) == "Texts: 1"


def test_nothing_that_says_so_leaves_the_reference(fleur: Person, made: Delivery) -> None:
    let_go(builders.batch(made, builders.handling(Tlp.AMBER), rows=0))
    assert heading_of(about(fleur, made)) == ""


def test_several_releases_of_a_delivery_are_one_page(fleur: Person, made: Delivery) -> None:
    infected(made)
    infected(made, rows=100)
    whole = about(fleur, made)
    assert (whole.rows, heading_of(whole)) == (314, "Infected hosts, France: 314 · Emotet")
    items = received.items_of(fleur, received.found_for(fleur, made.receipt, NOW), NOW)
    assert [each.about.rows for each in items] == [100, 214]


def test_packages_say_what_leads_in_them() -> None:
    package = Package(country="FR", number="FR-2026-0007", rows=1_204, arrived_from=NOW - timedelta(days=7),
                      arrived_until=NOW,
                      summary={"type": "infected-system", "is_mixed": True, "family": "Emotet"})  # fmt: skip
    assert heading_of(about_package(package)) == "Infected hosts and others, France: 1,204 · Emotet"
    assert about_package(package).first_on == date(2026, 11, 14)
    package.summary = {"values_new": 3, "tlp": "TLP:GREEN"}
    assert heading_of(about_package(package)) == "Observations, France: 1,204", "made by an earlier version"
