"""Country packages that held something recalled: closed at once, and made anew without it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Max, QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import scope_of
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.countries import without_packages
from tocsin.centre.members.models import Person
from tocsin.centre.release.enclosing import enclosing
from tocsin.centre.release.models import Package
from tocsin.centre.release.selectors import viewer_of_country
from tocsin.centre.release.services import PURPOSE, make_packages

from .models import Recall, Remake
from .reach import Extent, extent_of, holding

REMAKE = "remake-package"
"""Kind of the job."""
SYSTEM = "system"


def withdraw(made: Recall, packages: Iterable[Package], extent: Extent, at: datetime) -> None:
    """From now on nobody gets those that hold some of it; each is made anew. In the caller's transaction."""
    held = holding(packages, extent)
    keys = [each.pk for each in held]
    for start in range(0, len(keys), 500):
        Package.objects.filter(pk__in=keys[start : start + 500]).update(recalled_at=at)
    for each in held:
        remake, is_new = Remake.objects.get_or_create(recall=made, old=each)
        if is_new:
            ask(remake, at)
    made.packages = sorted({*made.packages, *(each.number for each in held)})
    made.save(update_fields=["packages"])


def ask(remake: Remake, at: datetime) -> None:
    """Put the making into the queue."""
    jobs.enqueue(REMAKE, f"package:{remake.old.number}", {"remake": remake.pk}, at=at)


@transaction.atomic
def ask_again(made: Recall, *, by: Person, at: datetime) -> int:
    """Put those of a recall that wait into the queue once more; says how many."""
    count = 0
    for remake in made.remakes.filter(state=Remake.State.OPEN).select_related("old"):
        ask(remake, at)
        count += 1
    if count:
        record(by.login, "recall.remake-asked", f"recall:{made.number}", {"packages": count}, at=at)
    return count


def withdraw_late(made: Recall, now: datetime) -> None:
    """A package that was begun before the recall may have been entered after it."""
    newer = Package.objects.filter(pk__gt=made.packages_until)
    top = newer.aggregate(top=Max("pk"))["top"]
    if top is None:
        return
    with transaction.atomic():
        made = Recall.objects.select_for_update().get(pk=made.pk)
        begun = newer.filter(recalled_at=None, created_at__lte=made.asked_at, pk__lte=top)
        withdraw(made, begun, extent_of(made), now)
        Recall.objects.filter(pk=made.pk).update(packages_until=top)


def remake_package(claim: jobs.Claim) -> None:
    """The handler: the same country and span again, under the gate of today. The new one names the old."""
    remake = Remake.objects.select_related("old", "recall").get(pk=claim.payload["remake"])
    now = datetime.now(UTC)
    if remake.state == Remake.State.OPEN and without_packages([remake.old.country], now):
        jobs.finish(claim, now)  # It stays open: the country's access is suspended or restricted today.
        return
    made = None
    if remake.state == Remake.State.OPEN:
        made = _known(remake) or (_made(remake, now) if _is_anything_left(remake.old, now) else None)
    with transaction.atomic():
        jobs.finish(claim, datetime.now(UTC))
        if remake.state == Remake.State.OPEN:
            state = Remake.State.MADE if made else Remake.State.NOTHING_LEFT
            Remake.objects.filter(pk=remake.pk).update(state=state, new=made, made_at=now)
            facts = {"old": remake.old.number, "new": made.number if made else ""}
            record(SYSTEM, "recall.package-remade", f"recall:{remake.recall.number}", facts, at=now)


def _known(remake: Remake) -> Package | None:
    """What another recall of the same moment, or an attempt that was killed, made of the same span already."""
    old = remake.old
    newer = Package.objects.filter(
        country=old.country, arrived_from=old.arrived_from, arrived_until=old.arrived_until, recalled_at=None,
        created_at__gt=remake.recall.asked_at,
    )  # fmt: skip
    return newer.order_by("-pk").first()


def _made(remake: Remake, now: datetime) -> Package | None:
    old = remake.old
    made = make_packages([old.country], old.arrived_from, old.arrived_until, old.created_by, now, processes=1)
    return made[0] if made else None


def _is_anything_left(old: Package, now: datetime) -> bool:
    scope = scope_of(viewer_of_country(old.country), now)
    arrived = Batch.objects.filter(received_at__gte=old.arrived_from, received_at__lt=old.arrived_until)
    if any(key in scope.batches for key in arrived.filter(rows__gt=0).values_list("pk", flat=True).iterator()):
        return True
    beside = enclosing(old.arrived_from, old.arrived_until, PURPOSE, now)(old.country, old.language)
    return bool(beside.batches)


def waiting() -> QuerySet[Remake]:
    """Those that wait for their making."""
    return Remake.objects.filter(state=Remake.State.OPEN).select_related("old", "recall").order_by("pk")
