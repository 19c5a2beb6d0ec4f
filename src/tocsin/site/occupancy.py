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
SERVING: Final = "serving.lock"
_NOT_HERE: Final = frozenset({errno.EROFS, errno.EACCES, errno.ENOENT, errno.ENOSPC})
_held: dict[Path, int] = {}
"""Home, or a lock in it → the open file whose lock this process holds to its end."""


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
        if error.errno in _NOT_HERE and how == fcntl.LOCK_SH:
            return  # Whoever cannot write there cannot work there either, and says so better than a lock.
        raise
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        if home not in _held:
            os.close(file)
        raise Occupied(str(home)) from error
    _held[home] = file


def serve_alone(home: Path) -> None:
    """Be the one that serves this installation from here, until this process ends. Raises Occupied where another does:
    two would write over each other what they tell of their workers."""
    key = home / SERVING
    try:
        file = os.open(key, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(file)
        raise Occupied(str(home)) from error
    _held[key] = file


def let_go(home: Path) -> None:
    """Give up what this process holds of it."""
    if (file := _held.pop(home, None)) is not None:
        os.close(file)
