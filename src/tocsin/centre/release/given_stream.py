"""One pass over what is open to a reader, a few groups at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import chain

from tocsin.centre.intake.models import HEAD
from tocsin.centre.intake.openings import Opening
from tocsin.centre.intake.reading import BATCHES_IN_DELIVERY
from tocsin.centre.knowledge.models import Copied, Object, Typed
from tocsin.centre.knowledge.rendering import FEW, PLACES, Piece, Renderings, Source
from tocsin.centre.knowledge.selectors import identified, places_of_types
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, STIX
from tocsin.centre.rows import Numbers
from tocsin.core.words import Tlp
from tocsin.products.given_pages import GivenLook, Look, OwnLook, Rendered
from tocsin.products.stix_given import given_version, is_newer

from .given_items import Item, Wanted, identifiers, is_wanted, item_of
from .given_views import Key, View, number_of

GROUPS_AT_ONCE = (4, 16, 64, 100)
GROUPS_AT_ONCE_BY_TYPE = (16, 100, 1_000)
LOOKED_AT_FOR_FEW = 500
"""To find a few objects by their type costs as much as to look at so many that are rendered."""
MOST_LOOKED_AT, MOST_MADE = 10_000, 255
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
        self.identifiers = identifiers()
        self.renderings = Renderings(view.met)
        self.looks: dict[tuple[int, datetime | None], Look] = {}
        self.typed: list[int] = []
        """Where in what is looked through objects of the types lie that are asked for, as `Typed.places`."""
        self.looked_at = 0
        """How many objects."""

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

    def items(self, begin: int, until: int, limit: int) -> Iterator[list[Item]]:
        """What comes after that moment, up to the group that begins at the other one."""
        heads = self._heads(begin, until)
        if self.wanted.ids:
            some = [each for items in heads.values() for each in items]
            yield list(merge(some, self._named(begin, until), key=lambda each: each.moment))
            return
        if self.wanted.types and not Typed.objects.filter(type__in=self.wanted.types).exists():
            yield [each for items in heads.values() for each in items]
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
                    first.append((source, self._look(opening)))
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

    def _group(self, key: Key, sources: dict[int, Source], begin: int) -> Iterator[list[Item]]:
        parts = [self._batch(key[0], *each, begin - key[0] - HEAD) for each in self._of_group(key, sources)]
        if len(parts) == 1:
            yield from parts[0]
        else:
            each_of = (chain.from_iterable(part) for part in parts)
            yield from ([item] for item in merge(*each_of, key=lambda each: each.moment))

    def _batch(self, at: int, source: Source, opening: Opening, after: int) -> Iterator[list[Item]]:
        """The objects of a batch behind that place."""
        look, place = self._look(opening), max(0, after + 1)
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

    def _piece(self, at: int, source: Source, piece: Piece, place: int, copied: set[int]) -> list[Item]:
        made, behind = piece.rendered, bisect_left(piece.rendered.places, place)
        start, batch = at + HEAD, source.batch
        base = source.delivery * OBJECTS_IN_DELIVERY
        doubtful = {number - base for number in copied}.intersection(made.places[behind:]) if copied else set[int]()
        types, versions = self.wanted.types, self.wanted.versions
        takes_only = bool(versions & {"first", "last", "all"})
        if takes_only and not types and not doubtful:
            return [Item(start + n, batch, n, id_, kind, said, raw) for n, id_, kind, said, raw in made.rest(behind)]
        allowed = self._allowed_in(source, made, doubtful) if doubtful else set[int]()
        return [
            Item(start + n, batch, n, made.ids[each], made.types[each], made.versions[each], made.raw(each))
            for each, n in enumerate(made.places[behind:], behind)
            if (not types or made.types[each] in types)
            and ((n in allowed) if n in doubtful else (takes_only or made.versions[each] in versions))
        ]

    def _allowed_in(self, source: Source, made: Rendered, doubtful: set[int]) -> set[int]:
        """Of these places, whose objects share their id with others, those of which an object is given."""
        base = source.delivery * OBJECTS_IN_DELIVERY
        things = list(Object.objects.filter(pk__in=Numbers(base + each for each in doubtful)))
        versions = {base + place: version for place, version in zip(made.places, made.versions, strict=True)}
        return {number - base for number in self._allowed(things, versions)}

    def _allowed(self, things: Sequence[Object], versions: dict[int, str]) -> set[int]:
        """Numbers of those that are wanted in this version, and of which the reader has no earlier copy."""
        copies, shown = self._copies(things)
        allowed = set()
        for thing in things:
            version, own = versions[thing.pk], self._served_id(thing)
            alike = [each for each in copies[thing.object_id] if self._served_id(each) == own]
            if self._is_version_wanted(version, [self._version(each) for each in alike]) and not any(
                self._is_before(each, thing) and self._digest(each, shown) == self._digest(thing, shown)
                for each in alike
                if self._version(each) == version
            ):
                allowed.add(thing.pk)
        return allowed

    def _named(self, begin: int, until: int) -> Iterator[Item]:
        """Of the objects with the ids that are asked for those that come between the two."""
        ids = {*self.wanted.ids, *map(self.identifiers.opened, self.wanted.ids)}
        listed = identified(Object.objects.filter(standard=STIX), ids).order_by("pk").distinct()
        things = [each for each in listed if each.batch_id in self.view.by_batch]
        shown = self._shown(sorted({each.batch_id for each in things}))
        found: dict[int, Item] = {}
        for thing in things:
            opening, source = self.view.by_batch[thing.batch_id], shown.get(thing.batch_id)
            at, place = number_of(opening.at), thing.pk - thing.delivery_id * OBJECTS_IN_DELIVERY
            if source is None or at > until or at + HEAD + place <= begin:
                continue
            one = self.renderings.ones(source, self._look(opening), [place]).get(place)
            if one is None or one.id not in self.wanted.ids:
                continue
            if not self.wanted.types or one.type in self.wanted.types:
                found[thing.pk] = Item(at + HEAD + place, source.batch, place, one.id, one.type, one.version, one.raw)
        versions = {number: item.said for number, item in found.items()}
        allowed = self._allowed([each for each in things if each.pk in found], versions)
        yield from sorted((found[number] for number in allowed), key=lambda each: each.moment)

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

    def _copies(self, things: Sequence[Object]) -> tuple[dict[str, list[Object]], dict[int, Source]]:
        """Identifier → all objects with it that are open to the reader; and their batches."""
        found: dict[str, list[Object]] = defaultdict(list)
        every = Object.objects.filter(standard=STIX)
        listed = identified(every, {thing.object_id for thing in things}).order_by("pk").distinct()
        copies = [each for each in listed if each.batch_id in self.view.by_batch]
        shown = self._shown(sorted({each.batch_id for each in copies}))
        for each in copies:
            if each.batch_id in shown:
                found[each.object_id].append(each)
        return found, shown

    def _look(self, opening: Opening) -> Look:
        key = (0, None) if self.is_own else (opening.held.number, opening.relabelled_at)
        if key not in self.looks:
            self.looks[key] = self._made_look(opening)
        return self.looks[key]

    def _made_look(self, opening: Opening) -> Look:
        if self.is_own:
            return OwnLook()
        return GivenLook(self.view.conditions(opening), self.view.centre, self.identifiers, opening.relabelled_at)

    def _digest(self, thing: Object, shown: dict[int, Source]) -> bytes | None:
        """Of what the reader gets of it."""
        source, place = shown.get(thing.batch_id), thing.pk - thing.delivery_id * OBJECTS_IN_DELIVERY
        if source is None:
            return None
        one = self.renderings.ones(source, self._look(self.view.by_batch[thing.batch_id]), [place]).get(place)
        return None if one is None else one.digest

    def _served_id(self, thing: Object) -> str:
        is_named = self.is_own or self.view.conditions(self.view.by_batch[thing.batch_id]).is_named
        return thing.object_id if is_named else self.identifiers.sealed(thing.object_id)

    def _version(self, thing: Object) -> str:
        """The version of the object as it is given."""
        return given_version(thing.version, None if self.is_own else self.view.by_batch[thing.batch_id].relabelled_at)

    def _is_before(self, one: Object, other: Object) -> bool:
        first, second = self.view.by_batch[one.batch_id], self.view.by_batch[other.batch_id]
        return (first.at, one.pk) < (second.at, other.pk)

    def _is_version_wanted(self, version: str, others: Sequence[str]) -> bool:
        wanted = self.wanted.versions
        if "all" in wanted or version in wanted:
            return True
        is_last = "last" in wanted and not any(is_newer(each, version) for each in others)
        return is_last or ("first" in wanted and not any(is_newer(version, each) for each in others))
