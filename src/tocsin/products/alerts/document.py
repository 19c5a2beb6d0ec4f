"""The public edition as a document to print and to pass on: one PDF for each language, on one or two pages of A4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tocsin.core.words import Offence

from . import addresses
from .colours import palette
from .printable import breakable, line, missing, paragraphs, shortened
from .record import Image, Made, Message, PublicEdition, Text
from .signs import defanged, kind_name
from .typesetting import as_drawing, pdf, square_code
from .words import Words, words

SHOWN_COUNTRIES = 12
LONGEST_VALUE = 64
COLUMNS = 3
"""Of the facts below the title."""
LONGEST_TITLE = 180
WIDEST = {True: 1.0, False: 0.62}
"""How much of the line a picture takes: wide ones all of it."""


def document_pdf(edition: PublicEdition, language: str) -> bytes:
    """The PDF in this language. The same record gives the same bytes."""
    return pdf("document.typ", told_of(edition, language), edition.sent)


def told_of(edition: PublicEdition, language: str) -> dict[str, Any]:
    """All that the document shows, as plain texts."""
    say = words(language)
    text = edition.text(language)
    return {
        **frame_of(edition, language),
        "title": (title := shortened(title_of(edition, language), LONGEST_TITLE)),
        "title_size": 23 if len(title) <= 60 else 20 if len(title) <= 100 else 17,
        "short_title": shortened(title, 70),
        "facts": _facts(edition, say),
        "note": "" if text.made in {Made.ORIGINAL, Made.CHECKED} else say(f"made.{text.made.value}"),
        "reason": reason_of(edition, language),
        "happening": paragraphs(text.happening),
        "at_risk": paragraphs(text.at_risk),
        "recognise": items(text.recognise),
        "do_now": items(text.do_now),
        "if_victim": paragraphs(text.if_victim),
        "signs": [
            {"kind": kind_name(each.kind, say), "value": _value(defanged(each.value, each.kind)),
             "note": line(each.note)}
            for each in edition.signs
        ],
        "images": [_picture(each, text) for each in edition.images],
        "earlier": _earlier(edition, say),
        "languages": _other_languages(edition, language),
        "keys_address": f"{edition.issuer.origin}/{addresses.KEYS}",
        "short_keys": bare(f"{edition.issuer.origin}/{addresses.KEYS}"),
        "media_contact": line(edition.issuer.media_contact),
        "page_of": say("print.page_of", page="{page}", pages="{pages}"),
        "words": {
            **{name: say(name) for name in _HEADINGS},
            **{name: say(f"print.{name}") for name in ("changes", "not_clickable", "newest", "genuine")},
            "languages": say("print.other_languages"),
        },
    }  # fmt: skip


_HEADINGS = ("happening", "at_risk", "recognise", "do_now", "if_victim", "signs", "earlier", "media_contact")


def frame_of(edition: PublicEdition, language: str) -> dict[str, Any]:
    """What documents, cards and posters all say: who, what, where it is found, and whether it still holds."""
    say = words(language)
    address = f"{edition.issuer.origin}/{addresses.permanent(edition.number)}"
    colours = palette(edition.type, edition.is_cancelled)
    return {
        "language": language.split("-")[0],
        "direction": say.direction,
        "colours": {"deep": colours.deep, "edge": colours.edge, "tint": colours.tint},
        "issuer": (issuer := line(edition.issuer.name(language))),
        "short_issuer": shortened(issuer, 64),
        "number": edition.number,
        "type": say(f"type.{edition.type.value}"),
        "address": address,
        "short_address": bare(address),
        "qr": square_code(address),
        "qr_alt": say("print.qr", address=address),
        "is_cancelled": edition.is_cancelled,
        "cancelled_on": say("print.cancelled_on", day=say.day(edition.sent)) if edition.is_cancelled else "",
        "no_longer": say("print.no_longer"),
        "exercise_note": say("print.exercise_note") if edition.is_exercise else "",
        "across": _across(edition, say),
    }


def title_of(edition: PublicEdition, language: str) -> str:
    """In one line; the number where nothing of it can be shown."""
    return line(edition.text(language).title) or edition.number


def reason_of(edition: PublicEdition, language: str) -> list[str]:
    """Why it was cancelled, or what an update changes, in this language or the next one there is."""
    return paragraphs(in_language(edition.reasons, language))


def in_language(said: Mapping[str, str], language: str) -> str:
    return said.get(language) or said.get("en") or next(iter(said.values()), "")


def items(texts: tuple[str, ...]) -> list[str]:
    return ["\n".join(paragraphs(each)) for each in texts if paragraphs(each)]


def bare(address: str) -> str:
    """An address as people type it."""
    return address.partition("://")[2].rstrip("/") or address


def countries_in_words(countries: tuple[str, ...], say: Words) -> str:
    """The names of countries; a long list is cut."""
    if not countries:
        return say("worldwide")
    comma = "، " if say.direction == "rtl" else ", "
    names = comma.join(sorted(map(say.country, countries[:SHOWN_COUNTRIES])))
    left = len(countries) - SHOWN_COUNTRIES
    return say("print.and_others", countries=names, count=left) if left > 0 else names


def _across(edition: PublicEdition, say: Words) -> str:
    if edition.is_exercise:
        return say("print.exercise")
    return say("cancelled") if edition.is_cancelled else ""


def _facts(edition: PublicEdition, say: Words) -> list[dict[str, Any]]:
    facts = [("issued", say.moment(edition.issued))]
    if edition.message is Message.UPDATE:
        facts.append(("updated", say.moment(edition.sent)))
    facts += [
        ("expires", say.moment(edition.expires)),
        ("severity", say(f"severity.{edition.severity.value}")),
        *([] if edition.offence is Offence.NONE else [("print.offence", say(f"offence.{edition.offence.value}"))]),
        ("print.countries", countries_in_words(edition.countries, say)),
    ]
    number = {"name": say("version", number=edition.version), "text": edition.number, "technical": True, "span": 1}
    told = [{"name": say(name), "text": line(text), "technical": False, "span": 1} for name, text in facts]
    told[-1]["span"] = COLUMNS - len(told) % COLUMNS  # The countries take what is left of their line.
    return [number, *told]


def _value(text: str) -> str:
    """What fills no line stays whole, so that it can be copied out; a longer one may be parted where the line ends."""
    return breakable(line(text), LONGEST_VALUE)


def _earlier(edition: PublicEdition, say: Words) -> list[str]:
    return [f"{say('version', number=each.version)}, {say.moment(each.sent)}" for each in edition.earlier]


def _other_languages(edition: PublicEdition, language: str) -> str:
    comma = "، " if words(language).direction == "rtl" else ", "
    return comma.join(own_name(each) for each in edition.languages if each != language)


def own_name(language: str) -> str:
    """A language as those who speak it call it, with a capital letter."""
    locale = words(language).locale
    name = str(locale.get_display_name(locale) or language) if locale.language == language[:2] else language
    if locale.territory and "-" not in language:
        name = str(locale.get_language_name(locale) or language)
    if missing(name):
        name = str(locale.get_display_name("en") or language)
    return name[:1].upper() + name[1:]


def _picture(image: Image, text: Text) -> dict[str, Any]:
    return {
        "drawing": as_drawing(image),
        "alt": line(text.image_texts.get(image.name, "")) or image.name,
        "width": WIDEST[image.width > 1.3 * image.height],
    }
