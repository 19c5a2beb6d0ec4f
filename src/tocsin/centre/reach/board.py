"""The board: how far recipients are with each release and each package, for those at the Centre who follow it up."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from tocsin.centre.intake.sealed_fields import opened_words
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.ledger.models import Chase, Kind
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import Page, seal, unseal
from tocsin.centre.release.models import Package, Release
from tocsin.centre.release.selectors import packages_for
from tocsin.core.errors import NotFound

from . import outcomes, things
from .lines import Line, lines_of
from .things import Thing
from .words import CHASE

PER_PAGE = 25
STATES = ("all", "overdue", "urgent")


def releases_for(person: Person, now: datetime) -> QuerySet[Release]:
    """Releases of which the person may see something, newest first: RED is shown only to whom it names."""
    if not may(person, "follow"):
        return Release.objects.none()
    seen = visible_batches(viewer_of(person), now)
    # From each release to its few batches: a list of all that is seen would be gone through for every release.
    found = Release.objects.filter(Exists(seen.filter(releases=OuterRef("pk"))), state=Release.State.RELEASED)
    return found.select_related("delivery__organisation", "order").order_by("-pk")


def packages_on(person: Person) -> QuerySet[Package]:
    """Packages that are given out, newest first."""
    if not may(person, "follow"):
        return Package.objects.none()
    return packages_for(person).filter(recalled_at=None).select_related("created_by__organisation").order_by("-pk")


def sources_for(person: Person, now: datetime) -> QuerySet[Organisation]:
    """Whose deliveries were released, of those that the person may see."""
    seen = visible_batches(viewer_of(person), now)
    released = Release.objects.filter(delivery__organisation=OuterRef("pk"), state=Release.State.RELEASED)
    mine = seen.filter(organisation=OuterRef("pk"))
    return Organisation.objects.filter(Exists(released), Exists(mine)).order_by("name")


def page_for(
    person: Person, now: datetime, *, kind: Kind, state: str = "all", of: str = "", after: str = "",
    per_page: int = PER_PAGE,
) -> Page[Line]:  # fmt: skip
    """Newest first; `of` is a source's slug, or a country's code for packages. An unreadable cursor starts anew."""
    place = unseal(after) if after else None
    steps = {"overdue": Chase.objects.filter(step=Chase.Step.ESCALATED, closed_at=None),
             "urgent": Chase.objects.filter(step=Chase.Step.URGENT)}  # fmt: skip
    narrowed: dict[str, object] = {}
    if state in steps:
        narrowed["pk__in"] = steps[state].filter(kind=kind).values("number")
    if of:
        narrowed["country" if kind == Kind.PACKAGE else "delivery__organisation__slug"] = of
    if place is not None and place.isdecimal():
        narrowed["pk__lt"] = int(place)
    found: list[Thing]
    if kind == Kind.PACKAGE:
        found = things.of_packages(packages_on(person).filter(**narrowed)[: per_page + 1])
    else:
        found = _releases(person, list(releases_for(person, now).filter(**narrowed)[: per_page + 1]), now)
    more, found = len(found) > per_page, found[:per_page]
    return Page(lines_of(found, now), place is not None, seal(str(found[-1].number)) if more else "")


def _releases(person: Person, releases: list[Release], now: datetime) -> list[Thing]:
    return things.of_releases(releases, scope_of(viewer_of(person), now).batches)


def line_for(person: Person, kind: str, number: str, now: datetime) -> Line:
    """One release (by the number of its row) or package (by its own). Raises NotFound."""
    found: list[Thing] = []
    if kind == Kind.PACKAGE:
        found = things.of_packages(packages_on(person).filter(number=number))
    elif kind == Kind.RELEASE and number.isdecimal() and len(number) < 19:
        found = _releases(person, list(releases_for(person, now).filter(pk=int(number))), now)
    if not found:
        raise NotFound
    return lines_of(found, now)[0]


def overdue_counts(person: Person, now: datetime) -> dict[Kind, int]:
    """How many releases and packages are on the desk, of those that the person may see."""
    escalated = Chase.objects.filter(step=Chase.Step.ESCALATED, closed_at=None)
    if not escalated.exists():
        return dict.fromkeys(Kind, 0)
    releases = releases_for(person, now).order_by().filter(pk__in=escalated.filter(kind=Kind.RELEASE).values("number"))
    packages = packages_on(person).order_by().filter(pk__in=escalated.filter(kind=Kind.PACKAGE).values("number"))
    return {Kind.RELEASE: releases.count(), Kind.PACKAGE: packages.count()}


def chases_of(thing: Thing) -> list[Chase]:
    """What was done, the latest first; steps for which nobody was waited are left out."""
    done = Chase.objects.filter(kind=thing.kind, number=thing.number).order_by("-at", "-pk")
    found = list(done.exclude(step__in=[Chase.Step.REMINDED, Chase.Step.ESCALATED, *outcomes.STEPS], organisations=[]))
    for each in found:
        each.note = opened_words(each.note, CHASE)
    return found
