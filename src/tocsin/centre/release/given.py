"""What was released to somebody, object by object in the order in which it opened: for programs that follow it.

A place in this order is (moment of opening, batch, object). It stays the same while the object stays open to the
reader, so that who reads on from a place misses nothing and gets nothing twice (`intake.openings`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from tocsin.centre.intake.openings import Opening, Timeline, openings, timeline_of
from tocsin.centre.intake.register import register
from tocsin.centre.intake.selectors import visible_batches
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import bodies_of, identified
from tocsin.centre.members.models import Person
from tocsin.centre.pages import opened_cursor, sealed_cursor
from tocsin.credentials import load_or_make
from tocsin.handling import HandlingSet
from tocsin.products.order import Centre
from tocsin.products.stix_given import Conditions, Identifiers, given, given_version, is_newer, version_of

from .services import issuer

STANDARD = "stix-2.1"
SHARED_FIRST = -100
"""Identity, markings and definitions stand before the objects of the first batch that needs them."""
SLICE = 500
"""So many objects of a batch are read at once; smaller batches whole."""
BATCHES_AT_ONCE = 100
MOST_BYTES = 16 << 20
"""So much fills a page, however few objects that is."""
MOST_REMEMBERED = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects are asked for; empty: all."""

    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset({"last"})
    """first, last, all, or moments."""
    spec_versions: frozenset[str] = frozenset()


class Item(NamedTuple):
    """An object as the reader gets it."""

    added_at: datetime
    batch: int
    place: int
    body: dict[str, Any]

    @property
    def is_shared(self) -> bool:
        """Whether it is ours: an identity, a marking, a definition."""
        return self.place < 0

    @property
    def version(self) -> str:
        """The version, as TAXII names it; what has none is named by when it was added."""
        return version_of(self.body) or self.added_at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


@dataclass(frozen=True, slots=True)
class Given:
    """A page, and the cursor of the next; empty on the last."""

    items: list[Item] = field(default_factory=list)
    cursor: str = ""


def page(person: Person, *, wanted: Wanted, after: datetime | None, cursor: str, limit: int, now: datetime) -> Given:
    """What opened to the person after that moment, the first to open first.

    A cursor goes on with its own pass, which ends with what had opened when it began: what opens meanwhile is in the
    next pass. Raises InputError for a cursor that is not ours.
    """
    if wanted.spec_versions and "2.1" not in wanted.spec_versions:
        return Given()
    view = _view_of(timeline_of(person), now)
    if not view.openings:
        return Given()
    until, begin = view.openings[-1].at, (after or _EPOCH, 1 << 62, 1 << 62)
    if cursor:
        numbers = opened_cursor("given", cursor)
        until, begin = moment_of(numbers[0]), (moment_of(numbers[1]), numbers[2], numbers[3])
    found: list[Item] = []
    size = 0
    for item in _Stream(view, wanted, now).items(begin, until):
        if len(found) == limit or size > MOST_BYTES:
            last = found[-1]
            place = [number_of(until), number_of(last.added_at), last.batch, last.place]
            return Given(found, sealed_cursor("given", place))
        found.append(item)
        size += len(str(item.body))
    return Given(found)


def conditions_of(handling: HandlingSet) -> Conditions:
    """What recipients are told of it."""
    return Conditions(
        tlp=handling.tlp, codes=handling.codes, pap=handling.pap, purposes=handling.purposes,
        classification=handling.classification, retention_months=handling.retention_months,
        is_named=handling.attribution in {"may", "must"}, restrictions=handling.restrictions,
    )  # fmt: skip


def centre_of(now: datetime) -> Centre:
    """The Centre as it stands in objects."""
    installation: Any = settings.INSTALLATION
    return issuer(load_or_make(installation.keys_folder, installation.organisation), now)


def identifiers() -> Identifiers:
    """The exchange of identifiers of this installation."""
    return Identifiers(settings.SECRET_KEY)


