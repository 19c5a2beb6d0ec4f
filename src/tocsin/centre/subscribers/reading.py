"""How often the public reads what: counted by the own server as it answers, without address, cookie or browser.

Whoever serves counts in memory and settles with the database once a minute, so that an answer costs an addition.
Counts that could tell on somebody, because they are small, are shown to nobody (`suppressed`). Pages that a CDN or
another web server hands out are not counted here: its own statistics are.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import F

from .models import Embedded, Read

LEAST = 10
"""A count below this is not shown."""
LEAST_FROM_HOST = 20
"""From so many on a day the host that shows the widget is written down; below, it may be somebody's own page."""
MOST_KEPT = 20_000
"""Different counts that wait in memory; what is beyond is not counted: a flood of addresses fills nothing."""
KEPT = timedelta(days=800)
_LANGUAGE = r"(?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)"
_NUMBER = r"(?P<number>[A-Z]{4,12}-[0-9]{4}-[0-9]{4,8})"
_OUTPUTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("page", rf"{_LANGUAGE}/{_NUMBER}/(?:v[0-9]+/)?"),
        ("page", rf"{_NUMBER}/"),
        ("cap", rf"{_NUMBER}/(?:alert|v[0-9]+)\.cap\.xml"),
        ("stix", rf"{_NUMBER}/alert\.stix\.json"),
        ("linked-data", rf"{_NUMBER}/{_LANGUAGE}\.jsonld"),
        ("pdf", rf"{_NUMBER}/{_LANGUAGE}\.pdf"),
        ("card", rf"{_NUMBER}/card-{_LANGUAGE}\.(?:svg|png)"),
        ("text", rf"{_NUMBER}/{_LANGUAGE}(?:\.sms)?\.txt"),
        ("kit", rf"{_NUMBER}/kit\.zip"),
        ("feed", rf"(?:{_LANGUAGE}/)?feed(?:-[0-9]+)?\.(?:atom|rss)"),
        ("widget", rf"widget/{_LANGUAGE}(?:/|\.json)"),
        ("home", rf"{_LANGUAGE}/"),
    )
)
_Key = tuple[date, str, str, str]
_counts: Counter[_Key] = Counter()
_hosts: Counter[tuple[date, str]] = Counter()
_lock = threading.Lock()


def what(path: str) -> tuple[str, str, str] | None:
    """Number, output and language of an address below the root of the site; None for what is not counted."""
    for name, pattern in _OUTPUTS:
        found = pattern.fullmatch(path)
        if found is not None:
            said = found.groupdict()
            return said.get("number") or "", name, said.get("language") or ""
    return None


def count(path: str, at: datetime, *, referrer: str = "") -> None:
    """Something was handed out. `referrer` says only which host shows the widget, and is forgotten at once."""
    known = what(path)
    if known is None:
        return
    day = at.astimezone(UTC).date()
    with _lock:
        key = (day, *known)
        if key in _counts or len(_counts) < MOST_KEPT:
            _counts[key] += 1
        if known[1] == "widget" and (host := _host(referrer)):
            named = (day, host)
            if named in _hosts or len(_hosts) < MOST_KEPT:
                _hosts[named] += 1


def _host(referrer: str) -> str:
    try:
        return (urlsplit(referrer).hostname or "")[:253]
    except ValueError:
        return ""


def settle(at: datetime) -> int:
    """Add what was counted to what the database knows. Returns how many counts were written."""
    today = at.astimezone(UTC).date()
    with _lock:
        counts, hosts = dict(_counts), dict(_hosts)
        _counts.clear()
        for named_on, times in hosts.items():
            if named_on[0] != today or times >= LEAST_FROM_HOST:
                del _hosts[named_on]
    named = {key: times for key, times in hosts.items() if times >= LEAST_FROM_HOST}
    with transaction.atomic():
        rows = [Read(day=key[0], number=key[1], output=key[2], language=key[3]) for key in counts]
        Read.objects.bulk_create(rows, ignore_conflicts=True)
        for (day, number, output, language), times in sorted(counts.items()):
            mine = Read.objects.filter(day=day, number=number, output=output, language=language)
            mine.update(count=F("count") + times)
        Embedded.objects.bulk_create([Embedded(day=day, host=host) for day, host in named], ignore_conflicts=True)
        for (day, host), times in sorted(named.items()):
            Embedded.objects.filter(day=day, host=host).update(count=F("count") + times)
    return len(counts) + len(named)


def forget_old(at: datetime) -> None:
    """Counts that nobody compares with any more."""
    day = (at - KEPT).date()
    Read.objects.filter(day__lt=day).delete()
    Embedded.objects.filter(day__lt=day).delete()


def suppressed(count: int) -> int | None:
    """The count, or None where it is so small that it could tell on somebody; nothing is nothing."""
    return count if count >= LEAST or not count else None


def shown(rows: Iterable[tuple[str, int]]) -> list[tuple[str, int | None]]:
    """Counts as they may be shown, the largest first. Where one alone would be left out, the next smallest is too, or
    it could be found by taking the others from the sum."""
    ordered = sorted(rows, key=lambda pair: (-pair[1], pair[0]))
    found = [(name, suppressed(number)) for name, number in ordered if number]
    hidden = [place for place, (_, number) in enumerate(found) if number is None]
    if len(hidden) == 1 and len(found) > 1:
        place = hidden[0] - 1 if hidden[0] else 1
        found[place] = (found[place][0], None)
    return found
