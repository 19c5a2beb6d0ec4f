"""STIX 2.1 from a bundle to the durable store, against the parser of python-stix2 and against orjson, same bytes.

    python bench/stix.py [--objects 50000] [--input BUNDLE] [--peer-objects 5000]

Prints one JSON object. The peer parses only (no store, no observations), and a part of the objects suffices for it;
it and ours are the median of three runs, ours each in a new installation.
`validation` is decoding and every check of the standard on each object's own bytes, without things, rows or storage:
the same bytes that the yardstick parses.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
from _ingest import Spent, ingests, measured, orjson_each

from tocsin.centre.intake.sandbox import collect_seldom

GOAL_TIMES_PEER, AIM_TIMES_PEER, MOST_OVER_ORJSON = 12, 25, 5
PIECE_OBJECTS = 8_000
TURNS = 7
GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"


def objects(count: int, seed: int = 20260101) -> Iterator[dict[str, Any]]:
    """Indicators, relationships, malware, observables, observed data and actors, as feeds mix them."""
    draw = random.Random(seed)
    ids: list[str] = []

    def name(kind: str) -> str:
        return f"{kind}--{uuid.UUID(int=draw.getrandbits(128), version=4)}"

    for number in range(count):
        day, second, kind = draw.randrange(1, 29), draw.randrange(86400), draw.random()
        at = f"2026-01-{day:02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"
        base: dict[str, Any] = {"spec_version": "2.1", "created": at, "modified": at}
        family = f"family-{draw.randrange(200):03d}"
        if kind < 0.55 or not ids:
            one = {
                "type": "indicator", "id": name("indicator"), **base, "name": f"{family} infrastructure",
                "indicator_types": ["malicious-activity"], "pattern": _pattern(draw), "pattern_type": "stix",
                "valid_from": at, "confidence": draw.randrange(101), "labels": [family],
                "created_by_ref": f"identity--{uuid.UUID(int=draw.randrange(500), version=4)}",
                "object_marking_refs": [GREEN],
            }  # fmt: skip
        elif kind < 0.65:
            one = {
                "type": "domain-name",
                "spec_version": "2.1",
                "id": name("domain-name"),
                "value": f"d{number}.example",
            }
        elif kind < 0.75:
            text = "Synthetic family. " * draw.randrange(1, 7)
            one = {
                "type": "malware",
                "id": name("malware"),
                **base,
                "name": family,
                "is_family": True,
                "description": text,
            }
        elif kind < 0.80:
            refs = [name("ipv4-addr"), name("domain-name")]
            seen = {"first_observed": at, "last_observed": at, "number_observed": draw.randrange(1, 50)}
            one = {"type": "observed-data", "id": name("observed-data"), **base, **seen, "object_refs": refs}
        elif kind < 0.83:
            aliases = [f"alias-{draw.randrange(900)}"]
            one = {"type": "threat-actor", "id": name("threat-actor"), **base, "name": family, "aliases": aliases}
        else:
            ends = {"source_ref": draw.choice(ids), "target_ref": draw.choice(ids)}
            one = {
                "type": "relationship",
                "id": name("relationship"),
                **base,
                "relationship_type": "related-to",
                **ends,
            }
        if one["type"] != "relationship" and len(ids) < 100_000:
            ids.append(str(one["id"]))
        yield one


def _pattern(draw: random.Random) -> str:
    kind, number = draw.random(), draw.getrandbits(24)
    if kind < 0.3:
        return f"[ipv4-addr:value = '11.{number >> 16}.{number >> 8 & 255}.{number & 255}']"
    if kind < 0.6:
        return f"[domain-name:value = 'h{number:x}.example']"
    if kind < 0.8:
        return f"[url:value = 'http://h{number:x}.example/{number % 1000}.php']"
    return f"[file:hashes.'SHA-256' = '{draw.getrandbits(256):064x}']"


def write_bundle(path: Path, count: int) -> None:
    """A bundle of so many objects, without holding them."""
    with path.open("w") as out:
        out.write(f'{{"type":"bundle","id":"bundle--{uuid.UUID(int=1, version=4)}","objects":[')
        for number, one in enumerate(objects(count)):
            out.write(("," if number else "") + json.dumps(one, separators=(",", ":")))
        out.write("]}")


def reader(path: Path) -> int:
    """The reader alone: validation, things, draft rows."""
    from tocsin.core.profiles import Profile
    from tocsin.core.reading import Source, Thing, Things
    from tocsin.formats import stix2

    count = 0
    for item in stix2.read(Source(path.name, path=path), Profile()):
        count += item.frame.height if isinstance(item, Things) else isinstance(item, Thing)
    return count


def validation(raws: list[bytes]) -> None:
    """All checks, in pieces as the reader makes them; every object of the generator is valid."""
    from tocsin.formats import stix2

    for start in range(0, len(raws), PIECE_OBJECTS):
        wrong = list(stix2.problems(raws[start : start + PIECE_OBJECTS], blanks=False))
        if wrong:
            raise SystemExit(f"object {start + wrong[0][0]} was refused: {wrong[0][1]}")


def validated(raws: list[bytes]) -> Spent:
    """What the checks cost, as often measured as the yardstick is."""
    return min((measured(lambda: validation(raws))[0] for _ in range(3)), key=lambda spent: spent.processor_seconds)


def peer(raws: list[bytes]) -> dict[str, Any]:
    """python-stix2 on the same bytes; a note where it is not installed."""
    try:
        import stix2
    except ImportError:
        return {"note": "python-stix2 is not installed"}
    trees = [orjson.loads(raw) for raw in raws]
    stix2.parse(trees[0], allow_custom=True)  # What it makes once is made.
    runs = [measured(lambda: [stix2.parse(tree, allow_custom=True) for tree in trees] and None)[0] for _ in range(3)]
    spent = sorted(runs, key=lambda each: each.processor_seconds)[1]
    return {"version": stix2.__version__, **spent.figures(len(raws), "objects")}


def main() -> int:
    """Generate or take a bundle, measure all on it, print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--objects", type=int, default=50_000)
    arguments.add_argument("--peer-objects", type=int, default=5_000)
    arguments.add_argument("--runs", type=int, default=3, help="New installations that the bundle goes to.")
    arguments.add_argument("--input", type=Path)
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-stix-") as folder:
        path = told.input or Path(folder) / "bundle.json"
        if told.input is None:
            write_bundle(path, told.objects)
        whole = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
        raws = [bytes(raw) for raw in msgspec.json.decode(whole["objects"], type=list[msgspec.Raw])]
        count = len(raws)
        collect_seldom()  # As the reading process does.
        validation(raws[:PIECE_OBJECTS])  # Decoders and expressions are made once.
        # In turn, so that a busy moment of the machine meets both; the median of what each turn finds.
        turns = [(orjson_each(raws), validated(raws)) for _ in range(TURNS)]
        times_orjson = statistics.median(each.processor_seconds / bare.processor_seconds for bare, each in turns)
        yardstick, valid = (min(each, key=lambda spent: spent.processor_seconds) for each in zip(*turns, strict=True))
        read, things = min(
            (measured(lambda: reader(path)) for _ in range(2)), key=lambda each: each[0].processor_seconds
        )
        other = peer(list(itertools.islice(raws, told.peer_objects)))
        small = Path(folder) / "small.json"
        write_bundle(small, 200)
        spent, became = ingests(path, small, told.runs)
        worked = spent["to_store"]
    found: dict[str, Any] = {
        "objects": count,
        "orjson_each": yardstick.figures(count, "objects"),
        "python_stix2_parse": other,
        "validation": valid.figures(count, "objects"),
        "validation_over_orjson": round(times_orjson, 1),
        "reader": {**read.figures(count, "objects"), "things": things,
                   "times_orjson": round(read.processor_seconds / yardstick.processor_seconds, 1)},
        "start": {"cpu_s": round(spent["start"].processor_seconds, 2)},
        "receipt": spent["receipt"].figures(count, "objects"),
        "to_store": {**worked.figures(count, "objects"), **became,
                     "times_orjson": round(worked.processor_seconds / yardstick.processor_seconds, 1)},
    }  # fmt: skip
    met = {"validation_over_orjson": found["validation_over_orjson"] <= MOST_OVER_ORJSON}
    goal: dict[str, float] = {"validation_over_orjson": MOST_OVER_ORJSON}
    if "objects_per_cpu_s" in other:
        total = count / (worked.processor_seconds + spent["receipt"].processor_seconds)
        found["times_python_stix2"] = round(total / other["objects_per_cpu_s"], 1)
        goal["times_python_stix2"] = GOAL_TIMES_PEER
        found["aim_times_python_stix2"] = AIM_TIMES_PEER
        met["times_python_stix2"] = found["times_python_stix2"] >= GOAL_TIMES_PEER
    found |= {"goal": goal, "met": met}
    print(json.dumps(found))
    return 0 if became["state"] == "parsed" and became["objects_count"] == count else 1


if __name__ == "__main__":
    sys.exit(main())
