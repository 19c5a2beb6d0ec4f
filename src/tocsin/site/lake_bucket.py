"""The bucket in which the observations lie: whose it is, whether the settings name the right one, carrying them there.

Its mark says what the mark of the store says (`store_mark`): one database may use it. A note in the folder that stands
for it says where the observations went, so that a lost line of the settings makes no lake that looks empty.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.centre.intake.models import LakeFile
from tocsin.lake import buckets, index
from tocsin.lake.buckets import Mount

from . import store_mark
from .store_mark import ADOPTED, FILE, SUBJECT, Foreign

NOTE: Final = "lies-in.txt"
"""In the folder of observations: the address of the bucket where they are."""
Progress = Callable[[int, int], None]


def require(at: datetime) -> None:
    """Raises Foreign where the bucket belongs to another database, or where the settings do not name the bucket that
    holds the observations. One that belongs to nobody is ours from now on, where there is nothing to carry there."""
    found = _mount()
    lies_in = _note().read_text(encoding="utf-8").strip() if _note().exists() else ""
    if found is None:
        if lies_in:
            raise Foreign(
                f"The observations lie in {lies_in}, and the settings do not say so. Put the line `lake` back into "
                "tocsin.toml; or bring them to this machine first, with that line: tocsin lake carry --back"
            )
        return
    said = _mark(found)
    if said is not None:
        if not _is_ours(said):
            raise Foreign(
                f"The bucket {found.bucket.address} belongs to another database: {said['told']}, since {said['at']}. "
                "Two of them on one bucket would destroy each other's files. Give this one a prefix of its own (lake "
                "in tocsin.toml); or, if the other is gone for good, say that it is this one's: tocsin lake take"
            )
        _write_note(found)
        return
    if LakeFile.objects.exists():
        where = lies_in or str(found.folder)
        raise Foreign(
            f"There are no observations of this installation in {found.bucket.address}: they lie in {where}. Carry "
            "them there, with the portal and the workers stopped: tocsin lake carry"
        )
    adopt(at)


def is_ours() -> bool:
    """Whether no bucket is used, or one that is marked as this database's."""
    found = _mount()
    said = None if found is None else _mark(found)
    return found is None or (said is not None and _is_ours(said))


def adopt(at: datetime) -> None:
    """From now on the bucket is this database's, and no other's. Raises Foreign where another was quicker."""
    found = _mount()
    if found is None:
        return
    number, before = secrets.token_hex(16), _mark(found)
    told = {
        "number": number, "places": store_mark.places(), "told": store_mark.named(), "own": found.bucket.address,
        "at": at.isoformat(timespec="seconds"),
    }  # fmt: skip
    with transaction.atomic():
        record("system", ADOPTED, SUBJECT, {"number": number}, at=at)
    is_put = found.bucket.put_bytes(FILE, orjson.dumps(told), only_new=before is None)
    now = _mark(found)
    if not is_put or now is None or now["number"] != number:
        raise Foreign(f"Another installation took the bucket {found.bucket.address} just now.")
    _write_note(found)


def carry(progress: Progress, at: datetime) -> tuple[int, list[str]]:
    """Bring the observations from this machine into the bucket, file by file, and let them go here when all are there.
    How many files there are, and which are neither here nor there; killed anywhere, the same call goes on."""
    found = _mount()
    assert found is not None
    said = _mark(found)
    if said is not None and not _is_ours(said):
        require(at)
    paths, missing = list(_registered()), []
    for done, (path, digest) in enumerate(paths):
        progress(done, len(paths))
        if path.exists() and (not digest or _digest(path) == digest):
            if not _is_there(found, path):
                found.bucket.put(found.name_of(path), path)
        elif not _is_there(found, path):
            # An index can be made again; what cannot be opened or is damaged is told and stays.
            missing += [str(path)] if digest else []
    if missing:
        return len(paths), missing
    adopt(at)
    for path, digest in paths:
        if digest:
            path.unlink(missing_ok=True)
    record("system", "lake.carried", "lake:observations", {"to": found.bucket.address, "files": len(paths)}, at=at)
    return len(paths), []


def carry_back(progress: Progress, at: datetime) -> tuple[int, list[str]]:
    """Bring the observations from the bucket to this machine. They stay in the bucket."""
    found = _mount()
    assert found is not None
    require(at)
    paths, missing = list(_registered()), []
    for done, (path, digest) in enumerate(paths):
        progress(done, len(paths))
        if path.exists() and (not digest or _digest(path) == digest):
            continue
        fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with fresh.open("xb") as target:
                found.bucket.get(found.name_of(path), target)
            fresh.replace(path)
        except FileNotFoundError:
            missing += [str(path)] if digest else []
        finally:
            fresh.unlink(missing_ok=True)
    if not missing:
        _note().unlink(missing_ok=True)
        facts = {"from": found.bucket.address, "files": len(paths)}
        record("system", "lake.carried", "lake:observations", facts, at=at)
    return len(paths), missing


def copy_to(folder: Path, progress: Progress, at: datetime) -> tuple[int, int]:
    """Bring what the bucket holds into a folder that is no store, for a back-up while the installation runs; how many
    files there are, and how many of these were not in the folder before. Files never change once they are whole."""
    found = _mount()
    assert found is not None
    require(at)
    paths, copied = [path for path, _ in buckets.listed(found.folder)], 0
    for done, path in enumerate(paths):
        progress(done, len(paths))
        target = folder / path.relative_to(found.folder)
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}-{secrets.token_hex(8)}")
        try:
            with fresh.open("xb") as stream:
                found.bucket.get(found.name_of(path), stream)
            fresh.replace(target)
            copied += 1
        except FileNotFoundError:
            continue  # It was joined with others, or purged, meanwhile.
        finally:
            fresh.unlink(missing_ok=True)
    return len(paths), copied


def _registered() -> Iterator[tuple[Path, str]]:
    """Every file of the lake, retired ones too, with its digest; what lies beside it without one."""
    store = Path(settings.INSTALLATION.store_folder)
    for path, digest in LakeFile.objects.order_by("pk").values_list("path", "digest"):
        yield store / path, digest
        for each in index.beside(store / path):
            yield each, ""


def _is_there(found: Mount, path: Path) -> bool:
    try:
        length = found.bucket.size(found.name_of(path))
    except FileNotFoundError:
        return False
    return not path.exists() or length == path.stat().st_size


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _mount() -> Mount | None:
    return next(iter(buckets.mounts()), None)


def _mark(found: Mount) -> dict[str, Any] | None:
    """What the mark says; None where there is none, or one that was copied from another bucket."""
    try:
        said: dict[str, Any] = orjson.loads(found.bucket.get_bytes(FILE))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return said if said.get("own") == found.bucket.address else None


def _is_ours(said: dict[str, Any]) -> bool:
    return said["number"] in store_mark.known() and bool(set(said["places"]) & set(store_mark.places()))


def _note() -> Path:
    return Path(settings.INSTALLATION.store_folder) / "observations" / NOTE


def _write_note(found: Mount) -> None:
    path = _note()
    if not path.exists() or path.read_text(encoding="utf-8").strip() != found.bucket.address:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found.bucket.address + "\n", encoding="utf-8")
