"""Two people behind whatever leaves: who may propose, who may release, and what never goes out."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from tests import builders, people

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.register import facts_of
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import COMMISSION, ROLES
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.release import desk, orders, releasing
from tocsin.centre.release.models import Release
from tocsin.centre.release.preview import preview
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet, Reason, may_see

pytestmark = pytest.mark.django_db
NOW = builders.NOW
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def sent() -> Delivery:
    """A delivery of northwind, TLP:GREEN and H1, that waits; the bureaus of France and Jordan are there."""
    people.call("fleur_officer")
    people.call("khalil_officer")
    return waiting()


def waiting(tlp: Tlp = Tlp.GREEN, by: str = "pia_partner", **said: object) -> Delivery:
    submitter = people.call(by)
    made = builders.delivery(submitter.organisation, person=submitter, rows=10)
    builders.batch(made, builders.handling(tlp, **{"codes": ("H1",), **said}), released_to=None)
    return made


def propose(delivery: Delivery, by: str = "dana_analyst", *audience: str) -> Release:
    return releasing.propose(
        delivery, Batch.objects.all(), audience=audience, reason="they need it", by=people.call(by), at=NOW
    )


def release(proposed: Release, by: str = "dora_dissemination", *, is_proved: bool = True) -> Release:
    return releasing.release(proposed, by=people.call(by), is_proved=is_proved, at=LATER)


def sees(login: str) -> set[int]:
    found = visible_batches(viewer_of(people.call(login)), LATER)
    return set(found.values_list("delivery", flat=True))


def test_what_waits_is_the_centres_and_the_sources_alone(sent: Delivery) -> None:
    assert [sees(login) for login in ("dana_analyst", "pia_partner")] == [{sent.pk}, {sent.pk}]
    assert [sees(login) for login in ("fleur_officer", "khalil_officer", "omar_partner")] == [set(), set(), set()]
    proposed = propose(sent)
    assert sees("fleur_officer") == set()
    done = release(proposed)
    assert sees("fleur_officer") == sees("khalil_officer") == {sent.pk}
    assert sees("omar_partner") == set()
    acts = Entry.objects.filter(subject=f"release:{done.pk}").values_list("actor", "action")
    assert sorted(acts) == [("dana_analyst", "release.proposed"), ("dora_dissemination", "release.released")]
    assert Job.objects.filter(kind="standing-queries", subject=f"delivery:{sent.pk}").exists()


def test_a_release_to_some_reaches_these_alone(sent: Delivery) -> None:
    release(propose(sent, "dana_analyst", "country:FR"))
    assert sees("fleur_officer") == {sent.pk}
    assert sees("khalil_officer") == set()


@pytest.mark.parametrize(("by", "is_proved", "rule"), [
    ("dana_analyst", True, "same-person"), ("dora_dissemination", False, "not-proved"),
    ("lena_legal", True, "not-allowed"), ("fleur_officer", True, "not-allowed"), ("pia_partner", True, "not-allowed"),
    ("ada_administrator", True, "not-allowed"),
])  # fmt: skip
def test_who_may_not_release(by: str, is_proved: bool, rule: str, sent: Delivery) -> None:
    proposed = propose(sent)
    with pytest.raises(Refused) as refused:
        release(proposed, by, is_proved=is_proved)
    assert refused.value.rule == rule
    assert Release.objects.get().state == "proposed"
    assert sees("fleur_officer") == set()


def everything(login: str) -> Person:
    """Somebody at the Centre with every role that there is, but for the commission's, beside which no other counts."""
    person = people.call(login)
    person.roles = sorted(set(ROLES["centre"]) - {COMMISSION})
    person.save()
    return person


def test_not_who_proposed_nor_who_handed_it_over(sent: Delivery) -> None:
    both = everything("dana_analyst")
    with pytest.raises(Refused, match="same-person"):
        releasing.release(propose(sent), by=both, is_proved=True, at=LATER)
    everything("rui_reviewer")
    own = waiting(by="dana_analyst")
    with pytest.raises(Refused, match="submitter"):
        releasing.release(propose(own, "rui_reviewer"), by=both, is_proved=True, at=LATER)
    assert release(propose(waiting(by="dana_analyst"), "rui_reviewer")).state == "released"


