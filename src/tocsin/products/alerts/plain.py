"""An alert as plain text, and as a short message of at most three segments.

A segment holds 160 characters of the GSM alphabet, or 70 of UCS-2 where one character is not in it; 153 and 67 where a
message has several (3GPP TS 23.038 and 23.040). Only signs of punctuation are exchanged to stay in the first alphabet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import addresses
from .passages import headline, line, places, reason_of, sections, shortened, written
from .record import PublicEdition
from .signs import defanged
from .words import words

MOST_SEGMENTS = 3
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€\f")
"""They take the room of two."""
EXCHANGED = str.maketrans({
    "’": "'", "‘": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": '"', "›": '"', "–": "-",
    "—": "-", "‑": "-", "−": "-", "…": "...", "\xa0": " ", "\u202f": " ", "\u2009": " ", "œ": "oe", "Œ": "OE",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counted:
    """How a text travels."""

    encoding: str
    """`GSM-7` or `UCS-2`."""
    units: int
    """Septets, or pairs of bytes."""
    segments: int


def plain_text(edition: PublicEdition, language: str) -> str:
    """All that the public reads, in one text. Addresses of the alert are whole, those of criminals are not."""
    return "\n\n".join(_blocks(edition, edition.text(language).language)) + "\n"


def _blocks(edition: PublicEdition, language: str) -> Iterator[str]:
    say = words(language)
    yield headline(edition, language)
    facts = [
        f"{say(f'type.{edition.type.value}')} · {say(f'offence.{edition.offence.value}')}",
        say("fact", name=say("severity"), value=say(f"severity.{edition.severity.value}")),
        f"{edition.number} · {say('version', number=edition.version)}",
        say("fact", name=say("issued"), value=say.moment(edition.issued)),
    ]
    if edition.version > 1:
        facts.append(
            say("fact", name=say("cancelled" if edition.is_cancelled else "updated"), value=say.moment(edition.sent))
        )
    if not edition.is_cancelled:
        facts.append(say("fact", name=say("expires"), value=say.moment(edition.expires)))
    facts += [places(edition, say), line(edition.issuer.name(language))]
    made = edition.text(language).made
    if made.value != "original":
        facts.append(say(f"made.{made.value}"))
    yield "\n".join(facts)
    yield from map(written, sections(edition, language))
    if edition.signs and not edition.is_cancelled:
        # Each value on a line of its own: so it reads from left to right among Arabic, too.
        rows = [f"{defanged(line(sign.value), sign.kind)}\n{line(sign.note)}".strip() for sign in edition.signs]
        yield "\n".join([say("signs"), *rows])
    if edition.issuer.media_contact:
        yield f"{say('media_contact')}\n{line(edition.issuer.media_contact)}"
    yield f"{edition.issuer.origin}/{addresses.page(edition.number, language)}"


def short_message(edition: PublicEdition, language: str, most_segments: int = MOST_SEGMENTS) -> str:
    """The title, as many of the first steps as there is room for, and the address, last and whole.

    Words are never cut. Where the address alone takes all the room, it is all that is said.
    """
    language = edition.text(language).language
    say = words(language)
    address = f"{edition.issuer.origin}/{addresses.permanent(edition.number)}"
    title = headline(edition, language)
    if not edition.is_cancelled and not edition.is_exercise:
        title = say("short.title", title=title)
    steps = [line(each) for each in edition.text(language).do_now if line(each)]
    if edition.is_cancelled:
        steps = [line(reason_of(edition, language)) or say("cancelled.without-reason")]
    for count in range(len(steps), -1, -1):
        made = _exchanged(" ".join(map(_ended, [title, *steps[:count]])), address)
        if counted(made).segments <= most_segments:
            return made
    for longest in range(len(title), 0, -1):
        cut = shortened(title, longest)
        if cut.strip("… ") and counted(made := _exchanged(cut, address)).segments <= most_segments:
            return made
    return address


def _exchanged(text: str, address: str) -> str:
    """The text before the address, with punctuation of the GSM alphabet where that keeps all of it in there."""
    plain = text.translate(EXCHANGED)
    return f"{plain if _is_gsm(plain) else text} {address}"


def counted(text: str) -> Counted:
    """How many segments it takes. No character is parted between two, so that a segment may have room left."""
    if _is_gsm(text):
        sizes = [2 if each in _GSM_TWICE else 1 for each in text]
        return _counted("GSM-7", sizes, 160, 153)
    return _counted("UCS-2", [len(each.encode("utf-16-be")) // 2 for each in text], 70, 67)


def _counted(encoding: str, sizes: list[int], alone: int, each_of_several: int) -> Counted:
    units = sum(sizes)
    if units <= alone:
        return Counted(encoding, units, 1)
    segments, room = 1, each_of_several
    for size in sizes:
        if size > room:
            segments, room = segments + 1, each_of_several
        room -= size
    return Counted(encoding, units, segments)


def _is_gsm(text: str) -> bool:
    return all(each in _GSM or each in _GSM_TWICE for each in text)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?", "؟", "…", "。")) else f"{sentence}."
