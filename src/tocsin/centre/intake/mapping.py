"""An unknown table before it is saved: the guessed meaning of each column, and what its first rows would become."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rejection, Rows, Sample, Source
from tocsin.core.reasons import REASONS
from tocsin.formats import delimited
from tocsin.lake.normalise import Context, normalise
from tocsin.reference.addresses import shipped
from tocsin.transport.opening import Opened, open_delivery, sample_of

from . import reading
from .reading import profile_to_json

PREVIEW_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Guessed:
    """A guess with its preview: observations and rejections of the beginning of the file."""

    guess: delimited.Guess
    fingerprint: str
    rows: list[dict[str, Any]]
    rejections: list[dict[str, Any]]


def guess_file(path: Path, name: str, profile: Profile | None = None) -> Guessed:
    """Guess the first table of a file, packed or not. Raises InputError("unknown-format") when there is none."""
    return guess_sample(sample_of_file(path, name), profile)


def guess_sample(sample: Sample, profile: Profile | None = None) -> Guessed:
    """The same for a sample. Where no column seems to hold a value nothing is previewed: a person must say which."""
    guess = delimited.guess(sample, profile)
    rows: list[dict[str, Any]] = []
    rejections: list[dict[str, Any]] = []
    if reads_values(guess.profile):
        rows, rejections = preview(sample, guess.profile)
    return Guessed(guess, reading.fingerprint_of(guess), rows, rejections)


def reads_values(profile: Profile) -> bool:
    """Whether the map says which column holds the value itself."""
    return bool({"value", "url", "hostname"} & set(profile.columns) or profile.further)


def sample_of_file(path: Path, name: str) -> Sample:
    """The beginning of the first file inside what was handed over."""
    with tempfile.TemporaryDirectory(prefix="tocsin-guess-") as folder:
        for each in open_delivery(path, name, Path(folder)):
            if isinstance(each, Opened):
                return sample_of(each.source)
    raise InputError("unknown-format")


def preview(sample: Sample, profile: Profile) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the beginning of a table becomes with exactly this profile: observations, and what is refused.

    Raises InputError when nothing can be read with it at all, as when no column holds the value.
    """
    head = sample.head[:PREVIEW_BYTES]
    head = head[: head.rfind(b"\n") + 1] or head
    context = Context(profile, datetime.now(UTC), shipped())
    rows: list[dict[str, Any]] = []
    rejections: list[dict[str, Any]] = []
    for item in delimited.read(Source(sample.name, content=head), profile):
        if isinstance(item, Rows):
            done = normalise(item, context)
            rows += done.frame.head(50).to_dicts()
            rejections += done.rejections.head(50).to_dicts()
        elif isinstance(item, Rejection):
            rejections.append({**asdict(item), "unit": item.unit.value})
    for rejection in rejections:
        rejection["text"] = REASONS[rejection["reason"]]
    return rows, rejections


def as_json(found: Guessed) -> dict[str, Any]:
    """Plain values, for programs."""
    return {
        "profile": profile_to_json(found.guess.profile),
        "fingerprint": found.fingerprint,
        "columns": [
            {
                "name": c.name,
                "index": c.index,
                "draft": c.draft,
                "confidence": c.confidence,
                "examples": list(c.examples),
            }
            for c in found.guess.columns
        ],
        "rows": found.rows,
        "rejections": found.rejections,
    }
