"""The bytes of the public site: in the store, under their digest. Rows of `PublicFile` say which of them are public."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings

from tocsin.products.alerts.file import File

FOLDER = "public"
AT_ONCE = 16


def folder() -> Path:
    """Where they lie."""
    installation: Any = settings.INSTALLATION
    return Path(installation.store_folder) / FOLDER


def path_of(sha256: str) -> Path:
    return folder() / sha256[:2] / sha256


def keep(body: bytes) -> str:
    """Write the bytes; gives their digest. What is there already stays."""
    sha256 = hashlib.sha256(body).hexdigest()
    path = path_of(sha256)
    if path.exists() and path.stat().st_size == len(body):
        return sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{sha256}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with draft.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return sha256


def keep_all(made: Iterable[File]) -> dict[str, str]:
    """Keep all of these; gives the digest of what lies at each address. Durable when this returns, names included."""
    some = {each.path: each.body for each in made}
    with ThreadPoolExecutor(AT_ONCE) as threads:  # They wait for the disk, which writes down many as fast as one.
        digests = dict(zip(some, threads.map(keep, some.values()), strict=True))
    for each in {path_of(digest).parent for digest in digests.values()} | {folder()}:
        if each.exists():
            _settle(each)
    return digests


def _settle(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(sha256: str) -> bytes:
    """Raises OSError where they are not there."""
    return path_of(sha256).read_bytes()
