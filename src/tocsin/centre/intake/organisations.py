"""Partners by what they handed over, and changes to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.members import units
from tocsin.centre.members.agreements import Held, held_by_all, needs_agreement
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import side_of
from tocsin.core.errors import InputError
from tocsin.core.names import plain_name
from tocsin.handling import default_set

from .holding import without_sealed
from .models import Delivery
from .secondees import known_to

SCORE_DAYS = 30


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """An organisation with what its deliveries came to, where the reader may know that."""

    organisation: Organisation
    is_counted: bool
    deliveries: int
    rows: int
    rejections: int
    quarantined: int
    last_at: datetime | None
    series: tuple[int, ...] = ()
    """Rows accepted on each of the last days, oldest first."""
    held: Held | None = None
    """Its agreements; None for who needs none."""

    @property
    def rejection_rate(self) -> float | None:
        """Share of the records that were refused; None where nothing was read."""
        total = self.rows + self.rejections
        return self.rejections / total if total else None


def counted_for(person: Person) -> QuerySet[Delivery]:
    """Deliveries whose number and size the person may know: all for the Centre, else what the own side handed over."""
    alive = Delivery.objects.filter(ends_at__gt=judged_at(timezone.now()))
    if side_of(person.organisation) == "centre":
        return known_to(person, without_sealed(alive, person), "pk")
    return alive.filter(organisation=person.organisation)


def partners(person: Person, now: datetime, *, with_bureaus: bool = False) -> list[PartnerRow]:
    """Organisations with their figures, who delivered last first. Bureaus only where they delivered, or on demand."""
    counted = counted_for(person)
    sums = {
        entry["organisation"]: entry
        for entry in counted.values("organisation").annotate(
            n=Count("pk"), all_rows=Sum("rows"), refused=Sum("rejections"), last_at=Max("received_at"),
            aside=Count("pk", filter=Q(state=Delivery.State.QUARANTINED)),
        )
    }  # fmt: skip
    series = _series(counted, now.date())
    wanted = Organisation.objects.filter(Q(is_bureau=with_bureaus) | Q(pk__in=sums))
    # How a contract stands is between the partner and the Centre.
    held = held_by_all(wanted, now) if side_of(person.organisation) == "centre" else {}
    rows = [_row(person, each, sums.get(each.pk), series.get(each.pk, ()), held.get(each.pk)) for each in wanted]
    return sorted(rows, key=lambda row: (row.last_at is None, -(row.last_at.timestamp() if row.last_at else 0)))


def partner(person: Person, organisation: Organisation, now: datetime) -> PartnerRow:
    """One of them."""
    found = next((row for row in partners(person, now) if row.organisation.pk == organisation.pk), None)
    return found or _row(person, organisation, None, ())


def _row(
    person: Person,
    organisation: Organisation,
    sums: Mapping[str, Any] | None,
    series: tuple[int, ...],
    held: Held | None = None,
) -> PartnerRow:
    is_counted = side_of(person.organisation) == "centre" or organisation.pk == person.organisation_id
    if sums is None:
        return PartnerRow(organisation, is_counted, 0, 0, 0, 0, None, held=held)
    rows, refused = sums["all_rows"] or 0, sums["refused"] or 0
    return PartnerRow(organisation, is_counted, sums["n"], rows, refused, sums["aside"], sums["last_at"], series, held)


def _series(counted: QuerySet[Delivery], today: date) -> dict[int, tuple[int, ...]]:
    first = today - timedelta(days=SCORE_DAYS - 1)
    days = (
        counted.filter(received_at__date__gte=first)
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
    organisation: Organisation, *, name: str, country: str, contact: str, is_active: bool = True, tlp: str = "",
    by: Person, at: datetime, parent: Organisation | None = None,
) -> None:  # fmt: skip
    """New facts; its class and short name never change. `parent` is where a police body stands, `tlp` how what a member
    hands over without a label is treated: a partner's agreement says that, and nothing else does.

    Raises InputError for contradictions, for a name of which nothing can be seen, and for closing the Centre.
    """
    if organisation.is_centre and not is_active:
        # Nobody could open it again: whoever may is of the Centre.
        raise InputError("invalid-object", field="is_active", excerpt=organisation.slug)
    if not plain_name(name):
        raise InputError("missing-field", field="name")
    units.place(organisation, parent, by=by.login, at=at)
    organisation.name, organisation.country, organisation.contact = plain_name(name), country, plain_name(contact)
    organisation.is_active = is_active
    if tlp:
        if needs_agreement(organisation):
            raise InputError("invalid-object", field="tlp", excerpt=tlp)
        organisation.defaults = {**organisation.defaults, "tlp": tlp}
        default_set(organisation.defaults, None)
    organisation.save(update_fields=["name", "country", "contact", "defaults", "is_active"])
    facts = {"active": is_active, "country": country, **({"tlp": tlp} if tlp else {})}
    record(by.login, "organisation.changed", f"organisation:{organisation.pk}", facts, at=at)
