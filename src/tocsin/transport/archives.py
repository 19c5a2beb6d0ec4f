"""Unpacking of compressed files and archives: a stream to disk, within limits, whatever they claim.

Nothing in an archive names a file on this machine: members are written under running numbers. Encryption,
damage and bombs are told apart, since each asks something else of the sender.
"""

from __future__ import annotations

import bz2
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import zstandard
from isal import isal_zlib

from tocsin.core.errors import InputError, is_fault_of_the_machine
from tocsin.core.reading import Rejection
from tocsin.core.words import Unit

CHUNK_BYTES = 1 << 20
DIRECTORY_BYTES = 64 << 20
"""The largest central directory of a zip that is loaded: some 400,000 entries."""
HEADER_BYTES = 1 << 20
"""The largest extended header of a tar that is loaded."""
GZIP_ERROR = cast("type[Exception]", isal_zlib.error)
DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, GZIP_ERROR, zstandard.ZstdError,
    EOFError, OSError, struct.error, ValueError, IndexError, OverflowError,
)  # fmt: skip
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, NotImplementedError, RuntimeError)
"""What zipfile raises, its own words for unknown methods and passwords included."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a delivery may expand. Archives in archives count together."""

    expanded_bytes: int = 64 << 30
    expansion_ratio: int = 1_000
    """Expanded bytes per byte received, looked at beyond `ratio_from_bytes`."""
    ratio_from_bytes: int = 64 << 20
    members: int = 10_000
    depth: int = 3


@dataclass(slots=True)
class Budget:
    """What of the limits is used up, for one delivery with all that it holds."""

    limits: Limits
    received_bytes: int
    work: Path
    expanded_bytes: int = 0
    members: int = 0
    files: int = 0

    def take(self, size_bytes: int) -> None:
        """Count bytes about to be written; raises InputError when they are too many."""
        self.expanded_bytes += size_bytes
        over_ratio = (
            self.expanded_bytes > self.limits.ratio_from_bytes
            and self.expanded_bytes > self.limits.expansion_ratio * max(1, self.received_bytes)
        )
        if over_ratio or self.expanded_bytes > self.limits.expanded_bytes:
            raise InputError("archive-bomb")

    def take_member(self) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise InputError("archive-bomb", excerpt=f"more than {self.limits.members} files")

    def new_path(self) -> Path:
        self.files += 1
        return self.work / f"{self.files:06d}"


@dataclass(frozen=True, slots=True)
class Member:
    """One file out of an archive or compressed file, written to `path`."""

    path: Path
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Container:
    """A way of packing: how one knows it, how one opens it. `single` holds one file and no names."""

    name: str
    recognise: Callable[[bytes], bool]
    unpack: Callable[[Path, str, Budget], Iterator[Member | Rejection]]
    single: bool = True


def container_of(path: Path) -> Container | None:
    """How a file is packed, by content; raises InputError for archives that nobody here opens."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    for container in CONTAINERS:
        if container.recognise(head):
            if container.name == "zip" and _is_document(path):
                return None
            return container
    if head.startswith((b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"MSCF\0\0\0\0", b"\x1f\x9d")):
        raise InputError("archive-unsupported")
    return None


# One file, compressed.


class _Gzip:
    """isal's object with the interface of bz2's: input that is not yet used is kept inside."""

    def __init__(self) -> None:
        self._inner: Any = isal_zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(self._inner.unconsumed_tail + data, max_length))


class _Zstandard:
    """zstandard's object with that interface; it knows no greatest length, so it is fed little at a time."""

    needs_input = True

    def __init__(self) -> None:
        # Frames may ask for windows of gigabytes: 128 MiB is what the tool itself allows without being told.
        self._inner: Any = zstandard.ZstdDecompressor(max_window_size=128 << 20).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(data))


def _expand(start: Callable[[], Any], feed_bytes: int, stream: BinaryIO, out: BinaryIO, budget: Budget) -> int | None:
    """Write out what is packed, stream after stream; gives the offset of foreign bytes at the end, if any."""
    decompressor = start()
    streams_done, begun_at, written_before, data = 0, 0, 0, b""
    while True:
        if decompressor.eof:
            streams_done += 1
            data = decompressor.unused_data.lstrip(b"\0")
            while not data and (chunk := stream.read(feed_bytes)):
                data = chunk.lstrip(b"\0")  # Tapes and disk images pad with zero bytes.
            if not data:
                return None
            begun_at, written_before = stream.tell() - len(data), budget.expanded_bytes
            decompressor = start()
        elif decompressor.needs_input:
            data = stream.read(feed_bytes)
        ended = not data and decompressor.needs_input
        try:
            if ended:
                raise EOFError("ends in the middle")
            expanded = decompressor.decompress(data, CHUNK_BYTES)
        except DAMAGE as error:
            if streams_done and budget.expanded_bytes == written_before:
                return begun_at
            raise InputError("archive-damaged", excerpt=str(error)[:80]) from error
        data = b""
        budget.take(len(expanded))
        out.write(expanded)


