"""Figures of the first pages: each viewer counts exactly what they might read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from tests import builders, people

from tocsin.centre.analysis import selectors as figures
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
    from tocsin.centre.intake.models import Batch

    Batch.objects.update(hidden_at=builders.NOW - timedelta(minutes=1))
    assert figures.home_figures(viewer_of(people.call("dana_analyst")), builders.NOW, "all").rows == 0


def test_country_lines_agree_with_the_map() -> None:
    fleur = viewer_of(people.call("fleur_officer"))
    lines = figures.country_lines(fleur, builders.NOW, "90d")
    by_country = figures.home_figures(fleur, builders.NOW, "90d").by_country
    assert {code: line.rows for code, line in lines.items()} == by_country
