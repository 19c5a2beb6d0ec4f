"""A long table cut into stretches that can be read apart: each begins with a record and knows its first line.

They are the blocks that reading the file as a whole takes, so that both ways give the same rows. Where quotes do not
follow the rules nobody knows beforehand where a record ends: such a file is read as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from tocsin.core.reading import Item, Rejection, Source, Stretch

from ._mapping import Plan, draft_rows
from ._tables import BLOCK_BYTES, Feed, Layout, is_regular, place_of_cut, read_tables


@dataclass(frozen=True, slots=True)
class Ready:
    """A table whose columns are understood."""

    layout: Layout
    plan: Plan
    start: int
    """Bytes before the text: a mark of its encoding."""
    headings: tuple[Item, ...] = ()
    """What the file says of itself."""

    def items(self, source: Source, block_bytes: int = BLOCK_BYTES) -> Iterator[Item]:
        """All that the file holds."""
        yield from self.headings
        with source.open() as stream:
            stream.seek(self.start)
            for item in read_tables(stream, self.layout, block_bytes):
                if isinstance(item, Rejection):
                    yield item
                else:
                    yield from draft_rows(item, self.plan)

    def stretches(self, source: Source, block_bytes: int) -> list[Stretch] | None:
        """Where the blocks of the file begin and end; None where that cannot be told without reading it."""
        found: list[Stretch] = []
        with source.open() as stream:
            stream.seek(self.start)
            feed, at = Feed(stream), self.start
            for _ in range(self.layout.skip_lines):
                skipped = feed.take_line()
                if skipped is None:
                    return None
                at += len(skipped)
            while data := feed.block(block_bytes):
                end = place_of_cut(data, self.layout, feed.ended)
                if not end or not is_regular(data[:end], self.layout):
                    return None
                found.append(Stretch(at, at + end, feed.line, is_first=not found))
                feed.put_back(data[end:])
                feed.line += data.count(b"\n", 0, end) + (data[end - 1 : end] != b"\n")
                at += end
        return found

    def items_of(self, source: Source, stretches: Sequence[Stretch]) -> Iterator[Item]:
        """What stands in these stretches; what the file says of itself with the first."""
        layout = replace(self.layout, skip_lines=0)
        with source.open() as stream:
            for each in stretches:
                if each.is_first:
                    yield from self.headings
                stream.seek(each.start)
                data = stream.read(each.end - each.start)
                for item in read_tables(BytesIO(data), layout, len(data) + 1, line=each.line):
                    if isinstance(item, Rejection):
                        yield item
                    else:
                        yield from draft_rows(item, self.plan)
