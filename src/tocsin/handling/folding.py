"""Texts as they are compared: small letters, no accents, one form of each Arabic letter (DOMAIN 2.7)."""

from __future__ import annotations

import unicodedata
from itertools import chain

_ARABIC = {
    "ى": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه", "ٱ": "ا", "ک": "ك", "ی": "ي", "ھ": "ه", "ہ": "ه",
    "\u0640": None,  # Tatweel only stretches a word.
}  # fmt: skip
_SIGNS = {"’": "'", "‘": "'", "ʼ": "'", "\u00ad": None}
_DROPPED = ("Mn", "Me", "Cf")
"""Accents and vowel signs, and marks that nobody sees."""
_TABLE: dict[int, str | None] = {
    **dict.fromkeys(
        code for code in chain(range(0x10000), range(0xE0000, 0xE01F0)) if unicodedata.category(chr(code)) in _DROPPED
    ),
    **{ord(letter): plain for letter, plain in (_ARABIC | _SIGNS).items()},
}

_STRETCH = 4096


def folded(text: str) -> str:
    """The text in the form in which it is compared. Letter by letter: the fold of a whole is that of its parts."""
    if text.isascii():
        return text.lower()
    # Hamza on a carrier comes apart in NFKD, so that only its carrier is left.
    apart = unicodedata.normalize("NFKD", text).casefold().translate(_TABLE)
    return apart if apart.isascii() else unicodedata.normalize("NFKD", apart).translate(_TABLE)


def place_in(text: str, place: int) -> int:
    """Where in the text the letter stands that is at this place of its fold."""
    if text.isascii():
        return place
    seen, begin = 0, 0
    while begin < len(text) and (more := seen + len(folded(text[begin : begin + _STRETCH]))) <= place:
        seen, begin = more, begin + _STRETCH
    for at, letter in enumerate(text[begin:], begin):
        seen += len(folded(letter))
        if seen > place:
            return at
    return len(text)
