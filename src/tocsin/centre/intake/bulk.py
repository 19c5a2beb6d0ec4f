"""A large table read by many at once: cut into stretches, each read and normalised alone, repeats folded across them.

Each step is an order to a sandbox: `cut` once, `read` for each part of the file, `fold` for each range of keys, `write`
for each part, `gather` once. What a step leaves lies in the delivery's work folder under a name that nothing else has,
and the step says it: a step that is begun again, or twice at once, disturbs nothing. Knows no database.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tocsin import formats
from tocsin.core.errors import InputError
from tocsin.core.later import Table
from tocsin.core.reading import Rejection, Source, Stretch
from tocsin.core.words import Tlp
from tocsin.handling.personal import PersonalFind
from tocsin.handling.triggers import Found
from tocsin.lake import files, index
from tocsin.lake.normalise import Normalised
from tocsin.reference.addresses import AddressTables
from tocsin.transport import opening

from .reading import Order, Reading, outcome_json, profile_from_json, profile_to_json
from .screening import MACHINE_FORMATS

Told = Mapping[str, Any]
STRETCHES_IN_PART = 2
"""So many make about one file of the lake."""
KEYS_IN_FOLD = 8_000_000
MOST_FOLDS = 256
REFUSED = (1 << 32) - 1
"""In place of a row, for a key whose row was refused."""
KEY = np.dtype([("key", "<u8"), ("count", "<i8"), ("row", "<u4")])
CHANGES: Table[type[pl.DataType]] = Table(
    lambda: {"part": pl.UInt32, "row": pl.UInt32, "key": pl.UInt64, "add": pl.Int64}
)
"""What folding says of a row: so many more sightings; 0: it came in an earlier part already."""


def cut(order: Order, told: Told, tables: AddressTables) -> dict[str, Any]:
    """The parts that the delivery can be read by; `whole` where it must be read as ever."""
    try:
        opened = list(opening.open_delivery(order.path, order.name, order.work / "unpacked", order.limits))
        if len(opened) != 1 or isinstance(opened[0], Rejection):
            return {"whole": "it is not one file"}
        (one,) = opened
        assert not isinstance(one, Rejection)
        found = opening.format_of(one.source, order.profile, formats)
        profile = Reading(order, tables, None).profile_for(one.source, found.name)
        if found.cut is None or profile.window_minutes or one.source.path is None:
            return {"whole": f"{found.name} is read in one go"}
        stretches = found.cut(one.source, profile, told["block_bytes"])
    except InputError as error:
        return {"whole": error.reason}
    if not stretches or len(stretches) <= STRETCHES_IN_PART:
        return {"whole": "its records cannot be told apart, or are few"}
    # The first shows what the file says of itself, and is read with the others of its part.
    listed = [dataclasses.astuple(each) for each in stretches]
    return {
        "path": str(one.source.path), "name": one.source.name, "inner_name": one.inner_name if one.depth else "",
        "format": found.name, "profile": profile_to_json(profile), "tables": tables.date.isoformat(),
        "parts": [listed[start : start + STRETCHES_IN_PART] for start in range(0, len(listed), STRETCHES_IN_PART)],
    }  # fmt: skip


class PartReading(Reading):
    """The reading of one part: nothing is written before it is known what came in other parts."""

    def __init__(self, order: Order, tables: AddressTables, whole: Told) -> None:
        super().__init__(order, tables, None)
        if whole["tables"] != tables.date.isoformat():
            raise ValueError(f"this machine has the address tables of {tables.date}, and not of {whole['tables']}")
        self.format = formats.by_name(whole["format"])
        self.profile = profile_from_json(whole["profile"])
        self.source = Source(whole["name"], Path(whole["path"]))
        self.context = dataclasses.replace(self.context, profile=self.profile)
        self.file_name = whole["inner_name"]
        self.screening.is_machine = self.personal.is_machine = self.format.name in MACHINE_FORMATS
        self.personal.role_known = bool(self.profile.defaults.get("role"))
        self.refused_keys: list[np.ndarray] = []

    def read_part(self, stretches: Sequence[Stretch]) -> dict[str, Any]:
        """Read and normalise; leaves rows, keys and rejections."""
        assert self.format.read_cut is not None
        for item in self.format.read_cut(self.source, self.profile, stretches):
            self._take(item)
        frame, keys = self._waiting()
        settled = list(self.recount.settled(frame, keys))
        keyed = _keyed(settled[0], keys) if settled and keys is not None else np.empty(0, KEY)
        left = {
            "rows": self._leave("rows", settled[0] if settled else None),
            "keys": self._leave_keys(np.concatenate([keyed, *map(_of_refused, self.refused_keys)])),
            "rejections": self._leave("rejections", pl.concat(self.refused) if self.refused else None),
        }
        outcome = outcome_json(self.outcome)
        return {
            **left,
            "batches": [[each["marking"], each["grade"]] for each in self.outcome.batches],
            "keys_count": len(keyed) + sum(map(len, self.refused_keys)),
            "label": None if self.file_label is None else self.file_label.value,
            "said": {name: outcome[name] for name in ("title", "language", "producer", "documents", "repeats", "rows")},
            "finds": self.screening.finds,
            "personal": self.personal.finds,
        }

    def _hold_rows(self) -> None:
        """A part is small enough to be held."""

    def _write_rejections(self) -> None:
        """They are left with the part."""

    def _keep_refused(self, done: Normalised) -> None:
        self.keep_rejections(done.rejections)
        self.refused[-1] = self.refused[-1].with_columns(done.refused.alias("key"))
        self.refused_keys.append(done.refused.to_numpy())

    def keep_rejections(self, frame: pl.DataFrame) -> None:
        super().keep_rejections(frame)
        self.refused[-1] = self.refused[-1].with_columns(pl.lit(None, pl.UInt64).alias("key"))

    def _leave(self, name: str, frame: pl.DataFrame | None) -> str:
        if frame is None or not frame.height:
            return ""
        path = self.order.work / fresh(name, "arrow")
        frame.write_ipc(path, compression="lz4")
        return path.name

    def _leave_keys(self, keys: np.ndarray) -> str:
        if not len(keys):
            return ""
        keys = keys[np.argsort(keys["key"], kind="stable")]
        # The keys apart: a search in them touches a few pages of the file.
        path = self.order.work / fresh("keys", "npy")
        np.save(path, keys["key"])
        np.save(path.with_suffix(".facts.npy"), keys[["count", "row"]])
        return path.name


def fresh(name: str, suffix: str) -> str:
    """A name that no other attempt has."""
    return f"{name}-{secrets.token_hex(8)}.{suffix}"


def _keyed(frame: pl.DataFrame, keys: pl.DataFrame) -> np.ndarray:
    made = np.zeros(keys.height, KEY)
    made["key"], made["row"] = keys["key"].to_numpy(), keys["row"].to_numpy()
    made["count"] = frame["count"].to_numpy()[made["row"]]
    return made


def _of_refused(keys: np.ndarray) -> np.ndarray:
    made = np.zeros(len(keys), KEY)
    made["key"], made["row"] = keys, REFUSED
    return made


def read(order: Order, told: Told, tables: AddressTables) -> dict[str, Any]:
    """One part of the file."""
    return PartReading(order, tables, told["whole"]).read_part([Stretch(*each) for each in told["item"]])


def ranges_of(reads: Sequence[Told]) -> list[tuple[int, int]]:
    """The ranges of keys that are folded apart: keys are hashes, and lie everywhere alike."""
    folds = min(MOST_FOLDS, 1 + sum(each["keys_count"] for each in reads) // KEYS_IN_FOLD)
    bounds = [(1 << 64) * place // folds for place in range(folds + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]


def fold(order: Order, told: Told, tables: AddressTables) -> dict[str, Any]:
    """What came in several parts, of one range of keys: it stays where it came first, and counts there."""
    low, high = (np.uint64(each) for each in told["item"])
    parts, owners = [], []
    for number, name in enumerate(told["keys"]):
        if not name:
            continue
        keys = np.load(order.work / name, mmap_mode="r")
        start, end = np.searchsorted(keys, low, side="left"), np.searchsorted(keys, high, side="right")
        facts = np.load((order.work / name).with_suffix(".facts.npy"), mmap_mode="r")[start:end]
        part = np.empty(len(facts), KEY)
        part["key"], part["count"], part["row"] = keys[start:end], facts["count"], facts["row"]
        parts.append(part)
        owners.append(np.full(int(end - start), number, np.uint32))
    if not parts:
        return {"changes": "", "dropped": 0}
    changes = _changes(np.concatenate(parts), np.concatenate(owners))
    if not changes.height:
        return {"changes": "", "dropped": 0}
    name = fresh("changes", "arrow")
    changes.write_ipc(order.work / name)
    return {"changes": name, "dropped": changes.filter(pl.col("add") == 0).height}


def _changes(keys: np.ndarray, owners: np.ndarray) -> pl.DataFrame:
    """CHANGES: every key of several parts. Keys come part by part, so that the first of them is the first of all."""
    order = np.argsort(keys["key"], kind="stable")
    keys, owners = keys[order], owners[order]
    is_first = np.ones(len(keys), bool)
    is_first[1:] = keys["key"][1:] != keys["key"][:-1]
    starts = np.flatnonzero(is_first)
    more = np.add.reduceat(keys["count"], starts) - keys["count"][starts] if len(starts) else np.empty(0, np.int64)
    add = np.zeros(len(keys), np.int64)
    add[starts] = more
    again = ~is_first | (add > 0)
    told = {"part": owners, "row": keys["row"], "key": keys["key"], "add": add}
    return pl.DataFrame({name: pl.Series(column[again]) for name, column in told.items()}, schema=CHANGES)


def _numbers_of(part: int, batches: Sequence[Sequence[Any]], order: Order, tables: AddressTables) -> dict[int, int]:
    """The number of a batch in a part → its number in the delivery: as they come first, part by part."""
    reading = Reading(order, tables, None)
    found: dict[int, int] = {}
    for listed in batches[: part + 1]:
        found = {reading.first_batch + place: reading.batch(*each) for place, each in enumerate(listed)}
    return found


def write(order: Order, told: Told, tables: AddressTables) -> dict[str, Any]:
    """The rows of a part as a file of the lake, and what maps are drawn from; its rejections."""
    item = told["item"]
    changed = [pl.scan_ipc(order.work / name).filter(pl.col("part") == item["part"]) for name in told["changes"]]
    changes = pl.concat(changed).collect() if changed else pl.DataFrame(schema=CHANGES)
    dropped = changes.filter(pl.col("add") == 0)
    reading = Reading(order, tables, None)
    made: dict[str, Any] = {"file": None, "by_batch": [], "rejections": "", "dropped": dropped.height}
    if item["rows"]:
        frame = _settled(pl.read_ipc(order.work / item["rows"]), changes)
        numbers = _numbers_of(item["part"], told["batches"], order, tables)
        frame = files.whole(frame.with_columns(pl.col("batch").replace(numbers)))
        if frame.height:
            written = files.write(frame, order.work / fresh("part", "parquet"), order.seal)
            made["file"] = {**dataclasses.asdict(written), "path": written.path.name}
            made["by_batch"] = list(frame.group_by("batch").len().iter_rows())
            reading.tally(frame)
    parts = {"tallies": reading.tallies, "names": reading.name_tallies, "conflicts": reading.conflicts}
    for name, frames in parts.items():
        made[name] = _left(order.work, name, pl.concat(frames) if frames else None)
    made |= {"conflicts_count": reading.outcome.conflicts, "countries": sorted(reading.countries)}
    if item["rejections"]:
        refused = pl.read_ipc(order.work / item["rejections"])
        again = dropped.filter(pl.col("row") == REFUSED)["key"]
        kept = refused.filter(~pl.col("key").is_in(again.implode()).fill_null(False))
        made["rejections"] = _left(order.work, "refused", kept.drop("key"))
    return made


def _left(work: Path, name: str, frame: pl.DataFrame | None) -> str:
    if frame is None or not frame.height:
        return ""
    target = work / fresh(name, "parquet")
    frame.write_parquet(target, compression="zstd", compression_level=1)
    return target.name


def _settled(frame: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The rows that came here first, with all their sightings."""
    of_rows = changes.filter(pl.col("row") != REFUSED)
    if not of_rows.height:
        return frame
    more = of_rows.filter(pl.col("add") > 0)
    counts = frame["count"].to_numpy().copy()
    np.add.at(counts, more["row"].to_numpy(), more["add"].to_numpy())
    keep = np.ones(frame.height, bool)
    keep[of_rows.filter(pl.col("add") == 0)["row"].to_numpy()] = False
    return frame.with_columns(count=pl.Series(counts)).filter(pl.Series(keep))


