"""What its source may know of where a delivery stands: never to whom it went (W10).

A source learns the class of those it was released to; how many of them, only where there are three or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tocsin.centre.members.models import Organisation, Person

from .models import Batch, Delivery

COUNT_LEAST = 3
"""Fewer recipients than these are not counted before the source."""


class Stage(StrEnum):
    """Where a delivery stands, as its source reads it."""

    IN_HAND = "in-hand"
    """Received, under review, or waiting to be read."""
    NOT_USED = "not-used"
    """Set aside, refused, withdrawn, or there before."""
    WAITS = "waits-for-release"
    RELEASED = "released"
    PARTLY = "partly-released"
    RECALLED = "recalled"
    EMPTY = "nothing-in-it"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Stage; to which classes it was released, with how many named ones (0: not told); the first day it expires."""

    stage: Stage
    audiences: tuple[tuple[str, int], ...] = ()
    by_label: bool = False
    """Whether some of it was released as far as its label goes."""
    expires_on: date | None = None

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "stage": str(self.stage),
            "released_to": [{"class": name, "count": count or None} for name, count in self.audiences],
            "released_by_label": self.by_label,
            "expires_on": self.expires_on.isoformat() if self.expires_on else None,
        }


_NOT_READ = {
    Delivery.State.RECEIVED: Stage.IN_HAND,
    Delivery.State.HELD: Stage.IN_HAND,
    Delivery.State.QUARANTINED: Stage.NOT_USED,
    Delivery.State.DUPLICATE: Stage.NOT_USED,
    Delivery.State.REFUSED: Stage.NOT_USED,
    Delivery.State.WITHDRAWN: Stage.NOT_USED,
}


def is_told(person: Person, delivery: Delivery) -> bool:
    """Whether the person may know: its source's people; the Centre's desk knows more from its own pages."""
    return delivery.organisation_id == person.organisation_id


def outlook_of(delivery: Delivery, now: datetime) -> Outlook:
    """Where one delivery stands."""
    return outlooks_of([delivery], now)[delivery.pk]


def outlooks_of(deliveries: Iterable[Delivery], now: datetime) -> dict[int, Outlook]:
    """Number of each delivery → where it stands; in three reads."""
    listed = list(deliveries)
    parts: dict[int, list[Batch]] = {each.pk: [] for each in listed}
    batches = Batch.objects.filter(delivery__in=list(parts)).select_related("terms__audience", "handling_set")
    for batch in batches.order_by("pk"):
        parts[batch.delivery_id].append(batch)
    named = {entry for each in batches for entry in each.terms.audience.entries or () if ":" not in entry}
    classes = dict(Organisation.objects.filter(slug__in=named).values_list("slug", "class_name"))
    return {each.pk: _outlook(each, parts[each.pk], classes, now) for each in listed}


def _outlook(delivery: Delivery, batches: list[Batch], classes: dict[str, str], now: datetime) -> Outlook:
    if delivery.state != Delivery.State.PARSED:
        return Outlook(_NOT_READ[Delivery.State(delivery.state)])
    if not batches:
        return Outlook(Stage.EMPTY)
    shown = [each for each in batches if each.hidden_at is None or each.hidden_at > now]
    if not shown:
        return Outlook(Stage.RECALLED)
    audiences = [each.terms.audience.entries for each in shown]
    open_to = [entries for entries in audiences if entries is not None]
    stage = Stage.WAITS if not open_to else Stage.RELEASED if len(open_to) == len(batches) else Stage.PARTLY
    entries = {entry for listed in open_to for entry in listed}
    return Outlook(stage, _told(entries, classes), any(not listed for listed in open_to), _expiry(shown))


def _told(entries: Iterable[str], classes: dict[str, str]) -> tuple[tuple[str, int], ...]:
    """Classes of an audience; all of a class is more than any number of it."""
    whole, counted = set(), Counter[str]()
    for entry in entries:
        kind, colon, word = entry.partition(":")
        if entry == "all-members" or kind == "class":
            whole.add("law-enforcement" if entry == "all-members" else word)
        elif not colon or kind == "country":
            counted["law-enforcement" if colon else classes.get(entry, "law-enforcement")] += 1
    names = sorted(whole | set(counted))
    return tuple((name, counted[name] if name not in whole and counted[name] >= COUNT_LEAST else 0) for name in names)


def _expiry(batches: Iterable[Batch]) -> date:
    """The first day on which a part of it is kept no longer."""
    return min(each.expires_at.date() for each in batches)
