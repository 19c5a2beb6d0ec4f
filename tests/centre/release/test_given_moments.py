"""Programs that page by date alone, by `next`, or read one page now and then, while everything changes under them."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests import builders, people

from tocsin.centre.intake.models import HEAD, Batch, Change, Rights
from tocsin.centre.intake.openings import packed, unpacked
from tocsin.centre.intake.register import put_to_the_gate
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.knowledge.models import Object, Rendering
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import given_back
from tocsin.centre.recall import services as recall
from tocsin.centre.release import given, given_stream, given_versions
from tocsin.centre.release.given import Item, Wanted
from tocsin.core.words import Tlp
from tocsin.handling import may_see

pytestmark = pytest.mark.django_db
ALL = Wanted(versions=frozenset({"all"}))
READERS = ("fleur_officer", "khalil_officer", "omar_partner")
SETS: tuple[dict[str, Any], ...] = (
    {"tlp": Tlp.AMBER}, {"tlp": Tlp.GREEN}, {"tlp": Tlp.AMBER, "exclusions": ("country:JO",)},
    {"tlp": Tlp.GREEN, "exclusions": ("country:FR",)}, {"tlp": Tlp.CLEAR, "attribution": "may"},
    {"tlp": Tlp.AMBER, "classification": "restricted"}, {"tlp": Tlp.AMBER, "audience": ("southgate",)},
)  # fmt: skip
AUDIENCES = (BY_LABEL, None, ("ncb-fr", "southgate"), ("all-members",))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))


def reader(login: str) -> Person:
    return Person.objects.select_related("organisation").get(login=login)


def page(login: str, after: datetime | None = None, limit: int = 1_000, cursor: str = "") -> given.Given:
    return given.page(reader(login), wanted=ALL, after=after, cursor=cursor, limit=limit, now=timezone.now())


def sent(*groups: tuple[dict[str, Any], list[int]], audience: Any = BY_LABEL) -> list[Batch]:
    """A delivery with a batch for each group of objects, which lie among one another in it."""
    delivery = builders.delivery(people.call("pia_partner").organisation)
    made = [builders.batch(delivery, builders.handling(**said), released_to=audience) for said, _ in groups]
    columns = [[(batch, number) for number in numbers] for batch, (_, numbers) in zip(made, groups, strict=True)]
    for row in itertools.zip_longest(*columns):
        for batch, number in filter(None, row):
            builders.objects(batch, [builders.indicator(number % 1_000, 1 + number // 1_000)])
    return made


class Poller:
    """A program: how it goes on, how far it is, what it has."""

    def __init__(self, login: str, *, by_next: bool) -> None:
        self.login = login
        self.by_next = by_next
        self.after: datetime | None = None
        self.cursor = ""
        self.has: set[bytes] = set()

    def poll(self, limit: int) -> list[Item]:
        """Read one page on."""
        found = page(self.login, None if self.cursor else self.after, limit, self.cursor)
        moments = [each.added_at for each in found.items]
        assert moments == sorted(set(moments)), "no two objects opened in one moment"
        assert self.after is None or all(each > self.after for each in moments), "nothing is given twice"
        assert not any(_is_hidden(each, reader(self.login)) for each in found.items if not each.is_shared)
        self.has |= {each.raw for each in found.items}
        self.after = moments[-1] if moments else self.after
        self.cursor = found.cursor if self.by_next else ""
        return found.items

    def is_at_the_end(self) -> bool:
        """Read on to the end; whether all that there is was given at some time."""
        while self.cursor or self.poll(3) or self.cursor:
            if self.cursor:
                self.poll(3)
        return {each.raw for each in page(self.login).items} <= self.has


def _is_hidden(item: Item, person: Person) -> bool:
    """Whether the gate, asked plainly, keeps its batch from the person."""
    batch = Batch.objects.select_related("terms__organisation", "terms__handling_set", "terms__audience",
                                         "terms__permitted").get(pk=item.batch)  # fmt: skip
    handling, facts = put_to_the_gate(batch.terms)
    is_open = batch.hidden_at is None and facts.released_to is not None
    return not (is_open and may_see(viewer_of(person), handling, facts, timezone.now()))


class World(RuleBasedStateMachine):
    """Writers, releases, exclusions, recalls and rights, and who reads meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.outer = transaction.atomic()
        self.outer.__enter__()
        self.numbers = itertools.count(100)
        for login in READERS:
            people.call(login)
        self.pollers = [Poller(login, by_next=by_next) for login in READERS for by_next in (False, True)]

    def teardown(self) -> None:
        try:
            for each in self.pollers:
                assert each.is_at_the_end(), (each.login, each.by_next)
        finally:
            transaction.set_rollback(True)
            self.outer.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        sent((SETS[0], [1, 2, 3]))

    @rule(sets=st.lists(st.sampled_from(SETS), min_size=1, max_size=3), count=st.integers(1, 4),
          known=st.lists(st.integers(1, 2_999), max_size=2), audience=st.sampled_from(AUDIENCES))  # fmt: skip
    def arrives(self, sets: list[dict[str, Any]], count: int, known: list[int], audience: Any) -> None:
        groups = [(said, [next(self.numbers) for _ in range(count)] + known[at : at + 1])
                  for at, said in enumerate(sets)]  # fmt: skip
        sent(*groups, audience=audience)

    @rule(data=st.data(), audience=st.sampled_from(AUDIENCES))
    def is_released(self, data: st.DataObject, audience: Any) -> None:
        set_audience(self.some(data), audience)

    @rule(data=st.data(), said=st.sampled_from(SETS))
    def is_relabelled(self, data: st.DataObject, said: dict[str, Any]) -> None:
        self.some(data).update(handling_set=builders.handling(**said))

    @rule(data=st.data(), at=st.sampled_from([None, builders.NOW]))
    def is_hidden(self, data: st.DataObject, at: datetime | None) -> None:
        self.some(data).update(hidden_at=at)

    @rule(data=st.data(), at=st.sampled_from([None, builders.NOW]))
    def is_saved(self, data: st.DataObject, at: datetime | None) -> None:
        for batch in self.some(data):
            batch.hidden_at = at
            batch.save()

    @rule(login=st.sampled_from(READERS), word=st.sampled_from(["official-use", "restricted"]))
    def is_cleared(self, login: str, word: str) -> None:
        Person.objects.filter(login=login).update(clearance=word)

    @rule(word=st.sampled_from(["private", "public-body"]))
    def is_another_kind(self, word: str) -> None:
        Organisation.objects.filter(slug="southgate").update(class_name=word)

    @rule(place=st.integers(0, 2 * len(READERS) - 1), limit=st.integers(1, 6))
    def polls(self, place: int, limit: int) -> None:
        self.pollers[place].poll(limit)

    @precondition(lambda self: any(each.cursor for each in self.pollers))
    @rule()
    def go_on(self) -> None:
        for each in self.pollers:
            if each.cursor:
                each.poll(2)

    def some(self, data: st.DataObject) -> Any:
        known = sorted(Batch.objects.values_list("pk", flat=True))
        chosen = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
        return Batch.objects.filter(pk__in=chosen)


