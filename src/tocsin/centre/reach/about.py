"""What something that was released is about, made of nothing but what its reader may see of it.

It heads lists and pages, so it must not move with what is hidden: whatever a count or a name rests on here, the same
reader may read row by row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Max, Min, Sum

from tocsin.centre.intake.models import Batch, NameTally
from tocsin.centre.intake.selectors import countable, victim_countries
from tocsin.centre.intake.vault import opened_word
from tocsin.centre.knowledge.models import Document, Object
from tocsin.centre.release.models import Package
from tocsin.centre.rows import Numbers
from tocsin.handling import Viewer

MOST_LOOKED_THROUGH = 500
"""Among more objects nobody looks for the one that tells what they are about."""
MOST_NAMES = 2
LONGEST_TITLE = 120
REPORTS = ("report", "grouping", "event", "campaign", "incident")
"""Types of objects that say what the others beside them are about; of advisories, their standard tells it."""
SUBJECTS = ("malware", "intrusion-set", "threat-actor", "tool", "vulnerability")
ADVISORIES = ("csaf-2.0",)


@dataclass(frozen=True, slots=True)
class About:
    """Of one thing, or of several that stand on one page."""

    titles: tuple[str, ...] = ()
    """What its documents, reports and events call themselves, each once."""
    rows: int = 0
    type: str = ""
    """Type of event of most rows; empty: none has half of them, or they say none."""
    role: str = ""
    """The same of what their values did or suffered."""
    is_mixed: bool = False
    """Whether there are rows of another type."""
    countries: tuple[str, ...] = ()
    """Where the rows are; none where that is not known of all."""
    family: str = ""
    """Malware of half the rows or more."""
    objects: int = 0
    names: tuple[str, ...] = ()
    """What its objects are about, where nothing has a title."""
    texts: int = 0
    """Documents, with a title or without."""
    first_on: date | None = None
    last_on: date | None = None


@dataclass(slots=True)
class _Sums:
    """What the rows of some batches come to."""

    rows: int = 0
    types: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    countries: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    days: list[date] = field(default_factory=list)

    def add(self, other: _Sums) -> None:
        self.rows += other.rows
        for name in ("types", "roles", "countries", "families"):
            getattr(self, name).update(getattr(other, name))
        self.days += other.days

    def leader(self, name: str) -> str:
        """The word of at least half the rows; of two with as many, the first by its letters."""
        counted: Counter[str] = getattr(self, name)
        word, rows = min(counted.items(), key=lambda each: (-each[1], each[0]), default=("", 0))
        return word if 2 * rows >= self.rows else ""


def about_each(viewer: Viewer, groups: Sequence[Sequence[Batch]]) -> list[About]:
    """Of each group of batches that the viewer may see, in their order. Nothing else of their deliveries counts."""
    listed = {batch.pk: batch for group in groups for batch in group}
    sums = _sums(viewer, listed)
    said = _said(listed)
    return [_about(group, sums, said) for group in groups]


def _about(group: Sequence[Batch], sums: Mapping[int, _Sums], said: _Said) -> About:
    found = _Sums()
    numbers = [batch.pk for batch in group]
    for number in numbers:
        found.add(sums[number])
    objects = sum(batch.objects_count for batch in group)
    titles = _once(said.titles, numbers)
    return About(
        titles=titles or (_once(said.every, numbers) if objects == 1 else ()), rows=found.rows,
        type=found.leader("types"), role=found.leader("roles"), is_mixed=len(found.types) > 1,
        countries=() if "" in found.countries else tuple(sorted(found.countries)),
        family=found.leader("families"), objects=objects,
        names=_once(said.names, numbers)[:MOST_NAMES], texts=sum(said.texts[number] for number in numbers),
        first_on=min(found.days, default=None), last_on=max(found.days, default=None),
    )  # fmt: skip


def _once(texts: Mapping[int, list[str]], numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for number in sorted(numbers) for text in texts.get(number, ()) if text))


def _sums(viewer: Viewer, listed: Mapping[int, Batch]) -> dict[int, _Sums]:
    found: dict[int, _Sums] = defaultdict(_Sums)
    tallies = countable(viewer).filter(batch__in=Numbers(listed)).order_by()
    grouped = tallies.values_list("batch_id", "type", "role", "country")
    for batch, type_, role, code, rows, first, last in grouped.annotate(Sum("rows"), Min("day"), Max("day")):
        sums = found[batch]
        sums.rows += rows
        sums.types[type_] += rows
        sums.roles[role] += rows
        sums.countries[code] += rows
        sums.days += [first, last]
    # Names are counted without roles: only where the reader may read every row of a country do they tell of it alone.
    of_ones_own = NameTally.objects.filter(batch__in=Numbers(listed), country__in=victim_countries(viewer))
    for batch, word, rows in of_ones_own.order_by().values_list("batch_id", "malware", "rows"):
        if name := opened_word(word):
            found[batch].families[name] += rows
    return found


@dataclass(frozen=True, slots=True)
class _Said:
    """What the texts and objects of some batches say, by batch."""

    titles: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    names: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    every: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Names of all objects, of whatever type: one that lies alone is its own title."""
    texts: Counter[int] = field(default_factory=Counter)


def _said(listed: Mapping[int, Batch]) -> _Said:
    found = _Said()
    for document in Document.objects.filter(batch__in=Numbers(listed)).defer("text").order_by("pk"):
        found.texts[document.batch_id] += 1
        found.titles[document.batch_id].append(_cut(document.title))
    few = [batch for batch in listed.values() if 0 < batch.objects_count <= MOST_LOOKED_THROUGH]
    # Objects have no index on their batch.
    things = Object.objects.filter(delivery__in={batch.delivery_id for batch in few})
    things = things.filter(batch__in=Numbers(batch.pk for batch in few), revoked=False)
    for thing in things.order_by("pk"):
        name = _cut(thing.name)
        found.every[thing.batch_id].append(name)
        if thing.type in REPORTS or thing.standard in ADVISORIES:
            found.titles[thing.batch_id].append(name)
        elif thing.type in SUBJECTS:
            found.names[thing.batch_id].append(name)
    return found


def _cut(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= LONGEST_TITLE else said[: LONGEST_TITLE - 1].rstrip() + "…"


def about_package(package: Package) -> About:
    """A country's package: everything in it is for its country. One of an earlier version does not say what leads."""
    said = package.summary
    return About(
        rows=package.rows, type=str(said.get("type", "")), is_mixed=bool(said.get("is_mixed", True)),
        countries=(package.country,), family=str(said.get("family", "")),
        first_on=package.arrived_from.date(), last_on=package.arrived_until.date(),
    )  # fmt: skip
