"""Limits of one organisation: set by the Centre's administrator, looked at by its own people, and how often they turned
somebody away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.http import HttpRequest

from tocsin.centre.audit.services import record
from tocsin.core.errors import InputError, NotFound

from .limits import TooOften
from .models import LimitRefusal, Organisation, Person
from .rules import may

NAMES = (
    "organisation_deliveries", "organisation_megabytes", "organisation_uploads", "organisation_waiting",
    "organisation_waiting_megabytes", "key_requests", "key_lookups", "key_downloads", "person_requests",
    "person_lookups", "person_downloads",
)  # fmt: skip
"""Those that can be set for one organisation, as they are shown. What bounds the machine bounds everybody."""
MOST = 1_000_000_000
KEPT = timedelta(days=2)
SHOWN = timedelta(days=1)
WRITTEN_EVERY_SECONDS = 10.0
"""A flood of refusals costs no row each: they are counted in memory, and added up so often."""

_noted: Counter[tuple[int, str, str, datetime]] = Counter()
_lock = threading.Lock()
_written = 0.0


def least_of(name: str) -> int:
    """The smallest that the limit may be set to, so that one delivery of the largest size, one call of the API with all
    its values and the pages of somebody at work are never turned away."""
    if name.endswith("megabytes"):
        return max(1, int(settings.INSTALLATION.upload_limit_bytes) >> 20)
    return {"person_requests": 300, "key_requests": 60, "person_lookups": 100, "key_lookups": 100}.get(name, 1)


def may_look(person: Person, organisation: Organisation) -> bool:
    """Its own people, and whoever keeps the installation."""
    return organisation.pk == person.organisation_id or may(person, "administer")


@transaction.atomic
def change(organisation: Organisation, wanted: Mapping[str, int | None], *, by: Person, at: datetime) -> bool:
    """Set limits; None: as everybody else. In force with the next request. Says whether anything changed.

    Raises NotFound for others than administrators, InputError for what is less than `least_of` or beyond MOST.
    """
    if not may(by, "administer"):
        raise NotFound
    for name, number in wanted.items():
        if name not in NAMES:
            raise InputError("invalid-object", field=name)
        if number is not None and not least_of(name) <= number <= MOST:
            raise InputError("invalid-object", field=name, excerpt=str(number))
    locked = Organisation.objects.select_for_update(of=("self",)).get(pk=organisation.pk)
    before = dict(locked.limits)
    after = {name: number for name, number in (before | dict(wanted)).items() if number is not None}
    organisation.limits = after
    if after == before:
        return False
    locked.limits = after
    locked.save(update_fields=["limits"])
    changed = {name: after.get(name) for name in NAMES if after.get(name) != before.get(name)}
    record(by.login, "organisation.limits-changed", f"organisation:{organisation.pk}", changed, at=at)
    return True


def note(limit: TooOften, request: HttpRequest, at: datetime) -> None:
    """Count that a limit turned this request away."""
    global _written
    if not limit.name or not limit.organisation:
        return
    path = request.path
    door = "api" if path.startswith("/api/") else "taxii" if path.startswith("/taxii2/") else "pages"
    hour_at = at.replace(minute=0, second=0, microsecond=0)
    with _lock:
        _noted[limit.organisation, limit.name, door, hour_at] += 1
        if time.monotonic() - _written < WRITTEN_EVERY_SECONDS:
            return
        _written = time.monotonic()
    write()


def write() -> None:
    """Add what was counted here to what all processes counted, and forget what is old."""
    with _lock:
        noted = dict(_noted)
        _noted.clear()
    for (organisation, name, door, hour_at), times in noted.items():
        about = {"organisation_id": organisation, "name": name, "door": door, "hour_at": hour_at}
        LimitRefusal.objects.bulk_create([LimitRefusal(**about)], ignore_conflicts=True)
        LimitRefusal.objects.filter(**about).update(times=F("times") + times)
        LimitRefusal.objects.filter(hour_at__lt=hour_at - KEPT).delete()


def refusals_of(organisation: Organisation, at: datetime) -> dict[str, dict[str, int]]:
    """Limit → door → how often it turned somebody away within a day."""
    write()
    since = at.replace(minute=0, second=0, microsecond=0) - SHOWN
    found = LimitRefusal.objects.filter(organisation=organisation, hour_at__gte=since).order_by("door")
    told: dict[str, dict[str, int]] = {}
    for name, door, times in found.values_list("name", "door").annotate(total=Sum("times")):
        told.setdefault(name, {})[door] = times
    return told
