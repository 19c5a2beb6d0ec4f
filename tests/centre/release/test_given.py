"""What a program that follows `released` gets: everything that opens to it, when it opens, and nothing twice."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from tests import builders, people

from tocsin.centre.intake.models import Batch, Change, Rights
from tocsin.centre.intake.openings import opened_by, openings, timeline_of
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.knowledge import rendering
from tocsin.centre.knowledge.models import Rendering
from tocsin.centre.members.models import Person
from tocsin.centre.release import given
from tocsin.centre.release.given import Item, Wanted
from tocsin.core.words import Tlp

pytestmark = pytest.mark.django_db
ALL = Wanted(versions=frozenset({"all"}))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))


def fetched(person: Person, after: datetime | None = None, limit: int = 100, wanted: Wanted = ALL) -> list[Item]:
    """A whole pass, page by page."""
    found: list[Item] = []
    cursor = ""
    while True:
        page = given.page(
            person, wanted=wanted, after=None if cursor else after, cursor=cursor, limit=limit, now=timezone.now()
        )
        found += page.items
        if not page.cursor:
            return found
        assert page.items
        cursor = page.cursor


def names(items: list[Item]) -> list[str]:
    return [each.body["name"] for each in items if each.body["type"] == "indicator"]


def sent(number: int, tlp: Tlp = Tlp.AMBER, released_to: tuple[str, ...] | None = BY_LABEL, **said: Any) -> Batch:
    """One indicator in a delivery of northwind."""
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(delivery, builders.handling(tlp, **said), released_to=released_to)
    builders.objects(batch, [builders.indicator(number)])
    return batch


def test_w02_an_exclusion_that_is_lifted_opens_it_behind_the_cursor() -> None:
    fleur, khalil = people.call("fleur_officer"), people.call("khalil_officer")
    batch = sent(1, exclusions=("country:JO",))
    sent(2)
    early = fetched(fleur), fetched(khalil)
    assert names(early[0]) == ["address 1", "address 2"]
    assert names(early[1]) == ["address 2"]
    Batch.objects.filter(pk=batch.pk).update(handling_set=builders.handling(Tlp.AMBER))
    assert names(fetched(khalil, after=early[1][-1].added_at)) == ["address 1"]
    assert fetched(fleur, after=early[0][-1].added_at) == []
    assert [each.body for each in fetched(fleur)] == [each.body for each in early[0]], "others see no difference"


def test_what_is_released_later_comes_later() -> None:
    fleur = people.call("fleur_officer")
    batch = sent(1, released_to=None)
    sent(2)
    seen = fetched(fleur)
    assert names(seen) == ["address 2"]
    set_audience(Batch.objects.filter(pk=batch.pk), BY_LABEL)
    assert names(fetched(fleur, after=seen[-1].added_at)) == ["address 1"]
    assert fetched(people.call("pia_partner")) == [], "what is one's own is not given back"


def test_a_right_that_is_given_later_opens_what_lay_there() -> None:
    fleur = people.call("fleur_officer")
    Person.objects.filter(pk=fleur.pk).update(clearance="official-use")
    sent(1, classification="restricted")
    sent(2)
    seen = fetched(Person.objects.get(pk=fleur.pk))
    assert names(seen) == ["address 2"]
    Person.objects.filter(pk=fleur.pk).update(clearance="restricted")
    assert names(fetched(Person.objects.get(pk=fleur.pk), after=seen[-1].added_at)) == ["address 1"]
    assert Rights.objects.filter(person=fleur).count() == 2
    fetched(Person.objects.get(pk=fleur.pk))
    assert Rights.objects.filter(person=fleur).count() == 2, "a row for each change, not for each question"


def test_what_opens_later_is_late_in_the_list_of_changes_too() -> None:
    fleur = people.call("fleur_officer")
    batch, other = sent(1, released_to=None), sent(2)
    since = opened_by(timeline_of(fleur), timezone.now())
    assert openings(timeline_of(fleur), Q(), timezone.now(), is_all=True, after=since) == []
    set_audience(Batch.objects.filter(pk=batch.pk), BY_LABEL)
    [found] = openings(timeline_of(fleur), Q(), timezone.now(), is_all=True, after=since)
    assert (found.batch, found.at >= since) == (batch.pk, True)
    every = openings(timeline_of(fleur), Q(), timezone.now(), is_all=True)
    assert [each.batch for each in every] == [other.pk, batch.pk]


def test_moments_of_changes_ascend_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = []
    for hours in (2, 0, 1, -3):
        clock = timezone.now() + timedelta(hours=hours)
        monkeypatch.setattr("tocsin.centre.intake.models.timezone.now", lambda clock=clock: clock)
        with transaction.atomic():
            moments.append(Change.next().at)
        monkeypatch.undo()
    assert moments == sorted(set(moments))


def test_w34_relabelling_one_of_500_changes_that_one_alone() -> None:
    fleur = people.call("fleur_officer")
    pia = people.call("pia_partner").organisation
    many = builders.delivery(pia)
    rest = builders.batch(many, builders.handling(Tlp.AMBER))
    builders.objects(rest, [builders.indicator(number) for number in range(499)])
    one = builders.batch(many, builders.handling(Tlp.AMBER))
    builders.objects(one, [builders.indicator(499)])
    before = {each.body["id"]: each.body for each in fetched(fleur)}
    assert len({body["object_marking_refs"][1] for body in before.values() if body["type"] == "indicator"}) == 1
    after = fetched(fleur)[-1].added_at
    Batch.objects.filter(pk=one.pk).update(handling_set=builders.handling(Tlp.AMBER, purposes=("PROTECT", "TRAIN")))
    new = fetched(fleur, after=after)
    [changed] = [each for each in new if each.body["type"] == "indicator"]
    old = before[changed.body["id"]]
    assert changed.body["modified"] > old["modified"]
    assert changed.body["object_marking_refs"][1] != old["object_marking_refs"][1]
    assert {each.body["type"] for each in new} == {"indicator", "marking-definition"}
    now = {each.body["id"]: each.body for each in fetched(fleur)}
    assert {key for key in before if now[key] != before[key]} == {changed.body["id"]}


def test_neither_exclusions_nor_recipients_are_in_what_is_given() -> None:
    fleur = people.call("fleur_officer")
    people.call("khalil_officer")
    sent(1, exclusions=("country:JO", "southgate"), audience=("country:FR",), released_to=("ncb-fr",))
    sent(2, audience=("country:FR",))
    found = fetched(fleur)
    text = orjson.dumps([each.body for each in found]).decode()
    for word in ("JO", "southgate", "ncb-fr", "northwind", "Northwind", "exclu", "audience"):
        assert word not in text
    assert len({each.body["object_marking_refs"][1] for each in found if each.body["type"] == "indicator"}) == 1


def test_who_may_not_be_named_is_not_known_by_identifiers_either() -> None:
    fleur = people.call("fleur_officer")
    identity = {"type": "identity", "spec_version": "2.1", "id": "identity--11111111-1111-4111-8111-111111111111",
                "created": builders.indicator(1)["created"], "modified": builders.indicator(1)["modified"],
                "name": "Northwind Research", "identity_class": "organization"}  # fmt: skip
    link = {"type": "relationship", "spec_version": "2.1", "id": "relationship--22222222-2222-4222-8222-222222222222",
            "created": identity["created"], "modified": identity["modified"], "relationship_type": "indicates",
            "source_ref": builders.indicator(1)["id"], "target_ref": "attack-pattern--" + identity["id"][10:],
            "created_by_ref": identity["id"]}  # fmt: skip
    for attribution in ("must-not", "may"):
        Batch.objects.all().update(hidden_at=builders.NOW)
        delivery = builders.delivery(people.call("pia_partner").organisation)
        batch = builders.batch(delivery, builders.handling(Tlp.AMBER, attribution=attribution))
        builders.objects(batch, [identity, builders.indicator(1, created_by_ref=identity["id"]), link])
        found = {each.body["type"]: each.body for each in fetched(fleur) if not each.is_shared}
        assert found["relationship"]["source_ref"] == found["indicator"]["id"]
        assert found["relationship"]["target_ref"] == link["target_ref"], "techniques are everybody's"
        is_kept = found["indicator"]["id"] == builders.indicator(1)["id"]
        assert is_kept is ("identity" in found) is (attribution == "may")
        assert (found["indicator"]["created_by_ref"] == identity["id"]) is is_kept


def test_parts_under_a_marking_of_their_own_are_taken_out() -> None:
    fleur = people.call("fleur_officer")
    delivery = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(delivery, builders.handling(Tlp.GREEN))
    marked = [{"marking_ref": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1", "selectors": ["name"]}]
    whole = [{"marking_ref": marked[0]["marking_ref"], "selectors": ["pattern"]}]
    builders.objects(batch, [builders.indicator(1, granular_markings=marked),
                             builders.indicator(2, granular_markings=whole)])  # fmt: skip
    [found] = [each.body for each in fetched(fleur) if not each.is_shared]
    assert "name" not in found
    assert "granular_markings" not in found


def test_versions_and_copies() -> None:
    fleur = people.call("fleur_officer")
    first, second = sent(1), sent(1)
    builders.objects(second, [builders.indicator(1, version=2)])
    every = [each.version for each in fetched(fleur) if not each.is_shared]
    assert every == ["2026-11-01T10:00:00.000Z", "2026-11-02T10:00:00.000Z"], "the same bytes once"
    for word, expected in (("last", every[1:]), ("first", every[:1]), (every[0], every[:1]), ("2020", [])):
        found = fetched(fleur, wanted=Wanted(versions=frozenset({word}), types=frozenset({"indicator"})))
        assert [each.version for each in found] == expected
    Batch.objects.filter(pk=first.pk).update(hidden_at=builders.NOW)
    assert [each.version for each in fetched(fleur) if not each.is_shared] == every, "the second copy stands in"


@pytest.mark.parametrize("seed", range(4))
def test_who_follows_has_what_who_begins_anew_gets(seed: int) -> None:
    drawn = random.Random(seed)
    numbers = itertools.count(1)
    clients = {login: Follower(people.call(login)) for login in ("fleur_officer", "khalil_officer", "omar_partner")}
    sets = [
        {"tlp": Tlp.AMBER}, {"tlp": Tlp.AMBER, "exclusions": ("country:JO",)}, {"tlp": Tlp.GREEN},
        {"tlp": Tlp.GREEN, "exclusions": ("country:FR",)}, {"tlp": Tlp.AMBER, "audience": ("southgate",)},
        {"tlp": Tlp.CLEAR, "attribution": "may"}, {"tlp": Tlp.AMBER, "classification": "restricted"},
    ]  # fmt: skip
    audiences = (BY_LABEL, None, ("ncb-fr", "southgate"), ("all-members",))

    def change() -> None:
        known = sorted(Batch.objects.values_list("pk", flat=True))
        some = Batch.objects.filter(pk__in=drawn.sample(known, min(2, len(known))))
        match drawn.randrange(7):
            case 0 | 1:
                batch = sent(next(numbers), released_to=drawn.choice(audiences), **drawn.choice(sets))
                builders.objects(batch, [builders.indicator(drawn.randrange(1, 9), drawn.randrange(1, 4))])
            case 2:
                some.update(handling_set=builders.handling(**drawn.choice(sets)))
            case 3:
                set_audience(some, drawn.choice(audiences))
            case 4:
                some.update(hidden_at=drawn.choice([None, builders.NOW]))
            case 5:
                word = drawn.choice(["official-use", "restricted"])
                Person.objects.filter(login=drawn.choice(sorted(clients))).update(clearance=word)
            case 6:
                known_as = drawn.choice(["private", "public-body"])
                builders.organisation("southgate").__class__.objects.filter(slug="southgate").update(
                    class_name=known_as
                )

    for _ in range(30):
        change()
        login = drawn.choice(sorted(clients))
        clients[login].poll(drawn.choice([1, 2, 3, 50]))


class Follower:
    """A program that remembers how far it read, and what."""

    def __init__(self, person: Person) -> None:
        self.login = person.login
        self.cursor: datetime | None = None
        self.has: set[bytes] = set()

    def poll(self, limit: int) -> None:
        """Read on; then all that somebody gets who begins anew is there, and nothing came twice in one pass."""
        person = Person.objects.select_related("organisation").get(login=self.login)
        items = fetched(person, self.cursor, limit)
        came = [orjson.dumps(each.body, option=orjson.OPT_SORT_KEYS) for each in items]
        assert len(came) == len(set(came))
        moments = [each.added_at for each in items]
        assert moments == sorted(moments)
        assert self.cursor is None or all(each > self.cursor for each in moments)
        self.has |= set(came)
        self.cursor = moments[-1] if moments else self.cursor
        fresh = {orjson.dumps(each.body, option=orjson.OPT_SORT_KEYS) for each in fetched(person)}
        assert fresh <= self.has
        assert timeline_of(person).viewer.organisation == person.organisation.slug


@pytest.mark.parametrize("at_once", [0, 8])
def test_pages_are_the_same_whatever_a_process_remembers(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Whether renderings are found in memory, one by one or together, made before or after the batch changed."""
    fleur = people.call("fleur_officer")
    for number in range(5):
        batch = builders.batch(builders.delivery(people.call("pia_partner").organisation), builders.handling(Tlp.AMBER))
        builders.objects(batch, [builders.indicator(number * 10 + each) for each in range(number + 1)])
    expected = fetched(fleur)
    assert len(names(expected)) == 15
    monkeypatch.setattr(rendering, "ONE_BY_ONE", at_once)
    for most in (rendering.MOST_REMEMBERED_BYTES, 0):
        monkeypatch.setattr(rendering, "MOST_REMEMBERED_BYTES", most)
        rendering._remembered.clear()
        rendering._remembered_bytes = 0
        for limit in (100, 4):
            assert fetched(fleur, limit=limit) == expected
        assert rendering._remembered_bytes == sum(len(each.body) for each in rendering._remembered.values()) <= most
    before = Rendering.objects.count()
    Rendering.objects.filter(batch=batch).update(changed=0)  # As of a batch that changed since.
    assert fetched(fleur) == expected
    assert Rendering.objects.filter(batch=batch, changed=0).count() == 0
    assert Rendering.objects.count() == before
