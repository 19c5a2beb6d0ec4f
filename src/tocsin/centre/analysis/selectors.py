"""Figures for the first pages. Only tallies are read, never the lake, and only through the gate.

Figures count rows by the day on which they were observed, in UTC. Rows with the role of a victim are counted
only where the viewer might read them: for others they do not exist (DOMAIN 4.9).
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import F, Q, QuerySet, Sum

from tocsin.centre.intake.models import Batch, NameTally, Tally
from tocsin.centre.intake.register import Register, register
from tocsin.centre.intake.selectors import countable, scope_in, victim_countries, visible_batches
from tocsin.centre.intake.vault import opened_word
from tocsin.core.words import Role
from tocsin.handling import Viewer
from tocsin.lake.scope import Batches

T = TypeVar("T")
SPANS: dict[str, int | None] = {"24h": 1, "7d": 7, "90d": 90, "all": None}
"""Name of a span → days before today; None: everything."""
SIDES: dict[str, frozenset[str] | None] = {
    "all": None,
    "victims": frozenset({Role.VICTIM.value}),
    "hosting": frozenset({Role.ATTACKER_INFRA.value, Role.COMPROMISED_THIRD_PARTY.value}),
}
"""What a map shows → roles that it counts."""
COLUMNS_MOST = 90
CACHE_SECONDS, COUNTED_SECONDS = 3600, 86_400
ADDED_MOST = 500
"""Batches that are added to what was counted; from there on counting anew is as quick."""
Sums = Mapping[tuple[Any, ...], int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a viewer's rows of a span come to."""

    by_country: Mapping[str, int]
    by_day: Sequence[tuple[date, int]]
    """Every day of the span, at most the last 90, oldest first."""
    rows: int
    countries: int
    without_country: int


def span_or(asked: str, default: str = "7d") -> str:
    """A span's name as asked for, else the default."""
    return asked if asked in SPANS else default


def since(span: str, now: datetime) -> date | None:
    """First day of the span."""
    days = SPANS[span]
    return None if days is None else now.date() - timedelta(days=days)


def home_figures(viewer: Viewer, now: datetime, span: str, side: str = "all") -> Figures:
    """Rows by country and by day, for the map and the curve."""
    return cached(viewer, now, f"home:{span}:{side}", lambda: _figures(viewer, now, span, side))


def country_figures(viewer: Viewer, now: datetime, span: str, code: str) -> Figures:
    """The same for one country."""
    return cached(viewer, now, f"country:{span}:{code}", lambda: _figures(viewer, now, span, "all", code))


def _figures(viewer: Viewer, now: datetime, span: str, side: str, code: str = "") -> Figures:
    rows = _within(countable(viewer), now, span)
    roles = SIDES[side]
    if roles is not None:
        rows = rows.filter(role__in=roles)
    if code:
        rows = rows.filter(country=code)
    # One pass: the groups of a country and a day are few, and both sums are made from them.
    groups = summed(viewer, now, f"{span}:{side}:{code}", rows, "country", "day")
    by_country: Counter[str] = Counter()
    by_day: Counter[date] = Counter()
    for (code, on), n in groups.items():
        by_country[code] += n
        by_day[on] += n
    unknown = by_country.pop("", 0)
    total = sum(by_country.values()) + unknown
    return Figures(dict(by_country), _filled(by_day, now.date(), SPANS[span]), total, len(by_country), unknown)


def _within(rows: QuerySet[Tally], now: datetime, span: str) -> QuerySet[Tally]:
    first = since(span, now)
    return rows if first is None else rows.filter(day__gte=first)


def _filled(by_day: Mapping[date, int], today: date, days: int | None) -> list[tuple[date, int]]:
    last = today if days is not None else max(by_day, default=today)
    length = min(COLUMNS_MOST, (days or COLUMNS_MOST)) + 1
    return [(on, by_day.get(on, 0)) for on in (last - timedelta(days=back) for back in range(length - 1, -1, -1))]


@dataclass(frozen=True, slots=True)
class Named:
    """A name with its rows."""

    name: str
    rows: int


def top_malware(viewer: Viewer, now: datetime, span: str, code: str = "", limit: int = 8) -> list[Named]:
    """Malware names with most rows that were last seen in the span; in one country, if a code is given."""

    def ask() -> list[Named]:
        rows = NameTally.objects.all()
        if not viewer.is_victim_desk:
            # Name tallies know no roles; most named rows are victims, so only what is one's own is counted.
            own = Batch.objects.filter(organisation__slug=viewer.organisation)
            rows = rows.filter(Q(country__in=victim_countries(viewer)) | Q(batch__in=own))
        first = since(span, now)
        if first is not None:
            rows = rows.filter(last_day__gte=first)
        if code:
            rows = rows.filter(country=code)
        groups: Counter[str] = Counter()
        for (word,), n in summed(viewer, now, f"malware:{span}:{code}", rows, "malware").items():
            if name := opened_word(word):
                groups[name] += n
        most = heapq.nsmallest(limit, groups.items(), key=lambda each: (-each[1], each[0]))
        return [Named(*each) for each in most]

    return cached(viewer, now, f"malware:{span}:{code}:{limit}", ask)


