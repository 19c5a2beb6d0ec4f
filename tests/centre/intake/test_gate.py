"""The compiled gate against the plain one, batch by batch, in a generated world."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from tests import builders, people

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import facts_of, scope_of, visible_batches
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling
from tocsin.handling import may_see

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> None:
    """Every label, with and without audience and exclusion, from three sources, some of it hidden."""
    sources = [builders.organisation("northwind"), builders.organisation("southgate"), builders.bureau("FR")]
    more = ({}, {"audience": ("country:FR",)}, {"exclusions": ("country:FR",)}, {"audience": ("southgate",)},
            {"audience": ("person:khalil_officer",)}, {"classification": "restricted"},
            {"exclusions": ("northwind",)})  # fmt: skip
    hidden = itertools.cycle([None, None, builders.NOW - timedelta(hours=1), None, builders.NOW + timedelta(hours=1)])
    for source, tlp, said in itertools.product(sources, Tlp, more):
        sent = builders.delivery(source)
        builders.batch(sent, builders.handling(tlp, **said), hidden_at=next(hidden))


@pytest.mark.parametrize("login", people.CAST)
def test_compiled_gate_agrees_with_the_plain_one(login: str, world: None) -> None:
    viewer = viewer_of(people.call(login))
    plain = set()
    for batch in Batch.objects.select_related("handling_set", "organisation"):
        handling = Handling.from_json(batch.handling_set.body)
        facts = facts_of(batch.organisation.slug, handling)
        shown = batch.hidden_at is None or batch.hidden_at > builders.NOW
        if shown and may_see(viewer, handling, facts, builders.NOW):
            plain.add(batch.pk)
    compiled = set(visible_batches(viewer, builders.NOW).values_list("pk", flat=True))
    assert compiled == plain
    assert scope_of(viewer, builders.NOW).batches == plain
    assert plain or login in {"ada_administrator", "aida_auditor"}, "who looks after the house or its log reads nothing"
    assert len(plain) < Batch.objects.count()


@pytest.mark.parametrize(("login", "countries", "all_victims"), [
    ("dana_analyst", set(), True), ("rui_reviewer", set(), False), ("fleur_officer", {"FR"}, False),
    ("pia_partner", set(), False), ("ada_administrator", set(), False),
])  # fmt: skip
def test_victim_rule_of_the_scope(login: str, countries: set[str], all_victims: bool, world: None) -> None:
    scope = scope_of(viewer_of(people.call(login)), builders.NOW)
    assert scope.victim_countries == countries
    assert scope.all_victims is all_victims
    sources = set(Batch.objects.filter(pk__in=scope.own_batches).values_list("organisation__slug", flat=True))
    assert sources <= {people.call(login).organisation.slug}
