"""How far something got: to whom it was open, who took it, which packages hold it."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
import pyarrow as pa
from django.utils import timezone

from tocsin.centre.analysis.services import drawn_from
from tocsin.centre.intake import parting
from tocsin.centre.intake.models import HEAD, Batch, Change, Delivery, Former, Origin, Terms, widths_of
from tocsin.centre.intake.register import FACTS, put_to_the_gate
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.selectors import takings_of
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_for
from tocsin.centre.release import archives
from tocsin.centre.release.models import Package
from tocsin.centre.release.selectors import batches_of
from tocsin.centre.rows import Numbers
from tocsin.credentials.content_keys import KeyMissing
from tocsin.handling import may_see
from tocsin.lake.compaction import PARTED_BY
from tocsin.lake.scope import Batches
from tocsin.products.packed_rows import frames, packed

from .models import Recall
from .rules import STILL_TAKING


@dataclass(frozen=True, slots=True)
class Extent:
    """What is asked about: whole batches, or within them some values."""

    batches: Batches
    values: frozenset[str] | None = None
    """None: all of it. What has none is in no package."""
    until: datetime | None = None
    """What was taken later, of a batch that others go on seeing, is not what was recalled."""
    stays: Batches | None = None
    """Where it lies now and stays open to some, for whom it was not recalled: it came under a stricter label."""
    country: str = ""
    """Whose alone it is called back from: it was another's. Empty: from everybody."""


def extent_of(made: Recall) -> Extent:
    """What a recall called back."""
    batches = Batches.unpacked(bytes(made.batches))
    stays = batches if made.reason == Recall.Reason.RELABELLED else None
    if made.origins is None:
        return Extent(batches, stays=stays)
    values = frozenset(value for held in made.parts.values_list("values", flat=True) for value in held)
    country = ""
    if made.reason == Recall.Reason.RESLICED:
        country = next((code for each in made.parts.all() for code in each.countries or ()), "")
    origins = Batches.unpacked(bytes(made.origins))
    return replace(within(origins, values), until=made.asked_at + STILL_TAKING, stays=stays, country=country)


def within(origins: Batches, values: frozenset[str]) -> Extent:
    """These values, or where there are none, some of these batches; with what was drawn from them and holds it."""
    return Extent(origins | drawn_holding(origins, values), values)


def drawn_holding(origins: Batches, values: Collection[str]) -> Batches:
    """Batches of redacted versions of these, and of theirs in turn, that hold some of these values.

    What has no value, such as an object without a pattern, may stand in any of them.
    """
    found, of = set[int](), set(origins)
    while of:
        drawn = Origin.objects.filter(batch__in=of).values("delivery")
        of = set(Batch.objects.filter(delivery__in=drawn).values_list("pk", flat=True)) - found
        found |= of
    if not found or not values:
        return Batches(found)
    return Batches(parting.rows_of(found, parting.Chosen(frozenset(values)))["batch"].unique().to_list())


def first_places(made: Recall) -> dict[int, int]:
    """Delivery → the place of its first object among all that the recall may take back.

    What is drawn from it later lies in later deliveries, so that no place moves.
    """
    return _places(made)[0]


def next_telling(made: Recall) -> datetime:
    """Where the moments begin by which programs are told of it now: one for each object that it may take back, the same
    for everybody. In the transaction in which they are told."""
    return Change.next().stretches({0: HEAD + _places(made)[1]})[0]


