"""MISP events from lines of JSON to the durable store, against the conversion of misp-stix and against orjson.

    python bench/misp.py [--events 1000] [--input EVENTS.jsonl] [--peer-python PYTHON] [--peer-events 50]

`--peer-python` names the interpreter of an environment with misp-stix and orjson (default: that of the benchmarks of
peers, in $PEERS_HOME or ~/.cache/peers); without one the peer is left out. Prints one JSON object.

`times_misp_stix` compares running processes. `times_misp_stix_cold` compares new ones: ours with its start (modules,
address tables, warning lists), the peer with its imports, each for all the events. The peer is given parsed events and
converts only, after it converted one; ours are the medians of three new installations.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import orjson
from _ingest import apart, ingests, orjson_each

GOAL = 50
PEER = """
import json, logging, sys, time, warnings
import orjson
from misp_stix_converter import MISPtoSTIX21Parser
logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")
events = [orjson.loads(line) for line in sys.stdin.buffer]
MISPtoSTIX21Parser().parse_misp_event(events[0])
started, wall = time.process_time(), time.perf_counter()
for event in events:
    MISPtoSTIX21Parser().parse_misp_event(event)
spent = time.process_time() - started
print(json.dumps({"start_cpu_s": started, "cpu_s": spent, "wall_s": time.perf_counter() - wall}))
"""


def event(draw: random.Random, number: int) -> dict[str, Any]:
    """An event with ten to a hundred attributes and a few file objects."""

    def name() -> str:
        return str(uuid.UUID(int=draw.getrandbits(128), version=4))

    def attribute(kind: str, category: str, value: str, **more: str) -> dict[str, Any]:
        return {
            "uuid": name(), "type": kind, "category": category, "value": value, "to_ids": True, "comment": "",
            "deleted": False, "disable_correlation": False, "distribution": "5",
            "timestamp": str(1767225600 + draw.randrange(2_000_000)), **more,
        }  # fmt: skip

    def any_attribute() -> dict[str, Any]:
        value = draw.getrandbits(24)
        host = f"h{value:x}.example"
        payload = "Payload delivery"
        return attribute(
            *draw.choice(
                (
                    ("ip-dst", "Network activity", f"11.{value >> 16}.{value >> 8 & 255}.{value & 255}"),
                    ("domain", "Network activity", host),
                    ("url", "Network activity", f"http://{host}/{value % 1000}.php"),
                    ("sha256", payload, f"{draw.getrandbits(256):064x}"),
                    ("filename", payload, f"f{value}.exe"),
                    ("email-src", payload, f"u{value}@{host}"),
                )
            )
        )

    def file_object() -> dict[str, Any]:
        inner = [
            attribute("filename", "Payload delivery", f"f{draw.getrandbits(20)}.exe", object_relation="filename"),
            attribute("sha256", "Payload delivery", f"{draw.getrandbits(256):064x}", object_relation="sha256"),
        ]
        return {
            "name": "file", "meta-category": "file", "template_uuid": "688c46fb-5edb-40a3-8273-1af7923e2215",
            "template_version": "24", "description": "File object", "uuid": name(), "timestamp": "1767225600",
            "distribution": "5", "Attribute": inner,
        }  # fmt: skip

    owner = {"uuid": str(uuid.UUID(int=draw.randrange(500), version=4)), "name": "CERT-EXAMPLE", "id": "1"}
    body = {
        "uuid": name(), "info": f"campaign {number}", "date": f"2026-01-{draw.randrange(1, 29):02d}",
        "threat_level_id": "2", "analysis": "2", "distribution": "3", "published": True, "timestamp": "1767225600",
        "publish_timestamp": "1767225700", "Orgc": owner, "Org": owner, "Tag": [{"name": "tlp:green"}],
        "Attribute": [any_attribute() for _ in range(draw.randrange(10, 100))],
        "Object": [file_object() for _ in range(draw.randrange(4))],
    }  # fmt: skip
    return {"Event": body}


def attributes_in(lines: list[bytes]) -> int:
    """How many attributes the events hold, those of their objects included."""
    total = 0
    for line in lines:
        body = orjson.loads(line)["Event"]
        total += len(body["Attribute"]) + sum(len(one["Attribute"]) for one in body.get("Object", []))
    return total


def peer_python() -> str:
    """The interpreter that the benchmarks of peers installed misp-stix for; empty when they did not."""
    home = Path(os.environ.get("PEERS_HOME") or Path.home() / ".cache" / "peers")
    python = home / "venvs" / "mispstix" / "bin" / "python"
    return str(python) if python.exists() else ""


def peer(python: str, lines: list[bytes]) -> dict[str, Any]:
    """misp-stix on the same lines in its own environment."""
    if not python:
        return {"note": "left out: --peer-python names no environment with misp-stix"}
    done = subprocess.run([python, "-c", PEER], input=b"\n".join(lines), capture_output=True, check=False, env=apart())
    if done.returncode:
        return {"note": done.stderr.decode("utf-8", "replace").strip().splitlines()[-1]}
    spent = json.loads(done.stdout.splitlines()[-1])
    return {**spent, "attributes_per_cpu_s": round(attributes_in(lines) / spent["cpu_s"])}


def main() -> int:
    """Generate or take events, measure all on them, print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1000)
    arguments.add_argument("--peer-events", type=int, default=50)
    arguments.add_argument("--runs", type=int, default=3, help="New installations that the events go to.")
    arguments.add_argument("--input", type=Path)
    arguments.add_argument("--peer-python", default=peer_python())
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-misp-") as folder:
        path = told.input or Path(folder) / "events.jsonl"
        if told.input is None:
            draw = random.Random(20260101)
            path.write_bytes(b"".join(orjson.dumps(event(draw, number)) + b"\n" for number in range(told.events)))
        lines = path.read_bytes().splitlines()
        count = attributes_in(lines)
        yardstick = orjson_each(lines)
        other = peer(told.peer_python, lines[: told.peer_events])
        small = Path(folder) / "small.jsonl"
        small.write_bytes(lines[0])
        spent, became = ingests(path, small, told.runs)
        worked = spent["to_store"]
    found: dict[str, Any] = {
        "events": len(lines),
        "attributes": count,
        "orjson_each": yardstick.figures(count, "attributes"),
        "misp_stix": other,
        "start": {"cpu_s": round(spent["start"].processor_seconds, 2)},
        "receipt": spent["receipt"].figures(count, "attributes"),
        "to_store": {**worked.figures(count, "attributes"), **became,
                     "times_orjson": round(worked.processor_seconds / yardstick.processor_seconds, 1)},
    }  # fmt: skip
    if "attributes_per_cpu_s" in other:
        warm = worked.processor_seconds + spent["receipt"].processor_seconds
        cold = warm + spent["start"].processor_seconds
        theirs = count / other["attributes_per_cpu_s"]
        found["times_misp_stix"] = round(theirs / warm, 1)
        found["times_misp_stix_cold"] = round((theirs + other["start_cpu_s"]) / cold, 1)
        names = ("times_misp_stix", "times_misp_stix_cold")
        found |= {"goal": dict.fromkeys(names, GOAL), "met": {name: found[name] >= GOAL for name in names}}
    print(json.dumps(found))
    return 0 if became["state"] == "parsed" else 1


if __name__ == "__main__":
    sys.exit(main())
