"""The public site made anew, where it is not as this version of the software and the settings make it: without that, a
page made after an upgrade would stand beside style and scripts that were never published."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from tocsin.core.errors import Conflict
from tocsin.products.alerts.file import File

from . import editions, files, making, publishing, site
from .models import Alert, PublicFile, PublicState
from .public.machine import mark_of

TRIES = 3
AT_ONCE = 50
"""Alerts that are read together."""
WRITTEN = ["alert", "version", "language", "media_type", "sha256", "size", "published_at", "is_gone"]


def tick(now: datetime) -> None:
    """Renew it, where there is one that another version made."""
    if PublicFile.objects.exists() and not stands():
        renew(now)


def stands() -> bool:
    """Whether the site is as it would be made now."""
    mark = mark_of(site.frame())
    return PublicFile.objects.filter(path=mark.path, sha256=files.digest_of(mark.body), is_gone=False).exists()


def renew(at: datetime) -> int:
    """Make every page anew, and put all of them in place in one step; how many files that were.

    Documents, cards and messages stay as they were published. Raises Conflict where others publish all the while.
    """
    for _ in range(TRIES):
        changes = publishing.state().changes
        rows = _pages_of_alerts(at)
        shared = making.shared_files(None, (), at)
        rows += _rows(shared, None, 0, at)
        with transaction.atomic():
            state = PublicState.objects.select_for_update().get(pk=publishing.state().pk)
            if state.changes != changes:
                continue
            PublicFile.objects.bulk_create(
                {each.path: each for each in rows}.values(), batch_size=200, update_conflicts=True,
                unique_fields=["path"], update_fields=WRITTEN,
            )  # fmt: skip
            PublicState.objects.filter(pk=state.pk).update(changes=F("changes") + 1)
        return len(rows)
    raise Conflict("alerts are being published all the while")


def _pages_of_alerts(at: datetime) -> list[PublicFile]:
    """The pages of every alert that the public has, and what stands where one is gone."""
    published = PublicFile.objects.exclude(alert=None).values("alert")
    alerts = Alert.objects.filter(pk__in=published).order_by("pk")
    found: list[PublicFile] = []
    for alert in alerts.iterator(chunk_size=AT_ONCE):
        edition = editions.published(alert)[-1]
        made = making.pages_again(edition, at)
        known = set(PublicFile.objects.filter(alert=alert).values_list("path", flat=True))
        gone = [each for path, each in made.gone.items() if path == each.path and path in known]
        found += _rows(made.files, alert, edition.version, at)
        found += _rows(gone, alert, edition.version, at, is_gone=True)
    return found


def _rows(
    made: list[File], alert: Alert | None, version: int, at: datetime, *, is_gone: bool = False
) -> list[PublicFile]:
    """Keep them; the rows that name them."""
    digests = files.keep_all(each.body for each in made)
    files.settle(digests)
    return [
        PublicFile(
            path=each.path, alert=alert, version=version, language=each.language, media_type=each.media_type,
            sha256=digest, size=len(each.body), published_at=at, is_gone=is_gone,
        )
        for each, digest in zip(made, digests, strict=True)
    ]  # fmt: skip
