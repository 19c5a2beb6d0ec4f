"""The reading process, seen from outside: started when needed, told what to read, watched, replaced when it died.

It knows no database, so that the machines of a cluster keep such a process, too.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tocsin.core.errors import Unavailable

WITHHELD = ("PG", "TOCSIN_", "CREDENTIALS_", "SPARK_", "PYSPARK_", "_PYSPARK", "PYTHON_WORKER", "PYTHON_UNIX")
"""What in the environment tells of the database, of the installation, of its keys and of a cluster: the reader gets
none of it."""
RESIDENT_BYTES = 3 << 30
"""What one reading may hold in memory before it is stopped."""
LOOK_SECONDS = 1.0
MODULE = "tocsin.centre.intake.sandbox"


class KilledError(Exception):
    """The sandbox died or was stopped while reading; the argument says why."""


class FailedError(Exception):
    """Our own reader failed on this file, and would fail again; the argument says how."""


class Sandbox:
    """A reading process that is started when needed and replaced when it died."""

    def __init__(self, module: str = MODULE, resident_bytes: int = RESIDENT_BYTES) -> None:
        self.module = module
        self.resident_bytes = resident_bytes
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def read(self, told: dict[str, Any], seconds: float, on_progress: Callable[[int], None]) -> dict[str, Any]:
        """The outcome of one order. Raises KilledError, FailedError, or Unavailable when the disk is full."""
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
        except OSError as error:
            self.stop()
            raise KilledError("the reading process could not be reached") from error
        try:
            return self._answered(process, seconds, on_progress)
        except (FailedError, Unavailable):
            raise
        except BaseException:
            # It is still at this order, or dead: its answer must never be taken for that of the next one.
            self.stop()
            raise

    def _answered(
        self, process: subprocess.Popen[str], seconds: float, on_progress: Callable[[int], None]
    ) -> dict[str, Any]:
        until = time.monotonic() + seconds
        rows = 0
        while True:
            try:
                line = self._lines.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                line = ""
            if line is None:
                raise KilledError(f"the reading process ended with status {process.wait()}")
            if line and not line.endswith("\n"):
                continue  # It died in the middle of a word.
            answer = json.loads(line) if line else {}
            if "outcome" in answer:
                return dict(answer["outcome"])
            if "fault" in answer:
                raise Unavailable(answer["fault"])
            if "failed" in answer:
                raise FailedError(answer["failed"])
            rows = answer.get("rows", rows)
            on_progress(rows)
            if time.monotonic() > until:
                raise KilledError("too much time")
            if _resident_bytes(process.pid) > self.resident_bytes:
                raise KilledError("too much memory")

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        environment = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        environment["PYTHONUTF8"] = "1"
        environment["OPENBLAS_NUM_THREADS"] = "1"  # Nothing read is algebra, and threads that wait cost a start.
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._lines = queue.Queue()
        threading.Thread(target=_pump, args=(self._process, self._lines), daemon=True).start()
        return self._process

    def stop(self) -> None:
        """End the process at once; the next order starts a new one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line)
    except ValueError:  # The pipe was closed while we waited on it.
        pass
    lines.put(None)


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
