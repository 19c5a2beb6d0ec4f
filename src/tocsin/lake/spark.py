"""Spark as the engine of the lake: the same functions over the same files, on the machines of a cluster.

Spark is told numbers, and hands each to a function of `tocsin.lake.worker` there (`mapInArrow`). What the numbers mean
is in the function's sealed order. Files are reached by the same path everywhere.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from tocsin.core.errors import Unavailable

from . import buckets, orders
from .engine import EMBEDDED, Alive, silent

I = TypeVar("I")  # noqa: E741 - one item.
T = TypeVar("T")
MOST_TASKS = 10_000
LOOK_SECONDS = 1.0
USUAL_WIDTH = 8
"""How many tasks are thought to run at once where a server does not say."""
OURS = ("TaskFailed: ", "KeyMissing: ")
"""What a worker raises; before it stand lines of Spark's own."""
OPTIONS = {
    "spark.app.name": "tocsin",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.scheduler.mode": "FAIR",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Least:
    """Below it a job costs more than it spares: such questions are answered in this process."""

    bytes_read: int = 256 << 20
    files_searched: int = 4_096


class Spark:
    """A session of a cluster, begun when something is asked; a new one after it was lost."""

    is_spread = True

    def __init__(
        self, address: str, key: Path, options: Mapping[str, str] | None = None, *, least: Least | None = None
    ) -> None:
        self.address = address
        self._key = key
        self._options = OPTIONS | dict(options or {})
        self._least = least or Least()
        self._session: Any = None
        self._lock = threading.Lock()

    @property
    def _is_connect(self) -> bool:
        return self.address.startswith("sc://")

    @property
    def width(self) -> int:
        if self._is_connect:
            return int(self._options.get("spark.default.parallelism", USUAL_WIDTH))
        return int(self._begun().sparkContext.defaultParallelism)

    @property
    def least_bytes(self) -> int:
        return self._least.bytes_read

    def ask(
        self, part: Callable[[Path], T], files: Sequence[Path], *, is_search: bool = False, alive: Alive = silent
    ) -> Iterator[T]:
        if self._is_little(files, is_search):
            return EMBEDDED.ask(part, files, alive=alive)
        return iter(self._done(part, files, alive))

    def make(self, step: Callable[[I], T], items: Sequence[I], *, alive: Alive = silent) -> Iterator[T]:
        return iter(self._done(step, items, alive))

    def stop(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.stop()
                self._session = None

    def _is_little(self, files: Sequence[Path], is_search: bool) -> bool:
        if is_search:
            return len(files) < self._least.files_searched
        return not buckets.hold(files, self._least.bytes_read)

    def _done(self, step: Callable[[Any], T], items: Sequence[Any], alive: Alive) -> list[T]:
        """The answers for all items. Raises Unavailable where the cluster gives none."""
        if not items:
            return []
        key = orders.made_key(self._key)
        order = orders.sealed((step, list(items), buckets.mounts()), key, orders.ORDER)
        told = str(self._key)

        def over(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            from tocsin.lake.worker import run

            return run(order, told, numbers)

        table = self._answered(over, len(items), alive)
        found = sorted(zip(table["item"].to_pylist(), table["body"], strict=True), key=lambda pair: pair[0])
        if [number for number, _ in found] != list(range(len(items))):
            raise Unavailable("the engine of the lake left some of a question unanswered")
        return [orders.opened(body.as_buffer().to_pybytes(), key, orders.ANSWER) for _, body in found]

    def _answered(self, over: Callable[..., Any], count: int, alive: Alive) -> pa.Table:
        tag = f"tocsin-{secrets.token_hex(8)}"
        with ThreadPoolExecutor(1) as pool:
            asked: Future[pa.Table] = pool.submit(self._run, over, count, tag)
            try:
                while wait([asked], timeout=LOOK_SECONDS).not_done:
                    alive()
            except BaseException:
                self._interrupt(tag)
                raise
            return asked.result()

    def _run(self, over: Callable[..., Any], count: int, tag: str) -> pa.Table:
        session = None
        try:
            session = self._begun()
            # A thread of its own asks each question, so that the mark is on nothing else.
            if self._is_connect:
                session.addTag(tag)
            else:
                session.sparkContext.setJobGroup(tag, tag, interruptOnCancel=True)
            numbers = session.range(0, count, 1, min(count, MOST_TASKS))
            return numbers.mapInArrow(over, "item long, body binary").toArrow()
        except Unavailable:
            raise
        except Exception as error:
            if not type(error).__module__.startswith(("pyspark", "py4j", "grpc")) and not isinstance(error, OSError):
                raise
            self._forget_lost(session)
            raise Unavailable(f"the engine of the lake: {_told(error)}") from error

    def _interrupt(self, tag: str) -> None:
        session = self._session
        if session is None:
            return
        if self._is_connect:
            session.interruptTag(tag)
        else:
            session.sparkContext.cancelJobGroup(tag)

    def _begun(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session(self.address, self._options)
            return self._session

    def _forget_lost(self, session: Any) -> None:
        """A session whose cluster or program is gone answers nothing more: the next question begins another."""
        if session is None:
            return
        try:
            is_lost = _is_stopped(session)
        except Exception:
            is_lost = True
        if not is_lost:
            return
        with self._lock:
            if self._session is session:
                self._session = None
                _let_go(session)


def _session(address: str, options: Mapping[str, str]) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Unavailable(
            "the engine of the lake is Spark, and PySpark is not installed (script/setup --scale)"
        ) from error
    # The workers run the same interpreter, from the same place, unless the settings say otherwise.
    os.environ["PYSPARK_PYTHON"] = options.get("spark.pyspark.python", sys.executable)
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if address.startswith("sc://"):
        return SparkSession.builder.remote(address).getOrCreate()
    builder = SparkSession.builder.master(address)
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _is_stopped(session: Any) -> bool:
    if hasattr(session, "is_stopped"):  # Connect.
        return bool(session.is_stopped)
    return bool(session.sparkContext._jsc.sc().isStopped())


def _let_go(session: Any) -> None:
    """End what is left of a lost session: PySpark keeps a broken connection for good otherwise."""
    steps: list[Callable[[], object]] = [session.stop]
    if not hasattr(session, "is_stopped"):
        from pyspark import SparkContext

        gateway = SparkContext._gateway
        if gateway is not None:
            steps += [gateway.shutdown, partial(_ended, getattr(gateway, "proc", None))]
        steps.append(partial(_cleared, SparkContext))
    for step in steps:
        try:
            step()
        except Exception:  # noqa: S112 - it is broken already.
            continue


def _ended(process: Any) -> None:
    if process is not None:
        process.kill()


def _cleared(context: Any) -> None:
    context._gateway = context._jvm = context._active_spark_context = None


def _told(error: BaseException) -> str:
    """The first line of what went wrong, without the places in Spark."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line.partition(name)[2] for name in OURS for line in lines if name in line]
    return (ours or lines or [type(error).__name__])[0][:300]
