"""Since when somebody may have what is held: the moments by which a program that follows what is new finds it.

What opens to one recipient later than to others (an exclusion lifted, a release made, a permission given, a right of
its own) carries that later moment for this recipient alone (DOMAIN 3.2, W02). Nothing is kept for each recipient: the
terms of a batch with their moments, and the rights of a program with theirs, are gone through backwards from now.

Each object has a moment of its own. Whatever opens a batch, its terms or the reader's rights, holds a stretch of
moments for its delivery (`models.moments_of`), and an object has that of its place in the delivery: batches of one
delivery that open together share the stretch, and nothing else in the world has any of its moments.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from tocsin.centre.clock.services import judged_at
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import ceiling_of, viewer_of
from tocsin.centre.questions import Question
from tocsin.centre.rows import Numbers
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet as Handling
from tocsin.handling import Viewer, may_see

from .ground_models import MICROSECOND
from .models import Batch, Change, Former, Rights, widths_of
from .register import Held, held_of, register
from .selectors import victim_countries, visible_batches

Look = Callable[[Handling], object]
"""What a handling set looks like to recipients: what looks otherwise from a moment on is new from that moment."""
_EVER = datetime.min.replace(tzinfo=UTC)
_EPOCH = datetime.fromtimestamp(0, UTC)


class Opening(NamedTuple):
    """A batch that somebody may have."""

    at: datetime
    """Since when, without a break, and looking as it does now: where the moments of its delivery begin."""
    batch: int
    held: Held
    relabelled_at: datetime | None
    """Since when they have it otherwise than before; None where they never did."""
    delivery: int


class Closing(NamedTuple):
    """A batch that somebody could have, until then."""

    at: datetime
    """Where the moments of its delivery begin that nothing else has."""
    batch: int
    delivery: int
    is_as_it_came: bool
    """Whether it never looked otherwise to them, nor closed before."""
    is_end: bool = False
    """Whether its term was over; nobody took it back."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rights with which somebody asked, the newest first, each with the moment from which they were known."""

    rights: tuple[tuple[datetime, Viewer, int], ...]
    """Since when, which, and the number of their row."""

    @property
    def viewer(self) -> Viewer:
        return self.rights[0][1]


def timeline_of(person: Person) -> Timeline:
    """The person's rights as they are and were. A change is noted here, at the first question that it bears on."""
    viewer, ceiling = viewer_of(person), ceiling_of(person)
    if not viewer.class_name or viewer.country_suspended:
        return Timeline(((_EVER, viewer, 0),))  # Nothing is open, and nothing is missed meanwhile.
    asked = person.pk, ceiling.value if ceiling else ""
    rights, stated = _RIGHTS(*asked), _stated(viewer)
    if not rights or rights[0].viewer != stated:
        with transaction.atomic():
            # Among the changes of batches, so that no moment before it can still become visible.
            change = Change.next()
            rights = _RIGHTS(*asked)
            if not rights or rights[0].viewer != stated:
                # What is known first is taken to have held ever since: it opens nothing at a moment of its own.
                opened = change.stretches(_newly_open(_viewer(rights[0].viewer), viewer)) if rights else {}
                made = Rights(person=person, ceiling=ceiling.value if ceiling else "", viewer=stated,
                              since_at=change.at, opened=packed(opened, change.at))  # fmt: skip
                made.save()
                rights.insert(0, made)
    return Timeline(tuple((each.since_at, _viewer(each.viewer), each.pk) for each in rights))


def _rights(person: int, ceiling: str) -> QuerySet[Rights]:
    """The newest first."""
    return Rights.objects.filter(person=person, ceiling=ceiling).order_by("-since_at", "-pk").defer("opened")


_RIGHTS = Question(_rights, 1, "ceiling")


def known_timelines() -> list[Timeline]:
    """Those of all programs that ever asked for what was released, as they are known: nobody's rights are looked at
    anew."""
    by_program: dict[tuple[int, str], list[Rights]] = defaultdict(list)
    for each in Rights.objects.order_by("-since_at", "-pk").defer("opened"):
        by_program[each.person_id, each.ceiling].append(each)
    return [
        Timeline(tuple((each.since_at, _viewer(each.viewer), each.pk) for each in rights))
        for rights in by_program.values()
    ]


