"""Files of an exported site put where they belong: linked from the last export, or written. Knows no database, so that
several processes do it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from . import files


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A file that was written: of what, and how the disk knows it since."""

    sha256: str
    size: int
    changed: int


@dataclass(frozen=True, slots=True)
class Task:
    """Some files: name and digest of each."""

    wanted: Sequence[tuple[str, str]]
    store: str
    """Where the published bytes lie."""
    last: str
    """The folder of the last export."""
    beside: str
    """Where the new one is built."""
    known: Mapping[str, Known]
    """What the last export wrote of these."""


@dataclass(slots=True)
class Placed:
    """What came of it."""

    made: dict[str, Known]
    written: int = 0
    taken_over: int = 0


def placed(task: Task) -> Placed:
    """Put all of them in place, each beside itself packed where it lies packed in the store."""
    found, folders = Placed({}), set[str]()
    for name, sha256 in task.wanted:
        here = f"{task.beside}/{name}"
        folder = os.path.dirname(here)  # noqa: PTH120 - a quarter of a million times, on texts.
        if folder not in folders:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            folders.add(folder)
        packed = name + files.PACKED
        known = task.known.get(name)
        if known is not None and _linked(task, name, known, sha256):
            found.made[name] = known
            beside = task.known.get(packed)
            if beside is None:
                continue
            if _linked(task, packed, beside, sha256):
                found.made[packed] = beside
                continue
        held = files.held(sha256, task.store)
        found.made[name], is_new = put(here, held.plain, sha256)
        found.taken_over += not is_new
        found.written += 1
        if held.packed is not None:
            found.made[packed], is_new = put(here + files.PACKED, held.packed, sha256)
            found.taken_over += not is_new
    return found


def _linked(task: Task, name: str, known: Known, sha256: str) -> bool:
    """Whether it is there from last time, untouched: then it is linked, not written."""
    if known.sha256 != sha256:
        return False
    there, here = f"{task.last}/{name}", f"{task.beside}/{name}"
    try:
        said = os.stat(there)  # noqa: PTH116
        if (said.st_size, said.st_mtime_ns) != (known.size, known.changed):
            return False
        try:
            os.link(there, here)
        except FileExistsError:  # Of a run that was interrupted.
            os.unlink(here)  # noqa: PTH108
            os.link(there, here)
    except OSError:  # It is gone, or links are not had here: it is written.
        return False
    return True


def put(here: str, body: bytes, sha256: str) -> tuple[Known, bool]:
    """Write a file that nobody reads yet; whether that was needed. What is linked elsewhere is never written into."""
    try:
        with open(here, "xb") as target:  # noqa: PTH123
            return _write(target, body, sha256), True
    except FileExistsError:
        with open(here, "rb") as kept:  # noqa: PTH123
            if kept.read() == body:
                return _as_known(kept.fileno(), sha256), False
    os.unlink(here)  # noqa: PTH108
    with open(here, "xb") as target:  # noqa: PTH123
        return _write(target, body, sha256), True


def _write(target: BinaryIO, body: bytes, sha256: str) -> Known:
    target.write(body)
    target.flush()
    return _as_known(target.fileno(), sha256)


def _as_known(descriptor: int, sha256: str) -> Known:
    said = os.fstat(descriptor)
    return Known(sha256, said.st_size, said.st_mtime_ns)
