"""The registry's side of the lake: snapshots, compaction under readers, sweeping, verification."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum

from tocsin.centre.audit.services import record
from tocsin.centre.jobs import services as jobs
from tocsin.core.errors import Conflict, Unavailable
from tocsin.core.words import Tlp
from tocsin.lake import buckets, compaction, files, index
from tocsin.lake.compaction import Joining, Recast, join
from tocsin.lake.keys import sealed_by
from tocsin.lake.scope import Batches

from . import vault
from .lake_keys import all_keys, engine
from .models import Batch, LakeFile, NameTally, SealKey, Tally
from .services import store_folder

log = logging.getLogger(__name__)
SMALL_ROWS = 400_000
"""Files with fewer rows are worth joining."""
JOINED_ROWS = 650_000
JOINED_AT_ONCE = 4
"""Groups of files for each place of an engine that are joined before any of them is registered."""
KEPT_AFTER = timedelta(hours=1)
"""How long a retired file stays for readers that hold an older snapshot."""
LEFT_AFTER = timedelta(days=1)
"""How long a half-written file may rest before it is taken for that of a killed process."""
OF_A_FILE = (".parquet", ".index", ".facts")
PREFIX = "lake-"
HOUSEKEEPING = "keep-house"
"""Kind of the job that joins small files, removes replaced ones and forgets jobs that are done."""
ROUND_EVERY = timedelta(hours=1)
JOBS_KEPT = timedelta(days=30)


class TakenOut(NamedTuple):
    """A file that held purged rows: its name, the digest of its bytes, how many rows of it went."""

    path: str
    digest: str
    rows: int


def tick(now: datetime) -> None:
    """Put a round of housekeeping into the queue when one is due."""
    jobs.enqueue_every(ROUND_EVERY, HOUSEKEEPING, "lake:observations", at=now)


def keep_house(claim: jobs.Claim) -> None:
    """The handler: one round. The lease is renewed after every group of files."""
    at = datetime.now(UTC)

    def alive(done: int = 0) -> None:
        jobs.renew(claim, datetime.now(UTC), done=done)

    try:
        joined = compact(at, alive)
    except Unavailable as error:
        # Other machines that do not answer hold up neither sealing nor sweeping; the next round joins.
        log.error("files are not joined: %s", error)
        joined = 0
    seal_plain(at, alive)
    reindex(alive)
    swept = sweep(at)
    jobs.forget(at - JOBS_KEPT)
    with transaction.atomic():
        log_compaction(joined, swept, at)
        jobs.finish(claim, datetime.now(UTC))


def reindex(progress: Callable[[], None] = lambda: None) -> int:
    """Make the indexes anew that another version wrote, before somebody's look-up has to; returns how many."""
    made, keys = 0, all_keys()
    for path in LakeFile.objects.filter(retired_at=None).order_by("pk").values_list("path", flat=True):
        parquet = store_folder() / path
        if not files.has_index(parquet, keys) and buckets.exists(parquet):
            files.index_anew(parquet, keys)
            made += 1
            progress()
    return made


def compact(at: datetime, progress: Callable[[int], None] | None = None) -> int:
    """Join small files of a month into sorted ones; returns how many files went into it."""
    joined, cluster = 0, engine()
    groups = list(groups_to_join())
    store, folder = store_folder(), _temporary().parent

    def alive() -> None:
        if progress is not None:
            progress(joined)

    # So many at a time that what is written is soon registered, and a cluster has its hands full.
    turn = JOINED_AT_ONCE * cluster.width if groups else 1
    for start in range(0, len(groups), turn):
        some = groups[start : start + turn]
        asked = [Joining(tuple(store / each.path for each in group), folder, PREFIX) for group in some]
        for group, written in zip(some, cluster.make(partial(join, keys=all_keys()), asked, alive=alive), strict=True):
            _take_joined(group, written, at)
            joined += len(group)
            alive()
    return joined


def groups_to_join() -> Iterator[list[LakeFile]]:
    """The small files that become one, group by group."""
    small = LakeFile.objects.filter(retired_at__isnull=True, rows__lt=SMALL_ROWS).order_by("day", "pk")
    for _, month in groupby(small, key=lambda each: (each.day.year, each.day.month)):
        yield from (group for group in _portions(list(month)) if len(group) > 1)


