"""The bytes of the public site, in the store under their digests. Which of them lies at which address, rows say.

What packs well is kept packed and not otherwise: whoever wants it plain unpacks it, and sees whether it is whole.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import re
import secrets
import time
import zlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from tocsin.core.errors import InputError
from tocsin.lake.files import is_older, sync

FOLDER = "public"
PACKED = ".gz"
PACKS_FROM_BYTES = 256
LEVEL = 9
HEAD_BYTES = 1_024
"""Of a text, none is zero in these."""
AT_ONCE = 8
"""Files that wait for the disk together: it takes them in one go."""
LEFT_SECONDS = 3_600.0
"""A file that nothing names for so long is of no publication that is under way."""
_NAME = re.compile(r"([0-9a-f]{64})(\.gz)?")


class Damaged(Exception):  # noqa: N818 - named as the other findings are.
    """What lies in the store is not what was put there; the argument is its digest."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A file as it is handed out: plain, and packed where that is shorter."""

    plain: bytes
    packed: bytes | None = None


def folder() -> Path:
    """Where they lie."""
    installation: Any = settings.INSTALLATION
    return Path(installation.store_folder) / FOLDER


def path_of(sha256: str) -> Path:
    """Where one lies, without the ending that says that it is packed."""
    return folder() / sha256[:2] / sha256


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def keep(body: bytes) -> str:
    """Write the bytes, durable when this returns but for their name (`settle`); gives their digest.

    What is there already, and whole, stays. Raises InputError("no-space").
    """
    sha256 = digest_of(body)
    if _is_there(sha256):
        return sha256
    place = path_of(sha256)
    packed = pack(body)
    final = place if packed is None else _packed(place)
    draft = place.with_name(f".{secrets.token_hex(8)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as target:
            target.write(body if packed is None else packed)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(final)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise InputError("no-space") from error
        raise
    finally:
        draft.unlink(missing_ok=True)
    return sha256


def keep_all(bodies: Iterable[bytes]) -> list[str]:
    """The same for many: the disk takes what waits for it together in one go. Their digests, in order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(keep, bodies))


def settle(digests: Iterable[str]) -> None:
    """Make the names of what was kept as durable as its bytes: once for each folder, before rows name them."""
    for each in {path_of(digest).parent for digest in digests} | {folder()}:
        sync(each)


def _packed(place: Path) -> Path:
    return place.with_name(place.name + PACKED)


def _is_there(sha256: str) -> bool:
    """Whether whole bytes lie there already; what is touched is not swept while it waits for its row."""
    place, is_touched = path_of(sha256), False
    for path in (_packed(place), place):
        with suppress(FileNotFoundError):
            os.utime(path)
            is_touched = True
    try:
        held(sha256)
    except (FileNotFoundError, Damaged):
        return False
    return is_touched


def pack(body: bytes) -> bytes | None:
    """The same bytes packed, the same each time; None where it is not worth it, as of pictures."""
    if len(body) < PACKS_FROM_BYTES or b"\x00" in body[:HEAD_BYTES]:
        return None
    packed = gzip.compress(body, LEVEL, mtime=0)
    return packed if len(packed) < len(body) * 0.9 else None


def read(sha256: str) -> bytes:
    """Raises FileNotFoundError, or Damaged for what is not whole any more."""
    return held(sha256).plain


def held(sha256: str, root: str = "") -> Bytes:
    """As it is handed out. Raises FileNotFoundError, or Damaged for what is not whole any more.

    `root` is the folder of all of them, for who asks often.
    """
    place = f"{root or folder()}/{sha256[:2]}/{sha256}"
    try:
        with open(place + PACKED, "rb") as file:  # noqa: PTH123 - an export does it a quarter of a million times.
            packed = file.read()
    except FileNotFoundError:
        with open(place, "rb") as file:  # noqa: PTH123
            plain = file.read()
        if digest_of(plain) != sha256:
            raise Damaged(sha256) from None
        return Bytes(plain)
    try:
        plain = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise Damaged(sha256) from error
    if digest_of(plain) != sha256:
        raise Damaged(sha256)
    return Bytes(plain, packed)


def damaged(digests: Iterable[str]) -> Iterator[str]:
    """Of these, what is lost or not what it was."""
    for each in digests:
        try:
            held(each)
        except (FileNotFoundError, Damaged):
            yield each


def lying() -> set[str]:
    """Digests of all files that lie there, by their names alone."""
    return {found[1] for _path, name in _lying() if (found := _NAME.fullmatch(name))}


def _lying() -> Iterator[tuple[str, str]]:
    """Path and name of whatever lies there, a quarter of a million of them."""
    if not folder().is_dir():
        return
    with os.scandir(folder()) as folders:
        for each in folders:
            if each.is_dir(follow_symlinks=False):
                with os.scandir(each) as entries:
                    yield from ((entry.path, entry.name) for entry in entries)


def unnamed(named: Collection[str], now: float | None = None) -> Iterator[Path]:
    """What no row names and nobody has just written.

    A publication writes before it names: what is young may be one's that is under way.
    """
    before = (time.time() if now is None else now) - LEFT_SECONDS
    for place, name in _lying():
        found = _NAME.fullmatch(name)
        if (found and found[1] in named) or not is_older(path := Path(place), before):
            continue
        yield path


def sweep(named: Collection[str], now: float | None = None, *, among: Collection[str] | None = None) -> int:
    """Remove what no row names and nobody has just written, or of it those names alone; how many files that were."""
    before = (time.time() if now is None else now) - LEFT_SECONDS
    chosen = (each for each in unnamed(named, now) if among is None or each.name in among)
    return sum(_is_removed(each, before) for each in chosen)


def _is_removed(path: Path, before: float) -> bool:
    """It steps aside first: who found it there a moment ago has touched it, and gets it back."""
    aside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        path.rename(aside)
        if is_older(aside, before):
            aside.unlink()
            return True
        aside.replace(path)
    except FileNotFoundError:
        pass
    return False
