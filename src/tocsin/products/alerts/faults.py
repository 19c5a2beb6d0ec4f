"""Why a public edition cannot be published as it stands: each fault with its language, field and reason. Pure.

The desk refuses most of it long before. This is asked once more where outputs are made, so that nothing half right is
ever written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tocsin.core.words import Offence

from .passages import UNWRITABLE, line
from .record import Certainty, Message, PublicEdition, Severity, Text, Urgency
from .words import words

LONGEST_TITLE = 140
LONGEST_PASSAGE = 20_000
_LANGUAGE = re.compile(r"[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8})*")
_NAME = re.compile(r"[^\s,<&/]{1,100}")
_ORIGIN = re.compile(r"(?:https://|http://(?:127\.0\.0\.1|localhost|\[::1\])[:/])[^\s<>\"'&?#]+[^\s<>\"'&?#/]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where."""

    language: str
    """Empty where it is no matter of a language."""
    field: str
    code: str
    """`fault.<code>` of the words."""
    excerpt: str = ""

    def told(self, language: str) -> str:
        return words(language)(f"fault.{self.code}", limit=LONGEST_TITLE, excerpt=self.excerpt)

    def __str__(self) -> str:
        where = " ".join(filter(None, (self.language, self.field)))
        return f"{where}: {self.told('en')}"


def faults(edition: PublicEdition) -> list[Fault]:
    """All that is wrong; nothing where it can be published."""
    return [
        *_of_record(edition),
        *_of_moments(edition),
        *(each for text in edition.texts for each in _of(text, edition)),
    ]


def _of_record(edition: PublicEdition) -> Iterator[Fault]:
    if edition.is_exercise or not edition.type.is_for_the_public:
        yield Fault("", "type", "public")
    if edition.offence is Offence.NONE:
        yield Fault("", "offence", "offence")
    unknown = {"severity": Severity.UNKNOWN, "urgency": Urgency.UNKNOWN, "certainty": Certainty.UNKNOWN}
    yield from (Fault("", name, "unknown") for name, word in unknown.items() if getattr(edition, name) is word)
    if not edition.texts:
        yield Fault("", "texts", "empty")
    for number, language in enumerate(edition.languages):
        if not _LANGUAGE.fullmatch(language) or language in edition.languages[:number]:
            yield Fault(language, "language", "language", language)
    if not _NAME.fullmatch(edition.number):
        yield Fault("", "number", "name", edition.number)
    if not _NAME.fullmatch(edition.issuer.sender):
        yield Fault("", "issuer.sender", "name", edition.issuer.sender)
    if not _ORIGIN.fullmatch(edition.issuer.origin):
        yield Fault("", "issuer.origin", "name", edition.issuer.origin)
    for name in _beside(edition):
        if not re.fullmatch(r"[\w-][\w.-]{0,80}", name, re.ASCII):
            yield Fault("", f"image.{name}", "name", name)
    for sign in (*edition.signs, *edition.former_signs):
        for said in (sign.value, sign.note):
            yield from _of_characters("", "signs", said)
        if not line(sign.value):
            yield Fault("", "signs", "empty")


def _of_moments(edition: PublicEdition) -> Iterator[Fault]:
    named = {"issued": edition.issued, "sent": edition.sent, "expires": edition.expires, "onset": edition.onset}
    for name, moment in named.items():
        if moment is not None and not _is_whole(moment):
            yield Fault("", name, "moment")
    if not all(_is_whole(each) for each in named.values() if each) or not all(
        _is_whole(e.sent) for e in edition.earlier
    ):
        return  # Moments of different kinds cannot be compared.
    if edition.issued > edition.sent:
        yield Fault("", "issued", "moment")
    if edition.expires <= edition.sent or (edition.onset and edition.expires <= edition.onset):
        yield Fault("", "expires", "moment")
    before = [(each.version, each.sent) for each in edition.earlier]
    # Versions that were given up, or that the police alone had, leave gaps.
    numbers = [*(version for version, _ in before), edition.version]
    if (
        numbers[0] < 1
        or any(one >= other for one, other in pairwise(numbers))
        or bool(before) == (edition.message is Message.ALERT)
    ):
        yield Fault("", "earlier", "versions")
    elif any(one >= other for (_, one), (_, other) in pairwise([*before, (edition.version, edition.sent)])):
        yield Fault("", "earlier", "moment")
    elif before and before[0][1] != edition.issued:
        yield Fault("", "issued", "moment")


def _of(text: Text, edition: PublicEdition) -> Iterator[Fault]:
    language = text.language
    for field, said in [*text.passages(), ("reason", edition.reasons.get(language, ""))]:
        yield from _of_characters(language, field, said)
        if len(said) > LONGEST_PASSAGE:
            yield Fault(language, field, "long")
    if not line(text.title):
        yield Fault(language, "title", "empty")
    elif len(line(text.title)) > LONGEST_TITLE:
        yield Fault(language, "title", "long")
    if edition.is_cancelled:
        if not line(edition.reasons.get(language, "")):
            yield Fault(language, "reason", "empty")
        return
    if not line(text.happening):
        yield Fault(language, "happening", "empty")
    elif line(text.happening).casefold() == line(text.title).casefold():
        yield Fault(language, "happening", "same")
    for name in _beside(edition):
        if not line(text.image_texts.get(name, "")):
            yield Fault(language, f"image.{name}", "empty")


def _beside(edition: PublicEdition) -> list[str]:
    """Names of the images and documents that lie beside the words."""
    return [each.name for each in edition.images] + [each.name for each in edition.annexes]


def _of_characters(language: str, field: str, said: str) -> Iterator[Fault]:
    if found := UNWRITABLE.search(said):
        yield Fault(language, field, "character", f"U+{ord(found[0]):04X}")


def _is_whole(moment: datetime) -> bool:
    return moment.utcoffset() == timedelta(0) and moment.microsecond == 0
