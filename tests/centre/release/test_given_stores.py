"""Programs that keep what they get by id and version end with what the gate shows them, whatever was taken back; and
parts and the inbox are followed as the whole is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from tests import builders, people
from tests.centre.release.test_given_moments import SETS, Poller, World, reader, sent

from tocsin.centre.intake.models import Batch, Delivery, Tally
from tocsin.centre.intake.terms import BY_LABEL
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.recall import given_back
from tocsin.centre.recall import services as recall
from tocsin.centre.release import given
from tocsin.centre.release.given import OWN, RELEASED, Item, Part, Wanted
from tocsin.centre.retention.ending import close
from tocsin.core.errors import Conflict
from tocsin.core.words import Tlp
from tocsin.products.stix_given import is_newer
from tocsin.taxii.selections import ALERTS, of_country, of_source

pytestmark = pytest.mark.django_db
LAST = Wanted()
ALL = Wanted(versions=frozenset({"all"}))
DAY = builders.NOW.date()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))


def page_of(login: str, part: Part, wanted: Wanted, after: datetime | None, limit: int, cursor: str) -> given.Given:
    said: dict[str, Any] = {"wanted": wanted, "after": after, "cursor": cursor, "limit": limit, "part": part}
    return given.page(reader(login), now=timezone.now(), **said)


def whole_of(login: str, part: Part, wanted: Wanted) -> list[Item]:
    """All that somebody gets who begins anew."""
    found = page_of(login, part, wanted, None, 1_000, "")
    assert not found.cursor
    moments = [each.moment for each in found.items]
    assert moments == sorted(set(moments))
    return found.items


class Follows(Poller):
    """A program that follows a part, in every version of each object."""

    def __init__(self, login: str, part: Part) -> None:
        super().__init__(login, by_next=False)
        self.part = part

    def poll(self, limit: int) -> list[Item]:
        found = page_of(self.login, self.part, ALL, self.after, limit, "").items
        assert self.after is None or all(each.added_at > self.after for each in found)
        self.has |= {each.raw for each in found}
        self.after = found[-1].added_at if found else self.after
        return found

    def is_at_the_end(self) -> bool:
        while self.poll(5):
            pass
        shown = whole_of(self.login, self.part, ALL)
        if self.part not in (OWN, RELEASED):
            own = {each.id for each in shown if not each.is_shared}
            assert own <= {each.id for each in whole_of(self.login, RELEASED, ALL)}, "a part shows nothing else"
        return {each.raw for each in shown} <= self.has


class Keeps(Poller):
    """A program that reads the last versions by date, and recalls, into a store of STIX: of each id the newest."""

    def __init__(self, login: str) -> None:
        super().__init__(login, by_next=False)
        self.told: datetime | None = None
        self.store: dict[str, tuple[str, bytes]] = {}

    def keep(self, items: list[Item]) -> None:
        for each in items:
            known = self.store.get(each.id)
            if known is None or not is_newer(known[0], each.said):
                self.store[each.id] = (each.said, each.raw)

    def poll(self, limit: int) -> list[Item]:
        found = page_of(self.login, RELEASED, LAST, self.after, limit, "").items
        self.keep(found)
        if listed := {each.batch for each in found if not each.is_shared}:
            took(reader(self.login), "api", listed, timezone.now())
        self.after = found[-1].added_at if found else self.after
        return found

    def hear(self, limit: int) -> list[Item]:
        """The same of recalls."""
        said: dict[str, Any] = {"wanted": LAST, "cursor": "", "now": timezone.now()}
        found = given_back.page(reader(self.login), after=self.told, limit=limit, **said).items
        self.keep([each for each in found if each.type != "recall-notice"])
        self.told = found[-1].added_at if found else self.told
        return found

    def is_at_the_end(self) -> bool:
        while self.hear(4):
            pass
        while self.poll(4):
            pass
        anew = Keeps(self.login)  # Copies of one version under two labels are both the last.
        anew.keep(whole_of(self.login, RELEASED, LAST))
        every = whole_of(self.login, RELEASED, ALL)
        for version in sorted({each.said for each in every} - {""})[-2:]:
            by_version = whole_of(self.login, RELEASED, Wanted(versions=frozenset({version})))
            assert by_version == [each for each in every if each.said == version]
        return anew.store.items() <= self.store.items()


class Stores(World):
    """The same world, in which deliveries are recalled and countries decided as well."""

    def __init__(self) -> None:
        super().__init__()
        people.call("pia_partner")
        for login in ("ncb-fr", "southgate"):
            assert Organisation.objects.filter(slug=login).exists()
        parts = (of_country("FR").part, of_source(Organisation.objects.get(slug="northwind")).part, ALERTS.part)
        self.pollers = [Keeps("fleur_officer"), Keeps("khalil_officer"), Keeps("omar_partner")]
        self.pollers += [Follows(login, each) for login in ("fleur_officer", "khalil_officer") for each in parts]
        self.pollers += [Follows("pia_partner", OWN)]

    @rule(known=st.lists(st.integers(1, 4), min_size=1, max_size=3), later=st.integers(0, 2),
          said=st.sampled_from(SETS), country=st.sampled_from(["", "FR", "JO"]))  # fmt: skip
    def comes_again(self, known: list[int], later: int, said: dict[str, Any], country: str) -> None:
        """Objects that are there already, in these versions."""
        [batch] = sent((said, [each + 1_000 * later for each in known]), audience=BY_LABEL)
        if country:
            builders.tallies(batch, [(DAY, country, "phishing", "ATTACKER_INFRA", 1)])

    @rule(data=st.data())
    def is_recalled(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(Delivery.objects.values_list("pk", flat=True))))
        with suppress(Conflict):  # Nothing of it is left.
            recall.recall(Delivery.objects.get(pk=number), by=people.call("pia_partner"), reason="wrong-data",
                          action="destroy", note="", at=timezone.now())  # fmt: skip

    @rule(data=st.data())
    def is_over(self, data: st.DataObject) -> None:
        """The term of some ends, and a round comes by, now or later."""
        self.some(data).update(expires_at=timezone.now())
        if data.draw(st.booleans()):
            close(timezone.now())

    @rule(data=st.data(), country=st.sampled_from(["FR", "JO"]))
    def is_decided(self, data: st.DataObject, country: str) -> None:
        some = self.some(data)
        for batch in some:
            Tally.objects.filter(batch=batch).delete()
            builders.tallies(batch, [(DAY, country, "phishing", "VICTIM", 1)])
        some.recast()

    def teardown(self) -> None:
        close(timezone.now())
        super().teardown()

    @rule(place=st.integers(0, 2), limit=st.integers(1, 6))
    def hears(self, place: int, limit: int) -> None:
        keeps = self.pollers[place]
        assert isinstance(keeps, Keeps)
        keeps.hear(limit)

    @rule(place=st.integers(0, 9), limit=st.integers(1, 6))
    def polls_some(self, place: int, limit: int) -> None:
        self.pollers[place].poll(limit)


def test_who_follows_ends_with_what_the_gate_shows() -> None:
    run_state_machine_as_test(
        Stores,
        settings=hypothesis_settings(
            max_examples=4,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )  # type: ignore[no-untyped-call]


def kept_by(login: str) -> Keeps:
    people.call(login)
    return Keeps(login)


def recalled(batch: Batch) -> None:
    recall.recall(batch.delivery, by=people.call("pia_partner"), reason="wrong-data", action="destroy", note="",
                  at=timezone.now())  # fmt: skip


def test_what_is_the_last_again_comes_again() -> None:
    keeps, late = kept_by("fleur_officer"), kept_by("khalil_officer")
    [old] = sent((SETS[0], [1, 2, 3]))
    keeps.poll(50)
    [new] = sent((SETS[0], [1_001]))
    keeps.poll(50)
    assert [each.said[:10] for each in whole_of("fleur_officer", RELEASED, LAST) if each.type == "indicator"] == [
        "2026-11-01", "2026-11-01", "2026-11-02",
    ]  # fmt: skip
    before = [each.raw for each in whole_of("fleur_officer", RELEASED, LAST)]
    recalled(new)
    [again] = keeps.poll(50)
    assert again.body["name"] == "address 1"
    assert again.said > "2026-11-02", "a version of its own: newer than what was taken back"
    assert again.batch == old.pk
    assert keeps.is_at_the_end()
    assert len(whole_of("fleur_officer", RELEASED, LAST)) == len(before), "no object twice"
    one = Wanted(ids=frozenset({again.id}))
    assert [each.moment for each in whole_of("fleur_officer", RELEASED, one)] == [again.moment]
    assert [each.said for each in whole_of("fleur_officer", RELEASED, ALL) if each.id == again.id] == [again.said]
    assert late.is_at_the_end()


def test_a_copy_from_elsewhere_comes_again_where_the_first_was_taken_back() -> None:
    keeps = kept_by("fleur_officer")
    [first] = sent((SETS[0], [1, 2]))
    sent((SETS[0], [1]))
    keeps.poll(50)
    recalled(first)
    assert [each.body["name"] for each in keeps.poll(50) if each.type == "indicator"] == ["address 1"]
    assert keeps.is_at_the_end()


def test_who_never_had_it_sees_no_difference() -> None:
    people.call("fleur_officer")
    people.call("khalil_officer")
    sent((SETS[0], [1, 2]))
    [new] = sent(({"tlp": Tlp.AMBER, "exclusions": ("country:JO",)}, [1_001, 1_002]))
    before = [(each.moment, each.raw) for each in whole_of("khalil_officer", RELEASED, LAST)]
    recalled(new)
    assert [(each.moment, each.raw) for each in whole_of("khalil_officer", RELEASED, LAST)] == before
    assert Person.objects.filter(login="fleur_officer").exists()


def test_a_right_that_is_lost_leaves_the_older_version() -> None:
    fleur = people.call("fleur_officer")
    Person.objects.filter(pk=fleur.pk).update(clearance="restricted")
    keeps = Keeps("fleur_officer")
    sent((SETS[0], [1]))
    sent((SETS[5], [1_001]))
    keeps.poll(50)
    Person.objects.filter(pk=fleur.pk).update(clearance="official-use")
    assert [each.body["name"] for each in keeps.poll(50) if each.type == "indicator"] == ["address 1"]
    assert keeps.is_at_the_end()


def over(batch: Batch) -> None:
    """Its term ends, and a round comes by."""
    Batch.objects.filter(pk=batch.pk).update(expires_at=timezone.now())
    close(timezone.now())


def test_the_end_of_a_newer_version_gives_the_older_one_anew() -> None:
    keeps, late = kept_by("fleur_officer"), kept_by("khalil_officer")
    [old] = sent((SETS[0], [1, 2, 3]))
    keeps.poll(50)
    [new] = sent(({"tlp": Tlp.AMBER, "exclusions": ("country:JO",)}, [1_001, 1_004]))
    keeps.poll(50)
    before = [(each.moment, each.raw) for each in whole_of("khalil_officer", RELEASED, LAST)]
    over(new)
    [again] = keeps.poll(50)
    assert (again.body["name"], again.batch) == ("address 1", old.pk)
    assert again.said > "2026-11-02", "newer than what is over, which a program may still keep"
    assert keeps.is_at_the_end()
    assert [(each.moment, each.raw) for each in whole_of("khalil_officer", RELEASED, LAST)] == before, "never had it"
    assert late.is_at_the_end()
    moved = Batch.objects.get(pk=new.pk).moved_at
    assert close(timezone.now()) == 0
    assert Batch.objects.get(pk=new.pk).moved_at == moved, "it is noted once"
    assert keeps.poll(50) == []


def test_the_end_of_an_older_version_or_of_a_copy_gives_nothing_anew() -> None:
    keeps = kept_by("fleur_officer")
    [old], [copy], _ = sent((SETS[0], [1, 2])), sent((SETS[0], [2])), sent((SETS[0], [1_001]))
    keeps.poll(50)
    over(old)
    assert keeps.poll(50) == []
    assert keeps.is_at_the_end()
    over(copy)
    assert keeps.poll(50) == []
    assert {each.body["name"] for each in whole_of("fleur_officer", RELEASED, LAST) if not each.is_shared} == {
        "address 1"
    }
