"""What a reader is given and what it yields: the contract of every input format.

A format is one file in `formats/` with a `FORMAT` record. `recognise` looks at content, never at the name
alone; `read` streams: bounded memory, file order, one bad record never stops the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import polars as pl

from .later import Table
from .observations import DRAFT
from .profiles import Profile
from .words import Unit


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, after decompression, for recognition: `head` is at most 256 KiB."""

    head: bytes
    name: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read, after decompression. `name` is only a hint (report types live in it)."""

    name: str
    path: Path | None = None
    content: bytes | None = None

    def open(self) -> BinaryIO:
        """A fresh binary stream from the beginning."""
        if self.content is not None:
            return BytesIO(self.content)
        assert self.path is not None
        return self.path.open("rb")

    @property
    def size_bytes(self) -> int:
        if self.content is not None:
            return len(self.content)
        assert self.path is not None
        return self.path.stat().st_size

    def read_all(self, limit_bytes: int = 512 << 20) -> bytes:
        """The whole content; raises InputError("too-large") beyond the limit."""
        from .errors import InputError

        if self.size_bytes > limit_bytes:
            raise InputError("too-large")
        with self.open() as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class Rows:
    """Draft observations: columns named as in `observations.DRAFT`, text except `position` (Int64, required).

    `marking` is the sharing label of exactly these rows where the delivery says one ("TLP:AMBER"), else None.
    Missing columns take the profile's default, then the kernel's. `first_at` and `last_at` may be Datetime.
    """

    frame: pl.DataFrame
    marking: str | None = None
    unit: Unit = Unit.ROW
    day_first: bool = False
    """Whether the file shows that the day stands before the month in times such as 3/4/2026."""
    is_plain: bool = False
    """Whether the reader made sure that all texts are ASCII without control characters."""
    extra_names: frozenset[str] | None = None
    """The only keys that `extra` can have, where the reader knows them."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A knowledge object as it came: `raw` holds exactly its bytes; the rest was read out of them."""

    standard: str
    """stix-2.1, stix-2.0, misp, openioc-1.0, stix-1.x, csaf-2.0, yara, sigma, suricata, ..."""
    type: str
    id: str
    raw: bytes
    position: int
    version: str = ""
    """`modified` or the like: what tells two versions of one id apart; empty when the standard has none."""
    name: str = ""
    aliases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    refs: tuple[tuple[str, str], ...] = ()
    """(name of the relation or property, target id), for relationships also ("source", id), ("target", id)."""
    external_ids: tuple[str, ...] = ()
    """ATT&CK ids, CVE numbers and the like."""
    pattern: str = ""
    valid_from: str = ""
    valid_until: str = ""
    revoked: bool = False
    marking: str | None = None


THING_COLUMNS: Table[type[pl.DataType]] = Table(lambda: {
    "standard": pl.String, "type": pl.String, "object_id": pl.String, "version": pl.String, "name": pl.String,
    "labels": pl.String, "pattern": pl.String, "valid_from": pl.String, "valid_until": pl.String,
    "revoked": pl.Boolean, "raw": pl.Binary, "position": pl.Int64, "marking": pl.String,
})  # fmt: skip
LINK_COLUMNS: Table[type[pl.DataType]] = Table(lambda: {"thing": pl.Int64, "relation": pl.String, "target": pl.String})


@dataclass(frozen=True, slots=True)
class Things:
    """Many knowledge objects at once, for readers of large files: what so many Things say, as columns."""

    frame: pl.DataFrame
    """THING_COLUMNS, in file order; `labels` holds labels, aliases and external ids, one a line."""
    links: pl.DataFrame
    """LINK_COLUMNS: the row of `frame` that a reference comes from, its name and its target."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An indicator found in prose, for a reviewer: never released by itself."""

    kind: str
    value: str
    shown_as: str
    """As written in the document, defanged or not."""
    page: int
    """Page, part or section number, from 1; 1 where the document has no pages."""
    offset: int
    """Characters from the start of that page's text."""
    context: str
    """Up to 160 characters around it, on one line."""
    score: float = 0.5
    """In [0, 1]: how sure the extraction is."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that could not be used: position, field, reason code (core.reasons) and a short excerpt."""

    position: int
    unit: Unit
    reason: str
    field: str = ""
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a delivery says about itself as a whole; the last word wins for each field that is set."""

    title: str = ""
    marking: str | None = None
    producer: str = ""
    language: str = ""
    report_type: str = ""
    stated_count: int | None = None
    text: str = ""
    """Plain text of a document, for search; at most 1 MiB."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file inside the file (an attachment, a member of an archive), to be read by the same path."""

    source: Source
    position: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a file that can be read by itself: first byte, end, and how many lines stand before it."""

    start: int
    end: int
    line: int
    is_first: bool = False


Item = Rows | Thing | Things | Proposal | Rejection | Heading | Enclosed
Recognise = Callable[[Sample], int]
"""How sure one is that the sample is of the format: 0 no, 100 certain. Text lists answer low numbers."""
Read = Callable[[Source, Profile], Iterator[Item]]
Cut = Callable[[Source, Profile, int], list[Stretch] | None]
"""The stretches of about so many bytes that a file can be read by; None where it must be read as a whole. Raises
InputError as reading does."""
ReadCut = Callable[[Source, Profile, Sequence[Stretch]], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format's record of facts."""

    name: str
    title: str
    recognise: Recognise
    read: Read
    media_types: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    text: bool = field(default=True)
    """Whether content is text that may come in any encoding; the opener then re-codes it to UTF-8."""
    cut: Cut | None = None
    """How a large file is parted, for formats that can be read from the middle."""
    read_cut: ReadCut | None = None


def draft_frame(columns: Mapping[str, Iterable[object]]) -> pl.DataFrame:
    """A frame of draft columns from lists of equal length; raises ValueError on an unknown name."""
    unknown = set(columns) - set(DRAFT)
    if unknown:
        raise ValueError(f"not draft columns: {sorted(unknown)}")
    return pl.DataFrame(
        dict(columns),
        schema_overrides={name: (pl.Int64 if name == "position" else pl.String) for name in columns},
    )


def rows_of(records: list[dict[str, object]], marking: str | None = None, unit: Unit = Unit.OBJECT) -> Rows:
    """Rows from a few records (dicts of draft columns); for readers of objects, 10,000 records a call at most."""
    names = [name for name in DRAFT if any(name in record for record in records)]
    columns = {
        name: [
            record.get(name) if name == "position" or record.get(name) is None else str(record[name])
            for record in records
        ]
        for name in names
    }
    return Rows(draft_frame(columns), marking, unit)
