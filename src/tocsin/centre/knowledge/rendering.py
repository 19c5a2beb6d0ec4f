"""Objects of batches as recipients get them: rendered when somebody first asks, kept, and found again by their place.

What is kept is used for as long as its batch does not change at all; what was rendered of it before is deleted then.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.db import OperationalError, transaction
from django.db.models import QuerySet

from tocsin.centre.intake import vault
from tocsin.centre.questions import Question
from tocsin.products.given_pages import Look, One, Rendered, packed, unpacked

from .models import Object, Rendering
from .selectors import bodies_at
from .services import OBJECTS_IN_DELIVERY, STIX

PLACES = 1_024
"""One rendering ends with the last of so many places at the latest, so that any can be made without those before."""
PLACES_AT_ONCE = 256
"""The same of what is rendered while somebody waits for it."""
FEW = 12
"""So many objects of one rendering are found by themselves rather than in it."""
MOST_BYTES = 4 << 20
"""It also ends where it has so much."""
MOST_REMEMBERED_BYTES = 64 << 20
_AT_ONCE = 64
ONE_BY_ONE = 8
"""So many are asked for each by itself, in words that stand ready; more together."""
_remembered: OrderedDict[int, Rendered] = OrderedDict()
_remembered_bytes = 0
_lock = threading.Lock()


class Source(NamedTuple):
    """A batch, as the gate let it pass just now."""

    batch: int
    delivery: int
    objects_count: int
    changed: int
    is_sealed: bool


class Piece(NamedTuple):
    """What there is of a batch from one place in its delivery to another."""

    first: int
    until: int
    rendered: Rendered


Met = dict[int, dict[int, list[tuple[int, int, int]]]]
"""Batch → look → (first, until, stamp) of pieces that were found: what a reader's view remembers while the batch stays
as it is, so that the database need not be asked where they are."""


class Renderings:
    """What one answer needs of them; `keep` at its end."""

    def __init__(self, met: Met, most: int = PLACES_AT_ONCE) -> None:
        self._met = met
        self._most = most
        """Places in what is rendered now."""
        self._pieces: dict[tuple[int, int], list[Piece]] = {}
        self._fresh: list[Rendering] = []
        self.made = 0
        """How many objects were rendered for it."""

    def begin(self, sources: Collection[tuple[Source, Look]]) -> None:
        """Fetch the first of each, together."""
        looks = {(source.batch, look.mark): source for source, look in sources}
        for source, look in sources:
            if self._remembered(source, look, 0) is not None:
                del looks[source.batch, look.mark]
        if len(looks) <= ONE_BY_ONE:
            for (_, mark), source in looks.items():
                if (piece := self._kept(source, mark, 0)) is not None:
                    self._pieces[source.batch, mark] = [piece]
            return
        found = Rendering.objects.filter(batch__in=[batch for batch, _ in looks], first=0)
        known = [each for each in found.defer("body") if _is_of(each, looks.get((each.batch_id, each.look)))]
        for each, rendered in _opened(known, looks):
            place = each.first, each.until, each.stamp
            self._pieces[each.batch_id, each.look] = [self._found(each.batch_id, each.look, place, rendered)]

    def _found(self, batch: int, look: int, place: tuple[int, int, int], rendered: Rendered) -> Piece:
        here = self._met.setdefault(batch, {}).setdefault(look, [])
        if place not in here:
            here.append(place)
        return Piece(place[0], place[1], rendered)

    def _kept(self, source: Source, look: int, place: int) -> Piece | None:
        """What is kept of the batch with this place in it."""
        found = _NEAR.first(source.batch, look, place)
        if found is None:
            return None
        first, until, changed, stamp, body = found
        if changed != source.changed or place >= until:
            return None
        with _lock:
            rendered = _remembered.get(stamp)
            if rendered is not None:
                _remembered.move_to_end(stamp)
        if rendered is None:
            rendered = unpacked(vault.opened(bytes(body), "rendering"))
            if not source.is_sealed:
                _remember(stamp, rendered)
        return self._found(source.batch, look, (first, until, stamp), rendered)

    def _remembered(self, source: Source, look: Look, place: int) -> Piece | None:
        for first, until, stamp in self._met.get(source.batch, {}).get(look.mark, ()):
            if first <= place < until:
                with _lock:
                    rendered = _remembered.get(stamp)
                if rendered is not None:
                    piece = Piece(first, until, rendered)
                    self._pieces.setdefault((source.batch, look.mark), []).append(piece)
                    return piece
        return None

    def at(self, source: Source, look: Look, place: int) -> Piece:
        """The piece with this place in it, which may hold none of its objects."""
        key = (source.batch, look.mark)
        here = self._pieces.setdefault(key, [])
        while True:
            for piece in here:
                if piece.first <= place < piece.until:
                    return piece
            if (piece_met := self._remembered(source, look, place)) is not None:
                return piece_met
            if (kept := self._kept(source, look.mark, place)) is not None:
                here.append(kept)
                continue
            begins = [each.until for each in here if each.until <= place]
            here.append(self._made(source, look, max([place // self._most * self._most, *begins])))

    def fill(self, source: Source, look: Look, kept: Sequence[tuple[int, int]]) -> Iterator[int]:
        """Render what there is of the batch, but for the pieces that are kept, given by where they begin and end; says
        after each piece how much."""
        place = 0
        while place < OBJECTS_IN_DELIVERY:
            until = next((until for first, until in kept if first <= place < until), None)
            if until is None:
                piece = self._made(source, look, place)
                yield len(piece.rendered.places)
                until = piece.until
            place = until

    def ones(self, source: Source, look: Look, places: Iterable[int]) -> dict[int, One]:
        """The objects of the batch at these places, as far as they are given: where they are few, nothing else of it is
        read or rendered for them."""
        found: dict[int, One | None] = {}
        left: dict[int, list[int]] = defaultdict(list)
        for place in places:
            piece = self.at_hand(source, look, place)
            if piece is None:
                left[place // PLACES].append(place)
            else:
                found[place] = piece.rendered.one(place)
        for some in left.values():
            if len(some) > FEW:
                found |= {place: self.at(source, look, place).rendered.one(place) for place in some}
                continue
            made = self.alone(source, look, some)
            found |= {place: made.one(place) for place in some}
        return {place: one for place, one in found.items() if one is not None}

    def alone(self, source: Source, look: Look, places: Iterable[int]) -> Rendered:
        """A few objects of the batch without their neighbours, which is not kept."""
        base = source.delivery * OBJECTS_IN_DELIVERY
        bodies = bodies_at(base + place for place in places)
        return look.rendered((number - base, body.raw) for number, body in sorted(bodies.items()))

    def at_hand(self, source: Source, look: Look, place: int) -> Piece | None:
        """The piece with this place in it, if it was opened already."""
        for piece in self._pieces.get((source.batch, look.mark), ()):
            if piece.first <= place < piece.until:
                return piece
        return self._remembered(source, look, place)

    def _made(self, source: Source, look: Look, first: int) -> Piece:
        base = source.delivery * OBJECTS_IN_DELIVERY
        of_batch = Object.objects.filter(batch=source.batch, standard=STIX).order_by("pk")
        numbers = of_batch.filter(pk__gte=base + first, pk__lt=base + OBJECTS_IN_DELIVERY).values_list("pk", flat=True)
        last = base + first // self._most * self._most + self._most
        listed = list(numbers.filter(pk__lt=last)) or list(numbers[:1])
        raws: list[tuple[int, bytes]] = []
        size, rest = 0, iter(listed)
        while size < MOST_BYTES and (some := list(islice(rest, _AT_ONCE))):
            bodies = bodies_at(some)
            raws += [(number - base, bodies[number].raw) for number in some]
            size += sum(len(bodies[number].raw) for number in some)
        done = raws[-1][0] + 1 if raws else OBJECTS_IN_DELIVERY
        following = numbers.filter(pk__gte=base + done).first()
        until = OBJECTS_IN_DELIVERY if following is None else following - base
        made = look.rendered(raws)
        body = packed(made)
        if source.is_sealed:
            body = vault.key_for(f"batch:{source.batch}").sealed(body, "rendering")
        row = Rendering(
            batch_id=source.batch, look=look.mark, first=first, until=until, changed=source.changed,
            stamp=secrets.randbits(63), body=body,
        )  # fmt: skip
        self._fresh.append(row)
        self.made += len(made.places)
        return Piece(first, until, made)

    def keep(self) -> None:
        """Write down what was rendered. Whoever cannot now, since others write, leaves it to the next who asks."""
        if not self._fresh:
            return
        made, self._fresh = self._fresh, []
        try:
            with transaction.atomic():
                for each in {each.batch_id: each for each in made}.values():
                    Rendering.objects.filter(batch=each.batch_id).exclude(changed=each.changed).delete()
                if self._most == PLACES:  # What was made of some of it while somebody waited is in it.
                    for each in made:
                        within = {"first__gt": each.first, "first__lt": each.until}
                        Rendering.objects.filter(batch=each.batch_id, look=each.look, **within).delete()
                Rendering.objects.bulk_create(
                    made, batch_size=50, update_conflicts=True, unique_fields=["batch", "look", "first"],
                    update_fields=["until", "changed", "stamp", "body"],
                )  # fmt: skip
        except OperationalError:
            return


def _near(batch: int, look: int, place: int) -> QuerySet[Rendering, tuple[int, int, int, int, Any]]:
    near = Rendering.objects.filter(batch=batch, look=look, first__lte=place).order_by("-first")
    return near.values_list("first", "until", "changed", "stamp", "body")[:1]


_NEAR = Question(_near, 1, 2, 3, is_kept=False)


def _is_of(kept: Rendering, source: Source | None) -> bool:
    return source is not None and kept.changed == source.changed


def _opened(rows: list[Rendering], sources: Mapping[tuple[int, int], Source]) -> list[tuple[Rendering, Rendered]]:
    """What these hold, as far as they are still there. What is sealed is not remembered: its key may be forgotten."""
    with _lock:
        known = {each.stamp: _remembered[each.stamp] for each in rows if each.stamp in _remembered}
        for stamp in known:
            _remembered.move_to_end(stamp)
    missing = [each.pk for each in rows if each.stamp not in known]
    if missing:
        for stamp, body, batch, look in Rendering.objects.filter(pk__in=missing).values_list(
            "stamp", "body", "batch", "look"
        ):
            known[stamp] = made = unpacked(vault.opened(bytes(body), "rendering"))
            if (batch, look) in sources and not sources[batch, look].is_sealed:
                _remember(stamp, made)
    return [(each, known[each.stamp]) for each in rows if each.stamp in known]


def _remember(stamp: int, made: Rendered) -> None:
    global _remembered_bytes
    with _lock:
        former = _remembered.pop(stamp, None)
        _remembered[stamp] = made
        _remembered_bytes += len(made.body) - (0 if former is None else len(former.body))
        while _remembered_bytes > MOST_REMEMBERED_BYTES:
            _remembered_bytes -= len(_remembered.popitem(last=False)[1].body)
