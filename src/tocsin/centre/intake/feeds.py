"""Public feeds: their switches, when they are due, fetching one, and how each is doing."""

from __future__ import annotations

import random
import re
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members import agreements
from tocsin.centre.members.agreement_states import Basis
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.services import add_organisation
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, NotFound
from tocsin.core.words import Tlp
from tocsin.reference.feeds import Feed, all_feeds
from tocsin.transport.fetching import Fetched, FetchError, FetchLimits, fetch

from . import misp_feeds, services
from .holding import is_sealed
from .models import Delivery, FeedState
from .store import read_chunks

FETCH = "fetch-feed"
"""Kind of the job that fetches one feed."""
LONGEST_WAIT = timedelta(days=1)
RENEW_SECONDS = 10
LATE_AFTER = 3
"""Intervals without success after which a feed counts as late."""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed of the catalogue with how it is doing."""

    feed: Feed
    state: FeedState
    words: str = ""
    """What went wrong last, in the reader's language."""
    is_late: bool = False


def feed_of(slug: str) -> Feed:
    """The feed of that name. NotFound when the catalogue has none."""
    found = next((feed for feed in all_feeds() if feed.slug == slug), None)
    if found is None:
        raise NotFound
    return found


def catalogue(now: datetime) -> list[FeedRow]:
    """Every feed, by provider and title."""
    states = {state.slug: state for state in FeedState.objects.select_related("last_delivery")}
    for state in states.values():
        if state.last_delivery is not None and is_sealed(state.last_delivery):
            state.last_delivery = None  # Held: for those who look after feeds it is not there.
    rows = []
    for feed in sorted(all_feeds(), key=lambda each: (each.provider.lower(), each.title.lower())):
        state = states.get(feed.slug) or FeedState(slug=feed.slug)
        rows.append(FeedRow(feed, state, words_of(state), _is_late(feed, state, now)))
    return rows


def _is_late(feed: Feed, state: FeedState, now: datetime) -> bool:
    since = state.ok_at or state.run_at
    return bool(state.enabled and since and now - since > LATE_AFTER * timedelta(minutes=feed.every_minutes))


def words_of(state: FeedState) -> str:
    """Why the last run brought nothing."""
    last = state.last_delivery
    if not state.error:
        return sentence(last.reason) if last is not None and last.state == Delivery.State.QUARANTINED else ""
    code, __, detail = state.error.partition(": ")
    known: dict[str, str] = {
        "unreachable": _("The server could not be reached. Check whether this machine may reach the internet."),
        "timeout": _("The server did not answer in time."),
        "status": _("The server answered with status %(detail)s.") % {"detail": detail},
        "too-large": _("The file is larger than is allowed."),
        "redirects": _("The server sent us from address to address without an end."),
        "not-allowed": _("The server sent us to an address that must not be fetched."),
    }
    return known.get(code) or sentence(code)


@transaction.atomic
def switch(slug: str, *, on: bool, by: str, at: datetime) -> FeedState:
    """Switch a feed on or off. When it goes on, it is due at once. Raises NotFound."""
    feed_of(slug)
    state, __ = FeedState.objects.get_or_create(slug=slug)
    if state.enabled != on:
        state.enabled, state.next_at = on, at if on else None
        state.failures = 0
        state.save(update_fields=["enabled", "next_at", "failures"])
        record(by, "feed.on" if on else "feed.off", f"feed:{slug}", {}, at=at)
    return state


def run_now(slug: str, *, by: str, at: datetime) -> bool:
    """Put a fetch into the queue whether or not the feed is on; False when one waits already. Raises NotFound."""
    feed_of(slug)
    with transaction.atomic():
        FeedState.objects.get_or_create(slug=slug)
        job = jobs.enqueue(FETCH, f"feed:{slug}", {"slug": slug, "asked": True}, at=at, priority=1)
        if job is not None:
            record(by, "feed.run", f"feed:{slug}", {}, at=at)
    return job is not None


def tick(now: datetime) -> int:
    """Put what is due into the queue; how many. Safe to call from every worker: one open job per feed."""
    due = FeedState.objects.filter(enabled=True, next_at__lte=now).values_list("slug", flat=True)
    return sum(jobs.enqueue(FETCH, f"feed:{slug}", {"slug": slug}, at=now) is not None for slug in due)


