"""What the page of an organisation says of its limits: in plain words, with what is used of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tocsin.centre.members import allowances, limits
from tocsin.centre.members.models import Key, Organisation, Person

from . import pressure

DOORS: Mapping[str, Promise] = {"pages": _("Pages"), "api": _("API"), "taxii": _("TAXII")}
GROUPS: tuple[tuple[str, Promise, Promise], ...] = (
    ("organisation", _("All of it together"), _("Whoever hands over for it, by whichever door.")),
    ("key", _("Each of its keys"), _("Programs. Each key is counted for itself; the one that asked most is shown.")),
    ("person", _("Each of its people"), _("Pages. Everybody is counted alone; the one who asked most is shown.")),
)
WORDS: Mapping[str, tuple[Promise, Promise]] = {
    "organisation_deliveries": (
        _("Deliveries in a quarter of an hour"),
        _("More are turned away until the next quarter begins. What was taken before is read."),
    ),
    "organisation_megabytes": (
        _("Megabytes in a quarter of an hour"),
        _("Of all deliveries together. One delivery is taken whole, even where it passes the limit."),
    ),
    "organisation_uploads": (
        _("Uploads at once"),
        _("So many bodies may come in at the same moment. The next may begin as soon as one is over."),
    ),
    "organisation_waiting": (
        _("Deliveries that wait to be read"),
        _("Where so many wait, no more are taken until some are read."),
    ),
    "organisation_waiting_megabytes": (
        _("Megabytes that wait to be read"),
        _("The same, by their size."),
    ),
    "key_requests": (_("Requests in a quarter of an hour"), _("Every call of the API and of TAXII.")),
    "key_lookups": (
        _("Look-ups in a quarter of an hour"),
        _("Each value counts: a call with 100 values is 100 look-ups."),
    ),
    "key_downloads": (
        _("Downloads in a quarter of an hour"),
        _("Originals, packages, refused records, objects and circulars."),
    ),
    "person_requests": (_("Requests in a quarter of an hour"), _("Every page that is opened.")),
    "person_lookups": (_("Look-ups in a quarter of an hour"), _("Each value or name that is looked up.")),
    "person_downloads": (
        _("Downloads in a quarter of an hour"),
        _("Originals, packages, refused records, objects and circulars."),
    ),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One limit of one organisation."""

    name: str
    label: Promise
    meaning: Promise
    most: int
    """0: there is none."""
    usual: int
    """What holds for those of whom nothing else is said."""
    least: int
    is_own: bool
    used: int
    refused: int
    doors: tuple[tuple[Promise, int], ...]

    @property
    def percent(self) -> int:
        """How much of it is used."""
        return min(100, round(100 * self.used / self.most)) if self.most else 0

    @property
    def is_near(self) -> bool:
        """Whether little is left."""
        return self.percent >= 80 and not self.is_reached

    @property
    def is_reached(self) -> bool:
        """Whether nothing is left."""
        return bool(self.most) and self.used >= self.most


def groups_of(organisation: Organisation, at: datetime) -> list[dict[str, Any]]:
    """All limits of an organisation, by whom they count."""
    used, refused = _used(organisation, at), allowances.refusals_of(organisation, at)
    lines = [_line(organisation, name, used.get(name, 0), refused.get(name, {})) for name in allowances.NAMES]
    return [
        {"word": word, "title": title, "note": note, "lines": [each for each in lines if each.name.startswith(word)]}
        for word, title, note in GROUPS
    ]


def _line(organisation: Organisation, name: str, used: int, refused: Mapping[str, int]) -> Line:
    label, meaning = WORDS[name]
    return Line(
        name, label, meaning, limits.allowed(organisation, name), int(settings.INSTALLATION.limits[name]),
        allowances.least_of(name), name in organisation.limits, used, sum(refused.values()),
        tuple((DOORS[door], times) for door, times in refused.items()),
    )  # fmt: skip


def _used(organisation: Organisation, at: datetime) -> dict[str, int]:
    waits = pressure.waiting_of(organisation)
    found = {
        "organisation_uploads": pressure.uploads_of(organisation),
        "organisation_waiting": waits.deliveries,
        "organisation_waiting_megabytes": waits.size_bytes // pressure.MEGABYTE,
    }
    kinds = limits.Kind
    keys = Key.objects.filter(organisation=organisation, revoked_at=None).values_list("pk", flat=True)
    people = Person.objects.filter(organisation=organisation, is_active=True).values_list("pk", flat=True)
    for who, numbers, counted in (
        ("organisation", [organisation.pk], (kinds.DELIVERIES, kinds.MEGABYTES)),
        ("key", list(keys), (kinds.REQUESTS, kinds.LOOKUPS, kinds.DOWNLOADS)),
        ("person", list(people), (kinds.REQUESTS, kinds.LOOKUPS, kinds.DOWNLOADS)),
    ):
        for kind in counted:
            found[f"{who}_{kind}"] = _highest(limits.used(kind, who, numbers, at).values())
    return found


def _highest(numbers: Iterable[int]) -> int:
    return max(numbers, default=0)
