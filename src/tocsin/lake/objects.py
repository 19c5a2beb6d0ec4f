"""Objects on their way to the database: bodies in compressed blocks, and keys under which objects are found.

A row for each object holds what lists show. Its bytes and all else that was read out of it lie with a few hundred
neighbours in one block: a database takes one block for a hundredth of what as many long rows cost it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from hashlib import blake2b
from itertools import accumulate

import msgspec
import numpy as np
import polars as pl
import zstandard

from tocsin.core.later import Table

OBJECTS_IN_BLOCK = 256
BYTES_IN_BLOCK = 1 << 18
"""A block is closed when it holds this much, so that one object is read in a moment."""
COMPRESSION_LEVEL = 1
ROW_COLUMNS = ("standard", "type", "object_id", "version", "name", "revoked")
BLOCK_COLUMNS: Table[type[pl.DataType]] = Table(lambda: {"first": pl.Int64, "body": pl.Binary})
MENTION_COLUMNS: Table[type[pl.DataType]] = Table(lambda: {"key": pl.Int64, "thing": pl.Int64})


class Way(StrEnum):
    """How an object is found: by its own id, by what it is called, by what it refers to."""

    ID = "id"
    NAME = "name"
    TARGET = "target"


class Body(msgspec.Struct, frozen=True):
    """What is kept of one object beside its row."""

    raw: bytes
    labels: tuple[str, ...]
    """Labels, aliases and external ids."""
    pattern: str
    valid_from: str
    valid_until: str
    position: int
    refs: tuple[tuple[str, str], ...]
    """(name of the relation or property, target id)."""


class _Block(msgspec.Struct, array_like=True):
    """The columns of the bodies of a block; `ends` are the places behind the last reference of each object."""

    raw: list[bytes]
    labels: list[str]
    pattern: list[str]
    valid_from: list[str]
    valid_until: list[str]
    position: list[int]
    ends: list[int]
    relations: list[str]
    targets: list[str]


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_Block).decode


def blocks_of(frame: pl.DataFrame, links: pl.DataFrame, batches: pl.Series | None = None) -> pl.DataFrame:
    """BLOCK_COLUMNS: the bodies of objects (THING_COLUMNS) and their links (LINK_COLUMNS, by object).

    No block holds objects of two batches, where these are given.
    """
    compress = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress
    raw = frame["raw"].to_list()
    labels, pattern, valid_from, valid_until, position = (
        frame[name].to_list() for name in ("labels", "pattern", "valid_from", "valid_until", "position")
    )
    ends = np.searchsorted(links["thing"].to_numpy(), np.arange(frame.height), side="right")
    relations, targets = links["relation"].to_list(), links["target"].to_list()
    firsts, bodies, linked = [], [], 0
    changes = np.zeros(0, np.int64) if batches is None else np.flatnonzero(np.diff(batches.to_numpy())) + 1
    for first, last in _cuts(np.cumsum(frame["raw"].bin.size().to_numpy()), changes):
        here = slice(first, last)
        until = int(ends[last - 1])
        block = _Block(
            raw[here],
            labels[here],
            pattern[here],
            valid_from[here],
            valid_until[here],
            position[here],
            (ends[here] - linked).tolist(),
            relations[linked:until],
            targets[linked:until],
        )
        linked = until
        firsts.append(first)
        bodies.append(compress(_ENCODE(block)))
    return pl.DataFrame({"first": firsts, "body": bodies}, schema=BLOCK_COLUMNS)


def _cuts(sizes: np.ndarray, changes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Beginning and end of each block, from the running sum of the sizes and where another batch begins."""
    ends = np.append(changes, len(sizes))
    first = 0
    while first < len(sizes):
        before = int(sizes[first - 1]) if first else 0
        last = int(np.searchsorted(sizes, before + BYTES_IN_BLOCK, side="right"))
        until = int(ends[np.searchsorted(ends, first, side="right")])
        last = min(max(last, first + 1), first + OBJECTS_IN_BLOCK, until)
        yield first, last
        first = last


