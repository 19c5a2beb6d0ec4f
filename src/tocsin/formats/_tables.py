"""Delimited text as frames of text cells, fast where it is regular and patient where it is not.

The file is read in blocks that end at a line end outside quotes. A block whose quotes follow the rules is
parsed by Polars as a whole; any other block goes record by record through Python's csv module, and the
next one is tried fast again. Both ways give the same cells: a property test holds them together.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
import polars as pl

from tocsin.core.reading import Rejection
from tocsin.core.words import Unit

BLOCK_BYTES = 16 << 20
PIECE_BYTES = 256 << 10
LINE_LIMIT_BYTES = 16 << 20
READ_BYTES = 1 << 20
RECORD_LIMIT_LINES = 500
BATCH_ROWS = 50_000
EXCERPT_CHARACTERS = 120

NULL_WORDS = ("", "-", "n/a", "N/A", "NA", "null", "NULL", "None", "none", "NaN", "(empty)", "?")
"""Cells that say: nothing here."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the records of a file are cut into cells."""

    delimiter: str
    width: int
    """Number of cells of a full row."""
    quote: str = '"'
    comments: tuple[str, ...] = ("#",)
    skip_lines: int = 0
    """Lines before the first data row: banner, preamble, header."""
    blank_before_quote: bool = False
    """Whether a blank may stand between delimiter and quote (abuse.ch)."""
    null_words: tuple[str, ...] = NULL_WORDS


@dataclass(frozen=True, slots=True)
class Table:
    """Text columns c0, c1, … and `position` (1-based line number); `clean`: no cell needs JSON escapes."""

    frame: pl.DataFrame
    clean: bool
    is_plain: bool = False
    """Whether all cells are ASCII without control characters."""


