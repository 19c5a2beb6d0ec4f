"""Scorecards: what they count, and that nothing of one other source can be read off them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tests import builders
from tests.crew import work

from tocsin.centre.analysis.models import Proposal
from tocsin.centre.audit.models import Entry
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.partners import services
from tocsin.centre.partners.models import Scorecard
from tocsin.centre.partners.rules import (
    OTHERS_LEAST,
    STEP_PERCENT,
    VALUES_LEAST,
    Counts,
    card_of,
    cells_of,
    half_within,
)
from tocsin.lake.questions.contributions import Contribution

NOW = timezone.now()


def send(slug: str, values: Iterable[int], at: datetime, name: str = "", **said: object) -> Delivery:
    """Names hN.example, each observed five hours before it came."""
    seen = (at - timedelta(hours=5)).isoformat()
    lines = "".join(f"h{n}.example,{seen}\n" for n in values)
    return intake.receive(
        organisation=builders.organisation(slug), via="api", name=name or f"{slug}.csv",
        chunks=[f"domain,first_seen\n{lines}".encode()], at=at, **said,
    )  # type: ignore[arg-type]  # fmt: skip


def ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)


def measures(slug: str, days: int = 30) -> dict[str, dict[str, object]]:
    body = Scorecard.objects.get(organisation__slug=slug, span_days=days).body
    return dict(body["measures"])


def percent(slug: str, name: str, days: int = 30) -> object:
    return measures(slug, days)[name]["percent"]


@pytest.fixture
def four(db: None, store: Path) -> None:
    """northwind brings 200 values, of which southgate brought 50 before, and eastlane brings 100 after."""
    send("southgate", range(1, 51), ago(9))
    send("northwind", range(1, 201), ago(8))
    send("eastlane", range(101, 201), ago(7))
    send("westlane", range(1000, 1120), ago(6))
    work()
    services.compute(timezone.now())


@pytest.mark.usefixtures("four")
def test_what_is_new_known_and_first() -> None:
    said = measures("northwind")
    assert said["known_before"] == {"percent": 25, "rests_on": 200, "why": ""}
    assert said["unique"]["percent"] == 25  # 51 to 100.
    assert said["first_to_report"]["percent"] == 65  # 100 of 150, in steps of five.
    assert said["timed"]["percent"] == 100.0
    assert said["within_day"]["percent"] == 100.0
    card = Scorecard.objects.get(organisation__slug="northwind", span_days=30).body
    assert (card["deliveries"], card["rows"], card["values_new"], card["half_within_hours"]) == (1, 200, 200, 6)
    assert Entry.objects.filter(action="scorecards.computed").count() == 1
    assert percent("southgate", "known_before") is None  # Fifty values are too few to say.
    assert measures("southgate")["known_before"]["why"] == "too-few"
    assert percent("westlane", "unique") == 100


@pytest.mark.usefixtures("store", "db")
def test_with_two_others_nothing_is_compared() -> None:
    for slug in ("northwind", "southgate", "eastlane"):
        send(slug, range(1, 160), ago(5))
    work()
    services.compute(timezone.now())
    for name in ("known_before", "unique", "first_to_report"):
        assert measures("northwind")[name] == {"percent": None, "rests_on": 0, "why": "too-few-others"}


@pytest.mark.usefixtures("four")
def test_what_is_excluded_or_for_named_readers_is_absent() -> None:
    before = measures("northwind")
    send("secretive", range(51, 101), ago(20), marking="TLP:AMBER+STRICT")
    builders.organisation("guarded", defaults={"exclusions": ["northwind"]})
    send("guarded", range(51, 101), ago(20))
    work()
    services.compute(timezone.now())
    assert measures("northwind") == before
    assert percent("secretive", "timed") == 100.0  # Of its own it knows.


@pytest.mark.usefixtures("four")
def test_what_was_recalled_does_not_exist() -> None:
    Batch.objects.filter(organisation__slug="southgate").update(hidden_at=ago(1))
    services.compute(timezone.now())
    # With southgate gone, two others are left: nothing is compared.
    assert measures("northwind")["known_before"]["why"] == "too-few-others"
    assert Scorecard.objects.get(organisation__slug="southgate", span_days=30).body["rows"] == 0


@pytest.mark.usefixtures("store", "db")
def test_invented_partners_are_never_compared_with_real_ones() -> None:
    for slug in ("northwind", "southgate", "eastlane"):
        send(slug, range(1, 160), ago(5))
    builders.organisation("invented", is_exercise=True)
    send("invented", range(1, 160), ago(9))
    work()
    services.compute(timezone.now())
    assert measures("northwind")["known_before"]["why"] == "too-few-others"


@pytest.mark.usefixtures("four")
def test_repeats_rejections_and_reviewers() -> None:
    send("northwind", range(1, 201), ago(3), name="again.csv")
    send("northwind", range(1, 201), ago(2), name="more.csv")
    found = Delivery.objects.filter(organisation__slug="northwind").order_by("pk").first()
    assert found is not None
    Delivery.objects.filter(pk=found.pk).update(rejections=200)
    batch = Batch.objects.filter(delivery=found).first()
    for place, state in enumerate(("accepted", "refused", "refused", "refused", "open")):
        Proposal.objects.create(
            delivery=found, batch=batch, kind="ipv4", value=f"192.0.2.{place}", shown_as="x", state=state
        )
    work()
    services.compute(timezone.now())
    services.compute(timezone.now())  # Again on the same day: in place of the first.
    said = measures("northwind")
    assert said["own_repeats"] == {"percent": 66.7, "rests_on": 600, "why": ""}
    assert said["refused_by_reviewers"] == {"percent": 75.0, "rests_on": 4, "why": ""}
    assert said["rejected"]["percent"] == 25.0
    assert Scorecard.objects.filter(organisation__slug="northwind").count() == 3


@pytest.mark.usefixtures("four")
def test_older_spans_reach_back() -> None:
    send("northwind", range(2000, 2040), ago(60))
    work()
    services.compute(timezone.now())
    assert Scorecard.objects.get(organisation__slug="northwind", span_days=30).body["values_new"] == 200
    assert Scorecard.objects.get(organisation__slug="northwind", span_days=90).body["values_new"] == 240


LAKES = st.builds(
    lambda new, shared, known, first, others: Contribution(
        rows=new, values_new=new, values_shared=min(shared, new), values_known=min(known, shared, new),
        values_first=min(first, shared, new), others=others,
    ),
    *(st.integers(0, 300),) * 4, st.integers(0, 6),
)  # fmt: skip


@given(LAKES)
def test_no_share_answers_about_one_source_or_one_value(lake: Contribution) -> None:
    said = card_of(lake, Counts())["measures"]
    bases = {"known_before": lake.values_new, "unique": lake.values_new, "first_to_report": lake.values_shared}
    for name, base in bases.items():
        if lake.others < OTHERS_LEAST or base < VALUES_LEAST:
            assert said[name]["percent"] is None
            assert said[name]["rests_on"] == 0
        else:
            assert said[name]["percent"] % STEP_PERCENT == 0
    # With less than three others the card is the same whatever they hold.
    if lake.others < OTHERS_LEAST:
        alone = Contribution(rows=lake.rows, values_new=lake.values_new, others=lake.others)
        assert card_of(alone, Counts()) == card_of(lake, Counts())


def test_half_of_nothing_is_nothing() -> None:
    assert half_within([0] * 7) is None
    assert half_within([1, 0, 0, 0, 0, 0, 5]) == 0
    assert half_within([1, 1, 0, 0, 0, 0, 1]) == 6
    assert ("timed", "too-few", "") in cells_of(card_of(Contribution(), Counts()))
