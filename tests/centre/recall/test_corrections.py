"""Corrections after a release (W39): the wrong version goes, the right one takes its place, what was done is undone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from tests import builders, people
from tests.centre.recall.conftest import bundle, handed_over, indicator, known_of
from tests.crew import work

from tocsin.centre.audit.models import Entry
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.recall import certificates, services
from tocsin.centre.recall.corrections import checked
from tocsin.centre.recall.models import Recall
from tocsin.centre.recall.rules import is_not_wider
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet

pytestmark = pytest.mark.django_db
OLD, NEW = "198.51.100.9", "198.51.100.6"
LATER = "2026-11-20T00:00:00.000Z"


def corrected(delivery: Delivery, key: str, field: str = "value", became: str = NEW) -> Recall:
    made = services.recall_parts(
        delivery, [key], by=people.call("pia_partner"), reason="wrong-data", action="correct", note="",
        at=datetime.now(UTC), corrections={key: checked(field, became)},
    )  # fmt: skip
    work()
    made.refresh_from_db()
    return made


def answered(made: Recall, officer: Person, acted: bool) -> None:
    notice = made.notices.get(organisation=officer.organisation)
    services.answer(
        notice, by=officer, state="corrected", for_units=True, note="", at=datetime.now(UTC), acted=acted
    )  # fmt: skip


def table(*addresses: str) -> bytes:
    lines = [f"2026-11-0{place}T10:00:00Z,{ip},443,Emotet,FR" for place, ip in enumerate(addresses, 1)]
    return ("timestamp,ip,port,malware,country\n" + "\n".join(lines) + "\n").encode()


def test_w39_a_corrected_ioc_is_linked_and_whoever_acted_undoes_it(officers: list[Person]) -> None:
    sent = handed_over(bundle(indicator(1, OLD), indicator(2, "203.0.113.7")), "iocs.json")
    takers = officers[:4]
    for officer in takers:
        took(officer, Taking.Channel.API, [sent.batches.get().pk], datetime.now(UTC))
    made = corrected(sent, OLD)
    assert made.successor is not None
    for officer in takers:
        assert known_of(OLD, officer) == (0, 0), "the old version is revoked"
        assert known_of(NEW, officer)[0] == 1, "the new one goes out under the same release"
        assert known_of("203.0.113.7", officer)[0] == 1
    new = Object.objects.get(delivery=made.successor)
    old = Object.objects.get(object_id=new.object_id, delivery=sent)
    assert new.version > old.version
    assert json.loads(body_of(new).raw)["pattern"] == f"[ipv4-addr:value = '{NEW}']"
    assert list(made.successor.corrected.all()) == [made]
    assert [(part.key, part.became) for part in made.parts.all()] == [(OLD, NEW)]
    assert made.notices.filter(state="informed").count() == len(takers), "every recipient of the old one is told"

    for officer in takers[:2]:
        answered(made, officer, acted=True)
    for officer in takers[2:]:
        answered(made, officer, acted=False)
    assert set(made.undos.values_list("organisation__slug", "state")) == {
        (officer.organisation.slug, "open") for officer in takers[:2]
    }, "a task for whoever acted, and for nobody else"
    services.tick(made.asked_at + timedelta(minutes=20))
    made.refresh_from_db()
    assert made.closed_at is None, "it is not over before everything is undone"
    services.tick(datetime.now(UTC) + timedelta(hours=73))
    services.tick(datetime.now(UTC) + timedelta(hours=74))
    assert Entry.objects.filter(action="recall.undo-overdue").count() == 2

    first, second = made.undos.order_by("organisation__slug")
    by = {officer.organisation_id: officer for officer in takers}
    now = datetime.now(UTC) + timedelta(hours=75)
    services.close_undo(first, by=by[first.organisation_id], state="done", note="", at=now)
    with pytest.raises(Conflict):
        services.close_undo(first, by=by[first.organisation_id], state="done", note="", at=now)
    with pytest.raises(Refused, match="without-reason"):
        services.close_undo(second, by=by[second.organisation_id], state="not-applicable", note=" ", at=now)
    services.close_undo(second, by=by[second.organisation_id], state="not-applicable", note="Blocked nothing", at=now)
    made.refresh_from_db()
    body = json.loads(json.loads(made.certificate)["body"])
    assert body["undo"] == {"open": 0, "done": 1, "not-applicable": 1}
    assert body["corrected_by"] == made.successor.receipt
    assert body["parts"] == [{"key": OLD, "field": "value", "became": NEW}]
    theirs = json.loads(json.loads(certificates.for_source(made))["body"])
    assert theirs["undo"] == {"done": "fewer than 3", "not-applicable": "fewer than 3"}


def test_a_row_is_corrected_and_its_country_found_anew(officers: list[Person]) -> None:
    sent = handed_over(table(OLD, "203.0.113.7"), "rows.csv")
    made = corrected(sent, OLD)
    assert made.successor is not None
    assert (made.successor.rows, made.successor.rejections) == (1, 0)
    assert [known_of(value, officers[0])[0] for value in (OLD, NEW, "203.0.113.7")] == [0, 1, 1]
    assert {each.handling_set.tlp for each in made.successor.batches.all()} == {"TLP:AMBER"}


def test_one_field_is_corrected_and_its_label_stays(officers: list[Person]) -> None:
    sent = handed_over(bundle(indicator(1, OLD), indicator(2, "203.0.113.7")), "iocs.json")
    key = "indicator--00000000-0000-4000-8000-000000000001"
    made = corrected(sent, key, "name", "Another server")
    assert made.successor is not None
    shown = Object.objects.filter(batch__in=visible_batches(viewer_of(officers[0])))
    assert sorted(shown.values_list("name", flat=True)) == ["Another server", "Server 2"]
    assert made.successor.batches.get().handling_set == sent.batches.first().handling_set  # type: ignore[union-attr]
    with pytest.raises(InputError):
        checked("batch", "7")
    with pytest.raises(InputError):
        checked("value", " ")


def test_a_newer_version_by_its_creator_is_a_correction(officers: list[Person]) -> None:
    sent = handed_over(bundle(indicator(1, OLD), indicator(2, "203.0.113.7"), indicator(3, "203.0.113.8")), "old.json")
    took(officers[0], Taking.Channel.API, [sent.batches.get().pk], datetime.now(UTC))
    again = handed_over(
        bundle(indicator(1, NEW, LATER), indicator(2, "203.0.113.7", LATER, name="Renamed")), "new.json", released=False
    )
    work()
    made = Recall.objects.get()
    assert (made.action, made.successor, [part.became for part in made.parts.all()]) == (
        "correct", again, [f"[ipv4-addr:value = '{NEW}']"],
    )  # fmt: skip
    assert [known_of(value, officers[0])[0] for value in (OLD, NEW, "203.0.113.8")] == [0, 1, 1]


def test_of_another_creator_or_source_nothing_is_corrected(officers: list[Person]) -> None:
    handed_over(bundle(indicator(1, OLD, created_by_ref="identity--00000000-0000-4000-8000-0000000000aa")), "old.json")
    handed_over(
        bundle(indicator(1, NEW, LATER, created_by_ref="identity--00000000-0000-4000-8000-0000000000bb")), "new.json",
        released=False,
    )  # fmt: skip
    work()
    assert not Recall.objects.exists()
    assert [known_of(value, officers[0])[0] for value in (OLD, NEW)] == [1, 0]


def test_what_would_be_wider_waits_for_two_people(officers: list[Person]) -> None:
    sent = handed_over(table(OLD, "203.0.113.7"), "rows.csv")
    batch = sent.batches.get()
    excluded = builders.handling(Tlp.AMBER, exclusions=("country:JO",))
    Batch.objects.filter(pk=batch.pk).update(handling_set=excluded)
    set_audience(Batch.objects.filter(pk=batch.pk), ["country:FR"])
    made = corrected(sent, OLD)
    assert made.successor is not None
    assert {each.terms.audience.entries is None for each in made.successor.batches.all()} == {True}
    assert [known_of(NEW, officer)[0] for officer in officers] == [0] * len(officers)


def test_not_wider() -> None:
    amber = HandlingSet(tlp=Tlp.AMBER, exclusions=("country:JO",), audience=("country:FR",))
    assert is_not_wider(amber, amber)
    assert is_not_wider(HandlingSet(tlp=Tlp.RED, exclusions=("country:JO",), audience=("country:FR",)), amber)
    for wider in (
        HandlingSet(tlp=Tlp.GREEN, exclusions=("country:JO",), audience=("country:FR",)),
        HandlingSet(tlp=Tlp.AMBER, audience=("country:FR",)),
        HandlingSet(tlp=Tlp.AMBER, exclusions=("country:JO",)),
        HandlingSet(tlp=Tlp.AMBER, exclusions=("country:JO",), audience=("country:FR", "country:BR")),
        HandlingSet(tlp=Tlp.AMBER, exclusions=("country:JO",), audience=("country:FR",), codes=("H0",)),
        HandlingSet(tlp=Tlp.AMBER, exclusions=("country:JO",), audience=("country:FR",), pap="PAP:GREEN"),
        HandlingSet(
            tlp=Tlp.AMBER, exclusions=("country:JO",), audience=("country:FR",), purposes=("PROTECT", "INVESTIGATE")
        ),
    ):
        assert not is_not_wider(wider, amber)


def test_sent_twice_it_is_one_delivery(officers: list[Person]) -> None:
    from tocsin.centre.jobs import services as jobs
    from tocsin.centre.jobs.models import Job

    sent = handed_over(table(OLD, "203.0.113.7"), "rows.csv")
    made = corrected(sent, OLD)
    Recall.objects.filter(pk=made.pk).update(successor=None)  # As if it was killed between the two.
    Job.objects.filter(kind=services.CORRECT).delete()
    jobs.enqueue(services.CORRECT, f"recall:{made.number}", {"recall": made.pk}, at=datetime.now(UTC))
    work()
    again = Recall.objects.get(pk=made.pk)
    assert again.successor == made.successor
    assert Delivery.objects.count() == 2
