"""What is asked for of what was released, and an object of it as the reader gets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from django.conf import settings

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


@dataclass(frozen=True, slots=True)
class Given:
    """A page, and the cursor of the next; empty on the last."""

    items: list[Item] = field(default_factory=list)
    cursor: str = ""


def is_wanted(body: dict[str, Any], wanted: Wanted) -> bool:
    """Whether it is asked for, being the only version of itself."""
    if (wanted.ids and body["id"] not in wanted.ids) or (wanted.types and body["type"] not in wanted.types):
        return False
    return bool({"first", "last", "all", version_of(body)} & wanted.versions)


def identifiers() -> Identifiers:
    """The exchange of identifiers of this installation."""
    return Identifiers(settings.SECRET_KEY)
