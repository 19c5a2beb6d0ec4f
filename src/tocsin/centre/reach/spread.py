"""The reach map: who has something, by which way, in which packages, since when; and who may see it and has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake.concern import countries_in, together
from tocsin.centre.intake.deliveries import deliveries_for
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.register import register
from tocsin.centre.knowledge.models import Object
from tocsin.centre.ledger.models import Kind, Response, Taking
from tocsin.centre.ledger.rules import FEW
from tocsin.centre.ledger.selectors import Progress, progress_of, takings_of
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.release.models import Package, Release
from tocsin.centre.release.selectors import batches_of
from tocsin.core.errors import NotFound
from tocsin.handling import Viewer
from tocsin.lake.scope import Batches

from .recipients import circle


@dataclass(frozen=True, slots=True)
class Way:
    """One way by which it reached an organisation: a channel, and the number of what was taken where it has one."""

    channel: str
    reference: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """An organisation that has some of it."""

    organisation: Organisation
    ways: tuple[Way, ...]
    first_at: datetime
    last_at: datetime
    is_open: bool
    """Whether it may see it still."""
    progress: Progress


@dataclass(frozen=True, slots=True)
class Reach:
    """How far something got."""

    batches: Batches
    holders: tuple[Holder, ...]
    """The first to have it first."""
    open_to: tuple[Organisation, ...]
    """May see it now, and took nothing of it."""
    packages: tuple[Package, ...]
    """That hold some of it, fetched or not, the newest first."""

    @property
    def countries(self) -> dict[str, int]:
        """Code → 2 where somebody has it, 1 where somebody may see it."""
        found = {each.country: 1 for each in self.open_to if each.country}
        return found | {each.organisation.country: 2 for each in self.holders if each.organisation.country}


def reach_of(batches: Batches, source: int, now: datetime) -> Reach:
    """Of these batches, all of one source."""
    around = circle(now)
    takings = takings_of(batches)
    countries = together(countries_in(batches.numbers.tolist()).values())
    is_open = set(around.open_to(batches, source, countries))
    said = _said(batches)
    holders = [
        _holder(around.organisations[key], takings[key], said.get(key, Progress()), is_open=key in is_open)
        for key in takings
        if key in around.organisations and key != source
    ]
    holders.sort(key=lambda holder: (holder.first_at, holder.organisation.name))
    has_it = {holder.organisation.pk for holder in holders}
    others = sorted((around.organisations[key] for key in is_open - has_it), key=lambda each: each.name)
    return Reach(batches, tuple(holders), tuple(others), tuple(_packages(batches)))


def _holder(organisation: Organisation, takings: Sequence[Taking], progress: Progress, *, is_open: bool) -> Holder:
    ways: dict[tuple[str, str], Way] = {}
    for each in takings:
        key = (each.channel, each.reference)
        known = ways.get(key)
        first_at = min(known.first_at, each.began_at) if known else each.began_at
        last_at = max(known.last_at, each.ended_at) if known else each.ended_at
        ways[key] = Way(each.channel, each.reference, first_at, last_at)
    return Holder(
        organisation=organisation, ways=tuple(ways.values()), is_open=is_open, progress=progress,
        first_at=min(way.first_at for way in ways.values()), last_at=max(way.last_at for way in ways.values()),
    )  # fmt: skip


def _said(batches: Batches) -> dict[int, Progress]:
    """What each organisation answered to releases of these: the furthest."""
    pairs = Release.batches.through.objects.filter(batch__in=list(batches), release__state=Release.State.RELEASED)
    found: dict[int, Progress] = {}
    numbers = sorted(set(pairs.values_list("release_id", flat=True)))
    for by_organisation in progress_of(Kind.RELEASE, numbers).values():
        for key, progress in by_organisation.items():
            if key not in found or progress.answered_at or not found[key].acknowledged_at:
                found[key] = progress
    return found


def _packages(batches: Batches) -> list[Package]:
    """Only those of whose span they are can hold them."""
    arrived = Batch.objects.filter(pk__in=list(batches)).order_by("received_at").values_list("received_at", flat=True)
    moments = list(arrived)
    if not moments:
        return []
    near = Package.objects.filter(arrived_from__lte=moments[-1], arrived_until__gt=moments[0]).order_by("-pk")
    return [each for each in near.iterator(chunk_size=100) if batches_of(each) & batches]


def delivery_for(person: Person, receipt: str) -> Delivery:
    """A delivery whose reach the person may look at, recalled ones too. NotFound whether it is absent or not for it."""
    if not may(person, "follow"):
        raise NotFound
    found = deliveries_for(person).filter(receipt=receipt).first()
    if found is None or not parts_of(found, viewer_of(person)):
        raise NotFound
    return found


def object_for(person: Person, key: int) -> Object:
    """An object whose reach the person may look at."""
    if not may(person, "follow"):
        raise NotFound
    found = Object.objects.filter(pk=key).select_related("delivery__organisation").first()
    if found is None or not _shown([found.batch_id], viewer_of(person)):
        raise NotFound
    return found


def parts_of(delivery: Delivery, viewer: Viewer) -> Batches:
    """What the gate opens of it to this viewer, or would if it were not recalled or expired: who has it stays known."""
    return _shown(list(Batch.objects.filter(delivery=delivery).values_list("pk", flat=True)), viewer)


def _shown(numbers: Sequence[int], viewer: Viewer) -> Batches:
    known = register()
    if not viewer.class_name or not numbers:
        return Batches()
    flags = known.memory.seen_by(viewer)
    batches = Batches(list(numbers))
    places = np.searchsorted(known.batches, batches.numbers)
    return Batches(batches.numbers[flags[known.rows["terms"][places]]])


@transaction.atomic
def note_read(actor: str, subject: str, reach: Reach, at: datetime, said_for: str = "") -> None:
    """Who looked at whose hands something is in, and in whose place: an act of its own."""
    facts: dict[str, object] = {"holders": len(reach.holders), "open_to": len(reach.open_to)}
    facts |= {"as": said_for} if said_for else {}
    record(actor, "reach.read", subject, facts, at=at)


@dataclass(frozen=True, slots=True)
class Usefulness:
    """What the source of a delivery may know of what came of it (W10): no names, and no number below three."""

    is_released: bool
    is_useful_to_many: bool
    """Whether recipients of at least three countries said that it was useful to them."""


def usefulness_of(delivery: Delivery) -> Usefulness:
    """Countries are counted, by the last answer of each organisation; how many more than three, nobody is told."""
    numbers = list(Release.objects.filter(delivery=delivery, state=Release.State.RELEASED).values_list("pk", flat=True))
    useful: set[int] = set()
    for by_organisation in progress_of(Kind.RELEASE, numbers).values():
        useful |= {key for key, said in by_organisation.items() if said.usefulness == Response.Usefulness.USEFUL} - {
            delivery.organisation_id
        }
    countries = set(Organisation.objects.filter(pk__in=useful).exclude(country="").values_list("country", flat=True))
    return Usefulness(bool(numbers), len(countries) >= FEW)
