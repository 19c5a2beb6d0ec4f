"""The installation that a history is played at: `python -m tests.faults.history_house make|finish|wait|tell`."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

PARTNERS = 4
SCOPES = ("deliver", "taxii", "read")
PATIENCE_SECONDS = 120
HURRY_SECONDS = 2


def make() -> dict[str, Any]:
    """Partners with a person each; their logins, passwords and keys."""
    from tocsin.cli.installation import make as make_installation
    from tocsin.site.installation import home_folder

    make_installation(home=home_folder())
    from tests import builders

    from tocsin.centre.members.services import add_key

    now, told = datetime.now(UTC), {}
    for number in range(PARTNERS):
        source = builders.organisation(f"partner-{number}")
        person = builders.person(f"analyst_{number}", source, "analyst")
        _, secret = add_key(
            person=person, name="history", scopes=SCOPES, expires_at=now + timedelta(days=9), by="test", at=now
        )
        told[source.slug] = {"login": person.login, "password": builders.PASSWORD, "key": secret}
    return told


def _setup() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tocsin.site.settings"
    import django

    django.setup()


def finish() -> dict[str, Any]:
    """Wait until all was read, as if the time of every lease and of every pause had passed."""
    return _when_read(is_hurried=True)


def wait() -> dict[str, Any]:
    """Wait until the workers have read it all by themselves."""
    return _when_read(is_hurried=False)


def _when_read(*, is_hurried: bool) -> dict[str, Any]:
    """How much is still open in the end: nothing, if it did not take too long."""
    _setup()
    from tocsin.centre.jobs.models import Job

    reading = Job.objects.filter(kind="read-delivery")
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    begun = hurried = time.monotonic()
    while True:
        now = time.monotonic()
        if is_hurried and now >= hurried:  # Not oftener than a reading takes, or each is taken from its worker.
            Job.objects.filter(state="running").update(lease_until=long_ago)
            reading.filter(state="waiting").update(run_at=long_ago)
            hurried = now + HURRY_SECONDS
        left = reading.filter(state__in=["waiting", "running"]).count()
        if not left or now > begun + PATIENCE_SECONDS:
            return {"open": left}
        time.sleep(0.2)


def tell() -> dict[str, Any]:
    """Everything that there is of deliveries: rows of tables, bytes of the store, rows of the lake, acts of the log."""
    _setup()
    import polars as pl
    from tests import builders

    from tocsin.centre.audit.models import Entry
    from tocsin.centre.intake import originals, services, store
    from tocsin.centre.intake.models import Delivery, LakeFile
    from tocsin.centre.jobs.models import Job

    folder = services.store_folder()
    paths = LakeFile.objects.filter(retired_at=None).values_list("path", flat=True)
    frames = [builders.rows_in(folder / path).select(pl.col("batch") // 1000) for path in paths]
    counted = pl.concat(frames).to_series().value_counts() if frames else pl.DataFrame({"batch": [], "count": []})
    in_lake = dict(counted.iter_rows())
    acts: dict[str, list[str]] = {}
    for subject, action in Entry.objects.filter(subject__startswith="delivery:").values_list("subject", "action"):
        acts.setdefault(subject, []).append(action)
    found = []
    for each in Delivery.objects.select_related("organisation", "duplicate_of").order_by("pk"):
        path = store.delivery_path(folder, each.sha256)
        found.append({
            "receipt": each.receipt, "source": each.organisation.slug, "sha256": each.sha256, "state": each.state,
            "rows": each.rows, "first": each.duplicate_of.receipt if each.duplicate_of else "",
            "is_kept": path.is_file() and originals.digest_of(path) == each.sha256, "in_lake": in_lake.get(each.pk, 0),
            "acts": sorted(acts.get(f"delivery:{each.pk}", ())), "is_urgent": each.urgent_at is not None,
        })  # fmt: skip
    jobs = Job.objects.filter(kind="read-delivery").exclude(state="done")
    left = sorted(str(path.relative_to(folder)) for path in (folder / "work").glob("*"))
    return {"deliveries": found, "jobs": list(jobs.values_list("subject", "state", "error")), "left in work": left}


if __name__ == "__main__":
    print(json.dumps({"make": make, "finish": finish, "wait": wait, "tell": tell}[sys.argv[1]]()))
