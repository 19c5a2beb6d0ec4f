"""Objects as recipients get them, rendered once: a few hundred neighbours of one batch, found and cut by their place.

What is kept are the very bytes that go out, so that a page is joined from them and nothing is parsed for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson
import zstandard

from .order import Centre
from .stix_given import Conditions, Identifiers, given, version_of

FORM = 1
"""Raised with whatever changes what is rendered: what was kept before is rendered anew."""
COMPRESSION_LEVEL = 1
DIGEST_BYTES = 16
_Strings = list[str]


class _Head(msgspec.Struct, array_like=True):
    places: list[int]
    ids: _Strings
    types: _Strings
    versions: _Strings
    ends: list[int]
    digests: bytes


@dataclass(frozen=True, slots=True)
class Rendered:
    """Neighbours of one batch, in their order; those that are never given are not among them."""

    places: list[int]
    ids: list[str]
    types: list[str]
    versions: list[str]
    """Empty for what has none."""
    ends: list[int]
    """Behind each object's bytes."""
    digests: bytes
    """Of each object's content, whatever the order of its properties."""
    body: bytes
    """Their bytes, a comma between two."""

    def raw(self, place: int) -> bytes:
        """The bytes of the object at this place of the list."""
        return self.body[self.ends[place - 1] + 1 if place else 0 : self.ends[place]]

    def one(self, number: int) -> One | None:
        """The object with this place in its delivery; None where it is not given."""
        at = bisect_left(self.places, number)
        if at == len(self.places) or self.places[at] != number:
            return None
        digest = self.digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
        return One(self.ids[at], self.types[at], self.versions[at], digest, self.raw(at))


class One(NamedTuple):
    """An object as a recipient gets it, by itself."""

    id: str
    type: str
    version: str
    """Empty for what has none."""
    digest: bytes
    """Of its content."""
    raw: bytes


class Look(Protocol):
    """How objects look to somebody."""

    @property
    def mark(self) -> int:
        """The same for what makes the same bytes."""

    def rendered(self, objects: Iterable[tuple[int, bytes]]) -> Rendered:
        """Objects, by their place in the delivery, as they look so."""


@dataclass(frozen=True)
class GivenLook:
    """All that decides how objects look to a recipient, but for the objects themselves."""

    conditions: Conditions
    centre: Centre
    identifiers: Identifiers
    relabelled_at: datetime | None = None

    @cached_property
    def mark(self) -> int:
        """The same for what makes the same bytes."""
        said = (FORM, repr(self.conditions), repr(self.centre), self.identifiers.mark, repr(self.relabelled_at))
        return int.from_bytes(blake2b(repr(said).encode(), digest_size=8).digest(), "little", signed=True)

    def rendered(self, objects: Iterable[tuple[int, bytes]]) -> Rendered:
        """Objects, by their place in the delivery, as they look so."""
        made = (
            (place, given(raw, self.conditions, self.centre, self.identifiers, self.relabelled_at))
            for place, raw in objects
        )
        return _joined((place, body, orjson.dumps(body)) for place, body in made if body is not None)


@dataclass(frozen=True)
class OwnLook:
    """How objects look to who handed them over: as they were."""

    @cached_property
    def mark(self) -> int:
        """The same for what makes the same bytes."""
        return int.from_bytes(blake2b(b"own:%d" % FORM, digest_size=8).digest(), "little", signed=True)

    def rendered(self, objects: Iterable[tuple[int, bytes]]) -> Rendered:
        """Objects, by their place in the delivery, byte for byte."""
        return _joined(_as_it_came(place, raw) for place, raw in objects if raw)


def _as_it_came(place: int, raw: bytes) -> tuple[int, dict[str, Any], bytes]:
    body: dict[str, Any] = orjson.loads(raw)
    if "spec_version" not in body:  # As in what is given to others.
        body["spec_version"] = "2.1"
        raw = orjson.dumps(body)
    return place, body, raw


def _joined(objects: Iterable[tuple[int, dict[str, Any], bytes]]) -> Rendered:
    """Places, bodies and bytes of objects."""
    places, ids, types, versions, ends, digests, raws = [], [], [], [], [], [], []
    size = -1
    for place, body, raw in objects:
        raws.append(raw)
        size += len(raw) + 1
        places.append(place)
        ids.append(str(body["id"]))
        types.append(str(body["type"]))
        versions.append(version_of(body))
        ends.append(size)
        digests.append(digest_of(body))
    return Rendered(places, ids, types, versions, ends, b"".join(digests), b",".join(raws))


def digest_of(body: object) -> bytes:
    """The same for objects that say the same."""
    return blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=DIGEST_BYTES).digest()


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_Head).decode


def packed(made: Rendered) -> bytes:
    """As it is kept."""
    head = _ENCODE(_Head(made.places, made.ids, made.types, made.versions, made.ends, made.digests))
    whole = b"".join((len(head).to_bytes(4, "little"), head, made.body))
    return zstandard.ZstdCompressor(level=COMPRESSION_LEVEL).compress(whole)


def unpacked(kept: bytes) -> Rendered:
    """What `packed` was given."""
    whole = zstandard.ZstdDecompressor().decompress(kept)
    until = 4 + int.from_bytes(whole[:4], "little")
    head = _DECODE(memoryview(whole)[4:until])
    return Rendered(head.places, head.ids, head.types, head.versions, head.ends, head.digests, whole[until:])
