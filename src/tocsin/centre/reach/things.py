"""What recipients answer for: releases and country packages, each with what is in it and since when it is offered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tocsin.centre.intake.concern import countries_in, together
from tocsin.centre.ledger.models import Kind
from tocsin.centre.members.models import Organisation
from tocsin.centre.release.models import Package, Release
from tocsin.centre.release.selectors import batches_of, given_out
from tocsin.lake.scope import Batches

from .recipients import Circle


@dataclass(frozen=True, slots=True)
class Thing:
    """A release or a package."""

    kind: Kind
    number: int
    """Of its row."""
    name: str
    """R-2026-000007 or FR-2026-0007."""
    of: Release | Package
    offered_at: datetime
    """When it was let go, as this system recorded it."""
    batches: Batches
    source: int | None
    countries: frozenset[str] | None
    """Whose victims alone are in it; None: there is something in it for everybody to whom the gate opens it."""
    is_chased: bool
    """Whether an acknowledgement is wanted. Not of what feeds fetched, and not of a package its bureau made itself."""

    def offered_to(self, circle: Circle) -> list[int]:
        """Organisations to which it is open now."""
        if isinstance(self.of, Release):
            return circle.open_to(self.batches, self.source, self.countries)
        found = [key for key in circle.keys if is_bureau_of(circle.organisations[key], self.of.country)]
        return found if found and given_out([self.of], circle.now) else []


def is_bureau_of(organisation: Organisation, code: str) -> bool:
    """Whether packages of this country are made for it."""
    return organisation.is_bureau and organisation.country == code


def of_releases(releases: Iterable[Release], within: Batches | None = None) -> list[Thing]:
    """In their order; with what is in them as far as it lies within these batches."""
    listed = list(releases)
    held: dict[int, list[int]] = defaultdict(list)
    pairs = Release.batches.through.objects.filter(release__in=[each.pk for each in listed])
    for release, batch in pairs.values_list("release_id", "batch_id"):
        held[release].append(batch)
    concerned = countries_in({batch for some in held.values() for batch in some})
    return [
        Thing(
            kind=Kind.RELEASE, number=each.pk, name=each.number, of=each,
            offered_at=each.released_at or each.created_at,
            batches=Batches(held[each.pk]) if within is None else Batches(held[each.pk]) & within,
            source=each.delivery.organisation_id, countries=together(concerned[batch] for batch in held[each.pk]),
            is_chased=each.order is None or each.order.organisation_id is not None,
        )
        for each in listed
    ]  # fmt: skip


def of_packages(packages: Iterable[Package]) -> list[Thing]:
    """In their order."""
    return [
        Thing(
            kind=Kind.PACKAGE, number=each.pk, name=each.number, of=each, offered_at=each.created_at,
            batches=batches_of(each), source=None, countries=None,
            is_chased=each.created_by is None or each.created_by.organisation.is_centre,
        )
        for each in packages
    ]  # fmt: skip
