"""Standing orders: two sign, each delivery that leaves under one cites it, and it can be stopped at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.release import orders, releasing
from tocsin.centre.release.models import Release, StandingOrder
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db
NOW = builders.NOW
TODAY = NOW.date()


def drawn_up(by: str = "rui_reviewer", **said: object) -> StandingOrder:
    terms = {
        "title": "What northwind sends", "organisation": builders.organisation("northwind"), "formats": (),
        "audience": (), "ceiling": Tlp.GREEN, "purposes": ("PROTECT",), "starts_on": TODAY,
        "ends_on": TODAY + timedelta(days=90), **said,
    }  # fmt: skip
    return orders.draw_up(**terms, by=people.call(by), is_proved=True, at=NOW)  # type: ignore[arg-type]


def signed(by: str = "lena_legal", **said: object) -> StandingOrder:
    return orders.sign(drawn_up(**said), by=people.call(by), is_proved=True, at=NOW)  # type: ignore[arg-type]


def arrived(slug: str = "northwind", tlp: Tlp = Tlp.GREEN, via: str = "page", **said: object) -> Delivery:
    """A delivery that waits, as it stands in the commit when the keeper is called."""
    people.call("fleur_officer")
    made = builders.delivery(builders.organisation(slug), via=via)
    builders.batch(made, builders.handling(tlp, **said), released_to=None)
    return made


def left(delivery: Delivery, days: int = 0) -> bool:
    """Whether it leaves by itself so many days later."""
    at = NOW + timedelta(days=days)
    orders.release_under_orders(delivery, {"format": "delimited"}, Path(), at)
    return not releasing.waiting_batches().filter(delivery=delivery).exists()


def test_i4_what_leaves_by_itself_cites_an_order_that_two_signed() -> None:
    order = signed()
    delivery = arrived()
    assert left(delivery)
    released = Release.objects.get(delivery=delivery)
    assert released.order == order
    assert {order.first_by.login, order.second_by.login} == {"rui_reviewer", "lena_legal"}
    act = Entry.objects.get(action="release.by-order")
    assert order.number in act.detail
    assert list(released.batches.all()) == list(Batch.objects.filter(delivery=delivery))


def test_half_signed_nothing_leaves() -> None:
    order = drawn_up()
    assert not left(arrived())
    with pytest.raises(Refused, match="same-person"):
        orders.sign(order, by=people.call("rui_reviewer"), is_proved=True, at=NOW)
    with pytest.raises(Refused, match="not-proved"):
        orders.sign(order, by=people.call("lena_legal"), is_proved=False, at=NOW)
    with pytest.raises(Refused, match="not-allowed"):
        orders.sign(order, by=people.call("dana_analyst"), is_proved=True, at=NOW)
    orders.sign(order, by=people.call("dora_dissemination"), is_proved=True, at=NOW)
    with pytest.raises(Conflict):
        orders.sign(order, by=people.call("lena_legal"), is_proved=True, at=NOW)


@pytest.mark.parametrize("by", ["rui_reviewer", "lena_legal", "dora_dissemination"])
def test_each_signer_and_each_releaser_stops_it_at_once(by: str) -> None:
    order = signed()
    with pytest.raises(Refused, match="not-allowed"):
        orders.stop(order, reason="x", by=people.call("dana_analyst"), at=NOW)
    with pytest.raises(Refused, match="no-reason"):
        orders.stop(order, reason="", by=people.call(by), at=NOW)
    orders.stop(order, reason="the source asked", by=people.call(by), at=NOW)
    assert not left(arrived())
    with pytest.raises(Conflict):
        orders.stop(order, reason="again", by=people.call(by), at=NOW)
    half = drawn_up()
    orders.stop(half, reason="a mistake in it", by=people.call("dora_dissemination"), at=NOW)
    with pytest.raises(Refused, match="order-stopped"):
        orders.sign(half, by=people.call("lena_legal"), is_proved=True, at=NOW)


def test_an_order_holds_from_its_first_day_to_its_last() -> None:
    signed(starts_on=TODAY + timedelta(days=1), ends_on=TODAY + timedelta(days=2))
    assert [left(arrived(), days) for days in range(4)] == [False, True, True, False]


def test_it_lets_go_what_it_names_and_nothing_else() -> None:
    signed(formats=("delimited",), ceiling=Tlp.AMBER)
    assert left(arrived(tlp=Tlp.AMBER))
    assert not left(arrived("southgate"))
    assert not left(arrived(tlp=Tlp.AMBER_STRICT, audience=("ncb-fr",)))
    assert not left(arrived(tlp=Tlp.RED, audience=("person:fleur_officer",)))
    assert not left(arrived(purposes=("TRAIN",)))
    other = arrived()
    orders.release_under_orders(other, {"format": "stix2"}, Path(), NOW)
    assert releasing.waiting_batches().filter(delivery=other).exists()


def test_an_order_without_a_source_is_for_what_feeds_fetched() -> None:
    signed(organisation=None)
    assert left(arrived("feed-of-somebody", via="feed"))
    assert not left(arrived("northwind", via="page"))


def test_it_does_not_go_past_what_the_source_forbids() -> None:
    with pytest.raises(Refused, match="nobody"):
        drawn_up(audience=("ncb-fr",))
    people.call("fleur_officer")
    signed(audience=("ncb-fr",), ceiling=Tlp.AMBER_STRICT)
    assert not left(arrived(exclusions=("country:FR",)))
    assert not left(arrived(tlp=Tlp.AMBER_STRICT))
    assert left(arrived())


@pytest.mark.parametrize("said", [
    {"ends_on": TODAY - timedelta(days=1)}, {"ends_on": TODAY + timedelta(days=400)},
    {"starts_on": TODAY - timedelta(days=40), "ends_on": TODAY - timedelta(days=1)},
    {"ceiling": Tlp.RED}, {"purposes": ()},
])  # fmt: skip
def test_what_nobody_can_sign(said: dict[str, object]) -> None:
    with pytest.raises(Refused):
        drawn_up(**said)
    assert not StandingOrder.objects.exists()


def test_the_tables_themselves_refuse_one_person_twice() -> None:
    order, delivery = signed(), arrived()
    with pytest.raises(IntegrityError), transaction.atomic():
        StandingOrder.objects.filter(pk=order.pk).update(second_by=order.first_by)
    one = people.call("dana_analyst")
    facts = {"delivery": delivery, "state": "released", "released_at": NOW, "created_at": NOW}
    for persons in ({}, {"proposed_by": one}, {"proposed_by": one, "released_by": one}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Release.objects.create(**facts, **persons)