def parts_of_country(viewer: Viewer, now: datetime, span: str, code: str) -> tuple[list[Named], list[Named]]:
    """Rows of a country by type of event and by role, most first."""

    def ask() -> tuple[list[Named], list[Named]]:
        rows = _within(countable(viewer).filter(country=code), now, span)
        types: Counter[str] = Counter()
        roles: Counter[str] = Counter()
        for (kind, role), n in summed(viewer, now, f"parts:{span}:{code}", rows, "type", "role").items():
            types[kind] += n
            roles[role] += n
        return [Named(*each) for each in types.most_common(10)], [Named(*each) for each in roles.most_common()]

    return cached(viewer, now, f"parts:{span}:{code}", ask)


@dataclass(frozen=True, slots=True)
class CountryLine:
    """A country in the list: rows in the span, the curve, the last day with a row."""

    rows: int
    series: tuple[int, ...]
    last_on: date | None


def country_lines(viewer: Viewer, now: datetime, span: str) -> dict[str, CountryLine]:
    """Country → its line; countries without rows in the span have none."""

    def ask() -> dict[str, CountryLine]:
        rows = _within(countable(viewer), now, span)
        by_code: dict[str, Counter[date]] = {}
        for (code, on), n in summed(viewer, now, f"{span}:all:", rows, "country", "day").items():
            if code:
                by_code.setdefault(code, Counter())[on] += n
        newest = max((on for days in by_code.values() for on in days), default=now.date())
        last = newest if span == "all" else now.date()
        return {
            code: CountryLine(
                sum(days.values()), tuple(n for _, n in _filled(days, last, SPANS[span])[-31:]), max(days)
            )
            for code, days in by_code.items()
        }

    return cached(viewer, now, f"countries:{span}", ask)


def cached(viewer: Viewer, now: datetime, name: str, ask: Callable[[], T]) -> T:
    """What `ask` answers, kept while nothing arrives and nothing is hidden; shared by all who see the same.

    The gate is asked anew every time: what is kept belongs to the pairs that it allows at this moment, so that a
    changed label, role or recall is never answered from memory.
    """
    seat = f"{name}:{now.date()}:{seat_of(viewer, register(), now)}"
    found: T | None = cache.get(seat)
    if found is None:
        found = ask()
        cache.set(seat, found, CACHE_SECONDS)
    return found


def seat_of(viewer: Viewer, known: Register, now: datetime) -> str:
    """The same for all who see the same: what the gate allows at this moment, and what there is."""
    return _digest(viewer, known, (known.change, int((known.rows["hidden_at"] <= now.timestamp()).sum())))


def _digest(viewer: Viewer, known: Register, state: object) -> str:
    held = [each.number for each in known.held_by(viewer)] if viewer.class_name else []
    rule = (viewer.is_victim_desk, viewer.organisation, sorted(victim_countries(viewer)))
    return hashlib.sha256(repr((sorted(held), state, rule)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Counted:
    """Sums over exactly these batches."""

    batches: Batches
    sums: Sums


def summed(viewer: Viewer, now: datetime, name: str, countable: QuerySet[Any], *keys: str) -> Sums:
    """Rows by these keys in the batches that the viewer may see, of what is countable in them.

    Tallies of a batch change only when a country is recast. So when something arrives, its batches alone are added
    to what was counted before under the same rule; when a batch is hidden, or any other may be seen, all is counted
    anew.
    """
    there = register()
    recast_at = float(there.rows["recast_at"].max(initial=0))
    seat = f"sums:{name}:{'+'.join(keys)}:{now.date()}:{_digest(viewer, there, recast_at)}"
    visible = scope_in(there, viewer, now).batches
    known: _Counted | None = cache.get(seat)
    if known is not None and known.batches <= visible and len(visible - known.batches) <= ADDED_MOST:
        new = visible - known.batches
        sums = _sums(countable.filter(batch__in=new), keys) if new else Counter()
        sums.update(known.sums)
    else:
        # The sum keeps databases from looking up one batch after the other, where one stretch of days answers.
        by_day = countable.alias(of=F("batch_id") + 0)
        sums = _sums(by_day.filter(of__in=visible_batches(viewer, now).values("pk")), keys)
        if register().change != there.change:
            return sums  # Something arrived meanwhile, and nobody knows whether it was counted.
    cache.set(seat, _Counted(visible, sums), COUNTED_SECONDS)
    return sums


def _sums(rows: QuerySet[Any], keys: Sequence[str]) -> Counter[tuple[Any, ...]]:
    groups = rows.order_by().values_list(*keys).annotate(n=Sum("rows"))
    return Counter({tuple(key): n for *key, n in groups})
