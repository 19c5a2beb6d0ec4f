"""How the store grows, how far behind reading and tidying are, and until when its disk has room."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median

from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncDate

from tocsin.lake import index

from . import lake, verification
from .models import Delivery, LakeFile
from .services import store_folder
from .store import RESERVE_BYTES

DAYS_SHOWN = 60
DAYS_OF_GROWTH = 28
"""What the last weeks brought each day is thought to come each day from now on."""
FILES_MEASURED = 50
"""Of so many of the newest files the indexes are measured: the registry knows the Parquet files alone."""
TIMES_MEASURED = 50_000
READ = (Delivery.State.PARSED, Delivery.State.QUARANTINED)
SOON_DAYS = 60
"""Room for fewer days than this is told as a warning."""


@dataclass(frozen=True, slots=True)
class Day:
    """What arrived on one day."""

    on: date
    deliveries: int
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How long what arrives takes to be read."""

    waiting: int
    oldest_at: datetime | None
    read: int
    """In the last day."""
    median_seconds: float | None
    p95_seconds: float | None
    has_made_up: bool = False
    """Whether exercises were read too, which are left out: when they came is part of their story, and made up."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files of observations by what becomes of them."""

    live: int
    rows: int
    size_bytes: int
    index_bytes: int
    """Of what lies beside them, by the newest of them."""
    small: int
    """Of the live, those that are joined once there are enough."""
    to_join: int
    """Of the small, those that the next round joins."""
    oldest_to_join_at: datetime | None
    joined: int
    retired: int
    """Replaced, and kept for readers that still hold them."""
    oldest_retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Room:
    """The disk under the store."""

    total_bytes: int
    free_bytes: int
    bytes_a_day: float
    full_on: date | None
    """The day on which nothing more is taken in, if it goes on like this; none, where that is years away."""

    @property
    def is_short(self) -> bool:
        """Whether somebody should see to it now."""
        return self.days is not None and self.days < SOON_DAYS

    @property
    def days(self) -> int | None:
        """So many days from now."""
        return None if self.bytes_a_day <= 0 else int((self.free_bytes - RESERVE_BYTES) / self.bytes_a_day)


@dataclass(frozen=True, slots=True)
class State:
    """All of it."""

    days: list[Day]
    files: Files
    lag: Lag
    room: Room
    verified: verification.Standing


def state(now: datetime) -> State:
    """The store as it stands. Counts come from the registry; the disk is asked for its room and some indexes."""
    found, days = _files(), _days(now)
    return State(days, found, _lag(now), _room(now, days, found), verification.standing(now))


def _days(now: datetime) -> list[Day]:
    first = now.date() - timedelta(days=DAYS_SHOWN - 1)
    kept = Delivery.objects.filter(received_at__date__gte=first).exclude(state=Delivery.State.DUPLICATE)
    sums = kept.annotate(on=TruncDate("received_at")).values("on").order_by("on")
    by_day = {
        each["on"]: Day(each["on"], each["n"], each["all_rows"] or 0, each["size"] or 0)
        for each in sums.annotate(n=Count("pk"), all_rows=Sum("rows"), size=Sum("size_bytes"))
    }
    every = (first + timedelta(days=place) for place in range(DAYS_SHOWN))
    return [by_day.get(on, Day(on, 0, 0, 0)) for on in every]


def _files() -> Files:
    live = LakeFile.objects.filter(retired_at=None)
    sums = live.aggregate(
        n=Count("pk"), all_rows=Sum("rows"), size=Sum("size_bytes"),
        small=Count("pk", filter=Q(rows__lt=lake.SMALL_ROWS)), joined=Count("pk", filter=Q(is_sorted=True)),
    )  # fmt: skip
    gone = LakeFile.objects.exclude(retired_at=None).aggregate(n=Count("pk"), oldest=Min("retired_at"))
    joining = [each for group in lake.groups_to_join() for each in group]
    return Files(
        live=sums["n"], rows=sums["all_rows"] or 0, size_bytes=sums["size"] or 0,
        index_bytes=_index_bytes(sums["size"] or 0), small=sums["small"], to_join=len(joining),
        oldest_to_join_at=min((each.created_at for each in joining), default=None), joined=sums["joined"],
        retired=gone["n"], oldest_retired_at=gone["oldest"],
    )  # fmt: skip


def _index_bytes(parquet_bytes: int) -> int:
    newest = LakeFile.objects.filter(retired_at=None).order_by("-pk").values_list("path", "size_bytes")[:FILES_MEASURED]
    beside = measured = 0
    for path, size in newest:
        own = index.index_path(store_folder() / path)
        try:
            beside += own.stat().st_size + own.with_suffix(".facts").stat().st_size
            measured += size
        except OSError:
            continue
    return round(parquet_bytes * beside / measured) if measured else 0


def _lag(now: datetime) -> Lag:
    came = Q(organisation__is_exercise=False)
    waiting = Delivery.objects.filter(state=Delivery.State.RECEIVED).aggregate(
        n=Count("pk"), oldest=Min("received_at", filter=came)
    )
    since = now - timedelta(days=1)
    done = Delivery.objects.filter(state__in=READ, received_at__gte=since, finished_at__gte=since).order_by("-pk")
    has_made_up = done.exclude(came).exists()
    done = done.filter(came)
    times = sorted(
        (finished - received).total_seconds()
        for received, finished in done.values_list("received_at", "finished_at")[:TIMES_MEASURED]
        if finished is not None
    )
    return Lag(
        waiting["n"], waiting["oldest"], len(times), median(times) if times else None,
        times[min(len(times) - 1, int(len(times) * 0.95))] if times else None, has_made_up,
    )  # fmt: skip


def _room(now: datetime, days: list[Day], found: Files) -> Room:
    usage = shutil.disk_usage(_existing(store_folder()))
    lately = [day for day in days if day.on >= now.date() - timedelta(days=DAYS_OF_GROWTH)]
    own = (found.size_bytes + found.index_bytes) / found.rows if found.rows else 0.0
    first = next((day.on for day in lately if day.deliveries), None)
    # An installation of three days is not measured by the weeks before it.
    span = 1 if first is None else (now.date() - first).days + 1
    daily = sum(day.size_bytes + own * day.rows for day in lately) / span
    left = max(usage.free - RESERVE_BYTES, 0)
    ends = now.date() + timedelta(days=int(left / daily)) if daily and left / daily < 20 * 365 else None
    return Room(usage.total, usage.free, daily, ends)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
