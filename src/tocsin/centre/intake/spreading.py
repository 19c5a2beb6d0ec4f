"""Reading one large delivery on all machines of a cluster: each keeps a sandbox, and this tells them the steps.

The cluster runs `in_sandbox` and nothing else, so that no machine's own processes look at what strangers sent. What the
steps leave lies in the work folder, which all machines reach; only what is told back here is used.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from tocsin.lake.engine import Engine

from . import bulk
from .reader_process import Sandbox

LEAST_BYTES = 128 << 20
"""Below it one machine has read the delivery before a cluster has begun."""
BLOCK_BYTES = 16 << 20
"""What is read and normalised at once, as when a delivery is read whole."""
STEP_SECONDS = 1_800
"""For one step of a few megabytes: far more than it takes."""
Run = Callable[[str, Mapping[str, Any], Sequence[Any]], list[dict[str, Any]]]


def read_spread(
    told: dict[str, Any], sandbox: Sandbox, engine: Engine, alive: Callable[[int], None]
) -> dict[str, Any] | None:
    """The outcome, or None where the delivery must be read as ever. Raises what a sandbox and an engine raise."""
    whole = sandbox.read({**told, "step": "cut", "block_bytes": BLOCK_BYTES}, STEP_SECONDS, alive)
    if "whole" in whole:
        return None
    rows = 0

    def waiting() -> None:
        alive(rows)

    def run(step: str, more: Mapping[str, Any], items: Sequence[Any]) -> list[dict[str, Any]]:
        return list(engine.make(partial(in_sandbox, {**told, **more, "step": step}), items, alive=waiting))

    reads = run("read", {"whole": whole}, whole["parts"])
    rows = sum(each["said"]["rows"] for each in reads)
    writes = _folded_and_written(told, reads, run)
    return sandbox.read(
        {**told, "step": "gather", "whole": whole, "reads": reads, "writes": writes}, STEP_SECONDS, alive
    )


def _folded_and_written(told: Mapping[str, Any], reads: Sequence[bulk.Told], run: Run) -> list[dict[str, Any]]:
    folds = run("fold", {"keys": [each["keys"] for each in reads]}, bulk.ranges_of(reads))
    items = [{"part": part, "rows": each["rows"], "rejections": each["rejections"]} for part, each in enumerate(reads)]
    more = {
        "changes": [each["changes"] for each in folds if each["changes"]],
        "batches": [each["batches"] for each in reads],
    }
    return run("write", more, items)


def in_sandbox(told: Mapping[str, Any], item: Any) -> dict[str, Any]:
    """One step, on whatever machine this is: in a process that it keeps for what strangers sent."""
    return _sandbox().read({**told, "item": item}, STEP_SECONDS, lambda rows: None)


@cache
def _sandbox() -> Sandbox:
    kept = Sandbox()
    atexit.register(kept.stop)
    return kept
