"""Parts of what was released to somebody, as collections of their own: alerts, by country, by source.

A part picks from `released` and never shows more than it: the gate was asked there. That a part exists says no more
than that the reader has something of it; what exists for others leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import QuerySet

from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.register import Held, register
from tocsin.centre.intake.selectors import countable, in_seen
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.release import given
from tocsin.centre.release.given import Given, Item, Wanted
from tocsin.centre.rows import Numbers
from tocsin.handling import Viewer
from tocsin.reference.countries import all_countries, country

from .filters import MOST

COUNTRY, SOURCE = "country-", "from-"
NAMED = frozenset({"may", "must"})
"""Words of a handling set under which its source is named."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of `released`."""

    alias: str
    title: str
    description: str
    picks: Callable[[Viewer, Collection[int]], set[int]]
    """Of these batches the ones that belong to it."""
    types: frozenset[str] = frozenset()
    """Types of the objects that belong to it; empty: all, and what they refer to in common."""

    def page(
        self, person: Person, *, wanted: Wanted, after: datetime | None, cursor: str, limit: int, now: datetime
    ) -> Given:  # fmt: skip
        """The same question as to `released`, of this part: as many as were asked for, as far as it has them."""
        wanted = replace(wanted, types=wanted.types & self.types if wanted.types else self.types)
        if self.types and not wanted.types:
            return Given()

        def asked(cursor: str, limit: int) -> tuple[Given, list[int]]:
            part = given.page(person, wanted=wanted, after=after, cursor=cursor, limit=limit, now=now)
            part = replace(part, items=list(part.items))
            return part, self._places(viewer, part.items)

        viewer, found = viewer_of(person), list[Item]()
        while True:
            part, places = asked(cursor, MOST)
            if len(places) > limit - len(found):
                # The cursor behind the last one that is wanted is that of a page which ends there.
                part, places = asked(cursor, places[limit - len(found) - 1] + 1)
            found += [part.items[place] for place in places]
            cursor = part.cursor
            if not cursor or len(found) >= limit:
                return Given(found, cursor if found else "")

    def _places(self, viewer: Viewer, items: Sequence[Item]) -> list[int]:
        picked = self.picks(viewer, {each.batch for each in items if not each.is_shared})
        return [
            place for place, each in enumerate(items) if (not self.types if each.is_shared else each.batch in picked)
        ]


ALERTS = Selection(
    "alerts", "Alerts", "What the Centre itself reports: its reports that were released to the organisation.",
    lambda _viewer, batches: _sent_by(batches, organisation__is_centre=True), frozenset({"report"}),
)  # fmt: skip


def of_country(code: str) -> Selection:
    """What has to do with a country, part of a delivery by part."""
    name = country(code).name("en")
    return Selection(
        f"{COUNTRY}{code.lower()}", f"Released: {name}",
        f"Parts of what was released to the organisation in which something lies in {name}.",
        lambda viewer, batches: set(
            countable(viewer).filter(batch__in=batches, country=code).values_list("batch_id", flat=True)
        ),
    )  # fmt: skip


def of_source(source: Organisation) -> Selection:
    """What one organisation or feed sent, which may be named."""
    return Selection(
        f"{SOURCE}{source.slug}", f"Released: from {source.name}",
        f"What {source.name} sent, and may be named for, of what was released to the organisation.",
        lambda viewer, batches: _sent_by(batches, terms__in=Numbers(_terms(viewer, source.slug))),
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
    if alias.startswith(COUNTRY):
        code = alias.removeprefix(COUNTRY).upper()
        return of_country(code) if code in _countries(viewer, now, code) else None
    if alias.startswith(SOURCE):
        slug = alias.removeprefix(SOURCE)
        return next((of_source(each) for each in _sources(viewer, now, slug)), None)
    return None


def _countries(viewer: Viewer, now: datetime, code: str = "") -> set[str]:
    """The own country, and those of which something was released; only that one of them, where it is named."""
    tallies = countable(viewer).exclude(country="").filter(in_seen(_open_to(viewer, now)))
    if code:
        tallies = tallies.filter(country=code)
    found = set(tallies.order_by().values_list("country", flat=True).distinct())
    known = {each for each in found | ({viewer.country} - {""}) if _is_known(each)}
    return known & {code} if code else known


def _is_known(code: str) -> bool:
    try:
        return bool(country(code))
    except KeyError:
        return False


def _sources(viewer: Viewer, now: datetime, slug: str = "") -> list[Organisation]:
    """Those that may be named, of which something is open to the reader."""
    slugs = {held.facts.source for held in _held(viewer) if held.handling.attribution in NAMED}
    slugs = slugs & {slug} if slug else slugs
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
