"""Texts as paper can show them: which letters the fonts of the product have, and what is done about the others.

Signs that steer the direction of text or cannot be seen are left out, because the typesetter sets directions itself.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from .record import Text

FONTS = Path(__file__).parent.parent / "fonts"
LONGEST_WORD = 36
"""Letters in a row after which a line may break: no language has such words, but addresses and digests do."""
MOST_MISSING = 0.05
"""The part of a language's letters that may be missing in the fonts: beyond it the language is not printed at all."""
NO_GLYPH = "\ufffd"
"""Stands for a letter that no font has."""
_STEERING = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\U000e0000-\U000e0fff]")
_JOINERS = frozenset("\u200c\u200d")
"""Part of the spelling in Persian, Urdu and others."""
_KEPT = _JOINERS | {"\n", "\u200b"}
_WORD = re.compile(r"\S+")
_CAN_BREAK = re.compile(r"(?<=[/.\-_?&=:@\]])(?=[^\s/.\-_?&=:@\[])")


def readable(text: str) -> str:
    """The text without what cannot be seen."""
    shown = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " "))
    return "".join(
        sign for sign in _STEERING.sub("", shown) if sign == "\n" or unicodedata.category(sign) not in {"Cc", "Cs"}
    )


def printable(text: str) -> str:
    """The same for paper: letters that no font has become question marks, other such signs are left out."""
    return "".join(map(_shown, readable(text)))


def only_covered(text: str) -> str:
    """The text with a question mark for every sign that no font has, but for those that steer lines and joins."""
    return "".join(sign if ord(sign) in covered() or sign in _KEPT else NO_GLYPH for sign in text)


def line(text: str) -> str:
    """The text in one line."""
    return " ".join(printable(text).split())


def paragraphs(text: str) -> list[str]:
    """A blank line parts paragraphs; other line ends stay. For paper: overlong words may be parted."""
    return [breakable(part) for part in readable_paragraphs(printable(text))]


def readable_paragraphs(text: str) -> list[str]:
    """The same for what is no paper."""
    parts = (re.sub(r"[^\S\n]+", " ", part).strip() for part in re.split(r"\n\s*\n", readable(text)))
    return [part for part in parts if part]


def breakable(text: str, longest: int = LONGEST_WORD) -> str:
    """The text with places at which its overlong words may be parted."""
    if not any(len(word) > longest for word in text.split()):
        return text
    return _WORD.sub(lambda found: _parted(found[0]) if len(found[0]) > longest else found[0], text)


def shortened(text: str, most: int) -> str:
    """At most so many signs, cut between words."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    cut = head.rfind(" ")
    return head[: cut if cut > most // 2 else most - 1].rstrip(" ,;:،؛-") + "…"


def can_be_printed(text: Text) -> bool:
    """Whether the fonts have nearly all letters of this language's texts."""
    letters = [sign for _name, passage in text.passages() for sign in unicodedata.normalize("NFC", passage)
               if unicodedata.category(sign)[0] in "LMN"]  # fmt: skip
    return sum(ord(sign) not in covered() for sign in letters) <= MOST_MISSING * len(letters)


def missing(texts: Iterable[str]) -> str:
    """The visible signs in these texts that no font has, each once: emoji, or a script of which there is no font."""
    signs = {sign for text in texts for sign in unicodedata.normalize("NFC", text)}
    return "".join(sorted(sign for sign in signs if _shown(sign) != sign and not _is_unseen(sign)))


@cache
def covered() -> frozenset[int]:
    """The code points of which the fonts of the product have a glyph."""
    return frozenset(point for path in sorted(FONTS.glob("*.ttf")) for point in _points(path.read_bytes()))


def _shown(sign: str) -> str:
    point = ord(sign)
    if sign == "\n" or sign in _JOINERS or point in covered():
        return sign
    category = unicodedata.category(sign)
    if category == "Zs":
        return " "
    return NO_GLYPH if category[0] in "LN" else ""


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "CZ" or unicodedata.category(sign) == "Mn" or bool(_STEERING.match(sign))


def _parted(word: str) -> str:
    parts = _CAN_BREAK.split(word)
    return "\u200b".join(piece for part in parts for piece in _pieces(part))


def _pieces(part: str) -> Iterator[str]:
    """A piece never begins with a mark: that stays with its letter."""
    start = 0
    while start < len(part):
        end = start + LONGEST_WORD
        while end < len(part) and unicodedata.combining(part[end]):
            end += 1
        yield part[start:end]
        start = end


def _points(font: bytes) -> Iterator[int]:
    """What the tables of a TrueType font map to a glyph (OpenType 1.9, cmap formats 4 and 12)."""
    (count,) = struct.unpack_from(">H", font, 4)
    tables = {font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * count, 16)}
    cmap = tables[b"cmap"]
    (count,) = struct.unpack_from(">H", font, cmap + 2)
    for number in range(count):
        start = cmap + struct.unpack_from(">I", font, cmap + 8 + 8 * number)[0]
        kind = struct.unpack_from(">H", font, start)[0]
        if kind == 4:
            yield from _segments(font, start)
        elif kind == 12:
            (groups,) = struct.unpack_from(">I", font, start + 12)
            for group in range(groups):
                first, last, glyph = struct.unpack_from(">III", font, start + 16 + 12 * group)
                yield from range(first + (glyph == 0), last + 1)


def _segments(font: bytes, start: int) -> Iterator[int]:
    count = struct.unpack_from(">H", font, start + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", font, start + 14)
    starts = struct.unpack_from(f">{count}H", font, start + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", font, start + 16 + 4 * count)
    offsets_at = start + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", font, offsets_at)
    for number, (first, last, delta, offset) in enumerate(zip(starts, ends, deltas, offsets, strict=True)):
        for point in range(first, min(last, 0xFFFE) + 1):
            glyph = point
            if offset:
                (glyph,) = struct.unpack_from(">H", font, offsets_at + 2 * number + offset + 2 * (point - first))
                glyph = glyph and glyph + delta
            else:
                glyph += delta
            if glyph & 0xFFFF:
                yield point
