"""SM-2: what northwind hands over, in each state from its receipt to what came of it and to its end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests import builders, people
from tests.crew import handlers

from tocsin.centre.intake import holding, urgency
from tocsin.centre.intake import services as intake
from tocsin.centre.intake.deliveries import delivery_for
from tocsin.centre.intake.models import Batch, Delivery, Hold
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.ledger.models import Kind, Response
from tocsin.centre.ledger.selectors import progress_of
from tocsin.centre.members.models import Person
from tocsin.centre.reach import received, responding
from tocsin.centre.recall import relabelling
from tocsin.centre.recall import services as recall
from tocsin.centre.recall.models import Recall
from tocsin.centre.recall.selectors import may_recall
from tocsin.centre.release import releasing
from tocsin.centre.release.models import Release
from tocsin.centre.retention import ending, legal_holds, purging, reviewing
from tocsin.centre.retention.models import LegalHold, Purge, Review
from tocsin.core.errors import NotFound
from tocsin.handling.neutrality import CHECKLIST, GROUNDS

from .walk import Cast, Machine

AT = datetime.now(UTC)
SENT_AT = AT - timedelta(hours=2)
ENDS_AT = AT + timedelta(days=30)
Act = Callable[[Delivery, str], object]
CAST = Cast()


def machine() -> Machine:
    """One delivery in each state, by the acts that lead there as far as the state is not about its reading."""
    CAST.clear()
    for login in (
        "dana_analyst",
        "dora_dissemination",
        "lena_legal",
        "fleur_officer",
        "khalil_officer",
        "omar_partner",
    ):
        people.call(login)
    subjects = {name: _sent(name) for name in ("received", "quarantined", "withdrawn", "refused")}
    subjects["duplicate"] = _sent("received", state="duplicate", duplicate_of=subjects["received"])
    for kind in Hold.Kind:
        subjects[f"held-{kind}"] = _held(f"held-{kind}", kind)
    for name in ("waiting", "proposed", "released", "acknowledged", "acted", "no-action", "recalled", "expired"):
        subjects[name] = _read(name)
    subjects["purged"] = _sent("purged", ends_at=AT - timedelta(days=40))
    for name in ("proposed", "released", "acknowledged", "acted", "no-action", "recalled"):
        _propose(subjects[name], "dana_analyst")
    for name in ("released", "acknowledged", "acted", "no-action", "recalled"):
        _release(subjects[name], "dora_dissemination")
    _acknowledge(subjects["acknowledged"], "fleur_officer")
    _answer("acted")(subjects["acted"], "fleur_officer")
    _answer("no-action", "nothing of it is ours")(subjects["no-action"], "fleur_officer")
    _recall(subjects["recalled"], "pia_partner")
    Batch.objects.filter(delivery=subjects["expired"]).update(expires_at=AT - timedelta(days=20))
    Delivery.objects.filter(pk=subjects["expired"].pk).update(state="expired", ends_at=AT - timedelta(days=20))
    tables = (Delivery, Batch, Hold, Release, Recall, Response, Review, LegalHold, Purge, Job)
    return Machine(
        "submission", AT, subjects, _acts(), _state_of, tables, PREPARES, frozenset(CLOCK), frozenset({"term-is-over"})
    )


def _sent(name: str, **said: object) -> Delivery:
    """With its bytes, and in the state of its name unless that is one of those that follow the reading."""
    content = f"ip,last_seen,note\n192.0.2.{len(name)},2026-11-20T10:00:00Z,{name}\n".encode()
    pia, state = CAST["pia_partner"], said.pop("state", name)
    facts = {"person": pia, "sha256": hashlib.sha256(content).hexdigest(), "ends_at": ENDS_AT, "state": state, **said}
    made = builders.delivery(pia.organisation, f"{name}.csv", SENT_AT, **facts)
    path = delivery_path(intake.store_folder(), made.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (SENT_AT.timestamp(),) * 2)  # Bytes that came a moment ago are not deleted.
    if state in {"refused", "withdrawn"}:
        Hold.objects.create(delivery=made, kind="legal", held_at=SENT_AT, state=state)
    return made


def _held(name: str, kind: Hold.Kind) -> Delivery:
    made = _sent(name, state="held")
    looked = dict.fromkeys(CHECKLIST, "looked at") if kind == Hold.Kind.LEGAL else {}
    Hold.objects.create(delivery=made, kind=kind, held_at=SENT_AT, checklist=looked)
    return made


def _read(name: str) -> Delivery:
    made = _sent(name, state="parsed", rows=0)
    builders.batch(made, builders.handling(codes=("H1",)), released_to=None, expires_at=ENDS_AT)
    return made


def _state_of(one: Delivery) -> str:
    found = Delivery.objects.get(pk=one.pk)
    if found.state == Delivery.State.HELD:
        return f"held-{found.holds.get(state='open').kind}"
    if found.state != Delivery.State.PARSED:
        return str(found.state)
    if not Batch.objects.filter(delivery=found).alive(AT).exists():
        return "recalled"
    last = found.releases.filter(state__in=("proposed", "released")).last()
    return str(last.state) if last and last.state == "proposed" else _of_recipient(last) if last else "waiting"


def _of_recipient(released: Release) -> str:
    """How far the bureau of France is with it: what follows a release is each recipient's own."""
    officer = CAST["fleur_officer"].organisation_id
    progress = progress_of(Kind.RELEASE, [released.pk]).get(released.pk, {}).get(officer)
    if progress is None or progress.acknowledged_at is None:
        return "released"
    return progress.outcome or "acknowledged"


