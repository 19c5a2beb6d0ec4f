"""Actors and malware under all their names: one entity each, whatever the source calls it.

Made from the MISP galaxies and ATT&CK (NOTICE.md). Nothing here says which State anybody works for: those fields of
the sources are not shipped.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import polars as pl

NAMES = Path(__file__).parent / "names.parquet"
KEYS = Path(__file__).parent / "names_keys.parquet"
EntityKind = Literal["actor", "malware"]
# Words that sources put beside a name and that change nothing: "LockBit ransomware".
BESIDE = re.compile(r"\b(ransomware|malware|trojan|botnet|virus|family|group|gang|apt group)\b", re.IGNORECASE)

SORT = re.compile(r" (stealer|rat|loader|ransomware|bot|backdoor)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entity:
    """One actor or malware family. `id` is the ATT&CK id, or the identifier of its galaxy cluster."""

    id: str
    name: str
    kind: EntityKind
    aliases: tuple[str, ...]
    attack_id: str | None
    sources: tuple[str, ...]  # Names of the galaxies that know it.
    description: str | None  # One sentence from ATT&CK, of malware only.


@lru_cache(maxsize=1 << 14)
def resolve(text: str, kind: EntityKind | None = None) -> Entity | None:
    """The entity of that name, of that kind if given; None when nobody or more than one has it.

    Case, accents, spaces and signs make no difference. An own name wins over the same word as an alias.
    """
    found = candidates(text, kind)
    if len(found) > 1:
        key = key_of(text)
        found = tuple(each for each in found if key_of(each.name) == key)
    return found[0] if len(found) == 1 else None


def candidates(text: str, kind: EntityKind | None = None) -> tuple[Entity, ...]:
    """Every entity with that name, alias or identifier, in the order of names."""
    for key in dict.fromkeys((key_of(text), key_of(BESIDE.sub(" ", text)))):
        found = tuple(each for each in _by_key().get(key, ()) if kind in {None, each.kind})
        if key and found:
            return found
    return ()


def resolve_series(texts: pl.Series, kind: EntityKind | None = None) -> pl.Series:
    """The name of the entity of each text, null where `resolve` finds none; every distinct text is looked up once."""
    unique = texts.drop_nulls().unique()
    found = [entity.name if (entity := resolve(text, kind)) else None for text in unique]
    return texts.replace_strict(unique, pl.Series(found, dtype=pl.String), default=None, return_dtype=pl.String)


def key_of(text: str) -> str:
    """What two spellings of one name share: letters and digits, without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if sign.isalnum())


@cache
def all_entities() -> tuple[Entity, ...]:
    """All entities, actors first, by name."""
    return tuple(
        Entity(
            row["id"],
            row["name"],
            row["kind"],
            tuple(row["aliases"]),
            row["attack_id"],
            tuple(row["sources"]),
            row["description"],
        )
        for row in pl.read_parquet(NAMES).iter_rows(named=True)
    )


@cache
def _by_key() -> dict[str, tuple[Entity, ...]]:
    entities = all_entities()
    table = pl.read_parquet(KEYS)
    return {
        key: tuple(entities[place] for place in places)
        for key, places in zip(table["key"].to_list(), table["entities"].to_list(), strict=True)
    }


def compile_keys() -> pl.DataFrame:
    """Key → places in `all_entities`: seconds of work that no reading process should do again (`KEYS`)."""
    places = {each.id: place for place, each in enumerate(all_entities())}
    found: dict[str, dict[str, Entity]] = {}
    for each in all_entities():
        for text in (each.id, each.name, *each.aliases):
            found.setdefault(key_of(text), {})[each.id] = each
    # "Lumma" for "Lumma Stealer", where nothing else goes by the short name.
    shortened: dict[str, dict[str, Entity]] = {}
    for each in all_entities():
        for text in (each.name, *each.aliases):
            if SORT.search(text):
                shortened.setdefault(key_of(SORT.sub("", text)), {})[each.id] = each
    found = {key: entities for key, entities in shortened.items() if len(key) > 3} | found
    rows = [(key, [places[name] for name in entities]) for key, entities in sorted(found.items()) if key]
    return pl.DataFrame(rows, schema={"key": pl.String, "entities": pl.List(pl.UInt16)}, orient="row")
