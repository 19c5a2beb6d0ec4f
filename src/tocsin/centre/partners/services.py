"""Working out the scorecards, once a day, in a worker."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from django.db import transaction
from django.db.models import Count, F, Q, Sum

from tocsin.centre.analysis.models import Proposal
from tocsin.centre.audit.services import record
from tocsin.centre.intake.lake_keys import snapshot_of
from tocsin.centre.intake.models import Batch, Delivery, LakeFile
from tocsin.centre.intake.services import store_folder
from tocsin.centre.jobs import services as jobs
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import body_of, identified
from tocsin.centre.members.models import HandlingSet, Organisation
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling
from tocsin.lake.questions.contributions import BATCHES, Contribution, Figures, contributions

from .models import Scorecard
from .rules import OTHERS_LEAST, SPANS, Counts, card_of

COMPUTE = "compute-scorecards"
"""Kind of the job."""
SUBJECT = "partners:scorecards"
EVERY = timedelta(days=1)
KEPT = timedelta(days=400)
OPINIONS_MOST = 20_000
"""The newest opinions that are counted."""
_AGAINST = frozenset({"strongly-disagree", "disagree"})


def tick(now: datetime) -> None:
    """What the clock sets off: the scorecards of the day."""
    jobs.enqueue_every(EVERY, COMPUTE, SUBJECT, at=now)


def run_job(claim: jobs.Claim) -> None:
    """What a worker does for a job of kind COMPUTE."""
    renewed_at = datetime.now(UTC)

    def alive(rows: int) -> None:
        nonlocal renewed_at
        if datetime.now(UTC) - renewed_at > jobs.LEASE / 6:
            renewed_at = datetime.now(UTC)
            jobs.renew(claim, renewed_at, done=rows)

    compute(datetime.now(UTC), alive)
    jobs.finish(claim, datetime.now(UTC))


def compute(now: datetime, alive: Callable[[int], None] = lambda rows: None) -> int:
    """Work out every organisation's scorecards as of now, in place of those of the same day; says how many."""
    sources = {
        each.pk: each for each in Organisation.objects.filter(deliveries__received_at__gte=_since(now, SPANS[-1]))
    }
    cards: list[Scorecard] = []
    for exercise in (False, True):  # Invented partners are never compared with real ones.
        among = {pk for pk, each in sources.items() if each.is_exercise is exercise}
        lake = _of_lake(exercise, now, alive) if among else {}
        for days in SPANS:
            counts = _counts(among, _since(now, days))
            cards += [
                Scorecard(
                    organisation_id=pk, day=now.date(), span_days=days, computed_at=now,
                    body=card_of(lake.get((pk, days), Contribution()), counts[pk]),
                )
                for pk in sorted(among)
            ]  # fmt: skip
    with transaction.atomic():
        Scorecard.objects.filter(day=now.date()).delete()
        Scorecard.objects.filter(day__lt=(now - KEPT).date()).delete()
        Scorecard.objects.bulk_create(cards)
        record("system", "scorecards.computed", SUBJECT, {"organisations": len(sources)}, at=now)
    return len(cards)


def _since(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


def _of_lake(exercise: bool, now: datetime, alive: Callable[[int], None]) -> Figures:
    """What the lake says of every source; recalled batches do not exist."""
    batches = _batches(exercise, now)
    store = store_folder()
    (store / "work").mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="scorecards-", dir=store / "work"))
    try:
        snapshot = snapshot_of(LakeFile.objects.filter(retired_at=None).order_by("pk"))
        return contributions(snapshot, batches, spans=SPANS, now=now, work=work, alive=alive)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _batches(exercise: bool, now: datetime) -> pl.DataFrame:
    compared = _compared_sets()
    found = Batch.objects.filter(Q(hidden_at=None) | Q(hidden_at__gt=now), organisation__is_exercise=exercise)
    rows = [
        (batch, source, received_at, under in compared)
        for batch, source, received_at, under in found.values_list(
            "pk", "organisation_id", "received_at", "handling_set_id"
        ).iterator()
    ]
    return pl.DataFrame(rows, schema=BATCHES, orient="row")


