"""Linking from scratch, one more delivery, the index's size, a walk of three hops; beside all pairs, plainly.

    python bench/linking.py [--reports 100000] [--values 1000000] [--delivery 10000] [--plain 20000]

Generated reports: each holds some values of its own, most share values with few others as campaigns do, some values are
hubs (one in every report). The plain way is a dictionary of value → reports and every pair of them, without a rule for
hubs beyond 1,000 reports, since it would not end; it is put to a part of the reports. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from tocsin.analysers import linking
from tocsin.analysers.linking import Graph, Index

GOALS = {"scratch_s": 60.0, "delivery_s": 2.0, "index_over_data": 3.0, "walk_p95_ms": 300.0}
BYTES_OF_A_VALUE = 24
"""What a value and its report take at least as they come: an identifier of 10, a name or an address of 14."""
WALKS = 200
Rows = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32], npt.NDArray[np.uint8]]


def generated(reports: int, values: int, dice: np.random.Generator) -> Rows:
    """Rows of (value, report, kind): eleven a report, ten of the campaign's pool, one of ten hubs."""
    campaigns = max(reports // 40, 1)
    pool = max(values // campaigns, 1)
    campaign = dice.integers(0, campaigns, reports)
    owners = np.repeat(np.arange(reports), 10)
    own = campaign[owners] * pool + dice.integers(0, pool, len(owners))
    hubs = values + dice.integers(0, 10, reports)
    plain = np.concatenate([own, hubs]).astype(np.uint64)
    return (
        plain * np.uint64(0x9E3779B97F4A7C15),  # Spread like hashes.
        np.concatenate([owners, np.arange(reports)]).astype(np.uint32),
        (plain % np.uint64(3)).astype(np.uint8),
    )


def plainly(rows: Rows, reports: int) -> tuple[float, int]:
    """Seconds and number of pairs, each pair of each value counted in a dictionary."""
    keys, owners, _ = rows
    kept = owners < reports
    started = time.process_time()
    holders: dict[int, set[int]] = defaultdict(set)
    for key, owner in zip(keys[kept].tolist(), owners[kept].tolist(), strict=True):
        holders[key].add(owner)
    pairs: Counter[tuple[int, int]] = Counter()
    for each in holders.values():
        if len(each) <= 1_000:
            pairs.update(itertools.combinations(sorted(each), 2))
    return time.process_time() - started, len(pairs)


def scratch(rows: Rows) -> tuple[dict[str, float], Index, Graph, int]:
    """Everything from rows: index, links, probabilities, communities."""
    before = time.process_time()
    index = linking.index_of(*rows)
    found = linking.links(index)
    likely = linking.probabilities(found)
    linked_s = time.process_time() - before
    groups = linking.communities(found, likely, linking.LEAST)
    scratch_s = time.process_time() - before
    return (
        {"scratch_s": scratch_s, "linked_s": linked_s},
        index,
        Graph(found, likely, int(rows[1].max()) + 1),
        len(groups),
    )


def delivery(index: Index, rows: Rows, values: int, report: int, dice: np.random.Generator) -> tuple[float, Index, int]:
    """Seconds until a new report is merged in and its links are known; half of its values are there already."""
    more = dice.integers(0, len(rows[0]), values // 2)
    fresh = dice.integers(1 << 62, 1 << 63, values - len(more)).astype(np.uint64)
    late = linking.index_of(
        np.concatenate([rows[0][more], fresh]),
        np.full(values, report, np.uint32),
        np.concatenate([rows[2][more], np.zeros(len(fresh), np.uint8)]),
    )
    before = time.process_time()
    index = linking.merged(index, late)
    beside = linking.links(index, index.of_values(late.keys))
    beside = beside.only((beside.one == report) | (beside.other == report))
    linking.probabilities(beside)
    return time.process_time() - before, index, len(beside)


def walks(index: Index, graph: Graph, dice: np.random.Generator) -> float:
    """p95 of the milliseconds of a walk of three hops with its five likeliest links explained."""
    names = [str(each) for each in range(graph.reports + 1)]
    graph.around(0)
    took = []
    for start in dice.integers(0, graph.reports, WALKS).tolist():
        before = time.perf_counter()
        edges = graph.around(start, hops=3, most=20)
        for edge in edges[np.argsort(-graph.likely[edges], kind="stable")[:5]].tolist():
            pair = (int(graph.found.one[edge]), int(graph.found.other[edge]))
            linking.explained(index, pair, {}, names, datetime(2026, 1, 1, tzinfo=UTC))
        took.append(time.perf_counter() - before)
    return float(np.percentile(took, 95)) * 1000


def beside_plain(rows: Rows, reports: int) -> dict[str, float]:
    """The plain way and ours on a part of the reports."""
    plain_s, pairs = plainly(rows, reports)
    keys, owners, kinds = (each[rows[1] < reports] for each in rows)
    before = time.process_time()
    ours = len(linking.links(linking.index_of(keys, owners, kinds)))
    ours_s = time.process_time() - before
    return {
        "reports": reports, "cpu_s": round(plain_s, 2), "pairs": pairs, "ours_cpu_s": round(ours_s, 3),
        "ours_pairs": ours, "times": round(plain_s / ours_s, 1),
    }  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--reports", type=int, default=100_000)
    asked.add_argument("--values", type=int, default=1_000_000)
    asked.add_argument("--delivery", type=int, default=10_000, help="Values of the delivery that comes later.")
    asked.add_argument("--plain", type=int, default=20_000, help="Reports that the plain way is put to.")
    told = asked.parse_args()
    dice = np.random.default_rng(7)
    rows = generated(told.reports, told.values, dice)
    seconds, index, graph, communities = scratch(rows)
    delivery_s, index, beside = delivery(index, rows, told.delivery, told.reports, dice)
    facts = {
        "scratch_s": round(seconds["scratch_s"], 2), "delivery_s": round(delivery_s, 3),
        "index_over_data": round(index.size_bytes / (len(index.keys) * BYTES_OF_A_VALUE), 3),
        "walk_p95_ms": round(walks(index, graph, dice), 1),
    }  # fmt: skip
    print(json.dumps({
        "bench": "linking", "reports": told.reports, "values": told.values, "rows": len(rows[0]), **facts,
        "links": len(graph.found), "communities": communities, "delivery": told.delivery, "delivery_links": beside,
        "values_per_cpu_s": round(len(rows[0]) / seconds["linked_s"]), "plain": beside_plain(rows, told.plain),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "goals": {name: f"< {goal:g}" for name, goal in GOALS.items()},
        "met": {name: facts[name] < goal for name, goal in GOALS.items()},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
