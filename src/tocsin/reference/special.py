"""Addresses set aside by IANA: private, reserved, for documentation, multicast. They belong to no country.

`special.csv` follows the IANA special-purpose registries of IPv4 and IPv6; the smaller network wins.
2002::/16 and 2001::/32 count as global: they hold machines behind relays, though no claim on a country.
"""

from __future__ import annotations

import csv
import ipaddress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .ranges import Layer, Network, layer_v4, layer_v6, v6_halves, v6_index

PATH = Path(__file__).parent / "special.csv"
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Special:
    """One line of a registry. `is_global` means that it may stand for a machine on the public Internet."""

    network: Network
    is_global: bool
    name: str
    source: str


@cache
def special_networks() -> tuple[Special, ...]:
    """All lines of both registries."""
    with PATH.open(encoding="utf-8", newline="") as file:
        return tuple(
            Special(ipaddress.ip_network(row["network"]), row["is_global"] == "yes", row["name"], row["source"])
            for row in csv.DictReader(file)
        )


def is_public_v4(addresses: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which IPv4 addresses, given as numbers, can be those of machines on the public Internet."""
    layer = special_v4()
    starts = layer.starts.astype(np.uint32)
    found: npt.NDArray[np.bool_] = layer.values[np.searchsorted(starts, addresses, side="right") - 1] == 0
    return found


def is_public_v6(high: U64, low: U64) -> npt.NDArray[np.bool_]:
    """The same for IPv6 addresses, given as their high and low 64 bits."""
    starts_high, starts_low = v6_halves(special_v6().starts)
    found: npt.NDArray[np.bool_] = special_v6().values[v6_index(starts_high, starts_low, high, low)] == 0
    return found


@cache
def special_v4() -> Layer:
    """1 where an address is not public, 0 elsewhere."""
    chosen = [each for each in special_networks() if each.network.version == 4]
    first = np.array([int(each.network[0]) for each in chosen], np.uint64)
    last = np.array([int(each.network[-1]) for each in chosen], np.uint64)
    return layer_v4(first, last, np.array([not each.is_global for each in chosen], np.uint32))


@cache
def special_v6() -> Layer:
    """The same for IPv6."""
    chosen = [each for each in special_networks() if each.network.version == 6]
    first = [int(each.network[0]) for each in chosen]
    last = [int(each.network[-1]) for each in chosen]
    return layer_v6(first, last, np.array([not each.is_global for each in chosen], np.uint32))
