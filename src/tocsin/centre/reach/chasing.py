"""The chase for acknowledgements: reminders, then the duty officer's desk. What the clock sets off is `tick`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.intake.sealed_fields import sealed_words
from tocsin.centre.ledger.models import Chase, Kind
from tocsin.centre.members.models import Person
from tocsin.centre.release.models import Package, Release
from tocsin.core.errors import Conflict, Refused

from . import outcomes, things
from .lines import Line, lines_of
from .rules import CHASED_FOR, NORMAL, URGENT, due_at
from .things import Thing
from .words import CHASE

SYSTEM = "system"
LONGEST_NOTE = 1_000
AT_ONCE = 200
"""Releases and packages that one tick looks at for each step; the rest follow with the next."""
STEPS = {Chase.Step.REMINDED: "remind", Chase.Step.ESCALATED: "overdue"}
"""Step → the time of the timers after which it is taken."""


def tick(now: datetime) -> None:
    """Remind whoever has not acknowledged; put what is overdue on the desk; take from it what nobody owes any more."""
    for step, timer in STEPS.items():
        due = [*_due_releases(step, timer, now), *_due_packages(step, timer, now)]
        for line in lines_of(due, now):
            _take(line, step, now)
    settle(of_chases(open_escalations()[:AT_ONCE]), now)
    outcomes.tick(now)


def _due_releases(step: Chase.Step, timer: str, now: datetime) -> list[Thing]:
    released = Release.objects.filter(state=Release.State.RELEASED, released_at__gte=now - CHASED_FOR)
    chased = Q(order=None) | Q(order__organisation__isnull=False)
    due = released.filter(_is_due(Kind.RELEASE, "released_at", chased, timer, now))
    due = due.exclude(pk__in=_taken(Kind.RELEASE, step)).select_related("delivery", "order").order_by("released_at")
    return things.of_releases(due[:AT_ONCE])


def _due_packages(step: Chase.Step, timer: str, now: datetime) -> list[Thing]:
    made = Package.objects.filter(recalled_at=None, created_at__gte=now - CHASED_FOR)
    chased = Q(created_by=None) | Q(created_by__organisation__is_centre=True)
    due = made.filter(_is_due(Kind.PACKAGE, "created_at", chased, timer, now))
    due = due.exclude(pk__in=_taken(Kind.PACKAGE, step)).select_related("created_by__organisation")
    return things.of_packages(due.order_by("created_at")[:AT_ONCE])


def _is_due(kind: Kind, field: str, chased: Q, timer: str, now: datetime) -> Q:
    """As `rules.due_at`: the long time since it was let go, or the short one since it was called urgent."""
    long, short = getattr(NORMAL, timer), getattr(URGENT, timer)
    urgent = Chase.objects.filter(kind=kind, step=Chase.Step.URGENT)
    hurried = Q(pk__in=urgent.filter(at__lte=now - short).values("number"), **{f"{field}__lte": now - short})
    called = Q(pk__in=urgent.values("number"))
    return hurried | (chased | called) & Q(**{f"{field}__lte": now - long})


def _taken(kind: Kind, step: Chase.Step) -> QuerySet[Chase, int]:
    return Chase.objects.filter(kind=kind, step=step).values_list("number", flat=True)


def _take(line: Line, step: Chase.Step, now: datetime) -> None:
    """Once for each thing, by whichever worker comes first; nothing is logged where nobody is waited for."""
    thing = line.thing
    late = [share.organisation.slug for share in line.waiting()]
    closed_at = None if late and step == Chase.Step.ESCALATED else now
    try:
        with transaction.atomic():
            Chase.objects.create(
                kind=thing.kind, number=thing.number, step=step, organisations=late, by=SYSTEM, at=now,
                closed_at=closed_at,
            )  # fmt: skip
            if late:
                facts = {"name": thing.name, "organisations": late}
                record(SYSTEM, f"chase.{step}", f"{thing.kind}:{thing.number}", facts, at=now)
    except IntegrityError:
        return  # Another worker took the step.


def open_escalations() -> QuerySet[Chase]:
    """What is overdue and on the desk, the oldest first."""
    return Chase.objects.filter(step=Chase.Step.ESCALATED, closed_at=None).order_by("at", "pk")


def of_chases(chases: Sequence[Chase] | QuerySet[Chase]) -> list[Thing]:
    """What they are about."""
    numbers: dict[str, list[int]] = {kind: [] for kind in Kind}
    for each in chases:
        numbers[each.kind].append(each.number)
    releases = Release.objects.filter(pk__in=numbers[Kind.RELEASE]).select_related("delivery__organisation", "order")
    packages = Package.objects.filter(pk__in=numbers[Kind.PACKAGE]).select_related("created_by__organisation")
    return things.of_releases(releases) + things.of_packages(packages)


def settle(found: Sequence[Thing], now: datetime) -> None:
    """Close the escalations of those of these for which nobody is waited any more: all answered, or it is gone."""
    open_ones = {(each.kind, each.number): each for each in _open_among(found)}
    if not open_ones:
        return
    concerned = [each for each in found if (each.kind, each.number) in open_ones]
    for line in lines_of(concerned, now):
        if line.waiting():
            continue
        chase = open_ones[line.thing.kind, line.thing.number]
        with transaction.atomic():
            if Chase.objects.filter(pk=chase.pk, closed_at=None).update(closed_at=now):
                record(SYSTEM, "chase.settled", f"{chase.kind}:{chase.number}", {"name": line.thing.name}, at=now)


def _open_among(found: Sequence[Thing]) -> list[Chase]:
    wanted = Q(pk=None)
    for kind in Kind:
        wanted |= Q(kind=kind, number__in=[each.number for each in found if each.kind == kind])
    return list(open_escalations().filter(wanted))


@transaction.atomic
def call_urgent(thing: Thing, *, by: Person, at: datetime) -> None:
    """From now on the short time runs: recipients are asked to acknowledge within four hours. Raises Conflict."""
    wanted_by = due_at(thing.offered_at, at)
    _, is_new = Chase.objects.get_or_create(
        kind=thing.kind, number=thing.number, step=Chase.Step.URGENT, defaults={"by": by.login, "at": at}
    )
    if not is_new:
        raise Conflict("it is marked as urgent already")
    facts = {"name": thing.name, "acknowledge_by": wanted_by.isoformat()}
    record(by.login, "chase.urgent", f"{thing.kind}:{thing.number}", facts, at=at)


@transaction.atomic
def note(thing: Thing, *, text: str, closes: bool, by: Person, at: datetime) -> None:
    """What somebody did to get an answer; with `closes`, it leaves the desk. Raises Refused without a text."""
    text = text.strip()[:LONGEST_NOTE]
    if not text:
        raise Refused("no-reason")
    Chase.objects.create(
        kind=thing.kind,
        number=thing.number,
        step=Chase.Step.NOTED,
        note=sealed_words(text, CHASE),
        by=by.login,
        at=at,
        closed_at=at,
    )
    closed = 0
    if closes:
        closed = open_escalations().filter(kind=thing.kind, number=thing.number).update(closed_at=at)
    facts = {"name": thing.name, "closed": bool(closed)}
    record(by.login, "chase.noted", f"{thing.kind}:{thing.number}", facts, at=at)