def _compared_sets() -> set[int]:
    """Handling sets under which something may be counted before others: not what is for named readers alone, and not
    what is kept from anybody, since a count would tell that it is there."""
    return {
        pk for pk, body in HandlingSet.objects.values_list("pk", "body")
        if (said := Handling.from_json(body)).tlp.rank < Tlp.AMBER_STRICT.rank and not said.exclusions
    }  # fmt: skip


def _counts(among: Iterable[int], since: datetime) -> dict[int, Counts]:
    """What the catalogue says of these organisations since that moment."""
    among = set(among)
    deliveries = Delivery.objects.filter(organisation__in=among, received_at__gte=since)
    by_delivery: dict[int, dict[str, Any]] = {
        row["organisation"]: dict(row)
        for row in deliveries.values("organisation").annotate(
            n=Count("pk"), twice=Count("pk", filter=Q(state=Delivery.State.DUPLICATE)), rejected=Sum("rejections"),
            urgent=Count("pk", filter=Q(urgent_at__isnull=False)),
            read=Sum(F("rows") + F("repeats") + F("objects_count")),
        ).order_by()
    }  # fmt: skip
    proposals = Proposal.objects.filter(delivery__in=deliveries.values("pk")).exclude(state=Proposal.State.OPEN)
    by_proposal: dict[int, dict[str, Any]] = {
        row["delivery__organisation"]: dict(row)
        for row in proposals.values("delivery__organisation")
        .annotate(n=Count("pk"), refused=Count("pk", filter=Q(state=Proposal.State.REFUSED)))
        .order_by()
    }
    opinions = _opinions(since)
    found = {}
    for pk in among:
        row: dict[str, Any] = by_delivery.get(pk, {})
        decided: dict[str, Any] = by_proposal.get(pk, {})
        opined, disagreed = opinions.get(pk, (0, 0))
        found[pk] = Counts(
            deliveries=row.get("n", 0), duplicates=row.get("twice", 0), rejected=row.get("rejected") or 0,
            accepted=row.get("read") or 0,
            decided=decided.get("n", 0), refused=decided.get("refused", 0), opined=opined, disagreed=disagreed,
            urgent=row.get("urgent", 0),
        )  # fmt: skip
    return found


def _opinions(since: datetime) -> dict[int, tuple[int, int]]:
    """Source → its objects on which three others or more gave an opinion, and those that most disagree with."""
    compared = _compared_sets()
    said: dict[str, dict[int, bool]] = defaultdict(dict)
    opinions = Object.objects.filter(
        type="opinion", delivery__received_at__gte=since, batch__handling_set__in=compared, batch__hidden_at=None
    ).select_related("delivery")
    for each in opinions.order_by("-pk")[:OPINIONS_MOST]:
        with suppress(ValueError):
            body = orjson.loads(body_of(each).raw)
            for ref in body.get("object_refs", ()) if isinstance(body, dict) else ():
                said[str(ref)].setdefault(each.delivery.organisation_id, body.get("opinion") in _AGAINST)
    counted: dict[int, list[bool]] = defaultdict(list)
    for ref, by_source in said.items():
        owners = set(identified(Object.objects.all(), [ref]).values_list("delivery__organisation", flat=True))
        for owner in owners:
            others = [against for source, against in by_source.items() if source != owner]
            if len(others) >= OTHERS_LEAST:
                counted[owner].append(2 * sum(others) > len(others))
    return {owner: (len(all_of_it), sum(all_of_it)) for owner, all_of_it in counted.items()}


def newest_day() -> date | None:
    """The day of the last scorecards."""
    return Scorecard.objects.order_by("-day").values_list("day", flat=True).first()
