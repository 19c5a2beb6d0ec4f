"""Files that lie in a bucket of an object store: a folder of this machine stands for them, and whoever reads or writes
one of them asks here.

A file is made whole on this machine and handed over by one request. It is there from then on and exists when the
registry knows it, so that nothing is ever renamed in the bucket. Parquet is read there by ranges. What is mapped into
memory, the indexes, gets a copy in the folder: copies are bounded, and each may go at any time. Folders that no bucket
stands behind are what they look like.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

T = TypeVar("T")
COPIES_VARIABLE = "TOCSIN_LAKE_COPIES"
"""On a machine of a cluster: where copies lie, if not where they lie for who asks."""
COPIES_BYTES = 20 << 30
LOOKED_EVERY = 1 << 30
"""After so many bytes were copied it is looked how much lies there in all."""
GONE_EVERY_SECONDS = 3_600
COPIED = (".index", ".facts")
READ_AHEAD = 1 << 20
KNOWN = 65_536
"""Sizes that are remembered: a file never changes."""


class Bucket(Hashable, Protocol):
    """A part of an object store. All raise Unavailable where it does not answer or does not let us in, and those that
    name one object FileNotFoundError where it is not there."""

    @property
    def address(self) -> str:
        """Which part of which store; names no secret."""

    def put(self, name: str, path: Path) -> None:
        """Hand a file over, whole; durable when this returns."""

    def get(self, name: str, target: IO[bytes]) -> None:
        """Write an object into an open file."""

    def get_bytes(self, name: str) -> bytes:
        """A small object, whole."""

    def put_bytes(self, name: str, body: bytes, *, only_new: bool = False) -> bool:
        """Whether it was put; `only_new`: not where there is one of that name, as far as the store can tell."""

    def part(self, name: str, start: int, length: int) -> bytes:
        """Some of its bytes."""

    def size(self, name: str) -> int:
        """How many bytes it has."""

    def remove(self, name: str) -> None:
        """Let it go; what is not there is gone already."""

    def listed(self, prefix: str) -> Iterator[tuple[str, float]]:
        """All objects whose names begin so, and when each was written, in seconds since 1970 by our clock."""

    def forget_unfinished(self, before: float) -> int:
        """Give up uploads in parts that nobody finished, begun before that moment; how many."""

    def for_polars(self, name: str) -> tuple[str, Mapping[str, str]]:
        """Address and options with which Polars reads it."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder that stands for the objects of a bucket under a prefix."""

    folder: Path
    bucket: Bucket
    prefix: str
    copies_bytes: int = COPIES_BYTES

    def name_of(self, path: Path) -> str:
        return f"{self.prefix}/{path.relative_to(self.folder).as_posix()}"


class _Standing:
    """What stands for what, in this process."""

    mounts: tuple[Mount, ...] = ()
    copied = 0
    looked_at = float("-inf")
    """When it was looked for copies of what is gone."""


def mount(*mounts: Mount) -> None:
    """From now on these folders, and no others, stand for buckets."""
    if mounts != _Standing.mounts:
        _Standing.mounts = mounts
        _known_size.cache_clear()


def mounts() -> tuple[Mount, ...]:
    """What stands for what: a machine of a cluster is told."""
    return _Standing.mounts


def mount_of(path: Path) -> Mount | None:
    """The mount that a file lies under; None for one of this machine."""
    for each in _Standing.mounts:
        if path.is_relative_to(each.folder):
            return each
    return None


def copy_of(path: Path) -> Path:
    """Where this machine has its copy of a file, if it has one; the file itself where no bucket stands behind it."""
    found = mount_of(path)
    elsewhere = os.environ.get(COPIES_VARIABLE)
    if found is None or not elsewhere:
        return path
    return Path(elsewhere) / path.relative_to(found.folder)


def here(path: Path) -> Path:
    """The file, or a copy of it that is as good. Raises FileNotFoundError."""
    found, copy = mount_of(path), copy_of(path)
    if found is None or copy.exists():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    fresh = copy.with_name(f".{copy.name}-{secrets.token_hex(8)}")
    try:
        with fresh.open("xb") as target:
            found.bucket.get(found.name_of(path), target)
            target.flush()
            os.fsync(target.fileno())  # Half a copy would be believed after the power was cut.
        size = fresh.stat().st_size
        fresh.replace(copy)
    finally:
        fresh.unlink(missing_ok=True)
    _bound(found, copy, size)
    return copy


def used_here(path: Path, use: Callable[[Path], T]) -> T:
    """What somebody makes of the file or its copy, which may go just when it is opened. Raises FileNotFoundError."""
    try:
        return use(here(path))
    except FileNotFoundError:
        return use(here(path))


def forget_copies(paths: Iterable[Path]) -> None:
    """Let go of this machine's copies: the next who asks gets the files as they lie in the bucket."""
    for path in paths:
        if mount_of(path) is not None:
            copy_of(path).unlink(missing_ok=True)


