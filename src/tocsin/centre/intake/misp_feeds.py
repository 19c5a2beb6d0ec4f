"""A feed of MISP events: its manifest says which events there are and when each changed; those that did are fetched.

What was taken is known by the key of its delivery, so that nothing is fetched twice and nothing is lost in a crash.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import msgspec

from tocsin.centre.members.models import Organisation
from tocsin.core.errors import InputError
from tocsin.reference.feeds import Feed
from tocsin.transport.fetching import FetchError, FetchLimits, fetch

from . import services
from .models import Delivery
from .store import read_chunks

MANIFEST = "manifest.json"
EVENTS_IN_RUN = 200
"""The first run of a large feed is done in portions, so that other feeds get their turn."""
TRIES_IN_RUN = 2_000
"""Of which many may be events that are not there: a server that names millions must not hold a worker."""
MANIFEST_BYTES = 32 << 20
EVENT_BYTES = 256 << 20
GONE = ("404", "410")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Lease(Protocol):
    """The hold on the job: renewed while bytes come, and before waiting."""

    def renew(self, size_bytes: int = 0) -> None: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(slots=True)
class Portion:
    """What one run brought."""

    last: Delivery | None = None
    taken: int = 0
    is_rest_left: bool = False


def is_manifest(feed: Feed) -> bool:
    """Whether the feed's address is a manifest and not the events themselves."""
    return feed.profile.format == "misp" and Path(urlsplit(feed.address).path).name == MANIFEST


def take_events(feed: Feed, manifest: Path, organisation: Organisation, limits: FetchLimits, lease: Lease) -> Portion:
    """Hand over each event that is new or has changed, the latest first; an event that is not there stops nothing.

    Raises FetchError for a server in trouble and InputError for a manifest or an event that is none, the latter when
    all others were taken: what was taken stays taken.
    """
    bounds = replace(limits, size_bytes=min(limits.size_bytes, EVENT_BYTES))
    portion = Portion()
    wrong: InputError | None = None
    for tried, (timestamp, uuid) in enumerate(_changed(feed, organisation, _entries(manifest))):
        if portion.taken >= EVENTS_IN_RUN or tried >= TRIES_IN_RUN:
            portion.is_rest_left = portion.taken > 0
            break
        lease.renew()
        try:
            path = _fetched(urljoin(feed.address, f"{uuid}.json"), manifest.with_name("event"), bounds, lease)
            if path is None:
                continue
            _require_event(path, uuid)
        except InputError as error:
            wrong = wrong or error
            continue
        portion.last = services.receive(
            organisation=organisation, via=Delivery.Via.FEED, name=f"{uuid}.json", chunks=read_chunks(path),
            at=datetime.now(UTC), profile=feed.profile, marking=feed.profile.marking,
            idempotency_key=_key(feed, uuid, timestamp),
        )  # fmt: skip
        portion.taken += 1
    if wrong is not None and not portion.is_rest_left:
        raise wrong
    return portion


def _changed(feed: Feed, organisation: Organisation, stated: dict[str, int]) -> list[tuple[int, str]]:
    """Moment and id of each event that was not handed over as it is stated, the latest first."""
    taken = Delivery.objects.filter(organisation=organisation, via=Delivery.Via.FEED, idempotency_key__isnull=False)
    known = set(taken.values_list("idempotency_key", flat=True))
    pairs = ((timestamp, uuid) for uuid, timestamp in stated.items() if _key(feed, uuid, timestamp) not in known)
    return sorted(pairs, reverse=True)


def _fetched(address: str, target: Path, limits: FetchLimits, lease: Lease) -> Path | None:
    """The event; None when it is not there. Raises InputError for one that is too large, FetchError for trouble."""
    try:
        return fetch(address, target, limits=limits, on_bytes=lease.renew, sleep=lease.sleep).path
    except FetchError as error:
        if error.code == "status" and error.detail in GONE:
            return None
        if error.code == "too-large":
            raise InputError("too-large", excerpt=address[:160]) from error
        raise


def _key(feed: Feed, uuid: str, timestamp: int) -> str:
    return f"{feed.slug}:{uuid}:{timestamp}"


def _entries(manifest: Path) -> dict[str, int]:
    """Event id → epoch seconds of its last change; entries that are none are left out."""
    if manifest.stat().st_size > MANIFEST_BYTES:
        raise InputError("too-large")
    try:
        tree = json.loads(manifest.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError("not-json", excerpt=str(error)[:120]) from error
    if not isinstance(tree, dict):
        raise InputError("invalid-object", field=MANIFEST)
    entries = {}
    for uuid, said in tree.items():
        timestamp = str(said.get("timestamp", 0)) if isinstance(said, dict) else ""
        # The id becomes part of an address: only what is one may.
        if UUID.fullmatch(uuid.lower()) and timestamp.isdecimal() and len(timestamp) < 16:
            entries[uuid] = int(timestamp)
    if tree and not entries:
        raise InputError("invalid-object", field=MANIFEST)
    return entries


class _Named(msgspec.Struct):
    uuid: object = ""


class _File(msgspec.Struct):
    Event: _Named


def _require_event(path: Path, uuid: str) -> None:
    """Refuse an answer that is another event, or none: a page that says sorry comes with status 200 as well.

    Only the id is taken out of it here: reading what strangers sent is the sandbox's work.
    """
    try:
        event = msgspec.json.decode(path.read_bytes(), type=_File).Event
    except msgspec.ValidationError:
        event = _Named()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("not-json", excerpt=f"{uuid}.json: {error}"[:120]) from error
    if str(event.uuid).lower() != uuid.lower():
        raise InputError("invalid-object", field="Event.uuid", excerpt=f"{uuid}.json")