def body_at(block: bytes, place: int) -> Body:
    """One of the bodies of a block."""
    return bodies_in(block, [place])[0]


def bodies_in(block: bytes, places: Iterable[int] | None = None) -> list[Body]:
    """Some of the bodies of a block, which is opened once; all of them, in order, where no places are named."""
    held = _DECODE(zstandard.ZstdDecompressor().decompress(block))
    return [_body(held, place) for place in (range(len(held.raw)) if places is None else places)]


def _body(held: _Block, place: int) -> Body:
    begin, end = held.ends[place - 1] if place else 0, held.ends[place]
    return Body(
        held.raw[place],
        tuple(label for label in held.labels[place].split("\n") if label),
        held.pattern[place],
        held.valid_from[place],
        held.valid_until[place],
        held.position[place],
        tuple(zip(held.relations[begin:end], held.targets[begin:end], strict=True)),
    )


def emptied(block: bytes, places: Collection[int]) -> bytes:
    """The same block with nothing left of the bodies at these places."""
    held = _DECODE(zstandard.ZstdDecompressor().decompress(block))
    begins = [0, *held.ends]
    links = [
        [] if place in places else list(zip(held.relations[begin:end], held.targets[begin:end], strict=True))
        for place, (begin, end) in enumerate(zip(begins, held.ends, strict=False))
    ]
    flat = [link for some in links for link in some]
    labels, pattern, valid_from, valid_until = (
        ["" if place in places else text for place, text in enumerate(column)]
        for column in (held.labels, held.pattern, held.valid_from, held.valid_until)
    )
    made = _Block(
        [b"" if place in places else raw for place, raw in enumerate(held.raw)],
        labels,
        pattern,
        valid_from,
        valid_until,
        held.position,
        list(accumulate(map(len, links))),
        [relation for relation, _ in flat],
        [target for _, target in flat],
    )  # fmt: skip
    return zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(_ENCODE(made))


def key_of(way: Way, text: str) -> int:
    """The number under which a text is found, whatever its letter case. Two texts that share one are no worry:
    who asks compares the text itself."""
    digest = blake2b(_start(way) + text.casefold().encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _start(way: Way) -> bytes:
    return f"{way.value}\n".encode()


def keys_of(way: Way, texts: pl.Series) -> np.ndarray:
    """`key_of` for a column, made once for each distinct text."""
    distinct = texts.unique(maintain_order=True)
    start = _start(way)
    folded = "\n".join(distinct.to_list()).casefold().encode().split(b"\n")
    if len(folded) != len(distinct):  # Some hold the end of a line.
        folded = [text.casefold().encode() for text in distinct.to_list()]
    digests = [blake2b(start + text, digest_size=8).digest() for text in folded]
    made = np.frombuffer(b"".join(digests), dtype="<i8")
    if len(made) == len(texts):
        return made
    table = pl.DataFrame({"text": distinct, "key": made})
    return texts.alias("text").to_frame().join(table, on="text", how="left", maintain_order="left")["key"].to_numpy()


def mentions_of(frame: pl.DataFrame, links: pl.DataFrame, ids: np.ndarray | None = None) -> pl.DataFrame:
    """MENTION_COLUMNS, in ascending order and each once: under which keys the objects are found. `ids` are the keys of
    their ids, where they are known."""
    places = np.arange(frame.height)
    named = np.flatnonzero((frame["name"] != "").to_numpy())
    keys = np.concatenate(
        [
            keys_of(Way.ID, frame["object_id"]) if ids is None else ids,
            keys_of(Way.NAME, frame["name"].gather(named)),
            keys_of(Way.TARGET, links["target"]),
        ]
    )
    things = np.concatenate([places, named, links["thing"].to_numpy()])
    order = np.lexsort((things, keys))
    keys, things = keys[order], things[order]
    fresh = np.ones(len(keys), dtype=bool)
    fresh[1:] = (keys[1:] != keys[:-1]) | (things[1:] != things[:-1])
    return pl.DataFrame({"key": keys[fresh], "thing": things[fresh]}, schema=MENTION_COLUMNS)
