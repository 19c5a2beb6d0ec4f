"""What sealing costs the lake: CPU seconds with a key over those without, in one run (decision 30).

    python bench/sealed_lake.py [--rows 500000] [--files 4] [--lookups 300]

The same generated rows are written with their indexes as a delivery is, sealed and in the clear; then values, networks
and the other side of rows are looked up, each file's index opened as a process that starts does, whole files read as
joining and packages do. Prints one JSON line; below 1.1 on the way in is the goal.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl
from tests.generated_lake import rows

from tocsin.lake import files, index, parquet
from tocsin.lake.keys import PLAIN, Keys
from tocsin.lake.questions.lookup import Asked, Sight, asked_for, lookup
from tocsin.lake.questions.shares import deal_shares
from tocsin.lake.scope import Batches, Scope, Snapshot
from tocsin.lake.shown import SHOWN

COUNTRIES = ("FR", "DE", "BR", "KE", "JO", "US")
TURNS = 5
SCOPE = Scope(Batches(range(99)), victim_countries=frozenset({"FR"}))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=500_000)
    asked.add_argument("--files", type=int, default=4)
    asked.add_argument("--lookups", type=int, default=300)
    told = asked.parse_args()
    keys = Keys(((1, os.urandom(32)),))
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        found = {"rows": told.rows, **ratios(told, keys, Path(folder))}
    print(json.dumps({**found, "met": found["write"] < 1.1}))


def ratios(told: argparse.Namespace, keys: Keys, folder: Path) -> dict[str, float]:
    """Sealed over plain, turn by turn."""
    frames = [rows(told.rows // told.files, COUNTRIES, seed=7 + number) for number in range(told.files)]
    looks = questions(frames[0], told.lookups)
    spent: dict[str, dict[str, list[float]]] = {}
    for turn in range(TURNS):
        for name, each in (("plain", PLAIN), ("sealed", keys)):
            here = folder / name / str(turn)
            here.mkdir(parents=True)
            for what, seconds in turn_of(frames, looks, each, here):
                spent.setdefault(what, {}).setdefault(name, []).append(seconds)
    made = {what: middle(each["sealed"]) / middle(each["plain"]) for what, each in spent.items()}
    made["bytes"] = size(folder / "sealed" / "0") / size(folder / "plain" / "0")
    return {what: round(ratio, 3) for what, ratio in made.items()}


def turn_of(
    frames: list[pl.DataFrame], looks: dict[str, list[Asked]], keys: Keys, folder: Path
) -> Iterator[tuple[str, float]]:
    """What each step took."""
    paths = tuple(folder / f"{number}.parquet" for number in range(len(frames)))
    writer, snapshot, sight = keys.writer(), Snapshot(paths, keys), Sight(SCOPE)
    yield "write", cpu(lambda: [files.write(*each, writer) for each in zip(frames, paths, strict=True)])
    yield "open", cpu(lambda: [index.load(path, keys) for path in paths])
    yield "read", cpu(lambda: [parquet.read(path, keys) for path in paths])
    yield "deal", cpu(lambda: deal_shares(snapshot, SCOPE, COUNTRIES, folder / "shares"))
    for kind, some in looks.items():
        every = partial(lookups, snapshot, sight, some)
        every()  # As a process that has been asked before.
        yield f"lookup_{kind}", cpu(every)


def lookups(snapshot: Snapshot, sight: Sight, some: list[Asked]) -> None:
    for one in some:
        lookup(snapshot, sight, one, columns=SHOWN)


def questions(frame: pl.DataFrame, count: int) -> dict[str, list[Asked]]:
    """Values that are there, networks around addresses, and other sides."""
    chance = random.Random(5)
    some = frame.sample(count * 4, seed=5)
    values = list(zip(some["kind"], some["value"], strict=True))
    peers = some["peer"].drop_nulls().to_list()
    addresses = [value for kind, value in values if kind == "ipv4"]
    return {
        "values": [asked_for(*chance.choice(values)) for _ in range(count)],
        "peers": [asked_for("ipv4", chance.choice(peers)) for _ in range(count // 10)],
        "networks": [asked_for("network", chance.choice(addresses).rpartition(".")[0] + ".0/24") for _ in range(count)],
    }


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def cpu(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


if __name__ == "__main__":
    main()
