"""Which network announces an address, and which countries registries and geolocation claim for it.

Both countries are claims with a date, never findings. One sorted table for each family holds all attributes,
so that one search answers everything. Sources, licences and known faults of the shipped tables: NOTICE.md.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.core import later

from .countries import all_countries
from .ranges import Layer, merged, v6_from_halves, v6_halves, v6_index

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]

COUNTRIES: tuple[str | None, ...] = (None, *(each.code for each in all_countries()))
"""What a country index means; 0 stands for no claim."""
COUNTRY_INDEX: dict[str, int] = {code: index for index, code in enumerate(COUNTRIES) if code}


@cache
def country_series() -> pl.Series:
    """COUNTRIES, as a column."""
    return pl.Series("country", COUNTRIES, dtype=pl.String)


ATTRIBUTES = ("asn", "registry_country", "geo_country")
NAMED: later.Table[type[pl.DataType]] = later.Table(lambda: {"asn": pl.UInt32, "name": pl.String})
FILES = ("addresses_v4.parquet", "addresses_v6.parquet", "addresses_names.parquet")
FOLDER = Path(__file__).parent
FOOTER_TAIL_BYTES = 8
WORTH_PAGES = 200_000
"""Addresses in one call from which on an index of all /24 networks pays for itself."""


@dataclass(frozen=True, slots=True)
class Located:
    """What is known of each address asked for, in its order.

    `asn` is 0 and a country index 0 where nothing is claimed; `network` is -1 where no network is known.
    """

    asn: U32
    registry_country: U8
    geo_country: U8
    network: I32


@dataclass(frozen=True, slots=True)
class Table:
    """All ranges of one family. Range i reaches from start i to the start of range i + 1, less one."""

    asn: U32
    registry_country: U8
    geo_country: U8
    network: I32
    network_first: npt.NDArray[np.int64]  # Number of the first range of each network.
    network_after: npt.NDArray[np.int64]  # Number of the range behind its last one.

    @classmethod
    def of(cls, attributes: dict[str, npt.NDArray[Any]]) -> Table:
        asn = attributes["asn"].astype(np.uint32)
        registry = attributes["registry_country"].astype(np.uint8)
        geo = attributes["geo_country"].astype(np.uint8)
        # A network is a stretch that one system announces, or, unannounced, that one country's claims cover.
        claims = registry.astype(np.uint16) << np.uint16(8) | geo
        claims[asn > 0] = 0
        is_first = np.ones(len(asn), dtype=bool)
        is_first[1:] = (asn[1:] != asn[:-1]) | (claims[1:] != claims[:-1])
        first = np.flatnonzero(is_first)
        network = np.cumsum(is_first, dtype=np.int32) - np.int32(1)
        network[(asn == 0) & (claims == 0)] = -1
        return cls(asn, registry, geo, network, first, np.append(first[1:], len(asn)))

    def located(self, index: npt.NDArray[np.intp] | I32) -> Located:
        return Located(
            self.asn.take(index),
            self.registry_country.take(index),
            self.geo_country.take(index),
            self.network.take(index),
        )


@dataclass(frozen=True)
class AddressTables:
    """The tables of one day. Get it from `shipped` or `store.installed`."""

    date: datetime.date
    licence: str
    v4_starts: U32
    v4: Table
    v6_high: U64
    v6_low: U64
    v6: Table
    named: pl.DataFrame  # Number of each system, and its name.

    @classmethod
    def read(cls, folder: Path) -> AddressTables:
        """The tables that `write` left in a folder. Raises OSError or what Arrow and Polars raise."""
        v4, facts = _read(folder / FILES[0])
        v6, _ = _read(folder / FILES[1])
        return cls(
            date=datetime.date.fromisoformat(facts["date"]),
            licence=facts["licence"],
            v4_starts=v4.pop("start").astype(np.uint32),
            v4=Table.of(v4),
            v6_high=v6.pop("high").astype(np.uint64),
            v6_low=v6.pop("low").astype(np.uint64),
            v6=Table.of(v6),
            named=pl.read_parquet(folder / FILES[2]),
        )

    @classmethod
    def of_layers(
        cls,
        on: datetime.date,
        licence: str,
        v4: dict[str, Layer],
        v6: dict[str, Layer],
        names: dict[int, str],
    ) -> AddressTables:
        """Tables from one layer for each of ATTRIBUTES and family; countries are indices into COUNTRIES."""
        v4_starts, v4_values = merged(v4)
        v6_starts, v6_values = merged(v6)
        high, low = v6_halves(v6_starts)
        return cls(
            on,
            licence,
            v4_starts.astype(np.uint32),
            Table.of(dict(v4_values)),
            high,
            low,
            Table.of(dict(v6_values)),
            pl.DataFrame(sorted(names.items()), schema=NAMED, orient="row"),
        )

    @cached_property
    def names(self) -> dict[int, str]:
        """Number of a system -> its name."""
        return dict(self.named.iter_rows())

    def layers_v4(self) -> dict[str, Layer]:
        """The table taken apart again, to put something else in the place of one attribute."""
        starts = self.v4_starts.astype(np.uint64)
        return {name: Layer(starts, getattr(self.v4, name).astype(np.uint32)) for name in ATTRIBUTES}

    def layers_v6(self) -> dict[str, Layer]:
        """The same for IPv6."""
        starts = v6_from_halves(self.v6_high, self.v6_low)
        return {name: Layer(starts, getattr(self.v6, name).astype(np.uint32)) for name in ATTRIBUTES}

    def write(self, folder: Path, level: int = 6) -> None:
        """Write the three files of `FILES` into an existing folder; `level` is that of Zstandard."""
        facts = {"date": self.date.isoformat(), "licence": self.licence, "countries": list(COUNTRIES[1:])}
        _write(folder / FILES[0], {"start": self.v4_starts}, self.v4, facts, level)
        _write(folder / FILES[1], {"high": self.v6_high, "low": self.v6_low}, self.v6, facts, level)
        self.named.write_parquet(folder / FILES[2], compression="zstd", compression_level=level)

    def lookup_v4(self, addresses: U32) -> Located:
        """What is known of IPv4 addresses, given as numbers in any order."""
        if len(addresses) < WORTH_PAGES and "_pages_v4" not in self.__dict__:
            return self.v4.located(np.searchsorted(self.v4_starts, addresses, side="right") - 1)
        index = self._pages_v4.take(addresses >> np.uint32(8))
        split = np.flatnonzero(index < 0)
        index[split] = np.searchsorted(self.v4_starts, addresses[split], side="right") - 1
        return self.v4.located(index)

    @cached_property
    def _pages_v4(self) -> I32:
        """The range that covers each /24, or -1 where more than one does: 64 MiB that spare the search."""
        page = (self.v4_starts >> np.uint32(8)).astype(np.int64)
        is_last = np.append(page[1:] != page[:-1], True)
        range_of_page = np.flatnonzero(is_last).astype(np.int32)
        pages = np.repeat(range_of_page, np.diff(np.append(page[is_last], 1 << 24)))
        pages[page[(self.v4_starts & np.uint32(255)) != 0]] = -1
        return pages

    def lookup_v6(self, high: U64, low: U64) -> Located:
        """What is known of IPv6 addresses, given as their high and low 64 bits."""
        return self.v6.located(v6_index(self.v6_high, self.v6_low, high, low))

    def network_texts_v4(self, networks: I32) -> pl.Series:
        """The network of each number from `Located.network` as CIDR, or first-last; null for -1."""
        unique, place = np.unique(networks, return_inverse=True)
        known = unique[unique >= 0]
        # Not of the whole table at once, which is longer than most deliveries.
        after = self.v4.network_after[known]
        first = self.v4_starts[self.v4.network_first[known]].astype(np.uint64)
        begins = self.v4_starts[np.minimum(after, len(self.v4_starts) - 1)].astype(np.uint64)
        last = np.where(after < len(self.v4_starts), begins, np.uint64(1 << 32)) - np.uint64(1)
        texts = _texts_v4(first, last)
        if len(known) < len(unique):
            texts = pl.concat([pl.Series([None], dtype=pl.String), texts])
        return texts.gather(place).alias("network")

    def network_texts_v6(self, networks: I32) -> pl.Series:
        """The same for IPv6."""
        unique, place = np.unique(networks, return_inverse=True)
        texts = [self._text_v6(number) if number >= 0 else None for number in unique.tolist()]
        return pl.Series("network", texts, dtype=pl.String).gather(place)

    def _text_v6(self, network: int) -> str:
        first, after = int(self.v6.network_first[network]), int(self.v6.network_after[network])
        last = self._v6_start(after) - 1 if after < len(self.v6_high) else (1 << 128) - 1
        return range_text(ipaddress.IPv6Address(self._v6_start(first)), ipaddress.IPv6Address(last))

    def _v6_start(self, number: int) -> int:
        return int(self.v6_high[number]) << 64 | int(self.v6_low[number])

    def as_names(self, asns: pl.Series) -> pl.Series:
        """The name of each system; null where it has none."""
        unique = asns.drop_nulls().unique().cast(pl.UInt32).alias("asn").to_frame()
        known = self.named.join(unique, on="asn", how="semi")
        return asns.replace_strict(known["asn"], known["name"], default=None, return_dtype=pl.String)


@cache
def shipped() -> AddressTables:
    """The tables that came with this version of Tocsin."""
    return AddressTables.read(FOLDER)


def range_text(
    first: ipaddress.IPv4Address | ipaddress.IPv6Address, last: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> str:
    """CIDR where the range is one block, else "first-last"."""
    size = int(last) - int(first) + 1
    if size & (size - 1) == 0 and int(first) % size == 0:
        return f"{first}/{first.max_prefixlen - size.bit_length() + 1}"
    return f"{first}-{last}"


def _texts_v4(first: U64, last: U64) -> pl.Series:
    """`range_text` for columns of IPv4 numbers."""

    def dotted(column: str) -> pl.Expr:
        number = pl.col(column)
        return pl.format(
            "{}.{}.{}.{}", number // (1 << 24), number // (1 << 16) % 256, number // 256 % 256, number % 256
        )

    size = last - first + np.uint64(1)
    is_block = (size & (size - np.uint64(1)) == 0) & (first % size == 0)
    length = 32 - np.round(np.log2(size.astype(np.float64))).astype(np.int64)
    frame = pl.DataFrame({"first": first, "last": last, "is_block": is_block, "length": length})
    text = pl.when("is_block").then(pl.format("{}/{}", dotted("first"), "length"))
    return frame.select(text.otherwise(pl.format("{}-{}", dotted("first"), dotted("last")))).to_series()


def _read(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    # All at once, without the machinery for folders of files, which takes longer to load than the table.
    table = pq.ParquetFile(path).read(use_threads=False)
    facts = json.loads(table.schema.metadata[b"tocsin"])
    # The file keeps its own list of countries, so that an older one stays right when codes are added.
    meaning = np.array([0, *(COUNTRY_INDEX.get(code, 0) for code in facts["countries"])], dtype=np.uint8)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    for name in ("registry_country", "geo_country"):
        columns[name] = meaning[columns[name]]
    return columns, facts


def facts_of(path: Path) -> dict[str, Any]:
    """What such a file says of itself, out of its footer alone: every page asks, and has no use for columns."""
    with path.open("rb") as stream:
        size = stream.seek(-FOOTER_TAIL_BYTES, os.SEEK_END)
        length = int.from_bytes(stream.read()[:4], "little")
        stream.seek(max(size - length, 0))
        footer = stream.read(length)
    # A key of the footer is its length and its text; the value follows, as we wrote it.
    start = footer.find(b"{", footer.find(b"\x06tocsin"))
    facts: dict[str, Any] = json.JSONDecoder().raw_decode(footer[start:].decode("utf-8", "replace"))[0]
    return facts


def _write(path: Path, keys: dict[str, npt.NDArray[Any]], table: Table, facts: dict[str, Any], level: int) -> None:
    attributes = {name: getattr(table, name) for name in ATTRIBUTES}
    written = pa.table(keys | attributes).replace_schema_metadata({"tocsin": json.dumps(facts)})
    pq.write_table(
        written,
        path,
        compression="zstd",
        compression_level=level,
        use_dictionary=["asn"],
        column_encoding=dict.fromkeys(keys, "DELTA_BINARY_PACKED")
        | dict.fromkeys(("registry_country", "geo_country"), "PLAIN"),
    )
