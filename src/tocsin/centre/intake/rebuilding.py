"""Files of observations that are lost or damaged, made again from the deliveries that their rows came from.

The original is there, and reading it again gives the same batches under the same numbers. What is made again is only
put in the place of the damaged files if it is, batch for batch, what was counted when it was committed: a reader or an
address table of another version may say something else today, and then a person decides.
"""

from __future__ import annotations

import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from django.db import transaction

from tocsin.centre.audit.services import record
from tocsin.core.errors import Unavailable
from tocsin.core.observations import SCHEMA
from tocsin.lake import compaction, files, parquet
from tocsin.lake.compaction import Recast

from . import lake
from .lake_keys import all_keys
from .models import Batch, Delivery, LakeFile, Tally
from .process import order_of
from .reader_process import FailedError, KilledError, Sandbox
from .reading import BATCHES_IN_DELIVERY
from .services import store_folder
from .store import delivery_path
from .store_models import Kind, StoreFault
from .verification import Fault, fault_of_file, fault_of_original, rows_by_batch

Recasts = Callable[[Collection[int]], list[Recast]]
"""The countries that were decided for rows of these batches."""
DAMAGED = (Fault.MISSING.value, Fault.CHANGED.value)


class HinderedError(Exception):
    """Why a file cannot be made again: a word of WHY, and which delivery or batch it is about."""

    def __init__(self, word: str, about: str) -> None:
        super().__init__(WHY[word].replace("@", about))
        self.word, self.about = word, about


WHY = {
    "original": "The original of delivery @ is missing or damaged as well.",
    "parted": "Parts of delivery @ were recalled or relabelled alone: which of its rows they were cannot be told "
    "from the original.",
    "unread": "Delivery @ cannot be read any more.",
    "other-rows": "Delivery @ reads differently today than when it was committed: the reader or the address "
    "tables are of another version.",
    "purged": "What is missing belongs to no delivery that is still held: @.",
}


@dataclass(slots=True)
class Rebuilt:
    """What was made again, and what was not and why."""

    paths: list[str] = field(default_factory=list)
    rows: int = 0
    set_aside: list[str] = field(default_factory=list)
    """Damaged originals that make room for the same bytes, should their source send them again."""
    hindered: list[tuple[str, str]] = field(default_factory=list)
    """Path, why not."""


def mend(at: datetime, recasts: Recasts, progress: Callable[[str], None] = lambda said: None) -> Rebuilt:
    """Make again what the last verification found missing or damaged, as far as the originals have it."""
    done = Rebuilt()
    keys = all_keys()
    faults = StoreFault.objects.filter(fault__in=DAMAGED)
    paths = list(faults.filter(kind=Kind.OBSERVATIONS).values_list("path", flat=True))
    damaged = [
        each for each in LakeFile.objects.filter(retired_at=None, path__in=paths).order_by("pk")
        if fault_of_file(store_folder() / each.path, each.digest, keys) is not None
    ]  # fmt: skip
    with _sandbox() as sandbox:
        for group in _groups(damaged):
            try:
                _mend_group(group, damaged, recasts, sandbox, at, done, progress)
            except HinderedError as error:
                done.hindered += [(each.path, str(error)) for each in group]
    _set_originals_aside(at, done)
    # What was replaced is no fault any more.
    still = {path for path, _ in done.hindered}
    faults.filter(kind=Kind.OBSERVATIONS).exclude(path__in=still).delete()
    return done


@contextmanager
def _sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    try:
        yield sandbox
    finally:
        sandbox.stop()


def _groups(damaged: list[LakeFile]) -> list[list[LakeFile]]:
    """Files whose ranges of batches touch: what one of them lacks may be in another."""
    groups: list[list[LakeFile]] = []
    for each in sorted(damaged, key=lambda one: one.first_batch):
        if groups and each.first_batch <= max(one.last_batch for one in groups[-1]):
            groups[-1].append(each)
        else:
            groups.append([each])
    return groups


