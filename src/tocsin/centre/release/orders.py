"""Standing orders: two people sign once for what then leaves by itself; either stops it at once (DOMAIN 0, rule 5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.clock.services import judged_at
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.services import came_supervised
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.permissions.audiences import names_anybody
from tocsin.centre.permissions.rules import day_of
from tocsin.centre.permissions.selectors import grants_for
from tocsin.core.errors import Conflict, Refused
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet

from . import rules
from .models import Release, StandingOrder
from .releasing import LONGEST_REASON, actor_of, bureaus, let_go, refusal_of, sets_of
from .rules import Case, Refusal


def orders_in_force(at: datetime) -> QuerySet[StandingOrder]:
    """Signed by two, not stopped, and of this day; the oldest first."""
    day = day_of(judged_at(at))
    found = StandingOrder.objects.filter(second_at__isnull=False, stopped_at=None, starts_on__lte=day, ends_on__gte=day)
    return found.select_related("organisation").order_by("pk")


def half_signed(at: datetime) -> QuerySet[StandingOrder]:
    """Those that wait for their second signature."""
    return StandingOrder.objects.filter(second_at=None, stopped_at=None, ends_on__gte=day_of(at))


def case_of(order: StandingOrder) -> Case:
    """The order as the rules see it, signed once."""
    return _case_of(order.organisation, order.first_by)


def _case_of(organisation: Organisation | None, first: Person | None = None) -> Case:
    return Case(
        source=organisation.slug if organisation else "",
        source_is_centre=organisation is None or organisation.is_centre,
        proposer=first.login if first else "",
    )


@transaction.atomic
def draw_up(
    *, title: str, organisation: Organisation | None, formats: Sequence[str], audience: Sequence[str], ceiling: Tlp,
    purposes: Sequence[str], starts_on: date, ends_on: date, by: Person, is_proved: bool, at: datetime,
) -> StandingOrder:  # fmt: skip
    """Write an order and sign it first. It lets nothing go before another person signed too."""
    _refuse(rules.refusal_of_signer(actor_of(by, is_proved=is_proved), _case_of(organisation)))
    order = StandingOrder(
        title=title.strip()[:200], organisation=organisation, formats=sorted(set(formats)),
        audience=sorted(set(audience)), ceiling=ceiling.value, purposes=sorted(set(purposes)), starts_on=starts_on,
        ends_on=ends_on, first_by=by, first_at=at,
    )  # fmt: skip
    _refuse(rules.refusal_of_terms(order.terms, day_of(at)))
    _refuse_nobody(order, at)
    order.save()
    record(by.login, "order.drawn-up", f"order:{order.pk}", _facts(order), at=at)
    return order


@transaction.atomic
def sign(order: StandingOrder, *, by: Person, is_proved: bool, at: datetime) -> StandingOrder:
    """The second signature: from now on it lets go what it covers."""
    found = _locked(order)
    if found.second_at is not None:
        raise Conflict("somebody else signed meanwhile")
    if found.stopped_at is not None:
        raise Refused(Refusal.ORDER_STOPPED)
    _refuse(rules.refusal_of_signer(actor_of(by, is_proved=is_proved), case_of(found)))
    _refuse(rules.refusal_of_terms(found.terms, day_of(at)))
    _refuse_nobody(found, at)
    still = StandingOrder.objects.filter(pk=found.pk, second_at=None, stopped_at=None)
    if not still.update(second_by=by, second_at=at):
        raise Conflict("somebody else signed meanwhile")
    found.second_by, found.second_at = by, at
    record(by.login, "order.signed", f"order:{found.pk}", _facts(found), at=at)
    return found


@transaction.atomic
def stop(order: StandingOrder, *, reason: str, by: Person, at: datetime) -> StandingOrder:
    """It lets nothing more go, from this moment. What it let go stays released."""
    found = _locked(order)
    signers = {each.login for each in (found.first_by, found.second_by) if each is not None}
    if not rules.may_stop(actor_of(by), signers):
        raise Refused(Refusal.NOT_ALLOWED)
    if not reason.strip():
        raise Refused(Refusal.NO_REASON)
    said = {"stopped_by": by, "stopped_at": at, "stop_reason": reason.strip()[:LONGEST_REASON]}
    if not StandingOrder.objects.filter(pk=found.pk, stopped_at=None).update(**said):
        raise Conflict("somebody else stopped it meanwhile")
    for name, value in said.items():
        setattr(found, name, value)
    facts = {"number": found.number, "reason": found.stop_reason}
    record(by.login, "order.stopped", f"order:{found.pk}", facts, at=at)
    return found


def _locked(order: StandingOrder) -> StandingOrder:
    found = StandingOrder.objects.select_for_update(of=("self",))
    return found.select_related("organisation", "first_by", "second_by").get(pk=order.pk)


def release_under_orders(delivery: Delivery, outcome: dict[str, Any], _work: Path, at: datetime) -> None:
    """A keeper of the commit: what an order in force covers leaves with it, and cites it. The rest waits for people."""
    orders = list(orders_in_force(at).select_for_update(of=("self",)))
    if not orders or came_supervised(delivery) or delivery.under_id is not None or delivery.is_circular:
        # Two people look at what came supervised (DOMAIN 2.1), and at whatever was redacted; a circular goes to whom
        # its sender named.
        return
    found: dict[str, list[Batch]] = {}
    for batch in Batch.objects.filter(delivery=delivery, hidden_at=None).select_related("handling_set"):
        found.setdefault(batch.handling_set.digest, []).append(batch)
    clients, grants = bureaus(), grants_for(delivery, day_of(at))
    for digest, batches in sorted(found.items()):
        handling = sets_of(batches)[digest]
        order = _order_for(orders, handling, delivery, str(outcome["format"]), clients, grants, at)
        if order is None:
            continue
        released = Release.objects.create(
            delivery=delivery, sets=[digest], audience=order.audience, state=Release.State.RELEASED, released_at=at,
            order=order, created_at=at,
        )  # fmt: skip
        released.batches.set(batches)
        let_go(released, batches, clients, at)
        facts = {
            "number": released.number, "order": order.number, "delivery": delivery.pk,
            "batches": [each.pk for each in batches], "audience": released.audience,
        }  # fmt: skip
        record("system", "release.by-order", f"release:{released.pk}", facts, at=at)


def ordered(deliveries: Sequence[Delivery], _outcome: dict[str, Any], at: datetime) -> set[int]:
    """Which of these deliveries an order may cover: all of them, where there is one at all."""
    return {each.pk for each in deliveries} if orders_in_force(at).exists() else set()


def _order_for(
    orders: Sequence[StandingOrder],
    handling: HandlingSet,
    delivery: Delivery,
    data_format: str,
    clients: set[str],
    grants: rules.Permitted,
    at: datetime,
) -> StandingOrder | None:
    """The first of them that lets it go. One whose audience the handling set forbids lets nothing go."""
    is_feed = delivery.via == Delivery.Via.FEED
    source = delivery.organisation
    for order in orders:
        on = day_of(at)
        if not rules.covers(order.terms, handling, source.slug, data_format, is_feed=is_feed, on=on, grants=grants):
            continue
        if refusal_of([handling], source, order.audience, clients, at, grants) is None:
            return order
    return None


def _facts(order: StandingOrder) -> dict[str, object]:
    return {
        "number": order.number, "source": order.terms.source, "formats": order.formats, "audience": order.audience,
        "ceiling": order.ceiling, "purposes": order.purposes, "starts_on": order.starts_on.isoformat(),
        "ends_on": order.ends_on.isoformat(),
    }  # fmt: skip


def _refuse_nobody(order: StandingOrder, at: datetime) -> None:
    """An order for closed organisations alone lets nothing go, and would begin to by itself once one is opened."""
    if order.audience and not names_anybody(order.audience, at):
        raise Refused(Refusal.NOBODY)


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)
