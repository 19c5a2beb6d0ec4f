"""What was released to somebody's organisation, as that person may see it, and how far the organisation is with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.selectors import concerning, rows_everywhere, visible_batches, with_rows_seen
from tocsin.centre.ledger.models import Chase, Kind, Response
from tocsin.centre.ledger.selectors import Progress, done_by, progress_of
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import Page, seal, unseal
from tocsin.centre.release.models import Package, Release
from tocsin.centre.release.selectors import given_out, package_for, packages_for
from tocsin.centre.rows import Numbers
from tocsin.core.errors import NotFound

from . import outcomes, things
from .about import About, about_each, about_package
from .rules import CHASED_FOR, Stage, due_at, stage_of
from .things import Thing
from .words import said_of

PER_PAGE = 25
STATES = ("waiting", "acknowledged", "asked", "answered", "all")
ACKNOWLEDGING = (Response.Step.ACKNOWLEDGED, Response.Step.ACTED, Response.Step.NO_ACTION)
ANSWERING = (Response.Step.ACTED, Response.Step.NO_ACTION)


@dataclass(frozen=True, slots=True)
class Item:
    """A release or package as its recipient reads it. Names of the house stay in the house: a receipt names it."""

    reference: str
    about: About
    thing: Thing
    labels: tuple[str, ...]
    source: str
    """Name, where the source lets itself be named."""
    rows: int
    progress: Progress
    stage: Stage
    due_at: datetime | None
    is_urgent: bool
    is_reminded: bool
    is_overdue: bool
    outcome_asked_at: datetime | None
    """When the Centre asked last what came of it; None: it was not asked, or it is said."""


def releases_for(person: Person, now: datetime) -> QuerySet[Release]:
    """Releases in which is something for the person, newest first; not of what its own organisation handed over."""
    none = Release.objects.none()
    if person.organisation.is_centre or not may(person, "respond"):
        return none
    viewer = viewer_of(person)
    seen = concerning(visible_batches(viewer, now), viewer)
    # From each release to its few batches: a list of all that is seen would be gone through for every release.
    found = Release.objects.filter(Exists(seen.filter(releases=OuterRef("pk"))), state=Release.State.RELEASED)
    found = found.exclude(delivery__organisation=person.organisation_id)
    return found.select_related("delivery__organisation", "order").order_by("-pk")


def packages_to(person: Person) -> QuerySet[Package]:
    """Packages that a bureau's people answer for; the Centre's people answer for none."""
    if person.organisation.is_centre or not may(person, "respond"):
        return Package.objects.none()
    return packages_for(person).filter(recalled_at=None).select_related("created_by__organisation").order_by("-pk")


def page_for(
    person: Person, kind: Kind, state: str, after: str, now: datetime, per_page: int = PER_PAGE, *, asked: str = ""
) -> Page[Item]:
    """Newest first; with `asked`, those whose reference holds this. An unreadable cursor starts anew."""
    place = unseal(after) if after else None
    own = [person.organisation_id]
    found = releases_for(person, now) if kind == Kind.RELEASE else packages_to(person)
    if place is not None and place.isdecimal():
        found = found.filter(pk__lt=int(place))
    if asked:
        found = found.filter(**{f"{'delivery__receipt' if kind == Kind.RELEASE else 'number'}__icontains": asked})
    if state == "waiting":
        found = found.exclude(pk__in=Numbers(done_by(kind, own, ACKNOWLEDGING)))
    elif state == "asked":
        found = found.filter(pk__in=Numbers(outcomes.asked_of(person, kind, now)))
    elif state == "answered":
        found = found.filter(pk__in=Numbers(done_by(kind, own, ANSWERING)))
    elif state == "acknowledged":
        done = done_by(kind, own, ACKNOWLEDGING) - done_by(kind, own, ANSWERING)
        found = found.filter(pk__in=Numbers(done))
    rows: list[Release | Package] = list(found[: per_page + 1])
    more, rows = len(rows) > per_page, rows[:per_page]
    shown = items_of(person, _things(rows, now), now)
    return Page(shown, place is not None, seal(str(rows[-1].pk)) if more else "")


def _things(rows: Sequence[Release | Package], now: datetime) -> list[Thing]:
    releases = [each for each in rows if isinstance(each, Release)]
    packages = [each for each in rows if isinstance(each, Package)]
    open_ones = given_out(packages, now)
    return things.of_releases(releases) + things.of_packages(each for each in packages if each.pk in open_ones)


def found_for(person: Person, reference: str, now: datetime) -> list[Thing]:
    """What a reference names to this person, newest first: releases of a delivery, or one package.

    Raises NotFound whether it is absent or not for this person.
    """
    if numbers := _seen_of_reference(person, reference, now):
        return things.of_releases(list(releases_for(person, now).filter(pk__in=numbers)))
    package = packages_to(person).filter(number=reference).first()
    if package is None:
        raise NotFound
    package_for(person, reference, now)
    return things.of_packages([package])


def _seen_of_reference(person: Person, reference: str, now: datetime) -> list[int]:
    """Numbers of the releases of a delivery that the person sees.

    The gate takes its time for a release that is there. Where the reference names none it is asked for the newest of
    all, and what it says of that is dropped: so that what is hidden takes as long as what is absent.
    """
    delivery = Delivery.objects.filter(receipt=reference).values_list("pk", flat=True).first() or 0
    newest = Release.objects.order_by("-pk").values("pk")[:1]
    there = Release.objects.filter(Q(delivery=delivery) | Q(pk=Subquery(newest))).values_list("pk", "delivery")
    named = [number for number, of in there if of == delivery] or [number for number, _of in there]
    seen = releases_for(person, now).filter(pk__in=named).values_list("pk", "delivery")
    return [number for number, of in seen if of == delivery]


def seen_of(person: Person, found: Sequence[Thing], now: datetime) -> QuerySet[Batch]:
    """The batches of these that the person may see, each with the rows in it that concern them (`rows_seen`)."""
    numbers = [number for each in found for number in each.batches]
    viewer = viewer_of(person)
    return with_rows_seen(concerning(visible_batches(viewer, now).filter(pk__in=numbers), viewer), viewer)


def everywhere_of(person: Person, found: Sequence[Thing], now: datetime) -> int | None:
    """How many rows the releases among these hold in all countries together: of victims elsewhere, the count alone."""
    releases = [each for each in found if each.kind == Kind.RELEASE]
    return rows_everywhere(seen_of(person, releases, now)) if releases else None


def items_of(person: Person, found: Sequence[Thing], now: datetime) -> list[Item]:
    """As lines of a list."""
    parts: dict[int, list[Batch]] = defaultdict(list)
    releases = [each for each in found if each.kind == Kind.RELEASE]
    by_number = {batch.pk: batch for batch in seen_of(person, releases, now).select_related("handling_set")}
    for each in releases:
        parts[each.number] = [by_number[number] for number in each.batches if number in by_number]
    said: dict[tuple[str, int], Progress] = {}
    chases: dict[tuple[str, int, str], datetime] = {}
    asked: dict[tuple[str, int], datetime] = {}
    for kind in Kind:
        numbers = [each.number for each in found if each.kind == kind]
        asked |= {(kind, number): at for number, at in outcomes.asked_of(person, kind, now, numbers).items()}
        for number, by_organisation in said_of(kind, numbers, [person.organisation_id]).items():
            said[kind, number] = by_organisation.get(person.organisation_id, Progress())
        for number, step, at in Chase.objects.filter(kind=kind, number__in=numbers).values_list("number", "step", "at"):
            chases[kind, number, step] = at
    abouts = iter(about_each(viewer_of(person), [parts[each.number] for each in releases]))
    return [
        _item(
            next(abouts) if isinstance(each.of, Release) else about_package(each.of), each, parts[each.number],
            said[each.kind, each.number], chases, asked, now,
        )
        for each in found
    ]  # fmt: skip


def about_all(person: Person, found: Sequence[Thing], now: datetime) -> About:
    """Of what stands under one reference: all releases of a delivery together, or one package."""
    of = found[0].of
    if isinstance(of, Package):
        return about_package(of)
    return about_each(viewer_of(person), [list(seen_of(person, found, now))])[0]


def _item(
    about: About,
    thing: Thing,
    seen: list[Batch],
    progress: Progress,
    chases: dict[tuple[str, int, str], datetime],
    asked: dict[tuple[str, int], datetime],
    now: datetime,
) -> Item:
    urgent_at = chases.get((thing.kind, thing.number, Chase.Step.URGENT))
    reminded = (thing.kind, thing.number, Chase.Step.REMINDED) in chases
    wanted_by = due_at(thing.offered_at, urgent_at) if thing.is_chased or urgent_at else None
    is_waiting = progress.acknowledged_at is None
    of = thing.of
    if isinstance(of, Release):
        labels = tuple(sorted({batch.handling_set.tlp for batch in seen}))
        is_named = all(batch.handling_set.body.get("attribution") in {"may", "must"} for batch in seen)
        source = of.delivery.organisation.name if is_named else ""
        reference, rows = of.delivery.receipt, sum(batch.rows_seen for batch in seen)
    else:
        labels, source, reference, rows = (str(of.summary.get("tlp", "")),), "", of.number, of.rows
    return Item(
        reference=reference, about=about, thing=thing, labels=labels, source=source, rows=rows, progress=progress,
        stage=stage_of(has_fetched=False, has_opened=progress.opened_at is not None,
                       has_acknowledged=not is_waiting, outcome=progress.outcome),
        due_at=wanted_by, is_urgent=urgent_at is not None, is_reminded=reminded and is_waiting,
        is_overdue=wanted_by is not None and is_waiting and now >= wanted_by,
        outcome_asked_at=asked.get((thing.kind, thing.number)),
    )  # fmt: skip


def waiting_count(person: Person, now: datetime) -> int:
    """How many acknowledgements are wanted of the person's organisation, or of units for which it answers."""
    since = now - CHASED_FOR
    own = [person.organisation_id, *person.organisation.below()]
    urgent = Chase.objects.filter(kind=Kind.RELEASE, step=Chase.Step.URGENT, at__gte=since).values("number")
    wanted = Q(order=None) | Q(order__organisation__isnull=False) | Q(pk__in=urgent)
    releases = set(
        releases_for(person, now).filter(wanted, released_at__gte=since).order_by().values_list("pk", flat=True)
    )
    count = len(releases - set(done_by(Kind.RELEASE, own, ACKNOWLEDGING, min(releases, default=0))))
    packages = packages_to(person).filter(created_at__gte=since)
    packages = packages.filter(Q(created_by=None) | Q(created_by__organisation__is_centre=True))
    numbers = set(packages.order_by().values_list("pk", flat=True))
    return count + len(numbers - set(done_by(Kind.PACKAGE, own, ACKNOWLEDGING, min(numbers, default=0))))


