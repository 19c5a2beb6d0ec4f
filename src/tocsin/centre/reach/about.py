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
    titles, names = _titles(listed)
    return [_about(group, sums, titles, names) for group in groups]


def _about(
    group: Sequence[Batch], sums: Mapping[int, _Sums], titles: Mapping[int, list[str]], names: Mapping[int, list[str]]
) -> About:
    found = _Sums()
    numbers = [batch.pk for batch in group]
    for number in numbers:
        found.add(sums[number])
    return About(
        titles=_once(titles, numbers), rows=found.rows, type=found.leader("types"), role=found.leader("roles"),
        is_mixed=len(found.types) > 1, countries=() if "" in found.countries else tuple(sorted(found.countries)),
        family=found.leader("families"), objects=sum(batch.objects_count for batch in group),
        names=_once(names, numbers)[:MOST_NAMES], first_on=min(found.days, default=None),
        last_on=max(found.days, default=None),
    )  # fmt: skip


def _once(texts: Mapping[int, list[str]], numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for number in sorted(numbers) for text in texts.get(number, ())))


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


def _titles(listed: Mapping[int, Batch]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Batch → titles of its texts and reports; batch → names of what its objects are about."""
    titles: dict[int, list[str]] = defaultdict(list)
    names: dict[int, list[str]] = defaultdict(list)
    for document in Document.objects.filter(batch__in=Numbers(listed)).defer("text").order_by("pk"):
        titles[document.batch_id].append(_cut(document.title))
    few = [batch for batch in listed.values() if 0 < batch.objects_count <= MOST_LOOKED_THROUGH]
    # Objects have no index on their batch.
    things = Object.objects.filter(delivery__in={batch.delivery_id for batch in few})
    things = things.filter(batch__in=Numbers(batch.pk for batch in few), revoked=False)
    for thing in things.order_by("pk"):
        if thing.type in REPORTS or thing.standard in ADVISORIES:
            titles[thing.batch_id].append(_cut(thing.name))
        elif thing.type in SUBJECTS:
            names[thing.batch_id].append(_cut(thing.name))
    return _filled(titles), _filled(names)


def _filled(texts: Mapping[int, list[str]]) -> dict[int, list[str]]:
    return {number: [text for text in some if text] for number, some in texts.items()}


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
