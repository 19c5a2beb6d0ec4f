"""Looks for people's data in what readers yield, part by part of one label. Runs in the sandbox."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import polars as pl

from tocsin.core.reading import Heading, Rows, Thing, Things
from tocsin.core.words import Role
from tocsin.handling.personal import (
    PersonalFind,
    masked,
    personal_in_object,
    personal_in_rows,
    personal_in_text,
)

from .screening import OBJECT_KEYS, json_of, worth_a_look

ROWS_LOOKED_AT = 2_000
"""So many rows of each part of a table, spread over all of it: a column of people's data shows in any few of them."""
OBSERVED = ("card", "iban")
"""Kinds of values that are somebody's account, and whose role must be known before they are everybody's to read."""


class PersonalScan:
    """Takes what readers yield and remembers how much of people's data stood where, by label."""

    def __init__(self) -> None:
        self.is_machine = False
        """Whether the columns of what is read are known: then its further columns are those of a machine."""
        self.role_known = False
        """Whether the profile says whose the values are."""
        self.found: dict[tuple[str, str, str], PersonalFind] = {}

    def look(self, item: object, worth: pl.DataFrame | None = None) -> None:
        """Look at one item of a reader; `worth` is `worth_a_look` of its objects where somebody asked before."""
        match item:
            case Rows():
                self._rows(item.frame, item.marking or "")
            case Thing():
                self._body(item.raw, item.marking or "")
            case Things():
                self._objects(worth_a_look(item.frame) if worth is None else worth)
            case Heading():
                self.keep(personal_in_text(item.text), "")

    @property
    def finds(self) -> list[dict[str, Any]]:
        """Plain values: the finds with the label of the part they stand in."""
        return [
            {**dataclasses.asdict(each), "marking": marking}
            for (marking, _kind, _field), each in sorted(self.found.items())
        ]

    def _rows(self, frame: pl.DataFrame, marking: str) -> None:
        if "extra" in frame.columns and not self.is_machine:
            texts = frame["extra"].drop_nulls()
            sample = texts.gather_every(max(1, len(texts) // ROWS_LOOKED_AT)).head(ROWS_LOOKED_AT)
            self.keep(personal_in_rows(facts for text in sample if (facts := _facts(text))), marking)
        if not self.role_known and "kind" in frame.columns and frame.schema["kind"] == pl.String:
            of_unknown = frame.filter(pl.col("kind").is_in(OBSERVED))
            if "role" in frame.columns:
                unknown = pl.col("role").is_null() | pl.col("role").is_in([Role.UNKNOWN.value, Role.VICTIM.value])
                of_unknown = of_unknown.filter(unknown)
            for kind in OBSERVED:
                values = of_unknown.filter(pl.col("kind") == kind)["value"].drop_nulls().unique()
                if len(values):
                    self.keep([PersonalFind(kind, "value", len(values), masked(str(values.min())))], marking)

    def _objects(self, worth: pl.DataFrame) -> None:
        promising = worth.filter(pl.col("raw").str.contains_any(list(OBJECT_KEYS), ascii_case_insensitive=True))
        for marking, raw in promising.iter_rows():
            self._body(raw.encode(), marking or "")

    def _body(self, raw: bytes, marking: str) -> None:
        self.keep(personal_in_object(json_of(raw)), marking)

    def keep(self, found: list[PersonalFind], marking: str) -> None:
        """Add these to what stood in parts under this label."""
        for each in found:
            key = (marking, each.kind, each.field[:80])
            before = self.found.get(key)
            count = each.count + (before.count if before else 0)
            self.found[key] = PersonalFind(each.kind, key[2], count, before.excerpt if before else each.excerpt[:80])


def _facts(text: str) -> dict[str, Any]:
    try:
        facts = orjson.loads(text)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
