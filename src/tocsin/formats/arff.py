"""ARFF, the attribute-relation files of data mining: headings as @attribute lines, then comma-separated rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source

from ._guessing import assign, columns_of, profile_of
from ._mapping import Plan, draft_rows
from ._sniffing import Shape, shape_of
from ._tables import BLOCK_BYTES, Layout, read_tables

SAMPLE_BYTES = 256 << 10
_ATTRIBUTE = re.compile(r"(?im)^\s*@attribute\s+(?:'([^']+)'|\"([^\"]+)\"|(\S+))")
_DATA = re.compile(rb"(?im)^\s*@data[^\n]*\n?")
_RELATION = re.compile(rb"(?im)^\s*@relation\s+([^\r\n]+)")


def recognise(sample: Sample) -> int:
    """Attributes with a @relation line above or a @data line below them; some files lack the one or the other."""
    head = sample.head[:16_384]
    named = re.search(rb"(?im)^\s*@attribute\s+\S+\s+\S", head)
    return 95 if named and (_RELATION.search(head) or _DATA.search(sample.head)) else 0


def read(source: Source, profile: Profile, block_bytes: int = BLOCK_BYTES) -> Iterator[Item]:
    """Draft rows; a set of bare features without an indicator is refused as a whole."""
    with source.open() as stream:
        head = stream.read(SAMPLE_BYTES)
    start = _DATA.search(head)
    text = (head[: start.start()] if start else head).decode("utf-8", errors="replace")
    names = tuple(next(part for part in found if part) for found in _ATTRIBUTE.findall(text))
    if not names or start is None:
        raise InputError("truncated" if names else "missing-columns", field="@data" if names else "@attribute")
    relation = _RELATION.search(head)
    yield Heading(title=relation[1].decode("utf-8", errors="replace").strip(" '\"") if relation else "")
    lines = head[: start.end()].count(b"\n")
    shape = shape_of(head[start.end() :], Profile(delimiter=",", header=False, quote="'"), source.size_bytes)
    if shape is None:
        return
    layout = Layout(",", len(names), quote="'", comments=("%",), skip_lines=lines)
    named = Shape(layout, names, True, shape.records, 1.0)
    columns = columns_of(named)
    assign(columns)
    found = profile if profile.columns else profile_of(named, columns, profile)
    taken = {draft: names.index(place) for draft, place in found.columns.items() if place in names}
    if "value" not in taken:
        raise InputError("missing-columns", field="value", excerpt=",".join(names)[:120])
    plan = Plan(names=names, taken=taken, day_first=found.day_first)
    with source.open() as stream:
        for item in read_tables(stream, replace(layout), block_bytes):
            if isinstance(item, Rejection):
                yield item
            else:
                yield from draft_rows(item, plan)


FORMAT = Format(
    name="arff",
    title="Attribute-relation file (ARFF)",
    recognise=recognise,
    read=read,
    extensions=(".arff",),
)
