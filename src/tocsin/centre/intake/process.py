"""The job that reads a delivery: hands it to the sandbox, watches it, commits what came of it."""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError

from tocsin.centre.jobs import services as jobs
from tocsin.core.errors import Conflict, Unavailable

from . import holding, originals, profiles, services
from .lake_keys import all_keys
from .models import Delivery
from .store import delivery_path

log = logging.getLogger(__name__)
WITHHELD = ("PG", "TOCSIN_", "CREDENTIALS_")
"""What in the environment tells of the database, of the installation and of its keys: the reader gets none of it."""
PROCESSOR_SECONDS_BASE = 300
PROCESSOR_SECONDS_PER_MEGABYTE = 4
RESIDENT_BYTES = 3 << 30
"""What one reading may hold in memory before it is stopped."""
LOOK_SECONDS = 1.0
GRACE_SECONDS = 2.0
"""For a reading that is nearly over when its worker is told to stop."""
ORIGINAL = "original"
"""Name of the opened copy in the work folder, which goes with it."""
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


def order_of(delivery: Delivery, work: Path) -> tuple[dict[str, Any], float]:
    """What the reading process is told to read a delivery into a folder, and how much time it has."""
    seal = all_keys().writer()
    told = {
        "delivery": delivery.pk,
        "path": str(originals.plain_copy(delivery_path(services.store_folder(), delivery.sha256), work / ORIGINAL)),
        "name": delivery.name,
        "received_at": delivery.received_at.isoformat(),
        "profile": delivery.profile,
        "work": str(work),
        "seal": seal.told() if seal else None,
        "remembered": profiles.remembered(delivery.organisation),
        "reference": str(settings.INSTALLATION.home / "reference"),
    }
    return told, PROCESSOR_SECONDS_BASE + PROCESSOR_SECONDS_PER_MEGABYTE * delivery.size_bytes / 1e6


class Reader:
    """The handler of READ jobs: one sandbox, kept between deliveries."""

    def __init__(self, keepers: Sequence[services.Keeper], on_rows: Callable[[int, int], None] | None = None) -> None:
        self.sandbox = Sandbox()
        self.keepers = keepers
        self.on_rows = on_rows
        """Called with (delivery, rows so far), for progress bars."""
        self.told = threading.Event()
        """Whether the worker is to stop: then a reading that is not over soon is given back."""

    def __call__(self, claim: jobs.Claim) -> None:
        delivery = Delivery.objects.select_related("organisation").get(pk=claim.payload["delivery"])
        if delivery.state != Delivery.State.RECEIVED:
            jobs.finish(claim, datetime.now(UTC))
            return
        _sweep(delivery)
        work = services.store_folder() / "work" / f"{delivery.pk}-{claim.attempt}"
        try:
            work.mkdir(parents=True)
            self._read(delivery, claim, work)
        except OSError as error:
            raise Unavailable(f"the store: {error}") from error
        except (Conflict, Unavailable, OperationalError, InterfaceError, jobs.GivenBack):
            raise
        except Exception as error:
            if not claim.is_last:
                raise
            log.exception("delivery %s cannot be committed", delivery.pk)
            services.quarantine(delivery, "reader-failed", f"{type(error).__name__}: {error}", claim, datetime.now(UTC))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def give_up(self, claim: jobs.Claim, why: str) -> None:
        """Set the delivery aside that ended one worker after another: a person may have it read again."""
        delivery = Delivery.objects.get(pk=claim.payload["delivery"])
        if delivery.state != Delivery.State.RECEIVED:
            jobs.finish(claim, datetime.now(UTC))
            return
        _sweep(delivery)
        services.quarantine(delivery, "reader-failed", why, claim, datetime.now(UTC))

    def _read(self, delivery: Delivery, claim: jobs.Claim, work: Path) -> None:
        told, seconds = order_of(delivery, work)

        told_at: list[float] = []

        def on_progress(rows: int) -> None:
            if self.told.is_set():
                told_at.append(time.monotonic())
                if told_at[-1] - told_at[0] >= GRACE_SECONDS:
                    raise jobs.GivenBack
            jobs.renew(claim, datetime.now(UTC), done=rows)
            if self.on_rows is not None:
                self.on_rows(delivery.pk, rows)

        try:
            outcome = self.sandbox.read(told, seconds, on_progress)
        except KilledError as error:
            log.error("delivery %s: %s", delivery.pk, error)
            # Once may be an accident of the machine; twice is the file's fault.
            if claim.attempt < 2:
                raise Unavailable(str(error)) from error
            services.quarantine(delivery, "reader-killed", str(error), claim, datetime.now(UTC))
            return
        except FailedError as error:
            services.quarantine(delivery, "reader-failed", str(error), claim, datetime.now(UTC))
            return
        question = holding.question_of(delivery, outcome)
        if question is not None:
            holding.hold(delivery, *question, outcome, claim, datetime.now(UTC))
            return
        services.commit(delivery, outcome, work, claim, datetime.now(UTC), self.keepers)

    def stop(self) -> None:
        """End the reading process."""
        self.sandbox.stop()


def _sweep(delivery: Delivery) -> None:
    """Remove what attempts left that were killed, or that lost their lease: it may be plain."""
    for left in (services.store_folder() / "work").glob(f"{delivery.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep_ended() -> None:
    """Remove what was left by workers killed after their commit, before they cleared up: no reading comes by again.

    Folders are listed before jobs are asked, so that whoever begins meanwhile is known to be at work.
    """
    found = {path: path.name.rpartition("-") for path in (services.store_folder() / "work").glob("*-*")}
    left = {path: (int(delivery), int(attempt)) for path, (delivery, _, attempt) in found.items()
            if delivery.isdecimal() and attempt.isdecimal()}  # fmt: skip
    if not left:
        return
    at_work = jobs.running(services.READ)
    for path, (delivery, attempt) in left.items():
        if (f"delivery:{delivery}", attempt) not in at_work:
            shutil.rmtree(path, ignore_errors=True)
