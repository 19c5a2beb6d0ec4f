"""Addresses by country: where the invented victims and servers of an exercise stand.

An address must lie in a real range to have a country at all, so ranges come from the address table that ships
with the product, and the host inside the range is a number drawn at random. Nobody was looked at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from tocsin.reference.addresses import COUNTRIES, AddressTables, Table, shipped

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
        weights = self.size.astype(float)
        return np.bincount(self.country, weights, len(self.countries)).astype(np.float64)

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
class Disputed:
    """IPv4 ranges whose country differs between the network registries and the geolocation table."""

    first: UInt64s
    size: UInt64s
    registry: tuple[str, ...]
    geo: tuple[str, ...]

    def draw(self, random: np.random.Generator) -> tuple[str, str, str]:
        """An address with the country of the registry and that of the geolocation table."""
        place = int(random.integers(len(self.first)))
        address = int(self.first[place]) + int(random.integers(1, int(self.size[place]) - 1))
        return str(ipaddress.IPv4Address(address)), self.registry[place], self.geo[place]


@dataclass(frozen=True)
class Places:
    """What an exercise needs to know about addresses."""

    ipv4: Ranges
    ipv6: Ranges
    disputed: Disputed | None = None

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


@cache
def shipped_places() -> Places:
    """Places from the address tables that ship with the product."""
    return places_of(shipped())


def places_of(tables: AddressTables) -> Places:
    """Ranges whose two country claims agree, and those whose claims differ."""
    first = tables.v4_starts.astype(np.uint64)
    size = np.append(first[1:], np.uint64(1 << 32)) - first
    ipv4 = _agreed(first, size, tables.v4, least_size=16)
    # Networks of /64: a range that begins or ends inside one is left out.
    high = tables.v6_high.astype(np.uint64)
    networks = np.append(high[1:], high[-1:]) - high
    whole = (tables.v6_low == 0) & (high >> np.uint64(61) == 1)
    ipv6 = _agreed(high, np.where(whole, networks, np.uint64(0)), tables.v6, least_size=1)
    return Places(ipv4, ipv6, _disputed(first, size, tables.v4))


def _agreed(first: UInt64s, size: UInt64s, table: Table, least_size: int) -> Ranges:
    keep = (table.registry_country == table.geo_country) & (table.geo_country > 0) & (size >= least_size)
    kept = np.flatnonzero(keep)
    kept = kept[np.argsort(table.geo_country[kept], kind="stable")]
    present, country = np.unique(table.geo_country[kept], return_inverse=True)
    return Ranges(
        first=first[kept],
        size=size[kept],
        country=country.astype(np.int64),
        countries=tuple(COUNTRIES[place] or "" for place in present),
        asn=table.asn[kept].astype(np.int64),
    )


def _disputed(first: UInt64s, size: UInt64s, table: Table) -> Disputed | None:
    both = (table.registry_country > 0) & (table.geo_country > 0) & (size >= 16)
    kept = np.flatnonzero(both & (table.registry_country != table.geo_country))
    if not len(kept):
        return None
    return Disputed(
        first=first[kept],
        size=size[kept],
        registry=tuple(COUNTRIES[place] or "" for place in table.registry_country[kept]),
        geo=tuple(COUNTRIES[place] or "" for place in table.geo_country[kept]),
    )
