"""JSON records in whatever wrapper they come: a list, one a line, one alone, or a list inside an object."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from ipaddress import ip_address, ip_network
from typing import BinaryIO

import msgspec
import orjson
import polars as pl

from tocsin.core.errors import InputError
from tocsin.core.observations import DRAFT
from tocsin.core.reading import Heading, Item, Rejection, Rows, Source, Stretch, Thing, draft_frame
from tocsin.core.words import Unit

from . import _json, _json_outline

outline = lru_cache(maxsize=4)(_json_outline.outline)
"""What a sample shows. Every JSON format asks the same of the same bytes, so the answer is kept a while."""
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
    seen = outline(_json.text_of(head))
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
            for number, raw in _json.documents(stream):
                if number == 1 and not whole(raw):
                    _json.decode(raw, duplicates=True)  # Raises with the place where it breaks.
                yield number, raw


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


def cut_lines(source: Source, block_bytes: int, wrappers: tuple[str, ...] = ()) -> list[Stretch] | None:
    """The stretches of a file with a record on each line; None where `records` would not read it line by line."""
    with source.open() as stream:
        head = stream.read(HEAD_BYTES)
    seen = outline(_json.text_of(head))
    if seen.kind == "array" or any(seen.keys.get(name) == b"[" for name in wrappers) or not is_lines(head):
        return None
    found: list[Stretch] = []
    at = number = 0
    with source.open() as stream:
        left = b""
        while more := stream.read(block_bytes):
            data = left + more
            end = len(data) if len(more) < block_bytes else data.rfind(b"\n") + 1
            if not end:
                if len(data) > LINE_LIMIT_BYTES:
                    return None
                left = data
                continue
            found.append(Stretch(at, at + end, number, is_first=not found))
            number += sum(1 for line in data[:end].split(b"\n") if line.removeprefix(b"\xef\xbb\xbf").strip())
            left, at = data[end:], at + end
        if left:
            found.append(Stretch(at, at + len(left), number, is_first=not found))
    return found


def converted_cut(
    source: Source, convert: Convert, stretches: Sequence[Stretch], unit: Unit = Unit.OBJECT
) -> Iterator[Item]:
    """The records of these stretches, as `converted` reads those of the whole."""

    def held() -> Iterator[tuple[int, bytes] | Rejection]:
        with source.open() as stream:
            for each in stretches:
                stream.seek(each.start)
                yield from _lines(BytesIO(stream.read(each.end - each.start)), each.line)

    yield from gathered((_made(found, convert, unit) for found in held()), unit)


def _lines(stream: BinaryIO, number: int = 0) -> Iterator[tuple[int, bytes] | Rejection]:
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
    return draft_frame({name: [cell(record.get(name), name) for record in kept] for name in DRAFT if name in present})


def cell(value: object, name: str = "") -> object:
    """A value as a draft column wants it: text, except the position."""
    if value is None or name == "position" or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


Made = Record | Rejection | Thing | Heading
Convert = Callable[[dict[str, object], int, bytes], Iterable[Made]]
"""What becomes of one decoded record, its number and its exact bytes. A record's "marking" is its label."""


def converted(
    source: Source,
    convert: Convert,
    wrappers: tuple[str, ...] = (),
    unit: Unit = Unit.OBJECT,
) -> Iterator[Item]:
    """Every record of a source through `convert`, gathered in batches by marking."""
    yield from gathered((_made(found, convert, unit) for found in records(source, wrappers)), unit)


def _made(found: tuple[int, bytes] | Rejection, convert: Convert, unit: Unit) -> Iterable[Made]:
    if isinstance(found, Rejection):
        return (found,)
    number, raw = found
    value = tree(raw, number, unit)
    return (value,) if isinstance(value, Rejection) else convert(value, number, raw)


def gathered(groups: Iterable[Iterable[Made]], unit: Unit = Unit.OBJECT) -> Iterator[Item]:
    """What was made of each record: rows in bounded batches by their marking, all else at once."""
    batches = Batches(unit)
    try:
        for group in groups:
            for made in group:
                if isinstance(made, dict):
                    marking = made.pop("marking", None)
                    batches.add(made, marking if isinstance(marking, str) else None)
                else:
                    yield made
            if batches.full:
                yield from batches.flush()
    except InputError:
        yield from batches.flush()  # What came before the fault is whole.
        raise
    yield from batches.flush()


MARKINGS = {
    "WHITE": "TLP:CLEAR",
    "CLEAR": "TLP:CLEAR",
    "GREEN": "TLP:GREEN",
    "AMBER": "TLP:AMBER",
    "AMBER+STRICT": "TLP:AMBER+STRICT",
    "RED": "TLP:RED",
}


def marking_of(word: object) -> str | None:
    """The TLP label for "amber", "TLP:AMBER", "tlp:white"; None for any other word."""
    if not isinstance(word, str):
        return None
    name = word.strip().upper().removeprefix("TLP").lstrip(":_ ").replace("-", "+").replace(" ", "")
    return MARKINGS.get(name)


def text_of(value: object) -> str | None:
    """A scalar as text; None for nothing, for lists and for objects."""
    if value is None or isinstance(value, dict | list):
        return None
    found = cell(value)
    return found.strip() or None if isinstance(found, str) else None


def texts_of(value: object) -> list[str]:
    """A list of scalars, or one scalar, as texts."""
    found = [text_of(item) for item in (value if isinstance(value, list) else [value])]
    return [text for text in found if text]


def kind_of_host(value: str) -> str:
    """The kind of something that is an address, a network, a web or e-mail address, or else a domain."""
    bare = value.strip("[]")
    with contextlib.suppress(ValueError):
        return "ipv4" if ip_address(bare).version == 4 else "ipv6"
    if "://" in value:
        return "url"
    with contextlib.suppress(ValueError):
        ip_network(bare, strict=False)
        return "network"
    return "email" if "@" in value else "domain"


def extra_of(facts: Mapping[str, object]) -> str | None:
    """Facts without a column as one JSON object; None when there are none."""
    kept = {name: value for name, value in facts.items() if value not in (None, "", [], {})}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode() if kept else None


def flat(value: Mapping[str, object], prefix: str = "", depth: int = 8) -> dict[str, object]:
    """Nested objects as dotted names; lists stay."""
    found: dict[str, object] = {}
    for name, inner in value.items():
        path = f"{prefix}{name}"
        if isinstance(inner, dict) and depth:
            found |= flat(inner, path + ".", depth - 1)
        else:
            found[path] = inner
    return found