def _mend_group(
    group: list[LakeFile], damaged: list[LakeFile], recasts: Recasts, sandbox: Sandbox, at: datetime, done: Rebuilt,
    progress: Callable[[str], None],
) -> None:  # fmt: skip
    first, last = min(each.first_batch for each in group), max(each.last_batch for each in group)
    others = LakeFile.objects.filter(retired_at=None, first_batch__lte=last, last_batch__gte=first)
    others = others.exclude(pk__in=[each.pk for each in damaged])
    held = rows_by_batch(others, all_keys())
    stated = Batch.objects.filter(pk__range=(first, last), purged_at=None, rows__gt=0).order_by("pk")
    lost = {batch.pk: batch.rows - held.get(batch.pk, 0) for batch in stated if batch.rows > held.get(batch.pk, 0)}
    if sum(lost.values()) != sum(each.rows for each in group):
        raise HinderedError("purged", ", ".join(each.path for each in group))
    by_delivery: dict[int, dict[int, int]] = defaultdict(dict)
    for batch, rows in lost.items():
        by_delivery[batch // BATCHES_IN_DELIVERY][batch] = rows
    for delivery in Delivery.objects.filter(pk__in=list(by_delivery)):
        _require_readable(delivery, by_delivery[delivery.pk])  # Before hours are spent on the others.
    made: list[tuple[str, files.Written]] = []
    try:
        for number, missing in sorted(by_delivery.items()):
            delivery = Delivery.objects.get(pk=number)
            progress(delivery.receipt)
            elsewhere = _rows_of(list(others), missing)
            again = _read_again(delivery, missing, elsewhere, recasts, sandbox)
            made += _written(again, delivery)
        _put_in_place(group, made, at)
    except BaseException:
        for relative, _ in made:
            lake.remove(store_folder() / relative)
        raise
    done.paths += [each.path for each in group]
    done.rows += sum(lost.values())


def _require_readable(delivery: Delivery, missing: Iterable[int]) -> None:
    path = delivery_path(store_folder(), delivery.sha256)
    if delivery.state in Delivery.GONE or fault_of_original(path, delivery.sha256) is not None:
        raise HinderedError("original", delivery.receipt)
    # A part that was taken out alone has rows of its own and takes them from another batch.
    if Batch.objects.filter(delivery=delivery).exclude(parted_from=None).exists():
        raise HinderedError("parted", delivery.receipt)


def _rows_of(others: list[LakeFile], batches: Collection[int]) -> pl.DataFrame:
    """What sound files hold of these batches."""
    keys, store = all_keys(), store_folder()
    wanted = pl.col("batch").is_in(list(batches))
    found = [parquet.scan(store / each.path, keys).filter(wanted).collect() for each in others]
    return files.whole(pl.concat(found)) if found else pl.DataFrame(schema=SCHEMA)


def _read_again(
    delivery: Delivery, missing: dict[int, int], elsewhere: pl.DataFrame, recasts: Recasts, sandbox: Sandbox
) -> pl.DataFrame:
    """The rows of these batches that no sound file holds; HinderedError where others were committed."""
    work = store_folder() / "work" / f"{lake.PREFIX}{secrets.token_hex(8)}"
    work.mkdir(parents=True)
    try:
        told, seconds = order_of(delivery, work)
        outcome = sandbox.read(told, seconds, lambda rows: None)
        keys = all_keys()
        read = [parquet.read(work / made["path"], keys) for made in outcome.get("files", ())]
    except (KilledError, FailedError, Unavailable) as error:
        raise HinderedError("unread", delivery.receipt) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if outcome["state"] != "parsed":
        raise HinderedError("unread", delivery.receipt)
    rows = files.whole(pl.concat(read)) if read else pl.DataFrame(schema=SCHEMA)
    rows = rows.filter(pl.col("batch").is_in(list(missing)))
    for change in recasts(list(missing)):
        rows = compaction.recast_rows(rows, change)
    if not _as_committed(rows, list(missing)):
        raise HinderedError("other-rows", delivery.receipt)
    left = _without(rows, elsewhere)
    if dict(left["batch"].value_counts().iter_rows()) != missing:
        raise HinderedError("other-rows", delivery.receipt)
    return left


def _as_committed(rows: pl.DataFrame, batches: Collection[int]) -> bool:
    """Whether day, country, type, role and count of the rows are what was tallied when they were committed."""
    names = ("batch", "day", "country", "type", "role")
    sums = rows.group_by(
        "batch", pl.col("first_at").dt.date().alias("day"), pl.col("country").fill_null(""), "type", "role"
    ).agg(pl.len().alias("rows"), pl.col("count").sum().alias("sightings"))
    found = {tuple(row[:5]): tuple(row[5:]) for row in sums.iter_rows()}
    stored = Tally.objects.filter(batch__in=list(batches)).values_list(*names, "rows", "sightings")
    return found == {tuple(row[:5]): tuple(row[5:]) for row in stored}


def _without(rows: pl.DataFrame, elsewhere: pl.DataFrame) -> pl.DataFrame:
    """The rows that are not among the others; equal ones as often as they are more."""
    if not elsewhere.height:
        return rows
    same = [name for name in rows.columns if name not in {"warnings", "ipv4", "ipv6"}]
    ranked = rows.with_columns(_again=pl.int_range(pl.len()).over(same))
    others = elsewhere.with_columns(_again=pl.int_range(pl.len()).over(same))
    return ranked.join(others, on=[*same, "_again"], how="anti", nulls_equal=True).drop("_again")


def _written(rows: pl.DataFrame, delivery: Delivery) -> Iterator[tuple[str, files.Written]]:
    keys = all_keys()
    for start in range(0, rows.height, files.ROWS_IN_FILE):
        target = store_folder() / "work" / f"{lake.PREFIX}{secrets.token_hex(8)}.parquet"
        written = files.write(rows.slice(start, files.ROWS_IN_FILE), target, keys.writer())
        folder = files.day_folder(delivery.received_at.date())
        relative = f"{folder}/mended-{delivery.pk}-{secrets.token_hex(4)}.parquet"
        files.move_into(written, store_folder(), relative)
        yield relative, written


def _put_in_place(group: list[LakeFile], made: list[tuple[str, files.Written]], at: datetime) -> None:
    with transaction.atomic():
        days = {path: datetime.fromisoformat(path.split("/")[1].removeprefix("day=")).date() for path, _ in made}
        lake.swap(group, [], at, is_sorted=False)
        for path, written in made:
            lake.register(path, written, days[path], at, is_sorted=False)
        facts = {"from": [each.path for each in group], "to": [path for path, _ in made],
                 "rows": sum(each.rows for each in group)}  # fmt: skip
        record("system", "lake.mended", "lake:observations", facts, at=at)


def _set_originals_aside(at: datetime, done: Rebuilt) -> None:
    """A damaged original would keep the same bytes out that could heal it: it steps aside, and is not destroyed."""
    store = store_folder()
    for fault in StoreFault.objects.filter(kind=Kind.ORIGINAL, fault=Fault.CHANGED.value).select_related("delivery"):
        path = store / fault.path
        if fault.delivery is None or fault_of_original(path, fault.delivery.sha256) is not Fault.CHANGED:
            continue
        aside = store / "damaged" / f"{path.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        path.rename(aside)
        with transaction.atomic():
            StoreFault.objects.filter(pk=fault.pk).update(fault=Fault.MISSING.value)
            subject = f"delivery:{fault.delivery_id}"
            record(
                "system", "lake.set-aside", subject, {"path": fault.path, "to": str(aside.relative_to(store))}, at=at
            )
        done.set_aside.append(fault.path)
