"""The one box: a value or a name typed by a person, to what the Centre knows of it, through the gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from django.conf import settings

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, LakeFile
from tocsin.centre.intake.selectors import scope_of, visible_batches
from tocsin.centre.knowledge import selectors as knowledge
from tocsin.centre.knowledge.models import Object
from tocsin.core.typed import recognise_value
from tocsin.handling import Viewer
from tocsin.lake.questions.lookup import Found, Sight, entries_of, lookup
from tocsin.lake.scope import Snapshot
from tocsin.reference import names, warnings

MOST_OBJECTS = 50


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
    store = Path(settings.INSTALLATION.store_folder)
    paths = LakeFile.objects.filter(retired_at__isnull=True).order_by("pk").values_list("path", flat=True)
    return Snapshot(tuple(store / path for path in paths))


def sight_of(viewer: Viewer) -> Sight:
    """The viewer's scope, made for look-ups."""
    return Sight(scope_of(viewer))


def answer(asked: str, viewer: Viewer, *, sight: Sight | None = None, most_rows: int = 25) -> Answer:
    """All that the viewer may know of what was typed, defanged or not."""
    text = asked.strip()[:4096]
    recognised = recognise_value(text)
    entity = names.resolve(text) if recognised is None else None
    if recognised is None:
        kind, value = ("name", entity.name if entity else text) if text else ("", "")
    else:
        kind, value = str(recognised[0]), recognised[1]
    if not text:
        return Answer(asked, "", "", Found())
    sight = sight or sight_of(viewer)
    if kind == "name":
        words = sorted({value, text, *(entity.aliases if entity else ())})
        found = lookup(snapshot(), sight, (), names=words, most_rows=most_rows)
    else:
        found = lookup(snapshot(), sight, entries_of(kind, value), most_rows=most_rows)
    return Answer(
        asked=asked,
        kind=kind,
        value=value,
        found=found,
        sources=_sources(found, viewer),
        objects=_objects(kind, value, text, viewer),
        together=_together(found.rows, value),
        warning_lists=warnings.explain(kind, value) if recognised else [],
        entity=entity,
        candidates=list(names.candidates(text)) if recognised is None and entity is None else [],
    )


def _sources(found: Found, viewer: Viewer) -> list[dict[str, Any]]:
    """Who said it. A partner's name is shown inside the Centre only: by default sources must not be named."""
    batches = Batch.objects.filter(pk__in=list(found.by_batch)).select_related("organisation", "handling_set")
    grouped: dict[tuple[str, str], dict[str, Any]] = {}
    for batch in batches:
        is_named = (
            viewer.is_centre
            or batch.organisation.slug == viewer.organisation
            or batch.handling_set.body.get("attribution") in {"may", "must"}
        )
        name = batch.organisation.name if is_named else ""
        entry = grouped.setdefault(
            (name, batch.handling_set.tlp),
            {"name": name, "tlp": batch.handling_set.tlp, "rows": 0, "last_at": batch.received_at},
        )
        entry["rows"] += found.by_batch[batch.pk]
        entry["last_at"] = max(entry["last_at"], batch.received_at)
    return sorted(grouped.values(), key=lambda entry: -entry["rows"])


def _objects(kind: str, value: str, text: str, viewer: Viewer) -> list[Object]:
    """Objects that name it: by id, by name, or by a pattern that compares with it."""
    seen = Object.objects.filter(batch__in=visible_batches(viewer))
    if kind == "name":
        by_name = list(knowledge.named(seen, value)[:MOST_OBJECTS]) or list(knowledge.named(seen, text)[:MOST_OBJECTS])
        return by_name or list(knowledge.identified(seen, [text])[:MOST_OBJECTS])
    return list(knowledge.named(seen, value)[:MOST_OBJECTS])


def _together(rows: pl.DataFrame, value: str) -> list[tuple[str, str, int]]:
    """What stood beside it: other sides, names, networks, hosts."""
    beside: list[tuple[str, str, int]] = []
    for column in ("value", "peer", "malware", "actor", "domain", "network", "hostname"):
        counts = rows[column].drop_nulls().value_counts(sort=True) if rows.height else None
        if counts is None:
            continue
        beside += [(column, text, count) for text, count in counts.head(6).iter_rows() if text != value]
    return beside


def log_lookup(actor: str, reply: Answer) -> None:
    """A search is an act: who asked for what, without the answer."""
    record(
        actor,
        "lookup",
        f"value:{reply.kind}",
        {"value": reply.value[:200], "rows": reply.found.total},
        at=datetime.now(UTC),
    )