def source_of(feed: Feed, at: datetime) -> Organisation:
    """The organisation on whose behalf a provider's feeds are taken in; made when first needed."""
    word = re.sub(r"[^a-z0-9]+", "-", feed.provider.lower()).strip("-")[:50]
    return add_organisation(
        slug=f"feed-{word}", name=feed.provider, class_name=Organisation.Class.PRIVATE,
        defaults={"tlp": feed.profile.marking or Tlp.CLEAR.value, "attribution": "may", "codes": []},
        basis=Basis.PUBLIC, by="system", at=at,
    )  # fmt: skip


def fetch_feed(claim: jobs.Claim) -> None:
    """The handler: fetch one feed and hand what is new over, like any other delivery."""
    slug = claim.payload["slug"]
    state = FeedState.objects.filter(slug=slug).first()
    feed = next((each for each in all_feeds() if each.slug == slug), None)
    if state is None or feed is None or not (state.enabled or claim.payload.get("asked")):
        jobs.finish(claim, datetime.now(UTC))
        return
    incoming = services.store_folder() / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    lease = _Lease(claim)
    with tempfile.TemporaryDirectory(prefix="feed-", dir=incoming) as folder:
        try:
            agreements.require_in_force(source_of(feed, datetime.now(UTC)), datetime.now(UTC))
            got = fetch(
                feed.address, Path(folder) / "fetched", etag=state.etag, last_modified=state.last_modified,
                limits=limits(), on_bytes=lease.renew, sleep=lease.sleep,
            )  # fmt: skip
            _take(feed, state, got, claim, lease)
        except FetchError as error:
            _failed(feed, state, str(error), claim)
        except InputError as error:
            _failed(feed, state, error.reason, claim)


def limits() -> FetchLimits:
    """What one fetch may cost here."""
    return FetchLimits(size_bytes=settings.INSTALLATION.upload_limit_bytes)


class _Lease:
    """The hold on the job, renewed now and then: a server may be silent for longer than the hold lasts."""

    def __init__(self, claim: jobs.Claim) -> None:
        self._claim, self._renewed = claim, time.monotonic()

    def renew(self, size_bytes: int = 0) -> None:
        """Keep it. Raises Conflict when another worker has it by now."""
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            jobs.renew(self._claim, datetime.now(UTC), done=size_bytes)
            self._renewed = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait without losing it."""
        self.renew()
        time.sleep(seconds)


def _take(feed: Feed, state: FeedState, got: Fetched, claim: jobs.Claim, lease: _Lease) -> None:
    now = datetime.now(UTC)
    delivery, is_rest_left = None, False
    if got.path is not None and misp_feeds.is_manifest(feed):
        portion = misp_feeds.take_events(feed, got.path, source_of(feed, now), limits(), lease)
        delivery, is_rest_left = portion.last, portion.is_rest_left
    elif got.path is not None:
        name = Path(urlsplit(feed.address).path).name or feed.slug.replace("/", "-")
        delivery = services.receive(
            organisation=source_of(feed, now), via=Delivery.Via.FEED, name=name, chunks=read_chunks(got.path),
            at=now, profile=feed.profile, marking=feed.profile.marking,
        )  # fmt: skip
    with transaction.atomic():
        jobs.finish(claim, now)
        # The conditions are kept only with the bytes they belong to, so that nothing is skipped after a crash.
        state.etag, state.last_modified = got.etag or state.etag, got.last_modified or state.last_modified
        if got.path is not None:
            state.etag, state.last_modified = ("", "") if is_rest_left else (got.etag, got.last_modified)
        if delivery is not None:
            state.last_delivery = delivery.duplicate_of or delivery
            state.organisation = delivery.organisation
        state.run_at = state.ok_at = now
        state.error, state.failures = "", 0
        state.next_at = (now if is_rest_left else next_at(feed, 0, now)) if state.enabled else None
        _save(state)


def _failed(feed: Feed, state: FeedState, error: str, claim: jobs.Claim) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        jobs.finish(claim, now)
        state.run_at, state.error, state.failures = now, error, state.failures + 1
        state.next_at = next_at(feed, state.failures, now) if state.enabled else None
        _save(state)


def _save(state: FeedState) -> None:
    """Everything but the switch, which somebody may have turned meanwhile."""
    names = [
        "etag",
        "last_modified",
        "last_delivery",
        "organisation",
        "run_at",
        "ok_at",
        "error",
        "failures",
        "next_at",
    ]
    state.save(update_fields=names)


def next_at(feed: Feed, failures: int, now: datetime) -> datetime:
    """When it is due again: by its timetable, later with each failure up to a day, never at the same second."""
    interval = timedelta(minutes=feed.every_minutes)
    wait = min(interval * 2 ** min(failures, 12), max(LONGEST_WAIT, interval)) if failures else interval
    return now + wait * random.uniform(1.0, 1.1)
