"""From release to answer: who is offered what, what they say, how they are chased, who may follow it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.ledger.models import Chase, Kind, Response, Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import CountryStatus, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reach import board, chasing, outcomes, received, responding, things
from tocsin.centre.reach.lines import Line, lines_of
from tocsin.centre.reach.recipients import circle
from tocsin.centre.reach.rules import CHASED_FOR, Stage
from tocsin.centre.release.models import Package, Release, StandingOrder
from tocsin.centre.release.services import note_fetch
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.core.words import Tlp
from tocsin.lake.scope import Batches

pytestmark = pytest.mark.django_db
NOW = builders.NOW
HOUR = timedelta(hours=1)


@pytest.fixture
def officers() -> list[Person]:
    """Of four bureaus; the first has a unit with an investigator."""
    found = [
        builders.person(f"officer_{code.lower()}", builders.bureau(code), "officer")
        for code in ("FR", "JO", "BR", "KE")
    ]
    unit = builders.organisation("unit-of-fr", class_name="law-enforcement", country="FR", parent=found[0].organisation)
    builders.person("investigator_fr", unit, "investigator")
    return found


@pytest.fixture
def released(officers: list[Person]) -> Release:
    """What northwind handed over under TLP:AMBER, let go to all bureaus by two people."""
    batch = builders.batch(builders.delivery(people.call("pia_partner").organisation), builders.handling(Tlp.AMBER))
    return builders.release(batch)


def line_of(release: Release, hours: float = 1) -> Line:
    return lines_of(things.of_releases([release]), NOW + hours * HOUR)[0]


def found(person: Person, release: Release, hours: float = 1) -> list[things.Thing]:
    return received.found_for(person, release.delivery.receipt, NOW + hours * HOUR)


def answer(
    person: Person,
    release: Release,
    outcome: str = "acted",
    usefulness: str = "useful",
    note: str = "",
    hours: float = 2,
) -> None:
    responding.answer(
        person, found(person, release), outcome=outcome, usefulness=usefulness, note=note, at=NOW + hours * HOUR
    )


def counts(line: Line) -> tuple[int, int, int, int, int, int]:
    return line.offered, line.fetched, line.opened, line.acknowledged, line.acted, line.overdue


def test_offered_fetched_opened_acknowledged_acted(officers: list[Person], released: Release) -> None:
    first, second, third, fourth = officers
    assert counts(line_of(released)) == (4, 0, 0, 0, 0, 0)
    took(first, Taking.Channel.API, [released.batches.get().pk], NOW + HOUR)
    responding.note_opened(second, found(second, released), NOW + HOUR)
    responding.note_opened(second, found(second, released), NOW + 2 * HOUR)
    assert responding.acknowledge(third, found(third, released), NOW + HOUR) == 1
    assert responding.acknowledge(third, found(third, released), NOW + 2 * HOUR) == 0
    answer(fourth, released)
    assert counts(line_of(released)) == (4, 1, 3, 2, 1, 0)
    shares = {share.organisation.slug: share for share in line_of(released).shares}
    assert [shares[slug].stage for slug in ("ncb-fr", "ncb-jo", "ncb-br", "ncb-ke")] == [
        Stage.FETCHED,
        Stage.OPENED,
        Stage.ACKNOWLEDGED,
        Stage.ACTED,
    ]
    assert shares["ncb-jo"].progress.opened_at == NOW + HOUR
    assert Response.objects.count() == 3
    acts = sorted(Entry.objects.filter(action__startswith="received.").values_list("actor", "action"))
    assert acts == [
        ("officer_br", "received.acknowledged"),
        ("officer_jo", "received.opened"),
        ("officer_ke", "received.answered"),
    ]


def test_one_act_on_many_releases_is_one_row(officers: list[Person]) -> None:
    source = people.call("pia_partner").organisation
    for _ in range(40):
        builders.release(builders.batch(builders.delivery(source), builders.handling(Tlp.GREEN)))
    page = received.page_for(officers[0], Kind.RELEASE, "waiting", "", NOW + HOUR, 100)
    assert responding.acknowledge(officers[0], [item.thing for item in page.rows], NOW + HOUR) == 40
    assert Response.objects.count() == 1
    assert received.page_for(officers[0], Kind.RELEASE, "waiting", "", NOW + HOUR).rows == []
    assert len(received.page_for(officers[1], Kind.RELEASE, "waiting", "", NOW + HOUR).rows) == received.PER_PAGE


def test_pages_follow_one_another_without_numbers(officers: list[Person]) -> None:
    source = people.call("pia_partner").organisation
    made = [builders.release(builders.batch(builders.delivery(source), builders.handling())) for _ in range(7)]
    seen, after = [], ""
    while True:
        page = received.page_for(officers[0], Kind.RELEASE, "all", after, NOW + HOUR, 3)
        seen += [item.thing.number for item in page.rows]
        assert str(page.rows[-1].thing.number) not in page.next.split("=")
        after = page.next
        if not after:
            break
    assert seen == [each.pk for each in reversed(made)]
    assert len(received.page_for(officers[0], Kind.RELEASE, "all", "no such cursor", NOW, 3).rows) == 3


def test_an_answer_says_enough(officers: list[Person], released: Release) -> None:
    with pytest.raises(Refused, match="reason"):
        answer(officers[0], released, "no-action", "not-useful", "  ")
    with pytest.raises(Refused, match="usefulness"):
        answer(officers[0], released, usefulness="")
    with pytest.raises(InputError):
        answer(officers[0], released, usefulness="splendid")
    with pytest.raises(InputError):
        answer(officers[0], released, "opened")
    assert not Response.objects.exists()
    answer(officers[0], released, "no-action", "false-positive", "a sinkhole of ours")
    answer(officers[0], released, "acted", "useful", "it was not, after all", hours=3)
    line = line_of(released)
    assert (line.acted, line.answered, dict(line.usefulness)) == (1, 1, {"useful": 1})
    assert line.shares[0].organisation.slug == "ncb-br"


def test_what_is_not_for_somebody_does_not_exist(officers: list[Person], released: Release) -> None:
    batch = released.batches.get()
    set_audience(Batch.objects.filter(pk=batch.pk), ["ncb-fr"])
    for login in ("officer_jo", "omar_partner", "pia_partner", "dana_analyst"):
        with pytest.raises(NotFound):
            found(people.call(login) if login in people.CAST else Person.objects.get(login=login), released)
    assert counts(line_of(released))[0] == 1
    assert found(officers[0], released)
    Batch.objects.filter(pk=batch.pk).update(hidden_at=NOW)
    with pytest.raises(NotFound):
        found(officers[0], released)
    assert counts(line_of(released))[0] == 0


def test_what_a_unit_says_counts_for_its_bureau(officers: list[Person]) -> None:
    batch = builders.batch(builders.delivery(people.call("pia_partner").organisation), builders.handling(Tlp.GREEN))
    released = builders.release(batch)
    assert line_of(released).offered == 4
    investigator = Person.objects.get(login="investigator_fr")
    responding.acknowledge(investigator, found(investigator, released), NOW + HOUR)
    answer(investigator, released, "acted", "useful", hours=3)
    share = next(each for each in line_of(released).shares if each.organisation.slug == "ncb-fr")
    assert (share.stage, share.progress.acknowledged_at) == (Stage.ACTED, NOW + HOUR)
    assert [(unit.slug, stage) for unit, stage in share.units] == [("unit-of-fr", Stage.ACTED)]
    assert received.unit_stages(officers[0], found(officers[0], released)) == [(investigator.organisation, Stage.ACTED)]
    answer(officers[0], released, "no-action", "not-useful", "the unit was too quick", hours=2)
    share = next(each for each in line_of(released).shares if each.organisation.slug == "ncb-fr")
    assert share.progress.outcome == "no-action", "the bureau's own word goes first"


def test_reminders_and_the_duty_desk(officers: list[Person], released: Release) -> None:
    first, *others = officers
    responding.acknowledge(first, found(first, released), NOW + HOUR)
    chasing.tick(NOW + timedelta(hours=47))
    assert not Chase.objects.exists()
    chasing.tick(NOW + timedelta(hours=48))
    chasing.tick(NOW + timedelta(hours=49))
    reminded = Chase.objects.get()
    assert (reminded.step, reminded.organisations) == ("reminded", ["ncb-br", "ncb-jo", "ncb-ke"])
    items = received.items_of(others[0], found(others[0], released), NOW + timedelta(hours=49))
    assert (items[0].is_reminded, items[0].is_overdue) == (True, False)
    dario = people.call("dario_duty")
    assert board.overdue_counts(dario, NOW + timedelta(hours=71))[Kind.RELEASE] == 0
    chasing.tick(NOW + timedelta(hours=72))
    chasing.tick(NOW + timedelta(hours=73))
    assert board.overdue_counts(dario, NOW + timedelta(hours=73))[Kind.RELEASE] == 1
    assert counts(line_of(released, 73))[-1] == 3
    assert board.page_for(dario, NOW + timedelta(hours=73), kind=Kind.RELEASE, state="overdue").rows
    for officer in others:
        assert received.waiting_count(officer, NOW + timedelta(hours=73)) == 1
        responding.acknowledge(officer, found(officer, released), NOW + timedelta(hours=74))
    assert board.overdue_counts(dario, NOW + timedelta(hours=74))[Kind.RELEASE] == 0
    acts = Entry.objects.filter(action__startswith="chase.").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["chase.reminded", "chase.escalated", "chase.settled"]


def test_urgent_means_four_hours_from_the_recorded_moment(officers: list[Person], released: Release) -> None:
    dario = people.call("dario_duty")
    thing = things.of_releases([released])[0]
    chasing.call_urgent(thing, by=dario, at=NOW + 10 * HOUR)
    with pytest.raises(Conflict):
        chasing.call_urgent(thing, by=dario, at=NOW + 11 * HOUR)
    assert line_of(released, 11).due_at == NOW + 14 * HOUR
    chasing.tick(NOW + 11 * HOUR)
    assert not Chase.objects.exclude(step="urgent").exists()
    chasing.tick(NOW + 12 * HOUR)
    chasing.tick(NOW + 14 * HOUR)
    assert set(Chase.objects.values_list("step", flat=True)) == {"urgent", "reminded", "escalated"}


def test_urgent_late_in_the_long_time_lengthens_nothing(officers: list[Person], released: Release) -> None:
    chasing.call_urgent(things.of_releases([released])[0], by=people.call("dario_duty"), at=NOW + 71 * HOUR)
    assert line_of(released, 71).due_at == NOW + 72 * HOUR


def test_the_duty_officer_takes_it_off_the_desk_with_a_note(officers: list[Person], released: Release) -> None:
    chasing.tick(NOW + timedelta(hours=72))
    dario, thing = people.call("dario_duty"), things.of_releases([released])[0]
    with pytest.raises(Refused):
        chasing.note(thing, text=" ", closes=True, by=dario, at=NOW + 73 * HOUR)
    chasing.note(thing, text="Called all three", closes=False, by=dario, at=NOW + 73 * HOUR)
    assert chasing.open_escalations().count() == 1
    chasing.note(thing, text="They have it, their portal is down", closes=True, by=dario, at=NOW + 74 * HOUR)
    chasing.tick(NOW + 75 * HOUR)
    assert not chasing.open_escalations().exists()


def test_what_is_recalled_leaves_the_desk(officers: list[Person], released: Release) -> None:
    chasing.tick(NOW + timedelta(hours=72))
    Batch.objects.update(hidden_at=NOW + 73 * HOUR)
    chasing.tick(NOW + 74 * HOUR)
    assert not chasing.open_escalations().exists()


def test_nobody_is_chased_for_public_feeds_nor_for_what_is_old(officers: list[Person], released: Release) -> None:
    signers = [builders.person(f"signer_{place}", builders.centre(), "dissemination") for place in (1, 2)]
    order = StandingOrder.objects.create(
        title="Public feeds", ceiling="TLP:GREEN", starts_on=NOW.date(), ends_on=NOW.date(), first_by=signers[0],
        first_at=NOW, second_by=signers[1], second_at=NOW,
    )  # fmt: skip
    by_feed = builders.release(
        builders.batch(builders.delivery(builders.organisation("feeds")), builders.handling()), order=order
    )
    chasing.tick(NOW + CHASED_FOR + HOUR)
    assert not any(each.organisations or each.number == by_feed.pk for each in Chase.objects.all())
    chasing.tick(NOW + timedelta(hours=72))
    assert {each.number for each in Chase.objects.all()} == {released.pk}
    assert line_of(by_feed, 90).due_at is None
    assert received.waiting_count(officers[0], NOW + HOUR) == 1


def test_a_country_that_is_suspended_is_neither_offered_nor_chased(officers: list[Person], released: Release) -> None:
    CountryStatus.objects.create(code="KE", status="suspended", from_at=NOW, reason="-", set_by="x")
    assert {share.organisation.slug for share in line_of(released).shares} == {"ncb-fr", "ncb-jo", "ncb-br"}


def package(code: str, batch: Batch, by: Person | None = None) -> Package:
    return Package.objects.create(
        country=code, number=f"{code}-2026-{Package.objects.count() + 1:04d}", arrived_from=NOW - HOUR, language="en",
        arrived_until=NOW + HOUR, path="-", sha256="-", size_bytes=1, rows=3, created_at=NOW, created_by=by,
        summary={"tlp": "TLP:AMBER", "values_new": 0}, batches=Batches([batch.pk]).packed(),
    )  # fmt: skip


def test_packages_are_answered_and_chased_as_releases_are(officers: list[Person], released: Release) -> None:
    batch = released.batches.get()
    made, own = package("FR", batch), package("JO", batch, by=officers[1])
    assert received.found_for(officers[0], made.number, NOW)[0].name == made.number
    for stranger in (officers[1], people.call("pia_partner"), people.call("dana_analyst")):
        with pytest.raises(NotFound):
            received.found_for(stranger, made.number, NOW)
    note_fetch(made, officers[0], "page", NOW + HOUR)
    dario = people.call("dario_duty")
    by_name = {line.thing.name: line for line in board.page_for(dario, NOW + HOUR, kind=Kind.PACKAGE).rows}
    assert counts(by_name[made.number]) == (1, 1, 0, 0, 0, 0)
    assert by_name[own.number].due_at is None
    chasing.tick(NOW + timedelta(hours=72))
    assert set(Chase.objects.filter(kind="package").values_list("number", "step")) == {
        (made.pk, "reminded"),
        (made.pk, "escalated"),
    }
    responding.acknowledge(officers[0], received.found_for(officers[0], made.number, NOW), NOW + 73 * HOUR)
    assert board.overdue_counts(dario, NOW + 73 * HOUR) == {Kind.RELEASE: 1, Kind.PACKAGE: 0}


def test_two_workers_remind_once(officers: list[Person], released: Release) -> None:
    line = line_of(released, 48)
    chasing._take(line, Chase.Step.REMINDED, NOW + 48 * HOUR)
    chasing._take(line, Chase.Step.REMINDED, NOW + 48 * HOUR)
    assert Chase.objects.count() == Entry.objects.filter(action="chase.reminded").count() == 1


def test_the_board_shows_red_to_whom_it_names(officers: list[Person]) -> None:
    dana, dario = people.call("dana_analyst"), people.call("dario_duty")
    under = builders.handling(Tlp.RED, audience=("person:officer_fr", "person:dana_analyst"))
    released = builders.release(builders.batch(builders.delivery(people.call("pia_partner").organisation), under))
    assert [line.thing.number for line in board.page_for(dana, NOW, kind=Kind.RELEASE).rows] == [released.pk]
    assert [share.organisation.slug for share in line_of(released).shares] == ["ncb-fr"]
    assert board.page_for(dario, NOW, kind=Kind.RELEASE).rows == []
    with pytest.raises(NotFound):
        board.line_for(dario, "release", str(released.pk), NOW)
    for login in ("lena_legal", "ada_administrator", "fleur_officer", "pia_partner"):
        assert board.page_for(people.call(login), NOW, kind=Kind.RELEASE).rows == []


def test_the_circle_agrees_with_the_gate(officers: list[Person]) -> None:
    """What the board says was offered is what each organisation's people see."""
    source = people.call("pia_partner").organisation
    readers = [*officers, people.call("omar_partner"), Person.objects.get(login="investigator_fr")]
    for tlp in Tlp:
        for said in (
            {},
            {"audience": ("country:FR", "ncb-jo")},
            {"exclusions": ("country:BR",)},
            {"classification": "restricted"},
            {"audience": ("person:officer_ke",)},
        ):
            for audience in ((), None, ("ncb-fr",), ("all-members",), ("class:private",)):
                batch = builders.batch(builders.delivery(source), builders.handling(tlp, **said), released_to=audience)
                expected = {
                    reader.organisation.pk
                    for reader in readers
                    if visible_batches(viewer_of(reader), NOW).filter(pk=batch.pk).exists()
                }
                around = circle(NOW)
                mine = set(around.open_to(Batches([batch.pk]), source.pk)) & {
                    reader.organisation.pk for reader in readers
                }
                assert mine == expected, (tlp, said, audience)
    assert people.call("dana_analyst").organisation.pk not in circle(NOW).organisations


