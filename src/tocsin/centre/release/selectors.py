"""Reads of packages, already filtered by who asks."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may, side_of
from tocsin.centre.members.selectors import ceiling_of
from tocsin.core.errors import NotFound
from tocsin.core.words import Tlp

from .models import Package


def packages_for(person: Person) -> QuerySet[Package]:
    """The packages that this person may list and fetch: a bureau's people their own country's, the Centre's all.

    Packages hold victim rows, so at the Centre only those may fetch them who may also make them.
    """
    none = Package.objects.none()
    if not may(person, "package"):
        return none
    newest = Package.objects.select_related("created_by").order_by("-created_at", "-pk")
    ceiling = ceiling_of(person)
    if ceiling is not None:
        newest = newest.filter(summary__tlp__in=[tlp.value for tlp in Tlp if tlp.rank <= ceiling.rank])
    organisation = person.organisation
    if organisation.is_centre:
        return newest
    if side_of(organisation) == "bureau" and organisation.is_bureau and organisation.country:
        return newest.filter(country=organisation.country)
    return none


def package_for(person: Person, number: str) -> Package:
    """The package with this number. NotFound whether it is absent or another country's."""
    found = packages_for(person).filter(number=number, recalled_at=None).first()
    if found is None:
        raise NotFound
    return found


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