def _portions(candidates: list[LakeFile]) -> list[list[LakeFile]]:
    portions: list[list[LakeFile]] = [[]]
    rows = 0
    for each in candidates:
        if rows + each.rows > JOINED_ROWS:
            portions.append([])
            rows = 0
        portions[-1].append(each)
        rows += each.rows
    return portions


def _take_joined(group: list[LakeFile], written: files.Written | None, at: datetime) -> None:
    store = store_folder()
    # Another hand that lost its lease may be at the same group: neither writes over what the other registered.
    relative = f"{files.day_folder(group[0].day)}/joined-{group[0].pk}-{group[-1].pk}-{secrets.token_hex(4)}.parquet"
    if written is not None:
        files.move_into(written, store, relative)
    with transaction.atomic():
        swap(group, [(relative, written)] if written else [], at, is_sorted=True)
        facts = {"from": [each.path for each in group], "to": relative if written else ""}
        record("system", "lake.joined", "lake:observations", facts, at=at)


def _temporary() -> Path:
    folder = store_folder() / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{PREFIX}{secrets.token_hex(8)}.parquet"


@transaction.atomic
def swap(old: list[LakeFile], new: list[tuple[str, files.Written]], at: datetime, *, is_sorted: bool) -> None:
    """The registry forgets some files and knows others, in one step; Conflict when another hand was first."""
    keys = [each.pk for each in old]
    if LakeFile.objects.filter(pk__in=keys, retired_at__isnull=True).update(retired_at=at) != len(keys):
        raise Conflict("these files were replaced meanwhile")
    for path, written in new:
        register(path, written, old[0].day, at, is_sorted=is_sorted)


def register(path: str, written: files.Written, day: date, at: datetime, *, is_sorted: bool) -> LakeFile:
    """Make a file that has its name known: from now on it exists."""
    return LakeFile.objects.create(
        path=path,
        day=day,
        rows=written.rows,
        size_bytes=written.size_bytes,
        digest=written.digest,
        first_batch=written.first_batch,
        last_batch=written.last_batch,
        is_sorted=is_sorted,
        sealed_by=sealed_by(store_folder() / path),
        created_at=at,
    )


def take_out(batches: Batches, at: datetime, note: Callable[[TakenOut], None]) -> None:
    """Write every file that holds rows of these batches anew without them; `note` is told in each transaction."""
    store, keys = store_folder(), all_keys()
    for each in list(_with_any_of(batches).filter(retired_at__isnull=True)):
        made = compaction.without(store / each.path, _temporary(), batches, keys)
        if made is None:
            continue
        written, gone = made
        relative = f"{files.day_folder(each.day)}/purged-{each.pk}-{secrets.token_hex(4)}.parquet"
        if written is not None:
            files.move_into(written, store, relative)
        with transaction.atomic():
            swap([each], [(relative, written)] if written else [], at, is_sorted=True)
            note(TakenOut(each.path, each.digest, gone))


def still_holds(batches: Batches) -> bool:
    """Whether a file that somebody may still have open holds rows of these batches."""
    keys = all_keys()
    # What was sealed by a key that was given up, nobody has open.
    known = _openable(_with_any_of(batches))
    paths = (store_folder() / path for path in known.values_list("path", flat=True))
    return any(buckets.exists(path) and compaction.holds(path, batches, keys) for path in paths)


def _openable(found: QuerySet[LakeFile]) -> QuerySet[LakeFile]:
    return found.filter(Q(sealed_by=None) | Q(sealed_by__in=SealKey.objects.values("number")))


def _with_any_of(batches: Batches) -> QuerySet[LakeFile]:
    if not batches:
        return LakeFile.objects.none()
    first, last = int(batches.numbers[0]), int(batches.numbers[-1])
    return LakeFile.objects.filter(first_batch__lte=last, last_batch__gte=first).order_by("pk")


def values_of_recast(change: Recast) -> list[str]:
    """The values of the rows that it is about, those included that an attempt which was killed has changed already."""
    store, keys, found = store_folder(), all_keys(), set[str]()
    changed = replace(change, was=change.country)
    for each in _live_with(change.batch):
        for one in (change, changed):
            found |= set(compaction.of_recast(store / each.path, one, keys)["value"].to_list())
    return sorted(found)


