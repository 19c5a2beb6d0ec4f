"""The gate, compiled for reads at scale: which batches a viewer may see, and which victim rows in them.

Every set of terms under which batches are held is put to `handling.may_see` once (`register`); there are few
however many batches there are. Everything that counts, pages or searches joins the result first.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from django.db.models import F, QuerySet
from django.utils import timezone

from tocsin.centre.rows import Numbers
from tocsin.handling import Viewer
from tocsin.lake.scope import Batches, Scope

from .models import Batch
from .register import Register, register

_FEW = 0.05
"""Whoever sees a smaller part of all batches is answered by the index on terms."""


def visible_batches(viewer: Viewer, now: datetime | None = None) -> QuerySet[Batch]:
    """The batches that the viewer may see at that moment (default: now), in no particular order."""
    known = register()
    held = known.held_by(viewer) if viewer.class_name else []
    if not held:
        return Batch.objects.none()
    alive = Batch.objects.alive(now or timezone.now())
    numbers = Numbers(each.number for each in held)
    if known.share_of(viewer) < _FEW:
        return alive.filter(terms__in=numbers)
    # The sum keeps databases from collecting half the table by its index on terms where a page wants the newest.
    return alive.alias(held_under=F("terms_id") + 0).filter(held_under__in=numbers)


def scope_of(viewer: Viewer, now: datetime | None = None) -> Scope:
    """The same answer as the lake's questions take it, with the rule on victim rows (DOMAIN 4.9)."""
    return scope_in(register(), viewer, now or timezone.now())


def scope_in(known: Register, viewer: Viewer, now: datetime) -> Scope:
    """`scope_of`, of the batches of that register."""
    if not viewer.class_name:
        return Scope(Batches())
    shown = known.shown_to(viewer, now)
    own = np.array([held.facts.source == viewer.organisation for held in known.memory.held], bool)
    return Scope(
        batches=Batches(known.batches[shown]),
        own_batches=Batches(known.batches[shown & own[known.rows["terms"]]]),
        victim_countries=victim_countries(viewer),
        all_victims=viewer.is_victim_desk,
    )


def victim_countries(viewer: Viewer) -> frozenset[str]:
    """Countries whose victim rows the viewer may read, beside those that it handed over itself."""
    if viewer.country and viewer.class_name == "law-enforcement":
        return frozenset({viewer.country})
    return frozenset()