def _newly_open(old: Viewer, new: Viewer) -> dict[int, int]:
    """The deliveries of which these rights open something that those did not, or close it, with how many moments each
    takes; all that are open, where other rows of victims are counted now: parts by country have other batches then."""
    known, now = register(), datetime.now(UTC)
    is_counted_alike = counts_by(old) == counts_by(new)
    terms = [
        held.number
        for held in known.memory.held
        if any(
            (may(new, held, now) and not is_counted_alike) or may(new, held, now) != may(old, held, now)
            for may in (_may_see, may_have, may_have_back)
        )
    ]
    under = Batch.objects.filter(terms__in=Numbers(terms), objects_count__gt=0).order_by()
    return widths_of(set(under.values_list("delivery_id", flat=True))) if terms else {}


def counts_by(viewer: Viewer) -> tuple[object, ...]:
    """By what of a viewer rows of victims are counted (`selectors.countable`)."""
    return viewer.is_victim_desk, victim_countries(viewer), viewer.organisation


def begun_under(timeline: Timeline, place: int, delivery: int) -> datetime | None:
    """Where the moments of a delivery begin of what these of the rights opened; None under those known first."""
    since, _, row = timeline.rights[place]
    return None if place == len(timeline.rights) - 1 else _opened_by(row, since).get(delivery, since)


