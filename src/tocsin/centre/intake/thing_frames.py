"""Objects of a delivery as columns, as the database can hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from tocsin.core.reading import LINK_COLUMNS, THING_COLUMNS, Thing, Things

LONGEST = {"type": 60, "object_id": 200, "version": 40, "name": 300, "valid_from": 32, "valid_until": 32}
"""What the columns of the database hold, in characters."""


def thing_frames(things: Iterable[Thing | Things]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Columns of the objects, and of their links to others (by place in the first frame)."""
    parts: list[Things] = []
    singles: list[Thing] = []
    for item in (*things, None):
        if isinstance(item, Thing):
            singles.append(item)
            continue
        if singles:
            parts.append(_columns(singles))
            singles = []
        if item is not None:
            parts.append(item)
    frames, links, before = [], [], 0
    for part in parts:
        frames.append(part.frame)
        links.append(part.links.with_columns(pl.col("thing") + before))
        before += part.frame.height
    return _shortened(pl.concat(frames), LONGEST), _shortened(pl.concat(links), {"relation": 60, "target": 200})


def storable(frame: pl.DataFrame) -> pl.DataFrame:
    """JSON may hold the character zero, PostgreSQL may not; `raw` keeps it."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    zeros = [name for name in texts if frame[name].str.contains("\x00", literal=True).any()]
    return frame.with_columns(pl.col(name).str.replace_all("\x00", "", literal=True) for name in zeros)


def _shortened(frame: pl.DataFrame, longest: Mapping[str, int]) -> pl.DataFrame:
    long = [name for name, most in longest.items() if int(frame[name].str.len_bytes().max() or 0) > most]  # type: ignore[arg-type]
    return frame.with_columns(pl.col(name).str.slice(0, longest[name]) for name in long) if long else frame


def _columns(things: list[Thing]) -> Things:
    columns: dict[str, list[Any]] = {
        "standard": [thing.standard for thing in things],
        "type": [thing.type for thing in things],
        "object_id": [thing.id for thing in things],
        "version": [thing.version for thing in things],
        "name": [thing.name for thing in things],
        "labels": ["\n".join((*thing.labels, *thing.aliases, *thing.external_ids)) for thing in things],
        "pattern": [thing.pattern for thing in things],
        "valid_from": [thing.valid_from for thing in things],
        "valid_until": [thing.valid_until for thing in things],
        "revoked": [thing.revoked for thing in things],
        "raw": [thing.raw for thing in things],
        "position": [thing.position for thing in things],
        "marking": [thing.marking for thing in things],
    }
    flat = [(place, name, target) for place, thing in enumerate(things) for name, target in thing.refs]
    links = pl.DataFrame(flat, schema=LINK_COLUMNS, orient="row")
    return Things(pl.DataFrame(columns, schema=THING_COLUMNS), links)