def _live_with(batch: int) -> list[LakeFile]:
    return list(LakeFile.objects.filter(retired_at__isnull=True, first_batch__lte=batch, last_batch__gte=batch))


def recast(change: Recast, at: datetime, *, subject: str) -> int:
    """Write the decided country into the rows concerned and move their tallies; returns the rows changed.

    Each file is one transaction with its line in the log, so that a crash between two leaves nothing unsaid.
    """
    store, keys = store_folder(), all_keys()
    rows = 0
    for each in _live_with(change.batch):
        made = compaction.recast(store / each.path, _temporary(), change, keys)
        if made is None:
            continue
        written, changed = made
        relative = f"{files.day_folder(each.day)}/recast-{each.pk}-{secrets.token_hex(4)}.parquet"
        files.move_into(written, store, relative)
        with transaction.atomic():
            swap([each], [(relative, written)], at, is_sorted=each.is_sorted)
            _move_tallies(change, changed)
            _move_names(change, changed.filter(pl.col("malware").is_not_null()))
            Batch.objects.filter(pk=change.batch).recast()
            facts = {"rows": changed.height, "from": each.path, "to": relative}
            record("system", "country.recast", subject, facts, at=at)
        rows += changed.height
    return rows


def _move_tallies(change: Recast, changed: pl.DataFrame) -> None:
    groups = changed.group_by(pl.col("first_at").dt.date().alias("day"), "type", "role").agg(
        pl.len().alias("rows"), pl.col("count").sum().alias("sightings")
    )
    for day, kind, role, rows, sightings in groups.iter_rows():
        key = {"batch_id": change.batch, "day": day, "type": kind, "role": role}
        Tally.objects.filter(**key, country=change.was).update(
            rows=F("rows") - rows, sightings=F("sightings") - sightings
        )
        moved = Tally.objects.filter(**key, country=change.country)
        if not moved.update(rows=F("rows") + rows, sightings=F("sightings") + sightings):
            Tally.objects.create(**key, country=change.country, rows=rows, sightings=sightings)
    Tally.objects.filter(batch_id=change.batch, country=change.was, rows__lte=0).delete()


def _move_names(change: Recast, changed: pl.DataFrame) -> None:
    groups = changed.group_by("malware").agg(pl.len().alias("rows"), pl.col("last_at").max().dt.date().alias("last"))
    is_red = Batch.objects.filter(pk=change.batch, handling_set__tlp=Tlp.RED.value).exists()
    for malware, rows, last in groups.iter_rows():
        key = {"batch_id": change.batch, "malware": vault.sealed_word(malware) if is_red else malware}
        NameTally.objects.filter(**key, country=change.was).update(rows=F("rows") - rows)
        moved = NameTally.objects.filter(**key, country=change.country)
        if not moved.update(rows=F("rows") + rows):
            NameTally.objects.create(**key, country=change.country, rows=rows, last_day=last)
        moved.filter(last_day__lt=last).update(last_day=last)
    NameTally.objects.filter(batch_id=change.batch, country=change.was, rows__lte=0).delete()


def sweep(at: datetime) -> int:
    """Remove files that were replaced a while ago, and leftovers of crashes; returns how many went."""
    store = store_folder()
    gone = 0
    # What a key that was given up had sealed stays where it is: a copy of the database from before may open it.
    for each in _openable(LakeFile.objects.filter(retired_at__lt=at - KEPT_AFTER)):
        remove(store / each.path)
        each.delete()
        gone += 1
    known = set(LakeFile.objects.values_list("path", flat=True))
    oldest = (at - KEPT_AFTER).timestamp()
    newest: dict[Path, float] = {}
    for path, written_at in buckets.listed(store / "observations"):
        if path.suffix in OF_A_FILE:
            whole = path.with_suffix(".parquet")
            newest[whole] = max(written_at, newest.get(whole, 0.0))
    for path, written_at in newest.items():
        if written_at < oldest and str(path.relative_to(store)) not in known:
            remove(path)
            gone += 1
    return gone + _sweep_leftovers(store, at)


def _sweep_buckets(oldest: float) -> int:
    """Uploads in parts that nobody finished; and copies here of what is in the bucket no more."""
    buckets.forget_gone()
    try:
        return sum(each.bucket.forget_unfinished(oldest) for each in buckets.mounts())
    except Unavailable as error:
        # Not every store can say so, and not every key may ask.
        log.warning("unfinished uploads are left as they are: %s", error)
        return 0


