"""What a process remembers of all batches and of the terms they are held under, as arrays.

Half a million batches are gone through in a few thousandths of a second here. Nothing is answered from memory that
the database, asked each time for its newest `Change`, does not say still holds. Terms never change, so the gate's
answer about them holds for as long as somebody asks with the same rights.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection

from tocsin.centre.clock.services import judged_at
from tocsin.centre.questions import Question
from tocsin.handling import Facts, Viewer, may_see
from tocsin.handling import HandlingSet as Handling

from .models import Batch, Change, Terms

FACTS = ("organisation", "handling_set", "audience", "permitted")
"""Rows that belong to terms."""
MOST_VIEWERS = 1_000
_AT_ONCE = 50_000
_UNIX = {
    # By whole seconds and what is left of the text: as a day and its fraction a moment would be some 10 µs off, and a
    # full minute often the second before it.
    "sqlite": "strftime('%%s', substr({0}, 1, 19)) + ('0' || substr({0}, 20))",
    "postgresql": "extract(epoch from {0})::float8",
}
_COLUMNS = np.dtype([("batch", "i8"), ("terms", "i8"), ("received_at", "f8"), ("hidden_at", "f8"), ("recast_at", "f8")])
_Flags = npt.NDArray[np.bool_]


class Held(NamedTuple):
    """Terms: whose, under which handling set, and what the gate must know beside it."""

    number: int
    organisation: int
    handling_set: int
    handling: Handling
    facts: Facts


class _Memory:
    """Terms in the order in which they were met, and the gate's answers about them. Grows, and never changes."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.place: dict[int, int] = {}
        self.answers: OrderedDict[Viewer, _Flags] = OrderedDict()
        self.lock = threading.Lock()

    def learn(self, numbers: set[int]) -> None:
        """Meet these terms, as far as they are new."""
        missing = sorted(numbers - self.place.keys())
        for start in range(0, len(missing), 500):
            found = Terms.objects.filter(pk__in=missing[start : start + 500]).order_by("pk")
            for terms in found.select_related(*FACTS):
                handling, facts = put_to_the_gate(terms)
                with self.lock:
                    if terms.pk not in self.place:
                        self.held.append(Held(terms.pk, terms.organisation_id, terms.handling_set_id, handling, facts))
                        self.place[terms.pk] = len(self.held) - 1

    def seen_by(self, viewer: Viewer) -> _Flags:
        """By place: whether the viewer may see what is held under these terms, while it is not hidden."""
        with self.lock:
            flags = self.answers.get(viewer, np.zeros(0, bool))
            count = len(self.held)
            if len(flags) < count:
                now = datetime.now(UTC)  # No answer depends on it: when something is hidden is known of each batch.
                more = [may_see(viewer, held.handling, held.facts, now) for held in self.held[len(flags) :]]
                flags = np.concatenate([flags, np.array(more, bool)])
            self.answers[viewer] = flags
            self.answers.move_to_end(viewer)
            while len(self.answers) > MOST_VIEWERS:
                self.answers.popitem(last=False)
        return flags


@dataclass(frozen=True, slots=True)
class Register:
    """All batches of one moment, ordered by number."""

    change: tuple[int, int] = (0, 0)
    """Number and stamp of the newest change that is in it."""
    memory: _Memory = field(default_factory=_Memory)
    rows: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _COLUMNS))
    """`terms` holds places in the memory; moments are Unix seconds, as good as infinite for never. `hidden_at` is when
    it was or will be recalled or over, whichever comes first."""
    batches: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """By place of terms: how many batches are held under them."""

    def share_of(self, viewer: Viewer) -> float:
        """Which part of the batches, from 0 to 1, is held under terms that the viewer may see."""
        flags = self.memory.seen_by(viewer)[: len(self.counts)]
        return float(self.counts[: len(flags)][flags].sum()) / max(1, len(self.batches))

    def held_by(self, viewer: Viewer) -> list[Held]:
        """The terms under which the viewer may see what is held."""
        flags = self.memory.seen_by(viewer)
        return [self.memory.held[place] for place in np.flatnonzero(flags).tolist()]

    def shown_among(self, viewer: Viewer, batches: Iterable[int], now: datetime) -> set[int]:
        """Those of these batches that the viewer may see at that moment."""
        asked = np.fromiter(batches, np.int64)
        if not viewer.class_name or not len(self.batches) or not len(asked):
            return set()
        places = np.searchsorted(self.batches, asked).clip(max=len(self.batches) - 1)
        rows = self.rows[places]
        flags = self.memory.seen_by(viewer)[rows["terms"]] & (rows["hidden_at"] > judged_at(now).timestamp())
        return set(asked[flags & (rows["batch"] == asked)].tolist())

    def unreleased_to(self, viewer: Viewer, now: datetime) -> list[tuple[Held, int]]:
        """Under which terms lies what was released to nobody, and how many batches of it the viewer may see then."""
        if not viewer.class_name:
            return []
        counts = np.bincount(self.rows["terms"][self.shown_to(viewer, now)])
        found = [(self.memory.held[place], int(counts[place])) for place in np.flatnonzero(counts).tolist()]
        return [(held, count) for held, count in found if held.facts.released_to is None]

    def shown_to(self, viewer: Viewer, now: datetime) -> _Flags:
        """Which of the batches the viewer may see at that moment."""
        flags: _Flags = self.memory.seen_by(viewer)[self.rows["terms"]]
        return flags & (self.rows["hidden_at"] > judged_at(now).timestamp())


