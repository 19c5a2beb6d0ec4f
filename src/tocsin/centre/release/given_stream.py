"""One pass over what is open to a reader, a few groups at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain

from tocsin.centre.intake.models import HEAD
from tocsin.centre.intake.openings import Opening
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
from tocsin.centre.knowledge.models import Copied, Object, Typed
from tocsin.centre.knowledge.rendering import FEW, PLACES, Piece, Renderings, Source
from tocsin.centre.knowledge.selectors import places_of_types
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY
from tocsin.centre.rows import Numbers
from tocsin.core.words import Tlp
from tocsin.products.given_pages import Look, Rendered

from .given_copies import Copies
from .given_items import Item, Run, Wanted, is_wanted, item_of
from .given_versions import Windows, names_moments_alone
from .given_views import Key, View, number_of

GROUPS_AT_ONCE = (4, 16, 64, 100)
GROUPS_AT_ONCE_BY_TYPE = (16, 100, 1_000)
COPIED_AT_ONCE = 250
LOOKED_AT_FOR_FEW = 500
"""To find a few objects by their type costs as much as to look at so many that are rendered."""
MOST_LOOKED_AT, MOST_MADE = 10_000, 200
"""A page that has something ends when so many objects were looked at, however few of them are asked for, or so many
rendered for it: nobody waits for more."""
_MARKING_SLOT = 16
"""Moments before the objects of a delivery: identity, definition and labels, then the marking of each batch."""
_LABELS = [each.value for each in Tlp]


class Stream:
    """One pass over what is open to a reader."""

    def __init__(
        self, view: View, wanted: Wanted, shown: Callable[[Iterable[int]], set[int]], *, is_own: bool = False
    ) -> None:
        self.view = view
        self.is_own = is_own
        """Whether it goes back to who handed it over: as it came."""
        self.wanted = wanted
        self.gate = shown
        """Which of some batches are open this moment."""
        self.renderings = Renderings(view.met)
        self.copies = Copies(view, wanted, self.renderings, self._shown, is_own=is_own)
        self.typed: list[int] = []
        """Where in what is looked through objects of the types lie that are asked for, as `Typed.places`."""
        self.looked_at = 0
        """How many objects."""
        self.passed = -1
        """The moment up to which all was looked through, where a page may end without anything."""

    def is_long(self) -> bool:
        """Whether enough was done for one page."""
        return self.looked_at > MOST_LOOKED_AT or self.renderings.made > MOST_MADE

    def _with_types(self, sources: dict[int, Source]) -> dict[int, Source]:
        """Those in whose deliveries some of the types are."""
        self.typed = places_of_types(self.wanted.types, {each.delivery for each in sources.values()})
        having = {each * PLACES // OBJECTS_IN_DELIVERY for each in self.typed}
        return {batch: each for batch, each in sources.items() if each.delivery in having}

    def _next_typed(self, source: Source, place: int) -> int:
        """The first place from this one on where some of the types may lie."""
        base = source.delivery * OBJECTS_IN_DELIVERY
        at = bisect_left(self.typed, (base + place) // PLACES)
        found = self.typed[at] * PLACES - base if at < len(self.typed) else OBJECTS_IN_DELIVERY
        return max(place, min(found, OBJECTS_IN_DELIVERY))

    def items(self, begin: int, until: int, limit: int) -> Iterator[Sequence[Item]]:
        """What comes after that moment, up to the group that begins at the other one."""
        heads = self._heads(begin, until)
        if self.wanted.ids:
            some = [each for items in heads.values() for each in items]
            yield sorted([*some, *self._named(begin, until)], key=lambda each: each.moment)
            return
        if self.wanted.types and not Typed.objects.filter(type__in=self.wanted.types).exists():
            yield [each for items in heads.values() for each in items]
            return
        if names_moments_alone(self.wanted):
            yield from self._by_version(heads, begin, until)
            return
        keys, place = self.view.keys, self.view.from_place(begin)
        rounds = iter(GROUPS_AT_ONCE_BY_TYPE if self.wanted.types else GROUPS_AT_ONCE)
        width = 0
        while place < len(keys) and keys[place][0] <= until:
            width = next(rounds, width)
            some_keys = [each for each in keys[place : place + width] if each[0] <= until]
            place += width
            sources = self._shown([batch for key in some_keys for batch in self.view.groups.get(key, ())])
            if self.wanted.types:
                sources = self._with_types(sources)
            self._begin(some_keys, sources, begin, limit)
            for key in some_keys:
                if key in heads:
                    yield heads[key]
                yield from self._group(key, sources, begin)

    def _by_version(self, heads: dict[Key, list[Item]], begin: int, until: int) -> Iterator[Sequence[Item]]:
        """The same for versions that are named by their moments; nothing, where so much held none."""
        windows = Windows(self.view, self.wanted, self.renderings, self.copies)
        keys, place = self.view.keys, self.view.from_place(begin)
        while place < len(keys) and keys[place][0] <= until:
            some_keys = [each for each in keys[place : place + GROUPS_AT_ONCE[-1]] if each[0] <= until]
            place += len(some_keys)
            sources = self._shown([batch for key in some_keys for batch in self.view.groups.get(key, ())])
            windows.know(delivery for _, delivery in some_keys)
            for key in some_keys:
                yield heads.get(key, [])
                for found in windows.of_group(key, self._of_group(key, sources), begin):
                    self.looked_at += found.looked_at
                    self.passed = key[0] + HEAD + found.until - 1
                    yield found.items

    def _shown(self, batches: Sequence[int]) -> dict[int, Source]:
        """Those of the batches that are open this moment."""
        known = self.view.sources
        return {batch: known[batch] for batch in self.gate(batches) if batch in known}

    def _begin(self, keys: Sequence[Key], sources: dict[int, Source], begin: int, limit: int) -> None:
        """Fetch together what a page of so many begins with, as far as it is rendered."""
        left, first = limit, list[tuple[Source, Look]]()
        for key in keys:
            if left > 0 and begin < key[0] + HEAD + PLACES:
                for source, opening in self._of_group(key, sources):
                    left -= source.objects_count
                    first.append((source, self.copies.look(opening)))
        self.renderings.begin(first)
        known = self.view.copied
        at_hand = ((source, self.renderings.at_hand(source, look, 0)) for source, look in first)
        fresh = {
            (source.batch, piece.first, piece.until): (source, piece) for source, piece in at_hand
            if piece is not None and (source.batch, piece.first, piece.until) not in known
        }  # fmt: skip
        if fresh:
            numbers = {
                key: [source.delivery * OBJECTS_IN_DELIVERY + place for place in piece.rendered.places]
                for key, (source, piece) in fresh.items()
            }
            asked = Copied.objects.filter(number__in=Numbers(chain.from_iterable(numbers.values())))
            found = set(asked.values_list("number", flat=True))
            for which, own in numbers.items():
                known[which] = found.intersection(own)

    def _of_group(self, key: Key, sources: dict[int, Source]) -> list[tuple[Source, Opening]]:
        some = ((sources.get(batch), self.view.by_batch.get(batch)) for batch in self.view.groups.get(key, ()))
        return [
            (source, opening)
            for source, opening in some
            if source is not None and opening is not None and number_of(opening.at) == key[0]
        ]

    def _group(self, key: Key, sources: dict[int, Source], begin: int) -> Iterator[Sequence[Item]]:
        parts = [self._batch(key[0], *each, begin - key[0] - HEAD) for each in self._of_group(key, sources)]
        if key in self.view.closed:
            parts.append(self._closed(key, begin))
        if len(parts) == 1:
            yield from parts[0]
        else:
            each_of = (chain.from_iterable(part) for part in parts)
            yield from ([item] for item in merge(*each_of, key=lambda each: each.moment))

    def _batch(self, at: int, source: Source, opening: Opening, after: int) -> Iterator[Sequence[Item]]:
        """The objects of a batch behind that place."""
        look, place = self.copies.look(opening), max(0, after + 1)
        while place < OBJECTS_IN_DELIVERY:
            if self.wanted.types and (place := self._next_typed(source, place)) >= OBJECTS_IN_DELIVERY:
                return
            piece = self._few_of_types(source, look, place) if self.wanted.types else None
            if piece is None:
                piece = self.renderings.at(source, look, place)
                self.looked_at += len(piece.rendered.places)
                copied = self._copied_in(source, piece)
            else:
                self.looked_at += LOOKED_AT_FOR_FEW
                copied = self._copied_among(source, piece.rendered)
            if found := self._piece(at, source, piece, place, copied):
                yield found
            place = piece.until

    def _few_of_types(self, source: Source, look: Look, place: int) -> Piece | None:
        """The objects of the types in the places around this one, where they are few: nothing else is opened then."""
        if self.renderings.at_hand(source, look, place) is not None:
            return None
        base = source.delivery * OBJECTS_IN_DELIVERY
        until = base + (place // PLACES + 1) * PLACES
        listed = Object.objects.filter(pk__gte=base + place, pk__lt=until, type__in=self.wanted.types)
        numbers = list(listed.filter(batch=source.batch).order_by("pk").values_list("pk", flat=True)[: FEW + 1])
        if len(numbers) > FEW:
            return None
        return Piece(place, until - base, self.renderings.alone(source, look, [each - base for each in numbers]))

    def _copied_among(self, source: Source, made: Rendered) -> set[int]:
        base = source.delivery * OBJECTS_IN_DELIVERY
        asked = Copied.objects.filter(number__in=[base + each for each in made.places])
        return set(asked.values_list("number", flat=True)) if made.places else set()

    def _copied_in(self, source: Source, piece: Piece) -> set[int]:
        """Numbers of objects in it that share their id with others."""
        known = self.view.copied.get((source.batch, piece.first, piece.until))
        if known is not None:
            return known
        if not piece.rendered.places:
            return set()
        base = source.delivery * OBJECTS_IN_DELIVERY
        within = {"number__gte": base + piece.rendered.places[0], "number__lte": base + piece.rendered.places[-1]}
        found = set(Copied.objects.filter(**within).values_list("number", flat=True))
        self.view.copied[source.batch, piece.first, piece.until] = found
        return found

    def _piece(self, at: int, source: Source, piece: Piece, place: int, copied: set[int]) -> Sequence[Item]:
        made, behind = piece.rendered, bisect_left(piece.rendered.places, place)
        start, batch = at + HEAD, source.batch
        base = source.delivery * OBJECTS_IN_DELIVERY
        doubtful = {number - base for number in copied}.intersection(made.places[behind:]) if copied else set[int]()
        types, versions = self.wanted.types, self.wanted.versions
        takes_only = bool(versions & {"first", "last", "all"})
        if takes_only and not types and not doubtful:
            return Run(start, batch, made, behind, len(made.places))
        allowed = self._doubtful(at, source, doubtful) if doubtful else {}
        return [
            allowed[n] if n in allowed
            else Item(start + n, batch, n, made.ids[each], made.types[each], made.versions[each], made.raw(each))
            for each, n in enumerate(made.places[behind:], behind)
            if n in allowed
            or (n not in doubtful and (not types or made.types[each] in types)
                and (takes_only or made.versions[each] in versions))
        ]  # fmt: skip

    def _doubtful(self, at: int, source: Source, places: set[int]) -> dict[int, Item]:
        """Of these places, whose objects share their id with others, those of which an object is given in its place."""
        base = source.delivery * OBJECTS_IN_DELIVERY
        items = self.copies.of(base + each for each in places)
        return {
            each.place: each for each in items if each.batch == source.batch and each.moment == at + HEAD + each.place
        }

    def _named(self, begin: int, until: int) -> list[Item]:
        """Of the objects with the ids that are asked for those that come between the two."""
        ending = self.view.keys_end(until)
        return [each for each in self.copies.named(self.wanted.ids) if begin < each.moment < ending]

    def _closed(self, key: Key, begin: int) -> Iterator[Sequence[Item]]:
        """What is given again since others with its id closed then, in their places."""
        at, delivery = key
        base = delivery * OBJECTS_IN_DELIVERY
        first, end = base + max(0, begin + 1 - at - HEAD), base + OBJECTS_IN_DELIVERY
        batches = self.view.closed[key]
        while True:
            some = Copied.objects.filter(number__gte=first, number__lt=end).order_by("number")
            numbers = list(some.values_list("number", flat=True)[:COPIED_AT_ONCE])
            if not numbers:
                return
            slots = {at + HEAD + each - base for each in numbers}
            self.looked_at += len(numbers)
            yield [each for each in self.copies.closed(delivery, batches, numbers) if each.moment in slots]
            first = numbers[-1] + 1

    def _heads(self, begin: int, until: int) -> dict[Key, list[Item]]:
        """What is shared by objects of a group or of later ones, before the first that needs it."""
        heads: dict[Key, list[Item]] = defaultdict(list)
        known: set[str] = set()
        # What is over by now without any change lies behind nobody who did not get what is shared from it.
        firsts = [] if self.is_own else sorted(each[0] for each in self.view.firsts.values() if each)
        if not firsts or firsts[-1][0] + HEAD <= begin:
            return heads
        firsts = self._firsts()
        for at, batch in firsts:
            opening = self.view.by_batch[batch]
            conditions = self.view.conditions(opening)
            slots = (0, 1, 2 + _LABELS.index(conditions.tlp.value), _MARKING_SLOT + batch % BATCHES_IN_DELIVERY)
            for slot, body in zip(slots, conditions.shared(self.view.centre), strict=True):
                if body["id"] not in known and is_wanted(body, self.wanted) and begin < at + slot and at <= until:
                    heads[at, opening.delivery].append(item_of(at + slot, batch, slot - HEAD, body))
                known.add(body["id"])
        return {key: sorted(heads[key], key=lambda each: each.moment) for key in sorted(heads)}

    def _firsts(self) -> list[tuple[int, int]]:
        """The first batch that is open this moment under each of the conditions, as (moment, batch)."""
        found = []
        for listed in self.view.firsts.values():
            for start in range(0, len(listed), 100):
                shown = self.gate([batch for _, batch in listed[start : start + 100]])
                first = next((each for each in listed[start : start + 100] if each[1] in shown), None)
                if first is not None:
                    found.append(first)
                    break
        return sorted(found)
