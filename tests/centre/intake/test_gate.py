"""The compiled gate against the plain one, batch by batch, in a generated world."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker
from tests import builders, people

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.register import facts_of
from tocsin.centre.intake.selectors import in_seen, scope_of, visible_batches
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.words import Tlp
from tocsin.handling import Facts, Viewer, may_see
from tocsin.handling import HandlingSet as Handling

AUDIENCES = ((), None, ("country:FR",), ("all-members",), ("class:private",), ("southgate", "country:BR"))
PERMITTED = ((), ("southgate",), ("country:FR", "class:private"), ("all-members",), ("northwind",))
"""Five, against six audiences and seven handling sets, so that each meets each."""

WITHOUT_CONTENT = {
    "ada_administrator", "aida_auditor", "cora_commission", "dara_protection", "alma_access", "sora_suspended",
}  # fmt: skip
"""Who looks after the house, its log or its people reads nothing, nor does a country whose access is suspended."""

pytestmark = pytest.mark.django_db


EVER = datetime.min.replace(tzinfo=UTC)
"""What was hidden at once, and not for a later day, was hidden at any moment that a clock may say."""


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A world that the tests share: it stands in a transaction, and each test in a savepoint within that."""
    with django_db_blocker.unblock():
        shared = transaction.atomic()
        shared.__enter__()
        _make_world()
    yield
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        shared.__exit__(None, None, None)


def _make_world() -> None:
    """Every label, with and without audience and exclusion, from three sources, some of it hidden, most released."""
    sources = [builders.organisation("northwind"), builders.organisation("southgate"), builders.bureau("FR")]
    more = ({}, {"audience": ("country:FR",)}, {"exclusions": ("country:FR",)}, {"audience": ("southgate",)},
            {"audience": ("person:khalil_officer",)}, {"classification": "restricted"},
            {"exclusions": ("northwind",)})  # fmt: skip
    hidden = itertools.cycle([None, None, builders.NOW - timedelta(hours=1), None, builders.LATER])
    audiences, permitted = itertools.cycle(AUDIENCES), itertools.cycle(PERMITTED)
    privates = itertools.cycle([False, False, False, True])
    ends = itertools.cycle([*[builders.NOW + timedelta(days=100)] * 6, builders.NOW])
    for source, tlp, said in itertools.product(sources, Tlp, more):
        sent = builders.delivery(source)
        builders.batch(
            sent, builders.handling(tlp, **said), hidden_at=next(hidden), released_to=next(audiences),
            permitted_to=next(permitted), is_private=next(privates), expires_at=next(ends),
        )  # fmt: skip


Held = list[tuple[int, Handling, Facts]]
"""What the gate is asked about: a batch, its handling set, and what else is said of it."""


def held() -> Held:
    """Every batch, from the rows alone."""
    found: Held = []
    for batch in Batch.objects.select_related("handling_set", "organisation", "terms__audience", "terms__permitted"):
        assert (batch.terms.organisation_id, batch.terms.handling_set_id) == (
            batch.organisation_id,
            batch.handling_set_id,
        )
        handling = Handling.from_json(batch.handling_set.body)
        entries = batch.terms.audience.entries
        released_to, permitted = None if entries is None else tuple(entries), tuple(batch.terms.permitted.entries)
        facts = facts_of(batch.organisation.slug, handling, released_to, permitted, is_private=batch.terms.is_private)
        at_once = batch.hidden_at is not None and batch.hidden_at <= batch.moved_at
        facts = replace(facts, hidden_at=EVER if at_once else batch.hidden_at, expires_at=batch.expires_at)
        found.append((batch.pk, handling, facts))
    return found


def plainly_visible(viewer: Viewer, batches: Held) -> set[int]:
    """The gate asked for each batch."""
    return {number for number, handling, facts in batches if may_see(viewer, handling, facts, builders.NOW)}


# Before the world, which stays to the end.
def test_a_clock_that_steps_back_brings_nothing_back_that_was_hidden_and_loses_nothing() -> None:
    viewer = viewer_of(people.call("fleur_officer"))
    source = builders.organisation("northwind")
    kept, gone = (builders.batch(builders.delivery(source), builders.handling()) for _ in range(2))
    Batch.objects.filter(pk=gone.pk).update(hidden_at=timezone.now())
    for hours in (0, -1, 1, -48, 48):
        now = timezone.now() + timedelta(hours=hours)
        assert set(visible_batches(viewer, now).values_list("pk", flat=True)) == {kept.pk}
        assert list(scope_of(viewer, now).batches) == [kept.pk]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL writes its plans otherwise")
def test_one_row_is_asked_for_its_batch_and_not_looked_for_in_all_that_is_seen() -> None:
    """However much somebody sees, the page of one object asks for one batch."""
    builders.batch(builders.delivery(builders.organisation("northwind")), builders.handling())
    seen = visible_batches(viewer_of(people.call("dana_analyst")))
    plan = Object.objects.filter(in_seen(seen), pk=1).explain()
    assert "CORRELATED" in plan
    assert "expires" not in plan, "no index of batches is walked"


@pytest.mark.parametrize("login", people.CAST)
def test_compiled_gate_agrees_with_the_plain_one(login: str, world: None) -> None:
    viewer = viewer_of(people.call(login))
    plain = plainly_visible(viewer, held())
    compiled = set(visible_batches(viewer, builders.NOW).values_list("pk", flat=True))
    assert compiled == plain
    assert set(scope_of(viewer, builders.NOW).batches) == plain
    assert bool(plain) is (login not in WITHOUT_CONTENT)
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


class UndoneError(Exception):
    """The end of a transaction that comes to nothing."""


@pytest.mark.parametrize("seed", range(4))
def test_what_a_process_remembers_follows_every_change(seed: int, world: None) -> None:
    drawn = random.Random(seed)
    viewers = [viewer_of(people.call(login)) for login in people.CAST]
    sets = [builders.handling(tlp) for tlp in Tlp]

    def change() -> None:
        some = Batch.objects.filter(pk__in=drawn.sample(sorted(Batch.objects.values_list("pk", flat=True)), 5))
        match drawn.randrange(6):
            case 0:
                some.update(hidden_at=drawn.choice([None, builders.NOW, builders.LATER]))
            case 1:
                some.update(handling_set=drawn.choice(sets))
            case 2:
                set_audience(some, drawn.choice(AUDIENCES), drawn.choice(PERMITTED))
            case 3:
                builders.batch(
                    builders.delivery(some[0].organisation), drawn.choice(sets), released_to=None,
                    is_private=drawn.choice([False, True]),
                )  # fmt: skip
            case 4:
                one = some[0]
                one.hidden_at = None
                one.save(update_fields=["hidden_at"])
            case 5:
                some.update(expires_at=builders.NOW + drawn.choice([timedelta(), timedelta(days=1)]))

    for _ in range(12):
        try:
            with transaction.atomic():
                change()
                viewer = drawn.choice(viewers)
                assert set(scope_of(viewer, builders.NOW).batches) == plainly_visible(viewer, held())
                if drawn.random() < 0.4:
                    raise UndoneError
        except UndoneError:
            pass
        batches = held()
        for viewer in viewers:
            plain = plainly_visible(viewer, batches)
            assert set(scope_of(viewer, builders.NOW).batches) == plain
            assert set(visible_batches(viewer, builders.NOW).values_list("pk", flat=True)) == plain
