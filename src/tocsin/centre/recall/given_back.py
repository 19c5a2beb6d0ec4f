"""What an organisation is to give back, for programs: of each recall a notice, and a last version of what it had.

Content-free: a notice names what to destroy to who took it, and nothing to who did not (W04).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from django.db.models import Max

from tocsin.centre.intake.models import HEAD, Batch
from tocsin.centre.intake.selectors import in_seen, visible_batches
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import bodies_of, identified
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import sealed_cursor
from tocsin.centre.release import given
from tocsin.centre.release.given import Given, Item, Wanted
from tocsin.handling import HandlingSet
from tocsin.lake.scope import Batches
from tocsin.products import stix_given

from .models import Notice
from .reach import extent_of, first_places, taken_by
from .selectors import notices_for

SLICE = 500
NOTICE_SLOT = 16
"""Moments of a notice: what it refers to, itself, and from HEAD on what it takes back."""


def page(person: Person, *, wanted: Wanted, after: datetime | None, cursor: str, limit: int, now: datetime) -> Given:
    """Notices of the person's organisation that came after that moment, each with what it takes back."""
    if wanted.spec_versions and "2.1" not in wanted.spec_versions:
        return Given()
    begin = -1 if after is None else given.number_of(after)
    if cursor:
        [begin] = given.opened_place("given-back", cursor, 1)
    found: list[Item] = []
    for item in _items(person, begin, now):
        if not given.is_wanted(item.body, wanted):
            continue
        if len(found) == limit:
            return Given(found, sealed_cursor("given-back", [found[-1].moment]))
        found.append(item)
    return Given(found)


def _items(person: Person, begin: int, now: datetime) -> Iterator[Item]:
    """After that moment, by notice; `batch` of an item is the number of its notice here."""
    told = sorted(
        ((given.number_of(_told_at(each)), each.pk, each) for each in notices_for(person)), key=lambda each: each[:2]
    )
    centre = given.centre_of(now)
    for (at, number, notice), (following, *_) in pairwise([*told, (1 << 62, 0, None)]):
        if following <= begin or notice is None:
            continue
        if number == told[0][1]:
            for slot, body in enumerate(stix_given.recall_shared(centre)):
                if at + slot > begin:
                    yield given.item_of(at + slot, number, slot - HEAD, body)
        yield from _of_notice(person, notice, at, begin, now)


def _told_at(notice: Notice) -> datetime:
    """When programs can know of it: in the order in which recalls became visible, whatever the clock said."""
    if notice.told_at is not None:
        return notice.told_at
    recall = notice.recall
    batches = list(Batches.unpacked(bytes(recall.batches)))
    hidden = Batch.objects.filter(pk__in=batches).aggregate(at=Max("moved_at"))["at"] or recall.asked_at
    return hidden if notice.informed_at == recall.asked_at else max(hidden, notice.informed_at)


def _of_notice(person: Person, notice: Notice, at: int, begin: int, now: datetime) -> Iterator[Item]:
    """The notice, and the last versions of what it names, each in the moment of its place in its delivery."""
    told_at = given.moment_of(at)
    recall, centre = notice.recall, given.centre_of(now)
    identifiers = given.identifiers()
    taken = _taken(notice)
    lie_in = Batch.objects.filter(pk__in=list(taken))
    sets = dict(lie_in.values_list("pk", "handling_set__body"))
    sealed = {pk: not given.conditions_of(HandlingSet.from_json(body)).is_named for pk, body in sets.items()}
    deliveries = set(lie_in.values_list("delivery", flat=True))  # Redacted versions lie in deliveries of their own.
    things = Object.objects.filter(delivery__in=deliveries, batch__in=list(taken), standard=given.STANDARD)

    def named(thing: Object) -> str:
        return identifiers.sealed(thing.object_id) if sealed[thing.batch_id] else thing.object_id

    numbered = stix_given.notice_id(recall.number, notice.organisation_id)
    if at + NOTICE_SLOT > begin:
        given_away = things.exclude(type__in=stix_given.WITHHELD).order_by("pk").iterator(chunk_size=SLICE)
        body = stix_given.recall_notice(
            numbered, centre, made_at=recall.asked_at, told_at=told_at, confirm_by=recall.confirm_by,
            action=recall.action, recalled=[(named(each), each.version) for each in given_away],
        )  # fmt: skip
        yield given.item_of(at + NOTICE_SLOT, notice.pk, 0, body)
    begins = first_places(recall)
    seen = visible_batches(viewer_of(person), now)
    last = 0
    for delivery, place in begins.items():
        if at + HEAD + place <= begin:
            last = delivery * OBJECTS_IN_DELIVERY + begin - at - HEAD - place
    while some := list(things.filter(pk__gt=last).order_by("pk")[:SLICE]):
        bodies = bodies_of(some)
        # What the reader still has from elsewhere is not revoked.
        copies = identified(Object.objects.filter(in_seen(seen)), {each.object_id for each in some})
        still = {each.object_id for each in copies}
        for each in some:
            if each.object_id not in still:
                created = stix_given.created_of(bodies[each.pk].raw)
                end = stix_given.tombstone(
                    each.type, named(each), each.version, centre, created=created, notice=numbered, told_at=told_at
                )
                moment = at + HEAD + begins[each.delivery_id] + each.pk - each.delivery_id * OBJECTS_IN_DELIVERY
                if end is not None and moment > begin:
                    yield given.item_of(moment, notice.pk, each.pk, end)
        last = some[-1].pk


def _taken(notice: Notice) -> Batches:
    """What the organisation took of what is recalled, and of redacted versions that closed with it."""
    made = notice.recall
    recalled = Batches.unpacked(bytes(made.batches))
    if made.origins is None:
        return taken_by(notice.organisation_id, recalled)
    if not notice.taken:
        return Batches()
    extent, origins = extent_of(made), Batches.unpacked(bytes(made.origins))
    old = taken_by(notice.organisation_id, extent.batches)
    parts = Batch.objects.filter(pk__in=list(recalled), parted_from__in=list(old & origins))
    return Batches(parts.values_list("pk", flat=True)) | (old - origins)


def note_seen(person: Person, notices: set[int], at: datetime) -> None:
    """The organisation has these notices, whoever or whatever fetched them."""
    notices_for(person).filter(pk__in=notices, seen_at=None).update(seen_at=at)
