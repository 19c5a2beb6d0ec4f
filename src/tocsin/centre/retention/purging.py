"""Purges: what is due, beginning one, going on after a crash, the certificate; again on a restored backup."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Min

from tocsin.centre.analysis.services import drawn_from
from tocsin.centre.audit.services import record
from tocsin.centre.certificates import signed
from tocsin.centre.clock.services import known_at
from tocsin.centre.intake import lake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.services import store_folder
from tocsin.centre.intake.store import delivery_path
from tocsin.centre.jobs import services as jobs
from tocsin.centre.numbers import drawn_number
from tocsin.core.errors import Conflict
from tocsin.handling.retention import end_of
from tocsin.lake.scope import Batches
from tocsin.reference.retention import retention

from . import erasing, journal, sealed_copies
from .ending import SYSTEM, close, end, remind, strip
from .models import Purge, Review
from .reviewing import bring_forward

log = logging.getLogger(__name__)
SETTLES = timedelta(hours=25)
"""After so long no reader holds a file that was replaced, and leftovers of processes that were killed are swept."""
AT_ONCE = 200


class Due(NamedTuple):
    """What is to be purged of a delivery."""

    delivery: Delivery
    batches: Batches
    over_at: datetime


def due(at: datetime) -> list[Due]:
    """What was over long enough ago, the earliest first."""
    latest = at - retention().purge_after
    under_way = Purge.objects.filter(done_at=None).values("delivery")
    over = Batch.objects.filter(expires_at__lte=latest, purged_at=None).exclude(delivery__in=under_way)
    found: dict[int, list[int]] = {}
    ends: dict[int, datetime] = {}
    for number, delivery, ended in over.order_by("expires_at", "pk").values_list("pk", "delivery", "expires_at"):
        found.setdefault(delivery, []).append(number)
        ends[delivery] = ended
    bare = Delivery.objects.filter(ends_at__lte=latest, duplicate_of=None, batches=None)
    bare = bare.exclude(state=Delivery.State.PURGED).exclude(pk__in=under_way)
    for delivery, ended in bare.values_list("pk", "ends_at"):
        found[delivery], ends[delivery] = [], ended
    deliveries = Delivery.objects.select_related("organisation").in_bulk(found)
    return [Due(deliveries[key], Batches(batches), ends[key]) for key, batches in found.items()]


def begin(what: Due, rule: str, at: datetime) -> Purge:
    """Write down that it is purged; from here on it goes on after any crash, and on any backup that is older."""
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update(of=("self",)).get(pk=what.delivery.pk)
        if Purge.objects.filter(delivery=delivery, done_at=None).exists():
            raise Conflict("a purge of it is under way")
        made = Purge.objects.create(
            number=drawn_number("PU", at), delivery=delivery, batches=what.batches.packed(), rule=rule,
            over_at=what.over_at, begun_at=at,
        )  # fmt: skip
        facts = {"purge": made.number, "delivery": delivery.receipt, "rule": rule, "batches": len(what.batches)}
        record(SYSTEM, "purge.begun", f"purge:{made.number}", facts, at=at)
        journal.write(
            {
                "key": f"{delivery.receipt} {made.number} {at.isoformat()}", "number": made.number,
                "receipt": delivery.receipt, "batches": base64.b64encode(what.batches.packed()).decode(),
                "rule": rule, "over_at": what.over_at.isoformat(), "at": at.isoformat(),
            }
        )  # fmt: skip
    return made


def order(delivery: Delivery, *, by: str, at: datetime) -> Purge:
    """Purge a delivery before its term, with what was drawn from it: from the commit on nobody sees any of it.

    Who may order it the caller has asked. Raises Conflict where nothing of it is left.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update(of=("self",)).get(pk=delivery.pk)
        if delivery.state == Delivery.State.PURGED:
            raise Conflict("it was purged")
        record(by, "purge.ordered", f"delivery:{delivery.pk}", {"delivery": delivery.receipt}, at=at)
        drawn = drawn_from(delivery).exclude(state=Delivery.State.PURGED)
        bring_forward(delivery, at)
        end(at)
        close(at)
        batches = Batch.objects.filter(delivery=delivery, purged_at=None).values_list("pk", flat=True)
        made = begin(Due(delivery, Batches(list(batches)), at), Purge.Rule.ORDER, at)
        for each in drawn:
            if not Purge.objects.filter(delivery=each, done_at=None).exists():
                numbers = Batch.objects.filter(delivery=each, purged_at=None).values_list("pk", flat=True)
                begin(Due(each, Batches(list(numbers)), at), Purge.Rule.ORDER, at)
    return made


