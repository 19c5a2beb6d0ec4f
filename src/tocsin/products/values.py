"""A share in figures: its distinct values, who is affected, and what is new since the last package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from tocsin.core.words import VICTIM_LIKE, Role
from tocsin.reference.warnings import BIT

from .observations import chunks
from .order import home_codes

KEY = ("kind", "value", "role")
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
    return pl.Enum([role.value for role in Role])


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
    """What a share says in figures, gathered frame by frame in one pass over its rows."""

    def __init__(
        self,
        country: str,
        cap: int,
        misp_batches: frozenset[int] | None = None,
        grades: Mapping[int, str] | None = None,
    ) -> None:
        self.home = sorted(home_codes(country))
        self.cap = cap
        self.misp_batches = misp_batches
        self._shown = _Newest(cap, grades)
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

    def values(self) -> Values:
        """Distinct (kind, value, role), newest day first, then most seen, at most the cap."""
        return self._shown.values()

    def exportable(self) -> Values:
        """The same, only of the batches that may go to MISP."""
        return self._exportable.values()

    def seen(self) -> pl.DataFrame:
        """Every distinct (kind, value, role) with its sightings."""
        return self._shown.counted().select(*KEY, "sightings")

    def summary(self) -> dict[str, object]:
        """The figures of a report: totals, and rows by role, type, malware, network, day and offence."""
        here, role = pl.col("here"), pl.col("role")
        # How many (kind, value); equal ones are neighbours, so that their runs are counted.
        run = pl.col("kind").rle_id() + pl.col("value").rle_id()
        values, affected, hostile = (
            self._shown.counted()
            .select("here", "role", run=run)
            .select(
                pl.col("run").n_unique(),
                pl.col("run").filter(here & role.is_in(_VICTIMS)).n_unique().alias("affected"),
                pl.col("run").filter(here & role.is_in(_HOSTILE)).n_unique().alias("hostile"),
            )
            .row(0)
        )
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
    """The distinct values of all frames, and the details of those that will be shown."""

    def __init__(self, cap: int, grades: Mapping[int, str] | None) -> None:
        self.cap = cap
        self.grades = grades or {}
        self._counted: list[pl.DataFrame] = []
        self._details: list[pl.DataFrame] = []
        self._is_merged = False
        self._values: Values | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows into account; equal values are neighbours, as a share gives them.

        Numbering the runs of equal values costs a tenth of comparing texts. Where equal values are no neighbours,
        their runs are put together at the end, as those that lie across two frames are.
        """
        if not frame.height:
            return
        keys = frame.select(
            run=pl.col("kind").cast(pl.String).rle_id().cast(pl.Int64) + pl.col("value").rle_id(),
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
            pl.Series("last_at", last),
            pl.Series("sightings", sightings),
            pl.Series("here", np.logical_or.reduceat(keys["here"].to_numpy()[order], starts)),
        )
        chosen = np.zeros(len(starts), bool)
        chosen[_first_of(last // _DAY + _DAYS_BEFORE, sightings, self.cap)] = True
        self._counted.append(counted)
        self._details.append(_details(frame[order[chosen[group]]], self.grades))
        self._is_merged = len(self._counted) == 1 and _is_ordered(counted)

    def counted(self) -> pl.DataFrame:
        """Each distinct value once; a value may lie across the border of two frames."""
        if not self._counted:
            schema: dict[str, Any] = {
                **dict.fromkeys(KEY, pl.String),
                "last_at": pl.Int64,
                "sightings": pl.Int64,
                "here": pl.Boolean,
            }
            return pl.DataFrame(schema=schema)
        if not self._is_merged:
            joined = pl.concat(self._counted).group_by(KEY, maintain_order=True)
            self._counted = [joined.agg(pl.col("last_at").max(), pl.col("sightings").sum(), pl.col("here").any())]
            self._is_merged = True
        return self._counted[0]

    def values(self) -> Values:
        if self._values is None:
            self._values = self._newest() if self._details else Values((), 0)
        return self._values

    def _newest(self) -> Values:
        found = self._details[0] if len(self._details) == 1 else _together(self._details)
        words = (pl.col("types").list.sort(), pl.col("malware").list.sort().list.head(5), pl.col("grades").list.sort())
        shown = _newest_first(found.sort(KEY).with_columns(*words).select(*KEY, *_DETAILS)).head(self.cap)
        # Moments as text: the only form in which they leave, and thousands at once cost less than one by one.
        shown = shown.with_columns(pl.col("first_at", "last_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
        return Values(tuple(_dictionaries(shown)), self.counted().height)  # type: ignore[arg-type]


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


def _first_of(days: npt.NDArray[np.int64], sightings: npt.NDArray[np.int64], cap: int) -> npt.NDArray[np.intp]:
    """Places of the newest and most seen, at most the cap; of equals the first ones."""
    score = (days.clip(0, (1 << 20) - 1) << 43) + sightings.clip(0, (1 << 43) - 1)
    if len(score) <= cap:
        return np.arange(len(score))
    least = np.partition(score, len(score) - cap)[len(score) - cap]
    above = np.flatnonzero(score > least)
    return np.concatenate([above, np.flatnonzero(score == least)[: cap - len(above)]])


def _is_ordered(counted: pl.DataFrame) -> bool:
    """Whether no value returns after another one: every kind is one run, and values rise within it."""
    kind, value = pl.col("kind"), pl.col("value")
    falls = (value < value.shift()) & (kind == kind.shift())
    runs, kinds, fall = counted.select(runs=kind.rle_id().max() + 1, kinds=kind.n_unique(), fall=falls.any()).row(0)
    return bool(runs == kinds and not fall)


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


def gathered(frames: Iterable[pl.DataFrame], country: str, cap: int, batches: frozenset[int] | None = None) -> Figures:
    """The figures of these frames."""
    figures = Figures(country, cap, batches)
    for frame in frames:
        figures.add(frame)
    return figures


def distinct_values(share: Path, cap: int, batches: frozenset[int] | None = None) -> Values:
    """Distinct values of a share as a file; only of some batches if given."""
    return gathered(chunks(share), "", cap, batches).exportable()


def difference(now: pl.DataFrame, previous: Path | None, cap: int) -> dict[str, object]:
    """Values that are new, gone or continuing since the previous package's Parquet file, counted in full.

    `now` is every distinct value with its sightings. Lists hold at most `cap` values, the most seen first; without a
    previous package every value is new.
    """
    if previous is None:
        before = now.clear()
        new, gone, kept = now, before, before
    else:
        before = _seen(previous)
        new = now.join(before, on=KEY, how="anti", nulls_equal=True, maintain_order="left")
        gone = before.join(now, on=KEY, how="anti", nulls_equal=True, maintain_order="left")
        kept = now.join(before, on=KEY, how="semi", nulls_equal=True, maintain_order="left")
    return {
        "counts": {"new": new.height, "gone": gone.height, "continuing": now.height - new.height},
        "new": _listed(new, cap),
        "gone": _listed(gone, cap),
        "continuing": _listed(kept, cap),
    }


def _seen(path: Path) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .group_by(KEY, maintain_order=True)
        .agg(sightings=pl.col("count").fill_null(1).sum())
        .collect()
    )


def _dictionaries(table: pl.DataFrame) -> list[dict[str, object]]:
    """Rows of texts and numbers, by way of JSON: half the cost of Polars' own dictionaries."""
    return orjson.loads(table.write_json())  # type: ignore[no-any-return]


def _listed(table: pl.DataFrame, cap: int) -> dict[str, object]:
    shown = table.sort("sightings", descending=True, maintain_order=True).head(cap)
    return {"values": _dictionaries(shown), "left_out": table.height - shown.height}
