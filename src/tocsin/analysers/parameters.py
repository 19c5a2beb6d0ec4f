"""Fitted parameters of analysers: plain JSON beside the code, bound to the version that reads them.

Never pickles: a file that somebody hands over must not be able to run anything, and anybody must be able to read what
an answer rests on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from tocsin.core.errors import InputError

FOLDER: Final = Path(__file__).parent / "fitted"
MOST_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class Parameters:
    """`values` as they were fitted; `digest` is what a finding names as its model."""

    analyser: str
    version: str
    fitted_on: str
    values: dict[str, Any]
    digest: str


def read(path: Path, analyser: str, version: str) -> Parameters:
    """Read a file of parameters.

    Raises InputError("not-parameters") where it is none, InputError("other-parameters") where it was fitted for another
    analyser or another version.
    """
    if path.stat().st_size > MOST_BYTES:
        raise InputError("not-parameters", position=path.name)
    body = path.read_bytes()
    try:
        read = orjson.loads(body)
        found = Parameters(
            str(read["analyser"]),
            str(read["version"]),
            str(read["fitted_on"]),
            dict(read["values"]),
            hashlib.sha256(body).hexdigest()[:16],
        )
    except (ValueError, KeyError, TypeError):
        raise InputError("not-parameters", position=path.name) from None
    if (found.analyser, found.version) != (analyser, version):
        raise InputError("other-parameters", position=path.name, excerpt=f"{found.analyser} {found.version}")
    return found


@cache
def shipped(analyser: str, version: str) -> Parameters:
    """The parameters that came with Tocsin."""
    return read(FOLDER / f"{analyser}.json", analyser, version)


def write(path: Path, analyser: str, version: str, fitted_on: str, values: dict[str, Any]) -> None:
    """Keep what was fitted: the same values give the same bytes."""
    made = {"analyser": analyser, "version": version, "fitted_on": fitted_on, "values": values}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(made, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")