def test_who_polls_to_the_end_has_all_and_nothing_hidden() -> None:
    run_state_machine_as_test(
        World,
        settings=hypothesis_settings(
            max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )  # type: ignore[no-untyped-call]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_missed_while_several_write_at_once() -> None:
    people.call("fleur_officer")
    people.call("pia_partner")
    numbers = itertools.count(1)
    ends = threading.Barrier(4)

    def write() -> None:
        for _ in range(8):
            with transaction.atomic():
                made = sent((SETS[0], [next(numbers) for _ in range(5)]), audience=None)
            with transaction.atomic():
                set_audience(Batch.objects.filter(pk__in=[each.pk for each in made]), BY_LABEL)
        connection.close()
        ends.wait(120)

    poller = Poller("fleur_officer", by_next=False)
    writers = [threading.Thread(target=write) for _ in range(3)]
    for each in writers:
        each.start()
    while ends.n_waiting < 3:
        poller.poll(3)
    ends.wait(120)
    for each in writers:
        each.join()
    assert poller.is_at_the_end()
    assert len(page("fleur_officer").items) == 3 * 8 * 5 + 4


def test_each_object_of_a_batch_has_a_moment_of_its_own() -> None:
    people.call("fleur_officer")
    batch, other = sent((SETS[0], list(range(1, 30)))), sent((SETS[1], [30, 31]))
    whole = page("fleur_officer").items
    moments = [each.added_at for each in whole]
    assert moments == sorted(set(moments))
    assert len(whole) == 31 + 4 + 2
    found, after = [], None
    while some := page("fleur_officer", after, limit=2).items:
        found += some
        after = some[-1].added_at
    assert [each.raw for each in found] == [each.raw for each in whole]
    set_audience(Batch.objects.filter(pk__in=[each.pk for each in batch + other]), ("all-members",))
    assert [each.moment for each in page("fleur_officer").items] == [each.moment for each in whole], (
        "no change for them"
    )


def test_one_release_of_many_batches_and_what_closes_afterwards() -> None:
    people.call("fleur_officer")
    batches = [
        each for number in range(40) for each in sent((SETS[0], [number * 2 + 1, number * 2 + 2]), audience=None)
    ]
    set_audience(Batch.objects.filter(pk__in=[each.pk for each in batches]), BY_LABEL)
    whole = page("fleur_officer").items
    assert len({each.moment for each in whole}) == len(whole) == 80 + 4
    assert Change.objects.order_by("-pk").values_list("free_at", flat=True)[0] > whole[-1].added_at
    middle = whole[40]
    Batch.objects.filter(pk__in=[each.pk for each in batches[:15]]).update(hidden_at=builders.NOW)
    rest = [each.raw for each in page("fleur_officer", middle.added_at).items if not each.is_shared]
    assert rest == [each.raw for each in whole[41:]], "what closed before does not move what follows"
    sent((SETS[0], [999]))
    assert [each.body["name"] for each in page("fleur_officer", whole[-1].added_at).items][-1] == "address 999"


def test_a_right_that_opens_many_batches_at_once() -> None:
    fleur = people.call("fleur_officer")
    Person.objects.filter(pk=fleur.pk).update(clearance="official-use")
    for number in range(30):
        sent((SETS[5], [number * 2 + 1, number * 2 + 2]))
    assert not page("fleur_officer").items
    Person.objects.filter(pk=fleur.pk).update(clearance="restricted")
    whole = page("fleur_officer").items
    assert len({each.moment for each in whole}) == len(whole) == 60 + 4
    sent((SETS[0], [999]))
    found, after = [], None
    while some := page("fleur_officer", after, limit=7).items:
        found += some
        after = some[-1].added_at
        Batch.objects.filter(pk=found[8].batch if len(found) > 8 else 0).update(hidden_at=builders.NOW)
    assert {each.raw for each in whole} <= {each.raw for each in found}
    assert found[-1].body["name"] == "address 999"
    assert len(bytes(Rights.objects.order_by("-pk")[0].opened)) < 30 * 16


@pytest.mark.any_database
def test_moments_are_packed_and_unpacked() -> None:
    since = datetime(2026, 11, 21, tzinfo=UTC)
    moments = {5: since, 7: since + timedelta(microseconds=HEAD + 9), 1 << 40: since + timedelta(days=1)}
    assert unpacked(packed(moments, since), since) == moments
    assert unpacked(packed({}, since), since) == {}


@pytest.mark.any_database
def test_moments_run_ahead_by_what_opens_and_no_further() -> None:
    people.call("fleur_officer")
    sent((SETS[0], list(range(1, 9))))
    before = Change.objects.order_by("-pk").values_list("free_at", flat=True)[0]
    with transaction.atomic():
        change = Change.next()
        begins = change.stretches({3: 5_000_000, 1: 0, 2: 10})
    assert begins == {1: change.at, 2: change.at, 3: change.at + timedelta(microseconds=10)}
    assert change.at >= before
    with transaction.atomic():
        assert Change.next().at == change.at + timedelta(microseconds=5_000_010)


def test_pages_of_recalls_by_date_alone() -> None:
    fleur = people.call("fleur_officer")
    made = [sent((SETS[0], [number, number + 20])) for number in range(1, 9)]
    builders.person("dora", builders.centre(), "dissemination")
    from tocsin.centre.ledger.services import took

    took(fleur, "api", {batch.pk for some in made for batch in some}, timezone.now())
    for some in made[:4]:
        recall.recall(some[0].delivery, by=people.call("pia_partner"), reason="legal", action="destroy", note="",
                      at=timezone.now())  # fmt: skip

    def back(after: datetime | None, limit: int) -> list[Item]:
        said: dict[str, Any] = {"wanted": ALL, "cursor": "", "now": timezone.now()}
        return given_back.page(reader("fleur_officer"), after=after, limit=limit, **said).items

    whole = back(None, 1_000)
    assert len({each.moment for each in whole}) == len(whole) == 2 + 4 * (1 + 2)
    found, after = [], None
    while some_items := back(after, 2):
        found += some_items
        after = some_items[-1].added_at
        if len(found) == 4:
            recall.recall(made[5][0].delivery, by=people.call("pia_partner"), reason="legal", action="destroy",
                          note="", at=timezone.now())  # fmt: skip
    assert {each.raw for each in whole} <= {each.raw for each in found}
    assert len(found) == len(whole) + 3


def test_what_is_rendered_is_kept_and_never_used_of_what_changed() -> None:
    people.call("fleur_officer")
    [batch] = sent((SETS[0], [1, 2, 3]))
    first = page("fleur_officer").items
    [kept] = Rendering.objects.all()
    assert page("fleur_officer").items == first
    assert Rendering.objects.get().stamp == kept.stamp
    Batch.objects.filter(pk=batch.pk).update(handling_set=builders.handling(Tlp.GREEN))
    now = [each.body for each in page("fleur_officer").items]
    green = {each["id"] for each in now if each.get("name") == "TLP:GREEN"}
    assert all(green & set(each["object_marking_refs"]) for each in now if each["type"] == "indicator")
    assert Rendering.objects.get().stamp != kept.stamp, "of what it was before nothing is left"
    Rendering.objects.all().delete()
    assert [each.body for each in page("fleur_officer").items] == now


def test_what_is_sealed_is_rendered_under_the_key_of_its_batch() -> None:
    people.call("fleur_officer")
    [batch] = sent((SETS[0], [1, 2]))
    Batch.objects.filter(pk=batch.pk).update(sealed_at=timezone.now())
    shown = page("fleur_officer").items
    assert b"address 1" in b"".join(each.raw for each in shown)
    body = bytes(Rendering.objects.get().body)
    from tocsin.credentials import content_keys

    assert content_keys.number_of(body) is not None
    assert page("fleur_officer").items == shown


def test_a_large_delivery_is_read_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    people.call("fleur_officer")
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batches = [builders.batch(delivery, builders.handling(**said)) for said in (SETS[0], SETS[1])]
    builders.objects(batches[0], [builders.indicator(number) for number in range(3_000)])
    builders.objects(batches[1], [builders.indicator(5_000)])
    builders.objects(batches[0], [builders.indicator(6_000)])
    builders.objects(batches[0], [builders.indicator(7, version=2)])
    page("fleur_officer")
    monkeypatch.setattr(given_stream, "MOST_MADE", 10_000)
    whole = page("fleur_officer", limit=5_000).items
    assert Object.objects.filter(delivery=delivery).count() == 3_003
    assert len(whole) == 3_003 + 2 + 2 + 2
    Rendering.objects.all().delete()
    for place in (2_500, 1_100, 2_047, 3_001, 10, 1_500):
        assert page("fleur_officer", whole[place].added_at, limit=9).items == whole[place + 1 : place + 10]
    last = Wanted(types=frozenset({"indicator"}))
    some = given.page(
        reader("fleur_officer"), wanted=last, after=None, cursor="", limit=5_000, now=timezone.now()
    ).items
    assert [each.version for each in some if each.body["name"] == "address 7"] == ["2026-11-02T10:00:00.000Z"]
    assert len(some) == 3_002


def test_a_rare_type_is_found_and_a_page_may_be_short(monkeypatch: pytest.MonkeyPatch) -> None:
    people.call("fleur_officer")
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(delivery, builders.handling(**SETS[0]))
    rare = {place: {**builders.indicator(place), "type": "campaign"} for place in (3, 1_500, 2_900)}
    for place, each in rare.items():
        each["id"] = each["id"].replace("indicator", "campaign") if place else each["id"]
    builders.objects(batch, [rare.get(place, builders.indicator(place)) for place in range(3_000)])
    sent((SETS[0], [5_001, 5_002]))
    for most in (10_000, 1):
        monkeypatch.setattr(given_stream, "MOST_LOOKED_AT", most)
        monkeypatch.setattr(given_stream, "MOST_MADE", 10_000)
        found: list[Item] = []
        pages, after = 0, None
        while True:
            said: dict[str, Any] = {"wanted": Wanted(types=frozenset({"campaign"})), "cursor": "", "limit": 100}
            some = given.page(reader("fleur_officer"), after=after, now=timezone.now(), **said).items
            if not some:
                break
            found += some
            pages, after = pages + 1, some[-1].added_at
        assert [each.place for each in found] == list(rare)
        assert pages == (1 if most > 1 else 3)
    absent = Wanted(types=frozenset({"malware"}))
    assert given.page(reader("fleur_officer"), wanted=absent, after=None, cursor="", limit=9, now=timezone.now()) == (
        given.Given()
    )


def in_version(limit: int, **said: Any) -> tuple[list[Item], int]:
    """All that is given in these versions, by `next`, and on how many pages."""
    found: list[Item] = []
    cursor, pages, reached = "", 0, None
    while True:
        some = given.page(reader("fleur_officer"), wanted=Wanted(**said), after=None, cursor=cursor, limit=limit,
                          now=timezone.now())  # fmt: skip
        assert reached is None or all(each.added_at > reached for each in some.items)
        found, pages, cursor, reached = [*found, *some.items], pages + 1, some.cursor, some.reached
        assert pages < 1_000
        if not cursor:
            return found, pages


def test_a_version_is_found_without_an_index_and_no_page_looks_through_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fleur = people.call("fleur_officer")
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batches = [builders.batch(delivery, builders.handling(**said)) for said in (SETS[0], SETS[1], SETS[5])]
    builders.objects(batches[0], [builders.indicator(number, 1 + number // 100 % 3) for number in range(700)])
    builders.objects(batches[1], [builders.indicator(number) for number in (5_000, 5_001)])
    builders.objects(batches[2], [builders.indicator(5_002)])
    sent((SETS[0], [2_001, 2_002, 1_003]), (SETS[1], [2_004, 5]))
    [relabelled] = sent((SETS[0], [2_801, 1_802, 803]))
    [sealed] = sent((SETS[0], [2_901, 902]))
    Batch.objects.filter(pk=sealed.pk).update(sealed_at=timezone.now())
    page("fleur_officer")
    Batch.objects.filter(pk=relabelled.pk).update(handling_set=builders.handling(Tlp.GREEN))
    [gone] = sent((SETS[0], [2_010, 2_011]))
    page("fleur_officer")
    Batch.objects.filter(pk=gone.pk).update(hidden_at=builders.NOW)
    every = page("fleur_officer", limit=5_000).items
    asked = {each.said for each in every} - {""}
    assert len(asked) > 5, "some were given again in versions of their own"
    monkeypatch.setattr(given_versions, "PICKED_AT_ONCE", 7)
    for rows, most, limit in ((50_000, 100_000, 1_000), (90, 10, 1_000), (90, 300, 3)):
        monkeypatch.setattr(given_versions, "ROWS_AT_ONCE", rows)
        monkeypatch.setattr(given_stream, "MOST_LOOKED_AT", most)
        for version in sorted(asked)[:: 1 if limit > 3 else 3]:
            # What of ours is shared stands before the first object, however many there are.
            wanted = [each for each in every if each.said == version]
            found, pages = in_version(limit, versions=frozenset({version}))
            assert found == wanted
            assert pages > 5 or (limit == 1_000 and most > 10)
    two = frozenset(sorted(asked)[:2])
    assert in_version(50, versions=two)[0] == [each for each in every if each.said in two]
    some = in_version(50, versions=two, types=frozenset({"indicator"}))[0]
    assert some == [each for each in every if each.said in two and each.type == "indicator"]
    assert in_version(50, versions=frozenset({"2019-01-01T00:00:00.000Z"}))[0] == []
    assert fleur.login == "fleur_officer"


def test_a_page_by_version_passes_so_many_rows_and_no_more(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    people.call("fleur_officer")
    for number in range(120):
        sent((SETS[0], [number]))
    absent = Wanted(versions=frozenset({"2019-01-01T00:00:00.000Z"}))
    said: dict[str, Any] = {"wanted": absent, "after": None, "limit": 1_000}
    given.page(reader("fleur_officer"), cursor="", now=timezone.now(), **said)
    with django_assert_max_num_queries(45 * 2 + 20):
        first = given.page(reader("fleur_officer"), cursor="", now=timezone.now(), **said)
    assert (list(first.items), bool(first.cursor)) == ([], True)
    assert first.reached is not None
    later = given.page(reader("fleur_officer"), wanted=absent, after=first.reached, cursor="", limit=9,
                       now=timezone.now())  # fmt: skip
    assert later.reached is not None
    assert later.reached > first.reached, "who goes on by date gets on"
