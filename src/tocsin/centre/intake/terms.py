"""Under what batches are held, written: a batch lies still with the Centre until it is released to an audience."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson
from django.db import transaction

from tocsin.centre.members.models import HandlingSet

from .models import Audience, BatchSet, Terms

BY_LABEL: tuple[str, ...] = ()
"""The audience of a release that goes as far as the handling set lets it go."""


def audience_row(entries: Iterable[str] | None) -> Audience:
    """The interned audience; None for what is not released."""
    kept = None if entries is None else sorted(set(entries))
    digest = hashlib.sha256(orjson.dumps(kept)).hexdigest()
    return Audience.objects.get_or_create(digest=digest, defaults={"entries": kept})[0]


def terms_row(
    organisation_id: int, handling: HandlingSet, entries: Iterable[str] | None, *, is_private: bool = False
) -> Terms:
    """The interned terms."""
    return Terms.objects.get_or_create(
        organisation_id=organisation_id, handling_set=handling, audience=audience_row(entries), is_private=is_private
    )[0]


def set_audience(batches: BatchSet, entries: Iterable[str] | None) -> int:
    """From the commit on, readers see these batches as released to these (None: not released); says how many.

    Who may release is not asked here: see `centre.release`.
    """
    audience = audience_row(entries)
    changed = 0
    with transaction.atomic():
        for terms in Terms.objects.filter(pk__in=batches.order_by().values("terms").distinct()):
            new = terms.alike(audience_id=audience.pk)
            if new != terms:
                changed += batches.filter(terms=terms).update(terms=new)
    return changed
