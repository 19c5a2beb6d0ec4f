"""One delivery from bytes to files: open, read, normalise, write. Knows no database; runs in the sandbox.

What it leaves in the work folder is complete on disk but not registered: without the commit it does not exist.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tocsin import formats
from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Heading, Proposal, Rejection, Rows, Source, Thing, Things
from tocsin.core.reasons import REASONS
from tocsin.core.words import Basis, Tlp, Unit
from tocsin.formats import delimited
from tocsin.handling import narrowest, tlp_of
from tocsin.lake import files, objects
from tocsin.lake.keys import Writer
from tocsin.lake.normalise import REJECTION_SCHEMA, Context, Normalised, normalise
from tocsin.lake.repeats import KEY_COLUMNS, Recount, Seen
from tocsin.reference.addresses import AddressTables
from tocsin.transport import opening

from .graded import GRADES_IN_DELIVERY, grades_of_things, parts_by_grade
from .personal_scan import PersonalScan
from .screening import MACHINE_FORMATS, Screening, worth_a_look
from .tallying import NAME_KEYS, TALLY_KEYS, alone, conflicts_of, names_of, tallied, tallies_of
from .thing_frames import storable, thing_frames

log = logging.getLogger(__name__)

BATCHES_IN_DELIVERY = 1000
"""Batch numbers are delivery × this + ordinal: known before the commit, the same when read again."""
THINGS_IN_PART = 20_000
OF_OBJECTS = frozenset({"things", "blocks", "mentions"})
"""Parts that go into the database at once, and that the reader need not pack."""
REJECTIONS_IN_PART = 200_000
PARTS_HELD = 4
"""Files after which what they told is put together."""
CONFLICTS_KEPT = 5_000
WHOLE_FILE_REASONS = frozenset(
    {"too-deep", "truncated", "not-json", "not-xml", "xml-entities", "wrong-encoding", "line-too-long", "duplicate-key"}
    | {reason for reason in REASONS if reason.startswith(("archive-", "document-"))}
)
"""Reasons that concern a file as a whole: when nothing else came of a delivery, it is set aside for the first."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the reader of a delivery is told."""

    delivery: int
    path: Path
    name: str
    received_at: datetime
    profile: Profile
    work: Path
    limits: opening.Limits = opening.LIMITS
    seal: Writer | None = None
    """What seals the files of observations; None: they are written in the clear."""
    remembered: Mapping[str, Profile] = field(default_factory=dict)
    """Fingerprint of a table's header → the column map that a person saved for this partner."""


@dataclass(slots=True)
class Outcome:
    """What became of it. Paths are relative to the work folder."""

    state: str = "parsed"
    reason: str = ""
    where: str = ""
    format: str = ""
    title: str = ""
    language: str = ""
    producer: str = ""
    marking: str | None = None
    """The narrowest label that a file of the delivery bears."""
    is_partly_labelled: bool = False
    """Whether a file of it bears none, so that the label is not that of all."""
    batches: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, list[str]] = field(default_factory=dict)
    """Names of parts: things, blocks, mentions, proposals, rejections, tallies, names, conflicts → Parquet files."""
    finds: list[dict[str, Any]] = field(default_factory=list)
    """Triggers of articles 2 and 3, each with its place and the words around it."""
    personal: list[dict[str, Any]] = field(default_factory=list)
    """People's data: kind, field, how many, the label of the part."""
    rows: int = 0
    repeats: int = 0
    things: int = 0
    proposals: int = 0
    rejections: int = 0
    conflicts: int = 0
    countries: int = 0


Progress = Callable[[int, int], None]
"""Called with rows so far and bytes of the file that is being read."""


def read_delivery(order: Order, tables: AddressTables, progress: Progress | None = None) -> Outcome:
    """Read everything in the delivery; never raises for what the sender did, only for our own faults."""
    return Reading(order, tables, progress).run()


