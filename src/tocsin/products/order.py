"""What a package is composed from: everything but the rows themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, BinaryIO

from tocsin.core.words import Tlp
from tocsin.reference.members import territories


@dataclass(frozen=True, slots=True)
class Label:
    """The handling of a package, derived from all its batches: narrowest label, common purposes, all codes."""

    tlp: Tlp
    codes: tuple[str, ...]
    pap: str
    purposes: tuple[str, ...]
    review_on: date
    expires_on: date
    restrictions: tuple[str, ...] = ()
    """What H3 means, in the words of the sources."""


@dataclass(frozen=True, slots=True)
class Centre:
    """Who issues packages. Sources stay unnamed: objects carry this identity."""

    name: str
    id: str
    """UUID of its identity in exchanged objects."""
    created_at: datetime
    """When the installation was made: the creation moment of objects that return in later packages."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The package before this one."""

    opened: Callable[[], BinaryIO]
    """Its archive."""
    number: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What goes with the rows in files of its own: an alert, or the word that one was taken back."""

    line: str
    """What it is, in the language of the package."""
    files: Mapping[str, bytes | Callable[[], bytes]]
    """Name in the archive → the file, or what makes it: in the process that composes the package."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the manifest."""


@dataclass(frozen=True, slots=True)
class Order:
    """One package to be made."""

    country: str
    number: str
    """For people: FR-2026-0007."""
    arrived_from: datetime
    arrived_until: datetime
    created_at: datetime
    language: str
    label: Label
    centre: Centre
    sign: Callable[[bytes], bytes]
    public_pem: bytes
    key_id: str
    misp_batches: frozenset[int] | None = frozenset()
    """Batches whose rows may go into a MISP export; None: all of them."""
    grades: Mapping[int, str] = field(default_factory=dict)
    """Batch → how its source graded it, as `core.grading` keeps grades."""
    previous: Previous | None = None
    enclosed: tuple[Enclosed, ...] = ()
    """Alerts, and notices of those that were taken back; in the order in which they are told."""
    data_dates: Mapping[str, str] = field(default_factory=dict)
    """Name of an address table → its date."""
    values_cap: int = 2_000
    """Most values in the STIX bundle, the MISP event and each list of the difference."""

    @property
    def name(self) -> str:
        """Name of the archive without its extension."""
        return f"tocsin-{self.number}"

    @property
    def countries(self) -> frozenset[str]:
        """Codes that are at home in this package."""
        return home_codes(self.country)


def home_codes(code: str) -> frozenset[str]:
    """The country and the territories for which its bureau answers."""
    return frozenset({code, *(territory for territory, member in territories().items() if member == code)})
