"""Who has an installation open: every process of it holds a lock beside the settings, for as long as it lives.

A move takes the lock for itself. What dies, also by kill -9, lets go of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

FILE: Final = "tocsin.lock"
_held: dict[Path, int] = {}
"""Home → the open file whose lock this process holds to its end."""


class Occupied(Exception):  # noqa: N818 - named as the answers of `core.errors` are.
    """Another process has the installation open, in a way that excludes ours."""


def share(home: Path) -> None:
    """Hold the installation open beside others. Raises Occupied while it is being moved."""
    _hold(home, fcntl.LOCK_SH)


def take_alone(home: Path) -> None:
    """Hold it for this process alone. Raises Occupied while anybody else has it open."""
    _hold(home, fcntl.LOCK_EX)


def _hold(home: Path, how: int) -> None:
    if home in _held and how == fcntl.LOCK_SH:
        return
    try:
        file = _held.get(home) or os.open(home / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in {errno.EROFS, errno.EACCES, errno.ENOENT, errno.ENOSPC} and how == fcntl.LOCK_SH:
            return  # Whoever cannot write there cannot work there either, and says so better than a lock.
        raise
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if home not in _held:
            os.close(file)
        raise Occupied(str(home)) from error
    _held[home] = file


def let_go(home: Path) -> None:
    """Give up what this process holds of it."""
    if (file := _held.pop(home, None)) is not None:
        os.close(file)