def test_nobody_of_the_source_takes_part(sent: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    # Were a partner's people ever given these abilities, their own deliveries would still be out of their reach.
    monkeypatch.setitem(ROLES["partner"], "manager", frozenset({"propose-release", "release", "sign-orders"}))
    with pytest.raises(Refused, match="of-the-source"):
        propose(sent, "mona_manager")
    with pytest.raises(Refused, match="of-the-source"):
        release(propose(sent), "mona_manager")


def test_nobody_of_the_source_takes_part_from_a_seat_at_the_centre(sent: Delivery) -> None:
    """W15: a secondee is of its employer, whatever its roles are here."""
    seated = builders.person("seated", builders.centre(), "analyst", "dissemination", employer=sent.organisation)
    with pytest.raises(Refused, match="of-the-source"):
        propose(sent, "seated")
    with pytest.raises(Refused, match="of-the-source"):
        releasing.release(propose(sent), by=seated, is_proved=True, at=LATER)
    seated.employer = people.call("omar_partner").organisation
    seated.save()
    releasing.release(Release.objects.get(), by=seated, is_proved=True, at=LATER)
    assert Release.objects.get().released_by == seated


def test_i11_no_role_can_do_all_steps() -> None:
    for side in ROLES.values():
        for role, abilities in side.items():
            assert not {"propose-release", "release"} <= abilities, role


@pytest.mark.parametrize("seed", range(6))
def test_i11_no_sequence_of_acts_by_one_person_releases_anything(seed: int, sent: Delivery) -> None:
    drawn = random.Random(seed)
    alone = everything("dana_analyst")
    own = waiting(by="dana_analyst")
    kept: list[object] = []

    def draw_up() -> None:
        kept.append(orders.draw_up(
            title="all", organisation=drawn.choice([None, sent.organisation]), formats=(), audience=(),
            ceiling=Tlp.AMBER, purposes=("PROTECT",), starts_on=NOW.date(), ends_on=NOW.date() + timedelta(days=30),
            by=alone, is_proved=True, at=NOW,
        ))  # fmt: skip

    def commit() -> None:
        orders.release_under_orders(drawn.choice([sent, own]), {"format": "delimited"}, None, NOW)  # type: ignore[arg-type]

    acts: list[Callable[[], object]] = [
        lambda: propose(drawn.choice([sent, own])),
        lambda: releasing.release(drawn.choice(list(Release.objects.all())), by=alone, is_proved=True, at=NOW),
        lambda: releasing.refuse(drawn.choice(list(Release.objects.all())), reason="x", by=alone, at=NOW),
        lambda: releasing.withdraw(drawn.choice(list(Release.objects.all())), reason="x", by=alone, at=NOW),
        lambda: orders.sign(drawn.choice(kept), by=alone, is_proved=True, at=NOW),  # type: ignore[arg-type]
        lambda: orders.stop(drawn.choice(kept), reason="x", by=alone, at=NOW),  # type: ignore[arg-type]
        draw_up,
        commit,
    ]
    done = 0
    for _ in range(60):
        try:
            drawn.choice(acts)()
            done += 1
        except (Refused, Conflict, IndexError):
            pass
        assert not Release.objects.filter(state="released").exists()
        assert releasing.waiting_batches().count() == 2
        assert sees("fleur_officer") == set()
    assert done > 10


def test_of_two_releasers_one_wins_and_the_other_is_told(sent: Delivery) -> None:
    proposed = propose(sent)
    as_seen_by_both = Release.objects.get(pk=proposed.pk), Release.objects.get(pk=proposed.pk)
    release(as_seen_by_both[0])
    with pytest.raises(Conflict):
        release(as_seen_by_both[1], "rui_reviewer")
    assert Release.objects.get().released_by == people.call("dora_dissemination")
    assert Entry.objects.filter(action="release.released").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_releasers_in_the_same_moment() -> None:
    people.call("fleur_officer")
    proposed = propose(waiting())
    both = [people.call("dora_dissemination"), people.call("rui_reviewer")]
    ready = threading.Barrier(2)

    def act(by: Person) -> str:
        try:
            ready.wait(timeout=30)
            return releasing.release(proposed, by=by, is_proved=True, at=LATER).state
        except Conflict:
            return "told"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, both)) == ["released", "told"]
    assert Entry.objects.filter(action="release.released").count() == 1


