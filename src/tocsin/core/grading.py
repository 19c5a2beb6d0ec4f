"""How reliable a source and how credible what it says: four schemes, kept as given, compared with what is lost.

A grade is what a source or an officer wrote. It is never rewritten: what another scheme would say is worked out when
somebody looks, and says what the comparison loses (DOMAIN 2.4). Numbers are for display only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .errors import InputError


class Scheme(StrEnum):
    """In the order in which people choose them; the last is read and no longer offered."""

    ADMIRALTY = "admiralty"
    FOUR = "4x4"
    THREE = "3x5x2"
    FIVE = "5x5x5"


class Loss(StrEnum):
    """What a comparison does not carry over."""

    SOURCE_COARSER = "source-coarser"
    """Several degrees of the source become one."""
    INFORMATION_COARSER = "information-coarser"
    FINER = "finer"
    """The other scheme has finer degrees: which of them is meant, the grade does not say."""
    OTHER_QUESTION = "other-question"
    """One asks how credible it is, the other how the source knows it."""
    SUSPICION = "suspicion"
    """That it is thought to be false cannot be said there."""
    DECEPTIVE = "deceptive"
    """That the source deceives on purpose cannot be said there."""
    HANDLING = "handling"
    """The handling part of the grade stays behind: it is a condition, no evaluation."""
    NOT_SAID = "not-said"
    """A part that was not given is taken as: cannot be judged."""
    SOURCE_DROPPED = "source-dropped"
    """A number says how credible it is, and nothing of the source."""
    NO_NUMBER = "no-number"
    """What cannot be judged has no number."""


SOURCES = {Scheme.ADMIRALTY: "ABCDEFG", Scheme.FOUR: "ABCX", Scheme.THREE: "123", Scheme.FIVE: "ABCDE"}
INFORMATION = {Scheme.ADMIRALTY: "123456", Scheme.FOUR: "1234", Scheme.THREE: "ABCDE", Scheme.FIVE: "12345"}
HANDLING = {Scheme.THREE: "PC", Scheme.FIVE: "12345"}
"""The third part, where a scheme has one."""
UNJUDGED = {
    Scheme.ADMIRALTY: ("F", "6"), Scheme.FOUR: ("X", "4"), Scheme.THREE: ("2", "D"), Scheme.FIVE: ("E", "4")
}  # fmt: skip
"""What a part that nobody gave is compared as."""
NOT_GIVEN = "-"


@dataclass(frozen=True, slots=True)
class Grade:
    """Letters and digits as they were given; an empty part was not given. Raises InputError when built wrongly."""

    scheme: Scheme
    source: str = ""
    information: str = ""
    handling: str = ""

    def __post_init__(self) -> None:
        tables = ((self.source, SOURCES), (self.information, INFORMATION), (self.handling, HANDLING))
        known = all(not part or (len(part) == 1 and part in table.get(self.scheme, "")) for part, table in tables)
        if not known or not (self.source or self.information):
            raise InputError("not-a-grade", field="grade", excerpt=f"{self.scheme}:{self.short}"[:40])

    @property
    def short(self) -> str:
        """As people write it: B2, X4, 1AP; a dash for what was not given."""
        return (self.source or NOT_GIVEN) + (self.information or NOT_GIVEN) + self.handling

    def __str__(self) -> str:
        """For keeping; `grade_of` reads it back."""
        return f"{self.scheme}:{self.short}"


HOUSE = Grade(Scheme.ADMIRALTY, "F", "6")
"""What holds where neither the source nor the agreement says anything; in 4x4 it is X4."""
_SPELLED = re.compile(
    r"(?:(admiralty|4x4|3x5x2|5x5x5)\s*[:= ]\s*)?([A-GX1-5-])[\s/.-]?([A-E1-6-])[\s/.-]?([PC1-5]?)", re.I
)
_SHAPES = (
    (Scheme.THREE, re.compile(r"[123][A-E][PC]?")),
    (Scheme.FIVE, re.compile(r"[A-E][1-5][1-5]")),
    (Scheme.FOUR, re.compile(r"X[1-4]|X-")),
)
_AMBIGUOUS = re.compile(r"[A-C][1-4]")
"""A letter and a digit that mean one thing in 4x4 and another in Admiralty."""


def grade_of(text: str, usual: Scheme | None = None) -> Grade:
    """The grade that a text means: `4x4:B2`, `X4`, `1AP`, `E41`. Raises InputError("not-a-grade" | "ambiguous-grade").

    B2 alone is a grade of two schemes: it is read as of the usual one, where there is one, and is refused else.
    """
    match = _SPELLED.fullmatch(text.strip())
    if match is None:
        raise InputError("not-a-grade", field="grade", excerpt=text.strip()[:40])
    named, *written = match.groups()
    source, information, handling = (part.upper() for part in written)
    short = source + information + handling
    if named:
        scheme = Scheme(named.lower())
    else:
        by_shape = next((each for each, shape in _SHAPES if shape.fullmatch(short)), None)
        if by_shape is None and _AMBIGUOUS.fullmatch(short) and usual not in {Scheme.ADMIRALTY, Scheme.FOUR}:
            raise InputError("ambiguous-grade", field="grade", excerpt=short)
        scheme = by_shape or (Scheme.FOUR if usual is Scheme.FOUR and _AMBIGUOUS.fullmatch(short) else Scheme.ADMIRALTY)
    return Grade(scheme, source.replace(NOT_GIVEN, ""), information.replace(NOT_GIVEN, ""), handling)


def _table(text: str) -> dict[str, str]:
    return dict(pair.split(">") for pair in text.split())


_A, _4, _3, _5 = Scheme
_SOURCE_IN: dict[tuple[Scheme, Scheme], dict[str, str]] = {
    (_A, _4): _table("A>A B>B C>B D>C E>C F>X G>C"),
    (_A, _3): _table("A>1 B>1 C>1 D>3 E>3 F>2 G>3"),
    (_A, _5): _table("A>A B>B C>C D>D E>D F>E G>D"),
    (_4, _A): _table("A>A B>B C>D X>F"),
    (_4, _3): _table("A>1 B>1 C>3 X>2"),
    (_4, _5): _table("A>A B>B C>C X>E"),
    (_3, _A): _table("1>B 2>F 3>E"),
    (_3, _4): _table("1>B 2>X 3>C"),
    (_3, _5): _table("1>B 2>E 3>D"),
    (_5, _A): _table("A>A B>B C>C D>E E>F"),
    (_5, _4): _table("A>A B>B C>C D>C E>X"),
    (_5, _3): _table("A>1 B>1 C>3 D>3 E>2"),
}
_INFORMATION_IN: dict[tuple[Scheme, Scheme], dict[str, str]] = {
    (_A, _4): _table("1>1 2>3 3>4 4>4 5>4 6>4"),
    (_A, _3): _table("1>B 2>C 3>C 4>D 5>E 6>D"),
    (_A, _5): _table("1>1 2>3 3>4 4>4 5>5 6>4"),
    (_4, _A): _table("1>1 2>2 3>2 4>6"),
    (_4, _3): _table("1>A 2>A 3>B 4>D"),
    (_4, _5): _table("1>1 2>2 3>3 4>4"),
    (_3, _A): _table("A>2 B>2 C>3 D>6 E>5"),
    (_3, _4): _table("A>2 B>3 C>4 D>4 E>4"),
    (_3, _5): _table("A>2 B>3 C>4 D>4 E>5"),
    (_5, _A): _table("1>1 2>2 3>2 4>6 5>5"),
    (_5, _4): _table("1>1 2>2 3>3 4>4 5>4"),
    (_5, _3): _table("1>A 2>A 3>B 4>D 5>E"),
}
"""From and to → what comes closest and never says more than the grade does where a choice is open."""
_FALSE = {_A: "5", _3: "E", _5: "5"}
"""What says that the information is thought to be false."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What another scheme comes closest with, and what that does not carry over."""

    grade: Grade
    losses: tuple[Loss, ...]


