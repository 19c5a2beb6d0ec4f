"""A bureau passes what it has on to units of its own, and takes it back: as far as the label lets it, nobody is asked.

The bureau answers for its units (DOMAIN 2.1). What its label or a handling code keeps with it needs its source's
permission instead: see `services.ask`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import Batch, BatchSet
from tocsin.centre.intake.register import FACTS, put_to_the_gate
from tocsin.centre.intake.terms import set_audience
from tocsin.centre.jobs import services as jobs
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.members.units import units_below
from tocsin.core.errors import Conflict, NotFound, Refused
from tocsin.handling import explain

from . import rules
from .models import Passing
from .rules import Refusal, day_of
from .selectors import in_force_of

STANDING_QUERIES = "standing-queries"


def units_of(bureau: Organisation) -> QuerySet[Organisation]:
    """The units and sub-bureaus that it may pass something on to."""
    return units_below(bureau).filter(is_active=True, withdrawn_at=None)


def passed_on(batch: Batch, bureau: Organisation) -> list[Passing]:
    """To which units the bureau passed it on, as far as that still holds: a change of its label ends it."""
    names = batch.terms.permitted.names
    found = Passing.objects.filter(batch=batch, bureau=bureau, ended_at=None, unit__slug__in=names)
    return list(found.select_related("unit", "by").order_by("unit__name"))


def is_passable(batch: Batch, by: Person, at: datetime) -> bool:
    """Whether the person's bureau may pass it on without asking its source."""
    if not (by.organisation.is_bureau and may(by, "ask-source")):
        return False
    handling, facts = put_to_the_gate(batch.terms)
    return rules.is_passable(handling, explain(viewer_of(by), handling, facts, at))


@transaction.atomic
def pass_on(number: int, slugs: Collection[str], *, by: Person, at: datetime) -> int:
    """Units of the bureau see this batch from the commit on; says to how many it is new.

    That a source excluded one of them is neither asked nor told: the gate goes on keeping it from that one. The caller
    shows only what the person may see. Raises Refused with a word of `rules.Refusal`.
    """
    batch = _held(number)
    units = {each.slug: each for each in units_of(by.organisation)}
    if not is_passable(batch, by, at):
        raise Refused(Refusal.LABEL_BINDS)
    if refused := rules.refusal_of_units(slugs, units):
        raise Refused(refused)
    fresh = sorted(set(slugs) - {each.unit.slug for each in passed_on(batch, by.organisation)})
    if not fresh:
        return 0
    # What a change of the label ended may be passed on anew.
    Passing.objects.filter(batch=batch, unit__slug__in=fresh, ended_at=None).update(ended_at=at)
    Passing.objects.bulk_create(
        Passing(batch=batch, bureau=by.organisation, unit=units[slug], by=by, at=at) for slug in fresh
    )
    audience, permitted = batch.terms.audience.entries, batch.terms.permitted.names
    _set(batch, sorted({*audience, *fresh}) if audience else audience, [*permitted, *fresh])
    record(by.login, "passing.made", f"batch:{batch.pk}", {"units": fresh}, at=at)
    if batch.rows:
        payload = {"delivery": batch.delivery_id}
        jobs.enqueue(STANDING_QUERIES, f"delivery:{batch.delivery_id}", payload, at=at)
    return len(fresh)


@transaction.atomic
def take_back(number: int, slugs: Collection[str], *, by: Person, at: datetime) -> int:
    """These units see it no longer, unless their source permitted it to them; says how many lost it.

    What they took stays with them: the bureau answers for its units when it is recalled. Raises Conflict where it was
    passed on to none of them.
    """
    if not (by.organisation.is_bureau and may(by, "ask-source")):
        raise Refused(Refusal.NOT_ALLOWED)
    batch = _held(number)
    ended = [each for each in passed_on(batch, by.organisation) if each.unit.slug in set(slugs)]
    if not ended:
        raise Conflict("it is not passed on to them")
    Passing.objects.filter(pk__in=[each.pk for each in ended]).update(ended_at=at, ended_by=by)
    grants = in_force_of(batch.delivery, batch.handling_set.digest, day_of(at))
    permitted_by_source = frozenset[str]().union(*(each.grant.entries for each in grants))
    lost = {each.unit.slug for each in ended} - permitted_by_source
    audience = batch.terms.audience.entries
    left = sorted(set(audience) - lost) or None if audience else audience
    _set(batch, left, sorted(set(batch.terms.permitted.names) - lost))
    record(by.login, "passing.ended", f"batch:{batch.pk}", {"units": sorted(each.unit.slug for each in ended)}, at=at)
    return len(lost)


def _held(number: int) -> Batch:
    """The batch, held until the end of the transaction: who changes its terms does so one after the other."""
    if not Batch.objects.select_for_update().filter(pk=number, hidden_at=None).values_list("pk"):
        raise NotFound
    found = Batch.objects.select_related("delivery", "handling_set", *(f"terms__{name}" for name in FACTS))
    return found.get(pk=number)  # Read anew: what it lay under may have changed while it was waited for.


def _set(batch: Batch, audience: Collection[str] | None, permitted: Collection[str]) -> None:
    alone: BatchSet = Batch.objects.filter(pk=batch.pk)
    set_audience(alone, audience, permitted)