class Feed:
    """A stream that can be taken by blocks or by lines, with what was read too far put back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0
        self.ended = False
        """Whether the last block reached the end of the stream."""
        self.line = 0
        """Lines taken so far; blocks add theirs through `count`."""

    def block(self, size_bytes: int) -> bytes:
        """What is held, and up to `size_bytes` more. Empty at the end."""
        more = self._stream.read(size_bytes)
        self.ended = len(more) < size_bytes
        data = self._held[self._at :] + more if self._at < len(self._held) else more
        self._held, self._at = b"", 0
        return data

    def put_back(self, data: bytes) -> None:
        self._held, self._at = data + self._held[self._at :], 0

    def take_line(self) -> bytes | None:
        """The next line with its end; b"" at the end of the file; None for one beyond the limit."""
        while True:
            end = self._held.find(b"\n", self._at)
            if end >= 0:
                text = self._held[self._at : end + 1]
                self._at = end + 1
                break
            more = self._stream.read(READ_BYTES)
            if not more:
                text, self._held, self._at = self._held[self._at :], b"", 0
                break
            self._held, self._at = self._held[self._at :] + more, 0
            if len(self._held) > LINE_LIMIT_BYTES:
                self._skip_line()
                self.line += 1
                return None
        self.line += bool(text)
        return text

    def _skip_line(self) -> None:
        data = self._held[self._at :]
        while data and b"\n" not in data:
            data = self._stream.read(READ_BYTES)
        self._held, self._at = data[data.find(b"\n") + 1 :] if data else b"", 0


def read_tables(
    stream: BinaryIO, layout: Layout, block_bytes: int = BLOCK_BYTES, *, line: int = 0
) -> Iterator[Table | Rejection]:
    """The records after `skip_lines`, in file order; blank lines and remarks are left out.

    `line` lines stand before the stream.
    """
    feed = Feed(stream)
    feed.line = line
    for _ in range(layout.skip_lines):
        if feed.take_line() == b"":
            return
    while data := feed.block(block_bytes):
        end = place_of_cut(data, layout, feed.ended)
        if not end and len(data) <= LINE_LIMIT_BYTES:
            # No line end yet: read on, by blocks that grow so that the work stays linear.
            feed.put_back(data)
            block_bytes = max(block_bytes, len(data))
            continue
        table = _parse_fast(data, end, layout, feed.line) if end else None
        if table is None:
            feed.put_back(data)
            yield from _read_patiently(feed, layout, max(end, 1))
            continue
        feed.put_back(data[end:])
        feed.line += data.count(b"\n", 0, end) + (data[end - 1 : end] != b"\n")
        if table.frame.height:
            yield table


def place_of_cut(data: bytes, layout: Layout, is_last: bool) -> int:
    """Where a block ends that begins with a record; 0 where no record ends in it."""
    return len(data) if is_last else _cut(data, layout)


def is_regular(data: bytes, layout: Layout) -> bool:
    """Whether the quotes of a block follow the rules, so that its records end where they seem to."""
    block = _lead(layout) + data
    if _look_at_quotes(block, layout).regular:
        return True
    return layout.blank_before_quote and _look_at_quotes(_without_blanks(block, layout), layout).regular


def _lead(layout: Layout) -> bytes:
    """A first record of full width: Polars takes the width from it."""
    return layout.delimiter.join("x" * layout.width).encode() + b"\n"


def _cut(data: bytes, layout: Layout) -> int:
    """Where the last line that ends outside quotes ends; 0 when there is none."""
    end = data.rfind(b"\n") + 1
    quote = layout.quote.encode()
    if not quote or quote not in data:
        return end
    while end and _count(data, quote, end) % 2:
        # Odd: this line end lies inside a quoted cell. Go back before the quote that opened it.
        end = data.rfind(b"\n", 0, data.rfind(quote, 0, end)) + 1
    return end


def _count(block: bytes, quote: bytes, end: int) -> int:
    """How often this sign stands in the block before `end`."""
    return sum(int(np.count_nonzero(piece == quote[0])) for piece in _pieces(np.frombuffer(block, np.uint8, end)))


def _pieces(view: np.ndarray) -> Iterator[np.ndarray]:
    """The bytes piece by piece, so that what is compared stays close to the processor."""
    return (view[at : at + PIECE_BYTES] for at in range(0, len(view), PIECE_BYTES))


@dataclass(frozen=True)
class _Quotes:
    regular: bool
    doubled: bool
    block: bytes = b""
    """What they stand in; empty where there are none."""
    quote: bytes = b""

    @cached_property
    def positions(self) -> np.ndarray | None:
        """Where they stand; None where there are none."""
        return np.flatnonzero(np.frombuffer(self.block, np.uint8) == self.quote[0]) if self.block else None


def _are_all_cells_quoted(block: bytes, layout: Layout) -> bool:
    """Whether all cells are quoted and no quote stands inside one; the first line is our own, without any.

    Then each quote ends or begins one pair around a delimiter or a line end, never both; but the first and the last.
    """
    quote, start = layout.quote.encode(), block.find(b"\n") + 1
    end = len(block) - (2 if block.endswith(b"\r\n") else 1) - 1
    if end <= start or not block.endswith(b"\n") or block[start : start + 1] != quote or block[end : end + 1] != quote:
        return False
    view, delimiter, returns = np.frombuffer(block, np.uint8), ord(layout.delimiter), b"\r" in block
    for at in range(start, end + 1, PIECE_BYTES):
        before = min(at - start, 3)
        piece = view[at - before : min(at + PIECE_BYTES, end + 1) + 3]
        is_quote = piece == quote[0]
        belongs = np.zeros(len(piece), dtype=bool)
        pairs = is_quote[:-2] & is_quote[2:] & ((piece[1:-1] == delimiter) | (piece[1:-1] == ord("\n")))
        belongs[:-2] ^= pairs
        belongs[2:] ^= pairs
        if returns:
            pairs = is_quote[:-3] & is_quote[3:] & (piece[1:-2] == ord("\r")) & (piece[2:-1] == ord("\n"))
            belongs[:-3] ^= pairs
            belongs[3:] ^= pairs
        if at == start:
            belongs[0] ^= True
        if at + PIECE_BYTES > end:
            belongs[end - at + before] ^= True
        inner = slice(before, before + min(PIECE_BYTES, end + 1 - at))
        if (belongs[inner] != is_quote[inner]).any():
            return False
    return True


def _look_at_quotes(block: bytes, layout: Layout) -> _Quotes:
    """Whether every quote opens or closes a whole cell, or is doubled inside one."""
    quote = layout.quote.encode()
    if not quote or quote not in block:
        return _Quotes(True, False)
    if _are_all_cells_quoted(block, layout):
        return _Quotes(True, False, block, quote)
    view = np.frombuffer(block, dtype=np.uint8)
    at = np.flatnonzero(view == quote[0])
    if len(at) % 2:
        return _Quotes(False, False)
    opening, closing = at[0::2], at[1::2]
    marks = np.zeros(256, dtype=bool)
    marks[[ord("\n"), ord("\r"), ord(layout.delimiter)]] = True
    before = np.where(opening > 0, view[np.maximum(opening - 1, 0)], 10)
    after = np.where(closing + 1 < len(view), view[np.minimum(closing + 1, len(view) - 1)], 10)
    doubles_next = np.zeros(len(closing), dtype=bool)
    doubles_next[:-1] = closing[:-1] + 1 == opening[1:]
    doubles_before = np.zeros(len(opening), dtype=bool)
    doubles_before[1:] = doubles_next[:-1]
    regular = bool(np.all(marks[before] | doubles_before) and np.all(marks[after] | doubles_next))
    return _Quotes(regular, bool(doubles_next.any()), block, quote)


def _without_blanks(block: bytes, layout: Layout) -> bytes:
    """The block with the blanks between delimiter and opening quote taken out."""
    view = np.frombuffer(block, dtype=np.uint8)
    opening = np.flatnonzero(view == ord(layout.quote))[0::2]
    opening = opening[opening > 1]
    spare = opening[(view[opening - 1] == 32) & (view[opening - 2] == ord(layout.delimiter))] - 1
    keep = np.ones(len(view), dtype=bool)
    keep[spare] = False
    return view[keep].tobytes()


def _parse_fast(data: bytes, end: int, layout: Layout, line: int) -> Table | None:
    """`data` up to `end` as one frame, or None when it must be read patiently. `line` lines stand before it."""
    block = b"".join((_lead(layout), memoryview(data)[:end]))
    block = _without_last_remarks(block, layout)
    quotes = _look_at_quotes(block, layout)
    if not quotes.regular and layout.blank_before_quote:
        block = _without_blanks(block, layout)
        quotes = _look_at_quotes(block, layout)
    if not quotes.regular or b"\x00" in block:
        return None
    frame = _parse_block(block, layout)
    if frame is None and not quotes.block and layout.comments:
        block = _without_remarks(block, layout)
        frame = _parse_block(block, layout)
    if frame is None:
        return None
    frame, clean = _numbered(frame, block, quotes, line, layout)
    if frame is None:
        return None
    if frame.height and frame.select(pl.col("c0").str.contains(_odd_start(layout)).any()).item():
        if quotes.block and frame.select(_is_remark(layout).any()).item():
            return None
        frame = _without_remark_rows(frame, layout)
    if frame["c0"].null_count():
        frame = frame.filter(~pl.all_horizontal(pl.exclude("position").is_null()))
    return Table(frame, clean, clean and block.isascii() and b"\x7f" not in block)


def _numbered(
    frame: pl.DataFrame, block: bytes, quotes: _Quotes, line: int, layout: Layout
) -> tuple[pl.DataFrame | None, bool]:
    """The frame without its lead, with line numbers; and whether its cells need no JSON escapes."""
    view = np.frombuffer(block, dtype=np.uint8)
    line_ends = block.count(b"\n")
    lines = line_ends + (not block.endswith(b"\n"))
    if frame.height == lines:
        position = pl.int_range(line, line + lines, dtype=pl.Int64, eager=True)
        controls = _controls(view) - line_ends
        if controls:
            controls -= block.count(b"\r\n")
        if controls and layout.delimiter == "\t" and not quotes.block:
            controls -= block.count(b"\t")
        clean = not controls and not quotes.doubled and b"\\" not in block
    else:
        starts = _record_starts(view, quotes)
        if len(starts) != frame.height:
            return None, False
        position = pl.Series(starts + line, dtype=pl.Int64)
        clean = False
    return frame.with_columns(position.alias("position")).slice(1), clean


def _controls(view: np.ndarray) -> int:
    """How many control characters there are."""
    return sum(int(np.count_nonzero(piece < 32)) for piece in _pieces(view))


def _odd_start(layout: Layout) -> str:
    return rf"^(?:\s|{'|'.join(map(re.escape, layout.comments))})" if layout.comments else r"^\s"


def _is_remark(layout: Layout) -> pl.Expr:
    start = pl.col("c0").str.strip_chars_start()
    return pl.any_horizontal(pl.lit(False), *(start.str.starts_with(mark).fill_null(False) for mark in layout.comments))


def _without_remark_rows(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Rows that are remarks or nothing but blanks go."""
    blank = pl.all_horizontal(pl.exclude("position", "c0").is_null()) & (pl.col("c0").str.strip_chars() == "")
    return frame.filter(~(blank.fill_null(False) | _is_remark(layout)))


