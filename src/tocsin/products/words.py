"""The texts of packages in four languages, and numbers and dates as each language writes them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal

from tocsin.reference.countries import country

LANGUAGES = ("en", "fr", "es", "ar")
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Words:
    """Texts in one language."""

    language: str

    def __call__(self, name: str, /, **values: object) -> str:
        """The text with this name, its placeholders filled. Raises KeyError for one that is not in the catalogue."""
        text = catalogue()[name][self.language]
        return text.format(**values) if values else text

    def of(self, prefix: str, word: str) -> str:
        """The text for a word of a closed list; the word itself where it has none."""
        entry = catalogue().get(f"{prefix}{word}")
        return entry[self.language] if entry else word

    @property
    def direction(self) -> str:
        return "rtl" if self.language == "ar" else "ltr"

    def number(self, value: int) -> str:
        return format_decimal(value, locale=self.language)

    def day(self, value: date | datetime) -> str:
        return format_date(value, format="long", locale=self.language)

    def short_day(self, value: date) -> str:
        return format_date(value, format="d/M", locale=self.language)

    def country(self, code: str) -> str:
        """The country's name, the code itself where the table does not know it."""
        try:
            return country(code).name(self.language)
        except KeyError:
            return code


@dataclass(frozen=True, slots=True)
class Action:
    """A recommended action in one language."""

    id: str
    title: str
    owner: str
    basis: str
    text: str
    hours: int
    rows: int


def words(language: str) -> Words:
    """The texts in that language; in English where the product has none in it."""
    short = language[:2]
    return Words(short if short in LANGUAGES else "en")


def actions_for(rows_by_type: dict[str, int], language: str) -> list[Action]:
    """What to do about these types of event, most urgent first, then by number of rows."""
    counts: dict[str, int] = {}
    entries = {str(entry["id"]): entry for entry in _actions()}
    for name, rows in rows_by_type.items():
        chosen = next(key for key, entry in entries.items() if name in entry["types"] or "*" in entry["types"])
        counts[chosen] = counts.get(chosen, 0) + rows
    found = [
        Action(
            key,
            **{name: entries[key][name][language] for name in ("title", "owner", "basis", "text")},
            hours=entries[key]["hours"],
            rows=rows,
        )
        for key, rows in counts.items()
    ]
    return sorted(found, key=lambda action: (action.hours, -action.rows, action.id))


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Id → language → text."""
    return tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8"))


@cache
def _actions() -> list[dict[str, Any]]:
    body = tomllib.loads((FOLDER / "actions.toml").read_text(encoding="utf-8"))
    actions: list[dict[str, Any]] = body["action"]
    return actions
