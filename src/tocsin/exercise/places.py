"""Addresses by country: where the invented victims and servers of an exercise stand.

An address must lie in a real range to have a country at all, so ranges come from the address table that ships
with the product, and the host inside the range is a number drawn at random. Nobody was looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

UInt64s = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranges:
    """Address ranges that have a country, sorted by country. IPv6 ranges count in networks of /64."""

    first: UInt64s
    size: UInt64s
    country: Ints
    """Place of the country in `countries`."""
    countries: tuple[str, ...]
    asn: Ints
    """Number of the autonomous system, 0 where none is known."""

    @cached_property
    def bounds(self) -> Ints:
        """Where each country's ranges begin, and the end."""
        return np.searchsorted(self.country, np.arange(len(self.countries) + 1)).astype(np.int64)

    @cached_property
    def totals(self) -> npt.NDArray[np.float64]:
        """Addresses per country."""
        return np.bincount(self.country, weights=self.size.astype(float), minlength=len(self.countries))

    @cached_property
    def _cumulated(self) -> npt.NDArray[np.float64]:
        return np.cumsum(self.size.astype(float))

    def draw(self, countries: Ints, random: np.random.Generator) -> tuple[UInt64s, Ints]:
        """One address (as a number) and its autonomous system for each wanted country."""
        ends = self._cumulated
        starts = np.where(self.bounds[countries] > 0, ends[self.bounds[countries] - 1], 0.0)
        spans = ends[self.bounds[countries + 1] - 1] - starts
        place = np.searchsorted(ends, starts + spans * random.random(len(countries)), side="right")
        place = np.clip(place, self.bounds[countries], self.bounds[countries + 1] - 1)
        offset = (self.size[place].astype(float) * random.random(len(countries))).astype(np.uint64)
        last_octet = offset & np.uint64(255)
        # Network and broadcast addresses of the customary /24 belong to no machine.
        offset = np.where(last_octet == 0, offset + np.uint64(1), offset)
        offset = np.where(last_octet == 255, offset - np.uint64(1), offset)
        return self.first[place] + np.minimum(offset, self.size[place] - np.uint64(1)), self.asn[place]


@dataclass(frozen=True)
class Places:
    """What an exercise needs to know about addresses. `disputed` holds IPv4 ranges whose two tables differ."""

    ipv4: Ranges
    ipv6: Ranges
    disputed: tuple[Ranges, Ranges] | None = None
    """The ranges by registry, and the same ranges by geolocation."""

    def one(self, country: str, random: np.random.Generator) -> str:
        """One IPv4 address in a country, as text."""
        place = self.ipv4.countries.index(country)
        number, _ = self.ipv4.draw(np.array([place]), random)
        return str(ipaddress.IPv4Address(int(number[0])))


def ranges_of(rows: Iterable[tuple[int, int, str, int]]) -> Ranges:
    """Ranges from (first, last, country, autonomous system); the order of the rows does not matter."""
    ordered = sorted(rows, key=lambda row: (row[2], row[0]))
    countries = tuple(sorted({row[2] for row in ordered}))
    index = {code: place for place, code in enumerate(countries)}
    return Ranges(
        first=np.array([row[0] for row in ordered], np.uint64),
        size=np.array([row[1] - row[0] + 1 for row in ordered], np.uint64),
        country=np.array([index[row[2]] for row in ordered], np.int64),
        countries=countries,
        asn=np.array([row[3] for row in ordered], np.int64),
    )