def _single(
    start: Callable[[], Any], suffixes: tuple[str, ...], feed_bytes: int = CHUNK_BYTES
) -> Callable[[Path, str, Budget], Iterator[Member | Rejection]]:
    def unpack(path: Path, name: str, budget: Budget) -> Iterator[Member | Rejection]:
        target = budget.new_path()
        with path.open("rb") as stream, target.open("wb") as out:
            foreign_at = _expand(start, feed_bytes, stream, out, budget)
        yield Member(target, _without_suffix(name, suffixes), 1)
        if foreign_at is not None:
            yield Rejection(foreign_at, Unit.BYTE, "archive-damaged", excerpt="foreign bytes after the end")

    return unpack


def _without_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    for suffix in suffixes:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] + (".tar" if suffix.startswith(".t") else "")
    return name


# Many files.


def _refused_name(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return (
        name.startswith(("/", "\\"))
        or re.match(r"[A-Za-z]:", name) is not None
        or ".." in parts
        or len(name) > 4096
        or any(ord(letter) < 32 for letter in name)
    )


def _write(member: IO[bytes], target: Path, budget: Budget) -> None:
    with target.open("wb") as out:
        while chunk := member.read(CHUNK_BYTES):
            budget.take(len(chunk))
            out.write(chunk)


def _directory_bytes(path: Path) -> int:
    """Size of a zip's central directory as it claims itself; raises InputError when there is none."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - (1 << 16) - 22 - 76))
        tail = stream.read()
        place = tail.rfind(b"PK\x05\x06")
        if place < 0 or len(tail) - place < 22:
            raise InputError("archive-damaged", excerpt="no directory at the end")
        length: int = struct.unpack("<L", tail[place + 12 : place + 16])[0]
        if tail[place - 20 : place - 16] == b"PK\x06\x07":
            stream.seek(min(size, struct.unpack("<Q", tail[place - 12 : place - 4])[0]))
            record = stream.read(56)
            if record[:4] == b"PK\x06\x06" and len(record) == 56:
                length = struct.unpack("<Q", record[40:48])[0]
    return length


def _open_zip(path: Path) -> zipfile.ZipFile:
    if _directory_bytes(path) > DIRECTORY_BYTES:
        raise InputError("archive-bomb", excerpt="directory too large")
    try:
        return zipfile.ZipFile(path)
    except UNREADABLE as error:
        raise InputError("archive-damaged", excerpt=str(error)[:80]) from error


def _is_document(path: Path) -> bool:
    """Whether a zip is in truth one document (Office, OpenDocument, EPUB), read as a whole by a format."""
    try:
        with _open_zip(path) as archive:
            names = archive.NameToInfo
            return "[Content_Types].xml" in names or "mimetype" in names
    except InputError:
        return False  # Opening it for good says why.


def _unpack_zip(path: Path, name: str, budget: Budget) -> Iterator[Member | Rejection]:
    seen: set[str] = set()
    with _open_zip(path) as archive:
        for position, info in enumerate(archive.infolist(), start=1):
            if info.is_dir() and not info.file_size:
                continue
            budget.take_member()
            reason = _zip_refusal(info, seen)
            if reason:
                yield Rejection(position, Unit.FILE, reason, excerpt=info.orig_filename[:160])
                continue
            seen.add(info.filename)
            target = budget.new_path()
            try:
                with archive.open(info) as member:
                    _write(member, target, budget)
            except UNREADABLE as error:
                target.unlink(missing_ok=True)
                if is_fault_of_the_machine(error):
                    raise
                unsupported = isinstance(error, NotImplementedError)
                reason = "archive-unsupported" if unsupported else "archive-damaged"
                yield Rejection(position, Unit.FILE, reason, excerpt=info.filename[:160])
                continue
            yield Member(target, info.filename, position)


def _zip_refusal(info: zipfile.ZipInfo, seen: set[str]) -> str:
    mode = info.external_attr >> 16
    if _refused_name(info.orig_filename) or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        return "archive-path"
    if info.filename in seen:
        return "archive-duplicate"
    if info.flag_bits & 0x1:
        return "archive-encrypted"
    return ""


class _ModestHeader(tarfile.TarInfo):
    """A tar header whose extended part cannot ask for more memory than names need."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _ModestHeader:
        header = super().frombuf(buf, encoding, errors)
        if header.type in b"xgXLKNV" and header.size > HEADER_BYTES:
            raise tarfile.HeaderError("extended header too large")
        return header


def _unpack_tar(path: Path, name: str, budget: Budget) -> Iterator[Member | Rejection]:
    seen: set[str] = set()
    position = 0
    with path.open("rb") as stream:
        try:
            archive = tarfile.open(fileobj=stream, mode="r:", tarinfo=_ModestHeader, errors="surrogateescape")  # noqa: SIM115
        except DAMAGE as error:
            raise InputError("archive-damaged", excerpt=str(error)[:80]) from error
        while True:
            try:
                info = archive.next()
            except DAMAGE as error:
                yield Rejection(position + 1, Unit.FILE, "archive-damaged", excerpt=str(error)[:80])
                return
            if info is None:
                break
            archive.members.clear()  # type: ignore[attr-defined]  # The library keeps every header otherwise.
            position += 1
            if info.isdir():
                continue
            budget.take_member()
            yield from _unpack_tar_member(archive, info, position, seen, budget)
        if _tar_goes_on(stream, archive.offset):
            yield Rejection(position + 1, Unit.FILE, "archive-damaged", excerpt="header damaged")


def _unpack_tar_member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, position: int, seen: set[str], budget: Budget
) -> Iterator[Member | Rejection]:
    name = info.name.encode("utf-8", "replace").decode()
    reason = ""
    if not info.isreg() or _refused_name(name):
        reason = "archive-path"
    elif name in seen:
        reason = "archive-duplicate"
    if reason:
        yield Rejection(position, Unit.FILE, reason, excerpt=name[:160])
        return
    seen.add(name)
    target = budget.new_path()
    try:
        member = archive.extractfile(info)
        assert member is not None  # It is a regular file.
        _write(member, target, budget)
    except DAMAGE as error:
        target.unlink(missing_ok=True)
        if is_fault_of_the_machine(error):
            raise
        yield Rejection(position, Unit.FILE, "archive-damaged", excerpt=name[:160])
        return
    yield Member(target, name, position)


