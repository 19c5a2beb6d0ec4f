"""The steps of an agreement as they are kept: two persons, settled parts, successors, and the log of it all."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests import builders

from tocsin.centre.audit.models import Entry
from tocsin.centre.members import agreements
from tocsin.centre.members.agreement_states import Basis, Standing, State
from tocsin.centre.members.models import Agreement, Organisation
from tocsin.centre.members.services import add_organisation
from tocsin.core.errors import Conflict, InputError, Refused

pytestmark = pytest.mark.django_db
AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
TODAY = AT.date()
NOTES = dict.fromkeys(agreements.VETTING_NOTES, "looked at")


@pytest.fixture
def harbour() -> Organisation:
    """A partner as the page adds it."""
    return add_organisation(slug="harbour", name="Harbour", class_name="private", by="paula", at=AT)


def say_terms(agreement: Agreement, **changed: Any) -> None:
    said = {"title": "Feeds", "starts_on": TODAY, "ends_on": date(2027, 12, 31), "data_types": ["indicators"],
            "survival": "", **changed}  # fmt: skip
    agreements.change_terms(agreement, **said, by="paula", at=AT)


def sign(agreement: Agreement, on: date = TODAY) -> None:
    agreements.note_signatures(agreement, for_centre="A", for_centre_on=on, for_partner="B", for_partner_on=on,
                               by="paula", at=AT)  # fmt: skip


def walk(agreement: Agreement, last: State = State.ACTIVE, **terms: Any) -> None:
    """Everything in its order, by two persons."""
    agreements.move(agreement, State.VETTING, by="paula", at=AT)
    agreements.pass_vetting(agreement, notes=NOTES, until=date(2027, 6, 30), by="paula", at=AT)
    say_terms(agreement, **terms)
    agreements.move(agreement, State.NEGOTIATED, by="paula", at=AT)
    sign(agreement)
    agreements.move(agreement, State.SIGNED, by="paula", at=AT)
    agreements.note_security(agreement, key_fingerprint="page-only", contact="soc", by="paula", at=AT)
    if last == State.ACTIVE:
        agreements.move(agreement, State.ACTIVE, by="ada", at=AT)


def test_a_new_partner_hands_over_only_after_the_whole_road(harbour: Organisation) -> None:
    agreement = Agreement.objects.get(organisation=harbour)
    assert (agreement.state, agreement.basis) == ("explored", "procedure")
    assert agreements.refusal_of(harbour, AT) == "agreement-not-in-force"
    walk(agreement, State.SIGNED)
    assert agreements.refusal_of(harbour, AT) == "agreement-not-in-force"
    with pytest.raises(Refused, match="second-person"):
        agreements.move(agreement, State.ACTIVE, by="paula", at=AT)
    agreements.move(agreement, State.ACTIVE, by="ada", at=AT)
    assert agreements.refusal_of(harbour, AT) == ""
    acts = Entry.objects.filter(subject=f"organisation:{harbour.pk}", action__startswith="agreement.").order_by("pk")
    assert [(each.action, each.actor) for each in acts] == [
        ("agreement.prepared", "paula"), ("agreement.moved", "paula"), ("agreement.vetted", "paula"),
        ("agreement.changed", "paula"), ("agreement.moved", "paula"), ("agreement.changed", "paula"),
        ("agreement.moved", "paula"), ("agreement.changed", "paula"), ("agreement.moved", "ada"),
    ]  # fmt: skip
    assert json.loads(acts.last().detail)["from"] == "signed"


def test_no_step_is_taken_before_its_time(harbour: Organisation) -> None:
    agreement = Agreement.objects.get(organisation=harbour)
    with pytest.raises(Conflict):
        agreements.move(agreement, State.ACTIVE, by="ada", at=AT)
    with pytest.raises(Conflict):
        agreements.pass_vetting(agreement, notes=NOTES, until=TODAY, by="paula", at=AT)
    with pytest.raises(Conflict):
        sign(agreement)
    agreements.move(agreement, State.VETTING, by="paula", at=AT)
    with pytest.raises(Refused, match="vetting"):
        agreements.move(agreement, State.NEGOTIATED, by="paula", at=AT)
    with pytest.raises(InputError, match="human_rights"):
        agreements.pass_vetting(agreement, notes=NOTES | {"human_rights": " "}, until=TODAY, by="paula", at=AT)
    with pytest.raises(InputError, match="vetted_until"):
        agreements.pass_vetting(agreement, notes=NOTES, until=TODAY - timedelta(days=1), by="paula", at=AT)
    with pytest.raises(InputError, match="ends_on"):
        say_terms(agreement, ends_on=TODAY - timedelta(days=1))
    assert Agreement.objects.get().state == "vetting"


def test_two_who_step_at_once_take_one_step(harbour: Organisation) -> None:
    first, second = Agreement.objects.get(organisation=harbour), Agreement.objects.get(organisation=harbour)
    agreements.move(first, State.VETTING, by="paula", at=AT)
    with pytest.raises(Conflict):
        agreements.move(second, State.TERMINATED, reason="no", by="ada", at=AT)
    assert Agreement.objects.get().state == "vetting"


def test_other_terms_undo_the_signatures_and_signed_terms_stay(harbour: Organisation) -> None:
    agreement = Agreement.objects.get(organisation=harbour)
    agreements.move(agreement, State.VETTING, by="paula", at=AT)
    agreements.pass_vetting(agreement, notes=NOTES, until=date(2027, 6, 30), by="paula", at=AT)
    agreements.move(agreement, State.NEGOTIATED, by="paula", at=AT)
    say_terms(agreement)
    with pytest.raises(InputError, match="time-in-future"):
        sign(agreement, TODAY + timedelta(days=1))
    sign(agreement)
    say_terms(agreement)
    assert Agreement.objects.get().signed_for_partner == "B", "the same terms change nothing"
    say_terms(agreement, ends_on=date(2028, 12, 31))
    changed = Agreement.objects.get()
    assert (changed.signed_for_centre, changed.signed_for_partner_on) == ("", None)
    with pytest.raises(Refused, match="signature-centre signature-partner"):
        agreements.move(agreement, State.SIGNED, by="paula", at=AT)
    sign(agreement)
    agreements.move(agreement, State.SIGNED, by="paula", at=AT)
    with pytest.raises(Conflict):
        say_terms(agreement, ends_on=None)


def test_suspension_needs_a_reason_and_acts_at_once(harbour: Organisation) -> None:
    agreement = Agreement.objects.get(organisation=harbour)
    walk(agreement)
    with pytest.raises(InputError, match="reason"):
        agreements.move(agreement, State.SUSPENDED, by="paula", at=AT)
    agreements.move(agreement, State.SUSPENDED, reason="leak", by="paula", at=AT)
    assert agreements.refusal_of(harbour, AT) == "agreement-not-in-force"
    assert json.loads(Entry.objects.order_by("pk").last().detail)["reason"] == "leak"  # type: ignore[union-attr]
    agreements.move(agreement, State.ACTIVE, by="ada", at=AT)
    assert agreements.refusal_of(harbour, AT) == ""
    agreements.move(agreement, State.TERMINATED, reason="over", by="ada", at=AT)
    assert agreements.shown(agreement, AT, "ada").steps == ()


def test_the_next_agreement_follows_without_a_gap(harbour: Organisation) -> None:
    first = Agreement.objects.get(organisation=harbour)
    walk(first, ends_on=date(2027, 1, 31))
    soon = datetime(2026, 12, 20, tzinfo=UTC)
    assert agreements.ending(soon) == {harbour.pk}
    second = agreements.prepare(harbour, by="paula", at=AT)
    assert (second.title, second.ownership, second.vetted_by) == ("Feeds", "looked at", "")
    with pytest.raises(Conflict):
        agreements.prepare(harbour, by="ada", at=AT)
    walk(second, starts_on=date(2027, 2, 1), ends_on=None)
    held = agreements.held_by(harbour, soon)
    assert held.current is not None
    assert (held.current.agreement, [each.standing for each in held.older]) == (first, [Standing.NOT_BEGUN])
    assert agreements.ending(soon) == set(), "the next one is concluded"
    for moment in (datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)):
        assert agreements.refusal_of(harbour, moment) == ""
    held = agreements.held_by(harbour, datetime(2027, 2, 1, tzinfo=UTC))
    assert held.current is not None
    assert (held.current.agreement, held.older[0].standing) == (second, Standing.EXPIRED)


def test_two_never_hold_at_once() -> None:
    northwind = builders.organisation("northwind")
    second = agreements.prepare(northwind, by="paula", at=AT)
    walk(second, starts_on=TODAY)
    first = Agreement.objects.exclude(pk=second.pk).get()
    assert first.ends_on == TODAY - timedelta(days=1)
    agreements.move(second, State.SUSPENDED, reason="leak", by="paula", at=AT)
    assert agreements.refusal_of(northwind, AT) == "agreement-not-in-force"
    third = agreements.prepare(northwind, by="paula", at=AT)
    walk(third, starts_on=TODAY - timedelta(days=9))
    second.refresh_from_db()
    assert second.state == "terminated", "not a day of it is left"
    assert agreements.refusal_of(northwind, AT) == ""


def test_who_is_told_of_an_end_and_of_a_lapse(harbour: Organisation) -> None:
    agreement = Agreement.objects.get(organisation=harbour)
    walk(agreement)  # The vetting holds until 2027-06-30, the agreement until 2027-12-31.
    days = {date(2027, 4, 30): False, date(2027, 5, 1): True, date(2027, 6, 30): True, date(2027, 7, 1): True}
    for day, is_told in days.items():
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        assert (agreements.ending(at) == {harbour.pk}) is is_told, day
    at = datetime(2027, 7, 1, tzinfo=UTC)
    assert agreements.refusal_of(harbour, at) == "agreement-not-in-force"
    agreements.pass_vetting(agreement, notes=NOTES, until=date(2028, 6, 30), by="ada", at=at)
    assert agreements.refusal_of(harbour, at) == ""
    assert agreements.ending(at) == set()
    assert agreements.ending(datetime(2027, 11, 2, tzinfo=UTC)) == {harbour.pk}
    assert agreements.ending(datetime(2028, 1, 1, tzinfo=UTC)) == set(), "over, and no longer ending"


def test_public_sources_and_the_exercise_need_no_procedure_and_members_no_agreement() -> None:
    for slug, basis in (("feed-x", Basis.PUBLIC), ("made-up", Basis.EXERCISE)):
        made = add_organisation(slug=slug, name=slug, class_name="private", basis=basis, by="system", at=AT)
        assert agreements.refusal_of(made, AT - timedelta(days=4_000)) == ""
        add_organisation(slug=slug, name=slug, class_name="private", basis=basis, by="system", at=AT)
        assert Agreement.objects.filter(organisation=made).count() == 1
    unit = add_organisation(slug="unit", name="Unit", class_name="law-enforcement", by="paula", at=AT)
    assert not Agreement.objects.filter(organisation=unit).exists()
    with pytest.raises(Refused):
        agreements.prepare(unit, by="paula", at=AT)
