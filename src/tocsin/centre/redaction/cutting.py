"""Taking fields out of objects and columns out of rows. Pure: what goes in is not changed.

What comes out has new identifiers, and refers to nothing but itself: a reader of it learns neither the identifiers of
what it was made of nor that there was more.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
import polars as pl

from .texts import names_of_text

KEPT = frozenset({"type", "id", "spec_version", "created", "modified"})
"""What an object is not one without."""
ALWAYS_OUT = frozenset({"created_by_ref", "object_marking_refs", "granular_markings"})
"""Who made it, and labels of its own: what holds for a redacted version is derived from what it was made of."""
_NAMESPACE = uuid.UUID("6f0f8a52-0a5c-5d0c-9b57-5d5f2f6f3c11")

Object = dict[str, Any]
Replacements = Sequence[tuple[str, str]]

COLUMN_GROUPS: Mapping[str, tuple[str, ...]] = {
    "times": ("first_at", "last_at", "count"),
    "names": ("malware", "actor", "label"),
    "network": ("asn", "network", "port", "protocol", "hostname"),
    "address": ("url",),
    "other-side": ("peer", "peer_role", "peer_port", "peer_country"),
    "countries": ("stated_country", "target_country", "attacker_country", "registrant_country"),
    "weight": ("severity", "confidence"),
    "free-text": ("note", "tags", "reference"),
}
"""Columns of rows that are taken out together. What a value is and which part it played always stays: without its
role, a victim would pass for an attacker."""
TELLING = frozenset({"malware", "actor", "label", "hostname", "url", "peer", "note", "tags", "reference"})
"""Columns whose words or values tell something by themselves when they stand elsewhere."""
_ALWAYS = ("kind", "value", "role", "type", "offence")


def fields_of(objects: Iterable[Object]) -> list[str]:
    """The fields of these objects that can be taken out, in order."""
    return sorted({name for each in objects for name in each} - KEPT - ALWAYS_OUT)


def redacted_bundle(objects: Sequence[Object], out: Collection[str], replaced: Replacements, seed: str) -> bytes:
    """A STIX bundle of these objects without those fields, each text replaced wherever it stands.

    `seed` makes its identifiers: the same makes the same. A relation that leads out of the objects is left out.
    """
    names = {str(each.get("id", "")): new_id(each, seed) for each in objects}
    kept = []
    for each in objects:
        made = {
            name: _replaced(value, replaced) for name, value in each.items()
            if name in KEPT or name not in ALWAYS_OUT | set(out)
        }  # fmt: skip
        made["id"] = names[str(each.get("id", ""))]
        within = _within(made, names)
        if within is not None:
            kept.append(within)
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid5(_NAMESPACE, seed)}", "objects": kept}
    return orjson.dumps(bundle)


def new_id(each: Object, seed: str) -> str:
    """The identifier of an object in the redacted version that this seed makes."""
    return f"{each.get('type', 'x-object')}--{uuid.uuid5(_NAMESPACE, seed + str(each.get('id', '')))}"


def _within(made: Object, names: Mapping[str, str]) -> Object | None:
    """The object with references to the others alone; None where it is nothing without one that is gone."""
    found: Object = {}
    for name, value in made.items():
        if name.endswith("_ref"):
            if str(value) in names:
                found[name] = names[str(value)]
            elif made["type"] in {"relationship", "sighting"}:
                return None
        elif name.endswith("_refs") and isinstance(value, list):
            if left := [names[str(one)] for one in value if str(one) in names]:
                found[name] = left
        else:
            found[name] = value
    return found


def _replaced(value: Any, replaced: Replacements) -> Any:
    """A value with each text replaced, at any depth; names of fields stay."""
    if isinstance(value, str):
        for old, new in replaced:
            value = value.replace(old, new)
        return value
    if isinstance(value, list):
        return [_replaced(each, replaced) for each in value]
    if isinstance(value, dict):
        return {name: _replaced(each, replaced) for name, each in value.items()}
    return value


def columns_without(out: Collection[str]) -> list[str]:
    """The columns of rows that stay when these groups are taken out."""
    return [*_ALWAYS, *(name for group, names in COLUMN_GROUPS.items() if group not in out for name in names)]


def said_in(rows: pl.DataFrame, columns: Iterable[str]) -> set[str]:
    """What these columns say: short texts as a whole, and values in longer ones."""
    found: set[str] = set()
    for name in set(columns) & set(rows.columns):
        cells = rows[name].drop_nulls().explode() if rows.schema[name] == pl.List else rows[name].drop_nulls()
        for text in cells.unique().to_list():
            found.update(names_of_text(str(text)) if text else ())
    return found


def redacted_rows(rows: pl.DataFrame, out: Collection[str], replaced: Replacements) -> bytes:
    """Rows as a table with these columns taken out, each text replaced wherever it stands."""
    made = rows.select(name for name in columns_without(out) if name in rows.columns)
    texts = [name for name, dtype in made.schema.items() if dtype == pl.String and name not in {"kind", "role"}]
    for old, new in replaced:
        made = made.with_columns(pl.col(texts).str.replace_all(old, new, literal=True))
    lists = [name for name, dtype in made.schema.items() if isinstance(dtype, pl.List)]
    made = made.with_columns(pl.col(lists).list.join(";")) if lists else made
    moments = [name for name, dtype in made.schema.items() if isinstance(dtype, pl.Datetime)]
    made = made.with_columns(pl.col(moments).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")) if moments else made
    return made.write_csv().encode()
