"""Times as sources write them, to UTC, a whole column at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from dateutil import parser as dateutil

from tocsin.core.observations import moment

EXACT = {"%Y-%m-%dT%H:%M:%SZ": True, "%Y-%m-%d %H:%M:%S": False, "%Y-%m-%dT%H:%M:%S": False}
"""Forms of one length, and whether they say UTC: read six times as fast as the same with fractions and offsets."""
WITH_ZONE = (
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f %#z",
    "%a, %d %b %Y %H:%M:%S %#z",
)
PLAIN = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
)
DAY_FIRST = (
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
)
MONTH_FIRST = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m-%d-%Y %H:%M:%S")
SHORT_DAY_FIRST = ("%d/%m/%y %H:%M:%S", "%d/%m/%y %H:%M", "%d.%m.%y %H:%M")
SHORT_MONTH_FIRST = ("%m/%d/%y %H:%M:%S", "%m/%d/%y %H:%M")
FIRST = datetime(1000, 1, 1)  # noqa: DTZ001 - compared with times whose zone is not known yet.
"""A year below this is one of two digits that was read as four."""
DOTTED = re.compile(r"\d{1,2}\.\d{1,2}\.\d{2,4}(?!\d)")
"""Where dots stand between the numbers of a day, the day comes first."""
DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
MOST_DISTINCT = 20_000
"""Distinct texts given to the slow, lenient parser; a column with more of them is not made of times."""


def moments(texts: pl.Series, *, time_zone: str = "UTC", day_first: bool = False) -> pl.Series:
    """UTC moments of a column of text (or of Datetime, which passes); null where a text is none.

    Reads RFC 3339, RFC 5322, the common written forms, days, and epoch seconds, milliseconds and microseconds.
    """
    if texts.dtype == moment():
        return texts
    if texts.dtype != pl.String:
        return texts.cast(moment(), strict=False)
    found = pl.Series(texts.name, [None], dtype=moment()).new_from_index(0, len(texts))
    days, months = DAY_FIRST + SHORT_DAY_FIRST, MONTH_FIRST + SHORT_MONTH_FIRST
    slashed = days + months if day_first else months + days
    steps = [(form, True) for form in (*_exact(True), *WITH_ZONE)] + [
        (form, False) for form in (*_exact(False), *PLAIN, *slashed)
    ]
    if (
        not (sample := texts.drop_nulls().head(1)).is_empty()
        and not sample.str.contains("[Zz]$|[+-][0-9]{2}:?[0-9]{2}$")[0]
    ):
        steps.sort(key=lambda step: step[1])
    for form, zoned in steps:
        left = found.is_null() & texts.is_not_null()
        if not left.any():
            return found
        found = _fill(found, left, _parsed(texts.filter(left), form, zoned, time_zone))
    left = found.is_null() & texts.is_not_null()
    return _fill(found, left, _lenient(texts.filter(left), time_zone, day_first)) if left.any() else found


def _fill(found: pl.Series, left: pl.Series, new: pl.Series) -> pl.Series:
    if len(new) == len(found):
        return new.alias(found.name)
    if new.null_count() == len(new):
        return found
    numbers = (
        found.to_physical().to_numpy().copy() if found.null_count() == 0 else found.cast(pl.Int64).to_numpy().copy()
    )
    merged = (
        np.where(np.isnan(numbers), np.iinfo(np.int64).min, numbers).astype(np.int64)
        if numbers.dtype.kind == "f"
        else numbers
    )
    valid = found.is_not_null().to_numpy().copy()
    at = np.flatnonzero(left.to_numpy())
    merged[at] = new.cast(pl.Int64).fill_null(0).to_numpy()
    valid[at] = new.is_not_null().to_numpy()
    frame = pl.DataFrame({"number": merged, "valid": valid})
    return frame.select(pl.when("valid").then(pl.col("number").cast(moment())).alias(found.name)).to_series()


def _exact(zoned: bool) -> list[str]:
    return [form for form, says_utc in EXACT.items() if says_utc is zoned]


def _parsed(texts: pl.Series, form: str, zoned: bool, time_zone: str) -> pl.Series:
    if zoned:
        return texts.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC", cache=form not in EXACT).cast(
            moment()
        )
    naive = texts.str.to_datetime(form, strict=False, time_unit="us", cache=form not in EXACT)
    earliest = naive.min()
    if isinstance(earliest, datetime) and earliest < FIRST:
        naive = pl.select(pl.when(naive >= FIRST).then(naive)).to_series()
    if time_zone == "UTC":
        return naive.dt.replace_time_zone("UTC")
    return naive.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def _lenient(texts: pl.Series, time_zone: str, day_first: bool) -> pl.Series:
    distinct = texts.unique()
    if len(distinct) > MOST_DISTINCT and not distinct.str.contains(r"^[0-9]{9,16}(?:\.[0-9]+)?$").all():
        distinct = distinct.head(MOST_DISTINCT)
    known = {text: one_moment(text, time_zone=time_zone, day_first=day_first) for text in distinct}
    table = pl.DataFrame({"text": list(known), "at": list(known.values())}, schema={"text": pl.String, "at": moment()})
    joined = texts.alias("text").to_frame().join(table, on="text", how="left", maintain_order="left")
    return joined["at"]


def one_moment(text: str, *, time_zone: str = "UTC", day_first: bool = False) -> datetime | None:
    """The UTC moment that one text means; None when it means none."""
    bare = text.strip().strip("\"'")
    try:
        if bare.replace(".", "", 1).isdigit() and 9 <= len(bare.partition(".")[0]) <= 16:
            return _epoch(float(bare))
        if not any(sign.isdigit() for sign in bare) or len(bare) > 60 or len(bare) < 6:
            return None
        read = dateutil.parse(bare, dayfirst=day_first or bool(DOTTED.match(bare)), default=datetime(1, 1, 1))  # noqa: DTZ001 - the zone comes next.
        if read.year == 1:
            return None
        if read.tzinfo is None:
            read = read.replace(tzinfo=ZoneInfo(time_zone))
        return read.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, OSError):
        return None


def _epoch(number: float) -> datetime | None:
    seconds = number / (1 if number < 1e11 else 1e3 if number < 1e14 else 1e6)
    return datetime.fromtimestamp(seconds, UTC)
