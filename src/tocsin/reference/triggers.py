"""What sends a delivery to the legal officer, as data: articles 2 and 3 (DOMAIN 2.6). Written for Tocsin."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("triggers.toml")
LANGUAGES = ("en", "fr", "es", "ar")


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
        for each in _file()["trigger"]
    )


@cache
def acts() -> tuple[str, ...]:
    """What somebody did to somebody, in all languages."""
    return _in_all_languages(_file()["acts"])


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(PATH.read_text(encoding="utf-8"))


def _in_all_languages(lists: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(expression for language in LANGUAGES for expression in lists.get(language, ()))
