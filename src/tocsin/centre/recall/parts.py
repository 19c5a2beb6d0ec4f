"""Single objects and values of a delivery: found by what people call them, and taken out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from tocsin.centre.analysis import parting as analysis
from tocsin.centre.intake import parting as intake
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.parting import Chosen, Prepared
from tocsin.centre.knowledge import parting as knowledge
from tocsin.centre.knowledge.models import Document, Object
from tocsin.centre.knowledge.selectors import body_of, identified
from tocsin.centre.members.models import HandlingSet
from tocsin.core.errors import Conflict, InputError
from tocsin.core.typed import recognise_value
from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.compaction import PARTED_BY
from tocsin.lake.scope import Batches

from .models import Part

MOST = 10_000
"""Whoever recalls more than this recalls the delivery."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VICTIMS = frozenset(role.value for role in VICTIM_LIKE)


@dataclass(slots=True)
class Named:
    """One thing that somebody asked for, as it stands in the delivery."""

    kind: str
    key: str
    name: str = ""
    things: list[Object] = field(default_factory=list)
    rows: pl.DataFrame = field(default_factory=lambda: pl.DataFrame())

    @property
    def row_count(self) -> int:
        """How many rows are its own."""
        return self.rows.height

    @property
    def values(self) -> list[str]:
        """What its rows say: the value itself, or those of an object."""
        return [self.key] if self.kind == Part.Kind.VALUE else sorted(set(self.rows["value"].to_list()))


@dataclass(slots=True)
class Found:
    """All that leaves with what was asked for."""

    batches: list[int]
    """Those of the delivery that are shown."""
    chosen: Chosen
    named: list[Named]
    rows: pl.DataFrame
    things: list[Object]
    """Objects asked for, and those that name a value asked for."""
    documents: list[Document]

    @property
    def row_count(self) -> int:
        """How many rows leave."""
        return self.rows.height

    @property
    def values(self) -> frozenset[str]:
        """Those asked for by themselves."""
        return self.chosen.values

    @property
    def origins(self) -> Batches:
        """The batches that lose something."""
        held = {each.batch_id for each in self.things} | {each.batch_id for each in self.documents}
        return Batches(held | set(self.rows["batch"].unique().to_list()))

    @property
    def row_values(self) -> frozenset[str]:
        """What packages and programs know it by."""
        return self.values | frozenset(value for each in self.named for value in each.values)


def lines_of(text: str) -> list[str]:
    """What was typed, one on each line, each once."""
    return list(dict.fromkeys(line.strip() for line in text.replace("\x00", "").splitlines() if line.strip()))


def find(delivery: Delivery, keys: Sequence[str]) -> Found:
    """What these name in what is shown of the delivery: ids of objects, UUIDs, or values, defanged or not.

    Raises InputError("recall-not-in-delivery") for the first that names nothing, ("too-long") for too many.
    """
    if not keys:
        raise InputError("missing-field", field="parts")
    if len(keys) > MOST:
        raise InputError("recall-too-many-parts", field="parts")
    batches = sorted(Batch.objects.filter(delivery=delivery, hidden_at=None).values_list("pk", flat=True))
    objects = _objects(delivery, batches, keys)
    named = [
        Named(Part.Kind.OBJECT, key, objects[key][0].name, objects[key])
        if key in objects else Named(Part.Kind.VALUE, _value(delivery, batches, key))
        for key in keys
    ]  # fmt: skip
    named = list({(each.kind, each.key): each for each in named}.values())
    places = knowledge.positions_of(delivery, [thing for each in named for thing in each.things])
    chosen = _chosen(named, places)
    rows = intake.rows_of(batches, chosen)
    _deal(named, rows, places)
    things = {each.pk: each for each in knowledge.objects_naming(delivery, batches, chosen.values)}
    things |= {each.pk: each for one in named for each in one.things}
    documents = knowledge.documents_naming(delivery, batches, chosen.values)
    _require_all(named, list(things.values()), documents)
    return Found(batches, chosen, named, rows, list(things.values()), documents)


def _objects(delivery: Delivery, batches: Sequence[int], keys: Sequence[str]) -> dict[str, list[Object]]:
    found: dict[str, list[Object]] = {}
    for start in range(0, len(keys), 500):
        some = identified(Object.objects.filter(delivery=delivery, batch__in=batches), keys[start : start + 500])
        for each in some.distinct().order_by("pk"):
            found.setdefault(each.object_id, []).append(each)
    return found


def _value(delivery: Delivery, batches: Sequence[int], key: str) -> str:
    if _UUID.fullmatch(key):
        inner = knowledge.attribute_value(delivery, batches, key.lower())
        if inner is not None:
            key = inner
    return plain_value(key)


