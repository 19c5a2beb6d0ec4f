"""The log of acts: entries a second, and what a proof of a long log costs, against the raw limit in the same run.

    python bench/audit.py [--entries 20000] [--leaves 10000000]

Prints one JSON line. `append` writes entries each in a transaction of its own, as acts do; `raw` inserts the same rows
with the database's own interface, one transaction each. Proofs are between random sizes of a log of `--leaves` hashes;
the raw limit there is to read the leaves of the older log once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

GOAL_APPENDS_PER_S = 2_000
GOAL_PROOF_S = 1.0
GOAL_LEAVES = 10_000_000
PORTION = 100_000
PROOFS = 200


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def appended(entries: int, folder: Path) -> dict[str, Any]:
    os.environ["TOCSIN_HOME"] = str(folder / "home")
    from tocsin.cli.installation import make

    make("Bench")
    from datetime import UTC, datetime

    from django.db import connection, transaction

    from tocsin.centre.audit import tree
    from tocsin.centre.audit.models import Entry
    from tocsin.centre.audit.services import record
    from tocsin.site.act_log import log_of_acts

    now = datetime.now(UTC)

    def ours() -> None:
        for number in range(entries):
            with transaction.atomic():
                record("ines", "lookup.made", f"value:{number}", {"kind": "ipv4", "number": number}, at=now)

    writing = seconds(ours)
    keeping = seconds(lambda: tree.keep(log_of_acts(), now))
    verifying = seconds(lambda: tree.verify(log_of_acts()))
    assert not tree.verify(log_of_acts()).faults
    rows = list(Entry.objects.values_list("at", "actor", "action", "subject", "detail", "leaf")[:entries])
    raw_database = sqlite3.connect(folder / "raw.sqlite3", isolation_level=None)
    journal = connection.cursor().execute("PRAGMA synchronous").fetchone()[0]
    raw_database.execute("PRAGMA journal_mode = wal")
    raw_database.execute(f"PRAGMA synchronous = {journal}")
    raw_database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, at, actor, action, subject, detail, leaf, place)")
    raw_database.execute("CREATE INDEX entry_action ON entry (action, at)")
    raw_database.execute("CREATE INDEX entry_subject ON entry (subject)")

    def raw() -> None:
        for at, *rest in rows:
            raw_database.execute("BEGIN IMMEDIATE")
            raw_database.execute(
                "INSERT INTO entry (at, actor, action, subject, detail, leaf) VALUES (?, ?, ?, ?, ?, ?)",
                (at.isoformat(), *rest),
            )
            raw_database.execute("COMMIT")

    raw_writing = seconds(raw)
    return {
        "entries": entries,
        "appends_per_s": round(entries / (writing + keeping)),
        "raw_appends_per_s": round(len(rows) / raw_writing),
        "ratio_to_raw": round((writing + keeping) / entries / (raw_writing / len(rows)), 1),
        "placed_and_signed_per_s": round(entries / keeping),
        "verified_per_s": round(entries / verifying),
    }


def proved(leaves: int, folder: Path) -> dict[str, Any]:
    from tocsin.credentials.log_tree import HashRows, consistency_proof, inclusion_proof, is_consistent, root

    rows, chance = HashRows(folder / "rows"), random.Random(7)
    size = 0
    started = time.perf_counter()
    while size < leaves:
        size = rows.append(size, [chance.randbytes(32) for _ in range(min(PORTION, leaves - size))])
    growing = time.perf_counter() - started
    times = []
    for _ in range(PROOFS):
        old, new = sorted(chance.sample(range(1, leaves + 1), 2))
        started = time.perf_counter()
        proof = consistency_proof(rows, old, new)
        ends = root(rows, old), root(rows, new)
        times.append(time.perf_counter() - started)
        assert is_consistent(old, ends[0], new, ends[1], proof)
    places = [chance.randrange(leaves) for _ in range(PROOFS)]
    inclusions = [seconds(partial(inclusion_proof, rows, place, leaves)) for place in places]

    def raw() -> None:
        with (folder / "rows" / "row-0.hashes").open("rb") as file:
            while file.read(1 << 20):
                pass

    return {
        "leaves": leaves,
        "leaves_added_per_s": round(leaves / growing),
        "consistency_p50_ms": round(statistics.median(times) * 1e3, 2),
        "consistency_max_ms": round(max(times) * 1e3, 2),
        "inclusion_p50_ms": round(statistics.median(inclusions) * 1e3, 2),
        "raw_read_of_leaves_ms": round(seconds(raw) * 1e3, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--leaves", type=int, default=GOAL_LEAVES)
    told = parser.parse_args()
    facts: dict[str, Any] = {"bench": "audit", "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        facts |= appended(told.entries, Path(folder))
        facts |= proved(told.leaves, Path(folder))
    facts |= {
        "goal": f"{GOAL_APPENDS_PER_S:,} appends a second; a consistency proof of {GOAL_LEAVES:,} in {GOAL_PROOF_S} s",
        "met": facts["appends_per_s"] >= GOAL_APPENDS_PER_S
        and (None if told.leaves < GOAL_LEAVES else facts["consistency_max_ms"] < GOAL_PROOF_S * 1e3),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
