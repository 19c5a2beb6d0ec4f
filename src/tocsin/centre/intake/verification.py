"""Whether the store holds what was registered: digests, indexes, originals, and nothing that nobody knows.

Files are read one after the other and what was verified is noted at once, so that a run that was stopped goes on where
it stood and no run needs more memory than its largest file. What is found wrong stays told until it is mended.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path

from django.db import transaction
from django.db.models import Count, F, Model, QuerySet

from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.core.errors import Conflict
from tocsin.credentials.content_keys import KeyMissing
from tocsin.lake import buckets, files, index, parquet
from tocsin.lake.keys import Keys

from . import lake, originals
from .lake_keys import all_keys
from .models import Batch, Delivery, LakeFile
from .services import store_folder
from .store import delivery_path
from .store_models import Kind, StoreFault

log = logging.getLogger(__name__)
VERIFY = "verify-store"
"""Kind of the job that verifies a share of the store."""
SUBJECT = "lake:observations"
EVERY = timedelta(days=1)
SHARES = 28
"""In so many days all of it comes by: a month, February too."""
NOTED_EVERY = 100
RESUMED_WITHIN = timedelta(days=1)
TOLD = 20
"""How many faults an entry in the log names."""
Progress = Callable[[int, int], None]
"""Told how many files are done, and of how many."""


class Fault(StrEnum):
    """What is wrong with a file of the store."""

    MISSING = "missing"
    CHANGED = "changed"
    UNOPENABLE = "unopenable"
    """Sealed with a key that is not here, or by another installation."""
    INDEX = "index"
    """What lies beside it for look-ups does not belong to it."""
    TWICE = "twice"
    """The same rows are registered under another name as well."""
    ROWS = "rows"
    """A batch has other rows in the files than were committed."""
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Found:
    """One fault. What was made anew at once is mended."""

    kind: str
    path: str
    fault: Fault
    is_mended: bool = False
    receipt: str = ""
    """Of the delivery whose original it is."""


@dataclass(slots=True)
class Verdict:
    """What a run looked at and found."""

    files: int = 0
    originals: int = 0
    size_bytes: int = 0
    found: list[Found] = field(default_factory=list)

    @property
    def faults(self) -> list[Found]:
        """What is not mended."""
        return [each for each in self.found if not each.is_mended]


@dataclass(frozen=True, slots=True)
class Extent:
    """What of the store is looked at."""

    since: datetime | None = None
    """What was registered or received from then on."""
    sample: float = 1.0
    """So large a part, drawn by chance."""
    resume_at: datetime | None = None
    """Without what was verified less than a day before that moment."""
    share: int = 1
    """One of so many parts: what was verified longest ago."""
    with_indexes: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether what nobody knows, and what is counted twice, can be told."""
        return self.since is None and self.sample >= 1


def verify(
    extent: Extent, at: datetime, progress: Progress = lambda done, total: None, *, actor: str = "system"
) -> Verdict:
    """Look at these files; faults that are found are kept until they are mended, and the run is an act in the log."""
    verdict = Verdict()
    lakes, origin = _chosen(_live(), "created_at", extent), _chosen(_kept(), "received_at", extent)
    total, done = len(lakes) + len(origin), 0
    keys = all_keys()
    seen: dict[type[Model], list[int]] = {LakeFile: [], Delivery: []}
    for model, key in chain(((LakeFile, key) for key in lakes), ((Delivery, key) for key in origin)):
        size, found = _look_at_file(key, keys, extent, at) if model is LakeFile else _look_at_original(key)
        if size is None:
            continue  # It went while we were on our way to it.
        verdict.files += model is LakeFile
        verdict.originals += model is Delivery
        verdict.size_bytes += size
        verdict.found += found
        seen[model].append(key)
        done += 1
        if done % NOTED_EVERY == 0:
            _note(seen, at)
        progress(done, total)
    _note(seen, at)
    if extent.is_whole:
        verdict.found += [*_twice(), *_other_rows(keys, verdict.found), *unregistered(at)]
    _keep(verdict, at, whole=extent.is_whole and extent.share == 1 and extent.resume_at is None)
    _log(verdict, extent, at, actor)
    return verdict


def _live() -> QuerySet[LakeFile]:
    return LakeFile.objects.filter(retired_at=None)


def _kept() -> QuerySet[Delivery]:
    """The deliveries whose bytes must be there: of the same bytes sent twice, the first."""
    return Delivery.objects.exclude(state__in=(Delivery.State.DUPLICATE, *Delivery.GONE))


