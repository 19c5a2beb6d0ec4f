"""The journal of recalls: a file beside the database, and a second one elsewhere, that outlives a restored backup.

One line of JSON a recall, durable before the recall's transaction ends. What stands here and not in the database was
recalled after the backup was made, and is recalled again before anybody is served (W38).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

_FILE = "recalls.jsonl"


def places() -> list[Path]:
    """The files, the installation's own first."""
    made: Any = settings.INSTALLATION
    found = [made.home / _FILE]
    if made.second_place:
        found.append(Path(made.second_place) / _FILE)
    return found


def write(line: dict[str, Any]) -> None:
    """Add a line to each file; raises OSError where one cannot be written: then nothing is recalled either."""
    body = orjson.dumps(line) + b"\n"
    for path in places():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())


def lines() -> Iterator[dict[str, Any]]:
    """Every recall that any of the files knows of, once. A line cut off by a crash was never promised: left out."""
    seen: set[str] = set()
    for path in places():
        try:
            body = path.read_bytes()
        except FileNotFoundError:
            continue
        for raw in body.split(b"\n"):
            try:
                line = orjson.loads(raw)
            except orjson.JSONDecodeError:
                continue
            if line["key"] not in seen:
                seen.add(line["key"])
                yield line
