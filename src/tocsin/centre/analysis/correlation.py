"""Values that several organisations, or several deliveries, brought: as far as who asks may see them."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.register import register
from tocsin.centre.intake.selectors import scope_in
from tocsin.centre.intake.services import store_folder
from tocsin.centre.members.models import Organisation
from tocsin.handling import Viewer
from tocsin.lake.questions.shared_values import Shared, shared_values

from .lookups import snapshot

BY = ("organisation", "delivery")


@dataclass(frozen=True, slots=True)
class Correlation:
    """The answer, and the names behind its numbers of sources: slugs of organisations, receipts of deliveries."""

    shared: Shared
    names: dict[int, str]


def correlate(viewer: Viewer, now: datetime, *, by: str = "organisation", most: int = 100) -> Correlation:
    """Which values several brought."""
    scope = scope_in(register(), viewer, now)
    column = "organisation" if by == "organisation" else "delivery"
    rows = Batch.objects.order_by("pk").values_list("pk", f"{column}_id").iterator(chunk_size=10_000)
    sources = pl.DataFrame(list(rows), schema={"batch": pl.Int64, "source": pl.Int64}, orient="row")
    (store_folder() / "work").mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="shared-", dir=store_folder() / "work"))
    try:
        found = shared_values(snapshot(), scope, sources, work=work, most=most)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    numbers = {number for each in found.most for number in each.sources}
    return Correlation(found, _names(by, numbers))


def _names(by: str, numbers: set[int]) -> dict[int, str]:
    if by == "organisation":
        return dict(Organisation.objects.filter(pk__in=numbers).values_list("pk", "slug"))
    found = Batch.objects.filter(delivery__in=numbers).values_list("delivery_id", "delivery__receipt")
    return dict(found.distinct())


def log_correlation(actor: str, found: Correlation, *, by: str, at: datetime, said_for: str = "") -> None:
    """A search is an act, whoever asked."""
    facts: dict[str, object] = {"by": by, "rows": found.shared.rows, "shared": found.shared.shared}
    record(actor, "values.correlated", "lake:observations", facts | ({"as": said_for} if said_for else {}), at=at)
