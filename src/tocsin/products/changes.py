"""What is new, gone or continuing since the package before: two tables in one order, walked side by side.

Neither is ever held whole. All are counted; the lists hold the most seen, at most the cap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import orjson
import polars as pl

from tocsin.core import later

from .packed_rows import frames

KEY = ("kind", "value", "role")
SEEN: later.Table[type[pl.DataType]] = later.Table(lambda: {**dict.fromkeys(KEY, pl.String), "sightings": pl.Int64})


class Changes:
    """Fed with each distinct (kind, value, role) and its sightings, by kind and value, all roles of a value at once."""

    def __init__(self, previous: BinaryIO | None, cap: int) -> None:
        """`previous` is the Parquet file of the package before; without one every value is new."""
        self._lists = {name: _Most(cap) for name in ("new", "gone", "continuing")}
        self._coming = iter(()) if previous is None else _seen(previous)
        self._before = pl.DataFrame(schema=SEEN)

    def add(self, now: pl.DataFrame) -> None:
        """Compare these values, which come after those of before."""
        while now.height:
            if not self._before.height:
                following = next(self._coming, None)
                if following is None:
                    self._lists["new"].add(now)
                    return
                self._before = following
            # Up to where both are known.
            bound = min(_last(now), _last(self._before))
            count, count_before = _up_to(now, bound), _up_to(self._before, bound)
            self._compare(now[:count], self._before[:count_before])
            now, self._before = now[count:], self._before[count_before:]

    def told(self) -> dict[str, object]:
        """The counts and the lists, when the last value was fed."""
        for gone in (self._before, *self._coming):
            self._lists["gone"].add(gone)
        self._before = self._before.clear()
        counts = {name: found.count for name, found in self._lists.items()}
        return {"counts": counts, **{name: found.listed() for name, found in self._lists.items()}}

    def _compare(self, now: pl.DataFrame, before: pl.DataFrame) -> None:
        for name, these, others, how in (
            ("new", now, before, "anti"), ("gone", before, now, "anti"), ("continuing", now, before, "semi"),
        ):  # fmt: skip
            found = these.join(others, on=KEY, how=how, nulls_equal=True, maintain_order="left")  # type: ignore[arg-type]
            self._lists[name].add(found)


class _Most:
    """How many there are, and the most seen of them; of equals the first."""

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.count = 0
        self._kept = pl.DataFrame(schema=SEEN)

    def add(self, found: pl.DataFrame) -> None:
        self.count += found.height
        if self._kept.height == self.cap and self.cap:
            found = found.filter(pl.col("sightings") > self._kept["sightings"][-1])
        if found.height:
            both = pl.concat([self._kept, found.select(*SEEN)])
            self._kept = both.sort("sightings", descending=True, maintain_order=True).head(self.cap)

    def listed(self) -> dict[str, object]:
        return {"values": dictionaries(self._kept), "left_out": self.count - self._kept.height}


def _last(frame: pl.DataFrame) -> tuple[str, str]:
    kind, value, *_ = frame.row(-1)
    return kind, value


def _up_to(frame: pl.DataFrame, bound: tuple[str, str]) -> int:
    """How many rows, which are in order, lie before a value or are about it."""
    kind, value = pl.col("kind"), pl.col("value")
    is_within = (kind < bound[0]) | ((kind == bound[0]) & (value <= bound[1]))
    return int(frame.select(is_within.sum()).item())


def _seen(previous: BinaryIO) -> Iterator[pl.DataFrame]:
    """Every distinct (kind, value, role) of a package's rows, so many at a time; all of a value at once."""
    held = pl.DataFrame(schema=SEEN)
    for frame in frames(previous, (*KEY, "count")):
        rows = frame.with_columns(sightings=pl.col("count").fill_null(1))
        if not rows.height:
            continue
        joined = pl.concat([held, rows.select(pl.col(name).cast(kind) for name, kind in SEEN.items())])
        found = joined.group_by(KEY, maintain_order=True).agg(pl.col("sightings").sum())
        kind, value = _last(found)
        is_open = (pl.col("kind") == kind) & (pl.col("value") == value)
        held = found.filter(is_open)
        if held.height < found.height:
            yield found.filter(~is_open)
    if held.height:
        yield held


def dictionaries(table: pl.DataFrame) -> list[dict[str, object]]:
    """Rows of texts and numbers, by way of JSON: half the cost of Polars' own dictionaries."""
    return orjson.loads(table.write_json())  # type: ignore[no-any-return]
