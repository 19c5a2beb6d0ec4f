"""Read many files with the product's own reader, in the sandbox, and measure each: what the acceptance command runs.

No database is needed and nothing is committed: the work folder of each file is thrown away once it was counted.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tocsin.core.profiles import Profile

LOOK_SECONDS = 0.5
FILE_SECONDS = 120.0
"""Processor time for one file; a machine that is busy with other things may take five times as long by the clock."""
LOST = ("timeout", "killed", "failed")
"""Faults that are ours: the reading took too long, its process died, or an error came out that no reader foresaw."""


@dataclass(slots=True)
class Measured:
    """What came of one file."""

    path: str
    format: str = ""
    state: str = ""
    reason: str = ""
    where: str = ""
    rows: int = 0
    repeats: int = 0
    things: int = 0
    proposals: int = 0
    documents: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    standards: dict[str, int] = field(default_factory=dict)
    """"standard/type" of the objects → how many."""
    kinds: dict[str, int] = field(default_factory=dict)
    """"kind/role/type" of the rows → how many."""
    seconds: float = 0.0
    """Processor time."""
    peak_bytes: int = 0
    fault: str = ""

    @property
    def accounted(self) -> int:
        """Records that are accounted for: accepted, repeated or refused."""
        return self.rows + self.repeats + self.rejected


class Process:
    """One reading process; replaced when it died or was stopped."""

    def __init__(self, received_at: str) -> None:
        self.received_at = received_at
        self.process: subprocess.Popen[str] | None = None
        self.lines: queue.Queue[str | None] = queue.Queue()

    def measure(self, path: Path, shown: str, work: Path, seconds: float = FILE_SECONDS) -> Measured:
        """Read one file and count what came of it."""
        found = Measured(shown)
        process = self._started()
        _reset_peak(process.pid)
        started = _processor_seconds(process.pid)
        try:
            answer = self._answer(_order(path, work, self.received_at), seconds)
        except BrokenPipeError:
            answer = {"lost": "killed"}
        found.seconds = _processor_seconds(process.pid) - started
        found.peak_bytes = _peak_bytes(process.pid)
        if "outcome" in answer:
            _count(found, answer["outcome"], work)
        else:
            found.fault = answer.get("lost", "failed")
            found.where = answer.get("failed") or answer.get("detail", "")
            found.state = "lost"
            if found.fault != "failed":
                self.stop()
        return found

    def _answer(self, order: dict[str, Any], seconds: float) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        until = time.monotonic() + 5 * seconds
        used = _processor_seconds(self.process.pid)
        while time.monotonic() < until and _processor_seconds(self.process.pid) - used < seconds:
            try:
                line = self.lines.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            if line is None:
                return {"lost": "killed"}
            answer: dict[str, Any] = json.loads(line)
            if "rows" not in answer:
                return answer
        return {"lost": "timeout"}

    def _started(self) -> subprocess.Popen[str]:
        if self.process is not None and self.process.poll() is None:
            return self.process
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "TOCSIN_"))}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        environment |= {"PYTHONUTF8": "1", "POLARS_MAX_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsin.centre.intake.sandbox"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=_pump, args=(self.process, self.lines), daemon=True).start()
        return self.process

    def stop(self) -> None:
        """End the process; the next file starts a new one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        self.process = None


def measure_all(
    root: Path,
    paths: Sequence[Path],
    received_at: str,
    workers: int = 2,
    on_done: Callable[[Measured], None] | None = None,
) -> list[Measured]:
    """Every file, in order of path; the largest are begun first, so that nobody waits for one of them at the end."""
    local = threading.local()
    made: list[Process] = []

    def one(path: Path) -> Measured:
        if not hasattr(local, "process"):
            local.process = Process(received_at)
            made.append(local.process)
        with tempfile.TemporaryDirectory(prefix="tocsin-acceptance-") as work:
            found: Measured = local.process.measure(path, path.relative_to(root).as_posix(), Path(work))
        return found

    by_size = sorted(paths, key=lambda path: path.stat().st_size, reverse=True)
    try:
        with ThreadPoolExecutor(workers) as pool:
            results = []
            for done in as_completed([pool.submit(one, path) for path in by_size]):
                results.append(done.result())
                if on_done is not None:
                    on_done(results[-1])
    finally:
        for process in made:
            process.stop()
    return sorted(results, key=lambda found: found.path)


def _order(path: Path, work: Path, received_at: str) -> dict[str, Any]:
    from tocsin.centre.intake.reading import profile_to_json

    return {"delivery": 1, "path": str(path), "name": path.name, "received_at": received_at,
            "profile": profile_to_json(Profile()), "work": str(work)}  # fmt: skip


def _count(found: Measured, outcome: dict[str, Any], work: Path) -> None:
    from tocsin.centre.intake.reading import parts_of

    for name in ("format", "state", "reason", "where", "rows", "repeats", "things", "proposals"):
        setattr(found, name, outcome[name])
    found.rejected = outcome["rejections"]
    found.documents = len(outcome["documents"])
    reasons: Counter[str] = Counter()
    for frame in parts_of(outcome, "rejections", work):
        reasons.update(dict(frame["reason"].value_counts().iter_rows()))
    found.reasons = dict(reasons.most_common())
    standards: Counter[str] = Counter()
    for frame in parts_of(outcome, "things", work):
        counted = frame.group_by("standard", "type").len()
        standards.update({f"{standard}/{kind}": many for standard, kind, many in counted.iter_rows()})
    found.standards = dict(standards.most_common())
    kinds: Counter[str] = Counter()
    for each in outcome["files"]:
        counted = (
            pl.read_parquet(work / each["path"], columns=["kind", "role", "type"])
            .group_by("kind", "role", "type")
            .len()
        )
        kinds.update({"/".join(map(str, row[:3])): row[3] for row in counted.iter_rows()})
    found.kinds = dict(kinds.most_common())
    shutil.rmtree(work / "unpacked", ignore_errors=True)


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with suppress(ValueError):  # The pipe was closed while we waited on it.
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _reset_peak(pid: int) -> None:
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _processor_seconds(pid: int) -> float:
    with suppress(OSError, IndexError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _peak_bytes(pid: int) -> int:
    with suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    return 0
