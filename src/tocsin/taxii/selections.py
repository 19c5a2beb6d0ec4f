"""Parts of what was released to somebody, as collections of their own: alerts, by country, by source.

A part is a view of its own over batches of `released`, and never shows more than it: the gate is asked as there. That
a part exists says no more than that the reader has something of it; what exists for others leaves no trace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise

from django.db.models import QuerySet

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.openings import Timeline, begun_under, counts_by
from tocsin.centre.intake.register import Held, register
from tocsin.centre.intake.selectors import countable, in_seen
from tocsin.centre.knowledge.models import Object
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.release import given
from tocsin.centre.release.given import Given, Part, Wanted
from tocsin.centre.rows import Numbers
from tocsin.handling import Viewer
from tocsin.reference.countries import all_countries, country

COUNTRY, SOURCE = "country-", "from-"
NAMED = frozenset({"may", "must"})
"""Words of a handling set under which its source is named."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of `released`."""

    alias: str
    title: str
    description: str
    part: Part
    """The batches that belong to it."""

    def page(
        self, person: Person, *, wanted: Wanted, after: datetime | None, cursor: str, limit: int, now: datetime
    ) -> Given:  # fmt: skip
        """The same question as to `released`, of this part."""
        return given.page(person, wanted=wanted, after=after, cursor=cursor, limit=limit, now=now, part=self.part)


def _reports_of_the_centre(_: Timeline, batches: Collection[int]) -> dict[int, datetime | None]:
    """Its batches in which there is a report: whole, since a report is read with its translations and what it names."""
    of_centre = Batch.objects.filter(pk__in=Numbers(batches), organisation__is_centre=True)
    # By delivery first, which objects are indexed by.
    held = Object.objects.filter(delivery__in=of_centre.values("delivery"), type="report")
    reporting = set(held.values_list("batch_id", flat=True))
    return dict.fromkeys(batch for batch in batches if batch in reporting)


ALERTS = Selection(
    "alerts", "Alerts",
    "What the Centre itself reports, as far as it was released to the organisation: each report with its translations "
    "and the indicators, techniques and actions that came with it.",
    Part("alerts", _reports_of_the_centre),
)  # fmt: skip


def of_country(code: str) -> Selection:
    """What has to do with a country, part of a delivery by part."""
    name = country(code).name("en")
    alias = f"{COUNTRY}{code.lower()}"
    return Selection(
        alias, f"Released: {name}",
        f"Parts of what was released to the organisation in which something lies in {name}.",
        Part(alias, partial(_in_country, code)),
    )  # fmt: skip


def _in_country(code: str, timeline: Timeline, batches: Collection[int]) -> dict[int, datetime | None]:
    """The batches in which something may be counted there, with since when that is so, by the rows or by the rights."""
    among = Numbers(batches)

    def counted(viewer: Viewer) -> set[int]:
        return set(countable(viewer).filter(batch__in=among, country=code).values_list("batch_id", flat=True))

    rights = [viewer for _, viewer, _ in timeline.rights]
    found = counted(rights[0])
    recast = Batch.objects.filter(pk__in=Numbers(found)).values_list("pk", "delivery_id", "recast_at")
    since = {batch: at for batch, _, at in recast}
    deliveries, left = {batch: delivery for batch, delivery, _ in recast}, found
    for place, (new, old) in enumerate(pairwise(rights)):
        if counts_by(new) != counts_by(old):
            stayed = counted(old) & left
            for batch in left - stayed:
                begun = begun_under(timeline, place, deliveries[batch])
                since[batch] = max((each for each in (since[batch], begun) if each is not None), default=None)
            left = stayed
    return since


def of_source(source: Organisation) -> Selection:
    """What one organisation or feed sent, which may be named."""
    alias = f"{SOURCE}{source.slug}"

    def picks(timeline: Timeline, batches: Collection[int]) -> dict[int, datetime | None]:
        return dict.fromkeys(_sent_by(batches, terms__in=Numbers(_terms(timeline.viewer, source.slug))))

    return Selection(
        alias, f"Released: from {source.name}",
        f"What {source.name} sent, and may be named for, of what was released to the organisation.",
        Part(alias, picks),
    )  # fmt: skip


def parts_for(person: Person, now: datetime) -> Iterator[Selection]:
    """The parts that there are for this reader: by country, the own one first, and by source."""
    viewer = viewer_of(person)
    codes = _countries(viewer, now)
    for code in sorted(codes, key=lambda each: (each != viewer.country, each)):
        yield of_country(code)
    for source in _sources(viewer, now):
        yield of_source(source)


def aliases(person: Person) -> Iterator[str]:
    """What parts could be called, whether there are such parts for the reader or not."""
    yield from (f"{COUNTRY}{each.code.lower()}" for each in all_countries())
    named = {held.facts.source for held in _held(viewer_of(person)) if held.handling.attribution in NAMED}
    # A source that may not be named is looked for no longer than one that there is not.
    yield from (f"{SOURCE}{slug}" for slug in sorted(named))


def part_named(person: Person, alias: str, now: datetime) -> Selection | None:
    """The part with this alias, if there is one for this reader."""
    viewer = viewer_of(person)
    part = None
    if alias.startswith(COUNTRY) and _is_known(code := alias.removeprefix(COUNTRY).upper()):
        part = of_country(code)
        if code == viewer.country:
            return part
    if alias.startswith(SOURCE):
        source = Organisation.objects.filter(slug=alias.removeprefix(SOURCE)).first()
        part = None if source is None else of_source(source)
    return part if part is not None and given.has_any(person, part.part, now) else None


def _countries(viewer: Viewer, now: datetime) -> set[str]:
    """The own country, and those of which something was released."""
    tallies = countable(viewer).exclude(country="").filter(in_seen(_open_to(viewer, now)))
    found = set(tallies.order_by().values_list("country", flat=True).distinct())
    return {each for each in found | ({viewer.country} - {""}) if _is_known(each)}


def _is_known(code: str) -> bool:
    try:
        return bool(country(code))
    except KeyError:
        return False


def _sources(viewer: Viewer, now: datetime) -> list[Organisation]:
    """Those that may be named, of which something is open to the reader."""
    slugs = {held.facts.source for held in _held(viewer) if held.handling.attribution in NAMED}
    return [
        each
        for each in Organisation.objects.filter(slug__in=slugs).order_by("slug")
        if _open_to(viewer, now).filter(terms__in=Numbers(_terms(viewer, each.slug))).exists()
    ]


def _held(viewer: Viewer) -> list[Held]:
    """Terms under which something was released that the viewer may see and did not send."""
    held = register().held_by(viewer) if viewer.class_name else []
    return [
        each for each in held if each.facts.released_to is not None and each.facts.source != viewer.organisation
    ]  # fmt: skip


def _terms(viewer: Viewer, source: str) -> list[int]:
    """Of these the ones of this source under which it may be named."""
    return [each.number for each in _held(viewer) if each.facts.source == source and each.handling.attribution in NAMED]


def _open_to(viewer: Viewer, now: datetime) -> QuerySet[Batch]:
    numbers = Numbers(each.number for each in _held(viewer))
    return Batch.objects.alive(now).filter(terms__in=numbers, objects_count__gt=0)


def _sent_by(batches: Collection[int], **said: object) -> set[int]:
    return set(Batch.objects.filter(pk__in=Numbers(batches), **said).values_list("pk", flat=True))
