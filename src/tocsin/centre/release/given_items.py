"""What is asked for of what was released, an object of it as the reader gets it, and many in the order in which they
opened.

Most of a page is cut out of renderings whole: such a stretch stays one until somebody asks for its objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, overload

import orjson
from django.conf import settings

from tocsin.products.given_pages import Rendered
from tocsin.products.stix_given import Identifiers, version_of

from .given_views import moment_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects are asked for; empty: all."""

    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset({"last"})
    """first, last, all, or moments."""
    spec_versions: frozenset[str] = frozenset()


class Item(NamedTuple):
    """An object as the reader gets it."""

    moment: int
    """When it was added, in microseconds since 1970."""
    batch: int
    place: int
    """In its delivery; what is ours stands before."""
    id: str
    type: str
    said: str
    """The version that it says it is; empty where it has none."""
    raw: bytes

    @property
    def added_at(self) -> datetime:
        """When it opened to the reader: no other object did in the same moment."""
        return moment_of(self.moment)

    @property
    def body(self) -> dict[str, Any]:
        """What its bytes say."""
        made: dict[str, Any] = orjson.loads(self.raw)
        return made

    @property
    def is_shared(self) -> bool:
        """Whether it is ours: an identity, a marking, a definition."""
        return self.place < 0

    @property
    def version(self) -> str:
        """The version, as TAXII names it; what has none is named by when it was added."""
        return self.said or self.added_at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def item_of(moment: int, batch: int, place: int, body: dict[str, Any]) -> Item:
    """An object that is not rendered before."""
    return Item(moment, batch, place, body["id"], body["type"], version_of(body), orjson.dumps(body))


class Run(Sequence[Item]):
    """Neighbours in one rendering; `start` is the moment of place 0 of their delivery."""

    __slots__ = ("_begin", "_end", "batch", "made", "start")

    def __init__(self, start: int, batch: int, made: Rendered, begin: int, end: int) -> None:
        self.start, self.batch, self.made = start, batch, made
        self._begin, self._end = begin, max(begin, end)

    def __len__(self) -> int:
        return self._end - self._begin

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Run: ...
    def __getitem__(self, at: int | slice) -> Item | Run:
        some = range(self._begin, self._end)[at]
        if isinstance(some, range):
            if some.step != 1:
                raise ValueError("neighbours are cut without gaps")
            return Run(self.start, self.batch, self.made, some.start, some.stop)
        made, place = self.made, self.made.places[some]
        return Item(
            self.start + place, self.batch, place, made.ids[some], made.types[some], made.versions[some],
            made.raw(some),
        )  # fmt: skip

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))

    @property
    def size_bytes(self) -> int:
        """Of all their bytes, the commas between them included."""
        return self._stop - self._start if len(self) else 0

    @property
    def joined(self) -> memoryview:
        """Their bytes, a comma between two, where they lie."""
        return memoryview(self.made.body)[self._start : self._stop] if len(self) else memoryview(b"")

    def fitting(self, most_bytes: int) -> int:
        """How many of the first of them begin before so many bytes are full."""
        return sum(end - self._start < most_bytes for end in self.made.ends[self._begin : self._end - 1]) + 1

    @property
    def _start(self) -> int:
        return self.made.ends[self._begin - 1] + 1 if self._begin else 0

    @property
    def _stop(self) -> int:
        return self.made.ends[self._end - 1]


class Items(Sequence[Item]):
    """Many, as they came: runs, and single ones between them."""

    __slots__ = ("_parts", "size_bytes")

    def __init__(self, parts: Sequence[Sequence[Item]] = ()) -> None:
        self._parts: list[Sequence[Item]] = []
        self.size_bytes = 0
        for part in parts:
            self.add(part)

    @staticmethod
    def of(some: Sequence[Item]) -> Items:
        """These, as such."""
        return some if isinstance(some, Items) else Items([some])

    def add(self, part: Sequence[Item]) -> None:
        """Append these."""
        if part:
            self._parts.append(part)
            self.size_bytes += size_of(part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @overload
    def __getitem__(self, at: int) -> Item: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...
    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        if at == -1 and self._parts:
            return self._parts[-1][-1]
        if at == 0 and self._parts:
            return self._parts[0][0]
        return list(self)[at]

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Their bytes, a comma between two, in as few pieces as they lie in: a page is copied once."""
        for place, part in enumerate(self._parts):
            if place:
                yield b","
            yield part.joined if isinstance(part, Run) else b",".join(each.raw for each in part)

    def taken(self) -> tuple[set[int], int]:
        """The batches of what is not ours, and how many objects that is."""
        batches, count = set[int](), 0
        for part in self._parts:
            if isinstance(part, Run):
                batches.add(part.batch)
                count += len(part)
            else:
                theirs = [each.batch for each in part if not each.is_shared]
                batches.update(theirs)
                count += len(theirs)
        return batches, count


def size_of(part: Sequence[Item]) -> int:
    """Of their bytes."""
    return part.size_bytes if isinstance(part, Run) else sum(len(each.raw) for each in part)


def fitting(part: Sequence[Item], most_bytes: int) -> int:
    """How many of the first of them begin before so many bytes are full; at least one."""
    if isinstance(part, Run):
        return part.fitting(most_bytes)
    left = most_bytes
    for count, each in enumerate(part):
        if left < 0 and count:
            return count
        left -= len(each.raw)
    return len(part)


@dataclass(frozen=True, slots=True)
class Given:
    """A page, and the cursor of the next; empty on the last. A page may hold nothing and not be the last."""

    items: Sequence[Item] = field(default_factory=Items)
    cursor: str = ""
    reached: datetime | None = None
    """Up to which moment everything was looked through, where there is a next one."""


def is_wanted(body: dict[str, Any], wanted: Wanted) -> bool:
    """Whether it is asked for, being the only version of itself."""
    if (wanted.ids and body["id"] not in wanted.ids) or (wanted.types and body["type"] not in wanted.types):
        return False
    return bool({"first", "last", "all", version_of(body)} & wanted.versions)


def identifiers() -> Identifiers:
    """The exchange of identifiers of this installation."""
    return _exchange(settings.SECRET_KEY)


_exchange = lru_cache(maxsize=4)(Identifiers)
