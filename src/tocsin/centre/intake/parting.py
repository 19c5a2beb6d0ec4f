"""Taking some of the rows of a batch out of it, into a batch of their own: a hidden one, or one under another label.

The gate decides on batches. What is to be seen by nobody, while its neighbours go on being seen, becomes a batch: then
every page, count, look-up and package follows without knowing of it. Files are written first and swapped in the
transaction of the act, so that whoever reads sees the whole of it before or the whole of it after.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl
from django.db import transaction
from django.db.models import F, Max

from tocsin.centre.members.models import HandlingSet
from tocsin.centre.rows import insert
from tocsin.core.errors import Conflict, Refused
from tocsin.core.observations import SCHEMA
from tocsin.lake import compaction, files, parquet
from tocsin.lake.compaction import Parting

from .ground_models import end_under
from .lake import PREFIX, remove, swap
from .lake_keys import all_keys
from .models import Batch, Delivery, Former, Grading, LakeFile, NameTally, Origin, Tally
from .reading import BATCHES_IN_DELIVERY
from .services import store_folder


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to leave: rows with these values, of these objects, or that refer to these."""

    values: frozenset[str] = frozenset()
    positions: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Batch → positions in the delivery."""
    references: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files that are written and not yet registered; what is in them takes effect with `commit` alone."""

    change: Parting
    rows: pl.DataFrame
    """The rows that leave, whole, under their old batches."""
    swaps: list[tuple[LakeFile, str, files.Written]]


def rows_of(batches: Collection[int], chosen: Chosen) -> pl.DataFrame:
    """The rows of these batches that are chosen, whole."""
    return _rows(_parting(dict.fromkeys(batches, 0), chosen), _files_of(batches))


def values_in(batches: Collection[int], text: str, most: int) -> list[str]:
    """The first values of these batches that hold this text."""
    store, keys, found = store_folder(), all_keys(), dict[str, None]()
    for each in _files_of(batches):
        if len(found) >= most:
            break
        held = pl.col("batch").is_in(list(batches)) & pl.col("value").str.contains(text.strip().lower(), literal=True)
        some = parquet.scan(store / each.path, keys).filter(held).select(pl.col("value").unique(maintain_order=True))
        found.update(dict.fromkeys(some.head(most).collect()["value"].to_list()))
    return list(found)[:most]


def prepare(delivery: Delivery, batches: Collection[int], chosen: Chosen) -> Prepared:
    """Write the files anew in which something chosen stands. Nothing is changed by it yet."""
    top = Batch.objects.filter(delivery=delivery).aggregate(top=Max("pk"))["top"]
    change = _parting({batch: top + place for place, batch in enumerate(sorted(batches), 1)}, chosen)
    if max(change.into.values()) >= (delivery.pk + 1) * BATCHES_IN_DELIVERY:
        raise Refused("recall-too-many-parts")
    store, keys = store_folder(), all_keys()
    swaps = []
    held = []
    for each in _files_of(batches):
        found = compaction.parted(store / each.path, change, keys)
        if not found.height:
            continue
        held.append(found)
        (store / "work").mkdir(parents=True, exist_ok=True)
        target = store / "work" / f"{PREFIX}{secrets.token_hex(8)}.parquet"
        written = compaction.part(store / each.path, target, change, keys)
        relative = f"{files.day_folder(each.day)}/parted-{each.pk}-{secrets.token_hex(4)}.parquet"
        files.move_into(written, store, relative)
        swaps.append((each, relative, written))
    return Prepared(change, pl.concat(held) if held else pl.DataFrame(schema=SCHEMA), swaps)


@transaction.atomic
def commit(
    delivery: Delivery, prepared: Prepared, parted: Collection[int], at: datetime,
    under: Mapping[int, HandlingSet] | None = None,
) -> dict[int, int]:  # fmt: skip
    """Make the new batches of those that lose something (`parted`: whether rows or objects); old → new. They are
    hidden, or lie open under the handling set that `under` gives what leaves each.

    Raises Conflict where files or numbers were taken by another hand since they were prepared: prepare again.
    """
    lost = set(prepared.rows["batch"].unique().to_list()) | set(parted)
    into = {old: new for old, new in prepared.change.into.items() if old in lost}
    if Batch.objects.filter(pk__in=list(into.values())).exists():
        raise Conflict("another part was taken out of it meanwhile")
    held = list(Batch.objects.filter(pk__in=list(into), delivery=delivery, hidden_at=None).select_related("terms"))
    if len(held) != len(into):
        raise Conflict("some of it was hidden meanwhile")
    counts = dict(prepared.rows.group_by("batch").len().iter_rows())
    made = [_part_of(old, into[old.pk], counts.get(old.pk, 0), at, under) for old in held]
    Batch.objects.bulk_create(made)
    for old in held:
        if counts.get(old.pk):
            Batch.objects.filter(pk=old.pk).update(rows=F("rows") - counts[old.pk])
    formers = Former.objects.filter(batch__in=list(into))
    Former.objects.bulk_create(
        Former(
            batch_id=into[each.batch_id], terms_id=each.terms_id, since_at=each.since_at, until_at=each.until_at
        )
        for each in formers
    )  # fmt: skip
    # What leaves was open as long as what stays.
    moved_at = {each.pk: at if under is None else each.moved_at for each in made}
    Former.objects.bulk_create(
        Former(batch_id=into[old.pk], terms_id=old.terms_id, since_at=old.moved_at, until_at=moved_at[into[old.pk]])
        for old in held
    )
    if under is not None:
        _keep_ties(into)
    # What was drawn from one of these may hold what leaves: it closes until somebody has looked at it.
    Origin.close(Origin.drawn_from(Batch.objects.filter(pk__in=list(into))), at)
    for file, relative, written in prepared.swaps:
        swap([file], [(relative, written)], at, is_sorted=file.is_sorted)
    _move_tallies(prepared.rows, into)
    return into