_NEWEST = Question(lambda: Change.objects.order_by("-pk").values_list("pk", "stamp")[:1])
_register = Register()
_lock = threading.Lock()


def register() -> Register:
    """All batches as the caller's connection sees them now."""
    global _register
    newest = _NEWEST.first() or (0, 0)
    known = _register
    if known.change == newest:
        return known
    with _lock:
        known = _register
        if known.change != newest:
            _register = known = _read(known, newest)
    return known


def put_to_the_gate(terms: Terms) -> tuple[Handling, Facts]:
    """What the gate is asked about these terms; they come with FACTS."""
    handling = Handling.from_json(terms.handling_set.body)
    entries = terms.audience.entries
    released_to = None if entries is None else tuple(entries)
    facts = facts_of(terms.organisation.slug, handling, released_to, terms.permitted.names, is_private=terms.is_private)
    return handling, facts


def held_of(numbers: set[int]) -> dict[int, Held]:
    """The terms with these numbers, whether anything is held under them now or was once."""
    memory = register().memory
    memory.learn(numbers)
    return {number: memory.held[memory.place[number]] for number in numbers}


def facts_of(
    source: str, handling: Handling, released_to: tuple[str, ...] | None, permitted_to: tuple[str, ...] = (), *,
    is_private: bool = False,
) -> Facts:  # fmt: skip
    """What the gate must know beside the set. A TLP:RED set names its readers as `person:<login>`."""
    named = (entry.removeprefix("person:") for entry in handling.audience if entry.startswith("person:"))
    return Facts(
        source=source, named=frozenset(named), released_to=released_to, permitted_to=permitted_to,
        is_private=is_private,
    )  # fmt: skip


def _read(known: Register, newest: tuple[int, int]) -> Register:
    """The register of now: what changed since then, where what was known is still part of what is there."""
    if not Change.objects.filter(pk=known.change[0], stamp=known.change[1]).exists():
        known = Register()
    changed = _changed_since(known.change[0] if known.change[0] else -1)
    known.memory.learn(set(np.unique(changed["terms"]).tolist()))
    place = known.memory.place
    changed["terms"] = [place[number] for number in changed["terms"].tolist()]
    rows = _merged(known, changed)
    counts = np.bincount(rows["terms"], minlength=len(known.memory.held))
    return replace(known, change=newest, rows=rows, batches=np.ascontiguousarray(rows["batch"]), counts=counts)


def _merged(known: Register, changed: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """What is known with what changed, ordered by number. Most of what comes is new and has the highest numbers."""
    changed = changed[np.argsort(changed["batch"], kind="stable")]
    places = np.searchsorted(known.batches, changed["batch"])
    is_known = places < len(known.batches)
    is_known[is_known] = known.batches[places[is_known]] == changed["batch"][is_known]
    new = changed[~is_known]
    rows = np.concatenate([known.rows, new])
    rows[places[is_known]] = changed[is_known]
    if len(new) and len(known.batches) and new["batch"][0] < known.batches[-1]:
        rows = rows[np.argsort(rows["batch"], kind="stable")]
    return rows


def _changed_since(number: int) -> npt.NDArray[np.void]:
    """Batches that later changes touched; `terms` holds numbers here."""
    unix = _UNIX[connection.vendor]
    over = unix.format("expires_at")
    # As `BatchSet.alive`: what was hidden at once is so at any moment.
    hidden = f"CASE WHEN hidden_at <= moved_at THEN 0.0 ELSE coalesce({unix.format('hidden_at')}, 9e99) END"
    moments = [unix.format("received_at"), f"CASE WHEN {over} < {hidden} THEN {over} ELSE {hidden} END"]
    moments.append(f"coalesce({unix.format('recast_at')}, 0)")
    table = connection.ops.quote_name(Batch._meta.db_table)
    parts = []
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT id, terms_id, {', '.join(moments)} FROM {table} WHERE changed > %s",  # noqa: S608 - no input.
            [number],
        )
        while found := cursor.fetchmany(_AT_ONCE):
            parts.append(np.array(found, _COLUMNS))
    return np.concatenate([np.zeros(0, _COLUMNS), *parts])