def test_of_two_proposals_of_one_delivery_one_stands(sent: Delivery) -> None:
    everything("rui_reviewer")
    first = propose(sent)
    with pytest.raises(Conflict):
        propose(sent, "rui_reviewer")
    releasing.withdraw(first, reason="", by=people.call("dana_analyst"), at=NOW)
    second = propose(sent, "rui_reviewer")
    with pytest.raises(Refused, match="no-reason"):
        releasing.refuse(second, reason=" ", by=people.call("dora_dissemination"), at=NOW)
    releasing.refuse(second, reason="not yet", by=people.call("dora_dissemination"), at=NOW)
    assert list(Release.objects.order_by("pk").values_list("state", flat=True)) == ["withdrawn", "refused"]
    assert sees("fleur_officer") == set()
    with pytest.raises(Conflict):
        release(second)


def test_a_label_changed_after_the_proposal_is_judged_anew(sent: Delivery) -> None:
    proposed = propose(sent)
    Batch.objects.filter(delivery=sent).update(handling_set=builders.handling(Tlp.CLEAR, codes=("H1",)))
    with pytest.raises(Refused, match="relabelled"):
        release(proposed)
    assert sees("fleur_officer") == set()


@pytest.mark.parametrize("what", ["hidden", "quarantined", "released meanwhile"])
def test_hidden_held_and_released_things_do_not_go_out(what: str, sent: Delivery) -> None:
    proposed = propose(sent)
    batches = Batch.objects.filter(delivery=sent)
    if what == "hidden":
        batches.update(hidden_at=NOW)
    elif what == "quarantined":
        Delivery.objects.filter(pk=sent.pk).update(state="quarantined")
    else:
        set_audience(batches, ["country:JO"])  # type: ignore[arg-type]
    with pytest.raises(Refused, match="nothing-waits"):
        release(proposed)
    assert sees("fleur_officer") == set()
    with pytest.raises((Refused, Conflict)):
        propose(sent)


def test_w01a_strict_without_addressees_is_not_released_before_the_source_is_asked(sent: Delivery) -> None:
    strict = waiting(Tlp.AMBER_STRICT)
    with pytest.raises(Refused, match="ask-source"):
        propose(strict)
    with pytest.raises(Refused, match="ask-source"):
        propose(strict, "dana_analyst", "ncb-fr")
    assert strict.pk in sees("dana_analyst")
    assert strict.pk not in sees("fleur_officer") | sees("omar_partner")


def test_w01b_strict_goes_to_whom_the_source_named(sent: Delivery) -> None:
    named = waiting(Tlp.AMBER_STRICT, audience=("ncb-fr",))
    release(propose(named))
    assert named.pk in sees("fleur_officer")
    assert named.pk not in sees("khalil_officer")


def test_w07_what_serves_no_common_purpose_does_not_go_out_together(sent: Delivery) -> None:
    builders.batch(sent, builders.handling(purposes=("INVESTIGATE",), codes=("H1",)), released_to=None)
    with pytest.raises(Refused, match="no-common-purpose"):
        propose(sent)
    for batch in Batch.objects.filter(delivery=sent):  # The remedy: each by itself.
        apart = releasing.propose(
            sent, Batch.objects.filter(pk=batch.pk), audience=(), reason="", by=people.call("dana_analyst"), at=NOW
        )
        release(apart)
    assert releasing.waiting_batches().count() == 0


