"""The texts of a redacted version, each with its field and language, and the names in what is taken out. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson
import polars as pl

from tocsin.core.typed import Refanged, recognise_value
from tocsin.core.words import VICTIM_LIKE
from tocsin.handling.leaks import Place, Text

DEPTH = 30
NAME_WORDS = 6
"""A longer text is no name; of it only what can be recognised is sought."""
NAME_LETTERS = 4
_VOCABULARY = re.compile(
    r"(?:_types?|_levels?|_class|_refs?|_motivations?|_version|_at|_from|_until|_seen)$|^(?:labels|roles|sectors|lang|id|type|"
    r"resource_level|sophistication|goals|confidence|revoked|created|modified|published|pattern_type|"
    r"implementation_languages|architecture_execution_envs|capabilities|kill_chain_phases|region|country|"
    r"granular_markings|extensions|is_family|number_observed|key_types)$"
)  # fmt: skip
"""Fields of set words: what stands in them is no secret by itself."""
_REFERENCES = re.compile(r"^(?:id|.*_refs?|spec_version|created|modified)$")
_TOKEN = re.compile(r"[^\s\"'<>,;()«»\[\]]{5,}")
FREE_COLUMNS = ("malware", "actor", "label", "hostname", "url", "note", "tags", "reference")
"""Columns in which a source writes as it likes; what the others hold, the gate knows for what it is."""
VALUE_COLUMNS = ("value", "peer")
_BETWEEN_CELLS = "\n¶\n"
_VICTIMS = [role.value for role in VICTIM_LIKE]


def of_bundle(content: bytes) -> Iterator[Text]:
    """Every text of a STIX bundle; what stands in a translation bears its language."""
    for each in orjson.loads(content).get("objects", []):
        language, kind = str(each.get("lang") or ""), str(each.get("type"))
        for name, value in each.items():
            if _REFERENCES.match(name):
                continue
            if kind == "language-content" and name == "contents" and isinstance(value, dict):
                for code, fields in value.items():
                    yield from _in(f"{kind}: {name}", fields, str(code))
            else:
                yield from _in(f"{kind}: {name}", value, language)


def _in(field: str, value: Any, language: str) -> Iterator[Text]:
    said = [text for text in _leaves(value, 0) if text.strip()]
    if said:
        yield Text(Place(field, language), _BETWEEN_CELLS.join(said))


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < DEPTH and isinstance(value, list):
        for each in value:
            yield from _leaves(each, depth + 1)
    elif depth < DEPTH and isinstance(value, dict):
        for name, each in value.items():
            if not _REFERENCES.match(name):
                yield name
                yield from _leaves(each, depth + 1)


def of_table(content: bytes) -> Iterator[Text]:
    """The free columns of a table of rows. Rows of victims are left out: the gate keeps them from everybody else."""
    rows = pl.read_csv(content, infer_schema=False)
    rows = rows.filter(~pl.col("role").is_in(_VICTIMS).fill_null(True))
    for name in FREE_COLUMNS:
        if name in rows.columns and (cells := rows[name].drop_nulls().unique(maintain_order=True).to_list()):
            yield Text(Place(name), _BETWEEN_CELLS.join(cells))


def values_of_table(content: bytes) -> Iterator[Text]:
    """What the rows of a table are about, whoever's they are."""
    rows = pl.read_csv(content, infer_schema=False)
    for name in VALUE_COLUMNS:
        if name in rows.columns and (cells := rows[name].drop_nulls().unique(maintain_order=True).to_list()):
            yield Text(Place(name), _BETWEEN_CELLS.join(cells))


def said_by(contents: Iterable[Mapping[str, Any]]) -> str:
    """What objects say by themselves: patterns of indicators, values of observables."""
    return _BETWEEN_CELLS.join(
        str(each[name]) for each in contents for name in ("pattern", "value") if isinstance(each.get(name), str)
    )


def names_in(body: Mapping[str, Any], out: Collection[str]) -> Iterator[str]:
    """What the fields that are taken out say of anybody: short texts as a whole, and values in longer ones."""
    for name in set(out) & set(body):
        if _VOCABULARY.search(name):
            continue
        for text in _leaves(body[name], 0):
            yield from names_of_text(text)


def names_of_text(text: str) -> Iterator[str]:
    """A short text itself, and the values that can be recognised in any text."""
    if len(text.split()) <= NAME_WORDS and sum(map(str.isalnum, text)) >= NAME_LETTERS:
        yield text
    for token in _TOKEN.findall(Refanged(text).text):
        known = recognise_value(token.rstrip(".:!?"))
        if known:
            yield known[1]
