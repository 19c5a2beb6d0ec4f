"""SM-10: something of northwind that is taken back, seen from the bureau of France, which had it and authorised a unit.

The bureau of Jordan had it too, and answers nothing unless the state says that all did.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tests import builders, people

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.jobs.models import Job
from tocsin.centre.ledger.services import took
from tocsin.centre.recall import services
from tocsin.centre.recall.models import Notice, Recall, Undo
from tocsin.centre.recall.rules import ANSWER_WITHIN, SETTLES
from tocsin.centre.recall.selectors import may_recall, notices_for, recalls_for
from tocsin.centre.recall.undoing import undos_for
from tocsin.core.errors import NotFound

from .walk import Cast, Machine

AT = builders.NOW
ASKED_AT = AT - SETTLES
TAKERS = ("fleur_officer", "khalil_officer")
Act = Callable[[Delivery, str], object]
CAST = Cast()


def machine() -> Machine:
    """A delivery for each state, recalled by its source."""
    CAST.clear()
    for login in (*TAKERS, "mona_manager", "omar_partner", "lena_legal", "dario_duty", "dana_analyst"):
        people.call(login)
    unit = builders.organisation("nu-fr", class_name="law-enforcement", country="FR", parent=builders.bureau("FR"))
    builders.person("una_unit", unit, "officer")
    destroyed = _answer("destroyed")
    made: dict[str, tuple[str, Act | None]] = {
        "informed": ("destroy", None), "asked-to-correct": ("correct", None), "destroyed": ("destroy", destroyed),
        "objected": ("destroy", _answer("objected", "kept by law")), "corrected": ("correct", _answer("corrected")),
        "to-undo": ("correct", _answer("corrected", acted=True)), "answered-by-all": ("destroy", _by_all),
        "overdue": ("destroy", None), "closed": ("destroy", _by_all),
    }  # fmt: skip
    subjects = {"shown": _released(), "nothing-taken": _released(takers=TAKERS[1:])}
    _recall(subjects["nothing-taken"], "pia_partner", at=ASKED_AT)
    for name, (action, act) in made.items():
        subjects[name] = _released()
        _recall(subjects[name], "pia_partner", action=action, at=AT - ANSWER_WITHIN if name == "overdue" else ASKED_AT)
        if act is not None:
            act(subjects[name], "fleur_officer")
    Recall.objects.filter(delivery=subjects["overdue"]).update(escalated_at=AT)
    services.close_if_over(subjects["closed"].recalls.get(), AT)
    tables = (Recall, Notice, Undo, Batch, Job)
    return Machine("recall", AT, subjects, _acts(), _state_of, tables, {}, frozenset(CLOCK), frozenset(CLOCK))


def _released(takers: tuple[str, ...] = TAKERS) -> Delivery:
    sent = builders.delivery(people.call("pia_partner").organisation)
    batch = builders.batch(sent, builders.handling())
    for login in takers:
        took(people.call(login), "api", [batch.pk], ASKED_AT)
    return sent


def _state_of(one: Delivery) -> str:
    made = one.recalls.last()
    if made is None:
        assert Batch.objects.filter(delivery=one, hidden_at=None).exists()
        return "shown"
    assert not Batch.objects.filter(delivery=one, hidden_at=None).exists(), "what is recalled is hidden"
    if made.closed_at is not None:
        assert made.certificate
        return "closed"
    notice = made.notices.get(organisation__slug="ncb-fr")
    if notice.state == Notice.State.INFORMED:
        late = "overdue" if made.escalated_at else "informed"
        return "asked-to-correct" if made.action == "correct" and late == "informed" else late
    if made.undos.filter(state="open").exists():
        return "to-undo"
    answered = not made.notices.filter(state="informed").exists()
    return "answered-by-all" if answered else str(notice.state)


def _recall(
    one: Delivery, who: str, *, action: str = "destroy", reason: str = "source-withdrawal", at: datetime = AT
) -> None:
    person = CAST[who]
    if not may_recall(person, one):
        raise NotFound
    services.recall(one, by=person, reason=reason, action=action, note="", at=at)


def _answer(state: str, note: str = "", *, for_units: bool = True, acted: bool | None = None) -> Act:
    def act(one: Delivery, who: str) -> None:
        person = CAST[who]
        notice = notices_for(person).filter(recall__delivery=one).first()
        if notice is None:
            raise NotFound
        services.answer(notice, by=person, state=state, for_units=for_units, note=note, acted=acted, at=AT)

    return act


def _by_all(one: Delivery, who: str) -> None:
    """Before it has settled, so that it stays open for the moment."""
    for notice in Notice.objects.filter(recall__delivery=one, state="informed").select_related("organisation"):
        person = CAST[{"ncb-fr": "fleur_officer", "ncb-jo": "khalil_officer"}[notice.organisation.slug]]
        services.answer(notice, by=person, state="destroyed", for_units=True, note="", at=ASKED_AT)


def _undo(state: str, note: str = "") -> Act:
    def act(one: Delivery, who: str) -> None:
        person = CAST[who]
        undo = undos_for(person).filter(recall__delivery=one).first()
        if undo is None:
            raise NotFound
        services.close_undo(undo, by=person, state=state, note=note, at=AT)

    return act


def _close(reason: str) -> Act:
    def act(one: Delivery, who: str) -> None:
        made = recalls_for(CAST[who]).filter(delivery=one).first()
        if made is None:
            raise NotFound
        services.close_unanswered(made, reason=reason, by=CAST[who], at=AT)

    return act


def _take_certificate(one: Delivery, who: str) -> None:
    """As the page that gives it."""
    person = CAST[who]
    if not may_recall(person, one) or not recalls_for(person).filter(delivery=one).exclude(certificate="").exists():
        raise NotFound
    record(who, "recall.closed", "recall:1", at=AT)


CLOCK: dict[str, Act] = {
    "clock-comes-round": lambda one, who: services.tick(AT),
    "three-days-pass": lambda one, who: services.tick(AT + ANSWER_WITHIN),
    "backup-replayed": lambda one, who: services.replay(AT + timedelta(days=1)),
}
"""What no person does."""


def _acts() -> dict[str, Act]:
    return {
        **CLOCK,
        "recall": _recall,
        "recall-to-correct": lambda one, who: _recall(one, who, action="correct"),
        "recall-for-court": lambda one, who: _recall(one, who, reason="court-order"),
        "recall-for-no-reason": lambda one, who: _recall(one, who, reason="a whim"),
        "say-destroyed": _answer("destroyed"),
        "say-destroyed-not-for-units": _answer("destroyed", for_units=False),
        "say-corrected": _answer("corrected"),
        "say-corrected-and-acted": _answer("corrected", acted=True),
        "object": _answer("objected", "kept by law"),
        "object-without-ground": _answer("objected", " "),
        "say-nothing-taken": _answer("nothing-taken"),
        "say-undone": _undo("done"),
        "say-nothing-to-undo": _undo("not-applicable", "it never ran"),
        "say-nothing-to-undo-without-why": _undo("not-applicable"),
        "close-unanswered": _close("its country is suspended"),
        "close-unanswered-without-why": _close(" "),
        "take-certificate": _take_certificate,
    }
