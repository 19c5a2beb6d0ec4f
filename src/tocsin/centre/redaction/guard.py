"""Looks for what must not be read in a redacted version: before it is kept, when it is opened again, before it goes.

A find stops the act, and nobody can let it pass: what is found is written otherwise, or taken out as well (W03). The
values come from the lake and from the objects without regard to the maker's own rights, since the version must not
tell its readers of them either; a find therefore never holds one, but what the maker typed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tocsin.centre.intake import lake_keys
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import bodies_of
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import Refused
from tocsin.core.words import VICTIM_LIKE, Kind, Role
from tocsin.handling import HandlingSet
from tocsin.handling.leaks import Finding, Protected, Scanner, Secret, Text
from tocsin.lake.questions.extract import values_under
from tocsin.lake.scope import Batches, Snapshot

from . import texts

RULE = "leaks"
MOST_LINKED = 5_000
MOST_VALUES = 300_000
"""More values than these are not looked for: a part of so many has to be cut smaller by its source."""
PERSONS = frozenset({"individual"})
NAMED_CLASSES = PERSONS | {"organization", "system"}
"""Classes of identities whose name tells who somebody is; that of a sector does not."""


SHOWN = frozenset({Secret.REMOVED, Secret.SOURCE})
"""Reasons of which the maker knows the value: it was taken out by hand, or is the name of the source."""


@dataclass
class LeaksError(Refused):
    """What was found, instead of what was to be done."""

    findings: tuple[Finding, ...] = ()
    shown: tuple[str, ...] = ()
    """Of each find the value, where the maker knows it; else empty."""


def refuse_leaks(written: Iterable[Text], protected: Iterable[Protected]) -> None:
    """Raise LeaksError where a text holds what must not be read."""
    scanner = Scanner(protected)
    if found := scanner.find(written):
        shown = [scanner.protected[each.number].value if each.why in SHOWN else "" for each in found]
        raise LeaksError(RULE, findings=tuple(found), shown=tuple(shown))


def facts_of(found: LeaksError) -> dict[str, Any]:
    """What the log keeps: how many of which sort, and neither fields nor values."""
    return {"findings": len(found.findings), "why": sorted({each.why.value for each in found.findings})}


def of_replaced(replaced: Iterable[tuple[str, str]]) -> list[Protected]:
    """Texts that are replaced must not stand there in another spelling."""
    return [Protected(old, Secret.REMOVED) for old, _new in replaced]


def of_source(delivery: Delivery, handling: HandlingSet) -> list[Protected]:
    """The name of a source that is not to be named."""
    source = delivery.organisation
    if source.is_centre or handling.attribution != "must-not":
        return []
    return [Protected(source.name, Secret.SOURCE)]


def of_rows(
    delivery: Delivery, batches: Collection[int], handling: HandlingSet, by: Person, at: datetime
) -> list[Protected]:
    """Victims in these batches, whoever reads rows of them, and what only narrower parts of the delivery say.

    Who has no known role is shown like a victim: but whatever another row of these batches shows to all is no secret.
    """
    seen = visible_batches(viewer_of(by), at).filter(delivery=delivery).select_related("handling_set")
    narrower = {each.pk for each in seen if each.pk not in batches and _is_narrower(each, handling)}
    rows = values_under(snapshot_of({*batches, *narrower}), Batches({*batches, *narrower}))
    if rows.height > MOST_VALUES:
        raise Refused("too-many-rows")
    found = [(batch, _kind(kind), value, role) for batch, kind, value, role in rows.iter_rows() if value]
    open_to_all = {value for batch, _kind, value, role in found if batch in batches and role not in VICTIM_LIKE}
    made = []
    for _batch, kind, value, role in found:
        if role == Role.VICTIM:
            made.append(Protected(value, Secret.VICTIM, kind))
        elif value not in open_to_all:
            made.append(Protected(value, Secret.RESTRICTED, kind))
    return made


def of_recalled(delivery: Delivery, batches: Collection[int]) -> list[Protected]:
    """What was taken back out of these batches since: nobody may read it, in a version of them either (W04)."""
    gone = set(Batch.objects.filter(parted_from__in=batches, hidden_at__isnull=False).values_list("pk", flat=True))
    if not gone:
        return []
    rows = values_under(snapshot_of(gone), Batches(gone))
    left = Object.objects.filter(delivery=delivery, batch__hidden_at=None).values("name")
    things = Object.objects.filter(delivery=delivery, batch__in=gone).exclude(name="").exclude(name__in=left)
    made = [
        Protected(value, Secret.RESTRICTED, _kind(kind)) for _batch, kind, value, _role in rows.iter_rows() if value
    ]
    return made + [Protected(name, Secret.RESTRICTED) for name in set(things.values_list("name", flat=True))]


def snapshot_of(batches: Collection[int]) -> Snapshot:
    """The files that may hold rows of these batches."""
    if not batches:
        return Snapshot(())
    files = LakeFile.objects.filter(retired_at=None, first_batch__lte=max(batches), last_batch__gte=min(batches))
    return lake_keys.snapshot_of(files.order_by("pk"))


def of_objects(
    delivery: Delivery, contents: Sequence[Mapping[str, Any]], out: Collection[str], handling: HandlingSet,
    by: Person, at: datetime,
) -> list[Protected]:  # fmt: skip
    """What is taken out of these objects, and who is named beside them: whom somebody attacked, people, the maker."""
    made = [Protected(text, Secret.REMOVED) for each in contents for text in texts.names_in(each, out)]
    for identity, why in _identities(delivery, contents, handling, by, at):
        made.append(Protected(identity, why))
    return made


def _identities(
    delivery: Delivery, contents: Sequence[Mapping[str, Any]], handling: HandlingSet, by: Person, at: datetime
) -> Iterable[tuple[str, Secret]]:
    seen = visible_batches(viewer_of(by), at).filter(delivery=delivery)
    things = Object.objects.filter(delivery=delivery, batch__in=seen, type__in=["identity", "relationship"])
    bodies = [_json(body.raw) for body in bodies_of(things.order_by("pk")[:MOST_LINKED]).values()]
    attacked = {str(each.get("target_ref")) for each in bodies if each.get("relationship_type") == "targets"}
    makers = {str(each.get("created_by_ref")) for each in contents}
    for each in bodies:
        name, number = each.get("name"), str(each.get("id"))
        if each.get("type") != "identity" or not isinstance(name, str):
            continue
        if number in attacked and each.get("identity_class") in NAMED_CLASSES:
            yield name, Secret.VICTIM
        elif each.get("identity_class") in PERSONS:
            yield name, Secret.PERSONAL
        elif number in makers and handling.attribution == "must-not":
            yield name, Secret.SOURCE


def _is_narrower(batch: Batch, handling: HandlingSet) -> bool:
    """Whether a part reaches fewer readers than what is made beside it."""
    own = HandlingSet.from_json(batch.handling_set.body)
    return (
        own.tlp.rank > handling.tlp.rank
        or not set(own.exclusions) <= set(handling.exclusions)
        or (bool(own.audience) and own.audience != handling.audience)
    )


def _kind(word: str | None) -> Kind | None:
    return Kind(word) if word in set(Kind) else None


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
