"""The public site as a folder that any web server hands out: the same bytes that the portal serves.

It is built beside and takes the folder's place in one step. What has not changed since the last time is linked from
there, and what an interrupted run wrote is taken over.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tocsin.core.errors import Conflict, Unavailable

from . import files, hints
from .models import PublicFile, PublicState
from .placing import Known, Placed, Task, placed, put

MARK = ".tocsin-site.json"
"""In the folder: that it is an export, and what lies in it."""
TRIES = 5
PART = 4_000
"""Files that a process is given at a time."""
MOST_PROCESSES = 8
_EXCHANGE = 2
_HERE = -100


class Foreign(Exception):  # noqa: N818 - named as the other findings are.
    """The folder holds something that is no export: it is not touched."""


@dataclass(frozen=True, slots=True)
class Row:
    """What lies at an address."""

    path: str
    sha256: str
    media_type: str
    is_gone: bool = False

    @property
    def file(self) -> str:
        """Its name in a folder; empty: none, as programs are told by the server that it is gone."""
        if not self.path or self.path.endswith("/"):
            return f"{self.path}index.html"
        return "" if self.is_gone else self.path


class Marked(msgspec.Struct):
    """What the mark of a folder says."""

    site: str
    files: dict[str, Known]


@dataclass(slots=True)
class Exported:
    """What came of it."""

    folder: str
    files: int = 0
    written: int = 0
    taken_over: int = 0
    removed: int = 0
    size_bytes: int = 0
    changes: int = 0
    """Which state of the site it is."""
    gone: list[str] = field(default_factory=list)


Told = Callable[[int, int], None]
"""Hears how many of how many files are done."""


def published_rows() -> tuple[int, list[Row]]:
    """The site at one moment, and which that is."""
    for _ in range(TRIES):
        before = _changes()
        values = PublicFile.objects.order_by("path").values_list("path", "sha256", "media_type", "is_gone")
        rows = [Row(*each) for each in values.iterator(chunk_size=5_000)]
        if _changes() == before:
            return before, rows
    raise Unavailable("the site is being changed", retry_after_seconds=5)


def _changes() -> int:
    return PublicState.objects.order_by("pk").values_list("changes", flat=True).first() or 0


def export(folder: Path, base: str, *, told: Told = lambda done, all_: None) -> Exported:
    """Write the whole site into the folder.

    `base` is the path under which it will be served, with slashes around. Raises Foreign, Conflict while another run
    is at it, and files.Damaged.
    """
    folder = folder.absolute()
    changes, rows = published_rows()
    with _alone(folder):
        before = _marked(folder)
        known = before.files if before else {}
        beside = folder.with_name(f".{folder.name}.next")
        beside.mkdir(parents=True, exist_ok=True)
        done = Exported(str(folder), changes=changes, gone=[each.path for each in rows if each.is_gone])
        wanted = [(each.file, each.sha256) for each in rows if each.file]
        made: dict[str, Known] = {}
        for part in _placed(wanted, folder, beside, known):
            made |= part.made
            done.written += part.written
            done.taken_over += part.taken_over
            done.files += sum(not name.endswith(files.PACKED) for name in part.made)
            told(done.files, len(wanted))
        for name, body in hints.files_for(rows, folder, base):
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            made[name], _ = put(str(beside / name), body, files.digest_of(body))
        _finish(beside, made)
        done.size_bytes = sum(each.size for each in made.values())
        done.removed = len(set(known) - set(made))
        _take_place(beside, folder)
        return done


def _placed(
    wanted: Sequence[tuple[str, str]], folder: Path, beside: Path, known: Mapping[str, Known]
) -> Iterator[Placed]:
    """All of them, by several processes where there are many."""

    def task(some: Sequence[tuple[str, str]]) -> Task:
        names = [each for name, _ in some for each in (name, name + files.PACKED)]
        its = {each: known[each] for each in names if each in known}
        return Task(some, str(files.folder()), str(folder), str(beside), its)

    parts = [wanted[start : start + PART] for start in range(0, len(wanted), PART)]
    if len(parts) <= 2:
        yield from (placed(task(each)) for each in parts)
        return
    with ProcessPoolExecutor(min(os.cpu_count() or 1, MOST_PROCESSES), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(placed, map(task, parts))


def _finish(beside: Path, made: Mapping[str, Known]) -> None:
    """Remove what an earlier run left that is not wanted any more, and say what lies there."""
    for base, _, names in os.walk(beside, topdown=False):
        under = os.path.relpath(base, beside)
        for name in names:
            if (name if under == "." else f"{under}/{name}") not in made:
                (Path(base) / name).unlink()
        with contextlib.suppress(OSError):  # Only empty ones go.
            os.rmdir(base)  # noqa: PTH106
    beside.mkdir(exist_ok=True)
    (beside / MARK).write_bytes(msgspec.json.encode(Marked("public site of alerts", dict(made))))


def _marked(folder: Path) -> Marked | None:
    """What the folder holds since the last export; None: it is not there, or empty."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        return msgspec.json.decode((folder / MARK).read_bytes(), type=Marked)
    except (OSError, msgspec.DecodeError) as error:
        raise Foreign(str(folder)) from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("another export into this folder is running") from error
        yield


def _take_place(beside: Path, folder: Path) -> None:
    """What was built stands where the old was, in one step where the system can exchange two names."""
    os.sync()
    if not folder.exists():
        beside.rename(folder)
        return
    if not _exchange(beside, folder):
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        beside.rename(folder)
        beside = old
    shutil.rmtree(beside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
