"""Objects by nothing but the moments that their versions name: looked for among the rows, a window of places at a time.

No index leads to a version: it would cost each object that comes in a twentieth more, for a question that hardly any
program asks (decision 57). So a page ends when it looked through so much, with what it found, if anything, and the
next one goes on there: no page costs more than another, however much there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from tocsin.centre.intake import wall
from tocsin.centre.intake.models import HEAD, Delivery
from tocsin.centre.intake.openings import Opening
from tocsin.centre.knowledge.models import Copied, Object
from tocsin.centre.knowledge.rendering import Renderings, Source
from tocsin.centre.knowledge.selectors import IS_SEALED
from tocsin.centre.knowledge.services import OBJECTS_IN_DELIVERY, STIX
from tocsin.centre.rows import Numbers

from .given_copies import Copies
from .given_items import Item, Wanted
from .given_views import Key, View

ROWS_AT_ONCE = 50_000
PICKED_AT_ONCE = 64
"""Objects of one window that may be what is asked for: these are read."""
ROWS_LIKE_ONE, PICKED_LIKE, GROUP_LIKE = 10, 20, 250
"""What costs as much as an object that is looked at: rows that are passed; and as how many of them a row that is read
and a group that is opened count."""


def names_moments_alone(wanted: Wanted) -> bool:
    """Whether versions are asked for that no order among versions decides."""
    return not wanted.versions & {"first", "last", "all"}


class Window(NamedTuple):
    """What was found between two places of a delivery."""

    until: int
    """The place before which all was looked through."""
    items: list[Item]
    looked_at: int
    """As `Stream.looked_at` counts."""


class Windows:
    """Asked for one answer."""

    def __init__(self, view: View, wanted: Wanted, renderings: Renderings, copies: Copies) -> None:
        self.view = view
        self.wanted = wanted
        self.renderings = renderings
        self.copies = copies
        self._ends: dict[int, int] = {}
        """Delivery → the place behind its last object, whoever may see that one."""

    def know(self, deliveries: Iterable[int]) -> None:
        """Look up together how far each of these goes, which are about to be looked through."""
        among = Numbers(set(deliveries) - self._ends.keys())
        with wall.by_another_rule():
            self._ends.update(Delivery.objects.filter(pk__in=among).values_list("pk", "objects_count"))

    def of_group(self, key: Key, some: Sequence[tuple[Source, Opening]], begin: int) -> Iterator[Window]:
        """Of the batches of a group, and of what closed then, from that moment on."""
        at, delivery = key
        base, place = delivery * OBJECTS_IN_DELIVERY, max(0, begin + 1 - at - HEAD)
        if not some and key not in self.view.closed:
            return
        end, cost = self._ends.get(delivery, 0), GROUP_LIKE
        picks = self._picks(some)
        while place < end:
            until = min(place + ROWS_AT_ONCE, end)
            found = [] if not some else _first(
                Object.objects.filter(picks, pk__gte=base + place, pk__lt=base + until)
                .order_by("pk").values_list("pk", flat=True)
            )  # fmt: skip
            among = Copied.objects.filter(number__gte=base + place, number__lt=base + until).order_by("number")
            copied = _first(among.values_list("number", flat=True))
            # Where there are more than are read at once, the next window begins with the first that is left.
            until = min([until, *(listed[PICKED_AT_ONCE] - base for listed in (found, copied) if _is_more(listed))])
            shared = {number for number in copied if number < base + until}
            plain = [number for number in found if number < base + until and number not in shared]
            items = [*self._plain(at, base, some, plain), *self._shared(key, some, shared)]
            cost += (until - place) // ROWS_LIKE_ONE + PICKED_LIKE * (len(plain) + len(shared))
            yield Window(until, sorted(items, key=lambda each: each.moment), cost)
            place, cost = until, 0

    def _picks(self, some: Sequence[tuple[Source, Opening]]) -> Q:
        """Rows that may be given in these versions: what is sealed says none, what is relabelled has another."""
        said = Q(version__in=self.wanted.versions) | IS_SEALED
        relabelled = [source.batch for source, opening in some if opening.relabelled_at is not None]
        if relabelled and not self.copies.is_own:
            said |= Q(batch__in=relabelled)
        if self.wanted.types:
            said &= Q(type__in=self.wanted.types)
        return said & Q(batch__in=[source.batch for source, _ in some], standard=STIX)

    def _plain(
        self, at: int, base: int, some: Sequence[tuple[Source, Opening]], numbers: Sequence[int]
    ) -> Iterator[Item]:
        """Of these, which share their id with nothing, those that are asked for."""
        if not numbers:
            return
        places: dict[int, list[int]] = defaultdict(list)
        lie_in = dict(Object.objects.filter(pk__in=numbers).values_list("pk", "batch_id"))
        for number in numbers:
            if number in lie_in:
                places[lie_in[number]].append(number - base)
        for source, opening in some:
            made = self.renderings.ones(source, self.copies.look(opening), places[source.batch])
            for place, one in made.items():
                if one.version in self.wanted.versions and (not self.wanted.types or one.type in self.wanted.types):
                    yield Item(at + HEAD + place, source.batch, place, one.id, one.type, one.version, one.raw)

    def _shared(self, key: Key, some: Sequence[tuple[Source, Opening]], numbers: set[int]) -> Iterator[Item]:
        """What is given in the places of these, of whose ids there are several."""
        at, delivery = key
        slots = {at + HEAD + number - delivery * OBJECTS_IN_DELIVERY for number in numbers}
        if not numbers:
            return
        batches = {source.batch for source, _ in some}
        if batches:
            own = (each for each in self.copies.of(numbers) if each.batch in batches)
            yield from (each for each in own if each.moment in slots and each.moment == at + HEAD + each.place)
        if key in self.view.closed:
            gone = self.copies.closed(delivery, self.view.closed[key], numbers)
            yield from (each for each in gone if each.moment in slots)


def _first(numbers: QuerySet[Any, int]) -> list[int]:
    return list(numbers[: PICKED_AT_ONCE + 1])


def _is_more(listed: Sequence[int]) -> bool:
    return len(listed) > PICKED_AT_ONCE
