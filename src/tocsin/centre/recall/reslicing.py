"""A country was decided wrongly: its rows move to another's share, and the first is told to give them back (W11).

Nothing is hidden. Rows of victims are for their own country alone, so that the gate opens them to the other country and
closes them to the first as soon as they are written anew; what is called back is what the first had by then.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import polars as pl
from django.db import transaction

from tocsin.centre.analysis.models import CountryConflict
from tocsin.centre.intake import lake
from tocsin.centre.intake.models import Batch
from tocsin.centre.intake.parting import Chosen
from tocsin.centre.jobs import services as jobs
from tocsin.centre.numbers import drawn_number
from tocsin.centre.release.models import Package
from tocsin.centre.release.services import request_packages
from tocsin.core.errors import InputError
from tocsin.lake.compaction import Recast
from tocsin.lake.scope import Batches

from . import services
from .models import Part, Recall
from .parts import Found, Named
from .reach import Extent, holding, told_of


def reslice(claim: jobs.Claim) -> None:
    """The handler of a correction. Done again after it was killed, it goes on where it stood."""
    said = claim.payload
    conflict = CountryConflict.objects.select_related("batch__delivery", "decided_by__organisation").get(
        pk=said["conflict"]
    )
    change = Recast(
        conflict.batch_id, conflict.value, conflict.kind == "network", said["country"], was=said["was"]
    )  # fmt: skip
    values = lake.values_of_recast(change)
    lake.recast(change, datetime.now(UTC), subject=f"conflict:{conflict.pk}")
    with transaction.atomic():
        jobs.finish(claim, datetime.now(UTC))
        _called_back(conflict, values, said["was"], datetime.fromisoformat(said["at"]))
        _offered(conflict, said["was"], said["country"], datetime.now(UTC))


def _called_back(conflict: CountryConflict, values: list[str], country: str, at: datetime) -> None:
    """The recall from whoever had it in the country whose it is not; none where nobody there could have it."""
    batch, delivery = conflict.batch, conflict.batch.delivery
    origin = Batches([batch.pk])
    extent = Extent(origin, frozenset(values), country=country)
    packages = holding(Package.objects.filter(recalled_at=None), extent)
    if not values or not (packages or told_of(delivery, extent)[1]):
        return
    rows = pl.DataFrame({"value": values, "batch": [batch.pk] * len(values)})
    named = [Named(Part.Kind.VALUE, value, rows=rows.filter(pl.col("value") == value)) for value in values]
    found = Found([batch.pk], Chosen(frozenset(values)), named, rows, [], [])
    by = conflict.decided_by
    organisation = by.organisation if by is not None else delivery.organisation
    said = services.Said(
        Recall.Reason.RESLICED, Recall.Action.DESTROY, by.login if by is not None else services.SYSTEM, organisation, at
    )
    services.enter(delivery, Batches(), said, number=drawn_number("RC", at), found=found, of_country=country)


def _offered(conflict: CountryConflict, was: str, country: str, now: datetime) -> None:
    """A package of the same span for the country whose they are, where such packages are made."""
    arrived = conflict.batch.received_at
    made = Package.objects.filter(arrived_from__lte=arrived, arrived_until__gt=arrived, country__in=[was, country])
    newest = made.order_by("-created_at").first()
    if newest is not None and conflict.decided_by is not None and Batch.objects.alive(now).filter(pk=conflict.batch_id):
        with suppress(InputError):  # A country that is suspended or restricted gets none.
            request_packages([country], newest.arrived_from, newest.arrived_until, conflict.decided_by, now)
