"""What was released is rendered by a job, for the programs that follow, so that nobody waits for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from tests import builders, people
from tests.crew import work

from tocsin.centre.intake.models import Batch, Rights
from tocsin.centre.intake.terms import BY_LABEL, set_audience
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.knowledge.models import Rendering
from tocsin.centre.knowledge.rendering import Renderings
from tocsin.centre.members.models import Person
from tocsin.centre.release import ahead, given
from tocsin.centre.release.given import Item, Wanted
from tocsin.core.words import Tlp

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
ALL = Wanted(versions=frozenset({"all"}))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of its own."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, home=tmp_path, store=""))


def sent(*numbers: int, **said: Any) -> Batch:
    delivery = builders.delivery(people.call("pia_partner").organisation)
    audience = said.pop("released_to", BY_LABEL)
    batch = builders.batch(delivery, builders.handling(**{"tlp": Tlp.AMBER, **said}), released_to=audience)
    builders.objects(batch, [builders.indicator(number) for number in numbers])
    return batch


def read(login: str = "fleur_officer") -> list[Item]:
    """A whole pass."""
    person = Person.objects.select_related("organisation").get(login=login)
    found, cursor = [], ""
    while True:
        page = given.page(person, wanted=ALL, after=None, cursor=cursor, limit=1_000, now=timezone.now())
        found += page.items
        cursor = page.cursor
        if not cursor:
            return found


def round_of_work() -> bool:
    """Whether there was something to do."""
    ahead.tick(timezone.now())
    found = Job.objects.filter(kind=ahead.RENDER, state="waiting").exists()
    work()
    assert not Job.objects.exclude(state="done").exists()
    return found


@pytest.fixture
def none_made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """From when it is called on, nothing may be rendered for who asks."""

    def refuse(*_: object) -> None:
        raise AssertionError("rendered while somebody waits")

    return lambda: monkeypatch.setattr(Renderings, "_made", refuse)


def test_where_nobody_follows_nothing_is_done() -> None:
    sent(1, 2)
    assert not round_of_work()
    assert not Rendering.objects.exists()


def test_what_was_released_is_rendered_before_it_is_asked_for(none_made: Any) -> None:
    people.call("fleur_officer")
    assert read() == []
    first, waiting, kept_away = sent(1, 2), sent(3, released_to=None), sent(4, exclusions=("country:FR",))
    people.call("khalil_officer")
    sealed = sent(5)
    Batch.objects.filter(pk=sealed.pk).update(sealed_at=timezone.now())
    assert round_of_work()
    assert set(Rendering.objects.values_list("batch", flat=True)) == {first.pk, sealed.pk}, "what somebody gets"
    assert not round_of_work(), "once"
    set_audience(Batch.objects.filter(pk=waiting.pk), BY_LABEL)
    Batch.objects.filter(pk=first.pk).update(handling_set=builders.handling(Tlp.GREEN))
    assert round_of_work()
    assert not Rendering.objects.filter(batch=kept_away.pk).exists()
    none_made()
    shown = read()
    assert [each.body["name"] for each in shown if each.type == "indicator"] == [
        "address 5",
        "address 3",
        "address 1",
        "address 2",
    ]


def test_it_makes_room_for_what_is_more_urgent_and_goes_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world's worth takes hours: what a partner delivers meanwhile does not wait for the end of it."""
    people.call("fleur_officer")
    read()
    made = [sent(1), sent(2), sent(3)]
    monkeypatch.setattr(ahead, "AT_ONCE", 1)
    ahead.tick(timezone.now())
    claim = jobs.claim("worker", [ahead.RENDER], timezone.now())
    assert claim is not None
    jobs.enqueue("something", "urgent", at=timezone.now())
    with pytest.raises(jobs.GivenBack):
        ahead.Ahead()(claim)
    jobs.release(claim, timezone.now())
    assert list(Rendering.objects.values_list("batch", flat=True)) == [made[0].pk]
    Job.objects.filter(kind="something").delete()
    seen: list[int] = []
    filled = Renderings.fill

    def noted(self: Renderings, source: Any, *rest: Any) -> Any:
        seen.append(source.batch)
        return filled(self, source, *rest)

    monkeypatch.setattr(Renderings, "fill", noted)
    assert round_of_work(), "it was given back, not lost"
    assert seen == [made[1].pk, made[2].pk], "what was done is not looked through again"
    assert not round_of_work(), "and what changed is known as before"


def test_a_right_that_changed_is_followed(none_made: Any) -> None:
    fleur = people.call("fleur_officer")
    Person.objects.filter(pk=fleur.pk).update(clearance="official-use")
    secret = sent(1, classification="restricted")
    sent(2)
    read()
    round_of_work()
    assert not Rendering.objects.filter(batch=secret.pk).exists()
    Person.objects.filter(pk=fleur.pk).update(clearance="restricted")
    fleur.refresh_from_db()
    given.page(fleur, wanted=ALL, after=timezone.now(), cursor="", limit=1, now=timezone.now())
    assert Rights.objects.count() == 2
    assert round_of_work()
    none_made()
    assert len([each for each in read() if each.type == "indicator"]) == 2


def test_large_batches_are_rendered_whole_and_once(none_made: Any) -> None:
    people.call("fleur_officer")
    read()
    batch = sent(*range(2_500))
    fleur = Person.objects.select_related("organisation").get(login="fleur_officer")
    some = given.page(fleur, wanted=ALL, after=None, cursor="", limit=10, now=timezone.now()).items
    middle = given.moment_of(some[-1].moment + 600)
    given.page(fleur, wanted=ALL, after=middle, cursor="", limit=10, now=timezone.now())
    of = Rendering.objects.filter(batch=batch.pk).order_by("first")
    assert list(of.values_list("first", "until")) == [(0, 256), (512, 768)], "no more than was asked for"
    round_of_work()
    assert list(of.values_list("first", "until"))[:2] == [(0, 256), (256, 1_024)]
    none_made()
    assert len([each for each in read() if each.type == "indicator"]) == 2_500
