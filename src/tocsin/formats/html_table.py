"""Trackers that publish a table on a web page: the largest table of an HTML page, read like any other table.

Only pages whose table has a column of values are claimed; every other page is a document for the reader of
documents, which proposes instead of listing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Unit

from ._guessing import assign, columns_of, profile_of
from ._mapping import Plan, draft_rows, plan_of
from ._sniffing import Shape, shape_of
from ._tables import Layout, read_tables

LIMIT_BYTES = 64 << 20
LEAST_ROWS = 2


def _rows_of(table: LexborNode) -> list[list[str]]:
    found = []
    for row in table.css("tr"):
        cells = [" ".join(cell.text(separator=" ").split()) for cell in row.iter() if cell.tag in {"td", "th"}]
        if any(cells):
            found.append(cells)
    return found


def _largest_table(content: bytes) -> tuple[str, list[list[str]]]:
    from selectolax.lexbor import LexborHTMLParser  # Imported late, like all that most deliveries do not need.

    page = LexborHTMLParser(content)
    title = page.css_first("title")
    tables = [_rows_of(table) for table in page.css("table") if table.css_first("table table") is None]
    return (title.text().strip() if title else ""), max(tables, key=len, default=[])


def _as_text(rows: list[list[str]]) -> bytes:
    """The table as tab-separated text, so that cutting and guessing are the same as for files."""
    width = max(map(len, rows), default=0)
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerows(row + [""] * (width - len(row)) for row in rows)
    return text.getvalue().encode()


def _plan(content: bytes, profile: Profile) -> tuple[Shape, Plan] | None:
    shape = shape_of(content, Profile(delimiter="\t", columns=profile.columns), len(content))
    if shape is None or shape.layout.width < 2:
        return None
    columns = columns_of(shape)
    assign(columns)
    chosen = profile if profile.columns else profile_of(shape, columns, profile)
    plan = plan_of(shape, chosen)
    if "value" not in plan.taken:
        return None
    return shape, plan


def recognise(sample: Sample) -> int:
    """An HTML page whose largest table has values in a column and more rows than a layout would have."""
    start = sample.head[:2048].lower()
    if not any(mark in start for mark in (b"<html", b"<!doctype html", b"<table")):
        return 0
    _, rows = _largest_table(sample.head)
    if len(rows) <= LEAST_ROWS or not (found := _plan(_as_text(rows), Profile())):
        return 0
    shape, plan = found
    if not shape.has_header:
        return 0
    columns = columns_of(shape)
    return 75 if columns[plan.taken["value"]].share >= 0.8 and shape.consistency >= 0.8 else 0


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """Draft rows of the largest table; position is the number of its row, header counted."""
    content = source.read_all(LIMIT_BYTES)
    title, rows = _largest_table(content)
    text = _as_text(rows)
    found = _plan(text, profile)
    if found is None:
        raise InputError("missing-columns", field="value")
    yield Heading(title=title[:200])
    shape, plan = found
    layout = Layout(
        "\t", shape.layout.width, comments=(), skip_lines=shape.layout.skip_lines, null_words=shape.layout.null_words
    )
    for item in read_tables(io.BytesIO(text), layout):
        if isinstance(item, Rejection):
            yield Rejection(item.position, Unit.ROW, item.reason, item.field, item.excerpt)
        else:
            yield from draft_rows(item, plan, Unit.ROW)


FORMAT = Format(
    name="html-table",
    title="Table on a web page",
    recognise=recognise,
    read=read,
    media_types=("text/html",),
    extensions=(".html", ".htm"),
)
