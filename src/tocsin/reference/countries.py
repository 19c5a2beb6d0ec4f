"""Countries and territories of ISO 3166-1, their names in four languages, and the regions of M49.

Names of countries are labels of a code, not a statement on the status of any territory.
Sources and date: NOTICE.md.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polars as pl

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "fr", "es", "ar")

WORLDWIDE_DOMAINS = frozenset(
    "ac ai as bz cc cd cf co dj fm ga gg gq io la me ml ms mu nu pw sc sh sr st tk to tv vc ws".split()  # noqa: SIM905
)
"""Country domains that are sold to anybody in the world: they say next to nothing about a country."""


@dataclass(frozen=True, slots=True)
class Country:
    """One code of ISO 3166-1. Regions are M49 codes of three digits, None where M49 places it nowhere."""

    code: str
    alpha_3: str
    numeric: str
    name_en: str
    name_fr: str
    name_es: str
    name_ar: str
    region: str | None
    sub_region: str | None
    intermediate_region: str | None
    top_level_domains: tuple[str, ...]  # Without the dot, other scripts as xn--.
    calling_codes: tuple[str, ...]  # "44", or "1-684" where the country shares its code.
    report_language: str  # Of ar, en, fr, es: the one to write a report in when the bureau chose none.
    longitude: float
    latitude: float

    def name(self, language: str) -> str:
        """Its name in en, fr, es or ar; in English for any other language."""
        names = {"fr": self.name_fr, "es": self.name_es, "ar": self.name_ar}
        return names.get(language[:2], self.name_en)

    def is_in(self, region: str) -> bool:
        """Whether M49 places it in this region, sub-region, intermediate region or the world ("001")."""
        return region in {"001", self.region, self.sub_region, self.intermediate_region}


@dataclass(frozen=True, slots=True)
class Region:
    """One region of M49. `level` is world, region, sub-region or intermediate-region."""

    code: str
    parent: str | None
    level: str
    name_en: str
    name_fr: str
    name_es: str
    name_ar: str
    countries: tuple[str, ...]

    def name(self, language: str) -> str:
        """Its name in en, fr, es or ar; in English for any other language."""
        names = {"fr": self.name_fr, "es": self.name_es, "ar": self.name_ar}
        return names.get(language[:2], self.name_en)


def country(code: str) -> Country:
    """The country with this alpha-2 code, upper case. Raises KeyError."""
    return _by_code()[code]


def all_countries() -> tuple[Country, ...]:
    """All 249 in the order of their codes."""
    return tuple(_by_code().values())


def regions() -> tuple[Region, ...]:
    """The regions of M49 that hold a country, in the order of their codes."""
    return tuple(_regions().values())


def region(code: str) -> Region:
    """The region with this M49 code. Raises KeyError."""
    return _regions()[code]


def normalise_country(text: str) -> str | None:
    """The alpha-2 code meant by a code or a name in English, French, Spanish or Arabic; None when unknown.

    "NA" is read as Namibia: a reader whose source writes it for "not available" drops it first.
    """
    found = _by_name().get(_folded(text))
    if found is None and (match := re.fullmatch(r"\s*([A-Za-z]{2})[-_ ][A-Za-z0-9]{1,3}\s*", text)):
        return _by_name().get(match[1].casefold())  # A subdivision such as "US-CA".
    return found


def normalise_countries(texts: pl.Series) -> pl.Series:
    """`normalise_country` for a column: every distinct text is looked up once."""
    unique = texts.drop_nulls().unique()
    found = [normalise_country(text) for text in unique]
    return texts.replace_strict(unique, pl.Series(found, dtype=pl.String), default=None, return_dtype=pl.String)


def country_of_top_level_domain(name: str) -> str | None:
    """The country that a top-level domain ("fr", "xn--p1ai") claims; None for those sold worldwide."""
    return top_level_domains().get(name.casefold())


@cache
def top_level_domains() -> dict[str, str]:
    """Top-level domain without dot -> alpha-2 code, without WORLDWIDE_DOMAINS."""
    return {
        name: each.code for each in all_countries() for name in each.top_level_domains if name not in WORLDWIDE_DOMAINS
    }


def _folded(text: str) -> str:
    """Case, accents, Arabic letter variants, punctuation, articles and "&" make no difference."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign) and sign != "\u0640")
    bare = bare.replace("ى", "ي").replace("ة", "ه").replace("&", " and ").replace("œ", "oe").replace("ı", "i")
    return " ".join(re.sub(r"[^\w]+", " ", bare).split())


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def _by_code() -> dict[str, Country]:
    return {
        row["code"]: Country(
            **{name: row[name] for name in ("code", "alpha_3", "numeric", "report_language")},
            **{f"name_{language}": row[f"name_{language}"] for language in LANGUAGES},
            region=row["region"] or None,
            sub_region=row["sub_region"] or None,
            intermediate_region=row["intermediate_region"] or None,
            top_level_domains=tuple(row["top_level_domains"].split()),
            calling_codes=tuple(row["calling_codes"].split()),
            longitude=float(row["longitude"]),
            latitude=float(row["latitude"]),
        )
        for row in _rows("countries.csv")
    }


@cache
def _regions() -> dict[str, Region]:
    return {
        row["code"]: Region(
            row["code"],
            row["parent"] or None,
            row["level"],
            row["name_en"],
            row["name_fr"],
            row["name_es"],
            row["name_ar"],
            tuple(each.code for each in all_countries() if each.region and each.is_in(row["code"]))
            if row["code"] != "001"
            else tuple(each.code for each in all_countries()),
        )
        for row in _rows("regions.csv")
    }


@cache
def _by_name() -> dict[str, str]:
    # Names and codes in use that no table of names has.
    names = {_folded(row["name"]): row["code"] for row in _rows("country_aliases.csv")}
    shortened: dict[str, set[str]] = {}
    rows = _rows("countries.csv")
    for column in (*(f"name_{language}" for language in LANGUAGES), "other_names"):
        for row in rows:
            for text in row[column].split("|"):
                names.setdefault(_folded(text), row["code"])
                shortened.setdefault(_folded(re.sub(r"\s*\(.*?\)", "", text)), set()).add(row["code"])
    # "Bolivia" of "Bolivia (Plurinational State of)", unless two countries shorten to the same name.
    for text, codes in shortened.items():
        if len(codes) == 1:
            names.setdefault(text, *codes)
    names.pop("", None)
    # Codes win over names: they are certain.
    for each in all_countries():
        names |= {each.code.casefold(): each.code, each.alpha_3.casefold(): each.code}
    return names | {"uk": "GB", "el": "GR"}
