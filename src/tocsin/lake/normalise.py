"""The kernel: draft rows of any reader in, observations out, and a rejection for every row that is none.

Works on whole columns, never on one row at a time. A pure function of the rows, the profile, the moment of
receipt and the reference tables: the same bytes read again give the same observations, on any engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from tocsin.core.later import Table
from tocsin.core.observations import DRAFT, SCHEMA
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rows
from tocsin.core.words import Unit
from tocsin.reference.addresses import AddressTables

from . import columns, places, repeats, subject

REJECTION_SCHEMA: Table[type[pl.DataType]] = Table(
    lambda: {
        "position": pl.Int64,
        "unit": pl.String,
        "reason": pl.String,
        "field": pl.String,
        "excerpt": pl.String,
    }
)
PART, RECEIVED = "part", "received_at"
"""Columns of drafts of several deliveries: whose a row is, and when that came. Rows of two parts are never the same."""
EARLIEST = datetime.fromisoformat("1990-01-01T00:00:00+00:00")
AHEAD = timedelta(days=1)
"""How far a source's clock may run ahead of the moment of receipt."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the kernel needs beside the rows."""

    profile: Profile
    received_at: datetime
    tables: AddressTables


@dataclass(slots=True)
class Draft:
    """Rows on their way: what is refused leaves the frame and is remembered."""

    frame: pl.DataFrame
    unit: Unit
    refused: list[pl.DataFrame] = field(default_factory=list)

    def refuse(self, mask: pl.Series, name: str, reason: str | pl.Series) -> None:
        """Take out the rows where `mask` holds, for the reason given (a code, or one for each row)."""
        mask = mask.fill_null(False)
        if not mask.any():
            return
        out = self.frame.filter(mask)
        reasons = pl.lit(reason) if isinstance(reason, str) else reason.filter(mask)
        shown = pl.col(name).cast(pl.String).str.slice(0, 120) if name in out.columns else pl.lit("")
        self.refused.append(
            out.select(
                "position",
                pl.lit(self.unit.value).alias("unit"),
                reasons.alias("reason") if isinstance(reasons, pl.Expr) else pl.Series("reason", reasons),
                pl.lit(name).alias("field"),
                shown.fill_null("").alias("excerpt"),
                *(name for name in ("key", PART) if name in out.columns),
            )
        )
        self.frame = self.frame.filter(~mask)

    def set(self, **new: pl.Series | pl.Expr) -> None:
        """Replace or add columns."""
        self.frame = self.frame.with_columns(**new)


@dataclass(frozen=True, slots=True)
class Normalised:
    """Observations (all columns of SCHEMA but `batch`), rejections, and how many rows were repeats."""

    frame: pl.DataFrame
    rejections: pl.DataFrame
    repeats: int
    keys: pl.DataFrame
    """KEY_COLUMNS: which row of `frame` stands for the draft row with that key; empty where nobody remembers."""
    again: pl.DataFrame
    """COUNT_COLUMNS: rows of earlier chunks that came again, and how often."""
    refused: pl.Series
    """The key of each row of `rejections`; empty where nobody remembers."""
    parts: pl.Series | None = None
    """PART of each row of `frame`, where drafts had it; `rejections` have it as a column then."""


def normalise(rows: Rows, context: Context, seen: repeats.Seen | None = None) -> Normalised:
    """Observations of the rows, in their order. `seen` remembers the rows of earlier chunks of the delivery."""
    frame, repeated, again = _once_each(rows.frame, seen)
    draft = Draft(columns.prepared(frame, context.profile), rows.unit)
    subject.settle(draft)
    _times(draft, context, day_first=rows.day_first or context.profile.day_first)
    columns.check_words(draft)
    columns.check_numbers(draft)
    columns.check_countries(draft)
    _where(draft, context.tables)
    columns.other_side(draft, context.tables)
    columns.names_and_texts(draft, is_plain=rows.is_plain and _is_plain(context.profile))
    columns.warning_flags(draft)
    keys = draft.frame["key"] if "key" in draft.frame.columns else pl.Series("key", [], dtype=pl.UInt64)
    observations, kept = _windowed(_completed(draft.frame), context.profile.window_minutes)
    standing = np.arange(len(keys)) if kept is None else kept[: len(keys)]
    rejections = pl.concat(draft.refused).sort("position") if draft.refused else pl.DataFrame(schema=REJECTION_SCHEMA)
    refused = rejections["key"] if "key" in rejections.columns else pl.Series("key", [], dtype=pl.UInt64)
    parts = draft.frame[PART] if PART in draft.frame.columns else None
    rejections = rejections.select(*REJECTION_SCHEMA, *([PART] if PART in rejections.columns else []))
    merged = draft.frame.height - observations.height
    told = pl.DataFrame({"key": keys, "row": pl.Series(standing, dtype=pl.UInt32)})
    return Normalised(observations, rejections, repeated + merged, told, again, refused, parts)


def _once_each(frame: pl.DataFrame, seen: repeats.Seen | None) -> tuple[pl.DataFrame, int, pl.DataFrame]:
    """Each distinct draft row once, with its count; the number of rows that went; and those of earlier chunks."""
    rows = frame.height
    again = pl.DataFrame(schema=repeats.COUNT_COLUMNS)
    if rows == 0:
        return frame, 0, again
    digests = repeats.row_digests(frame.drop("position"))
    first, counts = repeats.first_places(digests)
    added: list[pl.Series] = []
    if seen is not None:
        keys = repeats.keys_of(digests[first])
        new = seen.are_new(keys)
        if not new.all():
            again = pl.DataFrame({"key": keys[~new], "count": counts[~new] * _stated(frame, first[~new])})
        first, counts = first[new], counts[new]
        added.append(pl.Series("key", keys[new], dtype=pl.UInt64))
    if len(first) < rows:
        frame = frame[first]
    added.append(pl.Series("times", counts, dtype=pl.Int64))
    return frame.with_columns(added), rows - len(first), again