def _record_starts(view: np.ndarray, quotes: _Quotes) -> np.ndarray:
    """For each record, how many line ends of the block stand before it."""
    ends = np.flatnonzero(view == 10)
    if len(view) and view[-1] != 10:
        ends = np.append(ends, len(view))
    if quotes.positions is None:
        return np.arange(len(ends))
    outside = np.flatnonzero(np.searchsorted(quotes.positions, ends) % 2 == 0)
    return np.concatenate(([0], outside[:-1] + 1)) if len(outside) else outside


def _without_last_remarks(block: bytes, layout: Layout) -> bytes:
    """The block with the remark lines at its end emptied ("# END (12) entries")."""
    marks = tuple(mark.encode() for mark in layout.comments)
    end = len(block)
    emptied = 0
    while marks and end > 0:
        start = block.rfind(b"\n", 0, end - 1) + 1
        line = block[start:end].lstrip()
        if line and not line.startswith(marks):
            break
        emptied += block[start:end].endswith(b"\n")
        end = start
    return block[:end] + b"\n" * emptied if end < len(block) else block


def _without_remarks(block: bytes, layout: Layout) -> bytes:
    """The block with its remark lines emptied."""
    marks = b"|".join(re.escape(mark.encode()) for mark in layout.comments)
    return re.sub(rb"(?m)^[ \t]*(?:" + marks + rb")[^\n]*", b"", block)


