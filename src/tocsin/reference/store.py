"""Which address tables are in force: those that came with Tocsin, or newer ones the installation has put in.

A set lives in a folder of its own, named by its date. It is written aside and appears under its name all
at once, so that a reader never meets half a set.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from datetime import date
from pathlib import Path

from tocsin.core.errors import InputError

from .address_files import from_csv, from_mmdb
from .addresses import FILES, AddressTables, shipped

NAME = re.compile(r"addresses-(\d{4}-\d{2}-\d{2})-(\d{4})")
KEPT = 2
"""Sets of an installation that stay: the one in force and the one before it."""


def installed(folder: Path | None) -> AddressTables:
    """The newest set among the shipped one and those in the installation's folder.

    On the same day the installation's wins.
    """
    newest = _sets(folder)[-1:] if folder else []
    if newest and newest[0][0] >= shipped().date:
        return AddressTables.read(newest[0][2])
    return shipped()


def update(folder: Path, files: list[Path], *, on: date, licence: str) -> AddressTables:
    """Lay the files (.csv, .csv.gz, .mmdb), one after the other, over the set in force.

    The result is in force when this returns, unless a set with a later day is.

    Raises InputError, and changes nothing, when a file cannot be used.
    """
    if not files:
        raise InputError("empty-file")
    tables = installed(folder)
    for path in files:
        if path.suffix == ".mmdb":
            tables = from_mmdb(path, on=on, licence=licence, over=tables)
        elif path.name.endswith((".csv", ".csv.gz")):
            tables = from_csv(path, on=on, licence=licence, over=tables)
        else:
            raise InputError("unknown-format", excerpt=path.name)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as aside:
        written = Path(aside) / "set"
        written.mkdir()
        tables.write(written)
        for path in (*(written / name for name in FILES), written):
            _flush(path)
        number = max((each[1] for each in _sets(folder) if each[0] == on), default=0) + 1
        written.rename(folder / f"addresses-{on.isoformat()}-{number:04d}")
    _flush(folder)
    for _, _, old in _sets(folder)[:-KEPT]:
        shutil.rmtree(old)
    return tables


def _sets(folder: Path) -> list[tuple[date, int, Path]]:
    """The complete sets in a folder, oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = NAME.fullmatch(path.name)
        if match and all((path / name).is_file() for name in FILES):
            found.append((date.fromisoformat(match[1]), int(match[2]), path))
    return sorted(found)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
