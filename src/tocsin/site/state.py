"""Facts of the installation, for whoever looks after it. No content."""

from __future__ import annotations

import json
import platform
import signal
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import django
from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q, Sum

from tocsin import __version__
from tocsin.centre.intake.holding import SEALED
from tocsin.centre.intake.models import Batch, Delivery, LakeFile, StoreFault
from tocsin.centre.jobs.models import Job
from tocsin.centre.members.models import Organisation, Person

from .frame import address_tables_on

LEFT_AFTER = timedelta(minutes=2)
"""Work that is due for so long while nobody works waits for a worker, not for its turn."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What this installation is and holds."""

    version: str
    python: str
    django: str
    database: str
    home: str
    store: str
    public_origin: str
    address_tables_on: str
    people: int
    organisations: int
    deliveries: int
    delivered_bytes: int
    observations: int
    lake_files: int
    lake_bytes: int
    hidden_batches: int
    store_faults: int


def facts() -> Facts:
    """The facts of this moment. Sizes come from the registry, so that nothing walks the disk."""
    lake = LakeFile.objects.filter(retired_at=None).aggregate(
        files=Count("pk"), rows=Sum("rows"), size=Sum("size_bytes")
    )
    counted = Delivery.objects.exclude(state="duplicate").exclude(state__in=SEALED)
    delivered = counted.aggregate(n=Count("pk"), size=Sum("size_bytes"))
    return Facts(
        version=__version__,
        python=platform.python_version(),
        django=django.get_version(),
        database=_database(),
        home=str(settings.INSTALLATION.home),
        store=str(settings.INSTALLATION.store_folder),
        public_origin=settings.INSTALLATION.public_origin,
        address_tables_on=address_tables_on(),
        people=Person.objects.filter(is_active=True).count(),
        organisations=Organisation.objects.filter(is_active=True).count(),
        deliveries=delivered["n"],
        delivered_bytes=delivered["size"] or 0,
        observations=lake["rows"] or 0,
        lake_files=lake["files"],
        lake_bytes=lake["size"] or 0,
        hidden_batches=Batch.objects.filter(hidden_at__isnull=False).count(),
        store_faults=StoreFault.objects.count(),
    )


def _database() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]}"


@dataclass(frozen=True, slots=True)
class Jobs:
    """How the queue is doing. `stuck` are running past their lease: their worker is gone."""

    waiting: int
    running: int
    stuck: int
    failed_lately: int
    done_lately: int
    oldest_at: datetime | None
    failures: tuple[Job, ...]
    is_left: bool
    """Work has been due for a while, and nobody does any."""


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers that `tocsin serve` watches; `left_at` and `status` are of the last one that ended by itself."""

    wanted: int
    running: int
    replaced: int
    left_at: datetime | None
    status: int

    @property
    def signal(self) -> str:
        """The signal that ended it, or nothing."""
        try:
            return signal.Signals(-self.status).name if self.status < 0 else ""
        except ValueError:
            return str(-self.status)


def workers(path: Path) -> Workers | None:
    """How they fare, by the file that the watcher keeps; None where none is watched here."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        end = said["last_end"]
        left_at = datetime.fromisoformat(end["at"]) if end else None
        return Workers(said["wanted"], said["running"], said["replaced"], left_at, end.get("status", 0))
    except (OSError, ValueError, KeyError):
        return None


def jobs(now: datetime) -> Jobs:
    """The queue at that moment; "lately" is a day."""
    lately = now - timedelta(days=1)
    found = Job.objects.aggregate(
        waiting=Count("pk", filter=Q(state="waiting")),
        running=Count("pk", filter=Q(state="running")),
        stuck=Count("pk", filter=Q(state="running", lease_until__lt=now)),
        failed_lately=Count("pk", filter=Q(state="failed", finished_at__gte=lately)),
        done_lately=Count("pk", filter=Q(state="done", finished_at__gte=lately)),
        oldest_at=Min("run_at", filter=Q(state="waiting", run_at__lte=now)),
    )
    failures = tuple(Job.objects.filter(state="failed").order_by("-pk")[:10])
    oldest_at = found["oldest_at"]
    is_left = not found["running"] and oldest_at is not None and oldest_at < now - LEFT_AFTER
    return Jobs(failures=failures, is_left=is_left, **found)