def order_parts(delivery: Delivery, batches: Batches, *, by: str, at: datetime) -> Purge:
    """Purge what was recalled alone, which lies in batches of its own; the rest of the delivery stays.

    Its original stays too, sealed, and closed to whoever may not read all of it. Raises Conflict while another purge of
    the delivery is under way.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update(of=("self",)).get(pk=delivery.pk)
        record(by, "purge.ordered", f"delivery:{delivery.pk}", {"delivery": delivery.receipt, "parts": True}, at=at)
        Batch.objects.filter(pk__in=list(batches), delivery=delivery, expires_at__gt=at).update(expires_at=at)
        close(at)
        return begin(Due(delivery, batches, at), Purge.Rule.ORDER, at)


def keep_terms(claim: jobs.Claim) -> None:
    """The handler: one round, by what is known of the time. The lease is renewed after every purge."""
    at = known_at(datetime.now(UTC))
    remind(at)
    do(at, lambda: jobs.renew(claim, datetime.now(UTC)))
    jobs.finish(claim, datetime.now(UTC))


def do(at: datetime, progress: Callable[[], None] = lambda: None) -> int:
    """Go on with what was begun, begin what is due, certify what is settled; says how many purges it worked on."""
    end(at)
    close(at)
    for what in due(at)[:AT_ONCE]:
        begin(what, Purge.Rule.TERM, at)
    open_ones = list(Purge.objects.filter(done_at=None).select_related("delivery__organisation").order_by("pk"))
    _overwrite_what_is_deleted()
    for purge in open_ones:
        try:
            work_on(purge, at)
        except Conflict as error:
            log.warning("purge %s goes on later: %s", purge.number, error)
        progress()
    sealed_copies.destroy_unheld(at)
    return len(open_ones)


def work_on(purge: Purge, at: datetime) -> None:
    """What can be done of it now."""
    if purge.deleted_at is None:
        erasing.run(purge, at)
    if purge.deleted_at is not None and at >= purge.deleted_at + SETTLES:
        _settle(purge, at)


def _settle(purge: Purge, at: datetime) -> None:
    """Certify it, once nothing of it lies anywhere."""
    lake.sweep(at)
    if lake.still_holds(Batches.unpacked(bytes(purge.batches))):
        return
    with transaction.atomic():
        purge.done_at = at
        purge.certificate = signed(facts_of(purge))
        purge.save(update_fields=["done_at", "certificate"])
        record(SYSTEM, "purge.done", f"purge:{purge.number}", {"delivery": purge.delivery.receipt}, at=at)
    _empty_journal_of_database()


def facts_of(purge: Purge, *, for_source: bool = False) -> dict[str, Any]:
    """What the certificate says. The source reads no numbers of packages: they name countries."""
    steps = {name: facts for name, facts in purge.steps.items() if not for_source or name not in {"packages", "texts"}}
    return {
        "purge": purge.number, "delivery": purge.delivery.receipt, "source": purge.delivery.organisation.slug,
        "sha256": purge.delivery.sha256, "rule": purge.rule, "batches": len(Batches.unpacked(bytes(purge.batches))),
        "over_at": _text(purge.over_at), "begun_at": _text(purge.begun_at), "deleted_at": _text(purge.deleted_at),
        "done_at": _text(purge.done_at), "deleted": steps,
    }  # fmt: skip


def _text(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


def is_late(purge: Purge, now: datetime) -> bool:
    """Whether it should have been done by now."""
    return purge.done_at is None and now > purge.over_at + retention().purge_within


def _overwrite_what_is_deleted() -> None:
    """SQLite leaves deleted rows in its file until their place is needed: from now on it overwrites them."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")


