"""What is open to one reader, in the order of its moments: worked out once, then kept up with what changes."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from tocsin.centre.intake.models import Batch, Change
from tocsin.centre.intake.openings import Opening, Timeline, openings
from tocsin.centre.intake.register import Register, register
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.rendering import Met, Source
from tocsin.centre.knowledge.services import STIX
from tocsin.centre.rows import Numbers
from tocsin.credentials import load_or_make
from tocsin.handling import HandlingSet, Viewer
from tocsin.products.order import Centre
from tocsin.products.stix_given import Conditions

from .services import issuer

MOST_REMEMBERED = 250_000
"""So many batches, of all readers' views together."""
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
        self.firsts: dict[Conditions, list[Key]] = {}
        """(moment, batch) of all batches under these conditions, ascending."""
        self.sources: dict[int, Source] = {}
        """What is open, as it was when it last changed."""
        self.met: Met = {}
        """Where pieces of renderings of these were found."""
        self.copied: dict[tuple[int, int], set[int]] = {}
        """Batch and place of a piece → objects in it that share their id with others, after this change."""
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

    def copy(self) -> View:
        """The same once more, to be changed."""
        made = View(self.viewer, self.lock)
        made.keys, made.groups, made.by_batch = list(self.keys), dict(self.groups), dict(self.by_batch)
        made.firsts = {conditions: list(listed) for conditions, listed in self.firsts.items()}
        made.sources, made.met, made._conditions = dict(self.sources), dict(self.met), self._conditions
        return made

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
            if left := tuple(each for each in groups.get(key, ()) if each != batch):
                groups[key] = left
            else:
                groups.pop(key, None)
                del keys[bisect_left(keys, key)]
            listed = self.firsts[self.conditions(old)]
            del listed[bisect_left(listed, (key[0], batch))]
        is_few = len(new) * 8 < len(keys)
        for each in new:
            key = number_of(each.at), each.delivery
            if key not in groups:
                insort(keys, key) if is_few else keys.append(key)
            groups[key] = (*groups.get(key, ()), each.batch)
            self.by_batch[each.batch] = each
            listed = self.firsts.setdefault(self.conditions(each), [])
            insort(listed, (key[0], each.batch)) if is_few else listed.append((key[0], each.batch))
        if not is_few:
            keys.sort()
            for listed in self.firsts.values():
                listed.sort()


_views: OrderedDict[Timeline, View] = OrderedDict()
_lock = threading.Lock()


def view_of(timeline: Timeline, now: datetime) -> tuple[View, Register]:
    """What is open, with all changes that the caller can see; and the register of them, which is the gate's answer
    about batches at this moment: each page asks it again."""
    known = register()
    change = known.change
    with _lock:
        begun = _views.setdefault(timeline, View(timeline.viewer, threading.Lock()))
    with begun.lock:
        view = _views.get(timeline, begun)
        if view.change != change:
            _views[timeline] = view = _followed(view, timeline, change, now)
    with _lock:
        _views[timeline] = view
        _views.move_to_end(timeline)
        size = sum(len(each.by_batch) for each in _views.values())
        while size > MOST_REMEMBERED and len(_views) > 1:
            size -= len(_views.popitem(last=False)[1].by_batch)
    return view, known


def _followed(old: View, timeline: Timeline, change: tuple[int, int], now: datetime) -> View:
    some = Object.objects.filter(delivery=OuterRef("delivery"), batch=OuterRef("pk"), standard=STIX)
    among = Q(Exists(some), objects_count__gt=0)
    if Change.objects.filter(pk=old.change[0], stamp=old.change[1]).exists():
        view, since = old.copy(), Q(changed__gt=old.change[0])
        gone = list(Batch.objects.filter(since).values_list("pk", flat=True))
        among &= since
    else:  # Never seen, too long ago, or of a transaction that came to nothing.
        view, gone = View(old.viewer, old.lock), []
    found = openings(timeline, among, now, look=conditions_of) if gone or not view.by_batch else []
    view.replace(gone, found)
    of_these = Batch.objects.filter(pk__in=Numbers(each.batch for each in found))
    for pk, delivery, count, changed, at in of_these.values_list(
        "pk", "delivery_id", "objects_count", "changed", "sealed_at"
    ):
        view.sources[pk] = Source(pk, delivery, count, changed, at is not None)
    view.centre = centre_of(now)
    view.change = change
    return view
