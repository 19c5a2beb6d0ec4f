"""Where packages are made: a folder of the store that one process holds, and that is gone when that process is.

Rows lie in it as they are dealt out to the countries, in the clear: what a killed process left goes with the next that
looks, at the latest when packages are made again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_PREFIX = ".packages-"
_HELD = "held"
_OLD_SECONDS = 3_600
"""A folder that was made so long ago and is held by nobody, or cannot be, is left over."""


@contextmanager
def held() -> Iterator[Path]:
    """A new folder. What others left who were killed goes first: it may be what the disk is full of."""
    store: Path = settings.INSTALLATION.store_folder
    store.mkdir(parents=True, exist_ok=True)
    sweep_left()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=store))
    try:
        lock = os.open(folder / _HELD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(lock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_left() -> None:
    """Remove what nobody holds any more."""
    store: Path = settings.INSTALLATION.store_folder
    for folder in store.glob(f"{_PREFIX}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        lock = os.open(folder / _HELD, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # Killed before it held it, or about to.
        return _age_seconds(folder) > _OLD_SECONDS
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _age_seconds(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0
