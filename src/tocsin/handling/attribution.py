"""Whether a text puts a deed down to a State: the Centre never publishes that (DOMAIN 2.6, W17). Pure."""

from __future__ import annotations

import re
from functools import cache

from tocsin.reference.countries import all_countries
from tocsin.reference.triggers import all_triggers, attribution

from .expressions import REACH_LETTERS, Expression, Place, between, compiled, excerpt, first_of, places_of
from .folding import folded

WORDS_BETWEEN = 4
"""So many words at most lie between a relation and the organ that it leads to."""
WORDS_AFTER = 1
_NUMBERED_UNIT = re.compile(r"(?<!\w)(?:unit|unite|unidad|(?:ال)?وحده)\s+(?:no\.?\s*)?\d{4,6}(?!\w)")
_PASSIVE = re.compile(r"(?:\b(?:was|were|been|being|is|are|be|ete|etre|fue|fueron|sido)\s+)$")
_TURNING_LETTERS = 12


def attributions_to_a_state(text: str) -> list[str]:
    """The places where a text attributes to a State, its organs, an army or a party: with a few words around each.

    Empty is the condition for publishing. It reads Arabic, English, French and Spanish, and finds set phrases
    ("state-sponsored"), an organ to which a relation leads ("attributed to the intelligence service of X"), an organ
    that is said to have acted, and the name of a country bound to a deed ("X-linked").

    What it cannot know: names of services and units that are not in its list; a State that is meant and not named ("a
    large neighbour"); cluster names that hint at a country; other languages, pictures and links; whether an attribution
    is true, quoted or denied. It therefore stands before a person's judgement and never instead of it. A find may also
    be innocent: then the text is to be written otherwise, for nobody can waive it.
    """
    plain = folded(text)
    organs = sorted(
        [
            *places_of(plain, compiled(attribution("authorities"))),
            *places_of(plain, compiled(attribution("services"))),
            *(match.span() for match in _NUMBERED_UNIT.finditer(plain)),
        ]
    )
    found = places_of(plain, _phrases()) + places_of(plain, _bonds())
    if organs:
        found += _led_to(plain, organs) + _acting(plain, organs)
    return list(dict.fromkeys(excerpt(text, place) for place in sorted(found)))


def _led_to(plain: str, organs: list[Place]) -> list[Place]:
    """Organs to which a relation leads: "attributed to the army of X"."""
    relations = places_of(plain, compiled(attribution("relations")))
    found = []
    for organ in organs:
        if _is_only_named(plain, organ):
            continue
        for relation in _close_before(relations, organ):
            said = between(plain, relation, organ, WORDS_BETWEEN)
            if said is not None and first_of(said, compiled(attribution("turned"))) is None:
                found.append((relation[0], organ[1]))
    return found


def _acting(plain: str, organs: list[Place]) -> list[Place]:
    """Organs that are said to have acted: "the army of X launched". Who was attacked did not act."""
    deeds = places_of(plain, compiled(attribution("deeds")))
    found = []
    for deed in deeds:
        if _PASSIVE.search(plain[max(0, deed[0] - _TURNING_LETTERS) : deed[0]]):
            continue
        for organ in _close_before(organs, deed):
            said = between(plain, organ, deed, WORDS_BETWEEN)
            if said is not None and first_of(said, compiled(attribution("owned"))) is None:
                found.append((organ[0], deed[1]))
    return found


def _close_before(places: list[Place], place: Place) -> list[Place]:
    return [each for each in places if place[0] - REACH_LETTERS <= each[1] <= place[0]]


def _is_only_named(plain: str, organ: Place) -> bool:
    """Whether what it owns follows: a site of a government is no government."""
    rest = plain[organ[1] : organ[1] + REACH_LETTERS]
    owned = first_of(rest, compiled(attribution("owned")))
    return owned is not None and between(rest, (0, 0), owned, WORDS_AFTER) is not None


@cache
def _phrases() -> tuple[Expression, ...]:
    return next(compiled(each.alone) for each in all_triggers() if each.id == "state-attribution")


@cache
def _bonds() -> tuple[Expression, ...]:
    """Every country with every bond: "xanadu-linked"."""
    names = sorted({each.name_en for each in all_countries()})
    return compiled(tuple(f"{name} {bond}" for name in names for bond in attribution("bonds")))
