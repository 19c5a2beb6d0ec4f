"""A text in every form in which a value may stand in it: other digits, defanged, broken, encoded. Pure.

A reader undoes a disguise without noticing; so must whoever looks for what must not be read. Letters that only look
alike (Cyrillic for Latin), pictures of text, and values that are taken apart into words are not undone.
"""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from urllib.parse import unquote

from tocsin.core.typed import Refanged, Traced

from .folding import folded


class Written(StrEnum):
    """How a value was written where it was found."""

    DIGITS = "digits"
    """In the digits of another script, or with its decimal sign."""
    WIDE = "wide"
    """In full-width or other forms of the same letters."""
    INVISIBLE = "invisible"
    """With marks in it that nobody sees."""
    DEFANGED = "defanged"
    BROKEN = "broken"
    """Over the end of a line."""
    ENCODED = "encoded"
    """As percent signs, entities of HTML, or base64."""
    NETWORK = "network"
    """As a network that it lies in, or an address in the network that it is."""
    SPELLING = "spelling"
    """Otherwise spelt: short forms, other separators, punycode, inside a longer address."""


BASE64_TEXT = 100_000
"""Characters: in longer texts base64 is not opened."""
ENCODED_DEPTH = 2
_SIGNS = {
    "٫": ".", "۔": ".", "。": ".", "٬": ",", "،": ",", "‐": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "∶": ":", "⁄": "/", "∕": "/",
}  # fmt: skip
_BREAK = re.compile(r"[ \t]*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+[ \t>|]*")
_HYPHEN_BREAK = re.compile(r"-[ \t]*[\n\r\v\f\x85\u2028\u2029]+[ \t>|]*")
_AT_BREAK = re.compile(
    r"[\[\](){}<>\\][^\n\r]{0,8}[\n\r\v\f\x85\u2028\u2029]|[\n\r\v\f\x85\u2028\u2029].{0,8}[\[\](){}<>\\]"
)
"""What is defanged over the end of a line."""
_SPOKEN_DOT = re.compile(r"(?<=\w)[ \t]+(?:\.|dot|point|punto|نقطه)[ \t]+(?=\w)")
_SPOKEN_AT = re.compile(r"(?<=\w)[ \t]+(?:@|at|arroba|chez)[ \t]+(?=\w)")
_BASE64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{10,8000}={0,2}(?![\w+/=])")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
_BRACKETS = re.compile(r"[\[\](){}<>\\]|\b(?:dot|at|point|punto|arroba|chez)\b|hxx|نقط", re.IGNORECASE)


class _Plain(dict[int, str]):
    """The plain form of each letter, worked out when it is first met: small, without accents, in ASCII digits."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        digit = unicodedata.decimal(letter, None)
        plain = str(digit) if digit is not None else _SIGNS.get(letter)
        if plain is None:
            plain = "".join(_SIGNS.get(each, each) for each in folded(letter))
        self[code] = plain
        return plain


_PLAIN = _Plain()


def plain(text: str) -> str:
    """The text in small letters without accents or invisible marks, its digits and dots in ASCII."""
    return text.lower() if text.isascii() else text.translate(_PLAIN)


class View:
    """One reading of a text: what it says, and where that stood."""

    __slots__ = ("_made", "_original", "is_decoded", "text")

    def __init__(self, made: tuple[Traced, ...], original: Original, is_decoded: bool) -> None:
        self.text = made[-1].text
        self.is_decoded = is_decoded
        self._original, self._made = original, made

    def written(self, begin: int, end: int) -> str:
        """What stood in the original for a stretch of this reading."""
        first, last = self._offset(begin), self._offset(end - 1)
        return self._original.text[first : last + 1]

    def line(self, begin: int) -> int:
        """The line of the original, from 1, in which it begins."""
        return self._original.text.count("\n", 0, self._offset(begin)) + 1

    def _offset(self, place: int) -> int:
        for made in reversed(self._made):
            place = made.original_offset(place)
        return self._original.original_offset(place)


class Original:
    """A text before anything was done to it, whose letters can be counted in their plain form."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _starts(self) -> list[int]:
        """Where in the original each letter of the plain form stood."""
        return [place for place, letter in enumerate(self.text) for _each in _PLAIN[ord(letter)]]

    def original_offset(self, place: int) -> int:
        """Where a letter of the plain form stood."""
        if self.text.isascii():
            return place
        return self._starts[place] if place < len(self._starts) else len(self.text)


def views_of(text: str) -> Iterator[View]:
    """Every reading of a text. The first is the text as it is shown."""
    yield from _readings(text, False)
    known = {text}
    for _depth in range(ENCODED_DEPTH):
        for each in list(known):
            for decoded in _decoded(each):
                if decoded not in known:
                    known.add(decoded)
                    yield from _readings(decoded, True)


def _readings(text: str, is_decoded: bool) -> Iterator[View]:
    original = Original(text)
    whole = Refanged(plain(text))
    yield View((whole,), original, is_decoded)
    spoken = sorted([(*found.span(), ".") for found in _SPOKEN_DOT.finditer(whole.text)]
                    + [(*found.span(), "@") for found in _SPOKEN_AT.finditer(whole.text)])  # fmt: skip
    if spoken:
        yield View((whole, Traced(whole.text, spoken)), original, is_decoded)
    for pattern in (_BREAK, _HYPHEN_BREAK):
        broken = [(*found.span(), "") for found in pattern.finditer(whole.text)]
        if broken:
            joined = Traced(whole.text, broken)
            made = (whole, joined, Refanged(joined.text)) if _AT_BREAK.search(whole.text) else (whole, joined)
            yield View(made, original, is_decoded)


def _decoded(text: str) -> Iterator[str]:
    if _PERCENT.search(text):
        yield unquote(text, errors="replace")
    if "&" in text and _ENTITY.search(text):
        yield html.unescape(text)
    if len(text) <= BASE64_TEXT:
        found = [said for each in _BASE64.finditer(text) if (said := _said_in_base64(each[0]))]
        if found:
            yield "\n".join(found)


def _said_in_base64(token: str) -> str | None:
    """What a token says if it is the base64 of a text; a plain word rarely is."""
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    if len(bare) % 4 == 1:
        return None
    try:
        content = b64decode(bare + "=" * (-len(bare) % 4))
        said = content.decode("utf-16-le" if content[1::2].count(0) * 2 > len(content) // 2 else "utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return said if said.isprintable() or said.replace("\n", "").replace("\r", "").isprintable() else None


def ways_of(written: str, value: str, view: View) -> frozenset[Written]:
    """How something that stands for `value` was written. Empty: just so."""
    if written.casefold() == value.casefold() and not view.is_decoded:
        return frozenset()
    found = {Written.ENCODED} if view.is_decoded else set()
    letters = set(written)
    if any(unicodedata.category(each) == "Cf" for each in letters):
        found.add(Written.INVISIBLE)
    if any(not each.isascii() and each.isdecimal() and unicodedata.normalize("NFKC", each) == each for each in letters):
        found.add(Written.DIGITS)
    if any(unicodedata.normalize("NFKC", each) != each for each in letters):
        found.add(Written.WIDE)
    if _BRACKETS.search(written) and not _BRACKETS.search(value):
        found.add(Written.DEFANGED)
    if any(each in letters for each in "\n\r\v\f\x85\u2028\u2029"):
        found.add(Written.BROKEN)
    return frozenset(found or {Written.SPELLING})
