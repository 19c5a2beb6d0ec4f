"""Tables in text: comma, tab, semicolon or pipe between cells, by a saved column map or by a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Rows, Sample, Source, Stretch
from tocsin.core.words import Unit

from ._banners import feed_of
from ._columns import known_share, normal
from ._guessing import assign, columns_of, profile_of
from ._mapping import plan_of
from ._sniffing import Shape, lines_of, shape_of
from ._stretches import Ready
from ._tables import BLOCK_BYTES, Layout, read_tables

SAMPLE_BYTES = 256 << 10
TAIL_BYTES = 64 << 10
PREVIEW_ROWS = 20
TYPES_OF_HEADINGS = (
    (re.compile(r"(?:^|_)(?:c2|cnc|c_c|command_and_control)(?:_|$)"), "c2-server"),
    (re.compile(r"^(?:phish|phishing)_"), "phishing"),
    (re.compile(r"^(?:payload|dropper|malware|download)_(?:url|host|domain)"), "malware-distribution"),
    (re.compile(r"^(?:bot|infected|victim)_(?:ip|host|address)"), "infected-system"),
)
"""A heading of the value column, in normal form → the type of every row."""


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """What one column is thought to mean. `index` counts from 1; `draft` is empty for `extra`.

    "+md5" and the like stand for a further value of that kind in the same row, "+" for one of any kind.
    """

    name: str
    index: int
    draft: str
    confidence: float
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """A column map to look at, change and save, with what it would give."""

    profile: Profile
    columns: tuple[ColumnGuess, ...]
    preview: tuple[Mapping[str, object], ...]
    problems: tuple[Rejection, ...]


def guess(sample: Sample, profile: Profile | None = None) -> Guess:
    """How an unknown table could be read. Raises InputError("unknown-format") where there is no table."""
    given = profile or Profile()
    shape = shape_of(sample.head, given, sample.size_bytes)
    if shape is None:
        raise InputError("unknown-format" if sample.head.strip() else "empty-file")
    columns = columns_of(shape)
    assign(columns)
    found = profile_of(shape, columns, given)
    preview: list[Mapping[str, object]] = []
    problems: list[Rejection] = []
    head = sample.head[: sample.head.rfind(b"\n") + 1] or sample.head
    try:
        for item in read(Source(sample.name, content=head), found):
            if isinstance(item, Rows):
                preview += item.frame.head(PREVIEW_ROWS).to_dicts()
            elif isinstance(item, Rejection):
                problems.append(item)
    except InputError as error:
        problems.append(Rejection(0, Unit.FILE, error.reason, error.field, error.excerpt))
    preview.sort(key=lambda row: int(str(row["position"])))
    return Guess(
        profile=found,
        columns=tuple(
            ColumnGuess(
                column.name,
                column.index + 1,
                column.draft or (f"+{column.kind.strip('*')}" if column.kind and column.cells else ""),
                round(min(column.confidence, 1.0), 2),
                tuple(dict.fromkeys(column.cells))[:3],
            )
            for column in columns
        ),
        preview=tuple(preview[:PREVIEW_ROWS]),
        problems=tuple(problems[:PREVIEW_ROWS]),
    )


def layout_for(shape: Shape, profile: Profile) -> Layout:
    """The layout of the file, with at least as many cells as the map asks for."""
    asked = [place for place in [*profile.columns.values(), *profile.further.values()] if isinstance(place, int)]
    width = max([shape.layout.width, *asked])
    return replace(shape.layout, width=width)


def read(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> Iterator[Item]:
    """Draft rows block by block; rows that cannot be cut become rejections."""
    head = _head_of(source)
    ready = _ready(source, profile, head)
    yield from _no_table(source, head) if ready is None else ready.items(source, block_bytes)


def cut(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> list[Stretch] | None:
    """The stretches that the table can be read by."""
    ready = _ready(source, profile, _head_of(source))
    return None if ready is None else ready.stretches(source, block_bytes)


def read_cut(source: Source, profile: Profile, stretches: Sequence[Stretch]) -> Iterator[Item]:
    """What stands in some of them."""
    ready = _ready(source, profile, _head_of(source))
    assert ready is not None, "what is no table has no stretches"
    yield from ready.items_of(source, stretches)


def _head_of(source: Source) -> bytes:
    with source.open() as stream:
        head = stream.read(SAMPLE_BYTES)
    if not head.strip():
        raise InputError("empty-file")
    return head


def _ready(source: Source, profile: Profile, head: bytes) -> Ready | None:
    """How the table is read; None where there is none."""
    if b"\n" not in head and b"\r" not in head and len(head) >= SAMPLE_BYTES:
        shape = None
    else:
        shape = shape_of(head, profile, source.size_bytes)
    if shape is None:
        return None
    constants: Mapping[str, str] = {}
    if not profile.columns and (known := feed_of(head, FORMAT.name)) is not None:
        # A feed's file that was handed over without its profile: its roles and types travel in the rows.
        profile = replace(known.profile, marking=profile.marking or known.profile.marking)
        constants = profile.defaults
        shape = shape_of(head, profile, source.size_bytes) or shape
    if not profile.columns:
        columns = columns_of(shape)
        assign(columns)
        profile = profile_of(shape, columns, profile, _end_of(source, len(head)))
        constants = {**implied_by_heading(profile), **constants}
    layout = layout_for(shape, profile)
    if layout.width > len(shape.headings):
        names = shape.headings + ("",) * (layout.width - len(shape.headings))
        shape = replace_shape(shape, layout, names)
    plan = replace(plan_of(shape, profile), constants=constants)
    if not ({"value", "url", "hostname"} & {*plan.taken, *plan.joined} or plan.further):
        raise InputError("missing-columns", field="value", excerpt=layout.delimiter.join(shape.headings)[:120])
    return Ready(layout, plan, 3 if head.startswith(b"\xef\xbb\xbf") else 0, tuple(headings_of(head)))


def _end_of(source: Source, seen_bytes: int) -> str:
    """The last lines of a file that is longer than its sample."""
    if source.size_bytes <= seen_bytes:
        return ""
    with source.open() as stream:
        stream.seek(max(seen_bytes, source.size_bytes - TAIL_BYTES))
        return stream.read(TAIL_BYTES).decode("utf-8", errors="replace")


def implied_by_heading(profile: Profile) -> dict[str, str]:
    """What the heading of the values says of all of them: a column "c2_ip" lists command servers."""
    heading = normal(str(profile.columns.get("value", "")))
    if "type" in profile.columns or "type" in profile.defaults:
        return {}
    return next(({"type": kind} for pattern, kind in TYPES_OF_HEADINGS if pattern.search(heading)), {})


def replace_shape(shape: Shape, layout: Layout, names: tuple[str, ...]) -> Shape:
    """The same shape with other headings."""
    return Shape(layout, names, shape.has_header, shape.records, shape.consistency)


def _no_table(source: Source, head: bytes) -> Iterator[Item]:
    """A file that holds remarks only is an empty delivery; one without line ends is refused line by line."""
    if b"\n" not in head and len(head) >= SAMPLE_BYTES:
        with source.open() as stream:
            for item in read_tables(stream, Layout(",", 1)):
                if isinstance(item, Rejection):
                    yield item
        return
    if all(not line.strip() or line.lstrip().startswith(("#", ";", "//")) for line in lines_of(head)):
        yield Heading(stated_count=0)
        return
    raise InputError("unknown-format")


def headings_of(head: bytes) -> Iterator[Heading]:
    """The title that a banner of remarks gives the delivery, if there is one."""
    for line in lines_of(head)[:10]:
        if not line.startswith("#"):
            return
        text = line.strip("# \t")
        if len(text) > 5 and any(sign.isalpha() for sign in text):
            yield Heading(title=text[:200])
            return


def recognise(sample: Sample) -> int:
    """A table of at least two columns with values in it; prose and trees are none."""
    head = sample.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head or head[:1] in b"{[<" or b"\x00" in head[:4096]:
        return 0
    shape = shape_of(sample.head, Profile(), sample.size_bytes)
    if shape is None or shape.layout.width < 2:
        return 0
    columns = columns_of(shape)
    assign(columns)
    typed = any(column.draft == "kind" and column.confidence >= 0.95 for column in columns)
    valued = any(column.draft == "value" and (typed or column.share >= 0.5 or not column.cells) for column in columns)
    known = known_share(shape.headings) if shape.has_header else 0.0
    cut = [len(cells) > 1 for _, cells in shape.records]
    # A report with a few cells in it: most of its lines are no rows.
    if shape.consistency < 0.5 or sum(cut) < 0.6 * len(cut):
        return 0
    if known >= 0.5 and valued:
        return 60
    if valued and (shape.consistency >= 0.8 or known * shape.layout.width >= 2):
        return 50
    told = sum(column.draft not in {"", "kind"} for column in columns)
    if shape.has_header and shape.layout.width >= 3 and shape.consistency >= 0.98 and told >= 2 and len(cut) >= 20:
        return 40  # A table of something else, with words in its cells: no prose, and a person maps it or does not.
    numbers = all(column.content in {"integer", "number", "empty"} for column in columns)
    if numbers and shape.layout.width >= 5 and shape.consistency >= 0.98:
        return 13  # Bare figures: no text, and no indicator in them.
    # A table without a value column is no delivery, but the page that maps columns should be offered.
    return 15 if shape.has_header and shape.consistency >= 0.9 and known >= 0.3 else 0


FORMAT = Format(
    name="delimited",
    title="Table in text (CSV, TSV) by column map",
    recognise=recognise,
    read=read,
    media_types=("text/csv", "text/tab-separated-values"),
    extensions=(".csv", ".tsv", ".psv"),
    cut=cut,
    read_cut=read_cut,
)

__all__ = ["FORMAT", "ColumnGuess", "Guess", "guess", "read", "recognise"]
