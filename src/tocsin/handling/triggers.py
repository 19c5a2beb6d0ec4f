"""Which triggers of articles 2 and 3 stand in a text (DOMAIN 2.6). Pure; the lists are `reference.triggers`.

It looks at words, so it finds what is said, not what is meant: a person decides on every find. It knows no languages
but the four, no pictures, nothing between the lines, and a sender who wants to can write around it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from tocsin.reference.triggers import Trigger, acts, all_triggers

from .folding import folded, place_in

BESIDE_WORDS = 6
"""So many words at most lie between what somebody did and whom it was done to."""
REACH_LETTERS = 200
EXCERPT_LETTERS = 70
"""So many letters are shown on either side of a find."""
_SENTENCE_END = re.compile(r"[.!?؟;؛]\s|\n")
_WORD = re.compile(r"\w+")
_PARTICLES = "(?:[وف]?(?:[بك]?ال|لل|[بكل])?)"
"""Arabic writes and, then, with, as, for and the article together with the word."""
_OPEN = re.compile(rf"(?:^|[^\w.@\]]){_PARTICLES}$")
_CLOSE = r"(?![\w@\[]|\.\w)"
"""A word of its own, and no part of a host name, defanged or not."""
_BEFORE_LETTERS = 8
_BETWEEN = r"[\s\-_'\"،,:=/]+"


@dataclass(frozen=True, slots=True)
class Found:
    """A trigger, where it stood, and the words around it."""

    trigger: str
    field: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class _Expression:
    """`core` is its longest whole part: a text that does not hold it cannot match, and that is quick to see."""

    core: str
    pattern: re.Pattern[str]


def triggers_in(text: str, field: str = "", without: Container[str] = ()) -> list[Found]:
    """The first place of each trigger in a text in which people write: a title, a description, a report.

    Those of `without` are not looked for: enough is known of them.
    """
    plain = folded(text)
    if not _may_hold(plain):
        return []
    found = []
    for trigger in all_triggers():
        place = None if trigger.id in without else _first(plain, trigger)
        if place is not None:
            found.append(Found(trigger.id, field, _excerpt(text, *place)))
    return found


def triggers_of_sector(sector: str, field: str = "") -> list[Found]:
    """The triggers of what an object or a tag states as the sector or the target it concerns."""
    plain = folded(sector)
    places = ((trigger, _first_of(plain, _expressions(trigger.sectors))) for trigger in all_triggers())
    return [Found(trigger.id, field, _excerpt(sector, *place)) for trigger, place in places if place is not None]


def triggers_of_type(event_type: str, field: str = "") -> list[Found]:
    """The triggers of a word of the incident taxonomy."""
    return [Found(trigger.id, field, event_type) for trigger in all_triggers() if event_type in trigger.types]


@cache
def cores() -> tuple[str, ...]:
    """Folded texts of which a text must hold one before anything can be found in it; for readers of many rows."""
    found = {expression.core for trigger in all_triggers() for expression in _expressions(trigger.alone)}
    found |= {expression.core for trigger in all_triggers() for expression in _expressions(trigger.beside)}
    # One that holds another says nothing more.
    return tuple(sorted(core for core in found if not any(other != core and other in core for other in found)))


def _may_hold(plain: str) -> bool:
    return any(core in plain for core in cores())


def _first(plain: str, trigger: Trigger) -> tuple[int, int] | None:
    alone = _first_of(plain, _expressions(trigger.alone))
    if alone is not None or not trigger.beside:
        return alone
    named = sorted(_places(plain, _expressions(trigger.beside)))
    done = sorted(_places(plain, _expressions(acts()))) if named else []
    starts = [start for start, _end in done]
    for place in named:
        # Only what stands in reach is looked at: a text may hold thousands of both.
        close = done[bisect_left(starts, place[0] - REACH_LETTERS) : bisect_left(starts, place[1] + REACH_LETTERS)]
        if any(_are_near(plain, place, each) for each in close):
            return place
    return None


def _first_of(plain: str, expressions: Iterable[_Expression]) -> tuple[int, int] | None:
    first = None
    for each in expressions:
        place = next(_places_of(plain, each), None)
        if place is not None and (first is None or place < first):
            first = place
    return first


def _places(plain: str, expressions: Iterable[_Expression]) -> list[tuple[int, int]]:
    return [place for each in expressions for place in _places_of(plain, each)]


def _places_of(plain: str, expression: _Expression) -> Iterator[tuple[int, int]]:
    if expression.core not in plain:
        return
    for match in expression.pattern.finditer(plain):
        # What may stand before is looked at afterwards: a pattern that begins with letters is found ten times as fast.
        if _OPEN.search(plain[max(0, match.start() - _BEFORE_LETTERS) : match.start()]):
            yield match.span()


def _are_near(plain: str, one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether both stand in one sentence, with few words between. What lies inside the other is not beside it."""
    first, second = sorted((one, other))
    if first[1] > second[0]:
        return False
    between = plain[first[1] : second[0]]
    if len(between) > REACH_LETTERS or _SENTENCE_END.search(between):
        return False
    return sum(1 for _word in _WORD.finditer(between)) <= BESIDE_WORDS


def _excerpt(text: str, start: int, end: int) -> str:
    """The words around a place of the fold, as they were written, on one line."""
    first, last = place_in(text, start), place_in(text, end)
    shown = text[max(0, first - EXCERPT_LETTERS) : last + EXCERPT_LETTERS]
    return " ".join(shown.split())


@cache
def _expressions(written: tuple[str, ...]) -> tuple[_Expression, ...]:
    return tuple(map(_compiled, written))


@cache
def _compiled(written: str) -> _Expression:
    words = [folded(word) for word in re.split(r"[\s-]+", written)]
    parts = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in words]
    is_arabic = any("\u0600" <= letter <= "\u06ff" for letter in written)
    between = f"{_BETWEEN}{_PARTICLES}" if is_arabic else _BETWEEN
    pattern = re.compile(f"{between.join(parts)}{_CLOSE}")
    return _Expression(max((word.strip("*") for word in words), key=len), pattern)