def gather(order: Order, told: Told, tables: AddressTables) -> dict[str, Any]:
    """The outcome, as if the delivery had been read in one go."""
    reading = Reading(order, tables, None)
    outcome = reading.outcome
    outcome.format = told["whole"]["format"]
    for part in told["reads"]:
        _take_said(reading, part)
    reading.note_label()
    by_batch: dict[int, int] = {}
    reading.file_name = told["whole"]["inner_name"]
    for number, written in enumerate(told["writes"]):
        for batch, rows in written["by_batch"]:
            by_batch[batch] = by_batch.get(batch, 0) + rows
        _take_written(reading, written, number)
    for each in outcome.batches:
        each["rows"] = by_batch.get(each["number"], 0)
    outcome.rows = sum(by_batch.values())
    reading.conclude()
    return outcome_json(outcome)


def _take_said(reading: Reading, part: Told) -> None:
    """What a part says of the file, its batches, what it found in people's words and data."""
    outcome, said = reading.outcome, part["said"]
    for name in ("title", "language", "producer", "documents"):
        setattr(outcome, name, said[name] or getattr(outcome, name))
    outcome.repeats += said["repeats"]
    reading.file_label = reading.file_label if part["label"] is None else Tlp(part["label"])
    for each in part["batches"]:
        reading.batch(*each)
    reading.screening.keep(Found(**each) for each in part["finds"])
    for each in part["personal"]:
        facts = {name: each[name] for name in ("kind", "field", "count", "excerpt")}
        reading.personal.keep([PersonalFind(**facts)], each["marking"])


