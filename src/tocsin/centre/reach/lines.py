"""How far each recipient is with something: offered, fetched, opened, acknowledged, acted on, overdue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.centre.ledger.models import Chase, Kind, Response
from tocsin.centre.ledger.selectors import Progress, takers_of
from tocsin.centre.members.models import Organisation
from tocsin.centre.release.models import Fetch

from .recipients import Circle, circle
from .rules import Stage, due_at, stage_of
from .things import Thing
from .words import said_of


@dataclass(frozen=True, slots=True)
class Share:
    """One recipient. What units and sub-bureaus did counts for the bureau that answers for them."""

    organisation: Organisation
    is_open: bool
    """Whether it may see some of it now."""
    fetched_at: datetime | None
    progress: Progress
    stage: Stage
    is_overdue: bool
    units: tuple[tuple[Organisation, Stage], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A release or a package, with all recipients."""

    thing: Thing
    due_at: datetime | None
    """None: nobody is chased for it."""
    is_urgent: bool
    shares: tuple[Share, ...]

    @property
    def offered(self) -> int:
        """Recipients to whom it is or was open."""
        return len(self.shares)

    @property
    def fetched(self) -> int:
        return sum(share.fetched_at is not None for share in self.shares)

    @property
    def opened(self) -> int:
        return sum(share.progress.opened_at is not None for share in self.shares)

    @property
    def acknowledged(self) -> int:
        return sum(share.progress.acknowledged_at is not None for share in self.shares)

    @property
    def acted(self) -> int:
        return sum(share.progress.outcome == Response.Step.ACTED for share in self.shares)

    @property
    def answered(self) -> int:
        return sum(bool(share.progress.outcome) for share in self.shares)

    @property
    def overdue(self) -> int:
        return sum(share.is_overdue for share in self.shares)

    @property
    def usefulness(self) -> Counter[str]:
        """How many recipients said what."""
        return Counter(share.progress.usefulness for share in self.shares if share.progress.usefulness)

    def waiting(self) -> list[Share]:
        """Those to whom it is open and who have not acknowledged it."""
        return [share for share in self.shares if share.is_open and share.progress.acknowledged_at is None]


def lines_of(things: Sequence[Thing], now: datetime, around: Circle | None = None) -> list[Line]:
    """One line for each, in their order."""
    if not things:
        return []
    around = around or circle(now)
    takers = takers_of({each.number: each.batches for each in things if each.kind == Kind.RELEASE})
    fetched = _fetches([each for each in things if each.kind == Kind.PACKAGE])
    said: dict[tuple[str, int], dict[int, Progress]] = {}
    urgent: dict[tuple[str, int], datetime] = {}
    for kind in Kind:
        numbers = [each.number for each in things if each.kind == kind]
        said |= {(kind, number): found for number, found in said_of(kind, numbers).items()}
        called = Chase.objects.filter(kind=kind, number__in=numbers, step=Chase.Step.URGENT)
        urgent |= {(kind, number): at for number, at in called.values_list("number", "at")}
    lines = []
    for each in things:
        key = (each.kind, each.number)
        took = (takers if each.kind == Kind.RELEASE else fetched)[each.number]
        lines.append(_line(each, around, took, said.get(key, {}), urgent.get(key), now))
    return lines


def _fetches(packages: Iterable[Thing]) -> dict[int, dict[int, datetime]]:
    """Number of the package → organisation → when it fetched it first."""
    found: dict[int, dict[int, datetime]] = {each.number: {} for each in packages}
    rows = Fetch.objects.filter(package__in=found, person__organisation__is_centre=False).order_by("at", "pk")
    for package, organisation, at in rows.values_list("package_id", "person__organisation_id", "at"):
        found[package].setdefault(organisation, at)
    return found


def _line(
    thing: Thing,
    around: Circle,
    took: dict[int, datetime],
    said: dict[int, Progress],
    urgent_at: datetime | None,
    now: datetime,
) -> Line:
    is_open = set(thing.offered_to(around))
    wanted_by = due_at(thing.offered_at, urgent_at) if thing.is_chased or urgent_at else None
    members: dict[int, list[int]] = {}
    for key in sorted({*is_open, *took, *said}):
        if key in around.organisations and key != thing.source:
            members.setdefault(around.heads[key], []).append(key)
    shares = []
    for head, keys in members.items():
        progress = _together([said[key] for key in sorted(keys, key=lambda key: key == head) if key in said])
        opened = bool(is_open & {*keys})
        fetched_at = min((took[key] for key in keys if key in took), default=None)
        is_late = wanted_by is not None and now >= wanted_by and opened and progress.acknowledged_at is None
        shares.append(
            Share(
                organisation=around.organisations[head], is_open=opened, fetched_at=fetched_at, progress=progress,
                stage=_stage(progress, has_fetched=fetched_at is not None), is_overdue=is_late,
                units=tuple(
                    (around.organisations[key], _stage(said.get(key, Progress()), has_fetched=key in took))
                    for key in keys
                    if key != head
                ),
            )
        )  # fmt: skip
    shares.sort(key=lambda share: share.organisation.name)
    return Line(thing, wanted_by, urgent_at is not None, tuple(shares))


def _together(parts: Sequence[Progress]) -> Progress:
    """Of a bureau and its units: the first of each step; the answer of the bureau, which comes last, before others."""
    if len(parts) == 1:
        return parts[0]
    found = Progress()
    for each in parts:
        found.opened_at = _first(found.opened_at, each.opened_at)
        found.acknowledged_at = _first(found.acknowledged_at, each.acknowledged_at)
        if each.outcome:
            found.answered_at, found.outcome = each.answered_at, each.outcome
            found.usefulness, found.note = each.usefulness, each.note
        found.by = each.by or found.by
    return found


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _stage(progress: Progress, *, has_fetched: bool) -> Stage:
    return stage_of(
        has_fetched=has_fetched, has_opened=progress.opened_at is not None,
        has_acknowledged=progress.acknowledged_at is not None, outcome=progress.outcome,
    )  # fmt: skip