def _empty_journal_of_database() -> None:
    """The write-ahead journal of SQLite holds older states of the pages, until a checkpoint."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def replay(at: datetime) -> int:
    """End and purge again what the journal knows and the database does not: it is a restored backup. Says how many.

    Called before anybody is served: nobody holds an older state of anything.
    """
    count = 0
    for line in journal.lines():
        delivery = Delivery.objects.filter(receipt=line["receipt"]).first()
        if delivery is None:
            continue  # It came after the backup was made, and is not there.
        if "until" in line:
            count += _shortened_again(delivery, line)
        else:
            count += _purged_again(delivery, line, at)
    return count


def _shortened_again(delivery: Delivery, line: dict[str, Any]) -> bool:
    if Review.objects.filter(delivery=delivery, asked_at=datetime.fromisoformat(line["at"])).exists():
        return False
    if Review.objects.filter(delivery=delivery, answered_at=datetime.fromisoformat(line["at"])).exists():
        return False
    end_then = end_of(date.fromisoformat(line["until"]))
    if delivery.ends_at <= end_then:
        return False
    with transaction.atomic():
        bring_forward(delivery, end_then)
        record(SYSTEM, "term.replayed", f"delivery:{delivery.pk}", {"until": line["until"]}, at=end_then)
    return True


def _files_came_back(purge: Purge, at: datetime) -> bool:
    """A copy of the store that is added to and never thinned out brings back what was purged in between."""
    places = (
        delivery_path(store_folder(), purge.delivery.sha256),
        store_folder() / "rejections" / str(purge.delivery_id),
    )
    is_whole = purge.steps.get("skeleton", {}).get("whole")
    if "files" not in purge.steps or not is_whole or not any(path.exists() for path in places):
        return False
    held = Batches.unpacked(bytes(purge.batches))
    try:
        facts = erasing.files(purge, held, at)
    except Conflict as error:
        log.warning("purge %s: %s", purge.number, error)
        return False
    return bool(facts["original"] == "deleted")


def _purged_again(delivery: Delivery, line: dict[str, Any], at: datetime) -> bool:
    begun_at = datetime.fromisoformat(line["at"])
    known = Purge.objects.filter(delivery=delivery, begun_at=begun_at).first()
    if known is not None:
        return _files_came_back(known, at)
    held = Batches.unpacked(base64.b64decode(line["batches"]))
    over_at = datetime.fromisoformat(line["over_at"])
    with transaction.atomic():
        Batch.objects.filter(pk__in=list(held), expires_at__gt=over_at).update(expires_at=over_at)
        last = Batch.objects.filter(delivery=delivery).exclude(pk__in=list(held)).aggregate(first=Min("expires_at"))
        if last["first"] is None:
            Delivery.objects.filter(pk=delivery.pk).update(ends_at=over_at)
            strip(delivery.pk, Delivery.State.EXPIRED)
        taken = Purge.objects.filter(number=line["number"]).exists()
        made = Purge.objects.create(
            number=drawn_number("PU", begun_at) if taken else line["number"], delivery=delivery, batches=held.packed(),
            rule=line["rule"], over_at=over_at, begun_at=begun_at,
        )  # fmt: skip
        record(SYSTEM, "purge.replayed", f"purge:{made.number}", {"delivery": delivery.receipt}, at=at)
    made.delivery.refresh_from_db()
    _overwrite_what_is_deleted()
    try:
        erasing.run(made, at)
    except Conflict as error:  # Its bytes were written by the restoring itself: a worker deletes them later.
        log.warning("purge %s goes on later: %s", made.number, error)
    return True
