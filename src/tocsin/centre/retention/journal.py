"""The journal of ends: purges and shortened terms, which a restored backup does not know of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tocsin.centre import journals


def places() -> list[Path]:
    """The files, the installation's own first."""
    return journals.places("ends.jsonl")


def write(line: dict[str, Any]) -> None:
    """Add a line to each file; raises OSError where one cannot be written: then nothing ends either."""
    journals.write(places(), line)


def lines() -> Iterator[dict[str, Any]]:
    """Every end that any of the files knows of, once, in their order."""
    return journals.lines(places())
