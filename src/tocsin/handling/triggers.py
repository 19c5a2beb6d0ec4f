"""Which triggers of articles 2 and 3 stand in a text (DOMAIN 2.6). Pure; the lists are `reference.triggers`.

It looks at words, so it finds what is said, not what is meant: a person decides on every find. It knows no languages
but the four, no pictures, nothing between the lines, and a sender who wants to can write around it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cache

from tocsin.reference.triggers import Trigger, acts, all_triggers

from .expressions import REACH_LETTERS, Place, between, compiled, excerpt, first_of, places_of
from .folding import folded

BESIDE_WORDS = 6
"""So many words at most lie between what somebody did and whom it was done to."""


@dataclass(frozen=True, slots=True)
class Found:
    """A trigger, where it stood, and the words around it."""

    trigger: str
    field: str
    excerpt: str


def triggers_in(text: str, field: str = "", without: Container[str] = ()) -> list[Found]:
    """The first place of each trigger in a text in which people write: a title, a description, a report.

    Those of `without` are not looked for: enough is known of them.
    """
    plain = folded(text)
    if not any(core in plain for core in cores()):
        return []
    found = []
    for trigger in all_triggers():
        place = None if trigger.id in without else _first(plain, trigger)
        if place is not None:
            found.append(Found(trigger.id, field, excerpt(text, place)))
    return found


def triggers_of_sector(sector: str, field: str = "") -> list[Found]:
    """The triggers of what an object or a tag states as the sector or the target it concerns."""
    plain = folded(sector)
    places = ((trigger, first_of(plain, compiled(trigger.sectors))) for trigger in all_triggers())
    return [Found(trigger.id, field, excerpt(sector, place)) for trigger, place in places if place is not None]


def triggers_of_type(event_type: str, field: str = "") -> list[Found]:
    """The triggers of a word of the incident taxonomy."""
    return [Found(trigger.id, field, event_type) for trigger in all_triggers() if event_type in trigger.types]


@cache
def cores() -> tuple[str, ...]:
    """Folded texts of which a text must hold one before anything can be found in it; for readers of many rows."""
    found = {expression.core for trigger in all_triggers() for expression in compiled(trigger.alone)}
    found |= {expression.core for trigger in all_triggers() for expression in compiled(trigger.beside)}
    # One that holds another says nothing more.
    return tuple(sorted(core for core in found if not any(other != core and other in core for other in found)))


def promising(texts: Sequence[str]) -> list[int]:
    """Which of many texts hold a core. All are looked through as one first: seldom do more than a few stand there."""
    there = folded("\n".join(texts))
    present = [core for core in cores() if core in there]
    if not present:
        return []
    plain = map(folded, texts)
    return [number for number, text in enumerate(plain) if any(core in text for core in present)]


def _first(plain: str, trigger: Trigger) -> Place | None:
    alone = first_of(plain, compiled(trigger.alone))
    if alone is not None or not trigger.beside:
        return alone
    named = places_of(plain, compiled(trigger.beside))
    done = places_of(plain, compiled(acts())) if named else []
    starts = [start for start, _end in done]
    for place in named:
        # Only what stands in reach is looked at: a text may hold thousands of both.
        close = done[bisect_left(starts, place[0] - REACH_LETTERS) : bisect_left(starts, place[1] + REACH_LETTERS)]
        if any(_are_near(plain, place, each) for each in close):
            return place
    return None


def _are_near(plain: str, one: Place, other: Place) -> bool:
    """Whether both stand in one sentence, with few words between. What lies inside the other is not beside it."""
    first, second = sorted((one, other))
    return between(plain, first, second, BESIDE_WORDS) is not None