def _part_of(old: Batch, number: int, rows: int, at: datetime, under: Mapping[int, HandlingSet] | None) -> Batch:
    """The batch that what leaves the old one lies in."""
    made = Batch(
        pk=number, delivery_id=old.delivery_id, organisation_id=old.organisation_id,
        handling_set_id=old.handling_set_id, terms_id=old.terms_id, received_at=old.received_at, rows=rows,
        grade=old.grade, recast_at=old.recast_at, parted_from=old, sealed_at=old.sealed_at, expires_at=old.expires_at,
    )  # fmt: skip
    if under is None:
        made.hidden_at = at
    else:
        handling = under[old.pk]
        made.parted_at = at
        made.handling_set, made.terms = handling, old.terms.relabelled(old.organisation_id, handling.pk)
        made.expires_at = min(old.expires_at, end_under(handling, old.received_at))
    return made


def _keep_ties(into: Mapping[int, int]) -> None:
    """What leaves and stays open has its gradings, and what was drawn from it closes with it too."""
    ties = Origin.objects.filter(batch__in=list(into))
    Origin.objects.bulk_create(Origin(delivery_id=each.delivery_id, batch_id=into[each.batch_id]) for each in ties)
    Grading.objects.bulk_create(
        Grading(
            batch_id=into[each.batch_id], kind=each.kind, grade=each.grade, former=each.former, note=each.note,
            person_id=each.person_id, at=each.at,
        )
        for each in Grading.objects.filter(batch__in=list(into)).order_by("pk")
    )  # fmt: skip


def _parting(into: Mapping[int, int], chosen: Chosen) -> Parting:
    positions = {batch: some for batch, some in chosen.positions.items() if batch in into}
    return Parting(into, chosen.values, positions, chosen.references)


def _files_of(batches: Collection[int]) -> list[LakeFile]:
    if not batches:
        return []
    live = LakeFile.objects.filter(retired_at=None, first_batch__lte=max(batches), last_batch__gte=min(batches))
    return list(live.order_by("pk"))


def _rows(change: Parting, held: list[LakeFile]) -> pl.DataFrame:
    store, keys = store_folder(), all_keys()
    frames = [compaction.parted(store / each.path, change, keys) for each in held]
    return pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)


def _move_tallies(rows: pl.DataFrame, into: Mapping[int, int]) -> None:
    place = pl.col("country").fill_null("")
    days = rows.group_by("batch", pl.col("first_at").dt.date().alias("day"), place, "type", "role").agg(
        pl.len().alias("rows"), pl.col("count").sum().alias("sightings")
    )
    made = []
    for batch, day, country, kind, role, count, sightings in days.iter_rows():
        key = {"day": day, "country": country, "type": kind, "role": role}
        left = Tally.objects.filter(batch=batch, **key)
        left.update(rows=F("rows") - count, sightings=F("sightings") - sightings)
        made.append((into[batch], day, country, kind, role, count, sightings))
    insert(Tally, ("batch", "day", "country", "type", "role", "rows", "sightings"), made)
    Tally.objects.filter(batch__in=list(into), rows__lte=0).delete()
    named = rows.filter(pl.col("malware").is_not_null())
    names = named.group_by("batch", place, "malware").agg(
        pl.len().alias("rows"), pl.col("last_at").max().dt.date().alias("last")
    )
    gone = []
    for batch, country, malware, count, last in names.iter_rows():
        key = {"country": country, "malware": malware}
        NameTally.objects.filter(batch=batch, **key).update(rows=F("rows") - count)
        gone.append(NameTally(batch_id=into[batch], rows=count, last_day=last, **key))
    NameTally.objects.bulk_create(gone)
    NameTally.objects.filter(batch__in=list(into), rows__lte=0).delete()


def joined(one: Chosen, other: Chosen) -> Chosen:
    """Both."""
    positions = {
        batch: one.positions.get(batch, frozenset()) | other.positions.get(batch, frozenset())
        for batch in {*one.positions, *other.positions}
    }
    return replace(
        one, values=one.values | other.values, positions=positions, references=one.references | other.references
    )


def further_columns_of(batches: Collection[int], most: int) -> list[str]:
    """What rows of these batches say in further columns: the texts of some rows of each file."""
    store, keys, found = store_folder(), all_keys(), list[str]()
    for each in _files_of(batches):
        held = parquet.scan(store / each.path, keys).filter(pl.col("batch").is_in(list(batches)))
        found += held.select("extra").drop_nulls().head(most).collect()["extra"].to_list()
    return found


def forget(prepared: Prepared) -> None:
    """Remove the files of what came to nothing; what a crash leaves is swept."""
    store = store_folder()
    for _, relative, _ in prepared.swaps:
        remove(store / relative)
