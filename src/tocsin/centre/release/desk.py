"""Reads for those who release: what waits, what a delivery consists of, which orders there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from tocsin.centre.intake import urgency
from tocsin.centre.intake.concern import countries_in, together
from tocsin.centre.intake.models import Batch, Delivery
from tocsin.centre.intake.register import register
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.pages import Page, Part, page_of
from tocsin.centre.permissions.models import Permission
from tocsin.centre.permissions.rules import day_of
from tocsin.centre.permissions.selectors import grants_for
from tocsin.centre.rows import InTurn, Numbers
from tocsin.handling import Grant, HandlingSet

from . import rules
from .models import Release
from .preview import Preview, preview
from .releasing import bureaus, widened_batches

_URGENT = Part(("urgent_at", "pk"), Q(urgent_at__isnull=False))
LAST_FIRST = (_URGENT, Part(("-received_at", "-pk"), Q(urgent_at=None)))
OLDEST_FIRST = (_URGENT, Part(("received_at", "pk"), Q(urgent_at=None)))
FEW = 2_000
"""So many batches are sorted for each page and counted; more are not."""


def waiting_for(person: Person, now: datetime) -> QuerySet[Batch]:
    """The batches that wait, of those that the person may see: RED is shown only to whom it names."""
    unreleased = Numbers(held.number for held, _ in register().unreleased_to(viewer_of(person), now))
    return Batch.objects.alive(now).filter(terms__in=unreleased, hidden_at=None, delivery__state=Delivery.State.PARSED)


def sources_for(person: Person, now: datetime) -> QuerySet[Organisation]:
    """Whose deliveries may wait, by name."""
    sources = {held.organisation for held, _ in register().unreleased_to(viewer_of(person), now)}
    return Organisation.objects.filter(pk__in=sources).order_by("name", "pk")


def page_for(
    person: Person, now: datetime, chosen: QuerySet[Batch], cursor: str, size: int, *, is_oldest: bool
) -> tuple[Page[Delivery], int | None]:
    """What is urgent before all else, and of that, what is due first; with how many there are, where few wait.

    Few are picked out by their terms. Where many wait, the deliveries are gone through in their order and each is asked
    whether it waits, so that a page costs what it shows.
    """
    parts = OLDEST_FIRST if is_oldest else LAST_FIRST
    if sum(count for _, count in register().unreleased_to(viewer_of(person), now)) <= FEW:
        found = deliveries_of(chosen)
        return page_of(found, parts, cursor, size), found.count()
    found = Delivery.objects.filter(InTurn(chosen.filter(delivery=OuterRef("pk")))).select_related("organisation")
    return page_of(found, parts, cursor, size), None


def deliveries_of(batches: QuerySet[Batch]) -> QuerySet[Delivery]:
    """The deliveries that they belong to."""
    return Delivery.objects.filter(pk__in=batches.order_by().values("delivery")).select_related("organisation")


def late_among(deliveries: QuerySet[Delivery], now: datetime) -> QuerySet[Delivery]:
    """Of what waits, that which nobody took up in time: no release was proposed, and its source was asked nothing."""
    is_late = Q(received_at__lte=now - rules.TRIAGE_WITHIN) | Q(urgent_at__lte=now - urgency.TAKEN_UP_WITHIN)
    return _not_taken_up(deliveries).filter(is_late)


def urgent_among(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Of what waits, that which is urgent and nobody took up yet, late or not."""
    return _not_taken_up(deliveries).exclude(urgent_at=None)


