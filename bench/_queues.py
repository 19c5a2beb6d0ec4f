"""A discrete-event model of an installation: people and programs ask portals, deliveries queue for workers.

Each portal is one process that does one thing at a time (so does Python), each worker reads one delivery at a time.
What arrives, arrives by chance at given rates; how long it takes is drawn around the measured cost. First come, first
served.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

SPREAD = 0.5
"""Of the logarithm of service times: the measured p99 of pages is about three times their median."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of work: how often it comes, what it costs, and who does it."""

    name: str
    per_s: float
    seconds: float
    pool: str
    apart_s: float = 0.0
    """Seconds that pass for who asked while nobody of the pool is busy with it."""


@dataclass(slots=True)
class Pool:
    """Servers that share one queue."""

    servers: int
    busy_s: float = 0.0
    free_at: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a stretch of time: utilisation by pool, and seconds from arrival to answer by stream."""

    utilisation: dict[str, float]
    times: dict[str, list[float]]

    def time(self, name: str, share: float) -> float:
        """A percentile, in seconds."""
        held = sorted(self.times.get(name, []))
        return held[min(len(held) - 1, int(len(held) * share))] if held else 0.0


def simulate(streams: Sequence[Stream], servers: dict[str, int], span_s: float, seed: int = 1) -> Outcome:
    """So long a stretch. Work that has not ended at its end counts as far as it was done."""
    chance = random.Random(seed)
    pools = {name: Pool(count, free_at=[0.0] * count) for name, count in servers.items()}
    arrivals = sorted(_arrivals(streams, span_s, chance))
    times: dict[str, list[float]] = {stream.name: [] for stream in streams}
    for at, place in arrivals:
        stream = streams[place]
        pool = pools[stream.pool]
        # Mean of a log-normal of median m is m * exp(spread² / 2): the mean is what was measured.
        cost = stream.seconds * math.exp(chance.gauss(0, SPREAD) - SPREAD**2 / 2)
        start = max(at, pool.free_at[0])
        end = start + cost
        heapq.heapreplace(pool.free_at, end)
        pool.busy_s += max(0.0, min(end, span_s) - min(start, span_s))
        times[stream.name].append(end - at + stream.apart_s)
    used = {name: pool.busy_s / (pool.servers * span_s) for name, pool in pools.items()}
    return Outcome(used, times)


def _arrivals(streams: Sequence[Stream], span_s: float, chance: random.Random) -> list[tuple[float, int]]:
    found = []
    for place, stream in enumerate(streams):
        at = chance.expovariate(stream.per_s) if stream.per_s > 0 else span_s
        while at < span_s:
            found.append((at, place))
            at += chance.expovariate(stream.per_s)
    return found
