"""Functions that tests have run on the machines of a cluster."""

from __future__ import annotations

import time
from pathlib import Path

import orjson

from tocsin.lake.engine import Engine


def doubled(number: int) -> int:
    return 2 * number


def fails_about(what: str) -> None:
    raise ValueError(f"this must not be said: {what}")


def waits(folder: Path) -> None:
    """Begins, and ends only when it is made to."""
    (folder / "begun").touch()
    time.sleep(120)


def told_of_networks(engine: Engine, folder: Path) -> bytes:
    """A question asked by a program of its own."""
    from tests.generated_lake import rows

    from tocsin.lake import files
    from tocsin.lake.keys import Keys
    from tocsin.lake.questions.networks import networks
    from tocsin.lake.scope import Batches, Scope, Snapshot

    keys = Keys(((1, bytes(32)),))
    path = folder / "asked.parquet"
    files.write(rows(500, ("FR", "BR")), path, keys.writer())
    scope = Scope(Batches(range(41)), all_victims=True)
    found = networks(Snapshot((path,), keys, engine), scope, country="FR", since=None)
    return orjson.dumps([[each.asn, each.rows, each.values] for each in found])