def _take_written(reading: Reading, written: Told, number: int) -> None:
    """The file of a part under its number, and its share of the tallies."""
    outcome, work = reading.outcome, reading.order.work
    outcome.repeats += written["dropped"]
    outcome.conflicts += written["conflicts_count"]
    reading.countries.update(written["countries"])
    for name, frames in (
        ("tallies", reading.tallies),
        ("names", reading.name_tallies),
        ("conflicts", reading.conflicts),
    ):
        if written[name]:
            frames.append(pl.read_parquet(work / written[name]))
    reading.join_parts(number)
    if written["rejections"]:
        reading.keep_rejections(pl.read_parquet(work / written["rejections"]).drop("file"))
    if written["file"]:
        path, target = work / written["file"]["path"], work / f"{reading.order.delivery}-{len(outcome.files)}.parquet"
        beside, there = index.index_path(path), index.index_path(target)
        for source, into in (
            (path, target),
            (beside, there),
            (beside.with_suffix(".facts"), there.with_suffix(".facts")),
        ):
            source.replace(into)
        outcome.files.append({**written["file"], "path": target.name})


STEPS: dict[str, Callable[[Order, Told, AddressTables], dict[str, Any]]] = {
    "cut": cut, "read": read, "fold": fold, "write": write, "gather": gather,
}  # fmt: skip
