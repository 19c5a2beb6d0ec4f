"""Several small deliveries in one reading: each is opened, looked at and judged by itself, and what all of them hold
goes through the kernel, into one file and into one set of parts at once. Knows no database; runs in the sandbox.

What a reading costs beside its bytes is the same for ten objects as for ten thousand. Only what is plain is read so:
whatever has to be asked about, set aside or counted over several parts is left to be read alone, by `reading`, and
comes out as it ever did. Both ways give the same (tests/engines/test_together.py).
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from tocsin import formats
from tocsin.core.errors import InputError, is_fault_of_the_machine
from tocsin.core.reading import Rejection, Rows, Source, Thing, Things
from tocsin.core.words import Basis
from tocsin.formats import stix2
from tocsin.lake import files
from tocsin.lake.normalise import PART, RECEIVED, REJECTION_SCHEMA, Context, normalise
from tocsin.reference.addresses import AddressTables
from tocsin.transport import opening
from tocsin.transport.archives import container_of

from .graded import grades_of_things, parts_by_grade
from .personal_scan import PersonalScan
from .reading import CONFLICTS_KEPT, Order, Reading, outcome_json
from .screening import Screening, worth_a_look
from .thing_frames import storable, thing_frames

log = logging.getLogger(__name__)

FORMAT = "stix2"
MOST_ROWS = CONFLICTS_KEPT
"""Of one delivery: larger ones gain nothing."""
MOST_THINGS = 5_000


class Member(Reading):
    """One of them: takes everything in, and leaves what is written for all at once."""

    def __init__(self, order: Order, tables: AddressTables) -> None:
        super().__init__(order, tables, None)
        self.drafts: list[tuple[Rows, str]] = []
        self.roles: list[str] = []
        self.kinds: list[str] = []

    def _take_rows(self, rows: Rows, grade: str) -> None:
        self.drafts.append((rows, grade))

    def _keep_things(self, item: Thing | Things, count: int) -> None:
        self.things.append(item)
        self.outcome.things += count

    def objects(self) -> list[bytes] | None:
        """All its objects, where nothing has to be known of it but them; else it is to be gathered."""
        order = self.order
        if container_of(order.path) is not None:
            return None
        unpacked = order.work / "unpacked"
        try:
            [opened] = opening.open_delivery(order.path, order.name, unpacked, order.limits)
            if isinstance(opened, opening.Opened) and _is_stix(opened.source, order):
                return stix2.plain_objects(opened.source)
        except InputError:  # Whoever gathers it meets the same fault.
            pass
        shutil.rmtree(unpacked, ignore_errors=True)
        return None

    def begin(self) -> None:
        """As a reading of its one file would."""
        self.outcome.format = FORMAT
        self.note_label()

    @property
    def is_plain(self) -> bool:
        """Whether it can be read with others, and comes out as if it were read alone."""
        outcome = self.outcome
        return (
            outcome.format == FORMAT
            and self.first_error is None
            and not (outcome.documents or outcome.proposals or self.screening.finds or self.personal.finds)
            and outcome.things <= MOST_THINGS
            and len(self.drafts) <= 1  # What comes again under another label is a count of the first.
            and sum(rows.frame.height for rows, _ in self.drafts) <= MOST_ROWS
            and self.order.profile.window_minutes <= 0
        )

    def told(self) -> dict[str, Any]:
        """What became of it, and what types of data it holds."""
        self.outcome.countries = len(self.countries)
        self._write_rest()
        self._judge()
        return outcome_json(self.outcome) | {"roles": self.roles, "kinds": self.kinds}


@dataclass(slots=True)
class _Draft:
    """Rows of a member, as they go through the kernel with those of others."""

    member: Member
    rows: Rows
    grade: str

    @property
    def like(self) -> tuple[object, ...]:
        """What the kernel is told of a whole frame."""
        return self.rows.unit, self.rows.day_first, self.rows.is_plain


def read_together(orders: Sequence[Order], tables: AddressTables) -> dict[str, Any]:
    """`members`: the outcome of each order, without the parts that all share; None where it is to be read alone.
    `joint`: their shared files and parts, in the work folder of the first order. Never raises for what a sender did."""
    members = _gathered(orders, tables)
    first = orders[0].profile
    plain = [each for each in members if each.is_plain and each.order.profile == first]
    plain.sort(key=lambda each: each.order.delivery)  # Batches ascend, as a file has them.
    joint = Reading(orders[0], tables, None)
    joint.conflicts_kept *= len(orders)
    if plain:
        _write_rows(joint, plain)
        _write_things(joint, plain)
    told = {each.order.delivery: each.told() for each in plain}
    joint.outcome.batches = [made for each in told.values() for made in each["batches"]]
    joint.conclude()
    return {"members": [told.get(order.delivery) for order in orders], "joint": outcome_json(joint.outcome)}


def _is_stix(source: Source, order: Order) -> bool:
    return opening.format_of(source, order.profile, formats).name == FORMAT


def _gathered(orders: Sequence[Order], tables: AddressTables) -> list[Member]:
    """What each holds: of the plain ones taken at once, of the others one after the other."""
    members = [Member(order, tables) for order in orders]
    first = members[0].order.profile
    found = [member.objects() if member.order.profile == first else None for member in members]
    several = [(member, raws) for member, raws in zip(members, found, strict=True) if raws]
    taken: set[int] = set()
    if len(several) > 1:
        try:
            taken = _gather_plain(several)
        except Exception as error:
            if is_fault_of_the_machine(error):
                raise
            log.exception("Several could not be read at once.")  # Whose fault it is shows when each is read.
            members = [Member(order, tables) for order in orders]
    for member in members:
        if member.order.delivery not in taken:
            member.gather()
    return members


def _gather_plain(several: Sequence[tuple[Member, list[bytes]]]) -> set[int]:
    """Numbers of these deliveries, whose objects are now where `gather` would have put them."""
    profile = several[0][0].order.profile
    ends = np.cumsum([len(raws) for _, raws in several])
    things, rows, others = stix2.read_several([raws for _, raws in several], profile)
    worth = worth_a_look(things.frame)
    screening, personal = Screening(), PersonalScan()
    personal.role_known = bool(profile.defaults.get("role"))
    for item in (things, *rows):
        screening.look(item, worth)
        personal.look(item, worth)
    is_clear = not (screening.found or personal.found)
    parts = [_parts_of_things(things, ends), *(_parts_of_rows(each, ends) for each in rows)]
    is_graded = any(grade for each in rows for _, grade in parts_by_grade(each))
    items: list[list[Things | Rows]] = [[part for part in of_each if part is not None]
                                        for of_each in zip(*parts, strict=True)]  # fmt: skip
    for place, (member, raws) in enumerate(several):
        member.begin()
        for at, other in others:
            if (own := at - (int(ends[place]) - len(raws))) in range(len(raws)):
                member.keep(dataclasses.replace(other, position=own + 1) if isinstance(other, Rejection) else other)
        for item in items[place]:
            if not is_clear:
                member._take(item)
            elif isinstance(item, Rows) and not is_graded:
                member._take_rows(item, "")
            else:
                member.keep(item)
    return {member.order.delivery for member, _ in several}


def _own_places(frame: pl.DataFrame, ends: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
    """The frame with the position that each row has in its own delivery, and where the rows of each delivery end."""
    places = frame["position"].to_numpy()
    before = np.concatenate([[0], ends[:-1]])[np.searchsorted(ends, places, side="right")]
    own = pl.Series("position", places - before + 1, dtype=pl.Int64)
    return frame.with_columns(own), np.searchsorted(places, ends)


def _parts_of_things(things: Things, ends: np.ndarray) -> list[Things | Rows | None]:
    frame, until = _own_places(things.frame, ends)
    begins = np.concatenate([[0], until[:-1]])
    of = things.links["thing"].to_numpy()
    own = of - begins[np.searchsorted(until, of, side="right")] if len(of) else of
    links = things.links.with_columns(pl.Series("thing", own, dtype=pl.Int64))
    linked = [*np.searchsorted(of, begins).tolist(), len(of)]
    return [
        Things(frame[begin:end], links[linked[place] : linked[place + 1]]) if end > begin else None
        for place, (begin, end) in enumerate(zip(begins.tolist(), until.tolist(), strict=True))
    ]


def _parts_of_rows(rows: Rows, ends: np.ndarray) -> list[Things | Rows | None]:
    frame, until = _own_places(rows.frame, ends)
    cuts = [0, *until.tolist()]
    return [dataclasses.replace(rows, frame=frame[begin:end]) if end > begin else None for begin, end in pairwise(cuts)]


def _write_rows(joint: Reading, members: Sequence[Member]) -> None:
    waiting = [_Draft(member, *draft) for member in members for draft in member.drafts if draft[0].frame.height]
    made = []
    for like in dict.fromkeys(draft.like for draft in waiting):
        made += _normalised([draft for draft in waiting if draft.like == like], joint.context)
    if made:
        whole = files.whole(pl.concat(made, how="diagonal").sort("batch", maintain_order=True))
        joint.write_file(whole, f"together-{joint.order.delivery}.parquet")


def _normalised(drafts: Sequence[_Draft], context: Context) -> list[pl.DataFrame]:
    """The observations of all, each with its batch; what each counts is noted at its member."""
    heights = [draft.rows.frame.height for draft in drafts]
    received = pl.Series([draft.member.order.received_at for draft in drafts]).dt.cast_time_unit("us")
    part = np.repeat(np.arange(len(drafts), dtype=np.int32), heights)
    frame = pl.concat([draft.rows.frame for draft in drafts], how="diagonal")
    frame = frame.with_columns(pl.Series(PART, part), received.gather(part).alias(RECEIVED))
    context = dataclasses.replace(context, profile=drafts[0].member.order.profile)
    done = normalise(dataclasses.replace(drafts[0].rows, frame=frame), context)
    assert done.parts is not None
    for draft, height in zip(drafts, heights, strict=True):
        draft.member.outcome.repeats = height
    if done.rejections.height:
        for (place,), refused in done.rejections.group_by(PART, maintain_order=True):
            member = drafts[int(str(place))].member
            member.keep_rejections(refused.select(list(REJECTION_SCHEMA)))
            member.outcome.repeats -= refused.height
    return [_noted(drafts, done.frame, done.parts)] if done.frame.height else []


def _noted(drafts: Sequence[_Draft], frame: pl.DataFrame, parts: pl.Series) -> pl.DataFrame:
    """The rows with their batches; what there is of each draft is noted at its member."""
    told = (
        frame.lazy().select("role", "country", "country_basis", parts)
        .group_by(PART).agg(
            pl.len().alias("rows"),
            (pl.col("country_basis") == Basis.CONFLICT.value).sum().alias("conflicts"),
            pl.col("country").drop_nulls().unique(),
            pl.col("role").unique().sort(),
        ).collect()
    )  # fmt: skip
    batches = np.zeros(len(drafts), np.int64)
    for place, rows, conflicts, countries, roles in told.sort(PART).iter_rows():
        draft = drafts[place]
        member = draft.member
        batches[place] = batch = member.batch(draft.rows.marking, draft.grade)
        member.outcome.batches[batch - member.first_batch]["rows"] += rows
        member.outcome.rows += rows
        member.outcome.repeats -= rows
        member.outcome.conflicts += conflicts
        member.countries.update(countries)
        member.roles = roles
    return files.narrow(frame).with_columns(pl.Series("batch", batches[parts.to_numpy()], dtype=pl.Int64))


def _write_things(joint: Reading, members: Sequence[Member]) -> None:
    having = [each for each in members if each.things]
    if not having:
        return
    frame, links = map(storable, thing_frames([item for each in having for item in each.things]))
    grades, batches, start = grades_of_things(frame), [], 0
    for member in having:
        here = slice(start, start + member.outcome.things)
        kinds = frame["type"][here]
        member.kinds = sorted(kinds.unique())
        batches += member.batches_of(frame["marking"][here], grades[here])
        start = here.stop
    joint.write_objects(frame, links, batches)
