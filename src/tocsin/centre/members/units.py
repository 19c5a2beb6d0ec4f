"""National units and sub-bureaus: where they stand, and whether their bureau lets them take part. All recorded."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.core.errors import Conflict, InputError
from tocsin.core.names import plain_name

from .models import Organisation, Person
from .rules import side_of


def units_below(organisation: Organisation) -> QuerySet[Organisation]:
    """Every unit and sub-bureau below it, at any depth."""
    return Organisation.objects.filter(pk__in=organisation.below()).select_related("parent").order_by("name")


def check_place(organisation: Organisation, parent: Organisation | None) -> None:
    """Raises InputError("invalid-object") where it cannot stand below that one."""
    if parent is None:
        return
    belongs = side_of(organisation) == "bureau" and side_of(parent) == "bureau"
    if not belongs or parent.pk == organisation.pk or organisation in parent.above():
        raise InputError("invalid-object", field="parent", excerpt=parent.slug)


@transaction.atomic
def place(organisation: Organisation, parent: Organisation | None, *, by: str, at: datetime) -> None:
    """Put it below a bureau or a unit, or below none. Raises InputError: only police units stand below one another,
    and none below itself."""
    # One change of the tree at a time: two that each see no circle could make one together.
    list(Organisation.objects.select_for_update().filter(is_centre=True))
    found = Organisation.objects.select_related("parent").get(pk=organisation.pk)
    goal = Organisation.objects.get(pk=parent.pk) if parent is not None else None
    check_place(found, goal)
    if found.parent_id == (goal.pk if goal else None):
        return
    before = found.parent.slug if found.parent else ""
    found.parent = organisation.parent = goal
    found.save(update_fields=["parent"])
    facts = {"from": before, "to": goal.slug if goal else ""}
    record(by, "unit.placed", f"organisation:{found.pk}", facts, at=at)


@transaction.atomic
def add_unit(*, parent: Organisation, slug: str, name: str, contact: str, by: str, at: datetime) -> Organisation:
    """A national unit, authorised from this moment. Raises Conflict for a short name that is taken, InputError for a
    name of which nothing can be seen."""
    if not plain_name(name):
        raise InputError("missing-field", field="name")
    if Organisation.objects.filter(slug=slug).exists():
        raise Conflict("another organisation has this short name")
    made = Organisation(
        slug=slug, name=plain_name(name), class_name=Organisation.Class.LAW_ENFORCEMENT, country=parent.country,
        contact=plain_name(contact),
        parent=parent, is_exercise=parent.is_exercise, created_at=at,
    )  # fmt: skip
    check_place(made, parent)
    made.save()
    facts = {"class": made.class_name, "parent": parent.slug}
    record(by, "organisation.added", f"organisation:{made.pk}", facts, at=at)
    record(by, "unit.authorised", f"organisation:{made.pk}", {"by": parent.slug}, at=at)
    return made


@transaction.atomic
def withdraw(unit: Organisation, *, reason: str, by: Person, at: datetime) -> bool:
    """Take the authorisation of a unit away: its people and keys, and those of all below it, open nothing from this
    moment. What they handed over and read stays on record. Raises InputError without a reason."""
    if not reason.strip():
        raise InputError("missing-field", field="reason")
    if not Organisation.objects.filter(pk=unit.pk, withdrawn_at=None).update(withdrawn_at=at):
        return False
    unit.withdrawn_at = at
    record(by.login, "unit.withdrawn", f"organisation:{unit.pk}", {"reason": reason.strip()[:2000]}, at=at)
    return True


@transaction.atomic
def authorise(unit: Organisation, *, by: Person, at: datetime) -> bool:
    """Give it back."""
    if not Organisation.objects.filter(pk=unit.pk).exclude(withdrawn_at=None).update(withdrawn_at=None):
        return False
    unit.withdrawn_at = None
    record(by.login, "unit.authorised", f"organisation:{unit.pk}", {"by": by.organisation.slug}, at=at)
    return True
