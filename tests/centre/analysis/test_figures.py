"""Figures of the first pages: each viewer counts exactly what they might read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db.models import F
from tests import builders, people

from tocsin.centre.analysis import selectors as figures
from tocsin.centre.intake.models import Batch, Tally
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db
TODAY = builders.NOW.date()


@pytest.fixture(autouse=True)
def world() -> None:
    cache.clear()
    northwind = builders.organisation("northwind")
    open_batch = builders.batch(builders.delivery(northwind), builders.handling(Tlp.GREEN))
    strict = builders.batch(builders.delivery(northwind), builders.handling(Tlp.AMBER_STRICT))
    builders.tallies(open_batch, [
        (TODAY, "FR", "infected-system", "VICTIM", 10),
        (TODAY, "JO", "infected-system", "VICTIM", 20),
        (TODAY, "FR", "c2-server", "ATTACKER_INFRA", 3),
        (TODAY - timedelta(days=30), "FR", "phishing", "COMPROMISED_THIRD_PARTY", 400),
        (TODAY, "", "scanner", "ATTACKER_INFRA", 5),
        (TODAY, "FR", "scanner", "UNKNOWN", 1000),
    ])  # fmt: skip
    builders.tallies(strict, [(TODAY, "JO", "c2-server", "ATTACKER_INFRA", 70)])
    builders.names(open_batch, [("FR", "Andromeda", 10, TODAY), ("JO", "Andromeda", 20, TODAY)])


@pytest.mark.parametrize(("login", "by_country", "rows"), [
    ("dana_analyst", {"FR": 1013, "JO": 90}, 1108),  # The victim desk counts everything.
    ("rui_reviewer", {"FR": 3, "JO": 70}, 78),  # At the Centre, but not at that desk.
    ("fleur_officer", {"FR": 1013}, 1018),  # Victims of the own country alone; nothing of the strict batch.
    ("khalil_officer", {"FR": 3, "JO": 20}, 28),
    ("pia_partner", {"FR": 1013, "JO": 90}, 1108),  # The source.
    ("omar_partner", {}, 0),
    ("ada_administrator", {}, 0),
])  # fmt: skip
def test_each_counts_what_they_might_read(login: str, by_country: dict[str, int], rows: int) -> None:
    found = figures.home_figures(viewer_of(people.call(login)), builders.NOW, "7d")
    assert dict(found.by_country) == by_country
    assert found.rows == rows == sum(value for _, value in found.by_day)


def test_span_and_side_narrow_the_map() -> None:
    dana = viewer_of(people.call("dana_analyst"))
    assert figures.home_figures(dana, builders.NOW, "90d").by_country["FR"] == 1413
    assert figures.home_figures(dana, builders.NOW, "90d", "hosting").by_country["FR"] == 403
    assert dict(figures.home_figures(dana, builders.NOW, "24h", "victims").by_country) == {"FR": 10, "JO": 20}


@pytest.mark.parametrize(("login", "named"), [
    ("dana_analyst", 30), ("fleur_officer", 10), ("khalil_officer", 20), ("rui_reviewer", 0), ("omar_partner", 0),
])  # fmt: skip
def test_malware_names_follow_the_rule_on_victims(login: str, named: int) -> None:
    found = figures.top_malware(viewer_of(people.call(login)), builders.NOW, "7d")
    assert sum(each.rows for each in found) == named


def test_recalled_batches_leave_the_figures() -> None:
    Batch.objects.update(hidden_at=builders.NOW - timedelta(minutes=1))
    assert figures.home_figures(viewer_of(people.call("dana_analyst")), builders.NOW, "all").rows == 0


def test_country_lines_agree_with_the_map() -> None:
    fleur = viewer_of(people.call("fleur_officer"))
    lines = figures.country_lines(fleur, builders.NOW, "90d")
    by_country = figures.home_figures(fleur, builders.NOW, "90d").by_country
    assert {code: line.rows for code, line in lines.items()} == by_country


LOGINS = ["dana_analyst", "rui_reviewer", "fleur_officer", "khalil_officer", "pia_partner", "omar_partner"]


def everything(login: str) -> list[object]:
    """All figures that a person meets on the first pages."""
    viewer = viewer_of(people.call(login))
    return [
        *(figures.home_figures(viewer, builders.NOW, span, side) for span in ("7d", "90d") for side in figures.SIDES),
        figures.country_figures(viewer, builders.NOW, "90d", "FR"),
        figures.top_malware(viewer, builders.NOW, "7d"),
        figures.parts_of_country(viewer, builders.NOW, "90d", "JO"),
        figures.country_lines(viewer, builders.NOW, "90d"),
    ]


def arrive(slug: str, tlp: Tlp, rows: int) -> Batch:
    batch = builders.batch(builders.delivery(builders.organisation(slug)), builders.handling(tlp))
    days = [(TODAY, "FR", "phishing", "VICTIM", rows), (TODAY, "JO", "c2-server", "ATTACKER_INFRA", rows + 1)]
    builders.tallies(batch, days)
    builders.names(batch, [("FR", "Emotet", rows, TODAY)])
    return batch


@pytest.mark.parametrize("login", LOGINS)
def test_figures_that_grew_are_those_counted_anew(login: str) -> None:
    """Arrivals of known and new sources, open and strict, and a recall between them."""
    steps = [
        lambda: arrive("northwind", Tlp.GREEN, 7),
        lambda: arrive("northwind", Tlp.AMBER_STRICT, 11),
        lambda: Batch.objects.filter(pk=arrive("northwind", Tlp.GREEN, 13).pk).update(hidden_at=builders.NOW),
        lambda: arrive("southwind", Tlp.GREEN, 17),
        lambda: Batch.objects.filter(pk=Batch.objects.order_by("pk")[0].pk).update(hidden_at=builders.NOW),
        lambda: arrive("southwind", Tlp.GREEN, 19),
    ]
    everything(login)
    for step in steps:
        step()
        grown = everything(login)
        cache.clear()
        assert grown == everything(login)


def test_after_an_arrival_only_what_arrived_is_counted() -> None:
    dana = viewer_of(people.call("dana_analyst"))
    before = figures.home_figures(dana, builders.NOW, "7d")
    Tally.objects.update(rows=F("rows") + 1_000_000)  # Nobody does: it shows that they are not read again.
    arrive("northwind", Tlp.GREEN, 7)
    assert figures.home_figures(dana, builders.NOW, "7d").rows == before.rows + 7 + 8
    # Only a country that was decided changes tallies, and says so.
    Batch.objects.filter(pk=Batch.objects.order_by("pk")[0].pk).update(recast_at=builders.NOW)
    assert figures.home_figures(dana, builders.NOW, "7d").rows > 1_000_000


def test_more_than_a_few_arrivals_are_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "ADDED_MOST", 1)
    dana = viewer_of(people.call("dana_analyst"))
    before = figures.home_figures(dana, builders.NOW, "7d")
    for rows in (7, 11):
        arrive("northwind", Tlp.GREEN, rows)
    assert figures.home_figures(dana, builders.NOW, "7d").rows == before.rows + 7 + 8 + 11 + 12
