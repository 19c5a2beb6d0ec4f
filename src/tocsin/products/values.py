"""A share in figures: its distinct values, who is affected, and what is new since the last package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import polars as pl

from tocsin.core.words import VICTIM_LIKE, Role
from tocsin.reference.warnings import BIT

from .changes import KEY, Changes, dictionaries
from .observations import chunks
from .order import home_codes

_VICTIMS = [role.value for role in VICTIM_LIKE]
TOP = 10


class Value(TypedDict):
    """One distinct value in one role. Lists hold distinct words in order."""

    kind: str
    value: str
    role: str
    first_at: str
    """UTC with microseconds, without the zone: 2026-11-20T08:00:00.123456."""
    last_at: str
    sightings: int
    rows: int
    country: str | None
    types: list[str]
    malware: list[str]
    network: str | None
    asn: int | None
    confidence: int | None
    warnings: int
    """Bit mask of the groups of warning lists that hold it (reference.warnings.GROUPS)."""
    grades: list[str]
    """How its sources graded it, as `core.grading` keeps grades."""


@dataclass(frozen=True, slots=True)
class Values:
    """The newest and most seen values, and how many there were before the cap."""

    shown: tuple[Value, ...]
    total: int

    @property
    def left_out(self) -> int:
        return self.total - len(self.shown)


_COUNTED = ("role", "type", "offence", "severity", "kind")
_NEVER_BLOCKED = (
    "public-dns", "cdn", "top-site", "security-vendor", "sinkhole", "crawler", "mail-provider",
    "empty-hash", "known-file", "certificate-authority", "academic", "bank", "government", "common-service",
    "own-address", "phishing-exercise", "health", "company", "contact-address",
)  # fmt: skip
_HOSTILE = ["ATTACKER_INFRA", "COMPROMISED_THIRD_PARTY"]
_MOST_WORDS = 200_000
"""Families and networks that are counted at a time."""
_COMPACTED = 8
"""So many times the cap of details are gathered before those that will not be shown are dropped."""
_DAYS = 31
_DAY = 86_400_000_000
_DAYS_BEFORE = 200_000
_NEVER = -_DAYS_BEFORE * _DAY
"""Before every moment of the lake, in microseconds; stands for a missing one."""
_NEEDED = (
    "batch", "first_at", "last_at", "count", "kind", "value", "role", "type", "offence", "malware", "severity",
    "confidence", "country", "asn", "network", "warnings",
)  # fmt: skip
_DETAILS = (
    "first_at",
    "last_at",
    "sightings",
    "rows",
    "country",
    "types",
    "malware",
    "network",
    "asn",
    "confidence",
    "warnings",
    "grades",
)


def _roles() -> pl.Enum:
    """In the order of their names, as everywhere that values are listed."""
    return pl.Enum(sorted(role.value for role in Role))


def _sightings() -> pl.Expr:
    return pl.col("count").fill_null(1).sum()


def warned(value: Value) -> list[str]:
    """The groups of warning lists that speak against a rule to block it: half the world resolves, mails or updates by
    it. The address of one page at such a place is a rule all the same, as is what a customer of a host has."""
    is_customer = value["warnings"] & BIT["shared-host"] and value["value"].count(".") > 1
    if value["kind"] == "url" or not value["warnings"] or is_customer:
        return []
    return [group for group in _NEVER_BLOCKED if value["warnings"] & BIT[group]]


class Figures:
    """What a share says in figures, gathered frame by frame in one pass over its rows.

    The rows come in a share's order, by kind and value. What is held does not grow with them: a value is done when the
    next one comes, and of words without end the most frequent stay. `changes` hears of every distinct value.
    """

    def __init__(
        self,
        country: str,
        cap: int,
        misp_batches: frozenset[int] | None = None,
        grades: Mapping[int, str] | None = None,
        changes: Changes | None = None,
    ) -> None:
        self.home = sorted(home_codes(country))
        self.cap = cap
        self.misp_batches = misp_batches
        self._shown = _Newest(cap, grades, changes)
        self._exportable = self._shown if misp_batches is None else _Newest(cap, grades)
        self._rows = self._sightings = self._aimed_from_abroad = 0
        self._spans: list[tuple[object, object]] = []
        self._counts: dict[str, Counter[tuple[object, int]]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Take these rows into account."""
        frame = frame.select(_NEEDED).with_columns(
            _here=_among(frame, "country", self.home), _victim=_among(frame, "role", _VICTIMS)
        )
        self._shown.add(frame)
        if self.misp_batches:
            self._exportable.add(frame.filter(pl.col("batch").is_in(sorted(self.misp_batches))))
        self._rows += frame.height
        if not frame.height:
            return
        seen, first, last, aimed = frame.select(
            _sightings(), pl.col("first_at").min(), pl.col("last_at").max(), (~pl.col("_here")).sum().alias("aimed")
        ).row(0)
        self._sightings += seen
        self._aimed_from_abroad += aimed
        self._spans.append((first, last))
        for name in _COUNTED:
            self._count(f"by_{name}", frame.select(name, "count"))
        self._count("by_malware", frame.select("malware", "count").drop_nulls("malware"))
        networks = frame.select("asn", "count", "role", "_here", "_victim").filter("_here").drop_nulls("asn")
        self._count("affected_networks", networks.filter("_victim").select("asn", "count"))
        hosting = networks.filter(_among(networks, "role", _HOSTILE[:1]))
        self._count("hosting_networks", hosting.select("asn", "count"))
        hosts = frame.select("country", "count", "_here").filter(~pl.col("_here")).drop_nulls("country")
        self._count("host_countries", hosts.select("country", "count"))
        days = frame.group_by(pl.col("last_at").dt.date().alias("day")).agg(pl.len(), pl.col("_victim").sum())
        found = self._counts.setdefault("by_day", Counter())
        for day, rows, hit in days.drop_nulls("day").iter_rows():
            found[day, 0] += rows
            found[day, 1] += hit

    def _count(self, title: str, frame: pl.DataFrame) -> None:
        """Count rows and sightings by the words of the first column."""
        found = self._counts.setdefault(title, Counter())
        for word, rows, seen in frame.group_by(frame.columns[0]).agg(pl.len(), _sightings()).iter_rows():
            found[word, 0] += rows
            found[word, 1] += seen
        if len(found) > 2 * _MOST_WORDS:  # What is dropped and returns is counted from then on.
            rare = sorted((word for word, which in found if not which), key=lambda word: found[word, 0])
            for word in rare[: len(rare) // 2]:
                del found[word, 0], found[word, 1]

    @property
    def held(self) -> int:
        """Rows and words that are held."""
        gathered = self._shown.held + (0 if self._exportable is self._shown else self._exportable.held)
        return gathered + sum(len(each) for each in self._counts.values())

    def values(self) -> Values:
        """Distinct (kind, value, role), newest day first, then most seen, at most the cap."""
        return self._shown.values()

    def exportable(self) -> Values:
        """The same, only of the batches that may go to MISP."""
        return self._exportable.values()

    def summary(self) -> dict[str, object]:
        """The figures of a report: totals, and rows by role, type, malware, network, day and offence."""
        values, affected, hostile = self._shown.distinct()
        firsts = [first for first, _ in self._spans if isinstance(first, datetime)]
        lasts = [last for _, last in self._spans if isinstance(last, datetime)]
        found: dict[str, object] = {
            "rows": self._rows,
            "sightings": self._sightings,
            "values": values,
            "first_at": min(firsts).isoformat() if firsts else None,
            "last_at": max(lasts).isoformat() if lasts else None,
            "affected": affected,
            "hostile": hostile,
            "aimed_from_abroad": self._aimed_from_abroad,
        }
        for name in _COUNTED:
            found[f"by_{name}"] = self._counted(f"by_{name}", name, 20)
        for title, name in (
            ("by_malware", "malware"), ("affected_networks", "asn"), ("hosting_networks", "asn"),
            ("host_countries", "country"),
        ):  # fmt: skip
            found[title] = self._counted(title, name, TOP)
        by_day = self._counts.get("by_day", Counter())
        days = sorted({day for day, _ in by_day})[-_DAYS:]  # type: ignore[type-var]
        found["by_day"] = [
            {"day": day.isoformat(), "rows": by_day[day, 0], "affected": by_day[day, 1]}  # type: ignore[attr-defined]
            for day in days
        ]
        return found

    def leading(self) -> dict[str, object]:
        """The type and the malware of at least half the rows, empty where none has as many, and whether there are
        several types: what the package is called by."""
        found: dict[str, object] = {"is_mixed": len({word for word, _ in self._counts.get("by_type", Counter())}) > 1}
        for key, title, name in (("type", "by_type", "type"), ("family", "by_malware", "malware")):
            first = next(iter(self._counted(title, name, 1)), {name: None, "rows": 0})
            found[key] = (first[name] or "") if 2 * int(str(first["rows"])) >= self._rows else ""
        return found

    def _counted(self, title: str, name: str, limit: int) -> list[dict[str, object]]:
        counts = self._counts.get(title, Counter())
        words = sorted({word for word, _ in counts}, key=lambda word: (-counts[word, 0], word is not None, word))
        return [{name: word, "rows": counts[word, 0], "sightings": counts[word, 1]} for word in words[:limit]]


class _Newest:
    """The distinct values of all frames in numbers, and the details of those that will be shown.

    The last value of a frame stays open, because the next frame may go on with it.
    """

    def __init__(self, cap: int, grades: Mapping[int, str] | None, changes: Changes | None = None) -> None:
        self.cap = cap
        self.grades = grades or {}
        self._changes = changes
        self._open = pl.DataFrame()
        self._total = self._distinct = self._affected = self._hostile = 0
        self._details: list[pl.DataFrame] = []
        self._values: Values | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows into account; they go on in the order of those before."""
        if not frame.height:
            return
        # Numbering the runs of equal values costs a tenth of comparing texts.
        keys = frame.select(
            run=_runs(),
            role=pl.col("role").cast(_roles()).to_physical().cast(pl.Int64).fill_null(63),
            last=pl.col("last_at").to_physical().fill_null(_NEVER),
            count=pl.col("count").fill_null(1),
            here=pl.col("_here"),
        )
        key = keys["run"].to_numpy() * 64 + keys["role"].to_numpy()
        order = np.argsort(key, kind="stable")
        group = np.cumsum(np.diff(key[order], prepend=key[order[0]]) != 0)
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        last = np.maximum.reduceat(keys["last"].to_numpy()[order], starts)
        sightings = np.add.reduceat(keys["count"].to_numpy()[order], starts)
        counted = _plain(frame.select(KEY)[order[starts]]).with_columns(
            pl.Series("sightings", sightings),
            pl.Series("here", np.logical_or.reduceat(keys["here"].to_numpy()[order], starts)),
        )
        run = key[order[starts]] // 64
        # What may lie across the border of two frames is taken whatever it counts here.
        chosen = (run == run[0]) | (run == run[-1])
        chosen[_first_of(last // _DAY + _DAYS_BEFORE, sightings, self.cap)] = True
        self._details.append(_details(frame[order[chosen[group]]], self.grades))
        self._go_on(counted, int(np.searchsorted(run, run[0], "right")), int(np.searchsorted(run, run[-1])))
        if sum(part.height for part in self._details) > _COMPACTED * self.cap:
            self._compact()

    def _go_on(self, counted: pl.DataFrame, first_end: int, last_start: int) -> None:
        """The distinct values of a frame after those of the frames before; the last one stays open."""
        if self._open.height:
            before, now = (each.row(place)[:2] for each, place in ((self._open, -1), (counted, 0)))
            if before == now:
                same = pl.concat([self._open, counted[:first_end]]).group_by(KEY)
                same_value = same.agg(pl.col("sightings").sum(), pl.col("here").any()).sort("role", nulls_last=True)
                counted = pl.concat([same_value, counted[first_end:]])
                last_start = 0 if last_start == 0 else last_start + same_value.height - first_end
            else:
                counted = pl.concat([self._open, counted])
                last_start += self._open.height
        if not _is_ordered(counted):
            raise ValueError("the rows of a share come by kind and value")
        self._done(counted[:last_start])
        self._open = counted[last_start:]

    def _done(self, counted: pl.DataFrame) -> None:
        """Count values of which no more rows will come."""
        if not counted.height:
            return
        here, role, run = pl.col("here"), pl.col("role"), pl.col("run")
        distinct, affected, hostile = (
            counted.select("here", "role", run=_runs())
            .select(
                run.n_unique(),
                run.filter(here & role.is_in(_VICTIMS)).n_unique().alias("affected"),
                run.filter(here & role.is_in(_HOSTILE)).n_unique().alias("hostile"),
            )
            .row(0)
        )
        self._total += counted.height
        self._distinct += distinct
        self._affected += affected
        self._hostile += hostile
        if self._changes is not None:
            self._changes.add(counted.select(*KEY, "sightings"))

    def _end(self) -> None:
        self._done(self._open)
        self._open = self._open.clear()

    @property
    def held(self) -> int:
        return self._open.height + sum(part.height for part in self._details)

    def distinct(self) -> tuple[int, int, int]:
        """Distinct values, and the affected and the hostile ones in the country; no more rows come."""
        self._end()
        return self._distinct, self._affected, self._hostile

    def values(self) -> Values:
        """What is shown; no more rows come."""
        if self._values is None:
            self._end()
            self._values = self._newest() if self._details else Values((), 0)
        return self._values

    def _compact(self) -> None:
        """Drop the details that will not be shown, but for those of the open value."""
        found = _ordered(_together(self._details))
        kind, value = self._open.row(0)[:2]
        is_open = (pl.col("kind") == kind) & (pl.col("value") == value)
        self._details = [pl.concat([_newest_first(found.filter(~is_open)).head(self.cap), found.filter(is_open)])]

    def _newest(self) -> Values:
        found = self._details[0] if len(self._details) == 1 else _together(self._details)
        shown = _newest_first(_ordered(found)).head(self.cap)
        # Moments as text: the only form in which they leave, and thousands at once cost less than one by one.
        shown = shown.with_columns(pl.col("first_at", "last_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
        return Values(tuple(dictionaries(shown)), self._total)  # type: ignore[arg-type]


def _runs() -> pl.Expr:
    """The number of each run of equal (kind, value)."""
    return pl.col("kind").cast(pl.String).rle_id().cast(pl.Int64) + pl.col("value").rle_id()


def _details(frame: pl.DataFrame, grades: Mapping[int, str]) -> pl.DataFrame:
    known = pl.lit(None, dtype=pl.String)
    if grades:
        known = pl.col("batch").replace_strict(
            list(grades), list(grades.values()), default=None, return_dtype=pl.String
        )
    found = _plain(frame).with_columns(_grade=known).group_by(KEY, maintain_order=True)
    return found.agg(
        pl.col("first_at").min(),
        pl.col("last_at").max(),
        _sightings().alias("sightings"),
        pl.len().alias("rows"),
        pl.col("country").drop_nulls().min(),
        pl.col("type").drop_nulls().unique().alias("types"),
        pl.col("malware").drop_nulls().unique(),
        pl.col("network").drop_nulls().min(),
        pl.col("asn").drop_nulls().min(),
        pl.col("confidence").max(),
        pl.col("warnings").fill_null(0).max(),
        pl.col("_grade").drop_nulls().unique().alias("grades"),
    )


def _together(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The details of values that may stand in several parts."""
    return (
        pl.concat(parts)
        .group_by(KEY)
        .agg(
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            pl.col("sightings", "rows").sum(),
            pl.col("country").drop_nulls().min(),
            pl.col("types", "malware", "grades").explode().drop_nulls().unique(),
            pl.col("network", "asn").drop_nulls().min(),
            pl.col("confidence", "warnings").max(),
        )
    )


def _ordered(found: pl.DataFrame) -> pl.DataFrame:
    """Values by their names, their words in order and no more of them than are shown."""
    words = (pl.col("types").list.sort(), pl.col("malware").list.sort().list.head(5), pl.col("grades").list.sort())
    return found.sort(KEY).with_columns(*words).select(*KEY, *_DETAILS)


def _first_of(days: npt.NDArray[np.int64], sightings: npt.NDArray[np.int64], cap: int) -> npt.NDArray[np.intp]:
    """Places of the newest and most seen, at most the cap; of equals the first ones."""
    score = (days.clip(0, (1 << 20) - 1) << 43) + sightings.clip(0, (1 << 43) - 1)
    if len(score) <= cap:
        return np.arange(len(score))
    least = np.partition(score, len(score) - cap)[len(score) - cap]
    above = np.flatnonzero(score > least)
    return np.concatenate([above, np.flatnonzero(score == least)[: cap - len(above)]])


def _is_ordered(counted: pl.DataFrame) -> bool:
    """Whether kinds rise, and values within a kind."""
    kind, value = pl.col("kind"), pl.col("value")
    falls = (kind < kind.shift()) | ((kind == kind.shift()) & (value < value.shift()))
    return not counted.select(falls.any()).item()


def _among(frame: pl.DataFrame, name: str, words: list[str]) -> pl.Expr:
    """Whether a column holds one of these words; where words are numbers already, those are compared."""
    column, kind = pl.col(name), frame.schema[name]
    if isinstance(kind, pl.Enum):
        numbers = [number for number, word in enumerate(kind.categories) if word in words]
        return column.to_physical().is_in(numbers).fill_null(False)
    return column.cast(pl.String).is_in(words).fill_null(False)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String)) if _has_words(frame) else frame


def _has_words(frame: pl.DataFrame) -> bool:
    return any(isinstance(dtype, pl.Enum) for dtype in frame.dtypes)


def _newest_first(table: pl.DataFrame) -> pl.DataFrame:
    """By day and sightings; what is equal keeps its order, which is that of the values."""
    return table.sort(
        pl.col("last_at").dt.date(), "sightings", descending=[True, True], nulls_last=True, maintain_order=True
    )


def gathered(
    frames: Iterable[pl.DataFrame],
    country: str,
    cap: int,
    batches: frozenset[int] | None = None,
    changes: Changes | None = None,
) -> Figures:
    """The figures of these frames."""
    figures = Figures(country, cap, batches, changes=changes)
    for frame in frames:
        figures.add(frame)
    return figures


def distinct_values(share: Path, cap: int, batches: frozenset[int] | None = None) -> Values:
    """Distinct values of a share as a file; only of some batches if given."""
    return gathered(chunks(share), "", cap, batches).exportable()
