"""Objects that share their id with others: which of them a reader gets, in which version, at which moment.

What was taken back from a reader leaves a gap in what a program keeps: another version, or a copy from elsewhere, is
the last one from then on, and a program that reads on by date has long passed its moment. So the object that is left
is given once more, where the one that closed has its place among the moments of that closing, and as a version of its
own, since what the program keeps, and what told it that it is gone, are newer than what is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from tocsin.centre.intake import wall
from tocsin.centre.intake.models import HEAD
from tocsin.centre.intake.openings import Opening
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.rendering import Renderings, Source
from tocsin.centre.knowledge.selectors import identified
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, STIX
from tocsin.products.given_pages import GivenLook, Look, OwnLook
from tocsin.products.stix_given import given_version, is_newer

from .given_items import Item, Wanted, identifiers
from .given_views import View, moment_of, number_of


class _Closing(NamedTuple):
    """Something with an id closed to the reader."""

    at: int
    """Where the moments of its delivery begin then."""
    slot: int
    """Its own among them."""
    version: str
    """The one that the reader had; empty where that is not known."""
    is_end: bool
    """Whether its term was over, rather than that it was taken back."""

    def leaves_a_gap(self, newest: str) -> bool:
        """Whether who had it is to be given what is left, of which this is the newest version. At the end of a term the
        same version may be kept: nothing told that it is gone."""
        if not self.version:
            return True
        return is_newer(self.version, newest) if self.is_end else not is_newer(newest, self.version)


class _Offered(NamedTuple):
    """An object that is open to the reader, as it would be given."""

    thing: Object
    id: str
    version: str
    moment: int
    again_at: datetime | None
    """Since when it is a version of its own, since another with its id closed."""


def place_of(thing: Object) -> int:
    """In its delivery."""
    return int(thing.pk - thing.delivery_id * OBJECTS_IN_DELIVERY)


class Copies:
    """Asked about for one answer."""

    def __init__(
        self, view: View, wanted: Wanted, renderings: Renderings, shown: Callable[[Sequence[int]], dict[int, Source]],
        *, is_own: bool,
    ) -> None:  # fmt: skip
        self.view = view
        self.wanted = wanted
        self.renderings = renderings
        self.shown = shown
        self.is_own = is_own
        self.identifiers = identifiers()
        self.looks = view.looks

    def look(self, opening: Opening, again_at: datetime | None = None) -> Look:
        """How objects of a batch look to the reader."""
        at = again_at or opening.relabelled_at
        key = (0, None) if self.is_own else (opening.held.number, at)
        if key not in self.looks:
            conditions = self.view.conditions(opening)
            self.looks[key] = OwnLook() if self.is_own else GivenLook(
                conditions, self.view.centre, self.identifiers, at
            )  # fmt: skip
        return self.looks[key]

    def named(self, ids: Collection[str]) -> list[Item]:
        """Of the objects with these ids those that are given."""
        asked = {*ids, *map(self.identifiers.opened, ids)}
        return [each for each in self._given(asked) if each.id in ids]

    def of(self, numbers: Iterable[int]) -> list[Item]:
        """Of the objects with the ids of these, which are open, those that are given."""
        things = Object.objects.filter(pk__in=list(numbers))
        return self._given({each.object_id for each in things})

    def closed(self, delivery: int, batches: Collection[int], numbers: Collection[int]) -> list[Item]:
        """What is given in the place of these objects, which closed to the reader."""
        with wall.by_another_rule():  # It was open to the reader, and nothing of it is given but where it lay.
            gone = list(Object.objects.filter(pk__in=list(numbers), delivery=delivery, batch__in=list(batches)))
        return self._given({each.object_id for each in gone})

    def _given(self, ids: Collection[str]) -> list[Item]:
        every = Object.objects.filter(standard=STIX)
        listed = identified(every, ids).order_by("pk").distinct()
        things = [each for each in listed if each.batch_id in self.view.by_batch]
        shown = self.shown(sorted({each.batch_id for each in things}))
        by_id: dict[str, list[Object]] = defaultdict(list)
        for each in things:
            if each.batch_id in shown and each.object_id in ids:
                by_id[self._served_id(each)].append(each)
        closings = self._closings(ids)
        found: list[Item] = []
        for alike in by_id.values():
            offered = self._offered(alike, closings.get(alike[0].object_id, ()))
            found += self._items(self._chosen(offered, shown), shown)
        return sorted(found, key=lambda each: each.moment)

    def _closings(self, ids: Collection[str]) -> dict[str, list[_Closing]]:
        """What with these ids closed to the reader, and when."""
        closed = self.view.closings
        found: dict[str, list[_Closing]] = defaultdict(list)
        if not closed:
            return found
        with wall.by_another_rule():
            listed = list(identified(Object.objects.filter(standard=STIX), ids).order_by("pk").distinct())
        for each in listed:
            for (at, _), is_as_it_came, is_end in closed.get(each.batch_id, ()):
                version = each.version if is_as_it_came or self.is_own else ""
                found[each.object_id].append(_Closing(at, at + HEAD + place_of(each), version, is_end))
        return found

    def _offered(self, alike: Sequence[Object], closings: Sequence[_Closing]) -> list[_Offered]:
        """As they would be given: the newest of them anew, where something with their id closed."""
        made = []
        for each in alike:
            opening = self.view.by_batch[each.batch_id]
            version = given_version(each.version, None if self.is_own else opening.relabelled_at)
            moment = number_of(opening.at) + HEAD + place_of(each)
            made.append(_Offered(each, self._served_id(each), version, moment, None))
        made.sort(key=lambda each: (each.moment, each.thing.pk))
        newest = made[0]
        for one in made:
            if is_newer(one.version, newest.version):
                newest = one
        closings = [each for each in closings if each.leaves_a_gap(newest.version)]
        if not closings:
            return made
        last = max(closings, key=lambda each: each.slot)
        opening = self.view.by_batch[newest.thing.batch_id]
        is_later = last.at > number_of(opening.at)
        again_at = moment_of(last.at) if is_later else opening.at
        version = newest.version if self.is_own else given_version(newest.thing.version, again_at)
        moment = last.slot if is_later else newest.moment
        made[made.index(newest)] = newest._replace(version=version, moment=moment, again_at=again_at)
        return made

    def _chosen(self, offered: Sequence[_Offered], shown: dict[int, Source]) -> list[_Offered]:
        """Those that are wanted in their version, and of which the reader has no earlier copy."""
        found: list[_Offered] = []
        versions = [each.version for each in offered]
        digests: dict[str, set[bytes | None]] = defaultdict(set)
        for each in offered:
            if self._is_version_wanted(each.version, versions):
                if versions.count(each.version) > 1:
                    digest = self._digest(each, shown)
                    if digest in digests[each.version]:
                        continue
                    digests[each.version].add(digest)
                found.append(each)
        return found

    def _items(self, offered: Sequence[_Offered], shown: dict[int, Source]) -> list[Item]:
        found = []
        for each in offered:
            source, place = shown[each.thing.batch_id], place_of(each.thing)
            look = self.look(self.view.by_batch[source.batch], each.again_at)
            one = self.renderings.ones(source, look, [place]).get(place)
            if one is not None and (not self.wanted.types or one.type in self.wanted.types):
                found.append(Item(each.moment, source.batch, place, one.id, one.type, one.version, one.raw))
        return found

    def _digest(self, offered: _Offered, shown: dict[int, Source]) -> bytes | None:
        """Of what the reader gets of it."""
        source, place = shown[offered.thing.batch_id], place_of(offered.thing)
        look = self.look(self.view.by_batch[source.batch], offered.again_at)
        one = self.renderings.ones(source, look, [place]).get(place)
        return None if one is None else one.digest

    def _served_id(self, thing: Object) -> str:
        is_named = self.is_own or self.view.conditions(self.view.by_batch[thing.batch_id]).is_named
        return thing.object_id if is_named else self.identifiers.sealed(thing.object_id)

    def _is_version_wanted(self, version: str, others: Sequence[str]) -> bool:
        wanted = self.wanted.versions
        if "all" in wanted or version in wanted:
            return True
        is_last = "last" in wanted and not any(is_newer(each, version) for each in others)
        return is_last or ("first" in wanted and not any(is_newer(version, each) for each in others))
