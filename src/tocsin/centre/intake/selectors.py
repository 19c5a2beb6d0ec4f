"""The gate, compiled for reads at scale: which batches a viewer may see, and which victim rows in them.

Every set of terms under which batches are held is put to `handling.may_see` once (`register`); there are few
however many batches there are. Everything that counts, pages or searches joins the result first.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from tocsin.centre.rows import InTurn, Numbers
from tocsin.core.words import VICTIM_LIKE
from tocsin.handling import Viewer
from tocsin.lake.scope import Batches, Scope

from .models import Batch, Tally
from .register import Register, register

VICTIM_WORDS = sorted(role.value for role in VICTIM_LIKE)
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


def in_seen(batches: QuerySet[Batch], of: str = "batch") -> Exists:
    """Whether the batch of a row is among these, asked from the row to its batch.

    `batch__in` would first list all that somebody sees, however few the rows are.
    """
    return Exists(batches.filter(pk=OuterRef(of)))


def in_turn(of_row: QuerySet[Batch], viewer: Viewer) -> Exists:
    """Whether there is such a batch for a row of a list, asked row by row in the order of the list, so that a page
    costs what it shows. Of whoever sees few of all batches the database finds out by those few."""
    return Exists(of_row) if register().share_of(viewer) < _FEW else InTurn(of_row)


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


def countable(viewer: Viewer) -> QuerySet[Tally]:
    """Tally rows that the viewer may have counted in a batch that they may see: the rule on victim rows, for counts."""
    if viewer.is_victim_desk:
        return Tally.objects.all()
    own = Batch.objects.filter(organisation__slug=viewer.organisation)
    return Tally.objects.filter(~Q(role__in=VICTIM_WORDS) | Q(country__in=victim_countries(viewer)) | Q(batch__in=own))


def with_rows_seen(batches: QuerySet[Batch], viewer: Viewer) -> QuerySet[Batch]:
    """The same batches, each with `rows_seen`: how many of its rows the viewer may read. `rows` is for who holds it."""
    of_one = countable(viewer).filter(batch=OuterRef("pk")).order_by().values("batch")
    seen = {"rows_seen": Coalesce(Subquery(of_one.annotate(sum=Sum("rows")).values("sum")), 0)}
    return batches.annotate(**seen)


def concerning(batches: QuerySet[Batch], viewer: Viewer) -> QuerySet[Batch]:
    """Without those in which are rows alone, none of which the viewer may read: victims of other countries."""
    some = countable(viewer).filter(batch=OuterRef("pk"))
    return batches.filter(Q(rows=0) | Q(objects_count__gt=0) | Exists(some))


FEWEST_ROWS, FEWEST_COUNTRIES = 5, 3
"""A count over all countries that rests on fewer of either would tell of one of them (DOMAIN 4.5)."""


def rows_everywhere(batches: QuerySet[Batch]) -> int | None:
    """How many rows these hold in all countries together, for who may see the batches and not the rows (W11); None
    where these are too few to be counted."""
    found = Tally.objects.filter(batch__in=list(batches.order_by().values_list("pk", flat=True)))
    by_country = dict(found.order_by().values_list("country").annotate(sum=Sum("rows")))
    total, countries = sum(by_country.values()), by_country.keys() - {""}
    return total if total >= FEWEST_ROWS and len(countries) >= FEWEST_COUNTRIES else None
