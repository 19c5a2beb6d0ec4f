"""What a translation must not change: technical values, addresses and numbers. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import groupby

from .draft import Texts

_OTHER_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")
_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|٫)"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_END = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_TECHNICAL = re.compile(
    rf"""(?<![A-Za-z0-9])(?:
      (?:https?|hxxps?|ftp)(?:://|\[:\]//|:\\\\)[^\s<>«»"“”،؛]+          # an address of the web
    | [A-Za-z0-9._%+-]+(?:@|\[@\]|\[at\])(?:{_NAME}{_DOT})+{_END}         # of mail
    | (?:CVE-\d{{4}}-\d{{4,7}}|T\d{{4}}(?:\.\d{{3}})?|AS\d{{1,10}})        # a weakness, a technique, a network
    | [0-9A-Fa-f]{{32,128}}                                               # a digest
    | (?:0x[0-9A-Fa-f]{{40}}|(?:bc1|tb1)[0-9a-z]{{20,80}}|[13][1-9A-HJ-NP-Za-km-z]{{25,34}})  # a wallet
    | (?=[0-9A-Fa-f]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{{3,45}}(?:/\d{{1,3}})?   # an address with colons
    | \d{{1,3}}(?:{_DOT}\d{{1,3}}){{3}}(?:/\d{{1,2}})?                     # an address of four numbers
    | (?:{_NAME}{_DOT})+(?:[A-Za-z]{{2,24}}|xn--[A-Za-z0-9-]+)            # a domain, a file's name
    | \+\d[\d\s()-]{{6,18}}\d                                             # a number to call
    )(?![A-Za-z0-9])""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,٫٬\u00a0\u202f ]\d{3})*(?!\d)(?:[.,٫]\d+)?|\d+")
_BETWEEN = re.compile(r"[.,٫٬\u00a0\u202f ]")
CLOSE = 0.6


class Fault(StrEnum):
    """What is wrong with a value in a translation."""

    MISSING = "missing"
    CHANGED = "changed"
    DIGITS = "digits"
    """The right value, in digits of another script: nobody can copy it."""
    ADDED = "added"
    """It is not in the source."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A value that stands in a text."""

    value: str
    is_technical: bool
    """A number alone may be written as a word, or grouped otherwise."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that does not stand in the translation as it stands in the source."""

    field: str
    value: str
    fault: Fault
    is_technical: bool
    found: str = ""
    """What stands there instead."""

    @property
    def is_fault(self) -> bool:
        """Whether nobody can pass the translation with it. A number alone is for a person to judge, and what the source
        lacks too: the scanner looks at it before anybody reads it."""
        return self.fault is not Fault.ADDED and (self.is_technical or self.fault is Fault.DIGITS)


def locked_in(text: str) -> list[Locked]:
    """The values of a text, in its order. Digits of other scripts are taken for what they are."""
    plain = text.translate(_OTHER_DIGITS)
    found, taken = [], []
    for match in _TECHNICAL.finditer(plain):
        value = match[0].rstrip(".,;:!?)]'’")
        taken.append((match.start(), match.start() + len(value)))
        found.append((match.start(), Locked(text[match.start() : match.start() + len(value)], True)))
    for match in _NUMBER.finditer(plain):
        if not any(start < match.end() and match.start() < end for start, end in taken):
            found.append((match.start(), Locked(text[match.start() : match.end()], False)))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def differences(source: Texts, translation: Texts) -> list[Difference]:
    """Field by field, which values of the source the translation lacks, changed, or has beside them."""
    own, theirs = _by_field(source), _by_field(translation)
    return [
        each for name in dict.fromkeys([*own, *theirs])
        for each in _compared(name, locked_in(own.get(name, "")), locked_in(theirs.get(name, "")))
    ]  # fmt: skip


def _by_field(texts: Texts) -> dict[str, str]:
    """The items of a list may come in another order: they are compared together."""
    return {
        name: "\n".join(text for _, text in group)
        for name, group in groupby(texts.passages(), key=lambda passage: passage[0].partition(".")[0])
    }


def _compared(name: str, source: list[Locked], translation: list[Locked]) -> Iterator[Difference]:
    wanted = Counter(_form(each) for each in source)
    there = Counter(_form(each) for each in translation)
    spare = [each for each in translation if there[_form(each)] > wanted[_form(each)]]
    for each in _once(source):
        form = _form(each)
        if there[form] >= wanted[form]:
            other = next((t for t in translation if _form(t) == form and _is_in_other_digits(t.value)), None)
            if other is not None and not _is_in_other_digits(each.value):
                yield Difference(name, each.value, Fault.DIGITS, each.is_technical, other.value)
            continue
        like = [t.value for t in spare if t.is_technical == each.is_technical]
        near = get_close_matches(each.value, like, n=1, cutoff=CLOSE)
        if near:
            spare = [t for t in spare if t.value != near[0]]
            yield Difference(name, each.value, Fault.CHANGED, each.is_technical, near[0])
        else:
            yield Difference(name, each.value, Fault.MISSING, each.is_technical)
    yield from (Difference(name, each.value, Fault.ADDED, each.is_technical) for each in _once(spare))


def _once(values: list[Locked]) -> list[Locked]:
    return list({_form(each): each for each in reversed(values)}.values())[::-1]


def _form(each: Locked) -> str:
    """By which two are the same: technical values exactly, numbers however they are grouped."""
    plain = each.value.translate(_OTHER_DIGITS)
    return plain if each.is_technical else _BETWEEN.sub("", plain)


def _is_in_other_digits(value: str) -> bool:
    return value != value.translate(_OTHER_DIGITS)