def converted(grade: Grade, to: Scheme) -> Converted:
    """The grade as another scheme would have it; itself in its own scheme, without loss."""
    if to is grade.scheme:
        return Converted(grade, ())
    way = (grade.scheme, to)
    source, information = _judged(grade)
    sources, facts = _SOURCE_IN[way], _INFORMATION_IN[way]
    made = Grade(to, sources[source], facts[information])
    finer = len(SOURCES[to]) > len(SOURCES[grade.scheme]) or len(INFORMATION[to]) > len(INFORMATION[grade.scheme])
    lost = {
        Loss.SOURCE_COARSER: list(sources.values()).count(made.source) > 1,
        Loss.INFORMATION_COARSER: list(facts.values()).count(made.information) > 1,
        Loss.FINER: finer,
        Loss.OTHER_QUESTION: Scheme.ADMIRALTY in way,
        Loss.SUSPICION: information == _FALSE.get(grade.scheme) and made.information != _FALSE.get(to),
        Loss.DECEPTIVE: source == "G",
        Loss.HANDLING: bool(grade.handling),
        Loss.NOT_SAID: not (grade.source and grade.information),
    }
    return Converted(made, tuple(loss for loss, is_lost in lost.items() if is_lost))


def conversions(grade: Grade) -> list[Converted]:
    """The grade in every other scheme that is in use."""
    return [converted(grade, to) for to in Scheme if to not in {grade.scheme, Scheme.FIVE}]


