"""The words around an alert's own text, in the languages that the product ships; kept in `texts*.toml` of this folder.

Other languages may be added as data: a language that a word lacks reads it in English.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime

from tocsin.reference.countries import country

from .record import RIGHT_TO_LEFT

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Words:
    """Texts in one language."""

    language: str

    def __call__(self, name: str, /, **values: object) -> str:
        """The text with this name, its placeholders filled. Raises KeyError for one that is not in the catalogue."""
        entry = catalogue()[name]
        text = entry.get(self.language) or entry["en"]
        return text.format(**values) if values else text

    @property
    def direction(self) -> str:
        return "rtl" if self.language.split("-")[0] in RIGHT_TO_LEFT else "ltr"

    @property
    def locale(self) -> Locale:
        if self.language == "en":
            return Locale("en", "GB")
        try:
            return Locale.parse(self.language, sep="-")
        except (UnknownLocaleError, ValueError):
            return Locale("en")

    def day(self, at: datetime) -> str:
        return format_date(at, format="long", locale=self.locale)

    def moment(self, at: datetime) -> str:
        """Day and time, with the zone: readers of all countries read the same."""
        return f"{format_datetime(at, format='d MMMM y, HH:mm', locale=self.locale)} UTC"

    def country(self, code: str) -> str:
        """The country's name, the code itself where the table does not know it."""
        try:
            return country(code).name(self.language)
        except KeyError:
            return code


@cache
def words(language: str) -> Words:
    return Words(language)


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Name → language → text, of all files of this folder."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(FOLDER.glob("texts*.toml")):
        for name, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"{path.name}: {name} is there already")
            found[name] = entry
    return found
