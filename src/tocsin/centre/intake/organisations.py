"""Partners by what they handed over, and changes to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDate

from tocsin.centre.audit.services import record
from tocsin.centre.members.models import Organisation, Person
from tocsin.handling import default_set

from .models import Delivery

SCORE_DAYS = 30


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """An organisation with what its deliveries came to."""

    organisation: Organisation
    deliveries: int
    rows: int
    rejections: int
    quarantined: int
    last_at: datetime | None
    series: tuple[int, ...] = ()
    """Rows accepted on each of the last days, oldest first."""

    @property
    def rejection_rate(self) -> float | None:
        """Share of the records that were refused; None where nothing was read."""
        total = self.rows + self.rejections
        return self.rejections / total if total else None


def partners(now: datetime, *, with_bureaus: bool = False) -> list[PartnerRow]:
    """Organisations with their figures, who delivered last first. Bureaus only where they delivered, or on demand."""
    sums = {
        entry["organisation"]: entry
        for entry in Delivery.objects.values("organisation").annotate(
            n=Count("pk"), all_rows=Sum("rows"), refused=Sum("rejections"), last_at=Max("received_at"),
            aside=Count("pk", filter=Q(state=Delivery.State.QUARANTINED)),
        )
    }  # fmt: skip
    series = _series(now.date())
    wanted = Organisation.objects.filter(Q(is_bureau=with_bureaus) | Q(pk__in=sums))
    rows = [_row(each, sums.get(each.pk), series.get(each.pk, ())) for each in wanted]
    return sorted(rows, key=lambda row: (row.last_at is None, -(row.last_at.timestamp() if row.last_at else 0)))


def partner(organisation: Organisation, now: datetime) -> PartnerRow:
    """One of them."""
    found = next((row for row in partners(now) if row.organisation.pk == organisation.pk), None)
    return found or _row(organisation, None, ())


def _row(organisation: Organisation, sums: Mapping[str, Any] | None, series: tuple[int, ...]) -> PartnerRow:
    if sums is None:
        return PartnerRow(organisation, 0, 0, 0, 0, None)
    return PartnerRow(
        organisation, sums["n"], sums["all_rows"] or 0, sums["refused"] or 0, sums["aside"], sums["last_at"], series
    )


def _series(today: date) -> dict[int, tuple[int, ...]]:
    first = today - timedelta(days=SCORE_DAYS - 1)
    days = (
        Delivery.objects.filter(received_at__date__gte=first)
        .annotate(on=TruncDate("received_at"))
        .values_list("organisation", "on")
        .annotate(n=Sum("rows"))
    )
    found: dict[int, list[int]] = {}
    for key, on, total in days:
        place = (on - first).days
        if 0 <= place < SCORE_DAYS:
            found.setdefault(key, [0] * SCORE_DAYS)[place] += total or 0
    return {key: tuple(values) for key, values in found.items()}


@transaction.atomic
def change_organisation(
    organisation: Organisation, *, name: str, country: str, contact: str, tlp: str, is_active: bool, by: Person,
    at: datetime,
) -> None:  # fmt: skip
    """New facts of an agreement; its class and short name never change. Raises InputError for contradictions."""
    defaults = {**organisation.defaults, "tlp": tlp}
    default_set(defaults, None)
    organisation.name, organisation.country, organisation.contact = name, country, contact
    organisation.defaults, organisation.is_active = defaults, is_active
    organisation.save(update_fields=["name", "country", "contact", "defaults", "is_active"])
    facts = {"tlp": tlp, "active": is_active, "country": country}
    record(by.login, "organisation.changed", f"organisation:{organisation.pk}", facts, at=at)
