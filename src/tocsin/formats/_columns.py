"""What column headings and type words of many sources mean, for every reader of tables.

`SYNONYMS` maps a heading, as `normal` writes it, to a draft column; `KIND_WORDS` maps a source's word
for the sort of a value to a Kind. Both are looked up in normal form, so "Source IP", "source_ip" and
"source.ip" are one entry. The words themselves are data, in `columns.toml`.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_NOT_WORD = re.compile(r"[\W_]+")


def normal(heading: str) -> str:
    """A heading as it is looked up: lower case, every run of other signs one underscore."""
    return _NOT_WORD.sub("_", unicodedata.normalize("NFKC", heading).casefold()).strip("_")


def _table(groups: dict[str, list[str]]) -> dict[str, str]:
    return {normal(word): meaning for meaning, words in groups.items() for word in words}


_DATA = tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))

SYNONYMS: dict[str, str] = _table(_DATA["headings"])
"""Heading in normal form → draft column."""

VALUE_HEADINGS: dict[str, str] = _table(_DATA["value_headings"])
"""Heading in normal form → Kind of a value column that names its kind; "other": found from the content."""

KIND_WORDS: dict[str, str] = _table(_DATA["kinds"])
"""A source's word for the sort of a value, in normal form → Kind."""

FREE_WORDS: frozenset[str] = frozenset(map(normal, _DATA["words"]["free"]))
"""Words that name a family of kinds: the value itself then says which."""

NOT_INDICATORS: frozenset[str] = frozenset(map(normal, _DATA["words"]["not_indicators"]))
"""Type words of rows that say something about the delivery and are no indicators."""


def kind_of_word(word: str) -> str | None:
    """The Kind for a source's word; "" where the value must tell, None where the word is not known."""
    key = normal(word)
    if key in KIND_WORDS:
        return KIND_WORDS[key]
    return "" if key in FREE_WORDS else None


def known_share(headings: Iterable[str]) -> float:
    """Share of non-empty headings that are known, in [0, 1]."""
    words = [word for word in map(normal, headings) if word]
    known = sum(word in SYNONYMS or word in VALUE_HEADINGS for word in words)
    return known / len(words) if words else 0.0
