"""What sends a delivery to the legal officer, and by which words a text puts a deed down to a State, as data.

Articles 2 and 3 (DOMAIN 2.6). Written for Tocsin.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "fr", "es", "ar", "all")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One ground for a legal officer to look first. The file says how its expressions are written."""

    id: str
    name: str
    alone: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """Count only near a word of `acts`."""
    types: frozenset[str] = frozenset()
    sectors: tuple[str, ...] = ()


@cache
def all_triggers() -> tuple[Trigger, ...]:
    """Every trigger of the file, in its order."""
    return tuple(
        Trigger(
            id=each["id"],
            name=each["name"],
            alone=_in_all_languages(each.get("alone", {})),
            beside=_in_all_languages(each.get("beside", {})),
            types=frozenset(each.get("types", ())),
            sectors=tuple(each.get("sectors", ())),
        )
        for each in _file("triggers.toml")["trigger"]
    )


@cache
def acts() -> tuple[str, ...]:
    """What somebody did to somebody, in all languages."""
    return _in_all_languages(_file("triggers.toml")["acts"])


@cache
def attribution(part: str) -> tuple[str, ...]:
    """One list of attribution.toml, in all languages: relations, authorities, deeds, turned, owned, services, bonds."""
    return _in_all_languages(_file("attribution.toml")[part])


@cache
def _file(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def _in_all_languages(lists: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(expression for language in LANGUAGES for expression in lists.get(language, ()))
