"""What was released to somebody, object by object in the order in which it opened: for programs that follow it.

A place in this order is one moment: each object has its own, and keeps it while it stays open to the reader, so that
who reads on from a moment misses nothing and gets nothing twice (`intake.openings`). What is given are bytes that were
rendered before (`knowledge.rendering`); for each page the gate is asked about its batches again.
"""

from __future__ import annotations

from datetime import datetime

from tocsin.centre.intake.openings import timeline_of
from tocsin.centre.knowledge.services import STIX
from tocsin.centre.members.models import Person
from tocsin.centre.pages import opened_cursor, sealed_cursor
from tocsin.core.errors import InputError

from .given_items import Given, Item, Items, Wanted, fitting, identifiers, is_wanted, item_of, size_of
from .given_stream import Stream
from .given_views import OWN, RELEASED, Part, centre_of, conditions_of, moment_of, number_of, view_of

__all__ = [
    "OWN", "RELEASED", "STANDARD", "Given", "Item", "Part", "Wanted", "centre_of", "conditions_of", "has_any",
    "identifiers", "is_wanted", "item_of", "moment_of", "number_of", "opened_place", "page",
]  # fmt: skip
STANDARD = STIX
MOST_BYTES = 16 << 20
"""So much fills a page, however few objects that is."""


def page(
    person: Person, *, wanted: Wanted, after: datetime | None, cursor: str, limit: int, now: datetime,
    part: Part = RELEASED,
) -> Given:  # fmt: skip
    """What opened to the person after that moment, the first to open first.

    A cursor goes on with its own pass, which ends with what had opened when it began: what opens meanwhile is in the
    next pass. Raises InputError for a cursor that is not ours.
    """
    if wanted.spec_versions and "2.1" not in wanted.spec_versions:
        return Given()
    view, known = view_of(timeline_of(person), now, part)
    if not view.keys:
        return Given()
    until, begin = view.keys[-1][0], -1 if after is None else number_of(after)
    if cursor:
        until, begin = opened_place("given", cursor, 2)
    stream = Stream(view, wanted, lambda some: known.shown_among(view.viewer, some, now), is_own=part is OWN)
    found, more, reached = Items(), "", begin
    for some in stream.items(begin, until, limit):
        left = MOST_BYTES - found.size_bytes
        fits = len(some) if size_of(some) <= left else fitting(some, left) if left >= 0 else 0
        taken = some[: min(fits, limit - len(found))]
        found.add(taken)
        is_cut, is_somewhere = len(taken) < len(some), bool(found) or stream.passed >= 0
        if is_cut or (is_somewhere and stream.is_long()):
            reached = found[-1].moment if found else -1
            if not is_cut:
                reached = max(reached, stream.passed)
            more = sealed_cursor("given", [until, reached])
            break
    stream.renderings.keep()
    return Given(found, more, moment_of(reached) if more else None)


def has_any(person: Person, part: Part, now: datetime) -> bool:
    """Whether something of the part is open to the person."""
    view, known = view_of(timeline_of(person), now, part)
    batches = list(view.by_batch)
    return any(known.shown_among(view.viewer, batches[at : at + 500], now) for at in range(0, len(batches), 500))


def opened_place(purpose: str, cursor: str, numbers: int) -> list[int]:
    """The numbers in a cursor. Raises InputError for one that is not ours, or of another version of this."""
    found = opened_cursor(purpose, cursor)
    if len(found) != numbers:
        raise InputError("not-an-id", field="cursor")
    return found
