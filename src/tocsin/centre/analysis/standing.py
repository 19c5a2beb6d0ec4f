"""Standing queries: a value that somebody wants to hear of as soon as it arrives in what they may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from tocsin.centre.audit.services import record
from tocsin.centre.intake.lake_keys import snapshot_of
from tocsin.centre.intake.models import Batch, LakeFile
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
from tocsin.centre.intake.selectors import in_seen
from tocsin.centre.intake.vault import sealed_fact
from tocsin.centre.jobs import services as jobs
from tocsin.centre.ledger.models import Taking
from tocsin.centre.ledger.services import took
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.questions import Question
from tocsin.core.errors import InputError
from tocsin.core.typed import recognise_value
from tocsin.lake.questions.lookup import lookup
from tocsin.reference import names

from .lookups import asked_of, reach_of
from .models import StandingHit, StandingQuery

CHECK = "standing-queries"
"""Kind of the job that puts every standing query to a delivery that was just read."""


def subject_of(text: str) -> tuple[str, str]:
    """Kind and canonical value, or "name" and the name that it goes by. Raises InputError("not-a-value")."""
    cleaned = text.replace("\x00", "").strip()[:4096]
    recognised = recognise_value(cleaned)
    if recognised is not None:
        return str(recognised[0]), recognised[1]
    if not cleaned:
        raise InputError("not-a-value")
    entity = names.resolve(cleaned)
    return "name", entity.name if entity else cleaned[:200]


@transaction.atomic
def add_query(*, person: Person, text: str, reason: str, at: datetime) -> StandingQuery:
    """Keep watch for a value; the same value is watched once by each person. Raises InputError("not-a-value")."""
    kind, value = subject_of(text)
    for known in StandingQuery.objects.filter(person=person, kind=kind, is_active=True):
        if known.value == value:  # Sealed: no database can compare it.
            return known
    query = StandingQuery.objects.create(
        person=person, organisation=person.organisation, kind=kind, value=value, reason=reason[:300], created_at=at
    )
    record(person.login, "watch.added", f"watch:{query.pk}", {"kind": kind, "value": sealed_fact(value[:200])}, at=at)
    return query


@transaction.atomic
def stop_query(*, query: StandingQuery, at: datetime) -> None:
    """Watch no longer; what was found stays listed."""
    query.is_active = False
    query.save(update_fields=["is_active"])
    record(query.person.login, "watch.stopped", f"watch:{query.pk}", {}, at=at)


def queries_of(person: Person, seen: QuerySet[Batch]) -> QuerySet[StandingQuery]:
    """The person's own, those with something new first; of hits only those in batches that the person sees now."""
    hits = StandingHit.objects.filter(in_seen(seen), query=OuterRef("pk")).order_by().values("query")
    fresh = Subquery(hits.filter(seen_at__isnull=True).annotate(count=Count("pk")).values("count"))
    rows = Subquery(hits.annotate(sum=Sum("rows")).values("sum"))
    counted = StandingQuery.objects.filter(person=person).annotate(fresh=Coalesce(fresh, 0), rows=rows)
    found = counted.filter(Q(is_active=True) | Q(rows__isnull=False))
    return found.order_by("-is_active", "-fresh", "-created_at")


def hits_of(person: Person, seen: QuerySet[Batch]) -> QuerySet[StandingHit]:
    """What came of the person's own queries, in batches that the person sees now."""
    return StandingHit.objects.filter(in_seen(seen), query__person=person)


def mark_seen(person: Person, seen: QuerySet[Batch], at: datetime) -> None:
    """What was listed is no longer new."""
    hits_of(person, seen).filter(seen_at__isnull=True).update(seen_at=at)


def check(claim: jobs.Claim) -> None:
    """The handler: every active query against the files of one delivery, or of those that were read together, each
    through its owner's gate."""
    hits = hits_in(claim.payload.get("deliveries") or [claim.payload["delivery"]])
    now = datetime.now(UTC)
    with transaction.atomic():
        jobs.finish(claim, now)
        StandingHit.objects.bulk_create(
            (StandingHit(query=query, batch_id=batch, rows=rows, at=now) for query, batch, rows in hits),
            ignore_conflicts=True,  # A job that runs twice says nothing twice.
        )
        told: dict[Person, set[int]] = defaultdict(set)
        for query, batch, _rows in hits:
            told[query.person].add(batch)
        for person, batches in told.items():
            took(person, Taking.Channel.ALERT, batches, now)


def hits_in(deliveries: Collection[int]) -> list[tuple[StandingQuery, int, int]]:
    """(query, batch, rows) for what the deliveries with these numbers brought to anybody who waits for it."""
    by_person: dict[Person, list[StandingQuery]] = defaultdict(list)
    for query in _ACTIVE():
        by_person[query.person].append(query)
    if not by_person:
        return []
    first = min(deliveries) * BATCHES_IN_DELIVERY
    last = (max(deliveries) + 1) * BATCHES_IN_DELIVERY - 1
    files = LakeFile.objects.filter(retired_at__isnull=True, first_batch__lte=last, last_batch__gte=first)
    snapshot = snapshot_of(files.order_by("pk"))
    if not snapshot.files:
        return []
    found: list[tuple[StandingQuery, int, int]] = []
    for person, queries in by_person.items():
        if not may(person, "watch"):
            continue
        sight = reach_of(viewer_of(person)).sight
        for query in queries:
            # Only batches of these deliveries: after a compaction a file may hold others beside them.
            counts = lookup(snapshot, sight, asked_of(query.kind, query.value), most_rows=0).by_batch
            found += [(query, batch, rows) for batch, rows in counts.items()
                      if batch // BATCHES_IN_DELIVERY in deliveries]  # fmt: skip
    return found


_ACTIVE = Question(lambda: StandingQuery.objects.filter(is_active=True).select_related("person__organisation__parent"))