def _places(made: Recall) -> tuple[dict[int, int], int]:
    batches = Batches.unpacked(bytes(made.batches))
    if made.origins is not None:
        origins = Batches.unpacked(bytes(made.origins))
        batches |= origins | drawn_holding(origins, ())
    deliveries = set(Batch.objects.filter(pk__in=Numbers(batches)).values_list("delivery_id", flat=True))
    found, place = dict[int, int](), 0
    for delivery, width in sorted(widths_of(deliveries).items()):
        found[delivery] = place
        place += width
    return found, place


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a delivery, or a part of it, got."""

    batches: int
    open_to: int
    """Organisations to which it is or was open, its source and the Centre left out."""
    took: int
    packages: int


def reach_of(delivery: Delivery, extent: Extent | None = None) -> Reach:
    """How far what is shown of a delivery got: what a recall would call back."""
    if extent is None:
        whole = [delivery, *drawn_from(delivery)]
        shown = set(Batch.objects.filter(delivery__in=whole, hidden_at=None).values_list("pk", flat=True))
        extent = Extent(Batches(shown | Origin.all_drawn_from(shown)))
    takers, told = told_of(delivery, extent)
    packages = len(holding(Package.objects.filter(recalled_at=None), extent))
    return Reach(len(extent.batches), len(told), len(takers), packages)


def told_of(delivery: Delivery, extent: Extent) -> tuple[dict[int, list[Taking]], set[int]]:
    """Who took some of it, and all who are to be told, as numbers of organisations."""
    takers = takings_with_lineage(extent.batches)
    if extent.until is not None or extent.values is not None:
        takers = _exactly(takers, extent)
    aside = set(Organisation.objects.filter(is_centre=True).values_list("pk", flat=True)) | {delivery.organisation_id}
    if extent.country:
        others = Organisation.objects.exclude(country=extent.country)
        aside |= set(others.values_list("pk", flat=True))
    if extent.stays is not None:
        aside |= {*takers, *open_to(extent.batches)} - _losing(extent.stays)
    for key in aside & takers.keys():
        del takers[key]
    return takers, {*takers, *open_to(extent.batches)} - aside


def takings_with_lineage(batches: Batches) -> dict[int, list[Taking]]:
    """Who took some of these, also out of the batches that they were taken out of, while it still lay there."""
    takers = takings_of(batches)
    parted = Batch.objects.filter(pk__in=list(batches), parted_at__isnull=False)
    for part in parted.select_related("parted_from"):
        child, old = part, part.parted_from
        while old is not None and child.parted_at is not None:
            for key, takings in takings_of(Batches([old.pk])).items():
                early = [each for each in takings if each.began_at <= child.parted_at + STILL_TAKING]
                if early:
                    takers.setdefault(key, []).extend(each for each in early if each not in takers.get(key, []))
            child, old = old, old.parted_from
    return takers


def taken_by(organisation: int, batches: Batches) -> Batches:
    """Of these batches, those that the organisation took some of."""
    found = Batches()
    for taking in takings_of(batches).get(organisation, []):
        found |= Batches.unpacked(bytes(taking.batches)) & batches
    parted = Batch.objects.filter(pk__in=list(batches), parted_at__isnull=False).values_list("pk", flat=True)
    return found | Batches([each for each in parted if organisation in takings_with_lineage(Batches([each]))])


def _exactly(takers: dict[int, list[Taking]], extent: Extent) -> dict[int, list[Taking]]:
    """Of takings of a batch, those in which the part may have been: of packages it is known which hold it."""
    every = [taking for takings in takers.values() for taking in takings]
    numbers = {each.reference for each in every if each.channel == Taking.Channel.PACKAGE}
    held = {each.number for each in holding(Package.objects.filter(number__in=numbers), extent)}

    def had_it(taking: Taking) -> bool:
        is_package = taking.channel == Taking.Channel.PACKAGE
        if (
            is_package
            and taking.reference in numbers - held
            and Package.objects.filter(number=taking.reference).exists()
        ):
            return False
        return extent.until is None or taking.began_at <= extent.until

    kept = {key: [each for each in takings if had_it(each)] for key, takings in takers.items()}
    return {key: takings for key, takings in kept.items() if takings}


def open_to(batches: Batches) -> set[int]:
    """Organisations to which any of these is or was open: as they are now, under the terms of now and before."""
    keys = list(batches)
    numbers = set(Batch.objects.filter(pk__in=keys).values_list("terms", flat=True))
    return _open_under(numbers | set(Former.objects.filter(batch__in=keys).values_list("terms", flat=True)))


def _losing(batches: Batches) -> set[int]:
    """Organisations that had, or could have, some of these and may not any more. Asked for each of the terms of now by
    itself: who still sees one part of a delivery is told all the same of another that it lost."""
    alike: dict[int, list[int]] = {}
    for number, terms in Batch.objects.filter(pk__in=list(batches)).values_list("pk", "terms"):
        alike.setdefault(terms, []).append(number)
    found = set[int]()
    for numbers in alike.values():
        some = Batches(numbers)
        found |= {*open_to(some), *takings_with_lineage(some)} - still_open_to(some)
    return found


def still_open_to(batches: Batches) -> set[int]:
    """Organisations to which some of these is open under the terms of now."""
    return _open_under(set(Batch.objects.filter(pk__in=list(batches), hidden_at=None).values_list("terms", flat=True)))


def _open_under(numbers: set[int]) -> set[int]:
    held = []
    named: set[str] = set()
    for terms in Terms.objects.filter(pk__in=numbers).select_related(*FACTS):
        handling, facts = put_to_the_gate(terms)
        held.append((handling, facts))
        if facts.released_to is not None:
            named |= facts.named
    now = timezone.now()
    found = {
        each.pk
        for each in Organisation.objects.filter(is_active=True).select_related("parent")
        if any(may_see(viewer_for(each), handling, facts, now) for handling, facts in held)
    }
    return found | set(Person.objects.filter(login__in=named).values_list("organisation", flat=True))


def holding(packages: Iterable[Package], extent: Extent) -> list[Package]:
    """The packages that hold some of it. One that cannot be opened is taken to hold it."""
    found = [
        each for each in packages
        if (not extent.country or each.country == extent.country) and batches_of(each) & extent.batches
    ]  # fmt: skip
    if extent.values is None:
        return found
    return [each for each in found if _names(each, extent.values)]


def _names(package: Package, values: Collection[str]) -> bool:
    if not values:
        return False
    wanted = list(values)
    try:
        with archives.opener(package)() as held:
            rows = packed(held)
            # A frame at a time: the package of a large country is gigabytes.
            return rows is None or any(_any_of(frame, wanted) for frame in frames(rows, PARTED_BY))
    except (OSError, KeyMissing, zipfile.BadZipFile, pa.ArrowException, pl.exceptions.PolarsError):
        return True


def _any_of(frame: pl.DataFrame, wanted: list[str]) -> bool:
    texts = frame.with_columns(pl.all().cast(pl.String))
    return bool(texts.select(pl.any_horizontal(pl.all().is_in(wanted).fill_null(False).any())).item())
