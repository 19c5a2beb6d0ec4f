"""Cards for social networks: one wide, one square, as pictures and as drawings whose letters are outlines.

A reader's machine needs no font for them, and Arabic stands shaped in them as it was set here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import PIL.Image

from .document import frame_of, items, title_of
from .printable import LONGEST_WORD, shortened
from .record import PublicEdition
from .typesetting import pictures
from .words import words

WIDE = (1200, 630)
"""Width and height that networks show a shared address with."""
SQUARE = (1080, 1080)
LONGEST_TITLE = 150
MOST_STEPS = 3
COLOURS = 48
LONGEST_STEP = 120


@dataclass(frozen=True, slots=True)
class Cards:
    """The two cards of one language."""

    wide_svg: bytes
    wide_png: bytes
    square_svg: bytes
    square_png: bytes


def cards_of(edition: PublicEdition, language: str) -> Cards:
    told = told_of(edition, language)
    wide_svg, square_svg = pictures("cards.typ", told, "svg")
    wide_png, square_png = (small_png(each) for each in pictures("cards.typ", told, "png"))
    return Cards(wide_svg, wide_png, square_svg, square_png)


def small_png(body: bytes) -> bytes:
    """The picture with a table of as few colours as a card needs: a third of the bytes."""
    with PIL.Image.open(io.BytesIO(body), formats=("PNG",)) as picture:
        few = picture.convert("RGB").quantize(
            COLOURS, method=PIL.Image.Quantize.FASTOCTREE, dither=PIL.Image.Dither.NONE
        )
    made = io.BytesIO()
    few.save(made, "PNG", compress_level=6)
    return made.getvalue()


def told_of(edition: PublicEdition, language: str) -> dict[str, Any]:
    """All that a card shows, as plain texts."""
    say = words(language)
    text = edition.text(language)
    title = shortened(title_of(edition, language), LONGEST_TITLE)
    return {
        **(frame := frame_of(edition, language)),
        "title": title,
        "longest_word": max(title.split(), key=len, default="")[: LONGEST_WORD + 1],
        "short_issuer": shortened(frame["issuer"], 62),
        "short_address": shortened(frame["short_address"], 60),
        "status": say("print.exercise") if edition.is_exercise else say("cancelled") if edition.is_cancelled else "",
        "issued": say.day(edition.sent),
        "read_more": say("print.no_longer") if edition.is_cancelled else say("print.read_more"),
        "do_now": say("do_now"),
        "steps": [] if edition.is_cancelled else _steps(text.do_now),
    }


def _steps(steps: tuple[str, ...]) -> list[str]:
    """The first steps; whoever reads a card has no time for long ones, and half a step helps nobody."""
    shown = []
    for each in items(steps)[:MOST_STEPS]:
        if len(each) > LONGEST_STEP:
            break
        shown.append(" ".join(each.split()))
    return shown
