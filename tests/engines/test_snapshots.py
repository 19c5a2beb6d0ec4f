"""Readers keep their snapshot: while files are joined, purged, verified and swept, what they see stays whole."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from django.conf import settings
from django.db import connection
from tests import builders
from tests.faults.house import AT
from tests.generated_lake import rows as generated

from tocsin.centre.analysis.lookups import snapshot
from tocsin.centre.intake import lake, verification
from tocsin.centre.intake.batch_rows import handling_row
from tocsin.centre.intake.lake_keys import all_keys
from tocsin.centre.intake.models import Batch, LakeFile
from tocsin.centre.intake.services import store_folder
from tocsin.handling import HandlingSet
from tocsin.lake import files
from tocsin.lake.questions.lookup import Sight, asked_for, lookup, rows_of
from tocsin.lake.scope import Batches, Scope, Snapshot

pytestmark = pytest.mark.django_db(transaction=True)
FILES, ROWS, LOOKED_UP = 12, 400, 12


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, pl.DataFrame]:
    """Registered files of generated rows, each of a batch of its own: batch → its rows."""
    monkeypatch.setattr(settings, "INSTALLATION", replace(settings.INSTALLATION, store=str(tmp_path)))
    source, made = builders.organisation("kestrel"), {}
    for number in range(FILES):
        delivery = builders.delivery(source, rows=ROWS)
        under = handling_row(HandlingSet())
        batch = builders.batch(delivery, under, pk=delivery.pk * 1000 + 1)
        rows = generated(ROWS, ["FR", "JO", "BR"], seed=number, batches=1).with_columns(batch=pl.lit(batch.pk))
        folder = store_folder() / "work"
        folder.mkdir(parents=True, exist_ok=True)
        written = files.write(rows, folder / f"{number}.parquet", all_keys().writer())
        relative = f"{files.day_folder(AT.date())}/{number}.parquet"
        files.move_into(written, store_folder(), relative)
        lake.register(relative, written, AT.date(), AT, is_sorted=False)
        made[batch.pk] = rows
    return made


def held_by(taken: Snapshot) -> dict[int, int]:
    """Rows of each batch in these files."""
    frames = [builders.rows_in(path) for path in taken.files]
    return dict(pl.concat(frames)["batch"].value_counts().iter_rows())


def test_readers_see_a_whole_while_files_change_under_them(world: dict[int, pl.DataFrame]) -> None:
    gone = Batches(sorted(world)[: FILES // 3])
    left = {batch: ROWS for batch in world if batch not in gone}
    faults: list[str] = []
    stop, looked = threading.Event(), [0]
    values = {batch: rows["value"][0] for batch, rows in world.items()}

    def read(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not stop.is_set():
                taken = snapshot()
                batch = chance.choice(sorted(left))
                sight = Sight(Scope(Batches(sorted(left)), all_victims=True))
                kind = world[batch]["kind"][0]
                before = lookup(taken, sight, asked_for(kind, values[batch])).total
                if held := {number: rows for number, rows in held_by(taken).items() if number in left}:
                    assert held == left, held
                assert before == lookup(taken, sight, asked_for(kind, values[batch])).total
                looked[0] += 1
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for reader in readers:
        reader.start()
    try:
        now = datetime.now(UTC)
        lake.compact(now)
        lake.take_out(gone, now, lambda out: None)
        Batch.objects.filter(pk__in=list(gone)).update(purged_at=now)
        for file in list(LakeFile.objects.filter(retired_at=None)):
            lake.put_anew(file, builders.rows_in(store_folder() / file.path), now)
        faults_found = verification.verify(verification.Extent(), now).faults
        assert [each for each in faults_found if each.kind != "original"] == []
        while looked[0] < LOOKED_UP and not faults:
            stop.wait(0.05)
    finally:
        stop.set()
        for reader in readers:
            reader.join(60)
    assert faults == []
    assert held_by(snapshot()) == left
    # Whoever held the first snapshot has had an hour: only now do the old files go.
    assert lake.sweep(now) == 0
    assert lake.sweep(now + lake.KEPT_AFTER + timedelta(seconds=1)) >= FILES
    assert held_by(snapshot()) == left


def test_many_threads_read_one_file_at_once(tmp_path: Path) -> None:
    rows = generated(9_000, ["FR", "JO"], seed=3, batches=1)
    written = files.write(rows, tmp_path / "one.parquet", all_keys().writer(), row_group=300)
    expected = rows["value"].to_list()

    def read(seed: int) -> list[int]:
        chance, wrong = random.Random(seed), []
        for _ in range(120):
            row = chance.randrange(rows.height)
            found = rows_of(written.path, np.array([row], np.uint32), keys=all_keys())
            wrong += [row] if found["value"].to_pylist() != [expected[row]] else []
        return wrong

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(read, range(6))) == [[]] * 6
