"""The Common Alerting Protocol 1.2 (OASIS): what its message says of an alert, one block for each language.

It keeps to the strictest rules of those who pass public warnings on (`cap_rules.py`). XML is written and read by
`cap_xml.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from tocsin.core.words import Offence
from tocsin.reference.areas import circles_of, polygons_of
from tocsin.reference.countries import country

from . import addresses
from .file import File
from .passages import headline, line, offence, reason_of, sections, shortened, written
from .record import AlertType, PublicEdition, Text, identifier_of
from .words import Words, words

Pair = tuple[str, str]
"""`valueName` and `value`."""
EVENT_TERM = ("OET:v1.2", "OET-050")
"""“Cybercrime threat” of the OASIS Event Terms List 1.2: the same in every block and every country."""
OFFENCE = "TOCSIN:offence"
COUNTRY_CODE, NUMERIC_CODE = "ISO3166-1", "UN-M49"
WORLD = "001"
WORLD_POLYGON = "-90,-180 -90,180 90,180 90,-180 -90,-180"
LONGEST_HEADLINE = 140
LONGEST_AREA_NAME = 49
_OF_SYSTEMS = frozenset({
    Offence.ILLEGAL_ACCESS, Offence.ILLEGAL_INTERCEPTION, Offence.DATA_INTERFERENCE, Offence.SYSTEM_INTERFERENCE,
    Offence.MISUSE_OF_DEVICES, Offence.RANSOMWARE,
})  # fmt: skip
"""Offences that concern the infrastructure too."""
_RESPONSES = {
    AlertType.METHOD: ("Avoid", "Monitor"), AlertType.IMMINENT: ("Avoid", "Execute"),
    AlertType.PREVENTION: ("Prepare",), AlertType.PERSON: ("Monitor",),
}  # fmt: skip
_DESCRIBED = frozenset({"application/pdf", "image/png", "image/jpeg", "image/webp"})
"""What broadcasters and sign boards can show."""


@dataclass(frozen=True, slots=True)
class Resource:
    description: str
    media_type: str
    size: int | None = None
    uri: str = ""
    digest: str = ""
    """SHA-1, as CAP 1.2 (3.2.3) wants it. Who must be sure takes the SHA-256 of the signed manifest."""


@dataclass(frozen=True, slots=True)
class Area:
    description: str
    polygons: tuple[str, ...] = ()
    circles: tuple[str, ...] = ()
    geocodes: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Info:
    """A block: everything in one language."""

    language: str
    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    response_types: tuple[str, ...] = ()
    audience: str = ""
    event_codes: tuple[Pair, ...] = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier message."""

    sender: str
    identifier: str
    sent: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What CAP calls an alert."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    message_type: str
    scope: str
    source: str = ""
    restriction: str = ""
    addresses: str = ""
    codes: tuple[str, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    incidents: str = ""
    infos: tuple[Info, ...] = ()


def message_of(edition: PublicEdition, printed: Iterable[File] = ()) -> Message:
    """The message of this version. `printed`: files that it offers beside the text, such as PDF documents and cards.

    Every earlier version is referred to, so that whoever missed one still replaces all (CAP 1.2, 3.2.1).
    """
    offered = [file for file in printed if file.media_type in _DESCRIBED]
    is_exercise = edition.is_exercise
    return Message(
        identifier=edition.identifier,
        sender=edition.issuer.sender,
        sent=edition.sent,
        status="Exercise" if is_exercise else "Actual",
        message_type=edition.message.value,
        scope="Restricted" if is_exercise else "Public",
        restriction=words("en")("exercise") if is_exercise else "",
        note=line(reason_of(edition, "en")),
        references=tuple(
            Reference(edition.issuer.sender, identifier_of(edition.number, each.version), each.sent)
            for each in edition.earlier
        ),
        incidents=edition.number,
        infos=tuple(_info(edition, text, offered) for text in edition.texts),
    )


def _info(edition: PublicEdition, text: Text, offered: list[File]) -> Info:
    say = words(text.language)
    return Info(
        language=text.language,
        categories=("Security", "Infra") if edition.offence in _OF_SYSTEMS else ("Security",),
        event=offence(edition, say),
        response_types=("None",) if edition.is_cancelled else _RESPONSES[edition.type],
        urgency=edition.urgency.value,
        severity=edition.severity.value,
        certainty=edition.certainty.value,
        event_codes=(EVENT_TERM, (OFFENCE, edition.offence.value)),
        effective=edition.sent,
        onset=edition.onset,
        expires=edition.expires,
        sender_name=line(edition.issuer.name(text.language)),
        headline=headline(edition, text.language, LONGEST_HEADLINE),
        description=_description(edition, text),
        instruction=_instruction(edition, text),
        web=f"{edition.issuer.origin}/{addresses.page(edition.number, text.language)}",
        contact=line(edition.issuer.media_contact),
        parameters=tuple(_parameters(edition, text)),
        resources=tuple(_resources(edition, text, offered)),
        areas=tuple(_areas(edition, say)),
    )


def _description(edition: PublicEdition, text: Text) -> str:
    shown = [each for each in sections(edition, text.language) if each.name not in {"do_now", "if_victim"}]
    return "\n\n".join(written(each, with_heading=bool(number)) for number, each in enumerate(shown))


def _instruction(edition: PublicEdition, text: Text) -> str:
    say = words(text.language)
    if edition.is_cancelled:
        return say("cancelled.instruction")
    shown = [each for each in sections(edition, text.language) if each.name in {"do_now", "if_victim"}]
    parts = [written(each, with_heading=each.name != "do_now") for each in shown]
    return "\n\n".join(parts) or say("without-steps")


def _parameters(edition: PublicEdition, text: Text) -> Iterator[Pair]:
    yield "TOCSIN:alert-type", edition.type.value
    yield "TOCSIN:translation", text.made.value
    if not edition.is_cancelled:
        for sign in edition.signs:
            yield f"TOCSIN:sign:{sign.kind.value}", line(sign.value)


def _resources(edition: PublicEdition, text: Text, offered: list[File]) -> Iterator[Resource]:
    """Files in this language or in none."""
    if edition.is_cancelled:
        return
    titled = {
        addresses.annex(edition.number, each.name): text.image_texts.get(each.name, "") for each in edition.annexes
    }
    for file in offered:
        if file.path in titled:
            shown = line(titled[file.path]) or headline(edition, text.language)
            yield _resource(edition, shown, file.media_type, file.body, file.path)
        elif file.language in ("", text.language):
            yield _resource(edition, headline(edition, text.language), file.media_type, file.body, file.path)
    for image in edition.images:
        shown = line(text.image_texts.get(image.name, "")) or headline(edition, text.language)
        yield _resource(edition, shown, image.media_type, image.body, addresses.image(edition.number, image.name))


def _resource(edition: PublicEdition, shown: str, media_type: str, body: bytes, path: str) -> Resource:
    digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
    return Resource(shown, media_type, len(body), f"{edition.issuer.origin}/{path}", digest)


def _areas(edition: PublicEdition, say: Words) -> Iterator[Area]:
    if not edition.countries:
        yield Area(say("worldwide"), (WORLD_POLYGON,), geocodes=((NUMERIC_CODE, WORLD),))
    for code in edition.countries:
        geocodes = [(COUNTRY_CODE, code)]
        with suppress(KeyError):  # A code of no country, such as those of exercises, has neither number nor place.
            geocodes.append((NUMERIC_CODE, country(code).numeric))
        name = shortened(say.country(code), LONGEST_AREA_NAME)
        yield Area(name, polygons_of(code), circles_of(code), tuple(geocodes))
