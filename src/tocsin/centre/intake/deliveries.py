"""Reads of deliveries for the people who handed them over and for the Centre."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone

from tocsin.centre import pages
from tocsin.centre.clock.services import judged_at
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import ceiling_of, viewer_of
from tocsin.centre.pages import Page, Part
from tocsin.centre.rows import Unindexed
from tocsin.core.errors import NotFound
from tocsin.core.words import Tlp
from tocsin.handling import Viewer, may_see, narrowest

from . import holding
from .models import Batch, Delivery
from .originals import read_rejections
from .register import facts_of
from .secondees import known_to
from .selectors import countable, visible_batches
from .services import READ, end_of, store_folder
from .terms import unread_handling

PER_PAGE = 50
SAMPLES_PER_REASON = 5
FORMATS_FROM = 200
LAST_RECEIVED = (Part(("-received_at", "-pk")),)


def deliveries_for(person: Person) -> QuerySet[Delivery]:
    """Receipts that the person may read: the own organisation's, or every one for the Centre's desk. What is over is
    nobody's any more."""
    if not may(person, "read"):
        return Delivery.objects.none()
    found = Delivery.objects.alias(over_at=Unindexed("ends_at")).filter(over_at__gt=judged_at(timezone.now()))
    found = found.select_related("organisation", "person")
    if not may(person, "read-all-deliveries"):
        found = found.filter(organisation=person.organisation)
    return known_to(person, holding.without_sealed(found, person), "pk")


def sources_in(found: QuerySet[Delivery]) -> QuerySet[Organisation]:
    """Who handed over some of these; one step into the index for each organisation there is."""
    last = found.filter(organisation=OuterRef("pk")).order_by("-received_at").values("pk")[:1]
    return Organisation.objects.alias(last=Subquery(last)).filter(last__isnull=False)


def formats_in(found: QuerySet[Delivery], chosen: str) -> list[str]:
    """Formats of the last of these, to choose from, and what was chosen."""
    last = found.order_by(*LAST_RECEIVED[0].by).values_list("format", flat=True)[:FORMATS_FROM]
    return sorted({name for name in (*last, chosen[:40]) if name})


def delivery_for(person: Person, receipt: str) -> Delivery:
    """The delivery with this receipt. NotFound whether it is absent or another's."""
    found = deliveries_for(person).select_related("duplicate_of", "mends").filter(receipt=receipt).first()
    if found is None or not (is_within_ceiling(person, found) or _was_sent_by(person, found)):
        raise NotFound
    return found


def is_within_ceiling(person: Person, delivery: Delivery) -> bool:
    """Whether the key in hand, if any, may read everything of the delivery: else it does not exist for it."""
    ceiling = ceiling_of(person)
    if ceiling is None:
        return True
    first = delivery.duplicate_of or delivery
    labels = set(Batch.objects.filter(delivery=first).values_list("handling_set__tlp", flat=True))
    return narrowest(map(Tlp, labels or {unread_handling(first).tlp})).rank <= ceiling.rank


def _was_sent_by(person: Person, delivery: Delivery) -> bool:
    """Whether a program handed it over in this person's name: it may follow that, whatever the label is."""
    machine_doors = {Delivery.Via.API, Delivery.Via.TAXII}
    hands_over = person.through is not None and bool({"deliver", "taxii"} & set(person.through.scopes))
    return hands_over and delivery.person_id == person.pk and delivery.via in machine_doors


def may_read_contents(person: Person, delivery: Delivery) -> bool:
    """Whether the person may have the bytes as received, and excerpts of them.

    The source's own people, and the Centre's analysts unless the gate keeps a part of it from them. A repeat has no
    batches of its own: what it repeats decides. What is held only who decides on it may read. Where one part is over,
    nobody reads the whole.
    """
    if not is_within_ceiling(person, delivery) or is_over(delivery, timezone.now()):
        return False
    if holding.is_sealed(delivery):
        first = delivery.duplicate_of or delivery
        return first.state == Delivery.State.HELD and holding.may_decide(person, first)
    if delivery.organisation_id == person.organisation_id:
        return may(person, "read")
    if not (person.organisation.is_centre and person.has_role("analyst") and may(person, "read-all-deliveries")):
        return False
    return bool(shown_whole(viewer_of(person), [delivery]))


def title_for(person: Person, delivery: Delivery) -> str:
    """What the delivery calls itself, which is content: for its source, and for whom the gate shows every part of it.

    Of what was recalled, or is for named readers alone, the Centre's desk follows the receipt without it.
    """
    is_source = delivery.organisation_id == person.organisation_id and not person.organisation.is_centre
    return delivery.title if is_source or shown_whole(viewer_of(person), [delivery]) else ""


