"""The gate, compiled for reads at scale: which batches a viewer may see, and which victim rows in them.

Every distinct pair of handling set and source is put to `handling.may_see` once; there are few pairs however
many batches there are. Everything that counts, pages or searches joins the result first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from tocsin.centre.members.models import HandlingSet, Organisation
from tocsin.handling import Facts, Viewer, may_see
from tocsin.handling import HandlingSet as Handling
from tocsin.lake.scope import Scope

from .models import Batch


def visible_batches(viewer: Viewer, now: datetime | None = None) -> QuerySet[Batch]:
    """The batches that the viewer may see at that moment (default: now), in no particular order."""
    moment = now or timezone.now()
    if not viewer.class_name:
        return Batch.objects.none()
    return batches_of(visible_pairs(viewer, moment), moment)


def batches_of(allowed: Mapping[int, set[int]], moment: datetime) -> QuerySet[Batch]:
    """The batches of these pairs of source and handling set that are not hidden at that moment."""
    if not allowed:
        return Batch.objects.none()
    # Sources with the same visible sets share one condition: two or three stand for dozens of sources.
    sources_by_sets: dict[frozenset[int], list[int]] = defaultdict(list)
    for source, sets in allowed.items():
        sources_by_sets[frozenset(sets)].append(source)
    condition = Q()
    for shared, sources in sources_by_sets.items():
        condition |= Q(organisation_id__in=sorted(sources), handling_set_id__in=sorted(shared))
    shown = Q(hidden_at__isnull=True) | Q(hidden_at__gt=moment)
    return Batch.objects.filter(condition).filter(shown)


def visible_pairs(viewer: Viewer, now: datetime) -> dict[int, set[int]]:
    """Source organisation id → ids of those of its handling sets that the viewer may see."""
    pairs = Batch.objects.order_by().values_list("organisation_id", "handling_set_id").distinct()
    by_source: dict[int, set[int]] = defaultdict(set)
    for source, handling_set in pairs:
        by_source[source].add(handling_set)
    slugs = dict(Organisation.objects.filter(pk__in=by_source).values_list("pk", "slug"))
    bodies = HandlingSet.objects.in_bulk(set().union(*by_source.values()))
    sets = {key: Handling.from_json(row.body) for key, row in bodies.items()}
    allowed = {
        source: {key for key in keys if may_see(viewer, sets[key], facts_of(slugs[source], sets[key]), now)}
        for source, keys in by_source.items()
    }
    return {source: keys for source, keys in allowed.items() if keys}


def facts_of(source: str, handling: Handling) -> Facts:
    """What the gate must know beside the set. A TLP:RED set names its readers as `person:<login>`."""
    named = (entry.removeprefix("person:") for entry in handling.audience if entry.startswith("person:"))
    return Facts(source=source, named=frozenset(named))


def scope_of(viewer: Viewer, now: datetime | None = None) -> Scope:
    """The same answer as the lake's questions take it, with the rule on victim rows (DOMAIN 4.9)."""
    pairs = visible_batches(viewer, now).values_list("pk", "organisation__slug")
    batches: set[int] = set()
    own: set[int] = set()
    for key, slug in pairs:
        batches.add(key)
        if slug == viewer.organisation:
            own.add(key)
    return Scope(
        batches=frozenset(batches),
        own_batches=frozenset(own),
        victim_countries=victim_countries(viewer),
        all_victims=viewer.is_victim_desk,
    )


def victim_countries(viewer: Viewer) -> frozenset[str]:
    """Countries whose victim rows the viewer may read, beside those that it handed over itself."""
    if viewer.country and viewer.class_name == "law-enforcement":
        return frozenset({viewer.country})
    return frozenset()
