"""The journal of recalls: what a restored backup does not know of, and what is recalled again (W38)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tocsin.centre import journals


def places() -> list[Path]:
    """The files, the installation's own first."""
    return journals.places("recalls.jsonl")


def write(line: dict[str, Any]) -> None:
    """Add a line to each file; raises OSError where one cannot be written: then nothing is recalled either."""
    journals.write(places(), line)


def lines() -> Iterator[dict[str, Any]]:
    """Every recall that any of the files knows of, once."""
    return journals.lines(places())
