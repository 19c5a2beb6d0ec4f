"""Reads of packages, already filtered by who asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Min, QuerySet

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may, side_of
from tocsin.centre.members.selectors import above_of, ceiling_of, viewer_of
from tocsin.centre.pages import Part
from tocsin.centre.rows import Numbers
from tocsin.core.errors import NotFound
from tocsin.core.words import Tlp
from tocsin.handling import Derived, HandlingSet, Parent, Viewer, derive
from tocsin.lake.scope import Batches

from .models import Package

NEWEST_FIRST = (Part(("-created_at", "-pk")),)


def packages_for(person: Person) -> QuerySet[Package]:
    """The packages that this person may list and fetch: a bureau's people their own country's, the Centre's all.

    Packages hold victim rows, so at the Centre only those may fetch them who may also make them.
    """
    none = Package.objects.none()
    if not may(person, "package"):
        return none
    newest = Package.objects.select_related("created_by").order_by(*NEWEST_FIRST[0].by)
    ceiling = ceiling_of(person)
    if ceiling is not None:
        newest = newest.filter(summary__tlp__in=[tlp.value for tlp in Tlp if tlp.rank <= ceiling.rank])
    organisation = person.organisation
    if organisation.is_centre:
        return _without_kept(newest, person)
    if side_of(organisation) == "bureau" and organisation.is_bureau and organisation.country:
        return newest.filter(country=organisation.country)
    return none


def _without_kept(found: QuerySet[Package], person: Person) -> QuerySet[Package]:
    """For a secondee those of which the gate shows it every part: a package holds what the seat alone may not have."""
    if person.employer_id is None:
        return found
    shown = scope_of(viewer_of(person)).batches
    return found.filter(pk__in=Numbers(each.pk for each in found.order_by() if batches_of(each) <= shown))


def package_for(person: Person, number: str, at: datetime) -> Package:
    """The package with this number. NotFound whether it is absent, another country's, or no longer given out."""
    found = packages_for(person).filter(number=number).first()
    if found is None or not given_out([found], at):
        raise NotFound
    return found


def given_out(packages: Iterable[Package], at: datetime) -> set[int]:
    """Numbers of the rows of those that may still be fetched: the gate opens all that is in them to the bureau today.

    A label or exclusion that came later, a recall or an expiry closes a package whole. Of one made before it was kept
    what is in it, recalls alone are known.
    """
    scopes: dict[str, Batches] = {}
    found = set()
    for package in packages:
        if package.recalled_at is not None:
            continue
        if package.batches is not None:
            if package.country not in scopes:
                scopes[package.country] = scope_of(viewer_of_country(package.country), at).batches
            if not batches_of(package) <= scopes[package.country]:
                continue
        found.add(package.pk)
    return found


def batches_of(package: Package) -> Batches:
    """What is in the package. Of one made before this was kept: all that arrived in its span."""
    if package.batches is not None:
        return Batches.unpacked(bytes(package.batches))
    arrived = Batch.objects.filter(received_at__gte=package.arrived_from, received_at__lt=package.arrived_until)
    return Batches(list(arrived.values_list("pk", flat=True)))


def viewer_of_country(code: str) -> Viewer:
    """For whom a country's package is made: its bureau, or one like it where none is entered yet."""
    bureau = Organisation.objects.filter(is_bureau=True, country=code).order_by("pk").first()
    return Viewer(
        organisation=bureau.slug if bureau else f"bureau-{code.lower()}",
        class_name="law-enforcement",
        country=code,
        is_bureau=True,
        above=above_of(bureau) if bureau else frozenset(),
        clearance="restricted",
    )


def countries_for(person: Person) -> list[str]:
    """Codes of the countries that this person may make packages for; empty means none."""
    from tocsin.reference.countries import all_countries

    if not may(person, "package"):
        return []
    if person.organisation.is_centre:
        return [country.code for country in all_countries()]
    if person.organisation.is_bureau and person.organisation.country:
        return [person.organisation.country]
    return []


def file_of(package: Package) -> Path:
    """Where the archive lies."""
    folder: Path = settings.INSTALLATION.store_folder
    return folder / package.path


def derived_of(package: Package, person: Person, at: datetime) -> Derived | None:
    """What holds for the package, and which deliveries decided it; None of one that holds nothing any more.

    Only who may see a delivery reads its name, and only who works on releases reads who is excluded. Audiences are left
    out: the gate opened every part to the bureau that the package is for.
    """
    numbers = Numbers(batches_of(package))
    first = Batch.objects.filter(pk__in=numbers).order_by().values("handling_set").annotate(first=Min("pk"))
    some = Batch.objects.filter(pk__in=[each["first"] for each in first]).select_related("handling_set", "delivery")
    may_name = person.organisation.is_centre
    shown = set(visible_batches(viewer_of(person), at).filter(pk__in=numbers).values_list("pk", flat=True))
    parents = [
        Parent(
            each.delivery.name if may_name and each.pk in shown else "",
            replace(HandlingSet.from_json(each.handling_set.body), audience=()),
        )
        for each in some
    ]
    if not parents:
        return None
    derived = derive(parents)
    kept_back = {"audience"} if may(person, "read-releases") else {"audience", "exclusions", "attribution"}
    decisions = [
        replace(each, decided_by=tuple(name for name in each.decided_by if name))
        for each in derived.decisions
        if each.field not in kept_back
    ]
    return replace(derived, decisions=tuple(decisions))
