"""The reach map, and what the source of a delivery may know of it."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner
from django.test import Client
from django.urls import reverse
from tests import builders, people

from tocsin.centre.analysis import standing
from tocsin.centre.analysis.models import StandingHit
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.centre.jobs import services as jobs
from tocsin.centre.ledger.models import Response, Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reach import received, responding, spread
from tocsin.centre.release.models import Package, Release
from tocsin.cli.reach import reach as command
from tocsin.core.errors import NotFound
from tocsin.core.words import Tlp
from tocsin.lake.scope import Batches

pytestmark = pytest.mark.django_db
NOW = builders.NOW
HOUR = timedelta(hours=1)


@pytest.fixture
def officers() -> list[Person]:
    codes = ("FR", "JO", "BR", "KE")
    return [builders.person(f"officer_{code.lower()}", builders.bureau(code), "officer") for code in codes]


@pytest.fixture
def released(officers: list[Person]) -> Release:
    source = people.call("pia_partner").organisation
    return builders.release(builders.batch(builders.delivery(source, "secret-name.csv"), builders.handling(Tlp.AMBER)))


def package(number: str, *batches: Batch) -> Package:
    return Package.objects.create(
        country=number[:2], number=number, arrived_from=NOW - HOUR, arrived_until=NOW + HOUR, language="en", path="-",
        sha256="-", size_bytes=1, rows=3, created_at=NOW, summary={}, batches=Batches([b.pk for b in batches]).packed(),
    )  # fmt: skip


def test_who_has_it_by_which_way_and_who_may_see_it(officers: list[Person], released: Release) -> None:
    batch, (first, second, *_) = released.batches.get(), officers
    other = builders.batch(builders.delivery(builders.organisation("southgate")), builders.handling())
    held, without = package("FR-2026-0001", batch), package("JO-2026-0001", other)
    took(first, Taking.Channel.API, [batch.pk], NOW + HOUR)
    took(first, Taking.Channel.API, [batch.pk], NOW + 30 * HOUR)
    took(first, Taking.Channel.PACKAGE, [batch.pk], NOW + 2 * HOUR, reference=held.number)
    took(second, Taking.Channel.PAGE, [other.pk], NOW)
    found = spread.reach_of(Batches([batch.pk]), batch.organisation_id, NOW + 40 * HOUR)
    assert [holder.organisation.slug for holder in found.holders] == ["ncb-fr"]
    holder = found.holders[0]
    assert (holder.first_at, holder.last_at, holder.is_open) == (NOW + HOUR, NOW + 30 * HOUR, True)
    assert {(way.channel, way.reference) for way in holder.ways} == {("api", ""), ("package", held.number)}
    assert {each.slug for each in found.open_to} == {"ncb-jo", "ncb-br", "ncb-ke"}
    assert [each.number for each in found.packages] == [held.number]
    assert without not in found.packages
    assert found.countries == {"FR": 2, "JO": 1, "BR": 1, "KE": 1}


def test_who_has_it_stays_known_after_a_recall(officers: list[Person], released: Release) -> None:
    batch, dana = released.batches.get(), people.call("dana_analyst")
    took(officers[0], Taking.Channel.FILE, [batch.pk], NOW + HOUR)
    Batch.objects.filter(pk=batch.pk).update(hidden_at=NOW + 2 * HOUR)
    delivery = spread.delivery_for(dana, released.delivery.receipt)
    parts = spread.parts_of(delivery, viewer_of(dana))
    found = spread.reach_of(parts, delivery.organisation_id, NOW + 3 * HOUR)
    assert [(holder.organisation.slug, holder.is_open) for holder in found.holders] == [("ncb-fr", False)]
    assert found.open_to == ()


def test_only_those_who_follow_up_see_the_map_and_only_of_what_they_may_see(released: Release) -> None:
    receipt = released.delivery.receipt
    for login in ("dana_analyst", "dora_dissemination", "dario_duty"):
        assert spread.delivery_for(people.call(login), receipt)
    for login in ("rui_reviewer", "lena_legal", "ada_administrator", "fleur_officer", "pia_partner", "omar_partner"):
        with pytest.raises(NotFound):
            spread.delivery_for(people.call(login), receipt)
    red = builders.handling(Tlp.RED, audience=("person:dario_duty",))
    kept = builders.batch(builders.delivery(builders.organisation("southgate")), red)
    assert spread.delivery_for(people.call("dario_duty"), kept.delivery.receipt)
    with pytest.raises(NotFound):
        spread.delivery_for(people.call("dana_analyst"), kept.delivery.receipt)


def test_the_command_prints_it_and_leaves_a_trace(
    officers: list[Person], released: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.cli.reach.setup", lambda: None)
    people.call("dana_analyst")
    took(officers[0], Taking.Channel.API, [released.batches.get().pk], NOW)
    receipt = released.delivery.receipt
    told = CliRunner().invoke(command, [receipt, "--as", "dana_analyst", "--json"])
    assert told.exit_code == 0, told.output
    assert [each["organisation"] for each in json.loads(told.output)["holders"]] == ["ncb-fr"]
    plain = CliRunner().invoke(command, [receipt, "--as", "dana_analyst"])
    assert "NCB FR" in plain.output
    assert "3 more may see it" in plain.output
    assert CliRunner().invoke(command, [receipt, "--as", "officer_fr"]).exit_code == 1
    noted = Entry.objects.filter(action="reach.read", actor="command").values_list("detail", flat=True)
    assert [json.loads(detail)["as"] for detail in noted] == ["dana_analyst"] * 2


def useful(officer: Person, released: Release, word: str = "useful") -> None:
    found = received.found_for(officer, released.delivery.receipt, NOW + HOUR)
    responding.answer(officer, found, outcome="acted", usefulness=word, note="Operation Lantern", at=NOW + HOUR)


def test_w10_a_source_learns_that_three_countries_found_it_useful_and_no_more(
    client: Client, officers: list[Person], released: Release
) -> None:
    """P1 opens its submission history: its own items with their states, and usefulness in its sanitised form."""
    stranger = builders.delivery(people.call("omar_partner").organisation, "of-the-other.csv")
    people.let_in(client, "pia_partner")
    address = reverse("delivery", args=[released.delivery.receipt])

    def page() -> str:
        return client.get(address).content.decode()

    before = page()
    assert "fewer than three countries" in before
    unit = builders.organisation(
        "unit-of-fr", class_name="law-enforcement", country="FR", parent=officers[0].organisation
    )
    for officer in officers[:2]:
        useful(officer, released)
    useful(officers[2], released, "false-positive")
    two = page()
    assert "fewer than three countries" in two
    useful(officers[3], released)
    three = page()
    assert "at least three countries" in three
    useful(officers[2], released)
    assert _plain(page()) == _plain(three), "four say no more than three"
    for text in map(_plain, (two, three)):  # A token may hold three letters of a word.
        for word in ("NCB", "Lantern", "officer_", "Brazil", "Kenya", unit.name, stranger.name, "positive"):
            assert word not in text
    history = client.get(reverse("deliveries")).content.decode()
    assert "secret-name.csv" in history
    assert stranger.name not in history
    assert client.get(reverse("delivery", args=[stranger.receipt])).status_code == 404
    assert client.get(reverse("delivery-reach", args=[released.delivery.receipt])).status_code == 404
    useful(officers[0], released, "not-useful")
    useful(officers[1], released, "not-useful")
    assert "fewer than three countries" in page(), "the last answer counts"


def _plain(text: str) -> str:
    """Without what no two answers have in common."""
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": "[^"]+"|hx-headers=\'[^\']+\'', "", text)


def test_one_country_with_many_units_is_one_country(officers: list[Person]) -> None:
    source = people.call("pia_partner").organisation
    released = builders.release(builders.batch(builders.delivery(source), builders.handling(Tlp.GREEN)))
    for place in range(3):
        unit = builders.organisation(
            f"unit-{place}", class_name="law-enforcement", country="FR", parent=officers[0].organisation
        )
        useful(builders.person(f"investigator_{place}", unit, "investigator"), released)
    useful(officers[1], released)
    assert not spread.usefulness_of(released.delivery).is_useful_to_many
    useful(officers[2], released)
    assert spread.usefulness_of(released.delivery).is_useful_to_many


def test_the_source_does_not_count_for_itself(officers: list[Person]) -> None:
    released = builders.release(
        builders.batch(builders.delivery(officers[0].organisation), builders.handling(Tlp.AMBER))
    )
    with pytest.raises(NotFound):
        useful(officers[0], released)
    for officer in officers[1:3]:
        useful(officer, released)
    assert Response.objects.count() == 2
    assert not spread.usefulness_of(released.delivery).is_useful_to_many


def test_what_a_standing_query_tells_somebody_is_in_the_ledger(
    officers: list[Person], released: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, fleur = released.batches.get(), people.call("fleur_officer")
    query = standing.add_query(person=fleur, text="192.0.2.7", reason="", at=NOW)
    monkeypatch.setattr(standing, "hits_in", lambda delivery: [(query, batch.pk, 2)])
    jobs.enqueue(standing.CHECK, f"delivery:{released.delivery_id}", {"delivery": released.delivery_id}, at=NOW)
    claim = jobs.claim("worker", [standing.CHECK], NOW)
    assert claim is not None
    standing.check(claim)
    assert StandingHit.objects.count() == 1
    told = Taking.objects.get()
    assert (told.organisation, told.channel, Batches.unpacked(bytes(told.batches))) == (
        fleur.organisation,
        "alert",
        Batches([batch.pk]),
    )
