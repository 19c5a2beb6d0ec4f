"""Packages on the disk: sealed, since they hold a country's victims and what only it may read.

One key for all of them: they are removed as files when what is in them ends. Those of before are read as they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake import originals, vault
from tocsin.centre.intake.store import read_chunks
from tocsin.credentials import content_keys

from .models import Package
from .selectors import file_of

ABOUT = "packages"
"""What their key is about."""
Opener = Callable[[], BinaryIO]


def keep(made: Path, target: Path) -> None:
    """Seal a finished archive into the store; durable when this returns. Raises KeyMissing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    originals.write_over(target, vault.key_for(ABOUT).sealed_pieces(read_chunks(made)))
    made.unlink()


def pieces(package: Package) -> Iterator[bytes]:
    """The archive as it was made. Raises KeyMissing at once where it cannot be opened."""
    return originals.pieces(file_of(package))


def opener(package: Package) -> Opener:
    """What opens the archive for reading here and there in it, also in another process; nothing where it is gone.

    Raises KeyMissing.
    """
    path = file_of(package)
    if not path.is_file():
        return partial(io.BytesIO, b"")
    number = originals.number_in(path)
    if number is None:
        return partial(io.FileIO, path)
    key = vault.opening_key(number)
    return partial(content_keys.opened_file, path, content_keys.DataKey(key.number, key.secret))


def copy_out(package: Package, folder: Path, at: datetime) -> Path:
    """Write the archive into a folder, for whoever runs the installation; it is an act. Raises KeyMissing, OSError."""
    target = folder / f"{package.number}.zip"
    body = pieces(package)
    with transaction.atomic():
        record("command", "package.copied", f"package:{package.number}", {}, at=at)
        with target.open("wb") as copy:
            for piece in body:
                copy.write(piece)
    return target


def seal_all(progress: Callable[[], None] = lambda: None) -> int:
    """Seal the packages of before; says how many. Who was stopped begins again and goes on."""
    sealed = 0
    for package in Package.objects.order_by("pk"):
        path = file_of(package)
        if path.is_file() and originals.number_in(path) is None:
            originals.write_over(path, vault.key_for(ABOUT).sealed_pieces(read_chunks(path)))
            sealed += 1
            progress()
    return sealed