def test_whoever_has_it_is_asked_after_30_90_and_180_days_what_came_of_it(
    officers: list[Person], released: Release
) -> None:
    first, second, third, _fourth = officers
    days = timedelta(days=1)
    took(first, Taking.Channel.API, [released.batches.get().pk], NOW + HOUR)
    responding.acknowledge(second, found(second, released), NOW + HOUR)
    answer(third, released)

    def asked_in(at: int) -> list[tuple[str, list[str]]]:
        outcomes.tick(NOW + at * days)
        outcomes.tick(NOW + at * days)
        steps = Chase.objects.filter(step__startswith="outcome").order_by("pk")
        return [(each.step, each.organisations) for each in steps]

    both = ["ncb-fr", "ncb-jo"]  # NCB BR said it, and NCB KE never had it.
    assert asked_in(29) == []
    assert asked_in(30) == [("outcome-30", both)]
    now = NOW + 31 * days
    assert [received.asked_count(each, now) for each in officers] == [1, 1, 0, 0]
    page = received.page_for(first, Kind.RELEASE, "asked", "", now)
    assert [item.outcome_asked_at for item in page.rows] == [NOW + 30 * days]
    answer(second, released, hours=24 * 40)
    assert asked_in(95)[1:] == [("outcome-90", ["ncb-fr"])]
    answer(first, released, "no-action", "not-useful", "Too late for us", hours=24 * 100)
    assert asked_in(180)[2:] == [("outcome-180", [])]
    assert received.asked_count(first, NOW + 181 * days) == 0
    assert Entry.objects.filter(action="chase.outcome-asked").count() == 2
    shown = [each.step for each in board.chases_of(things.of_releases([released])[0])]
    assert shown == ["outcome-90", "outcome-30"], "where nobody was asked, nothing was done"