def _let_read(one: Delivery, who: str) -> None:
    Job.objects.all().delete()
    jobs.enqueue(intake.READ, f"delivery:{one.pk}", {"delivery": one.pk}, at=AT)
    claim = jobs.claim("walker", [intake.READ], AT)
    assert claim is not None
    handlers()[intake.READ](claim)


def _read_again(one: Delivery, who: str) -> None:
    intake.read_again(one, by=CAST[who], profile=None, at=AT)


def _same_bytes(one: Delivery, who: str) -> None:
    """Only of what is no delivery any more do the same bytes make a new one."""
    person = CAST[who]
    content = delivery_path(intake.store_folder(), one.sha256).read_bytes()
    made = intake.receive(
        organisation=person.organisation, via="api", name="b", chunks=[content], at=AT, person=person
    )  # fmt: skip
    assert made.state == ("received" if _state_of(one) in Delivery.GONE else "duplicate")


def _call_urgent(reason: str) -> Act:
    return lambda one, who: urgency.call_urgent(one, reason=reason, by=_shown_to(one, who), at=AT)


def _propose(one: Delivery, who: str) -> None:
    batches = Batch.objects.filter(delivery=one)
    releasing.propose(one, batches, audience=(), reason="they need it", by=CAST[who], at=AT)


def _proposed(one: Delivery) -> Release:
    found = Release.objects.filter(delivery=one).last()
    if found is None:
        raise NotFound
    return found


def _release(one: Delivery, who: str, *, is_proved: bool = True) -> None:
    releasing.release(_proposed(one), by=CAST[who], is_proved=is_proved, at=AT)


def _hold_of(one: Delivery, who: str) -> Hold:
    found = Hold.objects.filter(delivery=one).first()
    if found is None:
        raise NotFound
    return found


def _clear(text: str = "no political matter") -> Act:
    return lambda one, who: holding.clear(_hold_of(one, who), text=text, by=CAST[who], at=AT)


def _refuse(ground: str = GROUNDS[0]) -> Act:
    return lambda one, who: holding.refuse(_hold_of(one, who), ground=ground, text="why", by=CAST[who], at=AT)


def _say(choice: str, **said: str) -> Act:
    return lambda one, who: holding.answer(one, choice, by=CAST[who], at=AT, **said)


def _shown_to(one: Delivery, who: str) -> Person:
    """The page of a delivery opens its acts."""
    person = CAST[who]
    delivery_for(person, one.receipt)
    return person


def _recall(one: Delivery, who: str) -> None:
    person = _shown_to(one, who)
    if not may_recall(person, one):
        raise NotFound
    recall.recall(one, by=person, reason="source-withdrawal", action="destroy", note="", at=AT)


