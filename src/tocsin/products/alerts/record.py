"""The public edition of an alert as one record: all that its outputs may say, and nothing beside it (DOMAIN 4.11).

The fields here are the allow-list. An output is a function of this record and of nothing else, so that what is not a
field of it cannot be published by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tocsin.core.words import Kind, Offence

LANGUAGES = ("en", "fr", "es", "ar")
"""What every alert comes in, in the order in which they are listed. Others may be added to a record as data."""
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "ps", "ckb", "sd", "ug", "yi", "dv"})


class AlertType(StrEnum):
    """What an alert is about. Its colour says what to expect, as the notices of police do."""

    METHOD = "METHOD"
    """How a crime is done, and how to know it: purple."""
    IMMINENT = "IMMINENT"
    """Something dangerous that happens now: orange."""
    PERSON = "PERSON"
    """Somebody who is to be watched for: green; for the police alone."""
    PREVENTION = "PREVENTION"
    """Advice, without a case behind it: blue."""

    @property
    def colour(self) -> str:
        return {"METHOD": "purple", "IMMINENT": "orange", "PERSON": "green", "PREVENTION": "blue"}[self.value]

    @property
    def is_for_the_public(self) -> bool:
        return self is not AlertType.PERSON


class Severity(StrEnum):
    """CAP 1.2, 3.2.2."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Urgency(StrEnum):
    """CAP 1.2, 3.2.2."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    """CAP 1.2, 3.2.2."""

    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


class Message(StrEnum):
    """What a version is to those before it (CAP 1.2, 3.2.1)."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"


class Made(StrEnum):
    """How a text came into its language, as readers are told."""

    ORIGINAL = "original"
    MACHINE = "machine"
    HUMAN = "human"
    CHECKED = "checked"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues: the organisation that runs the installation, as its settings name it."""

    names: Mapping[str, str]
    """Language → name."""
    sender: str
    """The `sender` of CAP: a domain that is the issuer's for good, without spaces, commas, `<` and `&`."""
    origin: str
    """Where the public site lies: `https://alerts.example/alerts`, without a slash at its end."""
    media_contact: str = ""
    """An address or number for journalists."""

    def name(self, language: str) -> str:
        return self.names.get(language) or self.names.get("en") or next(iter(self.names.values()), self.sender)


@dataclass(frozen=True, slots=True)
class Text:
    """All that the public reads of one alert in one language. Plain text; a blank line parts paragraphs."""

    language: str
    """BCP 47."""
    title: str
    """At most 140 characters."""
    happening: str
    at_risk: str = ""
    recognise: tuple[str, ...] = ()
    """Signs, one each."""
    do_now: tuple[str, ...] = ()
    """Steps, in their order."""
    if_victim: str = ""
    made: Made = Made.ORIGINAL
    image_texts: Mapping[str, str] = field(default_factory=dict)
    """Name of an image → what it shows, for those who do not see it; name of an annex → what it is."""

    @property
    def is_right_to_left(self) -> bool:
        return self.language.split("-")[0] in RIGHT_TO_LEFT

    def passages(self) -> Iterator[tuple[str, str]]:
        """Each text with the name of its field, as findings and differences name it."""
        yield "title", self.title
        yield "happening", self.happening
        yield "at_risk", self.at_risk
        for number, each in enumerate(self.recognise, 1):
            yield f"recognise.{number}", each
        for number, each in enumerate(self.do_now, 1):
            yield f"do_now.{number}", each
        yield "if_victim", self.if_victim
        for name, each in sorted(self.image_texts.items()):
            yield f"image.{name}", each


@dataclass(frozen=True, slots=True)
class PublicSign:
    """A technical value that may be published: marked so, PAP:CLEAR, with the consent of its source."""

    value: str
    kind: Kind
    note: str = ""
    """What it is called where it has a name that needs no translation, such as that of a malware family."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that was made anew from its points, without what its file carried beside them."""

    name: str
    media_type: str
    body: bytes = field(repr=False)
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Annex:
    """A document that was made anew from what its pages show. Its title stands in `Text.image_texts`."""

    name: str
    body: bytes = field(repr=False)
    pages: int = 0


@dataclass(frozen=True, slots=True)
class Earlier:
    """A version before this one."""

    version: int
    message: Message
    sent: datetime


@dataclass(frozen=True, slots=True)
class PublicEdition:
    """One version of an alert, for everybody. All moments are UTC and of whole seconds."""

    number: str
    """METHOD-2026-0042: type, year, and which of that type and year."""
    version: int
    """From 1."""
    message: Message
    type: AlertType
    offence: Offence
    severity: Severity
    urgency: Urgency
    certainty: Certainty
    issued: datetime
    """When the first version was sent."""
    sent: datetime
    expires: datetime
    texts: tuple[Text, ...]
    """One for each language that is there, in the order of LANGUAGES, then by name."""
    issuer: Issuer
    onset: datetime | None = None
    countries: tuple[str, ...] = ()
    """ISO 3166-1 alpha-2, sorted; none: the whole world."""
    signs: tuple[PublicSign, ...] = ()
    former_signs: tuple[PublicSign, ...] = ()
    """Those of earlier versions that no longer hold: programs that took them are told to undo it."""
    images: tuple[Image, ...] = ()
    annexes: tuple[Annex, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    """All versions before this one, oldest first."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Language → why it was cancelled, or what an update changes."""
    is_exercise: bool = False
    """An exercise is shown to who plays it. No public output is ever made of it (W31)."""

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(each.language for each in self.texts)

    @property
    def identifier(self) -> str:
        """That of this version, for CAP."""
        return identifier_of(self.number, self.version)

    @property
    def is_cancelled(self) -> bool:
        return self.message is Message.CANCEL

    def text(self, language: str) -> Text:
        """In this language, else in English, else in the first one."""
        by_language = {each.language: each for each in self.texts}
        return by_language.get(language) or by_language.get("en") or self.texts[0]

    def has(self, language: str) -> bool:
        return language in self.languages


def identifier_of(number: str, version: int) -> str:
    return f"{number}-v{version}"
