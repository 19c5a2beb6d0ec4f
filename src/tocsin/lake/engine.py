"""Who asks the files of the lake and writes new ones: this process, or a cluster.

A question is a function of one file, and whatever puts the answers for all files together. The functions are the same
on every engine, so are the files, sealed or not: an engine only says where a function runs. What a function is told
and what it answers must be plain values: a cluster hands them on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tocsin.core.errors import InputError, Unavailable

from . import buckets

I = TypeVar("I")  # noqa: E741 - one item.
T = TypeVar("T")
Alive = Callable[[], None]
"""Called again and again while others work: whoever waits can say that it goes on, or raise to have it ended."""
MASTERS = ("spark://", "sc://", "local-cluster[", "local[", "yarn", "k8s://")


def silent() -> None:
    """Nobody waits."""


class Engine(Protocol):
    """What runs the functions of the lake."""

    @property
    def is_spread(self) -> bool:
        """Whether functions run elsewhere, many at once."""

    @property
    def width(self) -> int:
        """How many run at once."""

    @property
    def least_bytes(self) -> int:
        """Below so many bytes of files nothing is gained by asking it."""

    def ask(
        self, part: Callable[[Path], T], files: Sequence[Path], *, is_search: bool = False, alive: Alive = silent
    ) -> Iterator[T]:
        """What `part` says of each file, in their order. `is_search`: it reads few bytes of each, and not its rows."""

    def make(self, step: Callable[[I], T], items: Sequence[I], *, alive: Alive = silent) -> Iterator[T]:
        """What `step` says of each item, in their order. A step that writes files gives them new names each time and
        says them: it may be begun again, or twice at once, and what nobody heard of does not exist."""

    def stop(self) -> None:
        """Let go of what is held elsewhere."""


class Embedded:
    """This process, one after the other, as far as the answers are wanted."""

    is_spread = False
    width = 1
    least_bytes = 0

    def ask(
        self, part: Callable[[Path], T], files: Sequence[Path], *, is_search: bool = False, alive: Alive = silent
    ) -> Iterator[T]:
        return self.make(part, files, alive=alive)

    def make(self, step: Callable[[I], T], items: Iterable[I], *, alive: Alive = silent) -> Iterator[T]:
        for item in items:
            try:
                found = step(item)
            except Exception as error:
                # What reads a bucket for us has errors of its own where the store goes away in the middle.
                if not buckets.mounts() or not type(error).__module__.startswith("polars"):
                    raise
                raise Unavailable(
                    "the object store stopped answering in the middle of a question, or a file there is damaged"
                ) from error
            yield found
            alive()

    def stop(self) -> None:
        """Nothing is held."""


EMBEDDED = Embedded()


def engine_at(address: str, key: Path, options: Mapping[str, str], least_bytes: int | None = None) -> Engine:
    """The engine that a line of the settings names: empty for this process. Nothing is started before it is asked.

    `least_bytes`: what reads less is answered here all the same; 0 for nothing."""
    require_address(address)
    if not address:
        return EMBEDDED
    from .spark import Least, Spark

    usual = Least()
    bytes_read = usual.bytes_read if least_bytes is None else least_bytes
    least = Least(bytes_read=bytes_read, files_searched=usual.files_searched if bytes_read else 0)
    return Spark(address, key, options, least=least)


def require_address(address: str) -> None:
    """Raises InputError for what names no engine: a misspelt one must not quietly mean another."""
    if address and not address.startswith(MASTERS):
        excerpt = f"{address}, not one of {', '.join(MASTERS)}"
        raise InputError("invalid-object", position="tocsin.toml", field="engine", excerpt=excerpt)