def _not_taken_up(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    asked = Permission.objects.filter(delivery=OuterRef("pk"))
    return deliveries.filter(~Exists(asked), releases=None)


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery that waits, as the desk lists it."""

    delivery: Delivery
    labels: tuple[str, ...]
    rows: int
    proposed: Release | None
    is_late: bool
    due_at: datetime | None
    """Of what is urgent and was not taken up yet: by when."""


def rows_of(deliveries: Iterable[Delivery], batches: QuerySet[Batch], now: datetime) -> list[Row]:
    """With labels and rows of what waits, and the proposal that is open."""
    listed = list(deliveries)
    labels: dict[int, set[str]] = defaultdict(set)
    rows: dict[int, int] = defaultdict(int)
    waiting = batches.filter(delivery__in=listed).order_by()
    for number, tlp, count in waiting.values_list("delivery", "handling_set__tlp").annotate(Sum("rows")):
        labels[number].add(tlp)
        rows[number] += count
    open_ones = Release.objects.filter(delivery__in=listed, state=Release.State.PROPOSED).select_related("proposed_by")
    proposed = {each.delivery_id: each for each in open_ones}
    those = Delivery.objects.filter(pk__in=[each.pk for each in listed])
    late = set(late_among(those, now).values_list("pk", flat=True))
    urgent = set(urgent_among(those).values_list("pk", flat=True))
    return [
        Row(
            each, tuple(sorted(labels[each.pk])), rows[each.pk], proposed.get(each.pk), each.pk in late,
            urgency.due_at(each) if each.pk in urgent else None,
        )
        for each in listed
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """The batches of a delivery under one handling set and one audience, and who gets them."""

    handling: HandlingSet
    number: int
    """Of the first batch: names the group in forms."""
    batches: tuple[int, ...]
    rows: int
    is_waiting: bool
    is_widened: bool
    """It went out already, and its source permitted it to those who are chosen now."""
    audience: tuple[str, ...] | None
    """To whom it went, or would go; None: the source has to be asked."""
    grants: tuple[Grant, ...]
    """What its source permitted when it was asked."""
    refusal: rules.Refusal | None
    """Why nobody can let it go as it is."""
    preview: Preview


def groups_of(delivery: Delivery, batches: QuerySet[Batch], wanted: Sequence[str], now: datetime) -> list[Group]:
    """The parts of a delivery; with who would get what waits, were it released to `wanted`."""
    alike: dict[tuple[int, int, int], list[Batch]] = defaultdict(list)
    related = ("handling_set", "terms__audience", "terms__permitted")
    for batch in batches.filter(delivery=delivery).select_related(*related).order_by("pk"):
        alike[batch.handling_set_id, batch.terms.audience_id, batch.terms.permitted_id].append(batch)
    grants = grants_for(delivery, day_of(now))
    widened = set(widened_batches(delivery, wanted, grants).values_list("pk", flat=True))
    clients = bureaus()
    return [_group(delivery, some, wanted, grants, some[0].pk in widened, clients, now) for some in alike.values()]


def _group(
    delivery: Delivery, some: Sequence[Batch], wanted: Sequence[str], grants: rules.Permitted, is_widened: bool,
    clients: set[str], now: datetime,
) -> Group:  # fmt: skip
    handling = HandlingSet.from_json(some[0].handling_set.body)
    own, entries = grants.get(some[0].handling_set.digest, ()), some[0].terms.audience.entries
    permitted = tuple(some[0].terms.permitted.names)
    audience, refusal = None if entries is None else tuple(entries), None
    if entries is None or is_widened:
        audience = rules.audience_under(handling, wanted, clients, own)
        refusal = rules.refusal_of_content([handling], grants)
        refusal = refusal or (rules.Refusal.ASK_SOURCE if audience is None else None)
        permitted = (*permitted, *rules.permitted_to(audience or (), own))
        if entries is not None:
            audience = tuple(sorted({*entries, *(audience or ())})) if entries else ()
    countries = together(countries_in([each.pk for each in some]).values())
    return Group(
        handling=handling, number=some[0].pk, batches=tuple(each.pk for each in some),
        rows=sum(each.rows for each in some), is_waiting=entries is None, is_widened=is_widened, audience=audience,
        grants=own, refusal=refusal,
        preview=preview(
            handling, delivery.organisation.slug, None if refusal else audience, now, permitted, countries=countries
        ),
    )  # fmt: skip
