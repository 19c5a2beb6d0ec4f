"""Building range tables: from networks that may nest to one list of starts that covers every address once.

IPv4 keys are uint64 (so that one past the last address has a place), IPv6 keys are 16 bytes in network order.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[Any]
Halves = npt.NDArray[np.uint64]
Values = npt.NDArray[np.uint32]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

V4_END = 1 << 32
V6_END = 1 << 128

LAST_V6_KEY = np.bytes_(b"\xff" * 16)


@dataclass(frozen=True, slots=True)
class Layer:
    """Sorted starts from the first address on, and the value of each stretch; 0 says nothing is known."""

    starts: Keys
    values: Values


def v6_keys(numbers: list[int]) -> Keys:
    """128-bit numbers as sortable 16-byte keys."""
    joined = b"".join(number.to_bytes(16, "big") for number in numbers)
    return np.frombuffer(joined, dtype="S16") if joined else np.zeros(0, "S16")


def v6_halves(keys: Keys) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The high and the low 64 bits of 16-byte keys."""
    halves = np.frombuffer(keys.astype("S16").tobytes(), dtype=">u8").astype(np.uint64)
    return np.ascontiguousarray(halves[0::2]), np.ascontiguousarray(halves[1::2])


def v6_from_halves(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> Keys:
    """The opposite of `v6_halves`."""
    both = np.empty((len(high), 2), dtype=">u8")
    both[:, 0], both[:, 1] = high, low
    return np.frombuffer(both.tobytes(), dtype="S16")


def v6_index(starts_high: Halves, starts_low: Halves, high: Halves, low: Halves) -> npt.NDArray[np.intp]:
    """Number of the range that holds each address, of sorted starts that begin with the first address."""
    # Among the ranges that start with the same high bits, the low bits decide.
    start = np.searchsorted(starts_high, high, side="left")
    end = np.searchsorted(starts_high, high, side="right")
    wide = np.flatnonzero(end > start)
    while len(wide):
        centre = (start[wide] + end[wide]) // 2
        is_before = starts_low[centre] <= low[wide]
        start[wide] = np.where(is_before, centre + 1, start[wide])
        end[wide] = np.where(is_before, end[wide], centre)
        wide = wide[end[wide] > start[wide]]
    return start - 1


def layer_v4(first: npt.NDArray[np.uint64], last: npt.NDArray[np.uint64], values: Values) -> Layer:
    """A layer of ranges, both ends inclusive; where they overlap the smaller range wins."""
    size = last.astype(np.uint64) - first.astype(np.uint64)
    return _painted(first.astype(np.uint64), last.astype(np.uint64) + np.uint64(1), size, values, np.uint64(0))


def layer_v6(first: list[int], last: list[int], values: Values) -> Layer:
    """The same for IPv6 numbers."""
    # One past the very last address has no key: `thinned` drops the start that stands there instead.
    after = v6_keys([min(number + 1, V6_END - 1) for number in last])
    # The number of leading bits is enough to order ranges by their size.
    size = np.array([(end - start).bit_length() for start, end in zip(first, last, strict=True)], np.uint64)
    return _painted(v6_keys(first), after, size, values, np.bytes_(b""))


def _painted(first: Keys, after: Keys, size: npt.NDArray[np.uint64], values: Values, zero: Any) -> Layer:
    starts = np.unique(np.concatenate([first, after, np.array([zero], dtype=first.dtype)]))
    painted = np.zeros(len(starts), dtype=np.uint32)
    from_index, to_index = np.searchsorted(starts, first), np.searchsorted(starts, after)
    if np.all(from_index[1:] >= to_index[:-1]):  # Disjoint and in order, as most files are.
        lengths = to_index - from_index
        where = np.repeat(from_index - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        painted[where + np.arange(lengths.sum())] = np.repeat(values, lengths)
    else:
        for number in np.argsort(size, kind="stable")[::-1].tolist():
            painted[from_index[number] : to_index[number]] = values[number]
    return thinned(Layer(starts, painted))


def thinned(layer: Layer) -> Layer:
    """Without starts at which nothing changes, and without one past the last address."""
    keep = np.concatenate([[True], layer.values[1:] != layer.values[:-1]])
    if layer.starts.dtype.kind == "u":
        keep &= layer.starts < V4_END
    else:
        keep &= layer.starts < LAST_V6_KEY
    return Layer(layer.starts[keep], layer.values[keep])


def cleared(layer: Layer, where: Layer) -> Layer:
    """The layer without values where the other one has any."""
    starts, values = merged({"layer": layer, "where": where})
    return thinned(Layer(starts, np.where(values["where"] > 0, np.uint32(0), values["layer"])))


def merged(layers: Mapping[str, Layer]) -> tuple[Keys, dict[str, Values]]:
    """One list of starts for several layers, split wherever one of them changes."""
    starts = np.unique(np.concatenate([layer.starts for layer in layers.values()]))
    return starts, {
        name: layer.values[np.searchsorted(layer.starts, starts, side="right") - 1] for name, layer in layers.items()
    }
