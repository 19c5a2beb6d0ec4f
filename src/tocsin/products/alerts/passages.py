"""The text of an alert as the outputs without pages say it: cleaned, in parts under headings, cut at a word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from .record import PublicEdition
from .words import Words, words

_BREAK = re.compile(r"\r\n?|[\x85\u2028\u2029\x0b\x0c]")
UNWRITABLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufdd0-\ufdef"
    r"\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""What no output writes: characters that XML forbids, that nobody sees, or that turn the direction of text. The joiners
of Arabic, of Indian scripts and of emoji stay."""
_MANY_BREAKS = re.compile(r"[ \t]*\n[ \t]*(?:\n[ \t]*)+")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the text: paragraphs, or items of a list."""

    name: str
    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    is_in_order: bool = False


def cleaned(text: str) -> str:
    """The text without what is not written; a blank line between paragraphs."""
    plain = unicodedata.normalize("NFC", UNWRITABLE.sub("", _BREAK.sub("\n", text)))
    return _MANY_BREAKS.sub("\n\n", plain).strip()


def line(text: str) -> str:
    """The same on one line."""
    return re.sub(r"[ \t\n]+", " ", cleaned(text))


def shortened(text: str, longest: int, end: str = "…") -> str:
    """The text if it has at most so many characters; else as many whole words as there is room for, and `end`.

    A word that is longer than all the room is left out; what is left then may be the end alone.
    """
    if len(text) <= longest:
        return text
    kept = text[: longest - len(end) + 1]
    cut = max(kept.rfind(" "), kept.rfind("\n"))
    return kept[: max(cut, 0)].rstrip(" \n,;:،؛") + end if longest >= len(end) else ""


def sections(edition: PublicEdition, language: str) -> Iterator[Section]:
    """The parts of the text in this language, those alone that say something. What was cancelled says why, no more."""
    say, text = words(language), edition.text(language)
    reason = reason_of(edition, text.language)
    if edition.is_cancelled:
        yield Section("cancelled", say("cancelled"), (reason or say("cancelled.without-reason"),))
        return
    if reason:
        yield Section("changed", say("changed"), _paragraphs(reason))
    for name, body in (("happening", text.happening), ("at_risk", text.at_risk)):
        if paragraphs := _paragraphs(body):
            yield Section(name, say(name), paragraphs)
    for name, items in (("recognise", text.recognise), ("do_now", text.do_now)):
        if shown := tuple(filter(None, map(line, items))):
            yield Section(name, say(name), items=shown, is_in_order=name == "do_now")
    if paragraphs := _paragraphs(text.if_victim):
        yield Section("if_victim", say("if_victim"), paragraphs)


def reason_of(edition: PublicEdition, language: str) -> str:
    """Why it was cancelled, or what the update changes; in English where this language does not say it."""
    return cleaned(
        edition.reasons.get(language) or edition.reasons.get("en") or next(iter(edition.reasons.values()), "")
    )


def written(section: Section, *, with_heading: bool = True) -> str:
    """A part as plain text."""
    marked = [f"{n}. {each}" if section.is_in_order else f"- {each}" for n, each in enumerate(section.items, 1)]
    body = "\n\n".join(filter(None, ["\n\n".join(section.paragraphs), "\n".join(marked)]))
    return f"{section.heading}\n{body}" if with_heading else body


def headline(edition: PublicEdition, language: str, longest: int = 140) -> str:
    """The title, which says of itself that the alert was cancelled or is an exercise."""
    say = words(language)
    title = line(edition.text(language).title)
    if edition.is_cancelled:
        title = say("cancelled.title", title=title)
    if edition.is_exercise:
        title = say("exercise.title", title=title)
    return shortened(title, longest)


def offence(edition: PublicEdition, say: Words) -> str:
    return say(f"event.{edition.offence.value}")


def places(edition: PublicEdition, say: Words) -> str:
    """The countries concerned, in this language."""
    return say("list.separator").join(map(say.country, edition.countries)) or say("worldwide")


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in cleaned(text).split("\n\n"))))
