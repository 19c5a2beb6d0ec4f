"""Recalling, answering, escalating, closing. Every step is one transaction with its entry in the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from tocsin.centre.analysis.models import Proposal
from tocsin.centre.analysis.services import drawn_from
from tocsin.centre.audit.services import record
from tocsin.centre.intake import parting
from tocsin.centre.intake.models import Batch, Delivery, Origin
from tocsin.centre.jobs import services as jobs
from tocsin.centre.ledger.models import Taking
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.numbers import drawn_number
from tocsin.centre.release.models import Package
from tocsin.core.errors import Conflict, InputError, NotFound, Refused
from tocsin.lake.scope import Batches

from . import certificates, journal, labels, remaking, undoing
from .models import Notice, Part, Recall, Undo
from .parts import Found, batches_of, countries_of, find, plain_value, take_out
from .reach import Extent, extent_of, next_telling, told_of, within
from .rules import IN_THE_MAKING, SETTLES, answer_by, is_over, is_overdue, wanted_answers

LONGEST_REASON = 400
_ATTEMPTS = 6
SYSTEM = "system"
CORRECT = "send-corrected"
"""Kind of the job that hands over what was corrected."""


def recall(delivery: Delivery, *, by: Person, reason: str, action: str, note: str, at: datetime) -> Recall:
    """Take a delivery back from everybody. From the commit on nobody sees it; whoever had it is told.

    Raises Conflict where nothing of it is left to recall, InputError for an unknown reason or action.
    """
    _require_words(reason, action)
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
        shown = Batch.objects.filter(delivery__in=[delivery, *drawn_from(delivery)], hidden_at=None)
        own = set(shown.values_list("pk", flat=True))
        if not own:
            raise Conflict
        batches = Batches(own | Origin.all_drawn_from(own))  # They close with it; who had them is told, too.
        shown.update(hidden_at=at)  # First: from here to its end, changes to batches wait for one another.
        said = Said(reason, action, by.login, by.organisation, at, note)
        made = enter(delivery, batches, said, number=drawn_number("RC", at))
        journal.write(_line(made))
    return made


def recall_parts(
    delivery: Delivery, keys: Sequence[str], *, by: Person, reason: str, action: str, note: str, at: datetime,
    corrections: Mapping[str, Correction] | None = None,
) -> Recall:  # fmt: skip
    """Take single objects or values of a delivery back; the rest of it stays as it is.

    Raises InputError where one of them is not in what is shown of it, Conflict where another hand was at it.
    """
    _require_words(reason, action)
    said = Said(reason, action, by.login, by.organisation, at, note)
    find(delivery, keys)
    for drawn in drawn_from(delivery):  # First: who is broken off in between recalls the rest by asking again.
        if there := still_there(drawn, keys):
            recalled_parts(drawn, there, said, {key: each for key, each in (corrections or {}).items() if key in there})
    return recalled_parts(delivery, keys, said, corrections or {})


@dataclass(frozen=True, slots=True)
class Said:
    """What is laid down with a recall, by whom and when."""

    reason: str
    action: str
    by: str
    organisation: Organisation
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """What stands in the place of something wrong."""

    field: str
    became: str


def _require_words(reason: str, action: str) -> None:
    if reason not in labels.REASONS or action not in Recall.Action.values:
        raise InputError("invalid-object", field="reason", excerpt=reason)


def recalled_parts(
    delivery: Delivery, keys: Sequence[str], said: Said, corrections: Mapping[str, Correction], *, number: str = "",
    successor: Delivery | None = None,
) -> Recall:  # fmt: skip
    """Files are written before the transaction and swapped in it; whoever was faster at the same ones goes first."""
    for attempt in range(_ATTEMPTS):
        try:
            found = find(delivery, keys)
        except InputError as error:
            if attempt and error.reason == "recall-not-in-delivery":
                raise Conflict("somebody else recalled it meanwhile") from None
            raise
        prepared = parting.prepare(delivery, list(found.origins), found.chosen)
        try:
            with transaction.atomic():
                delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
                into = take_out(delivery, found, prepared, said.at)
                taken = Batches(list(into.values()))
                free = number and not Recall.objects.filter(number=number).exists()
                made = enter(
                    delivery, taken, said, number=number if free else drawn_number("RC", said.at), found=found,
                    corrections=corrections, successor=successor,
                )  # fmt: skip
                journal.write(_line(made))
            return made
        except Conflict:
            parting.forget(prepared)
            if attempt + 1 == _ATTEMPTS:
                raise
    raise Conflict("other hands change the same files")


def _line(made: Recall) -> dict[str, Any]:
    """What the journal keeps, and must be able to make the recall again from."""
    parts = [[each.key, each.field, each.became] for each in made.parts.order_by("pk")]
    return {
        "key": f"{made.delivery.receipt} {made.asked_at.isoformat()} {made.number}", "number": made.number,
        "receipt": made.delivery.receipt, "reason": made.reason, "action": made.action, "by": made.asked_by,
        "at": made.asked_at.isoformat(), **({"parts": parts} if parts else {}),
    }  # fmt: skip


def enter(
    delivery: Delivery, batches: Batches, said: Said, *, number: str, found: Found | None = None,
    corrections: Mapping[str, Correction] | None = None, successor: Delivery | None = None, of_country: str = "",
) -> Recall:  # fmt: skip
    """Keep the recall of what lies in these batches, tell whoever had it, close packages; in the caller's transaction,
    which hid it, put it under a stricter label, or moved it from one country (`of_country`) to another."""
    extent = Extent(batches) if found is None else within(found.origins, found.row_values)
    if said.reason == Recall.Reason.RELABELLED:
        extent = replace(extent, stays=batches)
    if of_country:
        extent = replace(extent, country=of_country)
    made = Recall.objects.create(
        number=number, delivery=delivery, batches=batches.packed(), reason=said.reason, action=said.action,
        note=said.note, asked_by=said.by, organisation=said.organisation, asked_at=said.at,
        confirm_by=answer_by(said.at), origins=None if found is None else found.origins.packed(),
        successor=successor, packages_until=Package.objects.aggregate(top=Max("pk"))["top"] or 0,
    )  # fmt: skip
    if found is not None:
        _keep_parts(made, found, corrections or {}, of_country)
        if corrections and successor is None:
            jobs.enqueue(CORRECT, f"recall:{number}", {"recall": made.pk}, at=said.at)
    takers, told = told_of(delivery, extent)
    told_at = next_telling(made)
    Notice.objects.bulk_create(
        Notice(
            recall=made, organisation_id=key, informed_at=said.at, told_at=told_at, taken=_told(takers.get(key, [])),
            state=Notice.State.INFORMED if key in takers else Notice.State.NOTHING_TAKEN,
        )
        for key in sorted(told)
    )  # fmt: skip
    remaking.withdraw(made, Package.objects.filter(recalled_at=None), extent, said.at)
    undoing.ask_who_acted(made, sorted(takers), said.at)
    facts = {
        "recall": number, "delivery": delivery.receipt, "reason": said.reason, "action": said.action,
        "batches": len(batches), "organisations": len(told), "took": len(takers), "packages": len(made.packages),
        **({"parts": len(found.named), "rows": found.rows.height, "objects": len(found.things)} if found else {}),
    }  # fmt: skip
    record(said.by, "recall.made" if found is None else "recall.parts-made", f"recall:{number}", facts, at=said.at)
    return made


def _keep_parts(made: Recall, found: Found, corrections: Mapping[str, Correction], of_country: str) -> None:
    whole = list(found.origins)
    Part.objects.bulk_create(
        Part(
            recall=made, kind=each.kind, key=each.key, name=each.name, batches=batches_of(each) or whole,
            values=each.values, rows=each.rows.height,
            countries=[of_country] if of_country else countries_of(each),
            field=corrections[each.key].field if each.key in corrections else "",
            became=corrections[each.key].became if each.key in corrections else "",
        )
        for each in found.named
    )  # fmt: skip


def _told(takings: Iterable[Taking]) -> list[list[str]]:
    ways = dict.fromkeys((each.channel, each.reference, each.day.isoformat()) for each in takings)
    return [list(way) for way in ways]


def answer(
    notice: Notice, *, by: Person, state: str, for_units: bool, note: str, at: datetime, acted: bool | None = None
) -> None:
    """What an organisation did with what it had. Raises Refused where the answer is not enough, Conflict when given.

    A bureau answers for the units that it authorised; an objection names the duty under which it is kept. Whoever
    acted on something wrong and has not undone it yet gets that as a task of its own.
    """
    if state not in wanted_answers(notice.recall.action):
        raise InputError("invalid-object", field="state", excerpt=state)
    if state == Notice.State.OBJECTED and not note.strip():
        raise Refused("recall-objection-without-ground")
    if by.organisation.children.filter(is_active=True).exists() and not for_units:
        raise Refused("recall-answer-without-units")
    with transaction.atomic():
        changed = Notice.objects.filter(pk=notice.pk, state=Notice.State.INFORMED).update(
            state=state, answered_at=at, answered_by=by.login, answers_for_units=for_units, note=note[:2000],
            acted=acted if notice.recall.action == Recall.Action.CORRECT else None,
        )  # fmt: skip
        if not changed:
            raise Conflict
        if acted and notice.recall.action == Recall.Action.CORRECT:
            undoing.ask(notice.recall, by.organisation, at)
        facts = {"organisation": by.organisation.slug, "answer": state, "for_units": for_units, "acted": bool(acted)}
        record(by.login, "recall.answered", f"recall:{notice.recall.number}", facts, at=at)
        close_if_over(Recall.objects.select_for_update().get(pk=notice.recall_id), at)


def close_undo(undo: Undo, *, by: Person, state: str, note: str, at: datetime) -> None:
    """It is undone, or there was nothing to undo; the recall ends with the last of these."""
    with transaction.atomic():
        undoing.close(undo, by=by, state=state, note=note, at=at)
        close_if_over(Recall.objects.select_for_update().get(pk=undo.recall_id), at)


def close_if_over(made: Recall, at: datetime) -> None:
    """Close it where everybody answered and undid what was to be undone, with its certificate."""
    notices = list(made.notices.select_related("organisation").order_by("organisation__slug"))
    is_settled = at >= made.asked_at + SETTLES
    if made.closed_at is not None or not is_settled or not is_over(each.state for each in notices):
        return
    if made.undos.filter(state=Undo.State.OPEN).exists():
        return
    made.closed_at = at
    made.certificate = certificates.full(made, notices)
    made.save(update_fields=["closed_at", "certificate"])
    record(SYSTEM, "recall.closed", f"recall:{made.number}", {"organisations": len(notices)}, at=at)


def is_late(made: Recall, at: datetime) -> bool:
    """Whether it is open and what is missing is overdue: answers; where all answered, what is to be undone."""
    if made.closed_at is not None:
        return False
    if made.notices.filter(state=Notice.State.INFORMED).exists():
        return at >= made.confirm_by
    ends = made.undos.filter(state=Undo.State.OPEN).aggregate(last=Max("due_at"))["last"]
    return ends is not None and at >= ends


def close_unanswered(made: Recall, *, reason: str, by: Person, at: datetime) -> None:
    """Close it although somebody has not answered or undone, once that is late: an organisation may be closed, or its
    country suspended. The certificate names who is missing and why it was closed; who answers later is noted.

    Raises NotFound for who does not recall at the Centre, Conflict where it is closed or nobody is late.
    """
    if not (by.organisation.is_centre and may(by, "recall")):
        raise NotFound
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    with transaction.atomic():
        found = Recall.objects.select_for_update().get(pk=made.pk)
        notices = list(found.notices.select_related("organisation").order_by("organisation__slug"))
        undos = list(found.undos.filter(state=Undo.State.OPEN))
        waiting = [each for each in notices if each.state == Notice.State.INFORMED]
        if not is_late(found, at):
            raise Conflict("it is closed, or nobody is late")
        found.closed_at = at
        found.certificate = certificates.full(found, notices, reason.strip()[:LONGEST_REASON])
        found.save(update_fields=["closed_at", "certificate"])
        facts = {
            "organisations": len(notices), "reason": reason.strip()[:LONGEST_REASON],
            "unanswered": [each.organisation.slug for each in waiting], "to_undo": len(undos),
        }  # fmt: skip
        record(by.login, "recall.closed-unanswered", f"recall:{found.number}", facts, at=at)


def tick(now: datetime) -> None:
    """Tell whoever was still taking when it was hidden; close what is over; escalate, once, where somebody is late."""
    for each in Recall.objects.filter(asked_at__gte=now - IN_THE_MAKING):
        remaking.withdraw_late(each, now)
    for each in Recall.objects.filter(closed_at=None, asked_at__gte=now - 2 * SETTLES):
        _tell_the_late(each, now)
    for each in Recall.objects.filter(closed_at=None, asked_at__lte=now - SETTLES):
        with transaction.atomic():
            close_if_over(Recall.objects.select_for_update().get(pk=each.pk), now)
    for each in Recall.objects.filter(closed_at=None, escalated_at=None, confirm_by__lte=now):
        late = [notice for notice in each.notices.all() if is_overdue(notice.state, each.confirm_by, now)]
        with transaction.atomic():
            if Recall.objects.filter(pk=each.pk, escalated_at=None).update(escalated_at=now):
                record(SYSTEM, "recall.escalated", f"recall:{each.number}", {"overdue": len(late)}, at=now)
    undoing.escalate(now)


def _tell_the_late(made: Recall, now: datetime) -> None:
    """A long answer that passed the gate just before it closed is in the ledger after the notices were written."""
    takers, _ = told_of(made.delivery, extent_of(made))
    for key, takings in takers.items():
        with transaction.atomic():
            notice, is_new = Notice.objects.select_for_update().get_or_create(
                recall=made, organisation_id=key, defaults={"informed_at": now, "taken": _told(takings)}
            )
            if not is_new and notice.state == Notice.State.NOTHING_TAKEN:
                notice.state, notice.taken, notice.informed_at = Notice.State.INFORMED, _told(takings), now
                is_new = True
            if is_new:
                notice.told_at = next_telling(made)
                notice.save(update_fields=["state", "taken", "informed_at", "told_at"])
                facts = {"organisation": notice.organisation.slug}
                record(SYSTEM, "recall.told", f"recall:{made.number}", facts, at=now)


def replay(at: datetime) -> int:
    """Recall again what the journal knows and the database does not: it is a restored backup. Says how many.

    It may also be what a process was killed at, between its line and the end of its transaction. Raises KeyMissing
    where a line cannot be opened: then nothing may be served.
    """
    return sum(_replayed(line, at) for line in journal.lines() if not line.get("relabelled"))


def _replayed(line: dict[str, Any], at: datetime) -> bool:
    asked_at = datetime.fromisoformat(line["at"])
    delivery = Delivery.objects.filter(receipt=line["receipt"]).first()
    if delivery is None:
        return False  # It came after the backup was made, and is not there.
    by = Person.objects.filter(login=line["by"]).select_related("organisation").first()
    said = Said(line["reason"], line["action"], line["by"], by.organisation if by else delivery.organisation, asked_at)
    if "parts" in line:
        with transaction.atomic():
            Delivery.objects.select_for_update().get(pk=delivery.pk)  # One that is under way is waited for.
        known = Recall.objects.filter(delivery=delivery, asked_at=asked_at, origins__isnull=False)
        if known.filter(number=line["number"]).exists():
            return False
        parts = journal.parts_of(line)
        if parts is not None:
            return _parts_replayed(delivery, known, parts, said, line["number"], at)
        # Nobody can tell any more which parts: none of it is shown.
    return whole_replayed(delivery, said, line["number"], at)


def whole_replayed(delivery: Delivery, said: Said, number: str, at: datetime) -> bool:
    """All of the delivery is recalled again, unless that is known. Says whether it was."""
    with transaction.atomic():
        # Under the lock of the recall itself: one that is under way this moment is waited for.
        delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if Recall.objects.filter(delivery=delivery, asked_at=said.at, origins=None).exists():
            return False
        all_of_it = Batch.objects.filter(delivery__in=[delivery, *drawn_from(delivery)])
        own = set(all_of_it.values_list("pk", flat=True))
        batches = Batches(own | Origin.all_drawn_from(own))
        all_of_it.filter(hidden_at=None).update(hidden_at=said.at)
        taken = Recall.objects.filter(number=number).exists()
        enter(delivery, batches, said, number=drawn_number("RC", said.at) if taken else number)
        record(SYSTEM, "recall.replayed", f"recall:{number}", {"delivery": delivery.receipt}, at=at)
    return True


def _parts_replayed(
    delivery: Delivery, known: QuerySet[Recall], parts: list[list[str]], said: Said, number: str, at: datetime
) -> bool:  # fmt: skip
    keys = [key for key, _, _ in parts]
    if any(set(each.parts.values_list("key", flat=True)) == set(keys) for each in known):
        return False
    there = still_there(delivery, keys)
    if not there:
        return False  # The delivery as a whole is gone, or the file was restored without what it is about.
    corrections = {key: Correction(field, became) for key, field, became in parts if field}
    recalled_parts(delivery, there, said, corrections, number=number)
    record(SYSTEM, "recall.replayed", f"recall:{number}", {"delivery": delivery.receipt}, at=at)
    return True


def still_there(delivery: Delivery, keys: Sequence[str]) -> list[str]:
    """Those that something of the delivery still names."""
    left = list(keys)
    while left:
        try:
            find(delivery, left)
        except InputError as error:
            missing = [key for key in left if error.excerpt in {key, plain_value(key)}]
            if not missing:
                return []
            left = [key for key in left if key not in missing]
        else:
            break
    return left


def hide_with_report(delivery: Delivery, outcome: dict[str, Any], work: Path, at: datetime) -> None:
    """Keep from sight what reviewers accepted in something that was recalled before it was read; it hangs on the
    commit."""
    del outcome, work
    if not Proposal.objects.filter(became=delivery, batch__hidden_at__isnull=False).exists():
        return
    hidden = Batch.objects.filter(delivery=delivery, hidden_at=None).update(hidden_at=at)
    record(SYSTEM, "delivery.closed-with-origin", f"delivery:{delivery.pk}", {"batches": hidden}, at=at)


def reported(deliveries: Sequence[Delivery], _outcome: dict[str, Any], _at: datetime) -> set[int]:
    """Which of these deliveries `hide_with_report` hides something of."""
    found = Proposal.objects.filter(became__in=deliveries, batch__hidden_at__isnull=False)
    return {int(number) for number in found.values_list("became_id", flat=True)}


def shown_parts(made: Recall, organisation: Organisation) -> list[Part]:
    """Of what was recalled, that which this organisation may have had: what it never took stays unknown to it."""
    notice = made.notices.filter(organisation=organisation).first()
    if notice is None or not notice.taken:
        return []
    extent = extent_of(made)
    shown = []
    taken: dict[int, bool] = {}
    for part in made.parts.order_by("pk"):
        for batch in part.batches:
            if batch not in taken:
                alone = replace(within(Batches([batch]), extent.values or frozenset()), until=extent.until)
                taken[batch] = organisation.pk in told_of(made.delivery, alone)[0]
        bound = part.countries
        if any(taken[batch] for batch in part.batches) and (bound is None or organisation.country in bound):
            shown.append(part)
    return shown
