"""The one box: a value or a name typed by a person, to what the Centre knows of it, through the gate."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.intake.lake_keys import snapshot_of
from tocsin.centre.intake.models import Batch, LakeFile
from tocsin.centre.intake.register import Register, register
from tocsin.centre.intake.selectors import scope_in
from tocsin.centre.intake.vault import sealed_fact
from tocsin.centre.knowledge import selectors as knowledge
from tocsin.centre.knowledge.models import Object
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Organisation, Person
from tocsin.core.grading import HOUSE
from tocsin.core.typed import recognise_value
from tocsin.core.words import OF_PERSONS
from tocsin.handling import Viewer
from tocsin.lake.questions.lookup import Asked, Found, Sight, asked_for, lookup
from tocsin.lake.scope import Snapshot
from tocsin.lake.shown import SHOWN
from tocsin.reference import names, warnings

from .selectors import seat_of

MOST_OBJECTS = 50
MOST_GRADED = 500
"""Parts of deliveries whose grades are named beside their source, the newest."""
MOST_REACHES = 32
"""Viewers who see different things and are remembered at a time."""
BESIDE = ("value", "peer", "malware", "actor", "domain", "network", "hostname")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known. `kind` is empty when the text was not recognised as a value; names are asked as names."""

    asked: str
    kind: str
    value: str
    found: Found
    sources: list[dict[str, Any]] = field(default_factory=list)
    """Organisation name, rows, TLP: only sources that the viewer may see at all."""
    objects: list[Object] = field(default_factory=list)
    together: list[tuple[str, str, int]] = field(default_factory=list)
    """(column, value, rows) seen beside it in the rows that were read."""
    warning_lists: list[warnings.Explanation] = field(default_factory=list)
    entity: names.Entity | None = None
    candidates: list[names.Entity] = field(default_factory=list)


def snapshot() -> Snapshot:
    """The registered files of this moment."""
    return snapshot_of(LakeFile.objects.filter(retired_at__isnull=True).order_by("pk"))


class Reach:
    """What a viewer may see at one moment, as arrays; kept while nothing arrives and nothing is hidden."""

    def __init__(self, viewer: Viewer, known: Register, now: datetime) -> None:
        rows = known.rows[known.shown_to(viewer, now)] if viewer.class_name else known.rows[:0]
        self.terms = rows["terms"]
        self.received_at = rows["received_at"]
        self.held = known.memory.held[:]
        self.sight = Sight(scope_in(known, viewer, now))


_reaches: OrderedDict[str, Reach] = OrderedDict()
_lock = threading.Lock()


def reach_of(viewer: Viewer) -> Reach:
    """The gate is asked anew every time; only the list of batches that follows from its answer is kept."""
    now = timezone.now()
    known = register()
    seat = seat_of(viewer, known, now)
    with _lock:
        kept = _reaches.get(seat)
    if kept is None:
        kept = Reach(viewer, known, now)
    with _lock:
        _reaches[seat] = kept
        _reaches.move_to_end(seat)
        while len(_reaches) > MOST_REACHES:
            _reaches.popitem(last=False)
    return kept


def asked_of(kind: str, value: str, text: str = "") -> Asked:
    """What is searched for: a value with the networks around it, or a name with its aliases."""
    if kind != "name":
        return asked_for(kind, value)
    entity = names.resolve(value)
    return Asked(names=tuple(sorted({value, text or value, *(entity.aliases if entity else ())})))


def concerns_a_person(asked: str) -> bool:
    """Whether what was typed names somebody rather than a machine: that is asked only by who just proved who it is."""
    recognised = recognise_value(_text_of(asked))
    return recognised is not None and recognised[0] in OF_PERSONS


def _text_of(asked: str) -> str:
    return asked.replace("\x00", "").strip()[:4096]


def answer(
    asked: str,
    viewer: Viewer,
    *,
    reach: Reach | None = None,
    most_rows: int = 25,
    columns: Collection[str] = SHOWN,
) -> Answer:
    """All that the viewer may know of what was typed, defanged or not; the newest rows have these columns."""
    text = _text_of(asked)
    if not text:
        return Answer(asked, "", "", Found())
    recognised = recognise_value(text)
    entity = names.resolve(text) if recognised is None else None
    if recognised is None:
        kind, value = "name", entity.name if entity else text
    else:
        kind, value = str(recognised[0]), recognised[1]
    reach = reach or reach_of(viewer)
    wanted = asked_of(kind, value, text)
    found = lookup(snapshot(), reach.sight, wanted, most_rows=most_rows, columns=columns)
    return Answer(
        asked=asked,
        kind=kind,
        value=value,
        found=found,
        sources=_sources(found, reach, viewer),
        objects=_objects(kind, value, text, reach),
        together=_together(found.rows, value),
        warning_lists=warnings.explain(kind, value) if recognised else [],
        entity=entity,
        candidates=list(names.candidates(text)) if recognised is None and entity is None else [],
    )


