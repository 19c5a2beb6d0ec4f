"""What was released is rendered before somebody asks: for the programs that follow, in the looks in which they get it.

Nobody waits for it, and nothing depends on it: what is not rendered yet is rendered for who asks. Where no program
follows what is released, nothing is done.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from tocsin.centre.intake.models import Batch, Change, Former, Rights
from tocsin.centre.intake.openings import Timeline, known_timelines, may_have, openings
from tocsin.centre.intake.register import Held, held_of
from tocsin.centre.jobs import services as jobs
from tocsin.centre.jobs.models import Job
from tocsin.centre.knowledge.models import Rendering
from tocsin.centre.knowledge.rendering import PLACES, Renderings, Source
from tocsin.centre.rows import Numbers
from tocsin.products.given_pages import GivenLook

from .given_items import identifiers
from .given_views import centre_of, conditions_of, with_objects

RENDER = "render-released"
"""Kind of the job."""
SUBJECT = "renderings"
PRIORITY = -1
"""What came in is read first."""
AT_ONCE = 256
KEPT_AT = 2_000
"""So many rendered objects are written down together."""
Work = tuple[Source, GivenLook]


def tick(now: datetime) -> None:
    """Put a round into the queue when something changed since the last, and programs follow."""
    if Rights.objects.exists() and _mark() != _last_mark():
        jobs.enqueue(RENDER, SUBJECT, at=now, priority=PRIORITY)


class Ahead:
    """The handler."""

    def __init__(self) -> None:
        self.told = threading.Event()
        """Whether to leave it: what was made is kept, and the next goes on there. So it does when something more urgent
        waits, since a world's worth takes hours."""

    def __call__(self, claim: jobs.Claim) -> None:
        begun = Job.objects.values_list("payload", flat=True).get(pk=claim.job)
        mark, last = begun.get("mark") or _mark(), _last_mark()
        is_known = mark["rights"] == last.get("rights") and _is_there(last)
        done, behind = 0, int(begun.get("behind", 0))
        for made, passed in rendered_since(last["change"] if is_known else 0, datetime.now(UTC), behind):
            done += made
            jobs.renew(claim, datetime.now(UTC), done=done)
            if self.told.is_set() or jobs.waits_above(PRIORITY, datetime.now(UTC)):
                Job.objects.filter(pk=claim.job).update(payload={"mark": mark, "behind": max(behind, passed)})
                raise jobs.GivenBack
        with transaction.atomic():
            jobs.finish(claim, datetime.now(UTC))
            Job.objects.filter(pk=claim.job).update(payload=mark)


def _mark() -> dict[str, Any]:
    """How far things are: the newest change, and the newest rights of a program."""
    change, stamp = Change.objects.order_by("-pk").values_list("pk", "stamp").first() or (0, 0)
    rights = Rights.objects.order_by("-pk").values_list("pk", flat=True).first()
    return {"change": change, "stamp": stamp, "rights": rights}


def _last_mark() -> dict[str, Any]:
    """How far they were when the last round began."""
    last = Job.objects.filter(kind=RENDER, state=Job.State.DONE).order_by("-pk").values_list("payload", flat=True)
    return dict(last.first() or {})


def _is_there(mark: dict[str, Any]) -> bool:
    """Whether what is there follows that mark: not after a restored backup, nor when it was too long ago."""
    return Change.objects.filter(pk=int(mark["change"]), stamp=int(mark["stamp"])).exists() if mark else False


def rendered_since(change: int, now: datetime, behind: int = 0) -> Iterator[tuple[int, int]]:
    """Render what changed since that change, as far as programs get it, in batches behind that one. Says after each
    portion how many objects, and up to which batch all is done."""
    changed = Batch.objects.alive(now).filter(with_objects(), changed__gt=change, pk__gt=behind).order_by("pk")
    columns = ("pk", "delivery_id", "objects_count", "changed", "sealed_at", "terms_id")
    listed = list(changed.values_list(*columns))
    timelines = known_timelines()
    for start in range(0, len(listed), AT_ONCE):
        some = listed[start : start + AT_ONCE]
        sources = {pk: Source(pk, of, count, number, at is not None) for pk, of, count, number, at, _ in some}
        works = _works(sources, {pk: terms for pk, *_, terms in some}, timelines, now)
        made = 0
        for each in _filled(works):
            if made:
                yield made, behind
            made = each
        behind = some[-1][0]
        yield made, behind


def _works(
    sources: dict[int, Source], terms: dict[int, int], timelines: Collection[Timeline], now: datetime
) -> list[Work]:
    """Which of these batches some program gets, in which looks."""
    held = held_of(set(terms.values()))
    looks: dict[tuple[int, datetime | None], GivenLook] = {}
    centre, exchange = centre_of(now), identifiers()

    def look(of: Held, at: datetime | None) -> GivenLook:
        if (of.number, at) not in looks:
            looks[of.number, at] = GivenLook(conditions_of(of.handling), centre, exchange, at)
        return looks[of.number, at]

    viewers = {each.viewer for each in timelines}
    wanted = {number for number, each in held.items() if any(may_have(viewer, each, now) for viewer in viewers)}
    open_to_some = {batch for batch, number in terms.items() if number in wanted}
    left = Former.objects.filter(batch__in=Numbers(open_to_some), terms__audience__entries__isnull=False)
    had = set(left.values_list("batch_id", flat=True))
    made = {(batch, look(held[terms[batch]], None)) for batch in open_to_some - had}
    for timeline in timelines if had else ():
        found = openings(timeline, with_objects(had), now, look=conditions_of)
        made |= {(each.batch, look(each.held, each.relabelled_at)) for each in found if each.batch in sources}
    return [(sources[batch], each) for batch, each in sorted(made, key=lambda one: (one[0], one[1].mark))]


def _filled(works: list[Work]) -> Iterator[int]:
    kept: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
    there = Rendering.objects.filter(batch__in=Numbers({source.batch for source, _ in works})).order_by("first")
    for batch, mark, changed, first, until in there.values_list("batch_id", "look", "changed", "first", "until"):
        kept[batch, mark, changed].append((first, until))
    renderings, done = Renderings({}, most=PLACES), 0
    for source, look in works:
        for _ in renderings.fill(source, look, kept[source.batch, look.mark, source.changed]):
            if renderings.made - done >= KEPT_AT:
                renderings.keep()
                yield renderings.made - done
                done = renderings.made
    renderings.keep()
    yield renderings.made - done