def test_what_was_let_go_long_ago_is_asked_about_once(officers: list[Person], released: Release) -> None:
    took(officers[0], Taking.Channel.API, [released.batches.get().pk], NOW + HOUR)
    outcomes.tick(NOW + timedelta(days=100))
    assert list(Chase.objects.values_list("step", flat=True)) == ["outcome-90"]
    outcomes.tick(NOW + timedelta(days=400))
    assert Chase.objects.count() == 1


def test_the_question_stands_on_the_first_page_and_in_the_list(client: Client, released: Release) -> None:
    officer = Person.objects.get(login="officer_fr")
    long_ago = timezone.now() - timedelta(days=31)
    Release.objects.filter(pk=released.pk).update(released_at=long_ago)
    took(officer, Taking.Channel.API, [released.batches.get().pk], long_ago)
    outcomes.tick(timezone.now())
    people.let_in(client, "officer_fr", "en")
    assert "say what came of it" in client.get(reverse("home")).content.decode()
    listed = client.get(reverse("received-list"), {"state": "asked"}).content.decode()
    assert released.delivery.receipt in listed
    assert (
        "the Centre asked what came of it"
        in client.get(reverse("received", args=[released.delivery.receipt])).content.decode()
    )
    people.let_in(desk := Client(), "dora_dissemination", "en")
    line = desk.get(reverse("follow-up-line", args=["release", released.pk])).content.decode()
    assert "Asked after 30 days what came of it" in line
