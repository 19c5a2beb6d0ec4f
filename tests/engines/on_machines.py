"""Functions that tests have run on the machines of a cluster."""

from __future__ import annotations

import time
from pathlib import Path


def doubled(number: int) -> int:
    return 2 * number


def fails_about(what: str) -> None:
    raise ValueError(f"this must not be said: {what}")


def waits(folder: Path) -> None:
    """Begins, and ends only when it is made to."""
    (folder / "begun").touch()
    time.sleep(120)