def urgency_for(person: Person, delivery: Delivery) -> str:
    """Why its source calls it urgent, which may tell what is in it: for the same people as its title."""
    is_source = delivery.organisation_id == person.organisation_id and not person.organisation.is_centre
    return str(delivery.urgency) if is_source or shown_whole(viewer_of(person), [delivery]) else ""


def is_over(delivery: Delivery, now: datetime) -> bool:
    """Whether the term of any part of it, or of what it repeats, has ended."""
    first = delivery.duplicate_of or delivery
    return min(first.ends_at, end_of(first) or first.ends_at) <= judged_at(now)


def shown_whole(viewer: Viewer, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Those of which the gate shows this viewer every part, in their order."""
    first = {each.pk: each.duplicate_of or each for each in deliveries}
    numbers = {each.pk for each in first.values()}
    parts = Counter(Batch.objects.filter(delivery__in=numbers).values_list("delivery_id", flat=True))
    shown = Counter(visible_batches(viewer).filter(delivery__in=numbers).values_list("delivery_id", flat=True))

    def is_shown(one: Delivery) -> bool:
        return parts[one.pk] == shown[one.pk] if parts[one.pk] else _may_see_unread(viewer, one)

    return [each for each in deliveries if is_shown(first[each.pk])]


def _may_see_unread(viewer: Viewer, delivery: Delivery) -> bool:
    """The gate's answer under the label that was chosen and the agreement: what is inside nobody knows yet."""
    handling = unread_handling(delivery)
    facts = facts_of(delivery.organisation.slug, handling, None, is_private=delivery.is_private)
    facts = replace(facts, expires_at=delivery.ends_at)
    return may_see(viewer, handling, facts, judged_at(timezone.now()))


def page_of(found: QuerySet[Delivery], after: str, per_page: int = PER_PAGE) -> Page[Delivery]:
    """Newest first, after the cursor; an unreadable cursor starts anew."""
    return pages.page_of(found, LAST_RECEIVED, after, per_page)


def progress_of(deliveries: list[Delivery]) -> dict[int, Job]:
    """The open reading job of each delivery that has one."""
    subjects = [f"delivery:{each.pk}" for each in deliveries if each.state == Delivery.State.RECEIVED]
    jobs = Job.objects.filter(kind=READ, subject__in=subjects).order_by("pk")
    return {int(job.subject.removeprefix("delivery:")): job for job in jobs}


@dataclass(slots=True)
class Refusals:
    """Rejections for one reason."""

    reason: str
    count: int
    samples: list[dict[str, Any]] = field(default_factory=list)


def rejection_frames(delivery: Delivery) -> Iterator[pl.DataFrame]:
    """All rejections of a delivery, part by part, in the order of its files."""
    folder = store_folder() / "rejections" / str(delivery.pk)
    parts = sorted(folder.glob("rejections-*.parquet"), key=lambda path: int(path.stem.rpartition("-")[2]))
    for path in parts:
        yield read_rejections(path)


def refusals_of(delivery: Delivery, *, with_samples: bool) -> list[Refusals]:
    """Rejections by reason, the most frequent first, each with its first few records."""
    found: dict[str, Refusals] = {}
    for frame in rejection_frames(delivery):
        for reason, count in frame["reason"].value_counts().iter_rows():
            entry = found.setdefault(reason, Refusals(reason, 0))
            entry.count += count
            wanted = SAMPLES_PER_REASON - len(entry.samples)
            if with_samples and wanted > 0:
                entry.samples += frame.filter(pl.col("reason") == reason).head(wanted).to_dicts()
    return sorted(found.values(), key=lambda entry: (-entry.count, entry.reason))


def rejected_lines(delivery: Delivery) -> dict[str, dict[int, tuple[str, str]]]:
    """File inside the delivery → line → (reason, field), for records that stand on a line of text."""
    lines: dict[str, dict[int, tuple[str, str]]] = {}
    for frame in rejection_frames(delivery):
        on_lines = frame.filter(pl.col("unit") == "line", pl.col("position") > 0)
        for position, reason, name, file in on_lines.select("position", "reason", "field", "file").iter_rows():
            lines.setdefault(file or "", {}).setdefault(position, (reason, name or ""))
    return lines


def countries_of(delivery: Delivery, viewer: Viewer) -> list[tuple[str, int]]:
    """Rows by country in the parts that the viewer may see, victims' rows by the same rule as everywhere."""
    tallies = countable(viewer).filter(batch__in=visible_batches(viewer).filter(delivery=delivery))
    sums = tallies.values("country").annotate(total=Sum("rows")).order_by("-total", "country")
    return [(row["country"], row["total"]) for row in sums]
