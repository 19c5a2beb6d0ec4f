"""JSON records in whatever wrapper they come: a list, one a line, one alone, or a list inside an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import polars as pl

from tocsin.core.errors import InputError
from tocsin.core.observations import DRAFT
from tocsin.core.reading import Rejection, Rows, Source, draft_frame
from tocsin.core.words import Unit

from . import _json

LINE_LIMIT_BYTES = 16 << 20
HEAD_BYTES = 256 << 10
BATCH_ROWS = 50_000
_RAW = msgspec.json.Decoder(msgspec.Raw)


def records(
    source: Source, wrappers: tuple[str, ...] = (), rest: dict[str, bytes] | None = None
) -> Iterator[tuple[int, bytes] | Rejection]:
    """(number from 1, exact bytes) of each record, or why a line could not be used.

    `wrappers` names members that hold the list ("response", "data"); `rest` collects the other members of
    such a wrapper. Raises InputError where the file as a whole is no JSON, or ends in the middle.
    """
    with source.open() as stream:
        head = stream.read(HEAD_BYTES)
    seen = _json.outline(_json.text_of(head))
    with source.open() as stream:
        if seen.kind == "array":
            yield from _json.array_items(stream)
            return
        member = next((name for name in wrappers if seen.keys.get(name) == b"["), "")
        if member:
            yield from _json.array_items(stream, member, rest)
        elif is_lines(head):
            yield from _lines(stream)
        else:
            yield from _json.documents(stream)


def is_lines(head: bytes) -> bool:
    """Whether the text holds one JSON object a line: the first line is one, and another begins below it."""
    first, _, more = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    return more.lstrip()[:1] == b"{" and whole(first)


def whole(data: bytes) -> bool:
    """Whether this is exactly one JSON value."""
    try:
        _RAW.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes] | Rejection]:
    number = 0
    while line := stream.readline(LINE_LIMIT_BYTES):
        if len(line) == LINE_LIMIT_BYTES and not line.endswith(b"\n"):
            raise InputError("line-too-long", position=f"line {number + 1}")
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        number += 1
        if whole(text):
            yield number, text
        else:
            reason = "not-json" if line.endswith(b"\n") else "truncated"
            yield Rejection(number, Unit.LINE, reason, excerpt=text[:80].decode("utf-8", "replace"))


def tree(raw: bytes, number: int, unit: Unit = Unit.OBJECT) -> dict[str, object] | Rejection:
    """One record as a dictionary, or why it cannot be one."""
    try:
        value = _json.decode(raw)
    except InputError as error:
        return Rejection(number, unit, error.reason, error.field, error.excerpt or error.position)
    if not isinstance(value, dict):
        return Rejection(number, unit, "not-an-object", excerpt=raw[:80].decode("utf-8", "replace"))
    return value


Record = dict[str, object]
"""One draft observation: draft column → value. `position` is required; `marking` may stand among them."""


class Batches:
    """Gathers draft records by their marking and hands them out in bounded batches."""

    def __init__(self, unit: Unit = Unit.OBJECT) -> None:
        self.unit = unit
        self.count = 0
        self._held: dict[str | None, list[Record]] = {}

    def add(self, record: Record, marking: str | None = None) -> None:
        """Keep one record; empty values are left out by whoever builds it, or are None."""
        self._held.setdefault(marking, []).append(record)
        self.count += 1

    @property
    def full(self) -> bool:
        return self.count >= BATCH_ROWS

    def flush(self) -> Iterator[Rows]:
        """What was gathered, one batch for each marking; begins anew."""
        held, self._held, self.count = self._held, {}, 0
        for marking, kept in held.items():
            yield Rows(frame_of(kept), marking, self.unit)


def frame_of(kept: list[Record]) -> pl.DataFrame:
    """A draft frame of records, with the columns that any of them has."""
    present = {name for record in kept for name, value in record.items() if value is not None}
    return draft_frame(
        {name: [cell(record.get(name), name) for record in kept] for name in DRAFT if name in present}
    )


def cell(value: object, name: str = "") -> object:
    """A value as a draft column wants it: text, except the position."""
    if value is None or name == "position" or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
