"""In which part of the world a warning for a country is shown: a few generous polygons, or a circle, as CAP has them.

They reach over frontiers and out to sea on purpose, and take no position on the status of any territory: what several
hold or claim lies in the polygons of each. Sources and date: NOTICE.md.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path


def polygons_of(code: str) -> tuple[str, ...]:
    """Closed, convex, as `latitude,longitude latitude,longitude …`; none for a code without land that is drawn."""
    return _areas().get(code, ((), ()))[0]


def circles_of(code: str) -> tuple[str, ...]:
    """`latitude,longitude radius`, in kilometres."""
    return _areas().get(code, ((), ()))[1]


@cache
def _areas() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    with (Path(__file__).parent / "areas.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["code"]: (tuple(filter(None, row["polygons"].split("|"))), tuple(filter(None, (row["circle"],))))
            for row in csv.DictReader(file)
        }