def _sweep_leftovers(store: Path, at: datetime) -> int:
    """Halves of uploads, fetches, rewritten files and indexes whose process was killed."""
    oldest = (at - LEFT_AFTER).timestamp()
    unfinished = _sweep_buckets(oldest)
    places = ("incoming/*", f"work/{PREFIX}*", "observations/*/*.index-*", "observations/*/*.facts-*")
    found = [path for place in places for path in store.glob(place)]
    left = [path for path in found if files.is_older(path, oldest)]
    for path in left:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(left) + unfinished


def seal_plain(at: datetime, progress: Callable[[int], None] = lambda done: None) -> int:
    """Write files anew that lie in the clear, sealed; says how many. Who was stopped begins again and goes on.

    Nothing, where the installation has its observations in the clear.
    """
    keys, sealed = all_keys(), 0
    if keys.writer() is None:
        return 0
    store = store_folder()
    for each in in_the_clear():
        if not buckets.exists(store / each.path):
            continue  # What is lost is for the verification to tell.
        written = compaction.sealed(store / each.path, _temporary(), keys)
        relative = f"{files.day_folder(each.day)}/sealed-{each.pk}-{secrets.token_hex(4)}.parquet"
        files.move_into(written, store, relative)
        try:
            with transaction.atomic():
                swap([each], [(relative, written)], at, is_sorted=each.is_sorted)
                record("system", "lake.sealed", "lake:observations", {"from": each.path, "to": relative}, at=at)
        except Conflict:  # Joined by another hand, which sealed it.
            remove(store / relative)
            continue
        sealed += 1
        progress(sealed)
    return sealed


def put_anew(each: LakeFile, rows: pl.DataFrame, at: datetime) -> None:
    """Put a new file with these rows, and its index, in the place of one; Conflict when another hand was first."""
    group = files.SORTED_ROW_GROUP if each.is_sorted else files.ROW_GROUP
    written = files.write(rows, _temporary(), all_keys().writer(), row_group=group)
    relative = f"{files.day_folder(each.day)}/indexed-{each.pk}-{secrets.token_hex(4)}.parquet"
    files.move_into(written, store_folder(), relative)
    try:
        with transaction.atomic():
            swap([each], [(relative, written)], at, is_sorted=each.is_sorted)
            record("system", "lake.indexed", "lake:observations", {"from": each.path, "to": relative}, at=at)
    except Conflict:
        remove(store_folder() / relative)
        raise


def in_the_clear() -> QuerySet[LakeFile]:
    """The files that are not sealed, oldest first."""
    return LakeFile.objects.filter(retired_at=None, sealed_by=None).order_by("pk")


def remove(path: Path) -> None:
    for each in (path, *index.beside(path)):
        buckets.remove(each)


def verify(progress: Callable[[int], None] | None = None) -> list[tuple[str, str]]:
    """Every registered file whose bytes are not those that were registered: (path, what is wrong)."""
    store = store_folder()
    wrong = []
    for number, each in enumerate(LakeFile.objects.filter(retired_at__isnull=True), start=1):
        path = store / each.path
        try:
            if files.file_digest(path) != each.digest:
                wrong.append((each.path, "changed"))
        except FileNotFoundError:
            wrong.append((each.path, "missing"))
        if progress is not None:
            progress(number)
    return wrong


def state() -> dict[str, Any]:
    """Files, rows and bytes, for pages and the command line."""
    live = LakeFile.objects.filter(retired_at__isnull=True)
    sums = live.aggregate(rows=Sum("rows"), size_bytes=Sum("size_bytes"))
    return {
        "files": live.count(),
        "rows": int(sums["rows"] or 0),
        "size_bytes": int(sums["size_bytes"] or 0),
        "small_files": live.filter(rows__lt=SMALL_ROWS).count(),
        "retired_files": LakeFile.objects.filter(retired_at__isnull=False).count(),
    }


def log_compaction(joined: int, swept: int, at: datetime) -> None:
    """One entry for a round of housekeeping that changed something."""
    if joined or swept:
        record("system", "lake.compacted", "lake:observations", {"joined": joined, "swept": swept}, at=at)