def keep(made: Path, path: Path, *, with_copy: bool = False) -> None:
    """Give a file that is complete, and durable, its name. `with_copy`: it will be mapped here."""
    found = mount_of(path)
    if found is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        made.replace(path)
        return
    found.bucket.put(found.name_of(path), made)
    if with_copy:
        copy = copy_of(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, copy)  # It may be another disk.
    else:
        made.unlink()


def hand_over(path: Path) -> None:
    """Bring a file that was written in its own place to where it belongs."""
    found = mount_of(path)
    if found is not None:
        found.bucket.put(found.name_of(path), copy_of(path))


def opened(path: Path) -> io.BufferedReader:
    """The file as it lies, to be read; not a copy. Raises FileNotFoundError."""
    found = mount_of(path)
    if found is None:
        return path.open("rb")
    return io.BufferedReader(_Ranges(found.bucket, found.name_of(path)), READ_AHEAD)


def size(path: Path) -> int:
    """Its bytes. Raises FileNotFoundError."""
    found = mount_of(path)
    return path.stat().st_size if found is None else _known_size(found.bucket, found.name_of(path))


def hold(paths: Iterable[Path], size_bytes: int) -> bool:
    """Whether these files have so many bytes. In a bucket each is asked for: no more of them than need be."""
    held = 0
    for path in paths:
        held += size(path)
        if held >= size_bytes:
            return True
    return False


def exists(path: Path) -> bool:
    """Whether it is there, at this moment."""
    found = mount_of(path)
    if found is None:
        return path.exists()
    try:
        found.bucket.size(found.name_of(path))
    except FileNotFoundError:
        return False
    return True


def remove(path: Path) -> None:
    """Let it go, with this machine's copy."""
    found = mount_of(path)
    if found is not None:
        found.bucket.remove(found.name_of(path))
    copy_of(path).unlink(missing_ok=True)


def listed(folder: Path) -> Iterator[tuple[Path, float]]:
    """All files under a folder, and when each was written."""
    found = mount_of(folder)
    if found is None:
        for path in folder.rglob("*"):
            try:
                written_at = path.stat().st_mtime
            except FileNotFoundError:  # It went while we were on our way to it.
                continue
            if path.is_file():
                yield path, written_at
        return
    prefix = found.name_of(folder).removesuffix("/.") + "/"
    for name, written_at in found.bucket.listed(prefix):
        yield folder / name.removeprefix(prefix), written_at


def for_polars(path: Path) -> tuple[str | Path, dict[str, Any]]:
    """What Polars is told to read the file."""
    found = mount_of(path)
    if found is None:
        return path, {}
    address, options = found.bucket.for_polars(found.name_of(path))
    return address, {"storage_options": dict(options), "hive_partitioning": False}


@lru_cache(maxsize=KNOWN)
def _known_size(bucket: Bucket, name: str) -> int:
    return bucket.size(name)


class _Ranges(io.RawIOBase):
    """An object that is read in pieces, wherever somebody looks."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self._bucket, self._name, self._at = bucket, name, 0
        self._size = bucket.size(name)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        body = self._bucket.part(self._name, self._at, wanted)
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)


def forget_gone() -> int:
    """Let this machine's copies go of what is in the bucket no more, such as rows that were purged; how many."""
    gone = 0
    _Standing.looked_at = time.monotonic()
    for each in _Standing.mounts:
        copies = list(_copies_below(copy_of(each.folder)))
        if copies:
            held = {copy_of(path) for path, _ in listed(each.folder)}
            for path in copies:
                if path not in held and not path.name.startswith("."):
                    path.unlink(missing_ok=True)
                    gone += 1
    return gone


def _copies_below(folder: Path) -> Iterator[Path]:
    """What was copied, or is just being: other files that lie there are none of ours to remove."""
    for path in folder.rglob("*"):
        if path.suffix in COPIED or (path.name.startswith(".") and any(each in path.name for each in COPIED)):
            yield path


def _bound(found: Mount, copy: Path, size_bytes: int) -> None:
    """Let the copies go that were not touched for longest, when there are too many bytes of them; now and then those
    of what is gone."""
    if time.monotonic() - _Standing.looked_at > GONE_EVERY_SECONDS:
        forget_gone()
    is_first = not _Standing.copied
    _Standing.copied += size_bytes
    if _Standing.copied < min(LOOKED_EVERY, found.copies_bytes // 8) and not is_first:
        return
    _Standing.copied = 1
    folder = copy_of(found.folder)
    held = []
    for path in _copies_below(folder):
        try:
            said = path.stat()
        except FileNotFoundError:
            continue
        if path != copy:
            held.append((max(said.st_atime, said.st_mtime), said.st_size, path))
    left = found.copies_bytes - size_bytes
    now = time.time()
    for touched, length, path in sorted(held, reverse=True):
        left -= length
        # What is being written just now has a name of its own, and is young.
        if left < 0 and not (path.name.startswith(".") and now - touched < 3_600):
            path.unlink(missing_ok=True)
