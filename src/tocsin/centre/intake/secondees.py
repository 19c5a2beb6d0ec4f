"""What a secondee in a seat at the Centre does not know of, though the Centre's other people follow it (W15).

The Centre's people see that a delivery came and what becomes of it before anybody may read it. To a secondee that would
tell what a source keeps from its employer: it knows of a delivery where the gate shows it every part, and else not.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.rows import Numbers
from tocsin.handling import Viewer, may_see

from .models import Batch, Delivery
from .register import facts_of, register
from .terms import unread_handling

_Row = TypeVar("_Row", bound=Model)


def known_to(person: Person, found: QuerySet[_Row], delivery: str = "delivery") -> QuerySet[_Row]:
    """The rows less those that hang on a delivery which does not exist for this secondee; all of them for others."""
    if person.employer_id is None:
        return found
    kept = _kept_from(viewer_of(person))
    return found.exclude(**{f"{delivery}__in": kept.values("pk")})


def _kept_from(viewer: Viewer) -> QuerySet[Delivery]:
    """Deliveries of which the gate keeps a part from the viewer, or would if they were read, and repeats of these.

    What was recalled or is over was kept from it by the same terms while it was there.
    """
    shown = Numbers(each.number for each in register().held_by(viewer))
    parts = Batch.objects.exclude(terms__in=shown).values("delivery")
    closed = Q(pk__in=parts) | Q(duplicate_of__in=parts)
    unread = Delivery.objects.filter(batches=None, duplicate_of=None)
    stated = unread.order_by().values_list("organisation", "stated_marking", "profile__marking", "is_private")
    for organisation, marking, of_profile, is_private in set(stated.distinct()):
        said = {"organisation": organisation, "stated_marking": marking, "is_private": is_private}
        alike = unread.filter(**said, **({"profile__marking": of_profile} if of_profile else {}))
        if (first := alike.select_related("organisation").first()) is None:
            continue  # Read meanwhile: its parts are asked for themselves.
        handling = unread_handling(first)
        facts = facts_of(first.organisation.slug, handling, None, is_private=is_private)
        if not may_see(viewer, handling, facts, timezone.now()):
            closed |= Q(pk__in=alike.values("pk")) | Q(duplicate_of__in=alike.values("pk"))
    return Delivery.objects.filter(closed).order_by()
