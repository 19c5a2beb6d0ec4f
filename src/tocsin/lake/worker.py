"""What runs on the machines of a cluster: opens an order, does it item by item, seals each answer."""

from __future__ import annotations

import os

# One task has one processor; it must be said before the libraries are loaded that would take all.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from typing import Any

import pyarrow as pa

from tocsin.lake import buckets, orders

ANSWERS = pa.schema([("item", pa.int64()), ("body", pa.binary())])
ORDERS_KEPT = 4
"""A worker does many items of one order, one after the other."""


class TaskFailed(Exception):  # noqa: N818 - it is read in sentences.
    """A function failed; says which error and where, and nothing of what it was about."""


def run(order: bytes, key_told: str, numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Answers (ANSWERS) to the numbered items of an order."""
    key = orders.key_of_worker(key_told)
    step, items = _opened(order, key)
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            body = orders.sealed(_done(step, items[number], number), key, orders.ANSWER)
            yield pa.record_batch([pa.array([number], pa.int64()), pa.array([body], pa.binary())], schema=ANSWERS)


@lru_cache(maxsize=ORDERS_KEPT)
def _opened(order: bytes, key: bytes) -> tuple[Callable[[Any], Any], Sequence[Any]]:
    step, items, mounts = orders.opened(order, key, orders.ORDER)
    buckets.mount(*mounts)
    return step, items


def _done(step: Callable[[Any], Any], item: Any, number: int) -> Any:
    try:
        return step(item)
    except Exception as error:
        # The cluster logs what is raised, and an error's text may name a value.
        last = extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} in item {number}, at {Path(last.filename).name}:{last.lineno}"
        raise TaskFailed(said) from None