def plain_value(key: str) -> str:
    """A value as it is kept, of what somebody typed, defanged or not."""
    recognised = recognise_value(key[:4096])
    return recognised[1] if recognised else key


def _chosen(named: Iterable[Named], places: Mapping[int, int]) -> Chosen:
    """STIX rows stand at the place of their object; those of a MISP event refer to it."""
    positions: dict[int, set[int]] = {}
    references, values = set(), set()
    for each in named:
        if each.kind == Part.Kind.VALUE:
            values.add(each.key)
        for thing in each.things:
            if thing.standard == knowledge.MISP:
                references.add(thing.object_id)
            else:
                positions.setdefault(thing.batch_id, set()).add(places[thing.pk])
    frozen = {batch: frozenset(some) for batch, some in positions.items()}
    return Chosen(frozenset(values), frozen, frozenset(references))


def _deal(named: Sequence[Named], rows: pl.DataFrame, positions: Mapping[int, int]) -> None:
    """Give each what is its own of the rows."""
    by_value: dict[str, list[int]] = {}
    places = rows.with_row_index("place")
    for name in PARTED_BY:
        held = places.select("place", name).drop_nulls().rows()
        for place, value in held:
            by_value.setdefault(value, []).append(place)
    by_position: dict[tuple[int, int], list[int]] = {}
    for place, batch, position in places.select("place", "batch", "position").iter_rows():
        by_position.setdefault((batch, position), []).append(place)
    by_reference: dict[str, list[int]] = {}
    for place, reference in places.select("place", "reference").drop_nulls().iter_rows():
        by_reference.setdefault(reference, []).append(place)
    for each in named:
        own = set(by_value.get(each.key, [])) if each.kind == Part.Kind.VALUE else set()
        for thing in each.things:
            if thing.standard == knowledge.MISP:
                own |= set(by_reference.get(thing.object_id, []))
            else:
                own |= set(by_position.get((thing.batch_id, positions[thing.pk]), []))
        each.rows = rows[sorted(own)]


def _require_all(named: Sequence[Named], things: Sequence[Object], documents: Sequence[Document]) -> None:
    for each in named:
        if each.rows.height or each.things:
            continue
        naming = knowledge.Naming([each.key])
        if any(naming(knowledge.text_of(body_of(thing).raw)) for thing in things):
            continue
        if not any(naming(knowledge.plain(document)) for document in documents):
            raise InputError("recall-not-in-delivery", field="parts", excerpt=each.key)


def take_out(
    delivery: Delivery, found: Found, prepared: Prepared, at: datetime, under: Mapping[int, HandlingSet] | None = None
) -> dict[int, int]:
    """Put it into batches of its own, within the caller's transaction; old batch → new. They are hidden, or lie under
    the handling set that `under` gives what leaves each."""
    if prepared.rows.height != found.rows.height:
        raise Conflict("some of it was taken out meanwhile")
    was = {each.pk: each.batch_id for each in found.things}
    for start in range(0, len(was), 500):
        some = Object.objects.filter(pk__in=list(was)[start : start + 500]).values_list("pk", "batch_id")
        if any(was[key] != batch for key, batch in some):
            raise Conflict("some of it was taken out meanwhile")
    into = intake.commit(delivery, prepared, list(found.origins), at, under)
    asked_for = {thing.pk for each in found.named for thing in each.things}
    for thing in found.things:
        if thing.pk not in asked_for:
            knowledge.keep_redacted(thing, found.values)
    knowledge.move_objects(found.things, into)
    knowledge.move_documents(found.documents, into)
    analysis.move(found.row_values, prepared.rows, into)
    return into


def countries_of(named: Named) -> list[str] | None:
    """Countries of the victims, where it names nothing but victims; None: anybody who saw the batch saw it."""
    countries: set[str] = set()
    if not named.rows.height:
        return None
    for row in named.rows.select("value", "role", "country", "peer", "peer_role", "peer_country").iter_rows(named=True):
        by_peer = named.kind == Part.Kind.VALUE and row["value"] != named.key and row["peer"] == named.key
        role, country = (row["peer_role"], row["peer_country"]) if by_peer else (row["role"], row["country"])
        if role not in _VICTIMS and not (by_peer and role is None):
            return None
        countries.add(country or "")
    return sorted(countries - {""})


def batches_of(named: Named) -> list[int]:
    """The batches that it stands in; none where objects alone name it."""
    held = set(named.rows["batch"].unique().to_list()) if named.rows.height else set()
    return sorted(held | {thing.batch_id for thing in named.things})