def _tar_goes_on(stream: BinaryIO, offset: int) -> bool:
    """Whether something other than the closing zero blocks stands where the library stopped."""
    stream.seek(offset)
    return stream.read(512).strip(b"\0") != b""


def _is_tar(head: bytes) -> bool:
    if len(head) < 512:
        return False
    if head[257:262] == b"ustar":
        return True
    try:
        stated = int(head[148:156].strip(b" \0") or b"-1", 8)
    except ValueError:
        return False
    # Old tars have no magic word, but a sum over the header with its own field taken as blanks.
    return stated == sum(head[:148]) + 8 * 32 + sum(head[156:512]) and head[0] != 0


def _is_bare_lzma(head: bytes) -> bool:
    """The old .lzma form has no magic word: common properties, a round dictionary size, a sane length."""
    if len(head) < 14 or head[0] != 0x5D:
        return False
    dictionary = int.from_bytes(head[1:5], "little")
    length = int.from_bytes(head[5:13], "little")
    common = dictionary in {2**n for n in range(12, 32)} | {3 * 2**n for n in range(11, 31)}
    return common and (length == (1 << 64) - 1 or length < 1 << 40) and head[13] == 0


CONTAINERS: tuple[Container, ...] = (
    Container("gzip", lambda head: head.startswith(b"\x1f\x8b\x08"), _single(_Gzip, (".gz", ".tgz", ".gzip"))),
    Container(
        "bzip2",
        lambda head: re.match(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", head) is not None,
        _single(bz2.BZ2Decompressor, (".bz2", ".tbz2", ".tbz")),
    ),
    Container(
        "xz",
        lambda head: head.startswith(b"\xfd7zXZ\0") or _is_bare_lzma(head),
        _single(lambda: lzma.LZMADecompressor(memlimit=256 << 20), (".xz", ".lzma", ".txz")),
    ),
    Container(
        "zstandard",
        lambda head: head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F),
        # A block of four bytes may stand for 128 KiB: a kibibyte gives 32 MiB at most.
        _single(_Zstandard, (".zst", ".tzst"), feed_bytes=1024),
    ),
    Container("zip", lambda head: head.startswith((b"PK\x03\x04", b"PK\x05\x06")), _unpack_zip, single=False),
    Container("tar", _is_tar, _unpack_tar, single=False),
)
