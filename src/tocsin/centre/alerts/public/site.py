"""Which pages of the site there are, and which of them an alert changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from tocsin.products.alerts.file import File

from . import lists, machine, standing
from .entries import Entry, in_order, years_of
from .frame import Frame


def all_pages(frame: Frame, entries: Iterable[Entry], now: datetime) -> Iterator[File]:
    """Every file of the site that belongs to no single alert."""
    every = in_order(entries)
    years = years_of(every)
    yield from machine.fixed_files(frame)
    yield from standing.whole_site_pages(frame)
    facets = lists.all_facets()
    yield machine.sitemap_of_pages(frame, facets)
    yield machine.sitemap_of_all(frame, years)
    for language in frame.languages:
        yield from standing.standing_pages(frame, language, years)
    yield from _moving(frame, every, now, facets=facets, months=None, years=years)


def pages_changed(
    frame: Frame, entries: Iterable[Entry], changed: Collection[str], before: Mapping[str, Entry], now: datetime
) -> Iterator[File]:
    """Those of them that show one of the alerts in `changed` (numbers), or showed it as it was `before`.

    What changes with its years, such as the page of the search, comes along where a year is new. The whole site is
    there already: `all_pages` made it.
    """
    every = in_order(entries)
    touched = [each for each in every if each.number in changed] + [before[each] for each in changed if each in before]
    facets = list(dict.fromkeys(facet for each in touched for facet in lists.facets_of(each)))
    years = years_of(every)
    if set(years) != {each.year for each in every if each.number not in changed or each.number in before}:
        yield machine.sitemap_of_all(frame, years)
        for language in frame.languages:
            yield from standing.standing_pages(frame, language, years)
    yield from _moving(
        frame, every, now, facets=facets, months={each.month for each in touched},
        years=sorted({each.year for each in touched}),
    )  # fmt: skip


def _moving(
    frame: Frame, every: Sequence[Entry], now: datetime, *,
    facets: Sequence[lists.Facet], months: Collection[str] | None, years: Sequence[str],
) -> Iterator[File]:  # fmt: skip
    """Pages that show alerts; `months`, None: all of them."""
    by_month, by_year, by_facet = _sorted_out(every)
    order = list(by_month)
    for language in frame.languages:
        yield lists.home(frame, language, every, now)
        yield lists.newest(frame, language, every, now)
        yield lists.widget_rows(frame, language, every, now)
        yield lists.widget_page(frame, language, every, now)
        for month in order:
            # A new month is a step further from the one before it.
            if months is None or month in months or _is_beside(order, month, months):
                yield lists.month(frame, language, month, order, by_month[month], now)
        for facet in facets:
            yield from lists.facet_pages(frame, language, facet, by_facet.get(facet, []), now, years)
        for year in years:
            yield lists.search_rows(language, year, by_year.get(year, []), now)
    for year in years:
        yield lists.kept(year, by_year.get(year, []))
        yield machine.sitemap_of(frame, year, by_year.get(year, []))


def _is_beside(order: Sequence[str], month: str, months: Collection[str]) -> bool:
    place = order.index(month)
    return any(each in months for each in order[max(place - 1, 0) : place + 2])


def _sorted_out(
    every: Sequence[Entry],
) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]], dict[lists.Facet, list[Entry]]]:
    """By month, year and facet, each newest first."""
    by_month: dict[str, list[Entry]] = defaultdict(list)
    by_year: dict[str, list[Entry]] = defaultdict(list)
    by_facet: dict[lists.Facet, list[Entry]] = defaultdict(list)
    for each in every:
        by_month[each.month].append(each)
        by_year[each.year].append(each)
        for facet in lists.facets_of(each):
            by_facet[facet].append(each)
    return by_month, by_year, by_facet
