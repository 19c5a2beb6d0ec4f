"""Asking what came of what was taken: after 30, 90 and 180 days, whoever has it and has not said (DOMAIN SM-2)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from tocsin.centre.audit.services import record
from tocsin.centre.ledger.models import Chase, Kind, Response
from tocsin.centre.ledger.selectors import done_by
from tocsin.centre.members.models import Person
from tocsin.centre.release.models import Package, Release

from . import things
from .lines import Line, lines_of
from .rules import ASKED_FOR_OUTCOME, Stage
from .things import Thing

SYSTEM = "system"
AT_ONCE = 200
STEPS: dict[str, tuple[int, int]] = {
    Chase.Step.OUTCOME_30: (30, 90),
    Chase.Step.OUTCOME_90: (90, 180),
    Chase.Step.OUTCOME_180: (180, ASKED_FOR_OUTCOME.days),
}
"""Step → from which day to which it is taken: what is older when the clock comes to it is not asked twice at once."""
ANSWERING = (Response.Step.ACTED, Response.Step.NO_ACTION)
_HAS_IT = frozenset({Stage.FETCHED, Stage.OPENED, Stage.ACKNOWLEDGED})


def tick(now: datetime) -> None:
    """Ask whoever has it and has not said what came of it; each step once for each release or package."""
    for step, (first, last) in STEPS.items():
        for line in lines_of(_due(step, first, last, now), now):
            _ask(line, step, now)


def _due(step: str, first: int, last: int, now: datetime) -> list[Thing]:
    day = ASKED_FOR_OUTCOME / ASKED_FOR_OUTCOME.days

    def due(field: str, kind: Kind) -> Q:
        taken = Chase.objects.filter(kind=kind, step=step).values("number")
        return Q(**{f"{field}__lte": now - first * day, f"{field}__gt": now - last * day}) & ~Q(pk__in=taken)

    # What left under an order for public feeds asks nobody for anything, neither here.
    asked = Q(order=None) | Q(order__organisation__isnull=False)
    releases = Release.objects.filter(asked, due("released_at", Kind.RELEASE), state=Release.State.RELEASED)
    releases = releases.select_related("delivery", "order").order_by("released_at")[:AT_ONCE]
    packages = Package.objects.filter(due("created_at", Kind.PACKAGE), recalled_at=None)
    packages = packages.select_related("created_by__organisation").order_by("created_at")[:AT_ONCE]
    return things.of_releases(releases) + things.of_packages(packages)


def _ask(line: Line, step: str, now: datetime) -> None:
    thing = line.thing
    silent = [share.organisation.slug for share in line.shares if share.is_open and share.stage in _HAS_IT]
    try:
        with transaction.atomic():
            Chase.objects.create(kind=thing.kind, number=thing.number, step=step, organisations=silent, by=SYSTEM,
                                 at=now, closed_at=now)  # fmt: skip
            if silent:
                facts = {"name": thing.name, "days": STEPS[step][0], "organisations": silent}
                record(SYSTEM, "chase.outcome-asked", f"{thing.kind}:{thing.number}", facts, at=now)
    except IntegrityError:
        return  # Another worker asked.


def asked_of(person: Person, kind: Kind, now: datetime, numbers: Collection[int] | None = None) -> dict[int, datetime]:
    """Number of each release or package of whose outcome the person's organisation was asked and has not said → when
    it was asked last."""
    organisation = person.organisation
    asked = Chase.objects.filter(kind=kind, step__in=list(STEPS), at__gte=now - 2 * ASKED_FOR_OUTCOME)
    if numbers is not None:
        asked = asked.filter(number__in=list(numbers))
    found = {
        number: at for number, at, slugs in asked.order_by("at").values_list("number", "at", "organisations")
        if organisation.slug in slugs
    }  # fmt: skip
    if not found:
        return {}
    done = done_by(kind, [organisation.pk, *organisation.below()], ANSWERING, min(found))
    return {number: at for number, at in found.items() if number not in done}
