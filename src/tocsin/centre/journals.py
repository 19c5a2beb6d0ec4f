"""Files beside the database, each with a second one elsewhere, that outlive a restored backup.

One line of JSON an act, durable before the act's transaction ends. What stands here and not in the database was done
after the backup was made, and is done again before anybody is served (W38).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings


def places(name: str) -> list[Path]:
    """The files of a journal, the installation's own first."""
    made: Any = settings.INSTALLATION
    found = [made.home / name]
    if made.second_place:
        found.append(Path(made.second_place) / name)
    return found


def write(paths: Iterable[Path], line: dict[str, Any]) -> None:
    """Add a line to each file; raises OSError where one cannot be written: then the act does not happen either."""
    body = orjson.dumps(line) + b"\n"
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            # Half a line of a process that was killed, or of a full disk, must not swallow this one.
            file.write(body if _ends_whole(path) else b"\n" + body)
            file.flush()
            os.fsync(file.fileno())


def _ends_whole(path: Path) -> bool:
    if not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Every act that any of the files knows of, once. A line cut off by a crash was never promised: left out."""
    seen: set[str] = set()
    for path in paths:
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