def _chosen(asked: QuerySet[LakeFile] | QuerySet[Delivery], moment: str, extent: Extent) -> list[int]:
    """Keys of what is looked at, what was verified longest ago first."""
    if extent.since is not None:
        asked = asked.filter(**{f"{moment}__gte": extent.since})
    if extent.resume_at is not None:
        asked = asked.exclude(verified_at__gte=extent.resume_at - RESUMED_WITHIN)
    ordered = asked.order_by(F("verified_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)
    if extent.share > 1:
        return list(ordered[: -(-asked.count() // extent.share)])
    chosen = ordered.iterator(chunk_size=10_000)
    return [key for key in chosen if extent.sample >= 1 or random.random() < extent.sample]


def _look_at_file(key: int, keys: Keys, extent: Extent, at: datetime) -> tuple[int | None, list[Found]]:
    each = _live().filter(pk=key).first()
    if each is None:
        return None, []
    path = store_folder() / each.path
    fault = fault_of_file(path, each.digest, keys)
    if fault is None and extent.with_indexes and not _index_belongs(path, keys):
        return each.size_bytes, [_with_new_index(each, keys, at)]
    if fault is not None and not _live().filter(pk=key).exists():
        return None, []  # Replaced and removed while we read it.
    return each.size_bytes, [] if fault is None else [Found(Kind.OBSERVATIONS, each.path, fault)]


def fault_of_file(path: Path, digest: str, keys: Keys) -> Fault | None:
    """What is wrong with a file of observations; its index is not looked at."""
    try:
        if files.file_digest(path) != digest:
            return Fault.CHANGED
        parquet.opened(path, keys)
    except FileNotFoundError:
        return Fault.MISSING
    except KeyMissing:
        return Fault.UNOPENABLE
    except OSError:  # What the disk cannot give any more, or what was registered broken.
        return Fault.CHANGED
    return None


def _index_belongs(path: Path, keys: Keys) -> bool:
    """Whether what lies beside a sound file is, to the byte of each column, what its rows make."""
    try:
        return index.is_of(parquet.read(path, keys), path, keys)
    except (OSError, KeyMissing):
        return False


def _with_new_index(each: LakeFile, keys: Keys, at: datetime) -> Found:
    """Write the rows anew, under a new name: who has the old index mapped goes over to the new one with the file."""
    made = Found(Kind.INDEX, each.path, Fault.INDEX, is_mended=True)
    rows = files.whole(parquet.read(store_folder() / each.path, keys))
    try:
        lake.put_anew(each, rows, at)
    except Conflict:  # Joined meanwhile by another hand, which made an index.
        return made
    except OSError:
        log.exception("no index could be made for %s", each.path)
        return Found(Kind.INDEX, each.path, Fault.INDEX)
    return made


def _look_at_original(key: int) -> tuple[int | None, list[Found]]:
    each = _kept().filter(pk=key).first()
    if each is None:
        return None, []
    path = delivery_path(store_folder(), each.sha256)
    fault = fault_of_original(path, each.sha256)
    if fault is None:
        return each.size_bytes, []
    if not _kept().filter(pk=key).exists():
        return None, []
    relative = str(path.relative_to(store_folder()))
    return each.size_bytes, [Found(Kind.ORIGINAL, relative, fault, receipt=each.receipt)]


def fault_of_original(path: Path, sha256: str) -> Fault | None:
    """What is wrong with a delivery's bytes; sealed ones are opened."""
    try:
        number = originals.number_in(path)
        if number is not None and not originals.has_key(number):
            return Fault.UNOPENABLE
        return None if originals.digest_of(path) == sha256 else Fault.CHANGED
    except FileNotFoundError:
        return Fault.MISSING
    except (KeyMissing, OSError):  # The key is here: then the seal is broken.
        return Fault.CHANGED


def _note(seen: dict[type[Model], list[int]], at: datetime) -> None:
    for model, keys in seen.items():
        model._default_manager.filter(pk__in=keys).update(verified_at=at)
        keys.clear()


def _twice() -> Iterator[Found]:
    again = _live().values("digest").annotate(n=Count("pk")).filter(n__gt=1).values("digest")
    for path in _live().filter(digest__in=again).order_by("path").values_list("path", flat=True):
        yield Found(Kind.OBSERVATIONS, path, Fault.TWICE)


def _other_rows(keys: Keys, found: Iterable[Found]) -> Iterator[Found]:
    """Batches whose rows in the files are not as many as were committed, as far as no file is known to be wrong."""
    wrong = {each.path for each in found if each.kind == Kind.OBSERVATIONS}
    if wrong:
        return  # They are less because of it.
    stated = Batch.objects.filter(purged_at=None).exclude(delivery__state__in=Delivery.GONE)
    said = dict(stated.order_by("pk").values_list("pk", "rows").iterator(chunk_size=10_000))
    held = rows_by_batch(_live(), keys)
    for number in (number for number, rows in said.items() if held.get(number, 0) != rows):
        # Perhaps only because somebody was at work between our two looks.
        own = _live().filter(first_batch__lte=number, last_batch__gte=number)
        now = stated.filter(pk=number).values_list("rows", flat=True).first()
        if now is not None and rows_by_batch(own, keys).get(number, 0) != now:
            yield Found(Kind.OBSERVATIONS, f"batch {number}", Fault.ROWS)


def rows_by_batch(asked: QuerySet[LakeFile], keys: Keys) -> Counter[int]:
    """How many rows of each batch these files hold."""
    held: Counter[int] = Counter()
    for path in asked.values_list("path", flat=True):
        frame = parquet.read(store_folder() / path, keys, ["batch"])
        held.update(dict(frame["batch"].value_counts().iter_rows()))
    return held


def unregistered(at: datetime) -> Iterator[Found]:
    """Files that nobody knows and nobody is just writing. Those of observations are removed by housekeeping."""
    store = store_folder()
    oldest = (at - lake.KEPT_AFTER).timestamp()
    known = set(LakeFile.objects.values_list("path", flat=True))
    for path, written_at in sorted(buckets.listed(store / "observations")):
        relative = str(path.relative_to(store))
        if path.suffix == ".parquet" and relative not in known and written_at < oldest:
            yield Found(Kind.OBSERVATIONS, relative, Fault.UNREGISTERED)
    for folder in sorted((store / "deliveries").glob("*")):
        asked = Delivery.objects.filter(sha256__startswith=folder.name).values_list("sha256", flat=True)
        digests = set(asked)
        for path in sorted(folder.iterdir()):
            if path.name not in digests and files.is_older(path, oldest):
                yield Found(Kind.ORIGINAL, str(path.relative_to(store)), Fault.UNREGISTERED)


def _keep(verdict: Verdict, at: datetime, *, whole: bool) -> None:
    """Keep what is wrong, and forget what was found sound again by a run over everything."""
    told = {each.path for each in verdict.faults}
    with transaction.atomic():
        for each in verdict.faults:
            about = Delivery.objects.filter(receipt=each.receipt).first() if each.receipt else None
            values = {"kind": each.kind, "fault": each.fault.value, "delivery": about}
            StoreFault.objects.update_or_create(
                path=each.path, defaults=values, create_defaults={**values, "found_at": at}
            )
        for known in StoreFault.objects.exclude(kind=Kind.PUBLIC):
            if known.path not in told and (whole or _is_sound(known)):
                known.delete()


def _is_sound(known: StoreFault) -> bool:
    """Whether what was wrong is right by now: replaced, sent again, or looked at in this run."""
    if known.kind == Kind.ORIGINAL and known.delivery is not None:
        path = delivery_path(store_folder(), known.delivery.sha256)
        return known.delivery.state in Delivery.GONE or fault_of_original(path, known.delivery.sha256) is None
    if known.fault in {Fault.MISSING, Fault.CHANGED, Fault.UNOPENABLE}:
        each = _live().filter(path=known.path).first()
        return each is None or fault_of_file(store_folder() / each.path, each.digest, all_keys()) is None
    if known.fault == Fault.UNREGISTERED:
        return not buckets.exists(store_folder() / known.path)
    return False


def _log(verdict: Verdict, extent: Extent, at: datetime, actor: str) -> None:
    for each in verdict.faults[:TOLD]:
        log.critical("The store is not what was registered: %s %s", each.fault.value, each.path)
    facts = {
        "files": verdict.files, "originals": verdict.originals, "size_bytes": verdict.size_bytes,
        "whole": extent.is_whole and extent.share == 1, "faults": len(verdict.faults),
        "mended": len(verdict.found) - len(verdict.faults),
        "first_faults": [f"{each.fault.value} {each.path}" for each in verdict.found[:TOLD]],
    }  # fmt: skip
    record(actor, "lake.verified", SUBJECT, facts, at=at)


def tick(now: datetime) -> None:
    """Put the share of a day into the queue when it is due."""
    jobs.enqueue_every(EVERY, VERIFY, SUBJECT, at=now)


def run_job(claim: jobs.Claim) -> None:
    """The handler: the share that was verified longest ago."""
    at = datetime.now(UTC)
    verify(Extent(share=SHARES), at, lambda done, total: jobs.renew(claim, datetime.now(UTC), done=done))
    jobs.finish(claim, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Standing:
    """How far verification has come, and what is wrong."""

    files: int
    verified_files: int
    originals: int
    verified_originals: int
    oldest_at: datetime | None
    """Of what was verified, the longest ago."""
    faults: tuple[StoreFault, ...]


def standing(now: datetime) -> Standing:
    """What was verified within a month before that moment."""
    since = now - timedelta(days=SHARES + 3)
    live, kept = _live(), _kept()
    oldest = live.exclude(verified_at=None).order_by("verified_at").values_list("verified_at", flat=True).first()
    return Standing(
        live.count(), live.filter(verified_at__gte=since).count(), kept.count(),
        kept.filter(verified_at__gte=since).count(), oldest,
        tuple(StoreFault.objects.select_related("delivery").order_by("found_at", "pk")),
    )  # fmt: skip
