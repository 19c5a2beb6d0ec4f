"""Worker processes beside the portal or a command: started, watched, stopped gently."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tocsin.core.later import is_loaded, put_off
from tocsin.core.starting import starting

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.3
ASK_SECONDS = 0.05
STOP_SECONDS = 50
"""After the word to stop: more than the portal takes at most for what is under way, less than the system waits."""
BACK_OFF_SECONDS = (1, 2, 5, 15, 60)
"""How long a place stays empty after its worker ended by itself, by how often that happened in a row."""
STEADY_SECONDS = 120
"""After so long a worker is thought sound, and its place is filled at once should it end."""


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, "-m", "tocsin.site.crew", *arguments], env=environment)


def work_until_idle(workers: int, look: Callable[[], None]) -> None:
    """Do all work that is due with so many processes; `look` is called while they run."""
    crew = [_start("--until-idle") for _ in range(max(1, workers))]
    try:
        while any(worker.poll() is None for worker in crew):
            look()
            time.sleep(LOOK_SECONDS)
    finally:
        stop(crew)


@dataclass(slots=True)
class _Place:
    """One worker's place: who works there, since when, and how often in a row it was left."""

    worker: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    again: float = 0.0
    left: int = 0


@dataclass(slots=True)
class Crew:
    """Workers that go on until they are stopped; one that ends by itself is replaced, later each time.

    What it sees is written to the file `told`, for the page on the installation, and goes with `stop`.
    """

    told: Path
    places: list[_Place]
    replaced: int = 0
    last_end: dict[str, object] = field(default_factory=dict)

    def look(self, now: float) -> None:
        """Note who ended, and fill the places whose time has come; `now` is a monotonic moment in seconds."""
        for place in self.places:
            if place.worker is not None and place.worker.poll() is not None:
                self._leave(place, place.worker, now)
                self._tell()
            if place.worker is None and now >= place.again:
                is_spare = len(self.places) > 1 and place is self.places[0]
                place.worker, place.started = _start(*(["--spare"] if is_spare else [])), now
                self.replaced += place.left > 0
                self._tell()

    def _leave(self, place: _Place, worker: subprocess.Popen[bytes], now: float) -> None:
        place.left = 1 if now - place.started > STEADY_SECONDS else place.left + 1
        wait = BACK_OFF_SECONDS[min(place.left, len(BACK_OFF_SECONDS)) - 1]
        place.worker, place.again = None, now + wait
        self.last_end = {"at": datetime.now(UTC).isoformat(), "status": worker.returncode}
        log.error("worker %s ended by itself (status %s); another in %s s", worker.pid, worker.returncode, wait)

    def _tell(self) -> None:
        running = sum(place.worker is not None for place in self.places)
        facts = {"wanted": len(self.places), "running": running, "replaced": self.replaced, "last_end": self.last_end}
        draft = self.told.with_name(self.told.name + ".new")
        try:
            draft.write_text(json.dumps(facts), encoding="utf-8")
            draft.replace(self.told)
        except OSError as error:  # A full disk: what is told is a convenience, the work goes on.
            log.warning("the state of the workers was not written: %s", error)

    def stop(self, *others: subprocess.Popen[bytes], is_hurried: Callable[[], bool] = lambda: False) -> None:
        """End the workers and the other processes; at once where `is_hurried` says so."""
        stop([*others, *(place.worker for place in self.places if place.worker is not None)], is_hurried)
        self.told.unlink(missing_ok=True)


def start(workers: int, told: Path) -> Crew:
    """So many workers that go on until they are stopped; call `look` now and then."""
    crew = Crew(told, [_Place() for _ in range(workers)])
    crew.look(time.monotonic())
    return crew


def stop(crew: Sequence[subprocess.Popen[bytes]], is_hurried: Callable[[], bool] = lambda: False) -> None:
    """Ask each to stop, wait for what it holds, and end what does not listen, or all where it is to go quickly."""
    for worker in crew:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while any(worker.poll() is None for worker in crew) and time.monotonic() < until and not is_hurried():
        time.sleep(ASK_SECONDS)
    for worker in crew:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def _told() -> threading.Event:
    """Set by SIGTERM, or when who started this was killed: nobody else would ever stop it."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and not told.wait(1):
            pass
        told.set()

    threading.Thread(target=watch, daemon=True).start()
    return told


def begin_anew(close: Callable[[], None]) -> None:
    """Give back what work has left in memory, by becoming a new process under the same number.

    Nothing else does: libraries cannot be unloaded, and what they had reserved they keep.
    """
    if not is_loaded():
        return
    from django.db import connections

    close()
    connections.close_all()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def main() -> None:
    """One worker process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    put_off()
    with starting():
        import django

        django.setup()
        from django.conf import settings

        from tocsin.centre.jobs.worker import work

        from . import occupancy, wiring
    occupancy.share(settings.INSTALLATION.home)

    # A terminal tells the whole group, and the command that started this tells it as well: only the latter counts.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    told = _told()
    handlers = wiring.handlers()
    wiring.begin()
    try:
        work(
            handlers, told, until_idle="--until-idle" in sys.argv, tick=wiring.tick, is_spare="--spare" in sys.argv,
            is_process=True, rest=lambda: begin_anew(lambda: wiring.close(handlers)),
        )  # fmt: skip
    finally:
        wiring.close(handlers)


if __name__ == "__main__":
    main()
