"""How often the public reads what: counted by the own server as it answers, without address, cookie or browser.

Whoever serves counts in memory and settles with the database once a minute, so that an answer costs an addition.
Counts that could tell on somebody, because they are small, are shown to nobody (`suppressed`). Pages that a CDN or
another web server hands out are not counted here: its own statistics are.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

from django.db import transaction
from django.db.models import F

from .models import Embedded, Read

LEAST = 10
"""A count below this is not shown, and others in steps of it."""
LEAST_FROM_HOST = 20
"""From so many on a day the host that shows the widget is written down; below, it may be somebody's own page."""
MOST_KEPT = 20_000
"""Different hosts that wait in memory; what is beyond is not counted: a flood fills nothing."""
KEPT = timedelta(days=800)
LANGUAGE = r"(?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)"
NUMBER = r"(?P<number>[A-Z]{4,12}-[0-9]{4}-[0-9]{4,8})"
_OUTPUTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("page", re.compile(rf"{LANGUAGE}/{NUMBER}/(?:v[0-9]+/)?")),
    ("page", re.compile(rf"{NUMBER}/")),
    ("cap", re.compile(rf"{NUMBER}/(?:alert|v[0-9]+)\.cap\.xml")),
    ("stix", re.compile(rf"{NUMBER}/alert\.stix\.json")),
    ("linked-data", re.compile(rf"{NUMBER}/{LANGUAGE}\.jsonld")),
    ("pdf", re.compile(rf"{NUMBER}/{LANGUAGE}\.pdf")),
    ("card", re.compile(rf"{NUMBER}/card-{LANGUAGE}\.(?:svg|png)")),
    ("text", re.compile(rf"{NUMBER}/{LANGUAGE}(?:\.sms)?\.txt")),
    ("kit", re.compile(rf"{NUMBER}/kit\.zip")),
    ("feed", re.compile(rf"(?:{LANGUAGE}/)?feed(?:-[0-9]+)?\.(?:atom|rss)")),
    ("widget", re.compile(rf"widget/{LANGUAGE}(?:/|\.json)")),
    ("home", re.compile(rf"{LANGUAGE}/")),
)
_hosts: Counter[tuple[date, str]] = Counter()
"""What one process knows of a day's hosts that are too few yet to be written down."""
_lock = threading.Lock()


def what(path: str) -> tuple[str, str, str] | None:
    """Number, output and language of an address below the root of the site; None for what is not counted."""
    for name, pattern in _OUTPUTS:
        found = pattern.fullmatch(path)
        if found is not None:
            said = found.groupdict()
            return said.get("number") or "", name, said.get("language") or ""
    return None


def settle(taken: Mapping[str, int], shown_by: Mapping[str, int], at: datetime) -> int:
    """Add what a process handed out (address → how often, host → how often) to what the database knows. Returns how
    many counts were written."""
    day = at.astimezone(UTC).date()
    counts: Counter[tuple[str, str, str]] = Counter()
    for path, times in taken.items():
        known = what(path)
        if known is not None:
            counts[known] += times
    named = _named(day, shown_by)
    with transaction.atomic():
        keys = sorted(counts)
        rows = [Read(day=day, number=key[0], output=key[1], language=key[2]) for key in keys]
        Read.objects.bulk_create(rows, ignore_conflicts=True)
        for number, output, language in keys:
            mine = Read.objects.filter(day=day, number=number, output=output, language=language)
            mine.update(count=F("count") + counts[number, output, language])
        Embedded.objects.bulk_create([Embedded(day=day, host=host) for host in sorted(named)], ignore_conflicts=True)
        for host in sorted(named):
            Embedded.objects.filter(day=day, host=host).update(count=F("count") + named[host])
    return len(counts) + len(named)


def _named(day: date, shown_by: Mapping[str, int]) -> dict[str, int]:
    """The hosts that showed the widget often enough to be named, with what was kept back of them until now."""
    with _lock:
        for place in [each for each in _hosts if each[0] != day]:
            del _hosts[place]
        for host, times in shown_by.items():
            if (day, host) in _hosts or len(_hosts) < MOST_KEPT:
                _hosts[day, host] += times
        found = {host: times for (_, host), times in _hosts.items() if times >= LEAST_FROM_HOST}
        for host in found:
            del _hosts[day, host]
    return found


def forget_old(at: datetime) -> None:
    """Counts that nobody compares with any more."""
    day = (at - KEPT).date()
    Read.objects.filter(day__lt=day).delete()
    Embedded.objects.filter(day__lt=day).delete()


def suppressed(count: int) -> int | None:
    """The count in full tens, or None where it is so small that it could tell on somebody; nothing is nothing.

    In tens, no small one can be found by taking others from a sum.
    """
    return count - count % LEAST if count >= LEAST or not count else None


def shown(rows: Iterable[tuple[str, int]]) -> list[tuple[str, int | None]]:
    """Counts as they may be shown, the largest first."""
    ordered = sorted(rows, key=lambda pair: (-pair[1], pair[0]))
    return [(name, suppressed(number)) for name, number in ordered if number]
