"""Recalling, answering, escalating, closing. Every step is one transaction with its entry in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.certificates import signed
from tocsin.centre.intake.models import Batch, Delivery, Former, Terms
from tocsin.centre.intake.register import facts_of
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.selectors import takings_of
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_for
from tocsin.centre.release.models import Package
from tocsin.centre.release.selectors import batches_of
from tocsin.core.errors import Conflict, InputError, Refused
from tocsin.handling import HandlingSet as Handling
from tocsin.handling import may_see
from tocsin.lake.scope import Batches

from . import journal
from .models import Notice, Recall
from .rules import ANSWER_WITHIN, ANSWERED, FEW, SETTLES, is_over, is_overdue, told_to_source, wanted_answers

SYSTEM = "system"


def recall(delivery: Delivery, *, by: Person, reason: str, action: str, note: str, at: datetime) -> Recall:
    """Take a delivery back from everybody. From the commit on nobody sees it; whoever had it is told.

    Raises Conflict where nothing of it is left to recall, InputError for an unknown reason or action.
    """
    if reason not in Recall.Reason.values or action not in Recall.Action.values:
        raise InputError("invalid-object", field="reason", excerpt=reason)
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
        shown = Batch.objects.filter(delivery=delivery, hidden_at=None)
        batches = Batches(list(shown.values_list("pk", flat=True)))
        if not batches:
            raise Conflict
        shown.update(hidden_at=at)  # First: from here to its end, changes to batches wait for one another.
        made = _recalled(
            delivery, batches, number=_next_number(at), reason=reason, action=action, note=note,
            asked_by=by.login, organisation=by.organisation, at=at,
        )  # fmt: skip
        journal.write(
            {
                "key": f"{delivery.receipt} {at.isoformat()}", "number": made.number, "receipt": delivery.receipt,
                "reason": reason, "action": action, "by": by.login, "at": at.isoformat(),
            }
        )  # fmt: skip
    return made


def _recalled(
    delivery: Delivery, batches: Batches, *, number: str, reason: str, action: str, note: str, asked_by: str,
    organisation: Organisation, at: datetime,
) -> Recall:  # fmt: skip
    made = Recall.objects.create(
        number=number, delivery=delivery, batches=batches.packed(), reason=reason, action=action, note=note,
        asked_by=asked_by, organisation=organisation, asked_at=at, confirm_by=at + ANSWER_WITHIN,
    )  # fmt: skip
    takers, told = _told_of(delivery, batches)
    Notice.objects.bulk_create(
        Notice(
            recall=made, organisation_id=key, informed_at=at, taken=_told(takers.get(key, [])),
            state=Notice.State.INFORMED if key in takers else Notice.State.NOTHING_TAKEN,
        )
        for key in sorted(told)
    )  # fmt: skip
    made.packages = _withdraw_packages(batches, at)
    made.save(update_fields=["packages"])
    facts = {
        "recall": number, "delivery": delivery.receipt, "reason": reason, "action": action, "batches": len(batches),
        "organisations": len(told), "took": len(takers), "packages": len(made.packages),
    }  # fmt: skip
    record(asked_by, "recall.made", f"recall:{number}", facts, at=at)
    return made


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a delivery got."""

    batches: int
    open_to: int
    """Organisations to which it is or was open, its source and the Centre left out."""
    took: int
    packages: int


def reach_of(delivery: Delivery) -> Reach:
    """How far what is shown of a delivery got: what a recall would call back."""
    shown = Batch.objects.filter(delivery=delivery, hidden_at=None)
    batches = Batches(list(shown.values_list("pk", flat=True)))
    takers, told = _told_of(delivery, batches)
    packages = sum(1 for each in Package.objects.filter(recalled_at=None) if batches_of(each) & batches)
    return Reach(len(batches), len(told), len(takers), packages)


def _told_of(delivery: Delivery, batches: Batches) -> tuple[dict[int, list[Taking]], set[int]]:
    """Who took some of it, and all who are to be told, as numbers of organisations."""
    takers = takings_of(batches)
    aside = set(Organisation.objects.filter(is_centre=True).values_list("pk", flat=True)) | {delivery.organisation_id}
    for key in aside & takers.keys():
        del takers[key]
    return takers, {*takers, *_open_to(batches)} - aside


