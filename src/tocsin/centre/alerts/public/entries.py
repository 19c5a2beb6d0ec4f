"""What lists, search and other sites need of an alert: an extract of its public edition, kept as a public file itself.

So the pages that show many alerts are made without opening one of them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from tocsin.products.alerts.record import LANGUAGES, AlertType, Message, PublicEdition

LEAD_SIGNS = 200
_SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert in its newest version."""

    number: str
    version: int
    type: str
    offence: str
    severity: str
    issued: datetime
    sent: datetime
    expires: datetime
    titles: dict[str, str]
    """By language."""
    leads: dict[str, str] = {}
    """How each text begins."""
    countries: tuple[str, ...] = ()
    """None: the whole world."""
    is_cancelled: bool = False

    @property
    def month(self) -> str:
        return f"{self.issued:%Y-%m}"

    @property
    def year(self) -> str:
        return f"{self.issued:%Y}"

    @property
    def languages(self) -> tuple[str, ...]:
        """Those in which it has an address: all of the site's own, and what else it came in."""
        return tuple(dict.fromkeys((*LANGUAGES, *self.titles)))

    def is_current(self, now: datetime) -> bool:
        return not self.is_cancelled and now < self.expires

    def is_pressing(self, now: datetime) -> bool:
        """Whether it stands before all others."""
        return self.is_current(now) and self.type == AlertType.IMMINENT

    def shown_in(self, language: str) -> str:
        """The language in which its title can be shown to who reads this one."""
        if language in self.titles:
            return language
        return "en" if "en" in self.titles else next(iter(self.titles))

    @property
    def urgency(self) -> tuple[int, float]:
        """Graver ones first, of these the newest."""
        return _SEVERITIES.index(self.severity), -self.sent.timestamp()


def entry_of(edition: PublicEdition) -> Entry:
    """Raises ValueError for what is not for the public: an exercise (W31), or an alert of a person."""
    require_public(edition)
    return Entry(
        number=edition.number, version=edition.version, type=edition.type.value, offence=edition.offence.value,
        severity=edition.severity.value, issued=edition.issued, sent=edition.sent, expires=edition.expires,
        titles={each.language: each.title for each in edition.texts},
        leads={} if edition.is_cancelled else {each.language: lead_of(each.happening) for each in edition.texts},
        countries=edition.countries, is_cancelled=edition.message is Message.CANCEL,
    )  # fmt: skip


def require_public(edition: PublicEdition) -> None:
    """Raises ValueError for what no page may show."""
    if edition.is_exercise:
        raise ValueError("an exercise is never shown to the public")
    if not edition.type.is_for_the_public:
        raise ValueError("an alert of a person is for the police alone")


def lead_of(text: str) -> str:
    """Its first paragraph, or as many whole words of it as a list has room for."""
    first = re.sub(r"\s+", " ", text.strip().split("\n\n", 1)[0]).strip()
    if len(first) <= LEAD_SIGNS:
        return first
    cut = first[: LEAD_SIGNS + 1].rsplit(" ", 1)[0][:LEAD_SIGNS]
    return f"{cut.rstrip(' .,;:،؛')}…"


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Newest first."""
    return sorted(entries, key=lambda each: (each.issued, each.number), reverse=True)


def pack(entries: Iterable[Entry]) -> bytes:
    """As they are kept and published."""
    return msgspec.json.encode({"alerts": in_order(entries)})


def unpack(body: bytes) -> list[Entry]:
    return _Kept.decode(body).alerts


def whole_seconds(at: datetime) -> str:
    """A moment for programs."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _All(msgspec.Struct):
    alerts: list[Entry]


_Kept = msgspec.json.Decoder(_All)


def years_of(entries: Sequence[Entry]) -> list[str]:
    """Newest first."""
    return sorted({each.year for each in entries}, reverse=True)