def asked_count(person: Person, now: datetime) -> int:
    """Of how much that the person may see its organisation was asked what came of it, and has not said."""
    releases = releases_for(person, now).filter(pk__in=Numbers(outcomes.asked_of(person, Kind.RELEASE, now)))
    packages = packages_to(person).filter(pk__in=Numbers(outcomes.asked_of(person, Kind.PACKAGE, now)))
    return releases.order_by().count() + packages.order_by().count()


def unit_stages(person: Person, found: Sequence[Thing]) -> list[tuple[Organisation, Stage]]:
    """What units and sub-bureaus below the person's organisation said of any of these, the furthest step of each."""
    below = person.organisation.below()
    best: dict[int, Stage] = {}
    order = list(Stage)
    for kind in Kind:
        numbers = [each.number for each in found if each.kind == kind]
        for by_organisation in progress_of(kind, numbers, below).values() if below else ():
            for key, progress in by_organisation.items():
                stage = stage_of(
                    has_fetched=False, has_opened=True, has_acknowledged=progress.acknowledged_at is not None,
                    outcome=progress.outcome,
                )  # fmt: skip
                best[key] = max(best.get(key, stage), stage, key=order.index)
    names = Organisation.objects.in_bulk(best)
    return sorted(((names[key], stage) for key, stage in best.items()), key=lambda pair: pair[0].name)
