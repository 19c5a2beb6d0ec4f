"""An alert as linked data of schema.org, which search engines and assistants read. It can stand in a page as it is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from tocsin.reference.countries import country

from . import addresses
from .cap import WORLD
from .file import ATOM, CAP, STIX
from .passages import headline, line, offence, reason_of, sections, written
from .record import Made, PublicEdition
from .words import words

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def linked_data(edition: PublicEdition, language: str) -> bytes:
    """JSON-LD of the page in this language. No sign in it ends a `script` element."""
    text = orjson.dumps(article(edition, language), option=orjson.OPT_INDENT_2).decode()
    for sign, escaped in _ESCAPED.items():
        text = text.replace(sign, escaped)
    return text.encode() + b"\n"


def article(edition: PublicEdition, language: str) -> dict[str, Any]:
    """The same as values."""
    origin, say = edition.issuer.origin, words(language)
    text = edition.text(language)
    page = f"{origin}/{addresses.page(edition.number, text.language)}"
    made: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": ["Article", "SpecialAnnouncement"],
        "@id": page,
        "url": page,
        "mainEntityOfPage": page,
        "identifier": edition.number,
        "version": edition.version,
        "inLanguage": text.language,
        "headline": headline(edition, text.language),
        "name": headline(edition, text.language),
        "articleBody": "\n\n".join(map(written, sections(edition, text.language))),
        "text": "\n\n".join(written(each) for each in sections(edition, text.language) if each.name == "do_now"),
        "about": {"@type": "Thing", "name": offence(edition, say)},
        "datePublished": edition.issued.isoformat(),
        "datePosted": edition.issued.isoformat(),
        "dateModified": edition.sent.isoformat(),
        "expires": edition.expires.isoformat(),
        "creativeWorkStatus": "Cancelled" if edition.is_cancelled else "Published",
        "isAccessibleForFree": True,
        "publisher": {"@type": "Organization", "name": line(edition.issuer.name(text.language)), "url": f"{origin}/"},
        "author": {"@type": "Organization", "name": line(edition.issuer.name(text.language))},
        "spatialCoverage": _places(edition, language),
        "encoding": _encodings(edition, text.language),
    }
    made = {name: value for name, value in made.items() if value != ""}
    if not edition.is_cancelled and (reason := line(reason_of(edition, text.language))):
        made["correction"] = {"@type": "CorrectionComment", "text": reason, "datePublished": edition.sent.isoformat()}
    if edition.images:
        made["image"] = [
            {
                "@type": "ImageObject", "url": f"{origin}/{addresses.image(edition.number, each.name)}",
                "encodingFormat": each.media_type, "caption": line(text.image_texts.get(each.name, "")),
                **({"width": each.width, "height": each.height} if each.width and each.height else {}),
            }
            for each in edition.images
        ]  # fmt: skip
    if edition.annexes:
        made["associatedMedia"] = [
            {
                "@type": "MediaObject", "url": f"{origin}/{addresses.annex(edition.number, each.name)}",
                "encodingFormat": "application/pdf", "name": line(text.image_texts.get(each.name, "")),
            }
            for each in edition.annexes
        ]  # fmt: skip
    return made | _translations(edition, text.language, origin)


def _translations(edition: PublicEdition, language: str, origin: str) -> dict[str, Any]:
    """What it is a translation of, or what its translations are."""
    pages = {each.language: f"{origin}/{addresses.page(edition.number, each.language)}" for each in edition.texts}
    originals = [each.language for each in edition.texts if each.made is Made.ORIGINAL] or list(pages)
    first = originals[0]
    if language != first:
        return {"translationOfWork": {"@type": "Article", "@id": pages[first], "inLanguage": first}}
    others = [{"@type": "Article", "@id": page, "inLanguage": each} for each, page in pages.items() if each != first]
    return {"workTranslation": others} if others else {}


def _places(edition: PublicEdition, language: str) -> list[dict[str, Any]]:
    say = words(language)
    if not edition.countries:
        number = {"@type": "PropertyValue", "propertyID": "UN M49", "value": WORLD}
        return [{"@type": "Place", "name": say("worldwide"), "identifier": number}]
    found = []
    for code in edition.countries:
        codes = {"ISO 3166-1": code}
        with suppress(KeyError):  # A code of no country, such as those of exercises.
            codes["UN M49"] = country(code).numeric
        numbers = [{"@type": "PropertyValue", "propertyID": name, "value": value} for name, value in codes.items()]
        found.append({"@type": "Country", "name": say.country(code), "identifier": numbers})
    return found


def _encodings(edition: PublicEdition, language: str) -> list[dict[str, Any]]:
    offered = {
        addresses.cap(edition.number): CAP, addresses.stix(edition.number): STIX, addresses.atom(language): ATOM,
        addresses.plain(edition.number, language): "text/plain",
    }  # fmt: skip
    return [
        {"@type": "MediaObject", "contentUrl": f"{edition.issuer.origin}/{path}", "encodingFormat": media_type}
        for path, media_type in offered.items()
    ]