class Reading:
    """The state of one reading: open batches, buffered rows, and what was refused."""

    def __init__(self, order: Order, tables: AddressTables, progress: Progress | None) -> None:
        self.order = order
        self.outcome = Outcome()
        self.context = Context(order.profile, order.received_at, tables)
        self.progress = progress
        self.seen = Seen()
        self.recount = Recount(order.work)
        self.keys: list[pl.DataFrame] = []
        self.batches: dict[tuple[str, str], int] = {}
        self.buffer: list[pl.DataFrame] = []
        self.buffered = 0
        self.things: list[Thing | Things] = []
        self.things_waiting = 0
        self.proposals: list[dict[str, Any]] = []
        self.refused: list[pl.DataFrame] = []
        self.refused_rows = 0
        self.tallies: list[pl.DataFrame] = []
        self.name_tallies: list[pl.DataFrame] = []
        self.conflicts: list[pl.DataFrame] = []
        self.conflicts_kept = CONFLICTS_KEPT
        self.countries: set[str] = set()
        self.screening, self.personal = Screening(), PersonalScan()
        self.first_error: InputError | None = None
        self.file_name = ""
        self.file_label: Tlp | None = None

    def run(self) -> Outcome:
        self.gather()
        self._write_rows()
        self._write_things()
        self.conclude()
        return self.outcome

    def gather(self) -> None:
        """Open all files of it and take what they hold."""
        unpacked = self.order.work / "unpacked"
        try:
            for opened in opening.open_delivery(self.order.path, self.order.name, unpacked, self.order.limits):
                if isinstance(opened, Rejection):
                    self._reject(opened)
                else:
                    self._read(opened.source, opened.inner_name if opened.depth else "")
        except InputError as error:
            self._fail(error)

    def _read(self, source: Source, inner_name: str) -> None:
        self.file_name, self.file_label = inner_name, None
        try:
            found = opening.format_of(source, self.order.profile, formats)
            self.outcome.format = self.outcome.format or found.name
            profile = self.profile_for(source, found.name)
            self.screening.is_machine = self.personal.is_machine = found.name in MACHINE_FORMATS
            self.personal.role_known = bool(profile.defaults.get("role"))
            self.context = dataclasses.replace(self.context, profile=profile)
            known = found if profile is self.order.profile else None
            for item in opening.read_source(source, profile, formats, self.order.limits, known):
                self._take(item)
        except InputError as error:
            self._fail(error)
        finally:
            self.file_name = ""
            self.note_label()

    def note_label(self) -> None:
        """At the end of a file. A delivery of several files bears the narrowest of their labels: what one says must not
        open another."""
        if self.file_label is None:
            self.outcome.is_partly_labelled = True
            return
        known = tlp_of(self.outcome.marking or "")
        self.outcome.marking = str(narrowest(filter(None, (known, self.file_label))))

    def profile_for(self, source: Source, format_name: str) -> Profile:
        """The delivery's own profile, or the map remembered for a table with this header."""
        profile = self.order.profile
        if profile.columns or not self.order.remembered or format_name != "delimited":
            return profile
        known = self.order.remembered.get(fingerprint_of(delimited.guess(opening.sample_of(source))))
        return known or profile

    def _fail(self, error: InputError) -> None:
        """A file that cannot be read further: its good part stays, the rest is one rejection."""
        self.first_error = self.first_error or error
        shown = " ".join(part for part in (error.position, error.field, error.excerpt) if part)
        self._reject(Rejection(0, Unit.FILE, error.reason, error.field, shown[:200]))

    def _take(self, item: object) -> None:
        worth = worth_a_look(item.frame) if isinstance(item, Things) else None
        self.screening.look(item, worth)
        self.personal.look(item, worth)
        self.keep(item)

    def keep(self, item: object) -> None:
        """Take what was looked at."""
        match item:
            case Rows():
                for part, grade in parts_by_grade(item):
                    self._take_rows(part, grade)
            case Thing():
                self._keep_things(item, 1)
            case Things():
                self._keep_things(item, item.frame.height)
            case Proposal():
                self.batch(None)
                self.proposals.append(dataclasses.asdict(item))
                self.outcome.proposals += 1
            case Rejection():
                self._reject(item)
            case Heading():
                self._take_heading(item)

    def _take_heading(self, heading: Heading) -> None:
        outcome = self.outcome
        outcome.title = heading.title or outcome.title
        outcome.language = heading.language or outcome.language
        outcome.producer = heading.producer or outcome.producer
        self.file_label = tlp_of(heading.marking or "") or self.file_label
        if heading.text:
            self.batch(None)
            document = {"title": heading.title, "language": heading.language, "text": heading.text}
            # A reader may repeat its heading with more text: the last word holds for the same file.
            outcome.documents = [each for each in outcome.documents if each.get("file") != self.file_name]
            outcome.documents.append({"file": self.file_name, **document})

    def _take_rows(self, rows: Rows, grade: str) -> None:
        done = normalise(rows, self.context, self.seen)
        self.recount.note(done.again)
        self.outcome.repeats += done.repeats
        if done.rejections.height:
            self._keep_refused(done)
        if done.frame.height:  # A part of which every record was refused is none: nobody could be given it.
            batch = self.batch(rows.marking, grade)
            self.outcome.batches[batch - self.first_batch]["rows"] += done.frame.height
            self.keys.append(done.keys.with_columns(pl.col("row") + self.buffered))
            of_batch = files.narrow(done.frame).with_columns(pl.lit(batch, dtype=pl.Int64).alias("batch"))
            self.buffer.append(of_batch)
            self.buffered += done.frame.height
            self.outcome.rows += done.frame.height
        if self.buffered >= files.ROWS_IN_FILE:
            self._hold_rows()
        if self.progress is not None:
            self.progress(self.outcome.rows, 0)

    @property
    def first_batch(self) -> int:
        return self.order.delivery * BATCHES_IN_DELIVERY

    def batch(self, marking: str | None, grade: str = "") -> int:
        """The number of the batch for this label and grade; None and empty mean: the delivery's own."""
        key = (marking or "", grade)
        if key not in self.batches:
            if grade and len({graded for _, graded in self.batches}) > GRADES_IN_DELIVERY:
                return self.batch(marking)
            self.batches[key] = self.first_batch + len(self.batches)
            self.outcome.batches.append(
                {"number": self.batches[key], "marking": marking, "grade": grade, "rows": 0, "things": 0}
            )
        return self.batches[key]

    def _reject(self, item: Rejection) -> None:
        if item.reason in WHOLE_FILE_REASONS and self.first_error is None:
            self.first_error = InputError(item.reason, f"{item.unit} {item.position}", item.field, item.excerpt)
        frame = pl.DataFrame(
            {
                "position": [item.position],
                "unit": [item.unit.value],
                "reason": [item.reason],
                "field": [item.field],
                "excerpt": [item.excerpt[:200]],
            },
            schema=REJECTION_SCHEMA,
        )
        self.keep_rejections(frame)

    def _keep_refused(self, done: Normalised) -> None:
        self.keep_rejections(done.rejections)

    def keep_rejections(self, frame: pl.DataFrame) -> None:
        """Keep what was refused of the file at hand."""
        self.outcome.rejections += frame.height
        self.refused.append(alone(frame).with_columns(pl.lit(self.file_name).alias("file")))
        self.refused_rows += frame.height
        if self.refused_rows >= REJECTIONS_IN_PART:
            self._write_rejections()

    def _part(self, kind: str, frame: pl.DataFrame) -> None:
        if frame.height == 0:
            return
        names = self.outcome.parts.setdefault(kind, [])
        name = f"{kind}-{len(names)}.{'arrow' if kind in OF_OBJECTS else 'parquet'}"
        path = self.order.work / name
        if kind in OF_OBJECTS:
            frame.write_ipc(path)
        else:
            frame.write_parquet(path, compression="zstd", compression_level=1)
        names.append(name)

    def _write_rejections(self) -> None:
        if self.refused:
            self._part("rejections", pl.concat(self.refused))
        self.refused, self.refused_rows = [], 0

    def _waiting(self) -> tuple[pl.DataFrame, pl.DataFrame] | tuple[None, None]:
        """The rows that wait, and their keys; they wait no longer."""
        if not self.buffer:
            return None, None
        frame = pl.concat(self.buffer, how="diagonal")
        keys = pl.concat(self.keys).cast(KEY_COLUMNS)  # type: ignore[arg-type]
        self.buffer, self.keys, self.buffered = [], [], 0
        return frame, keys

    def _hold_rows(self) -> None:
        frame, keys = self._waiting()
        if frame is not None and keys is not None:
            self.recount.hold(frame, keys, self.seen.held_bytes)

    def _write_rows(self) -> None:
        self.seen = Seen()  # Nothing more is asked of it, and writing needs the room.
        for held in self.recount.settled(*self._waiting()):
            frame = files.whole(held)
            self.write_file(frame, f"{self.order.delivery}-{len(self.outcome.files)}.parquet")
            del frame  # Before the next one is read.
            self.join_parts(len(self.outcome.files))
            if self.progress is not None:
                self.progress(self.outcome.rows, 0)

    def write_file(self, frame: pl.DataFrame, name: str) -> None:
        """Write rows as a file of the lake, and sum them up."""
        written = files.write(frame, self.order.work / name, self.order.seal)
        self.outcome.files.append({**dataclasses.asdict(written), "path": name})
        self.tally(frame)

    def join_parts(self, files_made: int) -> None:
        """What many files of one delivery told, as one: memory grows with what differs, not with the files."""
        if files_made % PARTS_HELD:
            return
        self.tallies = [alone(tallies_of(self.tallies))] if self.tallies else []
        self.name_tallies = [alone(names_of(self.name_tallies))] if self.name_tallies else []
        self.conflicts = [alone(conflicts_of(self.conflicts))] if self.conflicts else []

    def tally(self, frame: pl.DataFrame) -> None:
        """What maps and charts are drawn from, and the conflicts that wait for a person."""
        day = pl.col("first_at").dt.date().alias("day")
        days = frame.select("batch", day, pl.col("country").fill_null(""), "type", "role", "count")
        self.tallies.append(tallied(days))
        named = frame.filter(pl.col("malware").is_not_null())
        if named.height:
            last = pl.col("last_at").max().dt.date().alias("last_day")
            keys = ["batch"] if named["batch"].n_unique() > 1 else []
            grouped = named.group_by(*keys, pl.col("country").fill_null(""), "malware").agg(
                pl.len().cast(pl.Int64).alias("rows"), last
            )
            if not keys:
                grouped = grouped.with_columns(pl.lit(named["batch"][0], dtype=pl.Int64).alias("batch"))
            self.name_tallies.append(grouped.select("batch", "country", "malware", "rows", "last_day"))
        conflicts = frame.filter(pl.col("country_basis") == Basis.CONFLICT.value)
        if conflicts.height:
            self.outcome.conflicts += conflicts.height
            claims = ["stated_country", "registry_country", "geo_country", "tld_country"]
            subject = pl.coalesce("network", "value").alias("subject")
            self.conflicts.append(
                conflicts.group_by(
                    "batch", pl.when(pl.col("network").is_null()).then("kind").alias("kind"), subject, *claims
                ).agg(pl.len().cast(pl.Int64).alias("rows"), pl.col("value").min().alias("example"))
            )
        self.countries.update(frame["country"].drop_nulls().unique())

    def _keep_things(self, item: Thing | Things, count: int) -> None:
        self.things.append(item)
        self.things_waiting += count
        self.outcome.things += count
        if self.things_waiting >= THINGS_IN_PART:
            self._write_things()

    def _write_things(self) -> None:
        if not self.things:
            return
        frame, links = map(storable, thing_frames(self.things))
        self.write_objects(frame, links, self.batches_of(frame["marking"], grades_of_things(frame)))
        self.things, self.things_waiting = [], 0

    def batches_of(self, markings: pl.Series, grades: Sequence[str]) -> list[int]:
        """The number of the batch of each object, which is counted there."""
        under = list(zip(markings, grades, strict=True))
        known = {each: self.batch(*each) for each in dict.fromkeys(under)}
        for each, things in Counter(under).items():
            self.outcome.batches[known[each] - self.first_batch]["things"] += things
        return list(map(known.__getitem__, under))

    def write_objects(self, frame: pl.DataFrame, links: pl.DataFrame, batches: list[int]) -> None:
        """Write parts of objects and their links, each of the batch with that number."""
        numbers = pl.Series(batches, dtype=pl.Int64)
        # Three parts in step: rows, bodies, and keys that lead to them.
        if not numbers.is_sorted():  # A block holds objects of one batch: what is sealed is sealed with its batch.
            order = pl.Series(np.argsort(numbers.to_numpy(), kind="stable"))
            places = np.empty(len(order), np.int64)
            places[order.to_numpy()] = np.arange(len(order))
            frame, numbers = frame[order], numbers[order]
            moved = places[links["thing"].to_numpy()]
            by_place = np.argsort(moved, kind="stable")
            links = links[pl.Series(by_place)].with_columns(pl.Series("thing", moved[by_place], dtype=pl.Int64))
        ids = objects.keys_of(objects.Way.ID, frame["object_id"])
        self._part("things", frame.select(*objects.ROW_COLUMNS, numbers.alias("batch"), pl.Series("key", ids)))
        self._part("blocks", objects.blocks_of(frame, links, numbers))
        self._part("mentions", objects.mentions_of(frame, links, ids))

    def _write_rest(self) -> None:
        self._write_rejections()
        if self.proposals:
            self._part("proposals", pl.DataFrame(self.proposals, infer_schema_length=None))
        if self.tallies:
            self._part("tallies", tallies_of(self.tallies).sort(TALLY_KEYS))
        if self.name_tallies:
            self._part("names", names_of(self.name_tallies).sort(NAME_KEYS))
        if self.conflicts:
            self._part("conflicts", conflicts_of(self.conflicts).head(self.conflicts_kept))
        self.outcome.countries = len(self.countries)

    def conclude(self) -> None:
        """Write what is left, and say how the delivery stands."""
        self._write_rest()
        self._judge()

    def _judge(self) -> None:
        """Quarantined when nothing could be used and something was wrong with a file as a whole, or on an attack."""
        outcome = self.outcome
        outcome.finds, outcome.personal = self.screening.finds, self.personal.finds
        used = outcome.rows or outcome.things or outcome.proposals or outcome.documents or outcome.repeats
        hostile = self.first_error is not None and self.first_error.reason == "archive-bomb"
        if self.first_error is not None and (hostile or not used):
            outcome.state = "quarantined"
            outcome.reason = self.first_error.reason
            parts = (self.first_error.position, self.first_error.field, self.first_error.excerpt)
            outcome.where = " ".join(part for part in parts if part)[:200]


