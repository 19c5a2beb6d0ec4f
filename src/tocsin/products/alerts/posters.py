"""Posters on one sheet, A4 and the same larger on A3: what happens, what to do, and where to read on."""

from __future__ import annotations

from typing import Any, Literal

from .document import frame_of, items, reason_of, title_of
from .printable import LONGEST_WORD, line, paragraphs, shortened
from .record import PublicEdition
from .typesetting import pdf
from .words import words

Paper = Literal["a3", "a4"]
PAPERS: tuple[Paper, ...] = ("a4", "a3")
SCALES: dict[Paper, float] = {"a4": 1.0, "a3": 1.41421}
LONGEST_TITLE = 150
MOST_STEPS = 5
LONGEST_STEP = 140
LONGEST_HAPPENING = 280
LONGEST_VICTIM = 240


def poster_pdf(edition: PublicEdition, language: str, paper: Paper) -> bytes:
    """One sheet. Long texts are cut between words: the whole of them stands where the code leads."""
    return pdf("poster.typ", told_of(edition, language, paper), edition.sent)


def told_of(edition: PublicEdition, language: str, paper: Paper) -> dict[str, Any]:
    """All that a poster shows, as plain texts."""
    say = words(language)
    text = edition.text(language)
    title = shortened(title_of(edition, language), LONGEST_TITLE)
    steps = [shortened(" ".join(each.split()), LONGEST_STEP) for each in items(text.do_now)[:MOST_STEPS]]
    happening = next(iter(paragraphs(text.happening)), "")
    return {
        **(frame := frame_of(edition, language)),
        "paper": paper,
        "scale": SCALES[paper],
        "title": title,
        "longest_word": _longest_word(title),
        "longest_step": _longest_word(" ".join(steps)),
        "short_issuer": shortened(frame["issuer"], 80),
        "short_address": shortened(frame["short_address"], 60),
        "issued": say.day(edition.sent),
        "read_more": say("print.no_longer") if edition.is_cancelled else say("print.read_more"),
        "happening": shortened(" ".join((_cancelled(edition, language) or happening).split()), LONGEST_HAPPENING),
        "steps": [] if edition.is_cancelled else steps,
        "if_victim": "" if edition.is_cancelled else shortened(line(text.if_victim), LONGEST_VICTIM),
        "words": {name: say(name) for name in ("do_now", "if_victim")},
    }


def _cancelled(edition: PublicEdition, language: str) -> str:
    if not edition.is_cancelled:
        return ""
    return " ".join([words(language)("print.cancelled_on", day=words(language).day(edition.sent)) + ".",
                     *reason_of(edition, language)])  # fmt: skip


def _longest_word(text: str) -> str:
    return max(text.split(), key=len, default="")[: LONGEST_WORD + 1]
