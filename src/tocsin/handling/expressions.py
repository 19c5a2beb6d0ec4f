"""Finds written expressions in folded texts: whole words of four languages, fast where they do not occur. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from .folding import folded, place_in

REACH_LETTERS = 200
EXCERPT_LETTERS = 70
"""So many letters are shown on either side of a find."""
Place = tuple[int, int]
"""Beginning and end in the fold of a text."""
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
class Expression:
    """`core` is its longest whole part: a text that does not hold it cannot match, and that is quick to see."""

    core: str
    written: str


@cache
def compiled(written: tuple[str, ...]) -> tuple[Expression, ...]:
    """Expressions as the files of `reference` write them: a * ends an open word."""
    return tuple(map(_compiled, written))


@cache
def _compiled(written: str) -> Expression:
    return Expression(max((word.strip("*") for word in _words(written)), key=len), written)


def _words(written: str) -> list[str]:
    return [folded(word) for word in re.split(r"[\s-]+", written)]


@cache
def _pattern(written: str) -> re.Pattern[str]:
    # Made when a text first holds the core: most of a thousand never are, and each takes a third of a millisecond.
    parts = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in _words(written)]
    is_arabic = any("\u0600" <= letter <= "\u06ff" for letter in written)
    between = f"{_BETWEEN}{_PARTICLES}" if is_arabic else _BETWEEN
    return re.compile(f"{between.join(parts)}{_CLOSE}")


def first_of(plain: str, expressions: Iterable[Expression]) -> Place | None:
    """The first place of any of them in a folded text."""
    return min((place for each in expressions for place in islice(_places_of(plain, each), 1)), default=None)


def places_of(plain: str, expressions: Iterable[Expression]) -> list[Place]:
    """Every place of any of them, in order."""
    return sorted(place for each in expressions for place in _places_of(plain, each))


def _places_of(plain: str, expression: Expression) -> Iterator[Place]:
    if expression.core not in plain:
        return
    for match in _pattern(expression.written).finditer(plain):
        # What may stand before is looked at afterwards: a pattern that begins with letters is found ten times as fast.
        if _OPEN.search(plain[max(0, match.start() - _BEFORE_LETTERS) : match.start()]):
            yield match.span()


def between(plain: str, first: Place, second: Place, most_words: int) -> str | None:
    """What stands between two places of one sentence, the first before the second; None where that is too much."""
    if first[1] > second[0]:
        return None
    text = plain[first[1] : second[0]]
    if len(text) > REACH_LETTERS or _SENTENCE_END.search(text):
        return None
    return text if sum(1 for _word in _WORD.finditer(text)) <= most_words else None


def excerpt(text: str, place: Place) -> str:
    """The words around a place of the fold, as they were written, on one line."""
    first, last = place_in(text, place[0]), place_in(text, place[1])
    shown = text[max(0, first - EXCERPT_LETTERS) : last + EXCERPT_LETTERS]
    return " ".join(shown.split())