def test_h2_goes_to_the_bureaus_and_to_whom_the_source_named_alone(sent: Delivery) -> None:
    body = builders.organisation("cert", class_name="public-body", country="FR")
    builders.person("carl_cert", body, "analyst")
    bound, free = waiting(codes=("H2",)), waiting()
    release(propose(bound))
    release(propose(free))
    reader = viewer_of(Person.objects.get(login="carl_cert"))
    assert set(visible_batches(reader, LATER).values_list("delivery", flat=True)) == {free.pk}
    assert {bound.pk, free.pk} <= sees("fleur_officer")
    with pytest.raises(Refused, match="ask-source"):
        propose(waiting(codes=("H2",)), "dana_analyst", "cert")
    with pytest.raises(Refused, match="ask-source"):
        propose(waiting(codes=("H2",)), "dana_analyst", "country:FR")
    named = waiting(codes=("H2",), audience=("cert",))
    release(propose(named, "dana_analyst", "cert"))
    assert named.pk in visible_batches(reader, LATER).values_list("delivery", flat=True)
    assert named.pk not in sees("fleur_officer")


@pytest.mark.parametrize(("audience", "rule"), [
    (("southgate",), "wider"), (("ncb-fr",), "wider"), (("class:academia",), "nobody"), (("country:FR",), "nobody"),
    (("no-such-organisation",), "nobody"),
])  # fmt: skip
def test_an_audience_that_the_handling_set_forbids(audience: tuple[str, ...], rule: str, sent: Delivery) -> None:
    people.call("omar_partner")
    with pytest.raises(Refused, match=rule):
        propose(waiting(exclusions=("country:FR",)), "dana_analyst", *audience)


def test_i4_whatever_was_released_has_two_persons_behind_it(sent: Delivery) -> None:
    release(propose(sent))
    for batch in Batch.objects.exclude(pk__in=releasing.waiting_batches()):
        behind = batch.releases.get(state="released")
        assert behind.proposed_by is not None
        assert behind.released_by not in {None, behind.proposed_by}


@pytest.mark.parametrize("tlp", Tlp)
def test_the_preview_is_the_gates_own_answer(tlp: Tlp, sent: Delivery) -> None:
    people.call("omar_partner")
    said = ("person:khalil_officer",) if tlp is Tlp.RED else ("ncb-fr",)
    handling = HandlingSet(tlp=tlp, audience=said, exclusions=("southgate",), codes=())
    found = preview(handling, "northwind", (), NOW)
    lines = [line for part in (*found.shown, *found.kept_from) for line in part.lines]
    assert {line.organisation.slug for line in lines} >= {"ncb-fr", "ncb-jo", "northwind", "southgate"}
    shown = {line.organisation.slug for part in found.shown for line in part.lines}
    parts = [*found.shown, *found.kept_from]
    assert [line.organisation.slug for part in parts if part.reason is Reason.EXCLUDED for line in part.lines] == [
        "southgate"
    ]
    of = builders.delivery(builders.organisation("northwind"))
    builders.batch(of, builders.handling(tlp, audience=said, exclusions=("southgate",), codes=()))
    for login in ("fleur_officer", "khalil_officer", "pia_partner", "omar_partner"):
        seen = of.pk in visible_batches(viewer_of(people.call(login)), NOW).values_list("delivery", flat=True)
        assert seen is (people.call(login).organisation.slug in shown), login
    assert all(
        may_see(line.viewer, handling, facts_of("northwind", handling, ()), NOW) is line.reason.is_shown
        for line in lines
    )


def test_what_nobody_took_up_within_four_hours_is_late(sent: Delivery) -> None:
    """SM-2: counted from the receipt; a step that was taken back is a step."""

    def late(minutes: int) -> set[int]:
        waiting = desk.deliveries_of(releasing.waiting_batches())
        at = sent.received_at + timedelta(hours=4, minutes=minutes)
        return set(desk.late_among(waiting, at).values_list("pk", flat=True))

    assert (late(-1), late(0)) == (set(), {sent.pk})
    [row] = desk.rows_of([sent], releasing.waiting_batches(), sent.received_at + timedelta(hours=5))
    assert row.is_late
    proposed = propose(sent)
    assert late(1) == set()
    releasing.withdraw(proposed, reason="", by=people.call("dana_analyst"), at=LATER)
    assert late(1) == set()