def packed(moments: Mapping[int, datetime], since: datetime) -> bytes:
    """Where the moments of each delivery begin, as the database keeps it: a few bytes for each."""
    numbers = sorted(moments)
    behind = [(moments[each] - since) // MICROSECOND for each in numbers]
    pairs = np.array([numbers, behind], dtype="<i8").reshape(2, -1)
    return zlib.compress(np.diff(pairs, axis=1, prepend=0).tobytes()) if numbers else b""


def unpacked(kept: bytes, since: datetime) -> dict[int, datetime]:
    """What `packed` was given."""
    if not kept:
        return {}
    numbers, behind = np.frombuffer(zlib.decompress(kept), "<i8").reshape(2, -1).cumsum(axis=1).tolist()
    return {each: since + place * MICROSECOND for each, place in zip(numbers, behind, strict=True)}


@lru_cache(maxsize=256)
def _opened_by(row: int, since: datetime) -> dict[int, datetime]:
    """What rights opened: such a row never changes."""
    kept = Rights.objects.filter(pk=row).values_list("opened", flat=True).first()
    return unpacked(bytes(kept or b""), since)


def openings(
    timeline: Timeline, among: Q, now: datetime, *, look: Look = lambda _: None, is_all: bool = False,
    is_own: bool = False, after: datetime | None = None,
) -> list[Opening]:  # fmt: skip
    """Of the batches that this picks those that the reader may have, the first to open first.

    `is_all`: what it may see at all; `is_own`: what its organisation handed over; else what was released to it: its
    own, and what only lies there, are left out. With `after`, what opened before that moment is left out as well.
    """
    may_read = _may_see if is_all else may_have_back if is_own else may_have
    shown = visible_batches(timeline.viewer, now).filter(among)
    if after is not None and (len(timeline.rights) == 1 or timeline.rights[0][0] < after):
        shown = shown.filter(moved_at__gte=after)  # Nothing else can have opened, since rights did not change.
    found = list(shown.values_list("pk", "terms_id", "moved_at", "delivery_id"))
    formers: dict[int, list[_Stretch]] = defaultdict(list)
    left = Former.objects.filter(batch__in=shown.order_by().values("pk")).order_by("-until_at", "-pk")
    for batch, number, since, until in left.values_list("batch_id", "terms_id", "since_at", "until_at").iterator():
        formers[batch].append(_Stretch(number, since, until))
    numbers = {number for _, number, _, _ in found} | {each.terms for some in formers.values() for each in some}
    walk = _Walk(timeline, held_of(numbers), lambda viewer, held: may_read(viewer, held, now), look)
    made = (
        walk.opening(batch, delivery, [_Stretch(number, since, None), *formers[batch]])
        for batch, number, since, delivery in found
    )
    found_open = [each for each in made if each is not None and (after is None or each.at >= after)]
    return sorted(found_open, key=lambda each: (each.at, each.batch))


def closings(
    timeline: Timeline, among: Q, now: datetime, *, look: Look = lambda _: None, is_own: bool = False
) -> list[Closing]:
    """When those of the batches that this picks closed to the reader, who could have them until then."""
    may_read = may_have_back if is_own else may_have
    left = Former.objects.filter(batch=OuterRef("pk"))
    if not is_own:
        left = left.filter(terms__audience__entries__isnull=False)
    told = Q(Exists(left))
    if len(timeline.rights) > 1:
        told |= Q(terms__in=Numbers(_closed_by_rights(timeline, may_read, now)))
    columns = ("pk", "delivery_id", "terms_id", "moved_at", "hidden_at", "expires_at")
    found = list(Batch.objects.filter(among & told).values_list(*columns))
    formers: dict[int, list[_Stretch]] = defaultdict(list)
    listed = Former.objects.filter(batch__in=Numbers(pk for pk, *_ in found)).order_by("-until_at", "-pk")
    for batch, number, since, until in listed.values_list("batch_id", "terms_id", "since_at", "until_at").iterator():
        formers[batch].append(_Stretch(number, since, until))
    numbers = {terms for _, _, terms, *_ in found} | {each.terms for some in formers.values() for each in some}
    walk = _Walk(timeline, held_of(numbers), lambda viewer, held: may_read(viewer, held, now), look)
    made, today = [], judged_at(now)
    for batch, delivery, terms, since, hidden, expires in found:
        stretches = [_Stretch(terms, since, None), *formers[batch]]
        is_over = hidden is None and expires <= since and expires <= today  # `BatchSet.note_over`
        moments = list(walk.closings(delivery, stretches, is_hidden=is_over or hidden is not None))
        is_as_it_came = len(moments) == 1 and walk.looked_alike(stretches)
        made += [Closing(at, batch, delivery, is_as_it_came, is_over and at == since) for at in moments]
    return made


def _closed_by_rights(
    timeline: Timeline, may_read: Callable[[Viewer, Held, datetime], bool], now: datetime
) -> list[int]:
    """Terms under which some change of the rights closed what was open."""
    pairs = [(new, old) for (_, new, _), (_, old, _) in pairwise(timeline.rights)]
    return [
        held.number
        for held in register().memory.held
        if any(may_read(old, held, now) and not may_read(new, held, now) for new, old in pairs)
    ]


def opened_by(timeline: Timeline, now: datetime) -> datetime:
    """The moment by which all that the reader may see now had opened, and after which all that opens later will have.

    It moves with what the reader may see alone: a moment of the newest change of all would tell that something came in.
    """
    shown = visible_batches(timeline.viewer, now).order_by("-moved_at").values_list("moved_at", flat=True).first()
    return max(shown or _EPOCH, timeline.rights[0][0], _EPOCH) + timedelta(microseconds=1)


def _may_see(viewer: Viewer, held: Held, now: datetime) -> bool:
    return may_see(viewer, held.handling, held.facts, now)


def may_have(viewer: Viewer, held: Held, now: datetime) -> bool:
    """Whether it was released and the viewer may see it, who is not its source."""
    is_given = held.facts.released_to is not None and held.facts.source != viewer.organisation
    return is_given and _may_see(viewer, held, now)


def may_have_back(viewer: Viewer, held: Held, now: datetime) -> bool:
    """Whether the viewer is its source, and may see it."""
    return held.facts.source == viewer.organisation and _may_see(viewer, held, now)


class _Stretch(NamedTuple):
    """A batch is held under these terms from a moment to another."""

    terms: int
    since: datetime
    until: datetime | None


class _Walk:
    """Goes back through the terms of batches and the rights of one reader; what it learns of a pair it remembers."""

    def __init__(
        self, timeline: Timeline, held: dict[int, Held], may_read: Callable[[Viewer, Held], bool], look: Look
    ) -> None:
        self.rights = timeline.rights
        self.held = held
        self.may_read = may_read
        self.looks = {number: look(each.handling) for number, each in held.items()}
        self.known: dict[tuple[int, int], bool] = {}

    def opening(self, batch: int, delivery: int, stretches: Sequence[_Stretch]) -> Opening | None:
        """Since when it is open without a break; None when it is not. `stretches` begin with that of now."""
        look, before = self.looks[stretches[0].terms], 0
        opened: datetime | None = None
        for stretch in stretches:
            if self.looks[stretch.terms] != look or stretch.until != opened:
                break
            begun, is_whole = self._back(stretch, delivery)
            opened, before = begun or opened, before + 1
            if not is_whole:
                break
        if opened is None:
            return None
        is_relabelled = any(self._was_read(each) for each in stretches[before:])
        return Opening(opened, batch, self.held[stretches[0].terms], opened if is_relabelled else None, delivery)

    def closings(self, delivery: int, stretches: Sequence[_Stretch], *, is_hidden: bool) -> Iterator[datetime]:
        """Where the moments begin in which it closed. `stretches` as in `opening`; it is hidden now, or is not."""
        later: _Stretch | None = None
        for place, stretch in enumerate(stretches):
            if place or not is_hidden:
                if later is not None and stretch.until is not None and self._read_at(stretch, stretch.until):
                    stays = later.since == stretch.until and not (place == 1 and is_hidden)
                    if not (stays and self._read_at(later, later.since, is_after=True)):
                        yield later.since if place == 1 and is_hidden else stretch.until
                yield from self._closed_by_rights(delivery, stretch)
            later = stretch

    def looked_alike(self, stretches: Sequence[_Stretch]) -> bool:
        """Whether it had one look whenever it was read."""
        return len({self.looks[each.terms] for each in stretches if self._was_read(each)}) < 2

    def _read_at(self, stretch: _Stretch, at: datetime, *, is_after: bool = False) -> bool:
        """Whether it was read just before that moment, or just after it."""
        for place, (since, *_) in enumerate(self.rights):
            if since < at or (is_after and since == at) or self._is_first(place):
                return self._reads(place, stretch.terms)
        return False

    def _closed_by_rights(self, delivery: int, stretch: _Stretch) -> Iterator[datetime]:
        """The rights that closed it while it lay under these terms."""
        for place, (since, *_) in enumerate(self.rights[:-1]):
            is_within = stretch.since < since and (stretch.until is None or since < stretch.until)
            if is_within and self._reads(place + 1, stretch.terms) and not self._reads(place, stretch.terms):
                begun = begun_under(Timeline(self.rights), place, delivery)
                if begun is not None:
                    yield begun

    def _back(self, stretch: _Stretch, delivery: int) -> tuple[datetime | None, bool]:
        """Since when it was read until the end of the stretch, and whether that was all through it."""
        begun = None
        for place in self._rights_in(stretch):
            if not self._reads(place, stretch.terms):
                return begun, False
            since, _, row = self.rights[place]
            is_by_rights = since > stretch.since and not self._is_first(place)
            begun = _opened_by(row, since).get(delivery, since) if is_by_rights else stretch.since
        return begun, True

    def _was_read(self, stretch: _Stretch) -> bool:
        return any(self._reads(place, stretch.terms) for place in self._rights_in(stretch))

    def _rights_in(self, stretch: _Stretch) -> Iterator[int]:
        """Places of the rights that held at some moment of the stretch, the newest first."""
        for place, (since, *_) in enumerate(self.rights):
            if stretch.until is None or since < stretch.until or self._is_first(place):
                yield place
            if since <= stretch.since:
                return

    def _is_first(self, place: int) -> bool:
        """What is known first is taken to have held ever since: there is no question from before it."""
        return place == len(self.rights) - 1

    def _reads(self, place: int, terms: int) -> bool:
        answer = self.known.get((place, terms))
        if answer is None:
            answer = self.known[place, terms] = self.may_read(self.rights[place][1], self.held[terms])
        return answer


@lru_cache(maxsize=4_096)
def _stated(viewer: Viewer) -> dict[str, object]:
    """The viewer as JSON has it."""
    values = asdict(viewer)
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def _viewer(stated: Mapping[str, Any]) -> Viewer:
    """The viewer that was stated; names that the gate no longer knows are left out."""
    known = {each.name for each in fields(Viewer)}
    values: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in stated.items() if name in known
    }
    return Viewer(**{**values, "ceiling": Tlp(values["ceiling"]) if values["ceiling"] else None})
