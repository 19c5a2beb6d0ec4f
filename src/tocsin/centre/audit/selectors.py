"""Reading the log."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min, Q, QuerySet

from tocsin.centre.pages import Page
from tocsin.products import copies

from .models import Checkpoint, Entry

TAKING = ("package.fetched", "object.fetched", "circular.read", "circular.checked")
"""Acts by which somebody takes away a copy that is marked."""


def found(
    *,
    actor: str = "",
    action: str = "",
    subject: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Entry]:
    """The entries that fit, newest first. An action that ends with a dot stands for all that begin so, and the mark of
    a copy as subject for the act by which it was taken."""
    entries = Entry.objects.order_by("-pk")
    if actor:
        entries = entries.filter(actor=actor)
    if action:
        entries = entries.filter(action__startswith=action) if action.endswith(".") else entries.filter(action=action)
    if copies.is_mark(subject):
        entries = entries.filter(action__in=TAKING, detail__contains=f'"copy":"{subject}"')
    elif subject:
        entries = entries.filter(subject=subject)
    if since is not None:
        entries = entries.filter(at__gte=since)
    if until is not None:
        entries = entries.filter(at__lt=until)
    return entries


def oldest_unsigned_at() -> datetime | None:
    """The moment of the oldest entry that no checkpoint covers: what waits for its place, and what has one and was not
    signed."""
    last = Checkpoint.objects.order_by("-size").first()
    unsigned = Entry.objects.filter(Q(place=None) | Q(place__gte=last.size if last else 0))
    found: datetime | None = unsigned.aggregate(first=Min("at"))["first"]
    return found


def after_place(place: int, count: int) -> list[Entry]:
    """The entries that follow this place in the tree, in its order: whoever goes on from the last one misses none."""
    return list(Entry.objects.filter(place__gt=place).order_by("place")[:count])


def page_of(entries: QuerySet[Entry], after: str, per_page: int) -> Page[Entry]:
    """Newest first, after the entry of that number; an unreadable one starts anew."""
    is_later = after.isascii() and after.isdecimal() and len(after) < 19
    rows = list((entries.filter(pk__lt=int(after)) if is_later else entries)[: per_page + 1])
    more = len(rows) > per_page
    rows = rows[:per_page]
    return Page(rows, is_later, str(rows[-1].pk) if more else "")


def sample_of(entries: QuerySet[Entry], count: int) -> list[Entry]:
    """So many of them, as if by lot: those with the smallest leaf hashes, which nobody chooses and all can repeat."""
    return sorted(entries.order_by("leaf")[:count], key=lambda entry: -entry.pk)


def actions() -> list[str]:
    """Every action that was ever recorded, in order; one step in the index for each."""
    found: list[str] = []
    while True:
        rest = Entry.objects.filter(action__gt=found[-1]) if found else Entry.objects.all()
        following = rest.aggregate(following=Min("action"))["following"]
        if following is None:
            return found
        found.append(following)
