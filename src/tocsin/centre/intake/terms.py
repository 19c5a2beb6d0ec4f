"""Under what batches are held, written: a batch lies still with the Centre until it is released to an audience."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from tocsin.centre.members.models import HandlingSet
from tocsin.centre.questions import Question
from tocsin.handling import HandlingSet as Handling
from tocsin.handling import default_set, tlp_of

from .models import Audience, BatchSet, Delivery, Terms

BY_LABEL: tuple[str, ...] = ()
"""The audience of a release that goes as far as the handling set lets it go."""


def audience_row(entries: Iterable[str] | None) -> Audience:
    """The interned audience; None for what is not released."""
    return Audience.of(entries)


def terms_row(
    organisation_id: int, handling: HandlingSet, entries: Iterable[str] | None, permitted: Iterable[str] = (), *,
    is_private: bool = False,
) -> Terms:  # fmt: skip
    """The interned terms."""
    audience, beyond = audience_row(entries), audience_row(permitted)
    known = next((each for each in _ALIKE(organisation_id, handling.pk, audience.pk, beyond.pk)
                  if each.is_private == is_private), None)  # fmt: skip
    return known or Terms.objects.get_or_create(
        organisation_id=organisation_id, handling_set=handling, audience=audience, permitted=beyond,
        is_private=is_private,
    )[0]  # fmt: skip


_ALIKE = Question(
    lambda organisation, handling, audience, permitted: Terms.objects.filter(
        organisation=organisation, handling_set=handling, audience=audience, permitted=permitted
    ),
    -1, -2, -3, -4,
)  # fmt: skip


def set_audience(batches: BatchSet, entries: Iterable[str] | None, permitted: Iterable[str] = ()) -> int:
    """From the commit on, readers see these batches as released to these (None: not released); says how many.

    `permitted` are those of them to whom their source permitted it beyond its label, or their bureau passed it on. Who
    may release, what was permitted and what may be passed on, is not asked here: see `centre.release` and
    `centre.permissions`.
    """
    audience, beyond = audience_row(entries), audience_row(permitted)
    changed = 0
    with transaction.atomic():
        for terms in Terms.objects.filter(pk__in=batches.order_by().values("terms").distinct()):
            new = terms.alike(audience_id=audience.pk, permitted_id=beyond.pk)
            if new != terms:
                changed += batches.filter(terms=terms).update(terms=new)
    return changed


def unread_handling(delivery: Delivery) -> Handling:
    """Under what it is held as long as nobody knows what is inside: the label that was chosen, and the agreement."""
    stated = tlp_of(delivery.stated_marking) or tlp_of(str(delivery.profile.get("marking", "")))
    return default_set(delivery.organisation.defaults, stated)[0]
