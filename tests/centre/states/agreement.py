"""SM-1: a partner's agreement in each of its states, everything that is wanted for the next one there or taken away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from tests import builders

from tocsin.centre.audit.services import record
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.deliveries import deliveries_for
from tocsin.centre.intake.models import Delivery
from tocsin.centre.members import agreements
from tocsin.centre.members.agreement_states import PAGE_ONLY, Standing, State, standing
from tocsin.centre.members.doors import Caller
from tocsin.centre.members.models import Agreement, Key, Organisation, Person
from tocsin.centre.recall import services as recall
from tocsin.centre.recall.models import Recall
from tocsin.centre.recall.selectors import may_recall
from tocsin.core.errors import NotFound

from .walk import Machine

AT = datetime(2026, 12, 1, 9, tzinfo=UTC)
TODAY = AT.date()
YESTERDAY = TODAY - timedelta(days=1)
READY: dict[str, object] = {
    "starts_on": date(2026, 1, 1), "ends_on": date(2027, 12, 31), "vetted_by": "paula", "vetted_at": AT,
    "vetted_until": date(2027, 6, 30), "signed_for_centre": "A", "signed_for_centre_on": TODAY,
    "signed_for_partner": "B", "signed_for_partner_on": TODAY, "key_fingerprint": PAGE_ONLY,
    "security_contact": "soc@partner.example",
}  # fmt: skip
"""Nothing is missing for any step."""
AS_IN: dict[str, dict[str, object]] = {
    **{state.value: {"state": state.value} for state in State},
    "lapsed": {"state": "active", "vetted_until": YESTERDAY},
    "expired": {"state": "active", "ends_on": YESTERDAY},
}
NAMED = {Standing.EXPIRED: "expired", Standing.VETTING_LAPSED: "lapsed"}


def machine() -> Machine:
    """One partner in each state, and one that has no agreement at all."""
    subjects = {name: _partner(name, **values) for name, values in AS_IN.items()} | {"none": _partner("none")}
    Agreement.objects.filter(organisation=subjects["none"]).delete()
    prepares = {name: _lacks(**values) for name, values in LACKING.items()}
    return Machine("agreement", AT, subjects, _acts(), _state_of, (Agreement, Delivery, Recall), prepares)


def _partner(name: str, **values: object) -> Organisation:
    """With one person, and something that it handed over and that was released."""
    made = builders.organisation(f"partner-{name}")
    Agreement.objects.filter(organisation=made).update(basis="procedure", created_at=AT, **READY | values)
    builders.person(f"person-{name}", made, "analyst")
    builders.batch(builders.delivery(made), builders.handling())
    return made


def _state_of(partner: Organisation) -> str:
    """Of all that it has, the oldest first."""
    found = [
        NAMED.get(standing(each.facts, AT), each.state)
        for each in agreements.agreements_of(partner).order_by("pk")
    ]  # fmt: skip
    return "+".join(found) or "none"


def _of(partner: Organisation) -> Agreement:
    """The agreement that the act is about."""
    found = agreements.agreements_of(partner).first()
    if found is None:
        raise NotFound
    return found


def _lacks(**values: object) -> Callable[[Organisation], object]:
    """Something of what is wanted is missing."""
    return lambda partner: Agreement.objects.filter(organisation=partner).update(**values)


def _move(to: State, reason: str = "so it was decided") -> Callable[[Organisation, str], None]:
    def act(partner: Organisation, who: str) -> None:
        agreements.move(_of(partner), to, reason=reason, by=who, at=AT)

    return act


def _vet(partner: Organisation, who: str) -> None:
    notes = dict.fromkeys(agreements.VETTING_NOTES, "looked at")
    agreements.pass_vetting(_of(partner), notes=notes, until=date(2028, 1, 1), by=who, at=AT)


def _terms(partner: Organisation, who: str) -> None:
    agreements.change_terms(_of(partner), title="New", starts_on=TODAY, ends_on=None, data_types=["malware"],
                            survival="", by=who, at=AT)  # fmt: skip


def _sign(partner: Organisation, who: str) -> None:
    agreements.note_signatures(_of(partner), for_centre="C", for_centre_on=TODAY, for_partner="D",
                               for_partner_on=TODAY, by=who, at=AT)  # fmt: skip


def _security(partner: Organisation, who: str) -> None:
    agreements.note_security(_of(partner), key_fingerprint="ab" * 20, contact="+1", by=who, at=AT)


def _person_of(partner: Organisation) -> Person:
    return Person.objects.select_related("organisation").get(organisation=partner)


def _hand_over(partner: Organisation, who: str) -> None:
    person = Person.objects.filter(pk=_person_of(partner).pk)
    person.update(login=who)
    intake.receive(organisation=partner, via="api", name="a.csv", chunks=[b"x"], at=AT, person=person.get())


def _read_by_program(partner: Organisation, who: str) -> None:
    person = _person_of(partner)
    person.through = Key(person=person, scopes=["read"])
    Caller(person).require("read", "read")
    record(who, "observations.read", "key:1", at=AT)  # As the door does for whoever it lets in.


def _recall(partner: Organisation, who: str) -> None:
    person, delivery = _person_of(partner), Delivery.objects.get(organisation=partner)
    person.login = who
    if not may_recall(person, delivery):
        raise NotFound
    recall.recall(delivery, by=person, reason="source-withdrawal", action="destroy", note="", at=AT)


def _follow(partner: Organisation, who: str) -> None:
    if not deliveries_for(_person_of(partner)).exists():
        raise NotFound
    record(who, "delivery.original-fetched", "delivery:1", at=AT)  # As the page does.


LACKING: dict[str, dict[str, object]] = {
    "to-negotiated-unvetted": {"vetted_by": ""},
    "to-signed-unvetted": {"vetted_until": YESTERDAY},
    "to-signed-without-term": {"starts_on": None},
    "to-signed-for-partner-only": {"signed_for_centre": ""},
    "to-signed-for-centre-only": {"signed_for_partner_on": None},
    "to-active-unvetted": {"vetted_by": "", "vetted_until": None},
    "to-active-without-term": {"starts_on": None},
    "to-active-over": {"ends_on": YESTERDAY},
    "to-active-unsigned-by-centre": {"signed_for_centre": ""},
    "to-active-unsigned-by-partner": {"signed_for_partner": ""},
    "to-active-without-key-ceremony": {"key_fingerprint": ""},
    "to-active-without-contact": {"security_contact": " "},
}
"""Step → what is missing for it."""


def _acts() -> dict[str, Callable[[Organisation, str], object]]:
    return {
        "prepare": lambda partner, who: agreements.prepare(partner, by=who, at=AT),
        **{f"to-{state.value}": _move(state) for state in State},
        **{name: _move(State(name.split("-")[1])) for name in LACKING},
        "to-suspended-without-reason": _move(State.SUSPENDED, reason=" "),
        "to-terminated-without-reason": _move(State.TERMINATED, reason=""),
        "change-terms": _terms,
        "pass-vetting": _vet,
        "note-signatures": _sign,
        "note-security": _security,
        "hand-over": _hand_over,
        "read-by-program": _read_by_program,
        "recall-what-is-past": _recall,
        "follow-what-is-past": _follow,
    }
