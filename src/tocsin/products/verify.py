"""Whether a country package is what its issuer signed. Works anywhere, offline, with the archive alone.

The key inside the archive proves that nothing changed since signing; only a key that came another way proves who
signed. `Verdict.is_trusted` tells the two apart.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tocsin.core.errors import InputError

UNSIGNED = frozenset({"manifest.json", "manifest.sig"})
FILES_LIMIT = 2_048
"""An alert has five files and its annexes; a package holds at most 200 of them."""
MANIFEST_LIMIT_BYTES = 4 << 20
SMALL_LIMIT_BYTES = 64 << 10
UNPACKED_LIMIT_BYTES = 64 << 30
RATIO_LIMIT = 400
"""Far above what level 1 reaches on the JSON of a package (about 20), far below a bomb (1,000)."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `is_valid`: signed, whole and unchanged. `is_trusted`: signed with the key that you gave."""

    is_signed: bool
    is_trusted: bool
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    manifest: dict[str, Any]

    @property
    def is_valid(self) -> bool:
        return self.is_signed and not (self.changed or self.missing or self.added)


def verify(path: Path, trusted_key: bytes | None = None) -> Verdict:
    """Check an archive against its manifest, and the manifest against the signature.

    `trusted_key` is a public key in PEM; without it the archive's own is used. Raises InputError for what is no
    package or would harm who unpacks it: paths that lead outside, names twice, bombs, encrypted entries.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _safe_entries(archive)
            return _compared(archive, entries, trusted_key)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, ValueError) as error:
        raise InputError("archive-damaged", excerpt=str(error)) from error


def _safe_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    infos = archive.infolist()
    if len(infos) > FILES_LIMIT:
        raise InputError("archive-bomb", excerpt=f"{len(infos)} files")
    for info in infos:
        name = info.filename
        if not name or name in {".", ".."} or set(name) & set("/\\:\0") or not name.isprintable():
            raise InputError("archive-path", excerpt=name)
        if name in entries:
            raise InputError("archive-damaged", excerpt=f"{name} twice")
        if info.flag_bits & 0x1:
            raise InputError("archive-encrypted", excerpt=name)
        if info.file_size > max(info.compress_size, 64) * RATIO_LIMIT:
            raise InputError("archive-bomb", excerpt=name)
        entries[name] = info
    if sum(info.file_size for info in infos) > UNPACKED_LIMIT_BYTES:
        raise InputError("archive-bomb", excerpt="unpacked size")
    return entries


def _compared(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], trusted_key: bytes | None) -> Verdict:
    body = _small(archive, entries, "manifest.json", MANIFEST_LIMIT_BYTES)
    signature = _small(archive, entries, "manifest.sig", SMALL_LIMIT_BYTES)
    manifest = _manifest(body)
    files: dict[str, dict[str, Any]] = manifest["files"]
    own_key = _small(archive, entries, "public-key.pem", SMALL_LIMIT_BYTES) if "public-key.pem" in entries else b""
    by_own = _is_signed(body, signature, own_key)
    by_trusted = trusted_key is not None and _is_signed(body, signature, trusted_key)
    present = set(entries) - UNSIGNED
    return Verdict(
        is_signed=by_own if trusted_key is None else by_trusted,
        is_trusted=by_trusted,
        changed=tuple(
            sorted(name for name in present & set(files) if not _is_same(archive, entries[name], files[name]))
        ),
        missing=tuple(sorted(set(files) - present)),
        added=tuple(sorted(present - set(files))),
        manifest=manifest,
    )


def _manifest(body: bytes) -> dict[str, Any]:
    try:
        manifest = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError("not-json", position="manifest.json") from error
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(facts, dict) and isinstance(facts.get("sha256"), str) and isinstance(facts.get("size_bytes"), int)
        for facts in files.values()
    ):
        raise InputError("invalid-object", position="manifest.json", field="files")
    return dict(manifest)


def _small(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, limit: int) -> bytes:
    if name not in entries:
        raise InputError("missing-field", position=name)
    if entries[name].file_size > limit:
        raise InputError("too-large", position=name)
    with archive.open(entries[name]) as file:
        # The header may lie about the size: never read more than the limit.
        body = file.read(limit + 1)
    if len(body) > limit:
        raise InputError("too-large", position=name)
    return body


def _is_same(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, facts: dict[str, Any]) -> bool:
    """Whether the bytes have the digest of the manifest; reads no further than the size that it states."""
    digest = hashlib.sha256()
    size = 0
    try:
        with archive.open(entry) as file:
            while block := file.read(_BLOCK):
                size += len(block)
                if size > facts["size_bytes"]:
                    return False
                digest.update(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError):
        return False
    return size == int(facts["size_bytes"]) and digest.hexdigest() == str(facts["sha256"])


def _is_signed(body: bytes, signature: bytes, pem: bytes) -> bool:
    try:
        key = load_pem_public_key(pem)
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True