def _relabel(one: Delivery, who: str) -> None:
    person = _shown_to(one, who)
    if not relabelling.may_relabel(person, one):
        raise NotFound
    seen = relabelling.chosen_of(one, ()).mark
    relabelling.relabel(one, (), {"codes": ["H1", "H2"]}, seen=seen, note="", by=person, at=AT)


def _term(kind: str, days: int) -> Act:
    until = (AT + timedelta(days=days)).date()
    return lambda one, who: reviewing.decide(one, kind, until=until, reason="so", by=_shown_to(one, who), at=AT)


def _acknowledge(one: Delivery, who: str) -> None:
    person = CAST[who]
    responding.acknowledge(person, received.found_for(person, one.receipt, AT), AT)


def _answer(outcome: str, note: str = "", usefulness: str = "useful") -> Act:
    def act(one: Delivery, who: str) -> None:
        person = CAST[who]
        found = received.found_for(person, one.receipt, AT)
        responding.answer(person, found, outcome=outcome, usefulness=usefulness, note=note, at=AT)

    return act


def _hold_legally(one: Delivery, who: str) -> None:
    legal_holds.place(one.receipt, authority="Court of X", reason="trial", until=None, by=CAST[who], at=AT)


def _purge(one: Delivery, who: str) -> None:
    due = [what for what in purging.due(AT) if what.delivery == one]
    for what in due:
        purging.work_on(purging.begin(what, Purge.Rule.TERM, AT), AT)


def _unlooked(one: Delivery) -> None:
    Hold.objects.filter(delivery=one).update(checklist={})


def _said_attackers(one: Delivery) -> None:
    Hold.objects.filter(delivery=one).update(answer="attackers")


PREPARES: dict[str, Callable[[Delivery], object]] = {
    "clear-unlooked-at": _unlooked, "refuse-unlooked-at": _unlooked, "clear-what-source-explained": _said_attackers,
}  # fmt: skip
CLOCK: dict[str, Act] = {
    "is-read": _let_read,
    "term-is-over": lambda one, who: ending.end(ENDS_AT),
    "is-purged": _purge,
}
"""What no person does."""


def _acts() -> dict[str, Act]:
    return {
        **CLOCK,
        "read-again": _read_again,
        "same-bytes-again": _same_bytes,
        "call-urgent": _call_urgent("their attackers are deleting"),
        "call-urgent-without-why": _call_urgent(" "),
        "clear": _clear(),
        "clear-without-reason": _clear(" "),
        "clear-unlooked-at": _clear(),
        "clear-what-source-explained": _clear(),
        "refuse": _refuse(),
        "refuse-without-ground": _refuse("I do not like it"),
        "refuse-unlooked-at": _refuse(),
        "say-relabel": _say("relabel", marking="TLP:AMBER"),
        "say-relabel-wide": _say("relabel", marking="TLP:GREEN"),
        "say-withdraw": _say("withdraw"),
        "say-attackers": _say("attackers", text="they are theirs"),
        "say-attackers-without-why": _say("attackers"),
        "propose": _propose,
        "release": _release,
        "release-unproved": lambda one, who: _release(one, who, is_proved=False),
        "refuse-release": lambda one, who: releasing.refuse(
            _proposed(one), reason="not yet", by=CAST[who], at=AT
        ),
        "refuse-release-without-reason": lambda one, who: releasing.refuse(
            _proposed(one), reason=" ", by=CAST[who], at=AT
        ),
        "withdraw-proposal": lambda one, who: releasing.withdraw(
            _proposed(one), reason="", by=CAST[who], at=AT
        ),
        "acknowledge": _acknowledge,
        "say-acted": _answer("acted"),
        "say-acted-without-usefulness": _answer("acted", usefulness=""),
        "say-no-action": _answer("no-action", "none of ours"),
        "say-no-action-without-why": _answer("no-action"),
        "recall": _recall,
        "relabel-stricter": _relabel,
        "extend": _term("extend", 60),
        "extend-beyond-all": _term("extend", 9_999),
        "shorten": _term("shorten", 10),
        "let-end": _term("let-end", 0),
        "hold-legally": _hold_legally,
        "order-purge": lambda one, who: purging.order(one, by=who, at=AT),
    }  # fmt: skip
