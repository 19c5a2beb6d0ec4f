"""Terms of keeping, reminding and answering, as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("retention.toml")


@dataclass(frozen=True, slots=True)
class Retention:
    """What the file says."""

    months_most: int
    reminders: tuple[timedelta, ...]
    """How long before the end somebody is reminded, the earliest first."""
    purge_after: timedelta
    purge_within: timedelta
    acknowledge_within: timedelta
    answer_within: dict[str, timedelta]
    """What a person asks for (access, correction, deletion) → how long the answer may take."""


@cache
def retention() -> Retention:
    """The terms."""
    said = tomllib.loads(FILE.read_text(encoding="utf-8"))
    requests = {name: timedelta(days=days) for name, days in said["subject_requests"].items()}
    return Retention(
        months_most=said["term"]["months_most"],
        reminders=tuple(timedelta(days=days) for days in sorted(said["reminders"]["days_before"], reverse=True)),
        purge_after=timedelta(days=said["purge"]["after_days"]),
        purge_within=timedelta(days=said["purge"]["within_days"]),
        acknowledge_within=requests.pop("acknowledge_days"),
        answer_within={name.removesuffix("_days"): term for name, term in requests.items()},
    )