def _sources(found: Found, reach: Reach, viewer: Viewer) -> list[dict[str, Any]]:
    """Who said it. A partner's name is shown inside the Centre only: by default sources must not be named."""
    places = np.searchsorted(reach.sight.batches, np.fromiter(found.by_batch, np.int64, len(found.by_batch)))
    terms = reach.terms[places]
    counts = np.bincount(terms, np.fromiter(found.by_batch.values(), np.int64, len(terms)), len(reach.held))
    newest = np.zeros(len(reach.held))
    np.maximum.at(newest, terms, reach.received_at[places])
    rows = {place: int(counts[place]) for place in np.flatnonzero(counts).tolist()}
    last_at = {place: datetime.fromtimestamp(newest[place], UTC) for place in rows}
    organisations = Organisation.objects.in_bulk({reach.held[place].organisation for place in rows}) if rows else {}
    graded = _grades(found, reach)
    grouped: dict[tuple[str, str], dict[str, Any]] = {}
    for place, count in rows.items():
        held = reach.held[place]
        organisation, tlp = organisations[held.organisation], held.handling.tlp.value
        is_named = (
            viewer.is_centre or organisation.slug == viewer.organisation or held.handling.attribution in {"may", "must"}
        )
        name = organisation.name if is_named else ""
        entry = grouped.setdefault((name, tlp), {"name": name, "tlp": tlp, "rows": 0, "last_at": last_at[place]})
        entry["rows"] += count
        entry["last_at"] = max(entry["last_at"], last_at[place])
        entry["grades"] = sorted({*entry.get("grades", ()), *graded.get(place, ())})
    return sorted(grouped.values(), key=lambda entry: -entry["rows"])


def _grades(found: Found, reach: Reach) -> dict[int, set[str]]:
    """Place of the terms → grades of the newest parts under them."""
    newest = sorted(found.by_batch, reverse=True)[:MOST_GRADED]
    listed = Batch.objects.filter(pk__in=newest).values_list("pk", "grade")
    grades: dict[int, set[str]] = {}
    for batch, grade in listed:
        place = int(reach.terms[np.searchsorted(reach.sight.batches, batch)])
        grades.setdefault(place, set()).add(grade or str(HOUSE))
    return grades


def _objects(kind: str, value: str, text: str, reach: Reach) -> list[Object]:
    """Objects that name it: by id, by name, or by a pattern that compares with it."""
    every = Object.objects.all()
    if kind != "name":
        return _visible(knowledge.named(every, value), reach)
    by_name = _visible(knowledge.named(every, value), reach)
    by_name = by_name or _visible(knowledge.named(every, text), reach)
    return by_name or _visible(knowledge.identified(every, [text]), reach)


def _visible(objects: QuerySet[Object], reach: Reach) -> list[Object]:
    """The first of them that the viewer may see. Batches are compared here: there may be very many."""
    keys = objects.order_by("pk").values_list("pk", "batch_id")
    seen = [key for key, batch in keys.iterator() if batch in reach.sight.scope.batches][:MOST_OBJECTS]
    return list(Object.objects.filter(pk__in=seen).order_by("pk")) if seen else []


def _together(rows: pl.DataFrame, value: str) -> list[tuple[str, str, int]]:
    """What stood beside it: other sides, names, networks, hosts."""
    beside: list[tuple[str, str, int]] = []
    for column in BESIDE:
        counts = Counter(rows[column].drop_nulls().to_list()).most_common(6) if column in rows.columns else []
        beside += [(column, text, count) for text, count in counts if text != value]
    return beside


def log_lookup(
    actor: str, reply: Answer, shown_to: Person | None = None, channel: str = Taking.Channel.PAGE, said_for: str = ""
) -> None:
    """A search is an act: who asked for what, without the answer, and in whose place (`said_for`). What was shown of it
    reached an organisation."""
    now = timezone.now()
    with transaction.atomic():
        if shown_to is not None:
            took(shown_to, channel, {*reply.found.by_batch, *(each.batch_id for each in reply.objects)}, now)
        facts = {"value": sealed_fact(reply.value[:200]), "rows": reply.found.total}
        facts |= {"as": said_for} if said_for else {}
        record(actor, "lookup", f"value:{reply.kind}", facts, at=now)
