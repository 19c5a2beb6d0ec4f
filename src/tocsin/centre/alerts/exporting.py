"""The public site as a folder that any web server hands out: the same bytes that the portal serves.

It is built beside and takes the folder's place in one step. What has not changed since the last time is linked from
there, and what an interrupted run wrote is taken over.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tocsin.core.errors import Conflict, Unavailable

from . import files, hints
from .models import PublicFile, PublicState

MARK = ".tocsin-site.json"
"""In the folder: that it is an export, and what lies in it."""
TRIES = 5
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


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A file that was written: of what, and how the disk knows it since."""

    sha256: str
    size: int
    changed: int


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
        beside = folder.with_name(f".{folder.name}.next")
        beside.mkdir(parents=True, exist_ok=True)
        work = _Work(folder, beside, before.files if before else {}, Exported(str(folder), changes=changes))
        wanted = [(each.file, each) for each in rows if each.file]
        total = len(wanted)
        for done, (name, row) in enumerate(wanted, 1):
            work.put(name, row)
            if done % 500 == 0 or done == total:
                told(done, total)
        for name, body in hints.files_for(rows, folder, base):
            work.put_own(name, body)
        work.finish(before)
        _take_place(beside, folder)
        work.done.gone = [each.path for each in rows if each.is_gone]
        return work.done


@dataclass(slots=True)
class _Work:
    """A run: where it writes, and what was there before."""

    folder: Path
    beside: Path
    known: Mapping[str, Known]
    done: Exported
    made: dict[str, Known] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)

    def put(self, name: str, row: Row) -> None:
        """One file, and beside it the same packed where that is worth it."""
        packed = f"{name}{files.PACKED}"
        if self._stays(name, row.sha256):
            if packed in self.known:
                self._stays(packed, row.sha256)
            return
        held = files.held(row.sha256)
        self._write(name, held.plain, row.sha256)
        if held.packed is not None:
            self._write(packed, held.packed, row.sha256)
        self.done.files += 1
        self.done.written += 1

    def put_own(self, name: str, body: bytes) -> None:
        """A file that is not of the site."""
        self._write(name, body, hashlib.sha256(body).hexdigest())

    def _stays(self, name: str, sha256: str) -> bool:
        """Whether it is there from last time, untouched: then it is linked, not written."""
        known = self.known.get(name)
        if known is None or known.sha256 != sha256:
            return False
        there, here = self.folder / name, self._place(name)
        try:
            said = there.stat()
            if (said.st_size, said.st_mtime_ns) != (known.size, known.changed):
                return False
            with contextlib.suppress(FileExistsError):
                os.link(there, here)
                self._note(name, here, sha256)
                self.done.files += not name.endswith(files.PACKED)
                return True
            here.unlink()
            os.link(there, here)
        except OSError:  # Another file system, or links are not had here: it is written.
            return False
        self._note(name, here, sha256)
        self.done.files += not name.endswith(files.PACKED)
        return True

    def _write(self, name: str, body: bytes, sha256: str) -> None:
        place = self._place(name)
        with contextlib.suppress(FileNotFoundError):
            if place.stat().st_size == len(body) and place.read_bytes() == body:  # Of a run that was interrupted.
                self.done.taken_over += 1
                self._note(name, place, sha256)
                return
        draft = place.with_name(f".{place.name}.draft")
        draft.write_bytes(body)
        draft.replace(place)
        self._note(name, place, sha256)

    def _place(self, name: str) -> Path:
        place = self.beside / name
        if place.parent not in self.folders:
            place.parent.mkdir(parents=True, exist_ok=True)
            self.folders.add(place.parent)
        return place

    def _note(self, name: str, place: Path, sha256: str) -> None:
        said = place.stat()
        self.made[name] = Known(sha256, said.st_size, said.st_mtime_ns)
        self.done.size_bytes += said.st_size

    def finish(self, before: Marked | None) -> None:
        """Remove what an earlier run left that is not wanted any more, and say what lies there."""
        for path in _files_in(self.beside):
            name = path.relative_to(self.beside).as_posix()
            if name not in self.made and name != MARK:
                path.unlink()
        for path in sorted((each for each in self.beside.rglob("*") if each.is_dir()), reverse=True):
            with contextlib.suppress(OSError):  # Only empty ones go.
                path.rmdir()
        self.done.removed = len(set(before.files) - set(self.made)) if before else 0
        mark = msgspec.json.encode(Marked("public site of alerts", self.made))
        draft = self.beside / f"{MARK}.draft"
        draft.write_bytes(mark)
        draft.replace(self.beside / MARK)


def _files_in(folder: Path) -> Iterator[Path]:
    return (each for each in folder.rglob("*") if not each.is_dir() or each.is_symlink())


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