def _judged(grade: Grade) -> tuple[str, str]:
    source, information = UNJUDGED[grade.scheme]
    return grade.source or source, grade.information or information


STIX_CONFIDENCE = {"1": 90, "2": 70, "3": 50, "4": 30, "5": 10}
"""Admiralty credibility → STIX 2.1 confidence (appendix A); 6 has none."""
MISP_NUMBERS = {"1": 100, "2": 75, "3": 50, "4": 25, "5": 0, "6": 50}
"""The same → numerical value of MISP's taxonomy admiralty-scale. STIX has other numbers for the same words."""
WORDED_CONFIDENCE = {"none": 0, "low": 15, "moderate": 50, "medium": 50, "high": 85}
"""STIX 2.1 confidence of the scale None / Low / Med / High; estimative language says moderate."""


def stix_confidence(grade: Grade) -> tuple[int | None, tuple[Loss, ...]]:
    """The number that STIX has for the grade, None where it has none, and what that loses."""
    found = converted(grade, Scheme.ADMIRALTY)
    number = STIX_CONFIDENCE.get(found.grade.information) if grade.information else None
    lost = [loss for loss in found.losses if loss is not Loss.SOURCE_COARSER]
    return number, (*lost, Loss.SOURCE_DROPPED, *([Loss.NO_NUMBER] if number is None else []))


SOURCE_TAG = re.compile(r'admiralty-scale:source-reliability="?([a-g])\b', re.I)
INFORMATION_TAG = re.compile(r'admiralty-scale:information-credibility="?([1-6])\b', re.I)
OWN_TAG = re.compile(r'tocsin:grade-(4x4|3x5x2|5x5x5)="?([0-9A-Z-]{2,3})(?![\w-])', re.I)
TAG_MARKS = ("admiralty-scale:", "tocsin:grade-", "ADMIRALTY-SCALE:", "Admiralty-scale:")
"""A text without any of these holds no grade."""


def tags_of(grade: Grade) -> tuple[str, ...]:
    """Machine tags that MISP's users understand. A grade of another scheme goes as itself, with what comes closest on
    the Admiralty scale and what that loses beside it; read back, it is itself again."""
    found = converted(grade, Scheme.ADMIRALTY)
    as_admiralty = (
        *([f'admiralty-scale:source-reliability="{found.grade.source.lower()}"'] if found.grade.source else []),
        *([f'admiralty-scale:information-credibility="{found.grade.information}"'] if found.grade.information else []),
    )
    if grade.scheme is Scheme.ADMIRALTY:
        return as_admiralty
    loss = f'tocsin:grade-loss="{" ".join(found.losses)}"'
    return (f'tocsin:grade-{grade.scheme}="{grade.short}"', *as_admiralty, loss)


def grade_in_tags(text: str) -> Grade | None:
    """The grade that tags say, joined to one text; what stands last is the thing's own and goes first. None: none."""
    if own := OWN_TAG.findall(text):
        try:
            return grade_of(f"{own[-1][0]}:{own[-1][1]}")
        except InputError:
            return None
    source, information = SOURCE_TAG.findall(text), INFORMATION_TAG.findall(text)
    if not source and not information:
        return None
    return Grade(Scheme.ADMIRALTY, (source or [""])[-1].upper(), (information or [""])[-1])


EXTENSION = "extension-definition--7d0b6c1e-64a5-4f0e-9a35-2f9d3c5b8e44"
"""Under this key STIX objects carry grades as they were given; `grade` holds `str(Grade)`."""


def stix_extension(grades: Iterable[Grade]) -> dict[str, object]:
    """What stands under EXTENSION: the grades, and what the number beside them does not say."""
    listed = list(grades)
    lost = dict.fromkeys(loss for grade in listed for loss in stix_confidence(grade)[1])
    return {
        "extension_type": "property-extension", "grades": [str(grade) for grade in listed],
        "lost_in_confidence": [str(loss) for loss in lost],
    }  # fmt: skip


def grade_in_stix(body: object) -> Grade | None:
    """The grade of a STIX object, by its extension, else by its labels; None where it has none, or several."""
    if not isinstance(body, dict):
        return None
    extensions = body.get("extensions")
    held = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    said = held.get("grades") if isinstance(held, dict) else None
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], str):
        try:
            return grade_of(said[0])
        except InputError:
            return None
    labels = body.get("labels")
    return grade_in_tags("\n".join(map(str, labels))) if isinstance(labels, list) else None
