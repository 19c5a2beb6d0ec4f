"""The plan: what an exercise holds, file by file, and what should become of each file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class OrganisationClass(StrEnum):
    """The four classes of partners, and the Centre itself."""

    LAW_ENFORCEMENT = "law-enforcement"
    PUBLIC_BODY = "public-body"
    PRIVATE = "private"
    ACADEMIA = "academia"
    CENTRE = "centre"


class Outcome(StrEnum):
    """What should become of a delivery."""

    ACCEPTED = "accepted"
    ACCEPTED_WITH_REJECTIONS = "accepted-with-rejections"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Organisation:
    """A partner with the defaults of its agreement. `profiles` maps a name to the fields of a `Profile`."""

    key: str
    name: str
    organisation_class: OrganisationClass
    country: str
    contact: str
    tlp: str = "TLP:AMBER"
    handling: tuple[str, ...] = ("H2",)
    purposes: tuple[str, ...] = ("PROTECT",)
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """A demonstration account; who is of a national bureau has a country and no organisation."""

    username: str
    name: str
    role: str
    """analyst, reviewer, dissemination-officer, legal-officer, translator, duty-officer, partnership-officer,
    administrator, auditor, commission-secretary, partner-analyst, partner-manager, bureau-officer, bureau-head."""
    language: str
    country: str = ""
    organisation: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """What should become of one delivery; None means that no exact figure follows from the file alone."""

    outcome: Outcome = Outcome.ACCEPTED
    reason: str = ""
    """Why it is quarantined: a code of core.reasons."""
    rows: int | None = None
    """Observations left after exact repeats were folded into counts."""
    repeats: int | None = None
    """Rows folded."""
    rejections: Mapping[str, int] | None = None
    """Reason code → rows refused."""
    things: int | None = None
    """Knowledge objects."""
    proposals_at_least: int | None = None
    """Indicators that a reader of prose should find, at least."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One file that one organisation hands over at one moment."""

    number: int
    path: str
    """Relative to the folder of the exercise."""
    name: str
    """The file name as the partner sent it."""
    organisation: str
    format: str
    """A word for people: stix-2.1, shadowserver-csv.gz, misp-event, ..."""
    arrived_at: str
    idempotency_key: str
    sha256: str
    size_bytes: int
    expected: Expected
    profile: str = ""
    """Name of a profile of the organisation, where the file needs one to be understood."""
    duplicate_of: int | None = None
    story: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole exercise; `plan.json` beside the deliveries holds the same."""

    seed: int
    observations: int
    started_at: str
    until_at: str
    organisations: tuple[Organisation, ...]
    people: tuple[Person, ...]
    deliveries: tuple[Delivery, ...]
    title: str = "EXERCISE Grey Heron"

    def write(self, folder: Path) -> Path:
        """Write `plan.json` into the folder."""
        path = folder / "plan.json"
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")
        return path


def read_plan(folder: Path) -> Plan:
    """The plan that `Plan.write` left in a folder."""
    raw = json.loads((folder / "plan.json").read_text("utf-8"))
    raw["organisations"] = tuple(_organisation(item) for item in raw["organisations"])
    raw["people"] = tuple(Person(**item) for item in raw["people"])
    raw["deliveries"] = tuple(_delivery(item) for item in raw["deliveries"])
    return Plan(**raw)


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _organisation(item: dict[str, Any]) -> Organisation:
    item["organisation_class"] = OrganisationClass(item["organisation_class"])
    return Organisation(**item | {name: tuple(item[name]) for name in ("handling", "purposes")})


def _delivery(item: dict[str, Any]) -> Delivery:
    expected = item["expected"]
    return Delivery(**item | {"expected": Expected(**expected | {"outcome": Outcome(expected["outcome"])})})
