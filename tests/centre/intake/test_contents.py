"""Who may have the bytes of a delivery: the gate is asked for those that were not read, and for repeats too."""

from __future__ import annotations

import pytest
from tests import builders, people

from tocsin.centre.intake.deliveries import may_read_contents
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db


def test_a_repeat_shows_no_more_than_the_delivery_it_repeats() -> None:
    dana = people.call("dana_analyst")
    northwind = builders.organisation("northwind")
    first = builders.delivery(northwind)
    builders.batch(first, builders.handling(Tlp.RED))
    again = builders.delivery(northwind, state="duplicate", duplicate_of=first)
    assert not may_read_contents(dana, first)
    assert not may_read_contents(dana, again)
    assert may_read_contents(people.call("pia_partner"), again)


@pytest.mark.parametrize(("label", "may"), [("TLP:RED", False), ("TLP:AMBER", True), ("", True)])
@pytest.mark.parametrize("state", ["received", "quarantined"])
def test_what_was_not_read_is_bound_by_the_label_that_was_chosen(state: str, label: str, may: bool) -> None:
    found = builders.delivery(builders.organisation("northwind"), state=state, stated_marking=label)
    assert may_read_contents(people.call("dana_analyst"), found) is may
    assert may_read_contents(people.call("pia_partner"), found)


def test_the_agreement_binds_what_bears_no_label() -> None:
    source = builders.organisation("careful", defaults={"exclusions": ["centre"]})
    found = builders.delivery(source, state="quarantined")
    assert not may_read_contents(people.call("dana_analyst"), found)