def _stated(frame: pl.DataFrame, places_of: np.ndarray) -> np.ndarray | int:
    """What rows say themselves of how often they were seen."""
    if "count" not in frame.columns:
        return 1
    stated = columns.stated_counts(columns.number_of(frame["count"][places_of], "count"))
    return np.asarray(stated.to_numpy())


def _times(draft: Draft, context: Context, *, day_first: bool) -> None:
    """first_at and last_at in UTC; the source's own moment or the receipt's where rows give none."""
    from .moments import moments, one_moment

    profile = context.profile
    is_joint = RECEIVED in draft.frame.columns
    stated = one_moment(profile.source_time) if profile.source_time else None
    begin = pl.col(RECEIVED) if is_joint and stated is None else pl.lit(stated or context.received_at)
    begin = begin.cast(SCHEMA["first_at"])
    for name in ("first_at", "last_at"):
        if name not in draft.frame.columns:
            continue
        given = draft.frame[name]
        read = moments(given, time_zone=profile.time_zone, day_first=day_first)
        bad = read.is_null() & given.is_not_null()
        late = read > (draft.frame[RECEIVED] if is_joint else context.received_at) + AHEAD
        early = read < EARLIEST
        if bad.any() or late.any() or early.any():
            reason = pl.select(
                pl.when(bad)
                .then(pl.lit("not-a-time"))
                .when(late)
                .then(pl.lit("time-in-future"))
                .otherwise(pl.lit("time-too-old"))
            ).to_series()
            wrong = bad | late.fill_null(False) | early.fill_null(False)
            draft.refuse(wrong, name, reason)
            read = read.filter(~wrong)
        draft.set(**{name: read})
    have = draft.frame.columns
    if "first_at" in have and "last_at" not in have:
        start = pl.col("first_at").fill_null(begin)
        draft.set(first_at=start, last_at=start)
        return
    first = pl.col("first_at") if "first_at" in have else pl.lit(None, dtype=SCHEMA["first_at"])
    last = pl.col("last_at") if "last_at" in have else pl.lit(None, dtype=SCHEMA["last_at"])
    start = pl.coalesce(first, last, begin)
    draft.set(first_at=pl.min_horizontal(start, last), last_at=pl.max_horizontal(start, last))


def _where(draft: Draft, tables: AddressTables) -> None:
    """Network, claims and the country that they make."""
    found = places.located(draft.frame["ipv4"], draft.frame["ipv6"], tables)
    stated = {name: draft.frame[name] for name in ("asn", "network") if name in draft.frame.columns}
    draft.frame = draft.frame.with_columns(found.get_columns())
    for name, given in stated.items():
        draft.set(**{name: pl.coalesce(pl.col(name), given)})
    draft.set(tld_country=places.prefix_countries(draft.frame))
    if "stated_country" not in draft.frame.columns:
        draft.set(stated_country=pl.lit(None, dtype=pl.String))
    draft.frame = draft.frame.with_columns(places.decide(draft.frame.select(places.CLAIMS)).get_columns())


def _is_plain(profile: Profile) -> bool:
    """Whether the profile's defaults are ASCII without control characters."""
    return all(word.isascii() and word.isprintable() for word in profile.defaults.values())


def _completed(frame: pl.DataFrame) -> pl.DataFrame:
    """All columns of the schema but `batch`, in its order and of its types."""
    have = set(frame.columns)
    return frame.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in SCHEMA.items()
        if name != "batch"
    )


def _windowed(frame: pl.DataFrame, window_minutes: int) -> tuple[pl.DataFrame, np.ndarray | None]:
    """Rows equal but for time and count become one where they lie in the same window; and where each row went."""
    if window_minutes <= 0 or frame.height < 2:
        return frame, None
    loose = ("position", "first_at", "last_at", "count", "note", "extra", "reference")
    bucket = (frame["first_at"].dt.timestamp("us") // (window_minutes * 60_000_000)).alias("bucket")
    digests = repeats.row_digests(frame.drop(loose).with_columns(bucket))
    first, _ = repeats.first_places(digests)
    if len(first) == frame.height:
        return frame, None
    _, group = np.unique(repeats.keys_of(digests), return_inverse=True)
    place_of_group = np.empty(len(first), dtype=np.uint32)
    place_of_group[group[first]] = np.arange(len(first))
    groups = pl.DataFrame({"a": digests[:, 0], "b": digests[:, 1]})
    summed = (
        frame.select("first_at", "last_at", "count")
        .hstack(groups)
        .group_by("a", "b", maintain_order=True)
        .agg(pl.col("first_at").min(), pl.col("last_at").max(), pl.col("count").sum())
    )
    kept = frame[np.sort(first)]
    kept = kept.with_columns(summed["first_at"], summed["last_at"], summed["count"])
    return kept, place_of_group[group]


def is_draft(frame: pl.DataFrame) -> bool:
    """Whether a reader kept to the contract: only draft columns, and positions."""
    return "position" in frame.columns and set(frame.columns) <= set(DRAFT)
