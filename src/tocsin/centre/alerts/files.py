"""The bytes of the public site: in the store, under their digest. Rows of `PublicFile` say which of them are public."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

FOLDER = "public"


def folder() -> Path:
    """Where they lie."""
    installation: Any = settings.INSTALLATION
    return Path(installation.store_folder) / FOLDER


def path_of(sha256: str) -> Path:
    return folder() / sha256[:2] / sha256


def keep(body: bytes) -> str:
    """Write the bytes, durable when this returns; gives their digest. What is there already stays."""
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


def settle(digests: Iterator[str] | list[str] | set[str]) -> None:
    """Make the names of what was kept as durable as its bytes: once for each folder, before rows name them."""
    for each in {path_of(digest).parent for digest in digests} | {folder()}:
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(sha256: str) -> bytes:
    """Raises OSError where they are not there."""
    return path_of(sha256).read_bytes()
