"""What a question is asked of: a snapshot of registered files, and the rows that the asker may see."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import zstandard

from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.engine import EMBEDDED, Engine
from tocsin.lake.keys import PLAIN, Keys

HIDDEN_WITH_PEER = ("peer", "peer_role", "peer_port", "peer_asn", "peer_network", "extra", "note")
"""Blanked where the other side is a victim elsewhere: free text may repeat what these columns held."""
SHIELDED_BY = ("batch", "peer", "peer_role", "peer_country")
"""Columns that tell whether they must be."""
_VICTIMS = [role.value for role in VICTIM_LIKE]


@cache
def is_guarded() -> pl.Expr:
    """Whether who stands on the other side is shown by the rule of victims."""
    # A side without a stated role may be anybody's machine.
    return pl.col("peer").is_not_null() & pl.col("peer_role").is_in(_VICTIMS).fill_null(True)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registered files of one moment, as absolute paths, what opens them and who asks them. A reader keeps it
    through compactions."""

    files: tuple[Path, ...]
    keys: Keys = PLAIN
    engine: Engine = field(default=EMBEDDED, compare=False, repr=False)


class Batches(Collection[int]):
    """A set of batch numbers as a sorted array: there may be a million of them."""

    __slots__ = ("_hash", "numbers")

    def __init__(self, numbers: Collection[int] | npt.NDArray[np.int64] = ()) -> None:
        """An array is taken as it is: sorted, each number once."""
        if not isinstance(numbers, np.ndarray):
            numbers = np.array(sorted(set(numbers)), np.int64)
        self.numbers: npt.NDArray[np.int64] = numbers
        self._hash = 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        yield from self.numbers.tolist()

    def __contains__(self, number: object) -> bool:
        place = int(np.searchsorted(self.numbers, number)) if isinstance(number, int) else len(self.numbers)
        return place < len(self.numbers) and self.numbers[place] == number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batches) and np.array_equal(self.numbers, other.numbers)

    def __hash__(self) -> int:
        self._hash = self._hash or hash(self.numbers.tobytes())
        return self._hash

    def __and__(self, other: Batches) -> Batches:
        return Batches(np.intersect1d(self.numbers, other.numbers, assume_unique=True))

    def __sub__(self, other: Batches) -> Batches:
        return Batches(np.setdiff1d(self.numbers, other.numbers, assume_unique=True))

    def __or__(self, other: Batches) -> Batches:
        return Batches(np.union1d(self.numbers, other.numbers))

    def __le__(self, other: Batches) -> bool:
        if len(self) > len(other):
            return False
        # A page asks it of a few among many thousands: these few are looked up.
        places = np.searchsorted(other.numbers, self.numbers)
        return not len(self) or bool(places[-1] < len(other) and np.array_equal(other.numbers[places], self.numbers))

    def __repr__(self) -> str:
        return f"Batches({self.numbers.tolist()})"

    def packed(self) -> bytes:
        """As few bytes as its stretches of following numbers need; `unpacked` reads them back."""
        starts = np.flatnonzero(np.diff(self.numbers, prepend=self.numbers[:1] - 2) != 1)
        lengths = np.diff(starts, append=len(self.numbers))
        runs = np.stack([np.diff(self.numbers[starts], prepend=0), lengths]).astype("<i8")
        return zstandard.compress(runs.tobytes())

    @classmethod
    def unpacked(cls, body: bytes) -> Batches:
        """What `packed` made."""
        gaps, lengths = np.frombuffer(zstandard.decompress(body), "<i8").reshape(2, -1)
        starts = np.cumsum(gaps)
        before = np.cumsum(lengths) - lengths
        numbers = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
        return cls(numbers.astype(np.int64))

    @property
    def series(self) -> pl.Series:
        """For Polars, without a copy."""
        return pl.Series(self.numbers)


@dataclass(frozen=True, slots=True)
class Scope:
    """The gate, compiled: which batches, and which victim rows in them. Joined before counting or paging."""

    batches: Batches
    """Batches the viewer may see at all."""
    own_batches: Batches = field(default_factory=Batches)
    """Batches that the viewer's organisation handed over: their victim rows are visible to it."""
    victim_countries: frozenset[str] = frozenset()
    """Countries whose victim rows are visible."""
    all_victims: bool = False
    """The Centre's victim desk."""

    def row_filter(self) -> pl.Expr:
        """The same rule as a Polars expression over columns `batch`, `role`, `country`."""
        seen = pl.col("batch").is_in(self.batches.series.implode())
        if self.all_victims:
            return seen
        hidden = (
            pl.col("role").is_in(_VICTIMS)
            & ~pl.col("batch").is_in(self.own_batches.series.implode())
            & ~pl.col("country").fill_null("").is_in(list(self.victim_countries))
        )
        return seen & ~hidden

    def shielded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Visible rows, with SHIELDED_BY among their columns, without who was hit on the other side elsewhere."""
        if self.all_victims or not rows.height:
            return rows
        free = pl.col("batch").is_in(self.own_batches.series.implode()) | pl.col("peer_country").fill_null("").is_in(
            list(self.victim_countries)
        )
        names = [name for name in HIDDEN_WITH_PEER if name in rows.columns]
        return rows.with_columns(pl.when(~(is_guarded() & ~free)).then(pl.col(name)).alias(name) for name in names)
