"""Worker processes beside the portal or a command: started, watched, stopped gently."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 0.3


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


def start(workers: int) -> list[subprocess.Popen[bytes]]:
    """Workers that go on until they are stopped."""
    return [_start() for _ in range(max(1, workers))]


def stop(crew: list[subprocess.Popen[bytes]]) -> None:
    """Ask each to stop, wait for what it holds, and end what does not listen."""
    for worker in crew:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in crew:
        try:
            worker.wait(timeout=20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def main() -> None:
    """One worker process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
    import django

    django.setup()
    from tocsin.centre.jobs.worker import work

    from . import wiring

    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    handlers = wiring.handlers()
    try:
        work(handlers, told, until_idle="--until-idle" in sys.argv, tick=wiring.tick)
    finally:
        wiring.close(handlers)


if __name__ == "__main__":
    main()
