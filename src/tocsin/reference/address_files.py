"""Address tables from files of one's own: prefix lists as CSV, and MMDB databases of countries or systems.

What a file says takes the place of that attribute in the tables it is laid over; the rest stays.
"""

from __future__ import annotations

import csv
import gzip
import io
import ipaddress
from array import array
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Literal

import numpy as np
import numpy.typing as npt

from tocsin.core.errors import InputError

from .addresses import ATTRIBUTES, COUNTRY_INDEX, AddressTables
from .ranges import Layer, Network, layer_v4, layer_v6, v6_keys

CountryClaim = Literal["registry_country", "geo_country"]
WORST_SHARE_REFUSED = 0.01
"""A file with a larger share of unreadable rows is not taken at all."""


@dataclass
class _Ranges:
    """First and last address of networks, and the values beside them, in columns."""

    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    values: dict[str, array[int]] = field(default_factory=lambda: {name: array("L") for name in ATTRIBUTES})

    def add(self, network: Network, asn: int, country: int, claim: CountryClaim) -> None:
        self.first.append(int(network.network_address))
        self.last.append(int(network.broadcast_address))
        for name in ATTRIBUTES:
            self.values[name].append(asn if name == "asn" else country if name == claim else 0)

    def layer(self, name: str, version: int) -> Layer:
        values: npt.NDArray[np.uint32] = np.array(self.values[name], dtype=np.uint32)
        if version == 4:
            return layer_v4(np.array(self.first, np.uint64), np.array(self.last, np.uint64), values)
        return layer_v6(self.first, self.last, values)


def from_csv(
    path: Path,
    *,
    on: date,
    licence: str,
    over: AddressTables | None = None,
    country_is: CountryClaim = "registry_country",
) -> AddressTables:
    """Tables from rows of prefix, number of the system, country code; a header, gzip and empty
    cells are fine.

    Prefixes may nest: the longest wins. Raises InputError when the file holds none, or too many
    unreadable rows.
    """
    found = {4: _Ranges(), 6: _Ranges()}
    taken = refused = 0
    worst = ""
    with _opened(path) as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or row[0].startswith("#") or (number == 1 and not row[0][:1].isdigit() and ":" not in row[0]):
                continue
            try:
                network = ipaddress.ip_network(row[0].strip())
                asn = int(row[1].strip().upper().removeprefix("AS") or 0) if len(row) > 1 else 0
                if not 0 <= asn < 1 << 32:
                    raise ValueError("no number of a system")
            except ValueError:
                refused, worst = refused + 1, worst or f"row {number}"
                continue
            code = row[2].strip().upper() if len(row) > 2 else ""
            found[network.version].add(network, asn, COUNTRY_INDEX.get(code, 0), country_is)
            taken += 1
    if not taken or refused > WORST_SHARE_REFUSED * (taken + refused):
        raise InputError("not-a-network", position=worst, field="prefix", excerpt=path.name)
    return _laid_over(found, {"asn", country_is}, on, licence, over)


def from_mmdb(
    path: Path,
    *,
    on: date | None = None,
    licence: str,
    over: AddressTables | None = None,
    country_is: CountryClaim = "geo_country",
) -> AddressTables:
    """Tables from an MMDB file with countries, systems or both; dated by its own build unless `on` is given.

    Raises InputError when it is none, or holds neither.
    """
    import maxminddb  # Here, because every reading process loads this module and few read such a file.

    found = {4: _Ranges(), 6: _Ranges()}
    told: set[str] = set()
    names: dict[int, str] = {}
    try:
        with maxminddb.open_database(str(path), maxminddb.MODE_AUTO) as reader:
            built = datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date()
            for network, record in reader:
                if not isinstance(record, dict):
                    continue
                country = record.get("country") or record.get("registered_country") or {}
                code = country.get("iso_code") if isinstance(country, dict) else country
                code = code or record.get("country_code")
                asn = record.get("autonomous_system_number") or record.get("asn") or 0
                asn = int(str(asn).upper().removeprefix("AS") or 0)
                told |= ({"asn"} if asn else set()) | ({country_is} if code else set())
                if name := record.get("autonomous_system_organization"):
                    names[asn] = str(name)
                plain = _unmapped(network)
                found[plain.version].add(plain, asn, COUNTRY_INDEX.get(str(code).upper(), 0), country_is)
    except (maxminddb.InvalidDatabaseError, ValueError, UnicodeDecodeError) as error:
        raise InputError("unknown-format", excerpt=path.name) from error
    if not told:
        raise InputError("unknown-format", excerpt=path.name)
    return _laid_over(found, told, on or built, licence, over, names)


def _laid_over(
    found: dict[int, _Ranges],
    told: set[str],
    on: date,
    licence: str,
    over: AddressTables | None,
    names: dict[int, str] | None = None,
) -> AddressTables:
    empty_v4 = Layer(np.zeros(1, np.uint64), np.zeros(1, np.uint32))
    empty_v6 = Layer(v6_keys([0]), np.zeros(1, np.uint32))
    v4 = over.layers_v4() if over else dict.fromkeys(ATTRIBUTES, empty_v4)
    v6 = over.layers_v6() if over else dict.fromkeys(ATTRIBUTES, empty_v6)
    for name in told:
        if found[4].first:
            v4[name] = found[4].layer(name, 4)
        if found[6].first:
            v6[name] = found[6].layer(name, 6)
    joined = f"{licence}; {over.licence}" if over else licence
    return AddressTables.of_layers(on, joined, v4, v6, (over.names if over else {}) | (names or {}))


def _unmapped(network: Network) -> Network:
    """MMDB files keep IPv4 networks under ::/96."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96 and int(network[0]) >> 32 == 0:
        return ipaddress.IPv4Network((int(network[0]), network.prefixlen - 96))
    return network


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8", errors="replace", newline="")
    return path.open(encoding="utf-8", errors="replace", newline="")