def _told(takings: Iterable[Taking]) -> list[list[str]]:
    return [[each.channel, each.reference, each.day.isoformat()] for each in takings]


def _open_to(batches: Batches) -> set[int]:
    """Organisations to which any of these is or was open: as they are now, under the terms of now and before."""
    keys = list(batches)
    numbers = set(Batch.objects.filter(pk__in=keys).values_list("terms", flat=True))
    numbers |= set(Former.objects.filter(batch__in=keys).values_list("terms", flat=True))
    held = []
    named: set[str] = set()
    for terms in Terms.objects.filter(pk__in=numbers).select_related("organisation", "handling_set", "audience"):
        handling = Handling.from_json(terms.handling_set.body)
        entries = terms.audience.entries
        facts = facts_of(terms.organisation.slug, handling, None if entries is None else tuple(entries))
        held.append((handling, facts))
        if facts.released_to is not None:
            named |= facts.named
    now = timezone.now()
    found = {
        each.pk
        for each in Organisation.objects.filter(is_active=True).select_related("parent")
        if any(may_see(viewer_for(each), handling, facts, now) for handling, facts in held)
    }
    return found | set(Person.objects.filter(login__in=named).values_list("organisation", flat=True))


def _withdraw_packages(batches: Batches, at: datetime) -> list[str]:
    """From now on nobody gets the packages that hold some of it."""
    numbers = []
    for package in Package.objects.filter(recalled_at=None).order_by("pk").iterator(chunk_size=100):
        if batches_of(package) & batches:
            numbers.append(package.number)
    for start in range(0, len(numbers), 500):
        Package.objects.filter(number__in=numbers[start : start + 500]).update(recalled_at=at)
    return numbers


def _next_number(at: datetime) -> str:
    start = f"RC-{at.year}-"
    last = Recall.objects.filter(number__startswith=start).order_by("-number").values_list("number", flat=True).first()
    return f"{start}{int(last.rsplit('-', 1)[1]) + 1 if last else 1:04d}"


def answer(notice: Notice, *, by: Person, state: str, for_units: bool, note: str, at: datetime) -> None:
    """What an organisation did with what it had. Raises Refused where the answer is not enough, Conflict when given.

    A bureau answers for the units that it authorised; an objection names the duty under which it is kept.
    """
    if state not in wanted_answers(notice.recall.action):
        raise InputError("invalid-object", field="state", excerpt=state)
    if state == Notice.State.OBJECTED and not note.strip():
        raise Refused("recall-objection-without-ground")
    if by.organisation.children.filter(is_active=True).exists() and not for_units:
        raise Refused("recall-answer-without-units")
    with transaction.atomic():
        changed = Notice.objects.filter(pk=notice.pk, state=Notice.State.INFORMED).update(
            state=state, answered_at=at, answered_by=by.login, answers_for_units=for_units, note=note[:2000]
        )
        if not changed:
            raise Conflict
        facts = {"organisation": by.organisation.slug, "answer": state, "for_units": for_units}
        record(by.login, "recall.answered", f"recall:{notice.recall.number}", facts, at=at)
        _close_if_over(Recall.objects.select_for_update().get(pk=notice.recall_id), at)


def _close_if_over(made: Recall, at: datetime) -> None:
    notices = list(made.notices.select_related("organisation").order_by("organisation__slug"))
    is_settled = at >= made.asked_at + SETTLES
    if made.closed_at is not None or not is_settled or not is_over(each.state for each in notices):
        return
    made.closed_at = at
    made.certificate = _certificate(made, notices)
    made.save(update_fields=["closed_at", "certificate"])
    record(SYSTEM, "recall.closed", f"recall:{made.number}", {"organisations": len(notices)}, at=at)


def _certificate(made: Recall, notices: list[Notice]) -> str:
    answers = [
        {
            "organisation": each.organisation.slug, "state": each.state,
            "answered_at": each.answered_at.astimezone(UTC).isoformat() if each.answered_at else None,
            "for_units": each.answers_for_units,
        }
        for each in notices
    ]  # fmt: skip
    return signed({**_facts_of(made, notices), "packages": made.packages, "answers": answers})


