"""What is open to one reader, in the order of its moments: worked out once, then kept up with what changes."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from tocsin.centre.intake.models import Batch, Change
from tocsin.centre.intake.openings import Closing, Opening, Timeline, closings, openings
from tocsin.centre.intake.register import Register, register
from tocsin.centre.knowledge.models import Copied, Object
from tocsin.centre.knowledge.rendering import Met, Source
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, STIX
from tocsin.centre.rows import Numbers
from tocsin.credentials import load_or_make
from tocsin.handling import HandlingSet, Viewer
from tocsin.products.given_pages import Look
from tocsin.products.order import Centre
from tocsin.products.stix_given import Conditions

from .services import issuer

MOST_REMEMBERED = 250_000
"""So many batches, of all readers' views together."""
MOST_VIEWS = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Key = tuple[int, int]
"""Where the moments of a group begin, and its delivery: batches of one delivery that opened at once."""


def number_of(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(number: int) -> datetime:
    """What `number_of` was given."""
    return _EPOCH + number * _MICROSECOND


def centre_of(now: datetime) -> Centre:
    """The Centre as it stands in objects."""
    installation: Any = settings.INSTALLATION
    return issuer(load_or_make(installation.keys_folder, installation.organisation), now)


def conditions_of(handling: HandlingSet) -> Conditions:
    """What recipients are told of it."""
    return Conditions(
        tlp=handling.tlp, codes=handling.codes, pap=handling.pap, purposes=handling.purposes,
        classification=handling.classification, retention_months=handling.retention_months,
        is_named=handling.attribution in {"may", "must"}, restrictions=handling.restrictions,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the batches that are open to a reader; told apart by name alone."""

    name: str
    picks: Callable[[Timeline, Collection[int]], Mapping[int, datetime | None]] = field(compare=False)
    """Of these batches the ones that belong to it; with since when, where that is later than they opened."""


def _picks_all(_: Timeline, batches: Collection[int]) -> dict[int, datetime | None]:
    return dict.fromkeys(batches)


RELEASED = Part("", _picks_all)
"""All that was released to the reader."""
OWN = Part("own", _picks_all)
"""What the reader's organisation handed over itself."""


class View:
    """What is open to one reader, after one change. What follows becomes another view: who reads goes on with his."""

    def __init__(self, viewer: Viewer, lock: threading.Lock) -> None:
        self.viewer = viewer
        self.change = (0, 0)
        self.keys: list[Key] = []
        """Ascending."""
        self.groups: dict[Key, tuple[int, ...]] = {}
        """The batches of each."""
        self.by_batch: dict[int, Opening] = {}
        self.closed: dict[Key, tuple[int, ...]] = {}
        """The batches that closed then, some of whose objects share their id with others."""
        self.closings: dict[int, tuple[tuple[Key, bool, bool], ...]] = {}
        """Batch → its closings, whether its objects had the versions then under which they came, and whether its term
        was over."""
        self.firsts: dict[Conditions, list[Key]] = {}
        """(moment, batch) of all batches under these conditions, ascending."""
        self.sources: dict[int, Source] = {}
        """What is open, as it was when it last changed."""
        self.met: Met = {}
        """Where pieces of renderings of these were found."""
        self.copied: dict[tuple[int, int, int], set[int]] = {}
        """Batch and places of a piece → objects in it that share their id with others, after this change."""
        self.looks: dict[tuple[int, datetime | None], Look] = {}
        """How what is open looks: terms and since when → look."""
        self.whole: View | None = None
        """Of what it is a part."""
        self.centre: Centre
        self._conditions: dict[int, Conditions] = {}
        self.lock = lock
        """Of all views of this reader: one at a time is made."""

    def conditions(self, opening: Opening) -> Conditions:
        """What is told of the batch."""
        known = self._conditions.get(opening.held.number)
        if known is None:
            known = self._conditions[opening.held.number] = conditions_of(opening.held.handling)
        return known

    def from_place(self, moment: int) -> int:
        """Place in `keys` of the first group that may have something after this moment."""
        return max(0, bisect_right(self.keys, (moment, 1 << 62)) - 1)

    def keys_end(self, begin: int) -> int:
        """The moment before which everything of the groups lies that begin at this one or before it."""
        place = bisect_right(self.keys, (begin, 1 << 62))
        return self.keys[place][0] if place < len(self.keys) else 1 << 62

    def all_closings(self) -> list[Closing]:
        """What is in `closed`."""
        return [
            Closing(moment_of(at), batch, of, is_as_it_came, is_end)
            for batch, some in self.closings.items()
            for (at, of), is_as_it_came, is_end in some
        ]

    def copy(self) -> View:
        """The same once more, to be changed."""
        made = View(self.viewer, self.lock)
        made.keys, made.groups, made.by_batch = list(self.keys), dict(self.groups), dict(self.by_batch)
        made.firsts = {conditions: list(listed) for conditions, listed in self.firsts.items()}
        made.closed, made.closings = dict(self.closed), dict(self.closings)
        made.sources, made.met, made._conditions = dict(self.sources), dict(self.met), self._conditions
        return made

    def _leave(self, key: Key, groups: dict[Key, tuple[int, ...]], batch: int) -> None:
        """Take the batch out of a group, and the group out of the keys where nothing is left of it."""
        if left := tuple(each for each in groups.get(key, ()) if each != batch):
            groups[key] = left
            return
        groups.pop(key, None)
        if key not in self.groups and key not in self.closed:
            del self.keys[bisect_left(self.keys, key)]

    def replace_closings(self, gone: Sequence[int], new: Sequence[Closing]) -> None:
        """The same of what closed."""
        for batch in gone:
            for key, *_ in self.closings.pop(batch, ()):
                self._leave(key, self.closed, batch)
        for each in new:
            key = number_of(each.at), each.delivery
            if key not in self.groups and key not in self.closed:
                insort(self.keys, key)
            self.closed[key] = (*self.closed.get(key, ()), each.batch)
            self.closings[each.batch] = (*self.closings.get(each.batch, ()), (key, each.is_as_it_came, each.is_end))

    def replace(self, gone: Sequence[int], new: Sequence[Opening]) -> None:
        """Leave out what was said of some batches, and enter these."""
        keys, groups = self.keys, self.groups
        for batch in gone:
            old = self.by_batch.pop(batch, None)
            if old is None:
                continue
            self.sources.pop(batch, None)
            self.met.pop(batch, None)
            key = number_of(old.at), old.delivery
            self._leave(key, groups, batch)
            listed = self.firsts[self.conditions(old)]
            del listed[bisect_left(listed, (key[0], batch))]
        is_few = len(new) * 8 < len(keys)
        for each in new:
            key = number_of(each.at), each.delivery
            if key not in groups and key not in self.closed:
                insort(keys, key) if is_few else keys.append(key)
            groups[key] = (*groups.get(key, ()), each.batch)
            self.by_batch[each.batch] = each
            listed = self.firsts.setdefault(self.conditions(each), [])
            insort(listed, (key[0], each.batch)) if is_few else listed.append((key[0], each.batch))
        if not is_few:
            keys.sort()
            for listed in self.firsts.values():
                listed.sort()


_views: OrderedDict[tuple[Timeline, Part], View] = OrderedDict()
_lock = threading.Lock()


def view_of(timeline: Timeline, now: datetime, part: Part = RELEASED) -> tuple[View, Register]:
    """What is open, with all changes that the caller can see; and the register of them, which is the gate's answer
    about batches at this moment: each page asks it again."""
    known = register()
    view = _kept(timeline, part if part is OWN else RELEASED, known, now)
    if part not in (OWN, RELEASED):
        view = _kept(timeline, part, known, now, view)
    return view, known


def _kept(timeline: Timeline, part: Part, known: Register, now: datetime, whole: View | None = None) -> View:
    """The view that is kept, or the one that follows it."""
    key = timeline, part
    with _lock:
        begun = _views.setdefault(key, View(timeline.viewer, threading.Lock()))
    with begun.lock:
        view = _views.get(key, begun)
        if view.change != known.change or (whole is not None and view.whole is not whole):
            view = _followed(view, timeline, part, known.change, now) if whole is None else _part_of(
                view, whole, timeline, part
            )  # fmt: skip
            _views[key] = view
    with _lock:
        _views[key] = view
        _views.move_to_end(key)
        size = sum(len(each.by_batch) for each in _views.values())
        while (size > MOST_REMEMBERED or len(_views) > MOST_VIEWS) and len(_views) > 2:
            size -= len(_views.popitem(last=False)[1].by_batch)
    return view


def _changed_since(old: View) -> list[int] | None:
    """The batches that changed since; None where it was never seen, is too long ago, or of a transaction that came to
    nothing: then everything did."""
    if not Change.objects.filter(pk=old.change[0], stamp=old.change[1]).exists():
        return None
    return list(Batch.objects.filter(changed__gt=old.change[0]).values_list("pk", flat=True))


def with_objects(among: Collection[int] | None = None) -> Q:
    """Whether there are objects of STIX in a batch; and whether it is one of these."""
    some = Object.objects.filter(delivery=OuterRef("delivery"), batch=OuterRef("pk"), standard=STIX)
    found = Q(Exists(some), objects_count__gt=0)
    return found if among is None else found & Q(pk__in=Numbers(among))


def with_copies() -> Q:
    """Whether something in a batch's delivery shares its id with others."""
    first = OuterRef("delivery") * OBJECTS_IN_DELIVERY
    return Q(Exists(Copied.objects.filter(number__gte=first, number__lt=first + OBJECTS_IN_DELIVERY)))


def _followed(old: View, timeline: Timeline, part: Part, change: tuple[int, int], now: datetime) -> View:
    among = with_objects()
    is_own = part is OWN
    if is_own:
        among &= Q(organisation__slug=timeline.viewer.organisation)
    gone = _changed_since(old)
    if gone is None:
        view = View(old.viewer, old.lock)
    else:
        view = old.copy()
        among &= Q(changed__gt=old.change[0])
    look = (lambda _: None) if is_own else conditions_of
    found = openings(timeline, among, now, look=look, is_own=is_own) if gone is None or gone else []
    view.replace(gone or (), found)
    if gone is None or gone:
        among = with_copies() if gone is None else with_copies() & Q(changed__gt=old.change[0])
        view.replace_closings(gone or (), closings(timeline, among, now, look=look, is_own=is_own))
    of_these = Batch.objects.filter(pk__in=Numbers(each.batch for each in found))
    for pk, delivery, count, changed, at in of_these.values_list(
        "pk", "delivery_id", "objects_count", "changed", "sealed_at"
    ):
        view.sources[pk] = Source(pk, delivery, count, changed, at is not None)
    view.centre = centre_of(now)
    view.change = change
    return view


def _part_of(old: View, whole: View, timeline: Timeline, part: Part) -> View:
    """Of the whole view the batches that belong to the part, whose cost is theirs alone from then on."""
    gone = _changed_since(old)
    view = View(old.viewer, old.lock) if gone is None else old.copy()
    asked = whole.by_batch if gone is None else [each for each in gone if each in whole.by_batch]
    picked = part.picks(timeline, asked) if asked else {}
    found = []
    for batch in sorted(picked):
        opening, since = whole.by_batch[batch], picked[batch]
        found.append(opening if since is None or since <= opening.at else opening._replace(at=since))
    view.replace(gone or (), found)
    view.sources |= {batch: whole.sources[batch] for batch in picked if batch in whole.sources}
    # What closed elsewhere counts too: one object is the same in every part.
    view.replace_closings(list(view.closings), [])
    view.replace_closings((), whole.all_closings())
    view.met, view.copied, view.centre, view.change = whole.met, whole.copied, whole.centre, whole.change
    view.whole = whole
    return view