@dataclass(frozen=True, slots=True)
class _View:
    """What is open to one reader."""

    timeline: Timeline
    openings: list[Opening]
    by_batch: dict[int, Opening]
    first: dict[Conditions, int]
    """Conditions → the first batch under them."""


_views: OrderedDict[tuple[Timeline, tuple[int, int]], _View] = OrderedDict()
_lock = threading.Lock()


def _view_of(timeline: Timeline, now: datetime) -> _View:
    """What is open, worked out once for as long as no batch changes. Each page asks the gate again for its batches."""
    key = (timeline, register().change)
    with _lock:
        known = _views.get(key)
    if known is not None:
        return known
    some = Object.objects.filter(delivery=OuterRef("delivery"), batch=OuterRef("pk"), standard=STANDARD)
    found = openings(timeline, Q(Exists(some), objects_count__gt=0), now, look=conditions_of)
    first: dict[Conditions, int] = {}
    for each in found:
        first.setdefault(conditions_of(each.held.handling), each.batch)
    made = _View(timeline, found, {each.batch: each for each in found}, first)
    with _lock:
        _views[key] = made
        while len(_views) > MOST_REMEMBERED:
            _views.popitem(last=False)
    return made


class _Stream:
    """One pass over what is open to a reader."""

    def __init__(self, view: _View, wanted: Wanted, now: datetime) -> None:
        self.view = view
        self.wanted = wanted
        self.now = now
        self.centre = centre_of(now)
        self.identifiers = identifiers()
        ids = {*wanted.ids, *map(self.identifiers.opened, wanted.ids)}
        chosen = Object.objects.filter(standard=STANDARD)
        self.chosen = identified(chosen, ids) if ids else chosen
        if wanted.types:
            self.chosen = self.chosen.filter(type__in=wanted.types)

    def items(self, begin: tuple[datetime, int, int], until: datetime) -> Iterator[Item]:
        """What comes behind that place, up to that moment."""
        heads = self._heads()
        rest = [each for each in self.view.openings if (each.at, each.batch) >= begin[:2] and each.at <= until]
        if self.wanted.ids:
            with_some = set(self.chosen.values_list("batch_id", flat=True)) | heads.keys()
            rest = [each for each in rest if each.batch in with_some]
        for start in range(0, len(rest), BATCHES_AT_ONCE):
            some = rest[start : start + BATCHES_AT_ONCE]
            things = _Things(self.chosen, self._shown([each.batch for each in some]))
            for opening in some:
                after = begin[2] if (opening.at, opening.batch) == begin[:2] else SHARED_FIRST - 1
                if opening.batch not in things.counts:
                    continue
                for place, body in enumerate(heads.get(opening.batch, ()), SHARED_FIRST):
                    if place > after:
                        yield Item(opening.at, opening.batch, place, body)
                for slice_ in things.of(opening.batch, max(after, 0)):
                    yield from self._served(opening, slice_)

    def _shown(self, batches: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Those of the batches that are open this moment: delivery and number of objects of each."""
        shown = visible_batches(self.view.timeline.viewer, self.now).filter(pk__in=batches)
        return {pk: (delivery, count) for pk, delivery, count in shown.values_list("pk", "delivery", "objects_count")}

    def _heads(self) -> dict[int, list[dict[str, Any]]]:
        """Batch → what is shared by objects from there on."""
        heads: dict[int, list[dict[str, Any]]] = defaultdict(list)
        known: set[str] = set()
        for conditions, batch in self.view.first.items():
            for body in conditions.shared(self.centre):
                if body["id"] not in known and is_wanted(body, self.wanted):
                    heads[batch].append(body)
                known.add(body["id"])
        return heads

    def _served(self, opening: Opening, things: list[Object]) -> Iterator[Item]:
        """The objects as they are given, less what the reader has by an earlier copy, or in another version only."""
        bodies = bodies_of(things)
        copies = self._copies(things)
        for thing in things:
            body = self._body(thing, bodies[thing.pk].raw)
            if body is None or (self.wanted.ids and body["id"] not in self.wanted.ids):
                continue
            alike = [each for each in copies[thing.object_id] if self._served_id(each) == body["id"]]
            if self._is_version_wanted(version_of(body), [self._version(each) for each in alike]) and not any(
                self._is_before(each, thing) and self._body(each) == body
                for each in alike
                if self._version(each) == version_of(body)
            ):
                yield Item(opening.at, opening.batch, thing.pk, body)

    def _copies(self, things: Sequence[Object]) -> dict[str, list[Object]]:
        """Identifier → all objects with it that are open to the reader."""
        found: dict[str, list[Object]] = defaultdict(list)
        every = Object.objects.filter(standard=STANDARD)
        listed = identified(every, {thing.object_id for thing in things}).order_by("pk").distinct()
        copies = [each for each in listed if each.batch_id in self.view.by_batch]
        shown = self._shown(sorted({each.batch_id for each in copies}))
        for each in copies:
            if each.batch_id in shown:
                found[each.object_id].append(each)
        return found

    def _body(self, thing: Object, raw: bytes | None = None) -> dict[str, Any] | None:
        opening = self.view.by_batch[thing.batch_id]
        raw = bodies_of([thing])[thing.pk].raw if raw is None else raw
        relabelled_at = opening.at if opening.is_relabelled else None
        return given(raw, conditions_of(opening.held.handling), self.centre, self.identifiers, relabelled_at)

    def _served_id(self, thing: Object) -> str:
        handling = self.view.by_batch[thing.batch_id].held.handling
        return thing.object_id if conditions_of(handling).is_named else self.identifiers.sealed(thing.object_id)

    def _version(self, thing: Object) -> str:
        """The version of the object as it is given."""
        opening = self.view.by_batch[thing.batch_id]
        return given_version(thing.version, opening.at if opening.is_relabelled else None)

    def _is_before(self, one: Object, other: Object) -> bool:
        first, second = self.view.by_batch[one.batch_id], self.view.by_batch[other.batch_id]
        return (first.at, first.batch, one.pk) < (second.at, second.batch, other.pk)

    def _is_version_wanted(self, version: str, others: Sequence[str]) -> bool:
        wanted = self.wanted.versions
        if "all" in wanted or version in wanted:
            return True
        is_last = "last" in wanted and not any(is_newer(each, version) for each in others)
        return is_last or ("first" in wanted and not any(is_newer(version, each) for each in others))


def is_wanted(body: dict[str, Any], wanted: Wanted) -> bool:
    """Whether it is asked for, being the only version of itself."""
    if (wanted.ids and body["id"] not in wanted.ids) or (wanted.types and body["type"] not in wanted.types):
        return False
    return bool({"first", "last", "all", version_of(body)} & wanted.versions)


class _Things:
    """The objects of some batches: of small ones together, of large ones in slices."""

    def __init__(self, chosen: Any, shown: dict[int, tuple[int, int]]) -> None:
        self.chosen = chosen
        self.counts = {batch: count for batch, (_, count) in shown.items()}
        self.deliveries = {batch: delivery for batch, (delivery, _) in shown.items()}
        self.small: dict[int, list[Object]] = defaultdict(list)
        small = [batch for batch, count in self.counts.items() if count <= SLICE]
        deliveries = {self.deliveries[batch] for batch in small}
        for thing in chosen.filter(delivery__in=deliveries, batch__in=small).order_by("pk").distinct():
            self.small[thing.batch_id].append(thing)

    def of(self, batch: int, after: int) -> Iterator[list[Object]]:
        """Those of the batch behind this number, a slice at a time."""
        if self.counts[batch] <= SLICE:
            found = [thing for thing in self.small[batch] if thing.pk > after]
            if found:
                yield found
            return
        among = self.chosen.filter(delivery=self.deliveries[batch], batch=batch).order_by("pk").distinct()
        while found := list(among.filter(pk__gt=after)[:SLICE]):
            yield found
            after = found[-1].pk


def number_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(number: int) -> datetime:
    """What `number_of` was given."""
    return _EPOCH + number * _MICROSECOND