def certificate_for_source(made: Recall) -> str:
    """The same end without who had it: how many gave which answer, where they are not too few."""
    notices = list(made.notices.all())
    counts = Counter(each.state for each in notices)
    answers = {state: told_to_source(count) or f"fewer than {FEW}" for state, count in sorted(counts.items())}
    return signed({**_facts_of(made, notices), "answers": answers})


def _facts_of(made: Recall, notices: list[Notice]) -> dict[str, Any]:
    return {
        "recall": made.number, "delivery": made.delivery.receipt, "sha256": made.delivery.sha256,
        "reason": made.reason, "action": made.action, "asked_at": made.asked_at.astimezone(UTC).isoformat(),
        "closed_at": made.closed_at.astimezone(UTC).isoformat() if made.closed_at else None,
        "organisations": len(notices), "answered": sum(each.state in ANSWERED for each in notices),
    }  # fmt: skip


def tick(now: datetime) -> None:
    """Tell whoever was still taking when it was hidden; close what is over; escalate, once, where somebody is late."""
    for each in Recall.objects.filter(closed_at=None, asked_at__gte=now - 2 * SETTLES):
        _tell_the_late(each, now)
    for each in Recall.objects.filter(closed_at=None, asked_at__lte=now - SETTLES):
        with transaction.atomic():
            _close_if_over(Recall.objects.select_for_update().get(pk=each.pk), now)
    for each in Recall.objects.filter(closed_at=None, escalated_at=None, confirm_by__lte=now):
        late = [notice for notice in each.notices.all() if is_overdue(notice.state, each.confirm_by, now)]
        with transaction.atomic():
            if Recall.objects.filter(pk=each.pk, escalated_at=None).update(escalated_at=now):
                record(SYSTEM, "recall.escalated", f"recall:{each.number}", {"overdue": len(late)}, at=now)


def _tell_the_late(made: Recall, now: datetime) -> None:
    """A long answer that passed the gate just before it closed is in the ledger after the notices were written."""
    takers, _ = _told_of(made.delivery, Batches.unpacked(bytes(made.batches)))
    for key, takings in takers.items():
        with transaction.atomic():
            notice, is_new = Notice.objects.select_for_update().get_or_create(
                recall=made, organisation_id=key, defaults={"informed_at": now, "taken": _told(takings)}
            )
            if not is_new and notice.state == Notice.State.NOTHING_TAKEN:
                notice.state, notice.taken, notice.informed_at = Notice.State.INFORMED, _told(takings), now
                notice.save(update_fields=["state", "taken", "informed_at"])
                is_new = True
            if is_new:
                facts = {"organisation": notice.organisation.slug}
                record(SYSTEM, "recall.told", f"recall:{made.number}", facts, at=now)


def replay(at: datetime) -> int:
    """Recall again what the journal knows and the database does not: it is a restored backup. Says how many."""
    count = 0
    for line in journal.lines():
        asked_at = datetime.fromisoformat(line["at"])
        delivery = Delivery.objects.filter(receipt=line["receipt"]).first()
        if delivery is None:
            continue  # It came after the backup was made, and is not there.
        with transaction.atomic():
            # Under the lock of the recall itself: one that is under way this moment is waited for.
            delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
            if Recall.objects.filter(delivery=delivery, asked_at=asked_at).exists():
                continue
            batches = Batches(list(Batch.objects.filter(delivery=delivery).values_list("pk", flat=True)))
            Batch.objects.filter(delivery=delivery, hidden_at=None).update(hidden_at=asked_at)
            taken = Recall.objects.filter(number=line["number"]).exists()
            by = Person.objects.filter(login=line["by"]).select_related("organisation").first()
            _recalled(
                delivery, batches, number=_next_number(asked_at) if taken else line["number"],
                reason=line["reason"], action=line["action"], note="", asked_by=line["by"],
                organisation=by.organisation if by else delivery.organisation, at=asked_at,
            )  # fmt: skip
            record(SYSTEM, "recall.replayed", f"recall:{line['number']}", {"delivery": delivery.receipt}, at=at)
        count += 1
    return count