def _parse_block(block: bytes, layout: Layout) -> pl.DataFrame | None:
    names = [f"c{index}" for index in range(layout.width)]
    for encoding in ("utf8", "utf8-lossy"):
        try:
            return pl.read_csv(
                block,
                has_header=False,
                separator=layout.delimiter,
                quote_char=layout.quote or None,
                infer_schema=False,
                schema=dict.fromkeys(names, pl.String),
                null_values=list(layout.null_words),
                encoding=encoding,
            )
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
            continue
    return None


def _read_patiently(feed: Feed, layout: Layout, budget_bytes: int) -> Iterator[Table | Rejection]:
    """Record by record, until `budget_bytes` are used up and a record ends."""
    used = 0
    cells: list[list[str | None]] = []
    positions: list[int] = []
    nulls = frozenset(layout.null_words)
    while used < budget_bytes:
        raw = feed.take_line()
        if raw is None:
            used += LINE_LIMIT_BYTES
            yield Rejection(feed.line, Unit.LINE, "line-too-long")
            continue
        if not raw:
            break
        used += len(raw)
        position = feed.line
        whole = raw.decode("utf-8", errors="replace")
        text = whole.rstrip("\r\n")
        if not text.strip() or text.lstrip().startswith(layout.comments):
            continue
        record, more = _cells(whole, feed, layout)
        used += more
        while len(record) > layout.width and record[-1].strip() in nulls:
            record.pop()
        if len(record) > layout.width:
            yield Rejection(position, Unit.LINE, "wrong-width", excerpt=text[:EXCERPT_CHARACTERS])
            continue
        row = [None if cell in nulls else cell for cell in record]
        if any(row) and (any(row[1:]) or (row[0] or "").strip()):
            cells.append(row + [None] * (layout.width - len(row)))
            positions.append(position)
        if len(positions) >= BATCH_ROWS:
            yield _table(cells, positions, layout)
            cells, positions = [], []
    if positions:
        yield _table(cells, positions, layout)


def _cells(line_text: str, feed: Feed, layout: Layout) -> tuple[list[str], int]:
    """The cells of the record that starts with this line, and the bytes of further lines it took."""
    text = line_text.rstrip("\r\n")
    if not layout.quote or layout.quote not in text:
        return text.split(layout.delimiter), 0
    taken: list[bytes] = []
    whole = line_text
    while True:
        try:
            return next(_reader(whole, layout, strict=True), []), sum(map(len, taken))
        except csv.Error as error:
            if "unexpected end" not in str(error):
                break
        line = b"" if len(taken) >= RECORD_LIMIT_LINES else feed.take_line()
        while line and layout.quote.encode() not in line and len(taken) < RECORD_LIMIT_LINES:
            taken.append(line)
            line = feed.take_line()
        if not line or len(taken) >= RECORD_LIMIT_LINES:
            # The quote never closes: it was no opening quote. The line stands alone, the rest is read anew.
            feed.put_back(b"".join(taken) + (line or b""))
            feed.line -= len(taken) + bool(line)
            return text.split(layout.delimiter), 0
        taken.append(line)
        whole = line_text + b"".join(taken).decode("utf-8", errors="replace")
    try:
        return next(_reader(whole, layout, strict=False), []), sum(map(len, taken))
    except csv.Error:
        feed.put_back(b"".join(taken))
        feed.line -= len(taken)
        return text.split(layout.delimiter), 0


def _reader(text: str, layout: Layout, strict: bool) -> Iterator[list[str]]:
    return csv.reader(
        _keep_ends(text),
        delimiter=layout.delimiter,
        quotechar=layout.quote,
        skipinitialspace=layout.blank_before_quote,
        strict=strict,
    )


def _keep_ends(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _table(cells: list[list[str | None]], positions: list[int], layout: Layout) -> Table:
    names = [f"c{index}" for index in range(layout.width)]
    frame = pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String), orient="row")
    return Table(frame.with_columns(pl.Series("position", positions, dtype=pl.Int64)), clean=False)