def fingerprint_of(guess: delimited.Guess) -> str:
    """What tells one partner's table from another: the names of its columns, in order; empty where it names none."""
    names = [column.name for column in guess.columns]
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest() if any(names) else ""


def order_from_json(told: Mapping[str, Any]) -> Order:
    """An order as it comes through the pipe."""
    return Order(
        delivery=told["delivery"],
        path=Path(told["path"]),
        name=told["name"],
        received_at=datetime.fromisoformat(told["received_at"]),
        profile=profile_from_json(told["profile"]),
        work=Path(told["work"]),
        seal=Writer.of(told["seal"]) if told.get("seal") else None,
        remembered={key: profile_from_json(body) for key, body in told.get("remembered", {}).items()},
    )


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Plain values, for the pipe to the parent."""
    return dataclasses.asdict(outcome)


def profile_from_json(body: Mapping[str, Any]) -> Profile:
    """The profile that was kept with a delivery; unknown names are ignored so that old deliveries stay readable."""
    known = {each.name for each in dataclasses.fields(Profile)}
    return Profile(**{name: value for name, value in body.items() if name in known})


def profile_to_json(profile: Profile) -> dict[str, Any]:
    """Plain values of a profile."""
    return {
        each.name: dict(value) if isinstance(value := getattr(profile, each.name), Mapping) else value
        for each in dataclasses.fields(profile)
    }


def parts_of(outcome: Mapping[str, Any], kind: str, work: Path) -> Iterator[pl.DataFrame]:
    """The frames of one kind that a reading left in its work folder, in order."""
    for name in outcome["parts"].get(kind, ()):
        yield pl.read_ipc(work / name) if name.endswith(".arrow") else pl.read_parquet(work / name)
