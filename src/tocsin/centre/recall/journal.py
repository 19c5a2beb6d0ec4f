"""The journal of recalls: what a restored backup does not know of, and what is recalled again (W38)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from tocsin.centre import journals
from tocsin.credentials.sealing import SealingKey, sealing_key


def places() -> list[Path]:
    """The files, the installation's own first."""
    return journals.places("recalls.jsonl")


def write(line: dict[str, Any]) -> None:
    """Add a line to each file; raises OSError where one cannot be written: then nothing is recalled either.

    What was recalled alone may name a victim: it is sealed by the installation's own key, which no backup brings back.
    """
    if "parts" in line:
        line = {**line, "parts": _key().seal(orjson.dumps(line["parts"]), line["key"])}
    journals.write(places(), line)


def lines() -> Iterator[dict[str, Any]]:
    """Every recall that any of the files knows of, once."""
    for line in journals.lines(places()):
        if "parts" in line:
            line = {**line, "parts": orjson.loads(_key().opened(line["parts"], line["key"]))}
        yield line


def _key() -> SealingKey:
    made: Any = settings.INSTALLATION
    return sealing_key(made.keys_folder)
